"""Numbers a run collects on its way: counts, and running mean and spread of what was observed.

Owns the aggregation. A metric that was observed has count, mean, std (sample standard deviation), min,
max and last; one that was only counted has count alone. Metrics are not part of the digest.

Values may be as large as a float: sums and squares are kept in a unit in which they cannot overflow. A spread
that is larger than any float is infinite.
"""

from __future__ import annotations

import math

#: From here on squares could overflow; a shift by so many bits makes the largest float small enough.
_LARGE, _SHIFT = 2.0**500, 600


class _Series:
    """Welford's running mean and variance (Technometrics 4, 419 (1962)), in units of 2**`shift`."""

    __slots__ = ("count", "last", "low", "high", "mean", "shift", "squares")

    def __init__(self) -> None:
        self.count = self.shift = 0
        self.mean = self.squares = self.last = 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, value: float) -> None:
        self.count += 1
        if not -_LARGE < value < _LARGE and not self.shift:
            self.shift = _SHIFT
            self.mean, self.squares = (
                math.ldexp(self.mean, -_SHIFT),
                math.ldexp(self.squares, -2 * _SHIFT),
            )
        scaled = math.ldexp(value, -self.shift) if self.shift else value
        step = scaled - self.mean
        self.mean += step / self.count
        self.squares += step * (scaled - self.mean)
        self.last = value
        self.low = min(self.low, value)
        self.high = max(self.high, value)

    def summary(self) -> dict[str, float]:
        spread = math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 0.0
        return {
            "count": self.count,
            "mean": _unscaled(self.mean, self.shift),
            "std": _unscaled(spread, self.shift),
            "min": self.low,
            "max": self.high,
            "last": self.last,
        }


def _unscaled(value: float, shift: int) -> float:
    try:
        return math.ldexp(value, shift)
    except OverflowError:
        return math.copysign(math.inf, value)


class Metrics:
    """Metrics by name, e.g. `bob.qber` or `links.alice-r1.pairs`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._series: dict[str, _Series] = {}

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter."""
        self.counts[name] = self.counts.get(name, 0) + n

    def observe(self, name: str, value: float) -> None:
        """Take one more value of a quantity."""
        series = self._series.get(name)
        if series is None:
            series = self._series[name] = _Series()
        series.add(value)

    def summary(self) -> dict[str, dict[str, float]]:
        """All metrics, sorted by name."""
        entries: dict[str, dict[str, float]] = {
            name: {"count": count} for name, count in self.counts.items()
        }
        entries.update((name, series.summary()) for name, series in self._series.items())
        return dict(sorted(entries.items()))
