"""How the benchmarks measure: interleaved runs, medians, and a table for each result.

Owns the order of runs and the printing. Rule: everything that is compared runs in turns, round after
round, after one warm-up each that is not counted, so that whatever else the machine does is shared out
evenly; what is compared is then the ratio of medians.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

#: Counted runs of everything, unless `--runs` says otherwise.
RUNS = 7


def interleaved(cases: Mapping[str, Callable[[], float]], runs: int) -> dict[str, list[float]]:
    """Each case `runs` times, in turns, after a warm-up; the values by case."""
    for case in cases.values():
        case()
    values: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, case in cases.items():
            values[name].append(case())
    return values


def medians(cases: Mapping[str, Callable[[], float]], runs: int) -> dict[str, float]:
    """The median of each case."""
    return {name: median(values) for name, values in interleaved(cases, runs).items()}


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}")
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip(), flush=True)


def verdict(met: bool) -> str:
    """How a value compares with its aim."""
    return "met" if met else "missed"
