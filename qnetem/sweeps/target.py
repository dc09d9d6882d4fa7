"""`until="bob.qber +- 0.001"`: how many seeds a point needs for a standard error.

Owns the reading of a target and the decision. Rule: the decision is about the runs in the order of their
seeds, so it is the same in whatever order runs end, on one worker or on many.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..emulator.errors import InputError

#: Fewer runs say too little about their spread.
FEWEST = 5
#: Seeds that a point may take when none are given: 0, 1, 2, ...
MOST_SEEDS = 10_000
_FORM = re.compile(r"\s*(\S+)\s*(?:\+-|±)\s*(\S+?)\s*(%?)\s*\Z")


@dataclass(frozen=True)
class Target:
    """A quantity and the standard error of its mean over seeds; `relative`: in parts of the mean."""

    quantity: str
    error: float
    relative: bool

    def reached(self, values: Sequence[float | None]) -> int | None:
        """How many of these runs are enough, or None. A run without a value counts as a run alone."""
        count, mean, squares = 0, 0.0, 0.0
        for number, value in enumerate(values, 1):
            if value is not None:
                count += 1
                step = value - mean
                mean += step / count
                squares += step * (value - mean)
            if number < FEWEST:
                continue
            if count == 0:
                return number  # it is not measured here, however often it is tried
            if count > 1 and _error(squares, count) <= self._allowed(mean):
                return number
        return None

    def enough(self, values: Sequence[float | None]) -> int:
        """How many runs it will probably take: what to have run next. More than there are values."""
        measured = [value for value in values if value is not None]
        now = len(values)
        if len(measured) < 2:
            return max(FEWEST, now + 1)
        error, mean = standard_error(measured), sum(measured) / len(measured)
        assert error is not None
        allowed = self._allowed(mean)
        guess = now * (error / allowed) ** 2 if allowed > 0 else math.inf
        return max(FEWEST, now + 1, math.ceil(min(guess, 2 * now)))

    def _allowed(self, mean: float) -> float:
        return self.error * abs(mean) if self.relative else self.error


def read_target(text: str) -> Target:
    """`bob.qber +- 0.001` or `bob.rate +- 2 %`. Raises InputError."""
    found = _FORM.match(text)
    try:
        error = float(found[2]) if found is not None else math.nan
    except ValueError:
        error = math.nan
    if found is None or not 0 < error < math.inf:
        raise InputError(
            f"until {text!r}: expected a quantity and its standard error, such as 'bob.qber +- 0.001'"
        )
    return Target(found[1], error / 100 if found[3] else error, bool(found[3]))


def standard_error(values: Sequence[float]) -> float | None:
    """Of the mean of these values; None for fewer than two."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return _error(math.fsum((value - mean) ** 2 for value in values), len(values))


def _error(squares: float, count: int) -> float:
    return math.sqrt(squares / (count - 1) / count)
