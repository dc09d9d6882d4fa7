"""What faults have changed about links and nodes: now, and at any time before.

Owns, for each link and each node, the changes that act at a time and whose they are. Does not own what may
change (link_changes.py, node_changes.py), what it comes to (heralding.py, trains.py, sessions.py, the
memories' decay), nor when it begins and ends (faults/).

Why the past is kept: a pulse train is looked at block by block once it has arrived, and a stored qubit when
somebody touches it. Both ask what was so at each moment since.

Rules. Faults come before all else of an instant, so a change holds from its instant on: what leaves at that
instant meets it. Changes of several faults are put together anew in the order in which they began, so that
after all have healed nothing is left, not even a rounding error.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from ...kernel.ports import Clock
from ..node.node_changes import SOUND, NodeChanges
from .link_changes import NOTHING, Changes
from .links import FibreChannel

#: Ways of a link under different changes that are kept at hand: clouds come and go.
_KEPT_WAYS = 16


class Disturber(Protocol):
    """A fault, as it is told that it has struck."""

    hits: int


class _Change(Protocol):
    def beside(self, other: Self, /) -> Self: ...


_C = TypeVar("_C", bound=_Change)


class Interval(NamedTuple, Generic[_C]):
    """What is so from `since_ns` until before `until_ns` (None: no end known), and who did it."""

    since_ns: int
    until_ns: int | None
    changes: _C
    by: tuple[tuple[Disturber, _C], ...]

    def strike(self, meets: Callable[[_C], bool], count: int = 1) -> None:
        """So many photons, slots, pairs ... have met those changes that `meets` says they meet."""
        for fault, changes in self.by:
            if meets(changes):
                fault.hits += count


class FaultHistory(Generic[_C]):
    """The changes of one link or node. `heed(action)`: call `action(changes)` at each from now on."""

    def __init__(self, nothing: _C, clock: Clock) -> None:
        self._nothing, self._clock = nothing, clock
        self._active: dict[Disturber, _C] = {}
        self._since: list[int] = [0]
        self._moments: list[Interval[_C]] = [Interval(0, None, nothing, ())]
        self._heeding: list[Callable[[_C], None]] = []

    def on_change(self, action: Callable[[_C], None]) -> None:
        """Have `action` called with the changes at each instant at which they become others."""
        self._heeding.append(action)

    def begin(self, fault: Disturber, changes: _C) -> None:
        """From now on `fault` does this; what it did before is over."""
        self._active[fault] = changes
        self._become()

    def end(self, fault: Disturber) -> None:
        """It does nothing any more; harmless if it does nothing already."""
        if self._active.pop(fault, None) is not None:
            self._become()

    @property
    def now(self) -> Interval[_C]:
        """What is so now."""
        return self._moments[-1]

    def at(self, t_ns: int) -> Interval[_C]:
        """What was so at `t_ns`."""
        return self._moments[max(bisect_right(self._since, t_ns) - 1, 0)]

    def between(self, from_ns: int, to_ns: int) -> Iterable[Interval[_C]]:
        """The moments that share time with the stretch from `from_ns` to before `to_ns`, in order."""
        at = max(bisect_right(self._since, from_ns) - 1, 0)
        for index in range(at, len(self._moments)):
            moment = self._moments[index]
            if moment.since_ns >= to_ns:
                return
            yield moment

    def _become(self) -> None:
        total, now_ns = self._nothing, self._clock.now_ns
        for changes in self._active.values():
            total = total.beside(changes)
        before = self._moments.pop()
        if before.since_ns < now_ns:
            self._moments.append(before._replace(until_ns=now_ns))
            self._since.append(now_ns)
        self._moments.append(Interval(self._since[-1], None, total, tuple(self._active.items())))
        for action in self._heeding:
            action(total)

    def __repr__(self) -> str:
        return f"<Disturbed by {len(self._active)}: {self.now.changes}>"


class FaultHistories:
    """All links and nodes of a run, by name."""

    def __init__(self, links: Iterable[str], nodes: Iterable[str], clock: Clock) -> None:
        self.links = {name: FaultHistory[Changes](NOTHING, clock) for name in links}
        self.nodes = {name: FaultHistory[NodeChanges](SOUND, clock) for name in nodes}


class FaultedFibre:
    """How light crosses a link, whatever faults do to it."""

    def __init__(self, way: FibreChannel, disturbed: FaultHistory[Changes]) -> None:
        self.way, self._disturbed = way, disturbed
        self._changed = lru_cache(_KEPT_WAYS)(way.changed)

    def at(self, t_ns: int) -> tuple[FibreChannel, Interval[Changes]]:
        """For light that leaves at `t_ns`: its way, and the moment in which that is so."""
        moment = self._disturbed.at(t_ns)
        if not moment.by:
            return self.way, moment
        changes = moment.changes
        return self._changed(changes.loss_db, changes.misalignment_rad), moment

    def __repr__(self) -> str:
        return f"<LightWay {self.way}, {self._disturbed}>"
