"""What faults have changed about links and nodes: now, and at any time before.

Owns, for each link and each node, the changes that act at a time and whose they are. Does not own what may
change and when it begins and ends (faults), nor what it comes to (links/, pulses/, node/memories.py).

The past is kept because a pulse train is looked at block by block once it has arrived, and a stored qubit
when an operation touches it. Both ask for the changes at each interval since.

Rules. Faults come before all else of an instant, so a change holds from its instant on: what leaves at that
instant meets it. Changes of several faults are put together anew in the order in which they began, so that
after all have healed nothing is left, not even a rounding error.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from ..faults.changes import NOTHING, SOUND, Changes, NodeChanges
from ..kernel.ports import Clock


class CountsHits(Protocol):
    """A fault, which counts what has met it."""

    hits: int


class _Change(Protocol):
    def beside(self, other: Self, /) -> Self: ...


_C = TypeVar("_C", bound=_Change)


class Interval(NamedTuple, Generic[_C]):
    """The changes from `since_ns` to before `until_ns` (None: no end known), and whose they are."""

    since_ns: int
    until_ns: int | None
    changes: _C
    by: tuple[tuple[CountsHits, _C], ...]

    def count_hits(self, meets: Callable[[_C], bool], count: int = 1) -> None:
        """Add `count` photons, slots, pairs ... to the hits of each fault whose changes `meets` accepts."""
        for fault, changes in self.by:
            if meets(changes):
                fault.hits += count


class FaultHistory(Generic[_C]):
    """The changes of one link or node, over time."""

    def __init__(self, nothing: _C, clock: Clock) -> None:
        self._nothing, self._clock = nothing, clock
        self._active: dict[CountsHits, _C] = {}
        self._since: list[int] = [0]
        self._intervals: list[Interval[_C]] = [Interval(0, None, nothing, ())]
        self._actions: list[Callable[[_C], None]] = []

    def on_change(self, action: Callable[[_C], None]) -> None:
        """Call `action(changes)` at each instant at which the changes become others."""
        self._actions.append(action)

    def begin(self, fault: CountsHits, changes: _C) -> None:
        """From now on `fault` makes these changes, and no others."""
        self._active[fault] = changes
        self._update()

    def end(self, fault: CountsHits) -> None:
        """The fault changes nothing any more; harmless if it changes nothing already."""
        if self._active.pop(fault, None) is not None:
            self._update()

    @property
    def now(self) -> Interval[_C]:
        """The present interval."""
        return self._intervals[-1]

    def at(self, t_ns: int) -> Interval[_C]:
        """The interval in which `t_ns` lies."""
        if len(self._since) == 1:
            return self._intervals[0]
        return self._intervals[max(bisect_right(self._since, t_ns) - 1, 0)]

    def between(self, from_ns: int, to_ns: int) -> Iterable[Interval[_C]]:
        """The intervals that share time with the stretch from `from_ns` to before `to_ns`, in order."""
        at = max(bisect_right(self._since, from_ns) - 1, 0)
        for index in range(at, len(self._intervals)):
            interval = self._intervals[index]
            if interval.since_ns >= to_ns:
                return
            yield interval

    def _update(self) -> None:
        total, now_ns = self._nothing, self._clock.now_ns
        for changes in self._active.values():
            total = total.beside(changes)
        before = self._intervals.pop()
        if before.since_ns < now_ns:
            self._intervals.append(before._replace(until_ns=now_ns))
            self._since.append(now_ns)
        self._intervals.append(Interval(self._since[-1], None, total, tuple(self._active.items())))
        for action in self._actions:
            action(total)

    def __repr__(self) -> str:
        return f"<FaultHistory of {len(self._active)}: {self.now.changes}>"


class FaultHistories:
    """All links and nodes of a run, by name."""

    def __init__(self, links: Iterable[str], nodes: Iterable[str], clock: Clock) -> None:
        self.links = {name: FaultHistory[Changes](NOTHING, clock) for name in links}
        self.nodes = {name: FaultHistory[NodeChanges](SOUND, clock) for name in nodes}
