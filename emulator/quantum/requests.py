"""Entanglement requests: who is matched with whom, and the attempts under way.

Owns, for one link, the open requests of both ends and the attempts that run for matched ones. Does
not own slots (slots.py), the pair's state and names (plane.py), or the statistics
(channels/heralded.py).

Theory of operation. A request is open once it has its slot. The oldest open requests of the two ends
are matched, attempts begin at that instant, and one draw tells when they will have succeeded.
`multiplexing: n` lets up to n matched pairs run side by side, each with a draw of its own. The end that
hears first has its half at once; the attempts are over when the other has heard too.

Rules: attempts have no memory, so whatever disturbs them (a cut, a withdrawal, a death) ends them;
the requests that remain go back to their place by age, which is the front, and are drawn for anew
when they are matched again. What has succeeded is not undone: once one end has heard, a cut no longer
matters, and who withdraws at the other gives up its own half only. A cut link matches nothing. A request
that can never succeed waits.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from functools import partial
from operator import attrgetter

import numpy as np

from ..channels.heralded import HeraldedSource, Success
from ..wire import Entangle
from .ports import HERALD, Clock, Entry
from .slots import Pending, Station

_age = attrgetter("opened")


class Request(Pending):
    """An `Entangle` under way. `opened` is its age on the link, 0 until it has a slot.

    `half`: the qubit that lies in its slot already, of a pair of which this end has not yet heard.
    """

    __slots__ = ("attempt", "half", "link", "opened", "raw")

    def __init__(self, station: Station, operation: Entangle, link: HeraldedLink) -> None:
        super().__init__(station, operation)
        self.raw = operation.raw
        self.link = link
        self.opened = 0
        self.attempt: Attempt | None = None
        self.half = ""

    @property
    def has_slot(self) -> bool:
        """Whether a slot is taken for the qubit that this will bring, and by no qubit yet."""
        return not self.half and super().has_slot


class Attempt:
    """Attempts running for two matched requests, in the order of the link's ends.

    `success` is what was drawn, offsets from `start_ns`; None if they never succeed. `pair` is the
    name of what they have led to, "" until an end hears of it.
    """

    __slots__ = ("entry", "first", "number", "pair", "second", "start_ns", "success")

    def __init__(self, number: int, first: Request, second: Request, start_ns: int) -> None:
        self.number, self.first, self.second = number, first, second
        self.start_ns = start_ns
        self.success: Success | None = None
        self.pair = ""
        self.entry: Entry | None = None

    @property
    def raw(self) -> bool:
        """Whether an end wants the pair as it was heralded, without the herald's correction."""
        return self.first.raw or self.second.raw

    @property
    def bell(self) -> int:
        """The Bell state in which the pair is handed over: as heralded if `raw`, else Phi+."""
        return self.success.bell if self.success is not None and self.raw else 0


