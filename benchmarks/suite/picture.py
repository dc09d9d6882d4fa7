"""How what was measured grows: a log-log picture for each result that grows, side by side (extra `plot`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from qnetem.emulator.errors import InputError
from qnetem.plots.figure import COLOURS, picture

from .results import Case, Report, size_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "osD^vP*Xh"
_COLUMNS, _WIDTH, _HEIGHT = 2, 5.4, 3.8


class Panel(NamedTuple):
    """One of the pictures: cases of one unit along what grows."""

    title: str
    along: str
    unit: str
    cases: list[Case]


def panels(report: Report) -> list[Panel]:
    """What can be drawn of a report: results of one unit with two sizes or more."""
    found = []
    for benchmark in report.benchmarks.values():
        for result in benchmark.results:
            grown = [case for case in result.cases if len(case.points) > 1]
            if result.along and grown and len({case.unit for case in result.cases}) == 1:
                found.append(Panel(result.title, result.along, grown[0].unit, grown))
    return found


def needed() -> None:
    """Raises InputError unless matplotlib is there."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("a picture needs matplotlib: pip install 'qnetem[plot]'")


def draw(path: Path, found: Iterable[Panel]) -> None:
    """Write the picture; bars reach from the least to the most. Raises InputError if nothing grows."""
    each = list(found)
    if not each:
        raise InputError(f"{path}: nothing that was measured grows, so there is nothing to draw")
    columns = min(_COLUMNS, len(each))
    rows = -(-len(each) // columns)
    with picture(path, (_WIDTH * columns, _HEIGHT * rows)) as figure:
        for number, panel in enumerate(each, 1):
            _fill(figure.add_subplot(rows, columns, number), panel)


def _fill(axes: Axes, panel: Panel) -> None:
    for number, case in enumerate(panel.cases):
        points = case.points
        axes.errorbar(
            [point.size or 0 for point in points],
            [point.median for point in points],
            yerr=[
                [point.median - point.least for point in points],
                [point.most - point.median for point in points],
            ],
            fmt=f"-{_MARKERS[number % len(_MARKERS)]}",
            color=COLOURS[number % len(COLOURS)],
            markersize=4,
            linewidth=1.0,
            elinewidth=0.8,
            capsize=2,
            label=case.name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    sizes = sorted({point.size or 0 for case in panel.cases for point in case.points})
    axes.set_xticks(sizes, [size_text(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(panel.along)
    axes.set_ylabel(panel.unit)
    axes.set_title(panel.title, fontsize=10)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.legend(fontsize=7)
