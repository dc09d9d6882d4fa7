"""A link that heralds pairs: which requests are matched, and when attempts run and succeed.

Owns, for one link, the open requests of both ends and the attempts that run for matched ones. Does not own
slots (node/node_devices.py), what a success comes to (heralded_pair.py), or the statistics
(heralding/attempts.py).

Theory of operation. A request is open once it has its slot. The oldest open requests of the two ends that
are for one purpose and one bright population are matched (the order of the end that is first in the link
counts), attempts begin at that instant, and one draw tells when they will have succeeded. `multiplexing: n`
lets up to n matched pairs run side by side, each with a draw of its own. The end that hears first has its
half at once; the attempts are over when the other has heard too, and the next requests' attempts begin then.

Rules: attempts have no memory, so a cut, a withdrawal or a death ends them;
the requests that remain go back to their place by age, which is the front, and are drawn for anew
when they are matched again. What has succeeded is not undone: once one end has heard, a cut no longer
matters, and a withdrawal at the other gives up its own half only. A cut link matches nothing. A request
that can never succeed waits.

No end learns of the other's action before light does. A withdrawal or a death ends the attempts whose light
that end has yet to emit. If it has emitted the light of a success, the success comes to what had been drawn:
the other end hears of it at its time, and holds a half without a partner. For the same reason what is drawn
about light that left before now never depends on what an end has done since: attempts that continue after a
success that neither end heard of are drawn from a stream of their own, with the parameters that the link had
when they left.

A fault may lose heralds: if neither hears of it, attempts continue in their
rhythm; an end that alone does not hear has no half, and its request is the oldest again.

A change of the link's parameters (`change`) ends no request's wait and leaves the rhythm of attempts alone:
what was emitted before it comes to what had been drawn, a herald on its way included; the attempts from then
on are drawn anew. So changing to what a link is already changes nothing about its statistics.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from operator import attrgetter

from ...errors import InternalError, LinkError
from ...faults.changes import Changes
from ...heralding.attempts import MIXED, Density, HeraldedSource
from ...heralding.pair_drift import PairDrift
from ...kernel.ports import HERALD, Surroundings
from ...units import format_ns
from ...wire import MeasurePairs
from ..fault_history import FaultHistory
from ..node.memories import NodeMemory
from ..node.registry import Registry
from .heralded_pair import Attempt, HeraldedPair, HeraldFaults, Request
from .outcome_block import OutcomeBlock

_age = attrgetter("opened")


class HeraldedLink:
    """Matching on one link. `drift` is what the link's environment does to its pairs, if anything.

    `give(request, herald, refusal=None)` hands a request its result; `history` holds what faults change about
    the link.

    Draws from ("link", name), and from a stream apart for attempts that continue after a lost success.
    """

    def __init__(
        self,
        name: str,
        ends: tuple[str, str],
        source: HeraldedSource,
        multiplexing: int,
        around: Surroundings,
        registry: Registry,
        history: FaultHistory[Changes],
        give: Callable[..., None],
        memories: Mapping[str, NodeMemory],
        drift: PairDrift | None = None,
    ) -> None:
        self.name, self.ends, self.source, self.drift = name, ends, source, drift
        self.memories = memories
        self.around, self.registry, self.history, self.give = around, registry, history, give
        self.metric = f"links.{name}.pairs"
        #: Pairs heralded so far.
        self.pairs = 0
        self._multiplexing, self._clock = multiplexing, around.clock
        self.rng = around.streams.of("link", name)
        #: What the link was, and since when: as far back as light of it may be on its way.
        self._sources = [(0, source)]
        self.faults = HeraldFaults(ends, around.clock)
        self._queues: dict[str, list[Request]] = {end: [] for end in ends}
        self._first, self._second = (self._queues[end] for end in ends)
        self._attempts: dict[int, Attempt] = {}
        self._blocks: dict[int, OutcomeBlock] = {}
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
        self._queues[request.devices.name].append(request)
        if self._first and self._second:
            self.match()

    def withdraw(self, request: Request) -> None:
        """The request is no more; one matched with it goes back to its place, or hears of what has left.

        For a node that died: leaves its `half` alone, and matches no others.
        """
        if request.block is not None:
            request.block.leave(request)
            return
        attempt = request.attempt
        if attempt is not None and attempt.pair:
            self._forget(attempt)
            return
        now_ns = self._clock.now_ns
        if attempt is not None and attempt.has_left(request, now_ns):
            attempt.given_up[request] = now_ns
            request.attempt = None
            self._end_attempts(attempt, request)
            return
        if attempt is not None:
            self._stop(attempt)
        self._queues[request.devices.name].remove(request)

    def give_up(self, request: Request) -> None:
        """No operation awaits its pair any more: the request ends, with its half, and frees its slot."""
        pair = None if request.attempt is None else request.attempt.pair
        self.withdraw(request)
        if pair is not None:
            pair.give_up(request)
        request.devices.give_back(request)
        self.match()

    def cut(self) -> None:
        """Attempts end, but for those that have succeeded; none begin until all cuts are healed."""
        self._cuts += 1
        for attempt in list(self._attempts.values()):
            if not attempt.pair:
                self._stop(attempt)
        for block in list(self._blocks.values()):
            block.interrupt(unheard_too=False)

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
        for block in list(self._blocks.values()):
            block.interrupt()
        self._set_source(source, now_ns)
        for attempt in self._attempts.values():
            if attempt.emitted_before(now_ns):
                continue
            attempt.start_ns = attempt.resumes_ns(now_ns)
            attempt.source = source.at(attempt.alpha)
            self._draw(attempt)

    def _set_source(self, source: HeraldedSource, now_ns: int) -> None:
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
        if attempt.outcome.false:
            return MIXED
        aligned = attempt.made.density(attempt.bell)
        if self.drift is None:
            return aligned
        return self.drift.applied(aligned, attempt.start_ns + attempt.success.emission_ns)

    def match(self) -> None:
        """Begin attempts for the oldest requests of both ends, as many as the link carries."""
        first, second = self._first, self._second
        while first and second and not self._cuts and self._has_room():
            places = self._matching()
            if places is None:
                return
            self._start(first.pop(places[0]), second.pop(places[1]))

    def _has_room(self) -> bool:
        return len(self._attempts) + len(self._blocks) < self._multiplexing

    def _matching(self) -> tuple[int, int] | None:
        """Where the oldest requests that match stand in both queues; the first end's order counts."""
        if self._first[0].matches == self._second[0].matches:
            return 0, 0
        for place, request in enumerate(self._first):
            for other, candidate in enumerate(self._second):
                if candidate.matches == request.matches:
                    return place, other
        return None

    def waits_for(self, request: Request) -> str:
        """What an open request waits for, for people."""
        peer = self.other_end(request.devices.name)
        if request.block is not None:
            return f"outcomes of pairs with {peer}: a block is under way on {self.name}"
        if request.half:
            return f"a pair with {peer}: its herald is on the way"
        if self._cuts:
            return f"a pair with {peer}: {self.name} is cut"
        if request.attempt is not None:
            return f"a pair with {peer}: {self._while_waiting()}"
        if all(other.matches != request.matches for other in self._queues[peer]):
            purpose, alpha, _ = request.matches
            use = f" for {purpose}" if purpose else ""
            use += f" at alpha {alpha:g}" if alpha is not None else ""
            return f"a pair with {peer}{use}: {peer} has not asked for one on {self.name}"
        return f"a pair with {peer}: other requests are before it on {self.name}"

    def _while_waiting(self) -> str:
        now_ns = self._clock.now_ns
        first_ns = self.source.rhythm.first_ns(now_ns)
        if first_ns is None:
            return f"no more contacts are planned on {self.name}"
        if first_ns > now_ns + self.source.timing.attempt_ns:
            return f"{self.name} has no contact before {format_ns(first_ns)}"
        return f"attempts on {self.name} have not succeeded"

    def _start(self, first: Request, second: Request) -> None:
        self._numbered += 1
        for request in (first, second):
            log = request.devices.attempts
            if log is not None:
                log.begin(self.name, self._numbered, self._clock.now_ns, self.source.rhythm)
        if type(first.operation) is MeasurePairs:
            block = OutcomeBlock(self, self._numbered, first, second)
            self._blocks[block.number] = block
            first.block = second.block = block
            return
        attempt = Attempt(self._numbered, first, second, self.source, self._clock.now_ns)
        self._attempts[attempt.number] = attempt
        first.attempt = second.attempt = attempt
        self._draw(attempt)

    def _draw(self, attempt: Attempt) -> None:
        """When the attempts from `start_ns` on succeed, instead of what had been drawn before."""
        if attempt.entry is not None:
            attempt.entry.cancel()
            attempt.entry = None
        rng = self.rng if attempt.rng is None else attempt.rng
        attempt.success = attempt.source.draw(rng, attempt.start_ns)
        self._await(attempt)

    def _await(self, attempt: Attempt) -> None:
        """What was drawn comes: the success, or the end of all attempts without one."""
        ends_ns = attempt.source.ends_ns
        if attempt.success is not None:
            self._schedule(attempt, min(attempt.success.heralds_ns), self._succeed)
        elif ends_ns is not None:
            due_ns = max(ends_ns, self._clock.now_ns)
            self._schedule(attempt, due_ns - attempt.start_ns, self._fail)

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
        insort(self._queues[request.devices.name], request, key=_age)

    def _forget(self, attempt: Attempt) -> None:
        """The attempts are over, one way or another."""
        del self._attempts[attempt.number]
        for request in attempt.requests:
            if request.devices.attempts is not None:
                self._end_attempts(attempt, request)
            if request.attempt is attempt:
                request.attempt = None
        if attempt.entry is not None:
            attempt.entry.cancel()

    def forget_block(self, block: OutcomeBlock) -> None:
        """The block is over."""
        del self._blocks[block.number]
        for request in block.requests:
            self._end_attempts(block, request)

    def _end_attempts(self, attempt: Attempt | OutcomeBlock, request: Request) -> None:
        """This end makes no more of these attempts."""
        log = request.devices.attempts
        if log is not None:
            log.end(self.name, attempt.number, self._clock.now_ns)

    def _succeed(self, attempt: Attempt) -> None:
        """The pair exists, unless no herald gets through, and the nearer end hears of it; or both do."""
        assert attempt.success is not None
        attempt.outcome = self.faults.outcome(attempt.start_ns + attempt.success.emission_ns)
        lost_at = attempt.outcome.lost
        if len(lost_at) == len(self.ends):
            self._continue(attempt)
            return
        attempt.unheard = dict(zip(attempt.requests, attempt.success.heralds_ns, strict=True))
        self.pairs += 1
        pair = attempt.pair = HeraldedPair(self, attempt, f"{self.name}#{self.pairs}")
        if lost_at or attempt.given_up:
            self._leave_unheard(attempt, pair)
        self._hear(attempt)

    def _leave_unheard(self, attempt: Attempt, pair: HeraldedPair) -> None:
        """Ends that a fault keeps from hearing of the pair, and those that no longer want it."""
        for end, request in zip(self.ends, attempt.requests, strict=True):
            given_up, lost = request in attempt.given_up, end in attempt.outcome.lost
            if lost:
                pair.lose(request)
            elif given_up:
                pair.give_up(request)
            if lost or given_up:
                del attempt.unheard[request]
            if lost and not given_up:
                self._put_back(request)

    def _hear(self, attempt: Attempt) -> None:
        """Each end that is to hear now does. The attempts are over with the last."""
        assert attempt.pair is not None
        now_ns = self._clock.now_ns - attempt.start_ns
        for request in [each for each, due_ns in attempt.unheard.items() if due_ns <= now_ns]:
            del attempt.unheard[request]
            if request.devices.attempts is not None:
                self._end_attempts(attempt, request)
            attempt.pair.herald(request)
        if attempt.unheard:
            self._schedule(attempt, min(attempt.unheard.values()), self._hear)
        else:
            self._forget(attempt)
        if self._first and self._second:
            self.match()

    def _continue(self, attempt: Attempt) -> None:
        """Neither end hears of the success: for both it was a failure like those before.

        Light of the attempts that follow may be on its way already, so what becomes of them follows from
        when they left; those that an end has not emitted before it gave up are none.
        """
        assert attempt.success is not None
        around = self.around
        around.journal.event(self.name, "herald_lost", "", *attempt.numbers, attempt.start_ns)
        around.metrics.count(f"links.{self.name}.heralds_lost")
        rhythm = attempt.source.rhythm
        attempt.start_ns = rhythm.after(attempt.start_ns, attempt.success)
        attempt.entry = None
        if attempt.rng is None:
            attempt.rng = around.streams.apart("link", self.name, attempt.number)
        for (_, source), (until_ns, _) in pairwise(self._sources):
            emits_ns = rhythm.emits_ns(attempt.start_ns)
            if emits_ns is None or emits_ns >= until_ns:
                continue
            attempt.source = source.at(attempt.alpha)
            attempt.success = attempt.source.draw(attempt.rng, attempt.start_ns)
            if attempt.emitted_before(until_ns):
                break
            attempt.start_ns = attempt.resumes_ns(until_ns)
        else:
            attempt.source = self.source.at(attempt.alpha)
            attempt.success = attempt.source.draw(attempt.rng, attempt.start_ns)
        if not all(attempt.has_left(*each) for each in attempt.given_up.items()):
            self._stop(attempt)
            self.match()
        else:
            self._await(attempt)

    def _fail(self, attempt: Attempt) -> None:
        """No attempt will succeed, as none will begin any more: nothing is awaited."""
        self._forget(attempt)
        for request in attempt.requests:
            if request not in attempt.given_up:
                self.refuse(request)
        self.match()

    def refuse(self, request: Request) -> None:
        """The request ends without a pair: the ends of the link are not planned to see each other again."""
        node, number = request.devices.name, request.number
        del request.devices.pending[number]
        why = "no more contacts are planned between them"
        self.give(request, None, LinkError(node=node, peer=self.other_end(node), why=why))
        request.devices.give_back(request)

    def __repr__(self) -> str:
        waiting = ", ".join(f"{len(queue)} at {end}" for end, queue in self._queues.items())
        return f"<HeraldedLink {self.name}: {len(self._attempts)} running, waiting {waiting}>"
