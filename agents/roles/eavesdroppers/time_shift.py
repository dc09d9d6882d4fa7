"""Time shift: move pulses to where one of the receiver's detectors sees better, and know which one clicks.

Qi, Fung, Lo, Ma, QIC 7, 73 (2007).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Overhearing
from .discussion import Announced


class TimeShift(Overhearing):
    """Moves each pulse between `first` and `second` in its slot, early or late at random, and no more.

    At a receiver whose detectors have a `mismatch` r it guesses the bit of a click by where it had moved the
    pulse, and is right with probability 1/(1 + r). No bit is wrong for it; (1 + r)/2 of the clicks are left.
    It runs until it is stopped: make it a service. Records `shifted` (slots of a train), and `guessed` as
    `Overhearing` does.
    """

    async def run(self, first: str, second: str) -> None:
        self._late: dict[str, NDArray[np.uint8]] = {}
        await self.both_ways(first, second, self._take, self._learn)

    async def _take(self, source: str, to: str) -> None:
        while True:
            late = await self.shift(source, to)
            self._late[source] = late
            self.record("shifted", len(late))

    async def _learn(self, announced: Announced) -> None:
        if announced.sender in self._late:
            late = self._late[announced.sender]  # late light makes detectors of bit 1 click
            self.record_guesses(announced, np.arange(len(late), dtype=np.int64), late)
