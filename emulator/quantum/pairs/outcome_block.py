"""A block of outcomes: pairs of one link that both ends measure as they are heralded, in one operation each.

Owns when the pairs of a block come, their outcomes, and what ends a block early. Does not own requests and
their match (heralded_link.py), nor the arithmetic of outcomes (states/pair_outcomes.py).

Theory of operation. Two requests for outcomes are matched as requests for pairs are; both ends' axes are
known then. One draw of the link tells when all pairs of the block succeed: each begins when both ends have
heard of the one before. A pair's halves decay from their emissions to the ends of their measurements, which
begin at their heralds. The block ends at its count, or after the time that was asked for, and both ends have
their results then.

Rules: equal in distribution to pairs that are awaited and measured one by one with free slots for the next
ones, not in the numbers drawn. What changes the link (a cut, other parameters, an end that leaves) ends the
block: pairs whose light had left by then come to what they would, others do not come. A lost herald leaves
that end without a row. The outcomes of each end are drawn from its own numbers, two for each pair; the first
end's do not depend on the other's axes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...heralding.attempts import MIXED
from ...kernel.ports import HERALD
from ...states.pair_outcomes import Table, drawn, mapped, table_of
from ...wire import MeasuredPairs, MeasurePairs
from ...wire.bit_planes import packed, planes_for, read_only, unpacked
from .heralded_pair import Request

if TYPE_CHECKING:
    from ...kernel.ports import Entry
    from .heralded_link import HeraldedLink

#: What a reset leaves of any qubit: |0>.
_RESET = read_only(np.array([[1.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1.0, 0, 0, 0]]))


class OutcomeBlock:
    """Of two matched requests, in the order of the link's ends."""

    __slots__ = (
        "_entry",
        "_gone",
        "_link",
        "_source",
        "_successes",
        "number",
        "requests",
    )

    def __init__(self, link: HeraldedLink, number: int, first: Request, second: Request) -> None:
        self._link, self.number, self.requests = link, number, (first, second)
        self._source = link.source.at(first.matches[1])
        self._gone: set[Request] = set()
        self._entry: Entry | None = None
        asked = [_asked(request) for request in self.requests]
        count, longest_ns = min(a.count for a in asked), min(a.longest_ns for a in asked)
        now_ns = link.around.clock.now_ns
        u = link.rng.random(count)
        self._successes = self._source.successes(u, now_ns, longest_ns)
        complete = self._count == count
        first_ns = self._source.rhythm.first_ns(now_ns)
        end_ns = now_ns if first_ns is None else first_ns + longest_ns + self._measuring_ns()
        self._end_at(self._last_ns() if complete else end_ns)

    @property
    def _count(self) -> int:
        return len(self._successes.begins_ns)

    # --- its end ---

    def interrupt(self, *, unheard_too: bool = True) -> None:
        """What has not left by now does not come; `unheard_too` False: nor what neither end has heard of."""
        now_ns, timing = self._link.around.clock.now_ns, self._source.timing
        times_ns = self._successes.emissions_ns if unheard_too else self._successes.heralds_ns
        self._successes = self._successes.those(times_ns.min(axis=0) < now_ns)
        # No end learns of the other's act before light does.
        self._end_at(max(now_ns + max(timing.heralds_ns), self._last_ns()))

    def leave(self, request: Request) -> None:
        """This end awaits it no more."""
        request.block = None
        self._gone.add(request)
        if len(self._gone) < len(self.requests):
            self.interrupt()
            return
        if self._entry is not None:
            self._entry.cancel()
        self._link.forget_block(self)

    def _last_ns(self) -> int:
        """When the last measurement ends."""
        if not self._count:
            return 0
        return int(self._successes.heralds_ns[:, -1].max()) + self._measuring_ns()

    def _measuring_ns(self) -> int:
        return max(request.devices.measure_ns for request in self.requests)

    def _end_at(self, end_ns: int) -> None:
        if self._entry is not None:
            self._entry.cancel()
        clock = self._link.around.clock
        order = (self._link.name, HERALD, self.number)
        self._entry = clock.at(max(end_ns, clock.now_ns), order, partial(self._finish))

    def _finish(self) -> None:
        link, around, count = self._link, self._link.around, self._count
        if not count and self._source.rhythm.first_ns(around.clock.now_ns) is None:
            self._refuse()
            return
        heard, tables = self._heralds()
        bits = self._outcomes(tables) if count else [np.zeros(0, dtype=np.uint8)] * 2
        first_pair, link.pairs = link.pairs + 1, link.pairs + count
        around.metrics.count(link.metric, count)
        numbers = [request.number for request in self.requests]
        around.journal.event(link.name, "outcomes", first_pair, count, *numbers)
        goodness = self._goodness()
        link.forget_block(self)
        for side, request in enumerate(self.requests):
            if request in self._gone:
                continue
            missed = np.flatnonzero(~heard[side]).astype("<u4")
            found = MeasuredPairs(count, missed.tobytes(), packed(bits[side]), goodness)
            request.block = None
            del request.devices.pending[request.number]
            link.give(request, found)
            request.devices.give_back(request)
        link.match()

    def _refuse(self) -> None:
        """No pair will come any more."""
        self._link.forget_block(self)
        for request in self.requests:
            request.block = None
            if request not in self._gone:
                self._link.refuse(request)
        self._link.match()

    # --- what its pairs are ---

    def _goodness(self) -> float:
        """The fidelity at emission, on average over pairs that are not alike."""
        pairs = self._successes.pairs or (self._source,)
        return sum(pair.fidelity for pair in pairs) / len(pairs)

    def _heralds(self) -> tuple[list[NDArray[np.bool_]], Table]:
        """Which pairs each end hears of, and their tables at emission: one for all, or one each."""
        link, count = self._link, self._count
        heard = [np.ones(count, dtype=np.bool_) for _ in link.ends]
        emitted_ns = self._successes.emissions_ns.min(axis=0).tolist()
        for at_ns in {emitted_ns[0], emitted_ns[-1]} if count else ():
            link.history.at(at_ns).count_hits(lambda _: True)
        densities = [pair.density() for pair in self._successes.pairs if count]
        drift = link.drift
        if drift is not None and count:
            densities = [drift.applied(densities[0], at_ns) for at_ns in emitted_ns]
        tables = np.array([table_of(density) for density in densities]).reshape(-1, 4, 4)
        if not link.faults.are_watching:
            return heard, tables
        tables = np.array(np.broadcast_to(tables, (count, 4, 4)))
        for row, at_ns in enumerate(emitted_ns):
            outcome = link.faults.outcome(at_ns)
            for end in outcome.lost:
                heard[link.ends.index(end)][row] = False
            if outcome.false:
                tables[row] = table_of(MIXED)
        return heard, tables

    def _outcomes(self, tables: Table) -> list[NDArray[np.uint8]]:
        """The outcomes of both ends, readout errors included."""
        count = self._count
        kept = [self._kept(side, request) for side, request in enumerate(self.requests)]
        tables = mapped(tables, *kept)
        axes, numbers = [], []
        for request in self.requests:
            asked = _asked(request)
            along = np.array(asked.axes)
            rows = unpacked(asked.bases, asked.count, planes_for(len(along)))[:count]
            axes.append(along[rows])
            numbers.append(self._rng(request).random((2, count)))
        bits = drawn(tables, axes[0], axes[1], numbers[0][0], numbers[1][0])
        return [
            each ^ (flips[1] < request.devices.flip)
            for each, flips, request in zip(bits, numbers, self.requests, strict=True)
        ]

    def _rng(self, request: Request) -> np.random.Generator:
        return (
            self._link.rng if request in self._gone else request.devices.rng_of(request.operation)
        )

    def _kept(self, side: int, request: Request) -> Any:
        """What an end's memory does to its halves until they are measured: one map, or one each."""
        devices = request.devices
        emitted_ns = self._successes.emissions_ns[side]
        measured_ns = self._successes.heralds_ns[side] + devices.measure_ns
        memory, reset_ns = self._link.memories[devices.name], devices.memory_reset_ns
        is_reset = (emitted_ns < reset_ns) & (reset_ns <= measured_ns)
        alike = len(self._successes.pairs) == 1
        if alike and not is_reset.any() and memory.is_steady:
            return memory.between(int(emitted_ns[0]), int(measured_ns[0]))
        maps = np.broadcast_to(np.eye(4), (len(emitted_ns), 4, 4)).copy()
        for row, (from_ns, to_ns) in enumerate(zip(emitted_ns, measured_ns, strict=True)):
            since_ns = reset_ns if is_reset[row] else int(from_ns)
            found = memory.between(since_ns, int(to_ns))
            maps[row] = np.eye(4) if found is None else found
            if is_reset[row]:
                maps[row] = maps[row] @ _RESET
        return maps


def _asked(request: Request) -> MeasurePairs:
    operation = request.operation
    assert isinstance(operation, MeasurePairs)
    return operation
