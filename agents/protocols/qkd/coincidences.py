"""Coincidences: which clicks of two ends belong together, by their slots or by a window on their time tags.

Owns what Alice asks Bob about his clicks, the window, and the matching. Does not own the clicks
(pulses/trains.py, heralded.py) or what is made of them (bbm92.py, e91.py).

Slots count from the arrival of slot 0 at each end, so the known difference of path lengths is out of them:
what belongs together lies around a delay of zero. A window is so many slots wide: 1 is the same slot, and of
time tags, whose slots are 1 ps, the window's picoseconds.

Rule: a click is used once. In the order of time each click takes the earliest one of the other end that is in
its window and still free, which finds as many coincidences as there can be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....emulator.errors import ProgramError
from ....emulator.units import parse_quantity
from ...pulses.trains import Clicks
from ..session import Initiator
from ..session_messages import SessionMessage
from .heralded import Measured, MeasuredPairs, bases_of
from .sifting import Bytes, Clicked, slots_and_bases

Slots = NDArray[np.int64]
Places = NDArray[np.intp]


class Detected(SessionMessage, tag="detected"):
    """Alice -> Bob: her train is over."""


@dataclass(frozen=True)
class Choice:
    """What Alice has chosen: which share of the bits is compared, and the window of a coincidence, in ps."""

    sample: float
    window_ps: float | None = None

    @classmethod
    def of(cls, sample: float, window: str | None) -> Choice:
        """From her program's options. Raises ProgramError, UnitError."""
        if not 0 <= sample <= 1:
            raise ProgramError(f"sample must be in [0, 1], not {sample}")
        return cls(sample, window_of(window))

    def coincidences(
        self, clicks: Clicks | MeasuredPairs, theirs: Slots
    ) -> tuple[int, Places, Places]:
        """(width of the window in slots, which clicks here, which there); heralded pairs need none: 0."""
        if isinstance(clicks, MeasuredPairs):
            return (0, *coincidences(clicks.slots, theirs))
        width = width_of(self.window_ps, clicks.period_ps)
        return (width, *coincidences(clicks.slots, theirs, width))


async def heard(
    clicks: Clicks | MeasuredPairs, session: Initiator, bases: int = 2
) -> tuple[Slots, Bytes]:
    """What Bob announces of his clicks or pairs, in slots as they are counted here: (slots, bases)."""
    if isinstance(clicks, MeasuredPairs):
        measured = await session.request(Detected(), Measured)
        return clicks.numbers(measured.pairs), bases_of(measured, bases)
    return slots_and_bases(await session.request(Detected(), Clicked), bases)


def window_of(window: str | None) -> float | None:
    """A program's option, such as "2 ns", in ps. Raises UnitError, ProgramError."""
    if window is None:
        return None
    window_ps = parse_quantity(window, "short time")
    if window_ps <= 0:
        raise ProgramError(f"window: expected a time above 0, such as '2 ns', found {window!r}")
    return window_ps


def width_of(window_ps: float | None, period_ps: int) -> int:
    """How many slots a window is wide. Raises ProgramError where there must be one."""
    if window_ps is not None:
        return max(1, round(window_ps / period_ps))
    if period_ps == 1:
        raise ProgramError(
            "clicks in slots of 1 ps are time tags, of which no two are alike: expected a `window` for "
            "coincidences, such as '2 ns'"
        )
    return 1


def coincidences(ours: Slots, theirs: Slots, width: int = 1) -> tuple[Places, Places]:
    """Which clicks of each end have one at the other in a window of `width` slots; in the order of `theirs`.

    `ours` ascends. Their slot less ours is from -(width // 2) on, `width` different values.
    """
    order = np.argsort(theirs, kind="stable")
    ascending = theirs[order]
    low = ours - width // 2
    first = np.searchsorted(ascending, low)
    end = np.searchsorted(ascending, low + width)
    candidates = np.flatnonzero(end > first)
    first, end = first[candidates], end[candidates]
    taken = _taken(first, end)
    found = taken >= 0
    mine, its = candidates[found], order[taken[found]]
    by_theirs = np.argsort(its, kind="stable")
    return mine[by_theirs], its[by_theirs]


def _taken(first: Places, end: Places) -> Places:
    """Which place each candidate takes of those from `first` to before `end`; -1: all are taken.

    Only candidates that share a place with a neighbour need a walk.
    """
    taken = first.copy()
    shared = np.zeros(len(first), dtype=bool)
    shared[1:] = first[1:] < end[:-1]
    free = before = -1
    for index in np.flatnonzero(shared).tolist():
        if index != before + 1:  # the candidate before shares nothing with those before it
            free = int(first[index - 1]) + 1
        before = index
        place = max(free, int(first[index]))
        taken[index] = place if place < end[index] else -1
        free = place + 1 if place < end[index] else free
    return taken
