"""How the benchmarks measure: in turns, after a warm-up, at each size that is asked for.

Owns the order of runs. Rule: everything that is compared runs in turns, round after round, after one
warm-up each that is not counted, so that whatever else the machine does is shared out evenly; what is
compared is then the ratio of medians. A peer that fails is left out and named, and the others are measured
all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from .environments import PeerFailed, Peers
from .results import Aim, Case, Point, Result, point

#: Counted runs of everything, unless `--runs` says otherwise.
RUNS = 7


@dataclass
class Plan:
    """What was asked for on the command line."""

    runs: int = RUNS
    #: Sizes above it are left out.
    largest: int | None = None
    peers: Peers = field(default_factory=Peers)

    def sizes(self, sizes: Sequence[int]) -> list[int]:
        """Those that are not too large; the smallest is always among them."""
        return [
            size
            for size in sizes
            if self.largest is None or size <= self.largest or size == min(sizes)
        ]


def interleaved(
    cases: Mapping[str, Callable[[], float]], runs: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Each case `runs` times, in turns, after a warm-up: values by case, and why a peer has none."""
    left, skipped = dict(cases), dict[str, str]()
    values: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(runs + 1):
        for name, case in list(left.items()):
            try:
                value = case()
            except PeerFailed as error:
                skipped[name] = str(error)
                del left[name], values[name]
                continue
            if number:
                values[name].append(value)
    return values, skipped


def measured(
    title: str,
    unit: str | Mapping[str, str],
    cases: Mapping[str, Callable[[], float]],
    plan: Plan,
    aims: Sequence[Aim] = (),
) -> Result:
    """Cases that do not grow; `unit` is one for all or has one for each case."""
    values, skipped = interleaved(cases, plan.runs)
    found = [Case(name, _unit(unit, name), [point(runs)]) for name, runs in values.items()]
    return Result(title, None, found, list(aims), skipped)


def grown(
    title: str,
    unit: str,
    along: tuple[str, Sequence[int]],
    cases: Mapping[str, Callable[[int], float]],
    plan: Plan,
    aims: Sequence[Aim] = (),
    only: Mapping[str, Sequence[int]] | None = None,
) -> Result:
    """Cases at each size of `along`; `only` has the sizes of a case that cannot manage all."""
    word, sizes = along
    points: dict[str, list[Point]] = {name: [] for name in cases}
    skipped: dict[str, str] = {}
    for size in plan.sizes(sizes):
        fit = {
            name: partial(case, size)
            for name, case in cases.items()
            if size in (only or {}).get(name, sizes)
        }
        values, failed = interleaved(fit, plan.runs)
        skipped |= {f"{name}, {word} {size}": why for name, why in failed.items()}
        for name, runs in values.items():
            points[name].append(point(runs, size))
    found = [Case(name, unit, each) for name, each in points.items() if each]
    return Result(title, word, found, list(aims), skipped)


def _unit(unit: str | Mapping[str, str], name: str) -> str:
    return unit if isinstance(unit, str) else unit[name]
