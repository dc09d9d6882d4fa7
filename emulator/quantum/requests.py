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

A success may be no success for an end (herald_faults.py): if neither hears of it, attempts go on in their
rhythm; an end that alone does not hear has no half, and its request is the oldest again.

A change of the link's parameters (`change`) ends nobody's wait and leaves the rhythm of attempts alone: what
was emitted before it comes to what had been drawn, a herald on its way included; the attempts from then
on are drawn anew. So changing to what a link is already changes nothing about its statistics.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from functools import partial
from operator import attrgetter

import numpy as np

from ..channels.heralded import MIXED, Density, HeraldedSource, Success
from ..channels.pair_drift import PairDrift
from ..errors import InternalError
from ..wire import Entangle
from .herald_faults import HEARD, HeraldFaults
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

    `raw`: an end wants the pair as it was heralded, without the herald's correction.
    `success` is what was drawn from `source`, offsets from `start_ns`; None if they never succeed. `pair`
    is the name of what they have led to, "" until an end hears of it, and `fate` what faults made of it.
    `unheard` are those who have yet to hear, and when, as offsets.
    """

    __slots__ = (
        "entry",
        "fate",
        "first",
        "number",
        "pair",
        "raw",
        "requests",
        "second",
        "source",
        "start_ns",
        "success",
        "unheard",
    )

    def __init__(
        self, number: int, first: Request, second: Request, source: HeraldedSource, start_ns: int
    ) -> None:
        self.number, self.first, self.second = number, first, second
        self.requests = first, second
        self.raw = first.raw or second.raw
        self.source, self.start_ns = source, start_ns
        self.success: Success | None = None
        self.pair, self.fate = "", HEARD
        self.unheard: dict[Request, int] = {}
        self.entry: Entry | None = None

    @property
    def bell(self) -> int:
        """The Bell state in which the pair is handed over: as heralded if `raw`, else Phi+."""
        return self.success.bell if self.success is not None and self.raw else 0

    def emitted_before(self, now_ns: int) -> bool:
        """Whether the pair that was drawn has come into being before `now_ns`, or been heard of."""
        if self.success is None:
            return False
        return bool(self.pair) or self.start_ns + self.success.emission_ns < now_ns

    def resumes_ns(self, now_ns: int) -> int:
        """When the first of the attempts begins that emits nothing before `now_ns`."""
        timing = self.source.timing
        since_ns = now_ns - self.start_ns - timing.emission_ns
        return self.start_ns + max(0, -(-since_ns // timing.attempt_ns)) * timing.attempt_ns


class HeraldedLink:
    """Matching on one link.

    `drift` is what the link's surroundings do to its pairs, if anything.
    `on_pair(link, attempt)` is called when attempts have succeeded and the first end hears of it, and
    gives each request its `half`; then `on_herald(link, attempt, request)` when each end hears.
    `on_lost(link, attempt, request)` takes the half of one that never does; with None neither does, and there
    was no `on_pair`.
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
        on_lost: Callable[[HeraldedLink, Attempt, Request | None], None],
        drift: PairDrift | None = None,
    ) -> None:
        self.name, self.ends, self.source, self._drift = name, ends, source, drift
        self.metric = f"links.{name}.pairs"
        #: Pairs heralded so far.
        self.pairs = 0
        self._multiplexing, self._rng, self._clock = multiplexing, rng, clock
        self._on_pair, self._on_herald, self._on_lost = on_pair, on_herald, on_lost
        self.faults = HeraldFaults(ends, clock)
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

    def change(self, source: HeraldedSource) -> None:
        """From now on attempts are those of `source`; see the module's head.

        One draw for each two requests that are still matched, in the order in which they were.
        Raises InternalError for a source whose attempts take other times.
        """
        if source.timing != self.source.timing:
            problem = f"{self.name} cannot change its rhythm: {self.source.timing}"
            raise InternalError(f"{problem} to {source.timing}")
        self.source = source
        now_ns = self._clock.now_ns
        for attempt in self._attempts.values():
            if attempt.emitted_before(now_ns):
                continue
            attempt.start_ns, attempt.source = attempt.resumes_ns(now_ns), source
            self._draw(attempt)

    def density(self, attempt: Attempt) -> Density:
        """The pair of attempts that have succeeded, at its emission and as handed over; shape (4, 4)."""
        assert attempt.success is not None
        if attempt.fate.false:
            return MIXED
        aligned = attempt.source.density(attempt.bell)
        if self._drift is None:
            return aligned
        return self._drift.applied(aligned, attempt.start_ns + attempt.success.emission_ns)

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
        self._numbered += 1
        attempt = Attempt(self._numbered, first, second, self.source, self._clock.now_ns)
        self._attempts[attempt.number] = attempt
        first.attempt = second.attempt = attempt
        self._draw(attempt)

    def _draw(self, attempt: Attempt) -> None:
        """When the attempts from `start_ns` on succeed, instead of what had been drawn before."""
        if attempt.entry is not None:
            attempt.entry.cancel()
            attempt.entry = None
        attempt.success = attempt.source.draw(self._rng)
        if attempt.success is not None:
            self._schedule(attempt, min(attempt.success.heralds_ns), self._succeed)

    def _schedule(
        self, attempt: Attempt, offset_ns: int, action: Callable[[Attempt], None]
    ) -> None:
        order = (self.name, HERALD, attempt.number)
        t_ns = attempt.start_ns + offset_ns
        attempt.entry = self._clock.at(t_ns, order, partial(action, attempt))

    def _stop(self, attempt: Attempt) -> None:
        self._forget(attempt)
        for request in attempt.requests:
            self._put_back(request)

    def _put_back(self, request: Request) -> None:
        """To its place by age, to be matched again."""
        request.attempt = None
        insort(self._queues[request.station.name], request, key=_age)

    def _forget(self, attempt: Attempt) -> None:
        """The attempts are over, one way or another."""
        del self._attempts[attempt.number]
        for request in attempt.requests:
            if request.attempt is attempt:
                request.attempt = None
        if attempt.entry is not None:
            attempt.entry.cancel()

    def _succeed(self, attempt: Attempt) -> None:
        """The pair exists, unless no herald gets through, and whoever is nearer hears of it; or both do."""
        assert attempt.success is not None
        attempt.fate = self.faults.fate(attempt.start_ns + attempt.success.emission_ns)
        if len(attempt.fate.lost) == len(self.ends):
            self._on_lost(self, attempt, None)
            self._go_on(attempt)
            return
        attempt.unheard = dict(zip(attempt.requests, attempt.success.heralds_ns, strict=True))
        self._on_pair(self, attempt)
        for end in attempt.fate.lost:
            request = attempt.requests[self.ends.index(end)]
            self._on_lost(self, attempt, request)
            del attempt.unheard[request]
            self._put_back(request)
        self._hear(attempt)

    def _hear(self, attempt: Attempt) -> None:
        """Whoever is to hear now does. The attempts are over with the last."""
        now_ns = self._clock.now_ns - attempt.start_ns
        for request in [each for each, due_ns in attempt.unheard.items() if due_ns <= now_ns]:
            del attempt.unheard[request]
            self._on_herald(self, attempt, request)
        if attempt.unheard:
            self._schedule(attempt, min(attempt.unheard.values()), self._hear)
        else:
            self._forget(attempt)
        self.match()

    def _go_on(self, attempt: Attempt) -> None:
        """Nobody has heard of the success: for both ends it was a failure like those before."""
        assert attempt.success is not None
        timing = attempt.source.timing
        attempt.start_ns += attempt.success.herald_ns - max(timing.heralds_ns) + timing.attempt_ns
        attempt.source, attempt.entry = self.source, None
        self._draw(attempt)

    def __repr__(self) -> str:
        waiting = ", ".join(f"{len(queue)} at {end}" for end, queue in self._queues.items())
        return f"<HeraldedLink {self.name}: {len(self._attempts)} running, waiting {waiting}>"
