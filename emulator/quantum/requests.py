"""Entanglement requests: who is matched with whom, and the attempts under way.

Owns, for one link, the open requests of both ends and the attempts that run for matched ones. Does
not own slots (slots.py), the pair's state and names (plane.py), or the statistics
(channels/heralded.py).

Theory of operation. A request is open once it has its slot. The oldest open requests of the two ends
are matched, attempts begin at that instant, and one draw tells when they will have succeeded.
`multiplexing: n` lets up to n matched pairs run side by side, each with a draw of its own.

Rules: attempts have no memory, so whatever disturbs them (a cut, a withdrawal, a death) ends them;
the requests that remain go back to their place by age, which is the front, and are drawn for anew
when they are matched again. A cut link matches nothing. A request that can never succeed waits.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from functools import partial
from operator import attrgetter

import numpy as np

from ..channels.heralded import SimpleLink
from ..wire import Operation
from .ports import HERALD, Clock, Entry
from .slots import Pending, Station

_age = attrgetter("opened")


class Request(Pending):
    """An `Entangle` under way. `opened` is its age on the link, 0 until it has a slot."""

    __slots__ = ("attempt", "link", "opened")

    def __init__(self, station: Station, operation: Operation, link: HeraldedLink) -> None:
        super().__init__(station, operation)
        self.link = link
        self.opened = 0
        self.attempt: Attempt | None = None


class Attempt:
    """Attempts running for two matched requests, in the order of the link's ends."""

    __slots__ = ("emitted_ns", "entry", "first", "number", "second", "start_ns")

    def __init__(self, number: int, first: Request, second: Request, start_ns: int) -> None:
        self.number, self.first, self.second = number, first, second
        self.start_ns = start_ns
        #: When the pair was emitted that will be heralded, as drawn.
        self.emitted_ns = start_ns
        self.entry: Entry | None = None


class HeraldedLink:
    """Matching on one link. `on_herald(link, attempt)` is called when attempts have succeeded."""

    def __init__(
        self,
        name: str,
        ends: tuple[str, str],
        source: SimpleLink,
        multiplexing: int,
        rng: np.random.Generator,
        clock: Clock,
        on_herald: Callable[[HeraldedLink, Attempt], None],
    ) -> None:
        self.name, self.ends, self.source = name, ends, source
        self.density = source.density()
        self.metric = f"links.{name}.pairs"
        #: Pairs heralded so far.
        self.pairs = 0
        self._multiplexing, self._rng, self._clock = multiplexing, rng, clock
        self._on_herald = on_herald
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

        Does not match anew: the caller does once the slot is free.
        """
        attempt = request.attempt
        if attempt is not None:
            self._stop(attempt)
        self._queues[request.station.name].remove(request)

    def cut(self) -> None:
        """Attempts end, and none begin until all cuts are healed."""
        self._cuts += 1
        for attempt in list(self._attempts.values()):
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
        attempt.emitted_ns = now + drawn.emission_ns
        order = (self.name, HERALD, attempt.number)
        attempt.entry = clock.at(now + drawn.herald_ns, order, partial(self._herald, attempt))

    def _stop(self, attempt: Attempt) -> None:
        del self._attempts[attempt.number]
        if attempt.entry is not None:
            attempt.entry.cancel()
        for request in (attempt.first, attempt.second):
            request.attempt = None
            insort(self._queues[request.station.name], request, key=_age)

    def _herald(self, attempt: Attempt) -> None:
        del self._attempts[attempt.number]
        attempt.first.attempt = attempt.second.attempt = None
        self._on_herald(self, attempt)
        self.match()

    def __repr__(self) -> str:
        waiting = ", ".join(f"{len(queue)} at {end}" for end, queue in self._queues.items())
        return f"<HeraldedLink {self.name}: {len(self._attempts)} running, waiting {waiting}>"
