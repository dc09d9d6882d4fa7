"""What faults do to heralds: which are lost on the way, and which come without a pair.

Owns, for one link, the faults that look at each success, and what they say of it together. Does not own
their chances (faults/), what it means for requests (requests.py) or for the pair (halves.py).

Rules. A fault looks at what was emitted while it lasts, once, when the first end would hear of it: what was
on its way before it began keeps its fate, and so does what is on its way when it heals. Faults are asked in
the order in which they began, each about every such success, whatever the others say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...kernel.ports import Clock


@dataclass(frozen=True, slots=True)
class HeraldOutcome:
    """What becomes of a success: the ends that never hear of it, and whether there is no pair at all."""

    lost: tuple[str, ...] = ()
    false: bool = False


HEARD = HeraldOutcome()


class HeraldFault(Protocol):
    """A fault that looks at successes."""

    def on_success(self, ends: tuple[str, str]) -> HeraldOutcome:
        """What becomes of this one; `ends` are the link's."""


class _Watch:
    """A fault, from when until when (None: it still lasts)."""

    __slots__ = ("fault", "from_ns", "until_ns")

    def __init__(self, fault: HeraldFault, from_ns: int) -> None:
        self.fault, self.from_ns = fault, from_ns
        self.until_ns: int | None = None


class HeraldFaults:
    """The faults that look at one link's successes."""

    def __init__(self, ends: tuple[str, str], clock: Clock) -> None:
        self._ends, self._clock = ends, clock
        self._watches: list[_Watch] = []

    def begin(self, fault: HeraldFault) -> None:
        """`fault` looks at what is emitted from now on."""
        self._watches.append(_Watch(fault, self._clock.now_ns))

    def end(self, fault: HeraldFault) -> None:
        """It looks at nothing any more that is emitted from now on."""
        for watch in self._watches:
            if watch.fault is fault and watch.until_ns is None:
                watch.until_ns = self._clock.now_ns

    def fate(self, emitted_ns: int) -> HeraldOutcome:
        """What becomes of a success whose light left at `emitted_ns`; the link asks in the order of these."""
        watches = self._watches
        if not watches:
            return HEARD
        # One link's heralds take the same time each: what is asked about ascends.
        self._watches = [w for w in watches if w.until_ns is None or w.until_ns > emitted_ns]
        fates = [w.fault.on_success(self._ends) for w in self._watches if w.from_ns <= emitted_ns]
        lost = dict.fromkeys(end for fate in fates for end in fate.lost)
        return HeraldOutcome(tuple(lost), any(fate.false for fate in fates))
