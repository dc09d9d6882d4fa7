"""Which runs are wanted next, and which of those that have ended are in the table.

Owns the runs of each point and their number, and how many go to a worker at a time. Does not run anything.

Rule: which runs a table has is a function of the runs alone, not of the order in which they end. A run that
was made ahead and turned out not to be needed is left out.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from .axes import Point
from .records import RunRecord
from .subject import Subject
from .target import Target
from .worker import Task

#: Real seconds of work in one request to a worker.
_CHUNK_S = 0.5


class PointRuns:
    """One point: its runs by the number of their seed. `wanted`: so many are to be run."""

    def __init__(self, point: Point, seeds: Sequence[int], target: Target | None) -> None:
        self.point, self._seeds, self._target = point, seeds, target
        self.records: dict[int, RunRecord] = {}
        self.sent = 0
        self.wanted = len(seeds) if target is None else 0
        self.used: int | None = None if target else len(seeds)
        self._values: list[float | None] = []
        self._look()

    @property
    def left(self) -> int:
        """Runs that are wanted and have not been sent."""
        return max(self.wanted - self.sent, 0)

    def task(self, number: int) -> Task:
        """The run with that seed."""
        return Task(dict(self.point), self._seeds[number])

    def add(self, number: int, record: RunRecord) -> None:
        """A run has ended."""
        self.records[number] = record
        self._look()

    @property
    def reached(self) -> bool:
        """Whether the standard error is as small as it was to be."""
        if self._target is None:
            return True
        return self.used is not None and self._target.reached(self._values) is not None

    def rows(self) -> list[tuple[Task, RunRecord]]:
        """The runs in the table, as far as they have ended, by the number of their seed."""
        last = len(self._seeds) if self.used is None else self.used
        return [(self.task(at), self.records[at]) for at in sorted(self.records) if at < last]

    def _look(self) -> None:
        """Decide by the runs without a gap before them whether more are wanted."""
        if self._target is None or self.used is not None:
            return
        values = self._values
        while len(values) in self.records:
            values.append(self.records[len(values)].number(self._target.quantity))
        self.used = self._target.reached(values)
        if self.used is None and len(values) == len(self._seeds):
            self.used = len(values)
        if self.used is not None:
            self.wanted = self.used
        elif len(values) >= self.wanted:
            self.wanted = min(self._target.enough(values), len(self._seeds))


class Schedule:
    """All points of a sweep. `known`: runs by their keys that need not be made again."""

    def __init__(
        self,
        subject: Subject,
        points: Sequence[Point],
        target: Target | None,
        known: Mapping[str, RunRecord],
    ) -> None:
        self.points = [PointRuns(point, subject.seeds, target) for point in points]
        self._subject, self._known = subject, known
        self._open = deque(self.points)
        #: Runs that are wanted and not under way.
        self.left = sum(each.left for each in self.points)
        #: Real seconds of a run, as the last ones took; 0 before the first.
        self.mean_s = 0.0
        #: Runs that were found, made, failed and are under way.
        self.found = self.made = self.failed = self.under_way = 0

    def chunk(self, workers: int) -> list[tuple[PointRuns, int]]:
        """The next runs for one worker; none if there is nothing to do now."""
        size = 1 if not self.mean_s else max(1, int(_CHUNK_S / self.mean_s))
        size = min(size, max(1, math.ceil(self.left / (2 * workers))))
        found = list(itertools.islice(self._next(), size))
        self.under_way += len(found)
        return found

    def ended(self, runs: Sequence[tuple[PointRuns, int]], records: Sequence[RunRecord]) -> None:
        """These have ended."""
        for (point, number), record in zip(runs, records, strict=True):
            self.made += 1
            self.under_way -= 1
            self.failed += record.exit_code != 0
            weight = 1.0 if self.made == 1 else 0.1
            self.mean_s += weight * (max(record.wall_s, 1e-4) - self.mean_s)
            self._add(point, number, record)

    def _next(self) -> Iterator[tuple[PointRuns, int]]:
        """What is to be run, point by point; what is known is taken instead."""
        while self._open:
            point = self._open[0]
            if not point.left:
                self._open.popleft()
                continue
            number = point.sent
            point.sent += 1
            self.left -= 1
            record = self._known.get(self._subject.key(point.task(number)))
            if record is None:
                yield point, number
            else:
                self.found += 1
                self.failed += record.exit_code != 0
                self._add(point, number, record)

    def _add(self, point: PointRuns, number: int, record: RunRecord) -> None:
        before = point.left
        point.add(number, record)
        self.left += point.left - before
        if point.left and not before:
            self._open.append(point)