class HeraldedLink:
    """Matching on one link.

    `on_pair(link, attempt)` is called when attempts have succeeded and the first end hears of it, and
    gives each request its `half`; then `on_herald(link, attempt, request)` when each end hears.
    """

    def __init__(
        self,
        name: str,
        ends: tuple[str, str],
        source: HeraldedSource,
        multiplexing: int,
        rng: np.random.Generator,
        clock: Clock,
        on_pair: Callable[[HeraldedLink, Attempt], None],
        on_herald: Callable[[HeraldedLink, Attempt, Request], None],
    ) -> None:
        self.name, self.ends, self.source = name, ends, source
        self.metric = f"links.{name}.pairs"
        #: Pairs heralded so far.
        self.pairs = 0
        self._multiplexing, self._rng, self._clock = multiplexing, rng, clock
        self._on_pair, self._on_herald = on_pair, on_herald
        self._queues: dict[str, list[Request]] = {end: [] for end in ends}
        self._first, self._second = (self._queues[end] for end in ends)
        self._attempts: dict[int, Attempt] = {}
        self._numbered = self._opened = 0
        self._cuts = 0

    def other_end(self, node: str) -> str:
        """The node at the other end."""
        first, second = self.ends
        return second if node == first else first

    def open(self, request: Request) -> None:
        """The request has its slot: it may be matched from now on."""
        self._opened += 1
        request.opened = self._opened
        self._queues[request.station.name].append(request)
        self.match()

    def withdraw(self, request: Request) -> None:
        """The request is no more; one matched with it goes back to its place.

        Its `half`, if it has one, is the caller's to discard. Does not match anew: the caller does once
        the slot is free.
        """
        attempt = request.attempt
        if attempt is not None and attempt.pair:
            self._forget(attempt)
            return
        if attempt is not None:
            self._stop(attempt)
        self._queues[request.station.name].remove(request)

    def cut(self) -> None:
        """Attempts end, but for those that have succeeded; none begin until all cuts are healed."""
        self._cuts += 1
        for attempt in list(self._attempts.values()):
            if not attempt.pair:
                self._stop(attempt)

    def heal(self) -> None:
        """One cut less."""
        self._cuts -= 1
        self.match()

    def match(self) -> None:
        """Begin attempts for the oldest requests of both ends, as many as the link carries."""
        first, second = self._first, self._second
        while first and second and not self._cuts and len(self._attempts) < self._multiplexing:
            self._start(first.pop(0), second.pop(0))

    def waits_for(self, request: Request) -> str:
        """What an open request waits for, for people."""
        peer = self.other_end(request.station.name)
        if request.half:
            return f"a pair with {peer}: its herald is on the way"
        if self._cuts:
            return f"a pair with {peer}: {self.name} is cut"
        if request.attempt is not None:
            return f"a pair with {peer}: attempts on {self.name} have not succeeded"
        if not self._queues[peer]:
            return f"a pair with {peer}: {peer} has not asked for one on {self.name}"
        return f"a pair with {peer}: other requests are before it on {self.name}"

    def _start(self, first: Request, second: Request) -> None:
        clock = self._clock
        now = clock.now_ns
        self._numbered += 1
        attempt = Attempt(self._numbered, first, second, now)
        self._attempts[attempt.number] = attempt
        first.attempt = second.attempt = attempt
        drawn = self.source.draw(self._rng)
        if drawn is None:
            return
        attempt.success = drawn
        self._schedule(attempt, min(drawn.heralds_ns), self._succeed)

    def _schedule(
        self, attempt: Attempt, offset_ns: int, action: Callable[[Attempt], None]
    ) -> None:
        order = (self.name, HERALD, attempt.number)
        t_ns = attempt.start_ns + offset_ns
        attempt.entry = self._clock.at(t_ns, order, partial(action, attempt))

    def _stop(self, attempt: Attempt) -> None:
        self._forget(attempt)
        for request in (attempt.first, attempt.second):
            insort(self._queues[request.station.name], request, key=_age)

    def _forget(self, attempt: Attempt) -> None:
        """The attempts are over, one way or another."""
        del self._attempts[attempt.number]
        attempt.first.attempt = attempt.second.attempt = None
        if attempt.entry is not None:
            attempt.entry.cancel()

    def _succeed(self, attempt: Attempt) -> None:
        """The pair exists, and the end to which the herald's way is shorter hears of it; or both do."""
        assert attempt.success is not None
        first_ns, second_ns = attempt.success.heralds_ns
        self._on_pair(self, attempt)
        if first_ns <= second_ns:
            self._on_herald(self, attempt, attempt.first)
        if second_ns <= first_ns:
            self._on_herald(self, attempt, attempt.second)
        if first_ns == second_ns:
            self._forget(attempt)
            self.match()
        else:
            self._schedule(attempt, max(first_ns, second_ns), self._hear)

    def _hear(self, attempt: Attempt) -> None:
        """The other end hears."""
        assert attempt.success is not None
        first_ns, second_ns = attempt.success.heralds_ns
        self._forget(attempt)
        self._on_herald(self, attempt, attempt.first if first_ns > second_ns else attempt.second)
        self.match()

    def __repr__(self) -> str:
        waiting = ", ".join(f"{len(queue)} at {end}" for end, queue in self._queues.items())
        return f"<HeraldedLink {self.name}: {len(self._attempts)} running, waiting {waiting}>"
