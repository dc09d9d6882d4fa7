"""Clouds over a station as they come and go in virtual time.

Owns sample paths of the cover. Does not own what else dims light (optics/free_space.py) nor the fault
`clouds`, which befalls a link and not a station.

Theory of operation. Cloudy and clear stretches follow each other, each exponentially distributed: a Markov
process of two states, stationary from the start. A stretch is drawn when time first comes to it, in order, so
that the path depends on the generator alone and not on what was asked before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..errors import InputError

_LAST_NS = 2**63 - 1


class Cover:
    """Cloudy for the share `cover` of the time, for `passage_ns` on average at a stretch.

    Light loses `loss_db` while it is.
    """

    def __init__(
        self, rng: np.random.Generator, cover: float, passage_ns: int, loss_db: float
    ) -> None:
        if not 0 <= cover <= 1:
            raise InputError(f"a cover of {cover}, expected 0 to 1")
        if passage_ns < 1 or loss_db < 0:
            raise InputError("expected a passage above 0 and a loss of 0 dB or more")
        self._rng, self._cover, self.loss_db = rng, cover, loss_db
        self._passage_ns = passage_ns
        self._first = bool(rng.random() < cover)
        #: When each stretch begins; they alternate.
        self._begins = [0]
        if cover in (0.0, 1.0):
            self._begins.append(_LAST_NS)

    def at(self, t_ns: int) -> tuple[float, int]:
        """The loss at a moment in dB, and until when it stays."""
        while self._begins[-1] <= t_ns:
            self._begins.append(min(_LAST_NS, self._begins[-1] + self._lasts_ns()))
        index = bisect_right(self._begins, t_ns) - 1
        return (self.loss_db if self._cloudy(index) else 0.0), self._begins[index + 1]

    def _cloudy(self, index: int) -> bool:
        return self._first == (index % 2 == 0)

    def _lasts_ns(self) -> int:
        mean_ns = float(self._passage_ns)
        if not self._cloudy(len(self._begins) - 1):
            mean_ns *= (1 - self._cover) / self._cover
        return max(1, round(min(float(self._rng.exponential(mean_ns)), 2.0**62)))


class Record:
    """A loss that was measured: (time in ns, loss in dB) from there on, until the next one."""

    def __init__(self, rows: Sequence[tuple[int, float]]) -> None:
        if not rows or rows[0][0] != 0:
            raise InputError("a record of weather begins at 0 s")
        if any(later[0] <= row[0] for row, later in pairwise(rows)):
            raise InputError("the times of a record of weather do not rise")
        self._times = [t_ns for t_ns, _ in rows]
        self._losses = [loss_db for _, loss_db in rows]

    def at(self, t_ns: int) -> tuple[float, int]:
        """As `Cover.at`; the last row stays."""
        index = bisect_right(self._times, t_ns) - 1
        last = index + 1 == len(self._times)
        return self._losses[index], _LAST_NS if last else self._times[index + 1]
