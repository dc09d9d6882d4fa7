"""The wall clock: real time beside virtual time, and which node the run has waited for.

Owns the stopwatch. From the moment grants go out, real time is counted for the node that reports next, so
that of several nodes that run side by side only the slowest is charged with the time beyond the others. A
worker, in which nodes run one after the other, measures them itself. The first step of an incarnation is not
counted: it imports the program. Does not own virtual time (conductor.py).

Rule: real time is reported, and in real time mode says when the next instant is entered; nothing else depends
on it, and the digest does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Worker(Protocol):
    """A node, as the stopwatch sees it: what it has been charged with so far.

    `grants`: that it has reported on; `worked_s`: real seconds; `begun`: the incarnation whose first step is
    over.
    """

    name: str
    incarnation: int
    grants: int
    worked_s: float
    begun: int


class WallClock:
    """The stopwatch of a run. `wall` gives real seconds; `speed` virtual ones for each of them."""

    def __init__(self, wall: Callable[[], float], speed: float) -> None:
        self.wall, self._speed = wall, speed
        self._measured: dict[str, float] = {}
        self._began_s: float | None = None
        #: When grants last went out, so that reports are awaited, or a report came; when the last one did.
        self.since_s = self._reported_s = 0.0

    def begin(self) -> None:
        """The first instant."""
        self._began_s = self._reported_s = self.wall()

    def measured(self, node: str, worked_s: float) -> None:
        """How long the step took that the node reports next: reports that come together do not tell."""
        self._measured[node] = worked_s

    def reported(self, node: Worker) -> None:
        """A node has reported."""
        now_s = self.wall()
        worked_s = now_s - self.since_s
        self.since_s = self._reported_s = now_s
        if self._measured:
            worked_s = self._measured.pop(node.name, worked_s)
        if node.begun == node.incarnation:
            node.worked_s += worked_s
        node.grants += 1
        node.begun = node.incarnation

    @property
    def wall_s(self) -> float:
        """Real seconds since the first instant; 0 before it."""
        return 0.0 if self._began_s is None else self.wall() - self._began_s

    @property
    def wall_ns(self) -> int:
        """The virtual time that the wall clock has come to."""
        return round(self.wall_s * self._speed * 1e9)

    @property
    def reported_s(self) -> float:
        """Real seconds from the first instant to the last report."""
        return 0.0 if self._began_s is None else self._reported_s - self._began_s

    def ahead_s(self, t_ns: int) -> float:
        """How long in real time until this instant is due; negative: it is late."""
        return t_ns / 1e9 / self._speed - self.wall_s
