"""The first node of a circuit: starts the track of each pair, and hands it over when the last node has it.

Owns which pairs are on their way. Does not own the request (path_requests.py).

Rules: at most as many pairs are on their way as the request still lacks, so that both ends get the same
number. A track that is not answered is sent again; all that it meets answers it as it did before. On a
circuit of one hop a pair is there when it is heralded, and nothing is sent: both ends count to the same
number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...qubits import Pair
from ..control import Done, Setup, Track
from ..link_facts import correlations, facts_of
from .circuit import RIGHT, Circuit, Hub, remember
from .stream import Future

if TYPE_CHECKING:
    from ..path_requests import PathRequest


class Head(Circuit):
    """A circuit at its first node."""

    def __init__(self, hub: Hub, setup: Setup, window: int, request: PathRequest) -> None:
        super().__init__(hub, setup, window, window)
        self.request = request
        #: Tracks on their way, and when each was last sent.
        self._sent: dict[int, tuple[Track, int]] = {}
        #: Numbers that were handed over, so that an answer that comes again is known as such.
        self._done: dict[int, object] = {}
        right = self.stream(RIGHT)
        zz, xx = correlations(right.link, setup.alphas[0])
        self._base = zz, xx, xx
        if self.hops == 1:
            right.limit = setup.count
            self._fidelity = facts_of(right.link, setup.alphas[0]).fidelity

    def came(self, side: int, number: int, half: Pair) -> None:
        if self.hops == 1:
            self._hand_over(number, half, self._fidelity)
            return
        self.keep(side, number, half)
        self.advance()

    def advance(self) -> None:
        """Start tracks, as far as the request lacks pairs."""
        held = self.halves[RIGHT]
        lacking = self.request.lacking
        if len(self._sent) >= lacking or len(self._sent) == len(held):
            return
        for number, half in held.items():
            if len(self._sent) >= lacking:
                return
            if number not in self._sent:
                track = Track(self.id, number, number, 0, 0, *self._base, half.emitted_ns)
                self._send(track)

    def _send(self, track: Track) -> None:
        self._sent[track.origin] = track, self.now_ns
        self.hub.tell(self.path[1], track)

    def on_done(self, done: Done) -> None:
        """The last node has the pair."""
        half = self.halves[RIGHT].get(done.origin)
        if half is None or done.origin not in self._sent:
            self.hub.count_refused()
            return
        del self.halves[RIGHT][done.origin], self._sent[done.origin]
        if half.expired:
            self.stream(RIGHT).release()
            self._unconfirmed(done.origin)
            self.advance()
            return
        self._hand_over(done.origin, half, done.fidelity)

    def _hand_over(self, number: int, half: Pair, fidelity: float) -> None:
        self._done[number] = None
        remember(self._done)
        self.request.add(self, number, half, fidelity)
        self.advance()

    def take_back(self, side: int, number: int) -> bool:
        self._sent.pop(number, None)
        found = super().take_back(side, number)
        if found:
            self._replace()
            self.advance()
        return found

    def failed(self, side: int, number: int) -> None:
        super().failed(side, number)
        self._replace()

    def _replace(self) -> None:
        """A number has come to nothing: one more may be begun."""
        stream = self.stream(RIGHT)
        if stream.limit is not None:
            stream.limit += 1
            stream.fill()

    def on_what(self, number: int) -> None:
        if number in self._sent:
            self.hub.tell(self.path[1], self._sent[number][0])
        elif number in self._done or not (
            number in self.halves[RIGHT] or self.stream(RIGHT).is_ahead(number)
        ):
            self.hub.count_refused()
            self.tell_gone(RIGHT, number)

    def forget(self, side: int, number: int) -> None:
        if number in self._done:
            self._unconfirmed(number)

    def overdue(self, since_ns: int) -> None:
        for track, sent_ns in list(self._sent.values()):
            if sent_ns <= since_ns:
                self._send(track)

    def close(self) -> list[Future]:
        stream = self.stream(RIGHT)
        self.request.figures.attempts += stream.next - 1 - len(stream.open)
        found = super().close()
        for number in self._sent:
            self._unconfirmed(number)
        self._sent.clear()
        return found

    def _unconfirmed(self, number: int) -> None:
        self.request.unconfirmed.append(f"{self.id}#{number}")
