"""The last node of a circuit: takes what tracks say, and hands pairs over.

Owns which pairs have come to their end. Does not own the programs' side (path_inbox.py).

A half wakes no node: the grant that brings its track brings it too, where no track can come before its half.

Rules: this end owes the Pauli of all joins, and nothing else does. A pair is handed over once; a track that
comes again is answered as before.
"""

from __future__ import annotations

from collections.abc import Callable

from ...qubits import Pair
from ..control import Done, Setup, Track
from ..link_facts import facts_of
from .circuit import LEFT, Circuit, Hub, decayed, remember

#: `deliver(circuit, number, half, fidelity)`.
Deliver = Callable[["Tail", int, Pair, float], None]


class Tail(Circuit):
    """A circuit at its last node."""

    def __init__(self, hub: Hub, setup: Setup, window: int, deliver: Deliver) -> None:
        super().__init__(hub, setup, window, window)
        self._deliver = deliver
        #: Tracks that came before their half.
        self._tracks: dict[int, Track] = {}
        #: What was handed over, by number: how it was answered.
        self._done: dict[int, Done] = {}
        left = self.stream(LEFT)
        if self.hops == 1:
            left.limit = setup.count
            self._fidelity = facts_of(left.link, setup.alphas[0]).fidelity

    @property
    def _meets(self) -> str:
        setup, hub = self.setup, self.hub
        info, before = hub.link(setup.links[-1]), setup.path[-2]
        heralding = info.heralding
        if heralding is None or info.contacts or hub.stores or hub.node.welcome.cutoff_ns:
            return ""
        heard_ns, told_ns = heralding.heralds_ns[info.end], heralding.heralds_ns[1 - info.end]
        soonest_ns = told_ns + min(each.latency_ns for each in hub.links if each.peer == before)
        return self.id if self.hops > 1 and heard_ns <= soonest_ns else ""

    def came(self, side: int, number: int, half: Pair) -> None:
        if self.hops == 1:
            self._done[number] = Done(self.id, number, self._fidelity)
            remember(self._done)
            self._deliver(self, number, half, self._fidelity)
            return
        track = self._tracks.pop(number, None)
        if track is None:
            self.keep(side, number, half)
        elif self._too_late(track):
            self.keep(side, number, half)
            self.lose(side, number)
        else:
            self._finish(track, half)

    def on_track(self, track: Track) -> None:
        number = track.number
        half = self.halves[LEFT].get(number)
        if number in self._done:
            self.hub.tell(self.path[0], self._done[number])
        elif half is not None and not half.expired and not self._too_late(track):
            del self.halves[LEFT][number]
            self._finish(track, half)
        elif half is None and self.stream(LEFT).is_ahead(number):
            self._tracks[number] = track
        else:
            if not self.take_back(LEFT, number):
                self.hub.count_refused()
            self.tell_gone(LEFT, number)

    def _too_late(self, track: Track) -> bool:
        """Whether the first node's memory discards its half before it hears of the pair."""
        setup = self.setup
        heard_ns = self.now_ns + setup.latency_ns
        return 0 < setup.expires_ns <= heard_ns - track.emitted_ns

    def _finish(self, track: Track, half: Pair) -> None:
        """The pair reaches from end to end, and is so once the first node hears of it."""
        kept = track.zz, track.xx, track.yy
        heard_ns = self.now_ns + self.setup.latency_ns
        kept = self.decayed(kept, LEFT, half.emitted_ns, heard_ns)
        kept = decayed(kept, heard_ns - track.emitted_ns, self.setup.memory_ns)
        fidelity = (1 + sum(kept)) / 4
        half.shift(track.z, track.x)
        done = self._done[track.number] = Done(self.id, track.origin, fidelity)
        remember(self._done)
        self.hub.tell(self.path[0], done)
        self._deliver(self, track.origin, half, fidelity)

    def on_what(self, number: int) -> None:
        self.hub.count_refused()

    def failed(self, side: int, number: int) -> None:
        super().failed(side, number)
        self._replace()

    def take_back(self, side: int, number: int) -> bool:
        found = super().take_back(side, number)
        if found:
            self._replace()
        return found

    def _replace(self) -> None:
        stream = self.stream(LEFT)
        if stream.limit is not None:
            stream.limit += 1
            stream.fill()

    def forget(self, side: int, number: int) -> None:
        self._tracks.pop(number, None)

    def overdue(self, since_ns: int) -> None:
        for number, half in self.halves[LEFT].items():
            if half.emitted_ns <= since_ns:
                self.ask_what(number)
