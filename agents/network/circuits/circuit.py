"""A circuit at one of its nodes: what its first node, its repeaters and its last node have in common.

Owns the two sides, the halves that are held on each, what neighbours ask about pairs, and when too old
halves are dropped. Does not own what joins and ends do with halves (relay.py, head.py, tail.py), nor how a
circuit is set up (signalling.py).

Theory of operation. The pairs of a hop have numbers, alike at both of its ends (stream.py). When a node
loses a half, the neighbour it was shared with gets a `Gone`, and each node passes that on along its join, so
that both ends learn of it. An end that has waited for long asks: a neighbour about a half it still awaits
(`Asks`), towards the first node about a track (`What`). What names a pair that is not known here is answered
by `Gone`, or changes nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from ....emulator.wire import LinkInfo
from ...qubits import Pair
from ..control import Asks, Awaits, Datum, Gone, Setup, Track, What
from .stream import Future, LinkShare, Stream

if TYPE_CHECKING:
    from ...interface import NodeInterface

#: Sides of a node of a circuit: towards the first node, and towards the last.
LEFT, RIGHT = 0, 1
#: Pairs whose joins, tracks and ends are remembered at a node, so that late questions find an answer.
REMEMBERED = 4096
#: Without a pair for so many mean waits at both ends, a link counts as down.
_SILENCE = 20

Correlations = tuple[float, float, float]


class Hub(Protocol):
    """What a circuit needs of the service that it is part of."""

    node: NodeInterface
    stores: bool

    def tell(self, peer: str, datum: Datum) -> None:
        """Send it bare."""

    def share(self, link: str) -> LinkShare:
        """The circuits over a link of this node."""

    def link(self, name: str) -> LinkInfo:
        """A link of this node."""

    @property
    def links(self) -> Sequence[LinkInfo]:
        """All links of this node."""

    def count_refused(self) -> None:
        """A message named what is not known, or no more."""

    def link_silent(self, link: str) -> None:
        """A link heralds nothing any more."""


class Circuit:
    """One circuit at one node. `window`: the halves of each side that may be here at once."""

    def __init__(self, hub: Hub, setup: Setup, window: int, slots: int) -> None:
        self.hub, self.setup, self.slots = hub, setup, slots
        self.id, self.path = setup.id, setup.path
        self.index = setup.path.index(hub.node.welcome.name)
        self.hops = len(setup.path) - 1
        #: When it was last heard that the circuit is wanted.
        self.seen_ns = self.begun_ns = hub.node.now_ns
        self.is_open = False
        self.streams: list[Stream | None] = [
            self._stream(side, self.index - 1 + side, window)
            if 0 <= self.index - 1 + side < self.hops
            else None
            for side in (LEFT, RIGHT)
        ]
        #: Halves that lie here, by side and number, in the order in which they came.
        self.halves: tuple[dict[int, Pair], dict[int, Pair]] = ({}, {})
        self._memories = [self._memory(side) for side in (LEFT, RIGHT)]
        self._decays = [any(times_ns) for times_ns in self._memories]
        self._timers: list[asyncio.TimerHandle | None] = [None, None]

    def _stream(self, side: int, hop: int, window: int) -> Stream:
        link = self.hub.link(self.setup.links[hop])
        return Stream(
            self.hub.node,
            link,
            self.id,
            self.setup.alphas[hop],
            window,
            self.setup.priority,
            self.hub.stores,
            self.hub.share(link.name),
            partial(self.came, side),
            partial(self.failed, side),
            self._meets,
        )

    @property
    def _meets(self) -> str:
        """A word for halves that are of use only beside one of the other side, or a track; "" for others."""
        return ""

    def _memory(self, side: int) -> tuple[int, int]:
        stream = self.streams[side]
        if stream is None or stream.link.heralding is None:
            return 0, 0
        return stream.link.heralding.memories_ns[stream.link.end]

    #: Virtual time.
    now_ns: int = property(attrgetter("hub.node.now_ns"))  # type: ignore[assignment]

    def neighbour(self, side: int) -> str:
        """The next node on that side; "" at an end."""
        at = self.index - 1 + 2 * side
        return self.path[at] if 0 <= at <= self.hops else ""

    def stream(self, side: int) -> Stream:
        """The pairs of that side."""
        found = self.streams[side]
        assert found is not None
        return found

    def start(self) -> None:
        """All hops have been reserved: make pairs."""
        if not self.is_open:
            self.is_open = True
            for stream in self.streams:
                if stream is not None:
                    stream.start()

    def close(self) -> list[Future]:
        """Give back all that it holds; returns what is still to be done for that."""
        self.is_open = False
        found: list[Future] = []
        for side in (LEFT, RIGHT):
            timer, stream = self._timers[side], self.streams[side]
            if timer is not None:
                timer.cancel()
            if stream is not None:
                stream.close()
                held = self.halves[side].values()
                found += stream.discard(*(half.qubit.name for half in held if not half.expired))
            self.halves[side].clear()
        return found

    # --- for each role ---

    def came(self, side: int, number: int, half: Pair) -> None:
        """A half has been heralded."""
        raise NotImplementedError

    def on_track(self, track: Track) -> None:
        """The track of a pair has come from the left."""
        raise NotImplementedError

    def on_what(self, number: int) -> None:
        """The node on the right asks for the track of that pair."""
        raise NotImplementedError

    def forget(self, side: int, number: int) -> None:
        """A half that lay here, or was joined here, is of no use any more: pass it on."""
        raise NotImplementedError

    def overdue(self, since_ns: int) -> None:
        """Ask for what has not come since then."""

    # --- losses ---

    def failed(self, side: int, number: int) -> None:
        """The half of a number will not come."""
        self.tell_gone(side, number)

    def tell_gone(self, side: int, number: int) -> None:
        """Tell the neighbour that what the pair leads to on this side is lost."""
        peer = self.neighbour(side)
        if peer:
            self.hub.tell(peer, Gone(self.id, number))

    def lose(self, side: int, number: int) -> None:
        """A half here is lost: discard it, and tell who holds the other one."""
        if self.take_back(side, number):
            self.tell_gone(side, number)

    def take_back(self, side: int, number: int) -> bool:
        """Discard a half that lies here; False if none does."""
        half = self.halves[side].pop(number, None)
        if half is None:
            return False
        stream = self.stream(side)
        if not half.expired:
            stream.discard(half.qubit.name)
        stream.release()
        return True

    def on_gone(self, side: int, number: int) -> None:
        """The neighbour has nothing of this pair any more."""
        stream = self.streams[side]
        if stream is None or stream.drop(number) or self.take_back(side, number):
            return
        if stream.is_ahead(number):
            stream.skip(number)
        else:
            self.forget(side, number)

    def expired(self, qubits: Collection[str]) -> None:
        """The memory has discarded these qubits."""
        for side in (LEFT, RIGHT):
            held = self.halves[side].items()
            for number in [n for n, half in held if half.qubit.name in qubits]:
                self.lose(side, number)

    # --- questions ---

    def on_asks(self, side: int, numbers: list[int]) -> None:
        """The neighbour still awaits these pairs."""
        stream = self.streams[side]
        if stream is None or not self.is_open:
            return
        for number in numbers:
            if stream.awaits(number):
                waited_ns = self.now_ns - stream.open[number][1]
                self.hub.tell(self.neighbour(side), Awaits(self.id, number, waited_ns))
            elif not stream.is_ahead(number):
                self.on_gone(side, number)
                self.tell_gone(side, number)

    def on_awaits(self, side: int, number: int, waited_ns: int) -> None:
        """So does the neighbour, for so long. A link on which nothing comes for both is down."""
        stream = self.streams[side]
        if stream is None or not stream.awaits(number):
            return
        since_ns = max(stream.open[number][1], stream.silent_since_ns)
        silence_ns = min(waited_ns, self.now_ns - since_ns)
        if silence_ns > _SILENCE * stream.mean_wait_ns:
            self.hub.link_silent(stream.link.name)

    def tick(self) -> None:
        """Look after what is late; called now and then."""
        if not self.is_open:
            return
        since_ns = self.now_ns - self.setup.patience_ns
        for side in (LEFT, RIGHT):
            stream = self.streams[side]
            if stream is not None:
                late = [number for number, (_, begun) in stream.open.items() if begun <= since_ns]
                if late:
                    self.hub.tell(self.neighbour(side), Asks(self.id, late))
        self.overdue(since_ns)

    def ask_what(self, number: int) -> None:
        """Ask, towards the first node, for the track of a pair on the left."""
        self.hub.tell(self.neighbour(LEFT), What(self.id, number))

    # --- age ---

    def keep(self, side: int, number: int, half: Pair) -> None:
        """It lies here from now on."""
        self.halves[side][number] = half

    def keep_cutoff(self, side: int) -> None:
        """Halves of that side are dropped once they are older than the circuit's cut-off."""
        if not self.setup.cutoff_ns or self._timers[side] is not None or not self.halves[side]:
            return
        oldest = min(half.emitted_ns for half in self.halves[side].values())
        delay_ns = max(0, oldest + self.setup.cutoff_ns - self.now_ns)
        loop = asyncio.get_running_loop()
        self._timers[side] = loop.call_later(delay_ns * 1e-9, self._cut_off, side)

    def _cut_off(self, side: int) -> None:
        self._timers[side] = None
        last_ns = self.now_ns - self.setup.cutoff_ns
        held = self.halves[side].items()
        for number in [n for n, half in held if half.emitted_ns <= last_ns]:
            self.lose(side, number)
        self.keep_cutoff(side)

    def decayed(
        self, left: Correlations, side: int, emitted_ns: int, until_ns: int
    ) -> Correlations:
        """What storage in this node's memory leaves of correlations."""
        return decayed(left, until_ns - emitted_ns, self._memories[side])

    def waits_for(self) -> str:
        """In words: what the circuit waits for here."""
        if not self.is_open:
            return "its set-up"
        parts = [
            f"pairs {', '.join(map(str, list(stream.open)[:4]))} with {self.neighbour(side)}"
            for side, stream in enumerate(self.streams)
            if stream is not None and stream.open
        ]
        held = sum(len(each) for each in self.halves)
        return "; ".join([*parts, f"{held} halves held"])


def decayed(left: Correlations, time_ns: int, memory: tuple[int, int]) -> Correlations:
    """ZZ, XX and YY after a half was stored so long in a memory with T1 and T2 (0: never)."""
    t1_ns, t2_ns = memory
    if (not t1_ns and not t2_ns) or time_ns <= 0:
        return left
    zz, xx, yy = left
    coherence = math.exp(-time_ns / t2_ns) if t2_ns else math.exp(-time_ns / (2 * t1_ns))
    return (zz * math.exp(-time_ns / t1_ns) if t1_ns else zz), xx * coherence, yy * coherence


def remember(known: dict[int, Any], most: int = REMEMBERED) -> None:
    """Forget the oldest entries of what is remembered."""
    while len(known) > most:
        del known[next(iter(known))]
