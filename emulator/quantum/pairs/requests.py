"""Entanglement requests: who is matched with whom, and the attempts under way.

Owns, for one link, the open requests of both ends and the attempts that run for matched ones. Does
not own slots (slots.py), the pair's state and names (halves.py), or the statistics
(heralding/attempts.py).

Theory of operation. A request is open once it has its slot. The oldest open requests of the two ends
are matched, attempts begin at that instant, and one draw tells when they will have succeeded.
`multiplexing: n` lets up to n matched pairs run side by side, each with a draw of its own. The end that
hears first has its half at once; the attempts are over when the other has heard too, and the next requests'
attempts begin then.

Rules: attempts have no memory, so whatever disturbs them (a cut, a withdrawal, a death) ends them;
the requests that remain go back to their place by age, which is the front, and are drawn for anew
when they are matched again. What has succeeded is not undone: once one end has heard, a cut no longer
matters, and who withdraws at the other gives up its own half only. A cut link matches nothing. A request
that can never succeed waits.

No end learns of the other's action before light does. A withdrawal or a death ends the attempts whose light
that end has yet to emit. If it has emitted the light of a success, the success comes to what had been drawn:
the other end hears of it at its time, and holds a half without a partner. For the same reason what is drawn
about light that left before now never depends on what an end has done since: attempts that go on after a
success that neither end heard of are drawn from a stream of their own, with the parameters that the link had
when they left.

A success may be no success for an end (herald_faults.py): if neither hears of it, attempts go on in their
rhythm; an end that alone does not hear has no half, and its request is the oldest again.

A change of the link's parameters (`change`) ends no request's wait and leaves the rhythm of attempts alone:
what was emitted before it comes to what had been drawn, a herald on its way included; the attempts from then
on are drawn anew. So changing to what a link is already changes nothing about its statistics.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from operator import attrgetter
from typing import Protocol

import numpy as np

from ...errors import InternalError
from ...heralding.attempts import MIXED, Density, HeraldedSource, Success
from ...heralding.pair_drift import PairDrift
from ...kernel.ports import HERALD, Clock, Entry
from ...kernel.streams import Streams
from ...wire import Entangle
from ..node.memory_slots import Pending, Station
from .herald_faults import HEARD, HeraldFaults

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
    `unheard` are those who have yet to hear, and when, as offsets. `given_up`: requests that were withdrawn
    after their end had emitted, and when. `rng`: its own numbers, once it has gone on after a lost success.
    """

    __slots__ = (
        "entry",
        "fate",
        "first",
        "given_up",
        "number",
        "pair",
        "raw",
        "requests",
        "rng",
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
        self.given_up: dict[Request, int] = {}
        self.rng: np.random.Generator | None = None
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

    def has_left(self, request: Request, now_ns: int) -> bool:
        """Whether this request's end has emitted its light of the success that was drawn, before `now_ns`."""
        if self.success is None:
            return False
        emission_ns = self.success.emissions_ns[self.requests.index(request)]
        return self.start_ns + emission_ns < now_ns

    def resumes_ns(self, now_ns: int) -> int:
        """When the first of the attempts begins that emits nothing before `now_ns`."""
        timing = self.source.timing
        since_ns = now_ns - self.start_ns - timing.emission_ns
        return self.start_ns + max(0, -(-since_ns // timing.attempt_ns)) * timing.attempt_ns


class Pairs(Protocol):
    """What attempts come to (halves.py)."""

    def create(self, link: HeraldedLink, attempt: Attempt) -> None:
        """Attempts have succeeded and the first end hears of it: each request gets its `half`."""

    def herald(self, link: HeraldedLink, attempt: Attempt, request: Request) -> None:
        """This request's end hears."""

    def lose(self, link: HeraldedLink, attempt: Attempt, request: Request | None) -> None:
        """It never does; None: neither does, and no pair was created."""

    def give_up(self, request: Request) -> None:
        """No request waits for its half, if it has one."""


class HeraldedLink:
    """Matching on one link. `drift` is what the link's surroundings do to its pairs, if anything.

    Draws from ("link", name), and from a stream apart for attempts that go on after a lost success.
    """

    def __init__(
        self,
        name: str,
        ends: tuple[str, str],
        source: HeraldedSource,
        multiplexing: int,
        streams: Streams,
        clock: Clock,
        made: Pairs,
        drift: PairDrift | None = None,
    ) -> None:
        self.name, self.ends, self.source, self._drift = name, ends, source, drift
        self.metric = f"links.{name}.pairs"
        #: Pairs heralded so far.
        self.pairs = 0
        self._multiplexing, self._clock, self._made = multiplexing, clock, made
        self._streams, self._rng = streams, streams.of("link", name)
        #: What the link was, and since when: as far back as light of it may be on its way.
        self._sources = [(0, source)]
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
        """The request is no more; one matched with it goes back to its place, or hears of what has left.

        Its `half`, if it has one, is the caller's to discard. Does not match anew: the caller does once
        the slot is free.
        """
        attempt = request.attempt
        if attempt is not None and attempt.pair:
            self._forget(attempt)
            return
        now_ns = self._clock.now_ns
        if attempt is not None and attempt.has_left(request, now_ns):
            attempt.given_up[request] = now_ns
            request.attempt = None
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
        now_ns = self._clock.now_ns
        self._become(source, now_ns)
        for attempt in self._attempts.values():
            if attempt.emitted_before(now_ns):
                continue
            attempt.start_ns, attempt.source = attempt.resumes_ns(now_ns), source
            self._draw(attempt)

    def _become(self, source: HeraldedSource, now_ns: int) -> None:
        self.source = source
        sources = self._sources
        if sources[-1][0] == now_ns:
            sources.pop()
        sources.append((now_ns, source))
        oldest_ns = now_ns - max(source.timing.heralds_ns)
        while len(sources) > 1 and sources[1][0] <= oldest_ns:
            sources.pop(0)

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
        rng = self._rng if attempt.rng is None else attempt.rng
        attempt.success = attempt.source.draw(rng)
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
            if request not in attempt.given_up:
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
        """The pair exists, unless no herald gets through, and the nearer end hears of it; or both do."""
        assert attempt.success is not None
        attempt.fate = self.faults.fate(attempt.start_ns + attempt.success.emission_ns)
        if len(attempt.fate.lost) == len(self.ends):
            self._made.lose(self, attempt, None)
            self._go_on(attempt)
            return
        attempt.unheard = dict(zip(attempt.requests, attempt.success.heralds_ns, strict=True))
        self._made.create(self, attempt)
        for end, request in zip(self.ends, attempt.requests, strict=True):
            given_up, lost = request in attempt.given_up, end in attempt.fate.lost
            if lost:
                self._made.lose(self, attempt, request)
            elif given_up:
                self._made.give_up(request)
            if lost or given_up:
                del attempt.unheard[request]
            if lost and not given_up:
                self._put_back(request)
        self._hear(attempt)

    def _hear(self, attempt: Attempt) -> None:
        """Each end that is to hear now does. The attempts are over with the last."""
        now_ns = self._clock.now_ns - attempt.start_ns
        for request in [each for each, due_ns in attempt.unheard.items() if due_ns <= now_ns]:
            del attempt.unheard[request]
            self._made.herald(self, attempt, request)
        if attempt.unheard:
            self._schedule(attempt, min(attempt.unheard.values()), self._hear)
        else:
            self._forget(attempt)
        self.match()

    def _go_on(self, attempt: Attempt) -> None:
        """Neither end has heard of the success: for both it was a failure like those before.

        Light of the attempts that follow may be on its way already, so what becomes of them follows from
        when they left; those that an end has not emitted before it gave up are none.
        """
        assert attempt.success is not None
        timing = attempt.source.timing
        attempt.start_ns += attempt.success.herald_ns - max(timing.heralds_ns) + timing.attempt_ns
        attempt.entry = None
        if attempt.rng is None:
            attempt.rng = self._streams.apart("link", self.name, attempt.number)
        for (_, source), (until_ns, _) in pairwise(self._sources):
            if attempt.start_ns + timing.emission_ns >= until_ns:
                continue
            attempt.source, attempt.success = source, source.draw(attempt.rng)
            if attempt.emitted_before(until_ns):
                break
            attempt.start_ns = attempt.resumes_ns(until_ns)
        else:
            attempt.source, attempt.success = self.source, self.source.draw(attempt.rng)
        if not all(attempt.has_left(*each) for each in attempt.given_up.items()):
            self._stop(attempt)
            self.match()
        elif attempt.success is not None:
            self._schedule(attempt, min(attempt.success.heralds_ns), self._succeed)

    def __repr__(self) -> str:
        waiting = ", ".join(f"{len(queue)} at {end}" for end, queue in self._queues.items())
        return f"<HeraldedLink {self.name}: {len(self._attempts)} running, waiting {waiting}>"
