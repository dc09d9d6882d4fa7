"""What was measured, as data: it is printed, written as JSON, drawn and shown in docs from here.

Owns the shape of the JSON file (`Report` is its root) and the tables that people read. A result compares
cases; where it grows with something, each case has a point for each size. Rule: a table holds nothing that
is not in the data, so that a page can be written from the file alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """The counted runs of a case at one size; `size` is None where nothing grows."""

    size: int | None
    median: float
    least: float
    most: float
    runs: int


class Case(msgspec.Struct, frozen=True):
    """One of the things that are compared."""

    name: str
    unit: str
    points: list[Point]

    def at(self, size: int | None) -> Point | None:
        """The point of a size, if it was measured."""
        return next((point for point in self.points if point.size == size), None)


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio of two cases, or one case where `beside` is None, and what it is to be (if anything)."""

    case: str
    beside: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    #: Where the bound holds; everywhere if empty.
    sizes: list[int] = []
    #: The largest median of all sizes by the least one, instead of a value at each size.
    across: bool = False

    def bound(self) -> str:
        """As the tables have it."""
        if self.at_least is not None:
            return f">= {figure(self.at_least)}"
        return "" if self.at_most is None else f"<= {figure(self.at_most)}"

    def verdict(self, value: float, size: int | None) -> str:
        """Whether a value meets the bound; nothing where there is none."""
        if not self.bound() or (self.sizes and size not in self.sizes):
            return ""
        low = self.at_least is None or value >= self.at_least
        return "met" if low and (self.at_most is None or value <= self.at_most) else "missed"


class Result(msgspec.Struct, frozen=True):
    """One comparison. `along` names what grows; `skipped` has cases without a value, and why."""

    title: str
    along: str | None
    cases: list[Case]
    aims: list[Aim] = []
    skipped: dict[str, str] = {}

    def sizes(self) -> list[int | None]:
        """All sizes that were measured, in order."""
        found = {point.size for case in self.cases for point in case.points}
        return sorted(found, key=lambda size: size or 0)


class Benchmark(msgspec.Struct, frozen=True):
    """What one benchmark came to, and the load average of a minute when it began and ended."""

    results: list[Result]
    load: tuple[float, float]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was measured."""

    cpu: str
    cores: int
    system: str
    scheduling: str
    python: str
    #: Of qnetem, of what it stands on, and of the broker.
    versions: dict[str, str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the suite: the root of the JSON file."""

    machine: Machine
    runs: int
    #: The peers that were used, by version; those that were not, and why.
    peers: dict[str, str]
    skipped: dict[str, str]
    benchmarks: dict[str, Benchmark]

    def write(self, path: Path) -> None:
        """As JSON, indented."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def read(path: Path) -> Report:
    """A report as it was written. Raises ValueError that names the file for anything else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from error


def point(values: Sequence[float], size: int | None = None) -> Point:
    """The middle of some runs, the least and the most, to six digits."""
    middle, least, most = (
        float(f"{value:.6g}") for value in (median(values), min(values), max(values))
    )
    return Point(size=size, median=middle, least=least, most=most, runs=len(values))


class Table(NamedTuple):
    """Text for people: the first column to the left, the others to the right."""

    title: str
    head: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        """In columns."""
        lines = [self.head, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        shown = [self.title]
        for line in lines:
            cells = [line[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            shown.append("  " + "  ".join(cells).rstrip())
        return "\n".join(shown) + "\n"

    def markdown(self) -> str:
        """As a page has it."""
        rule = ["---", *["---:"] * (len(self.head) - 1)]
        lines = ["| " + " | ".join(line) + " |" for line in (self.head, rule, *self.rows)]
        return f"{self.title}:\n\n" + "\n".join(lines) + "\n"


def tables(result: Result) -> list[Table]:
    """The values, and behind them the ratios and aims if there are any."""
    found = [_values(result)]
    rows = [row for aim in result.aims if (row := _aim_row(result, aim))]
    if rows:
        head = ["ratio" if any(aim.beside for aim in result.aims) else "", "aim"]
        sizes = _heads(result) if result.along else ["measured"]
        found.append(Table(f"{result.title}: aims", [*head, *sizes], rows))
    return found


def figure(value: float) -> str:
    """A number as tables show it: whole from 100 on, in millions from 10^7 on."""
    if abs(value) >= 1e7:
        return f"{value / 1e6:,.0f} M" if abs(value) >= 1e9 else f"{value / 1e6:,.1f} M"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _values(result: Result) -> Table:
    units = {case.unit for case in result.cases}
    title = f"{result.title}, {units.pop()}" if len(units) == 1 else result.title
    names = [
        f"{case.name}, {case.unit}" if units and case.unit else case.name for case in result.cases
    ]
    if result.along is None:
        rows = [
            [name, *_single(point)]
            for name, case in zip(names, result.cases, strict=True)
            for point in case.points
        ]
        return Table(title, ["what", "median", "least", "most"], rows)
    rows = [
        [name, *(_spread(case.at(size)) for size in result.sizes())]
        for name, case in zip(names, result.cases, strict=True)
    ]
    return Table(title, [result.along, *_heads(result)], rows)


def _heads(result: Result) -> list[str]:
    return [size_text(size) for size in result.sizes()]


def size_text(size: int | None) -> str:
    """A size as tables and pictures show it: powers of ten from 10^6 on."""
    power = len(str(size)) - 1
    return f"10^{power}" if power > 5 and size == 10**power else f"{size or 0:,}"


def _single(point: Point) -> list[str]:
    return [figure(value) for value in (point.median, point.least, point.most)]


def _spread(point: Point | None) -> str:
    if point is None:
        return "-"
    middle, least, most = _single(point)
    return middle if point.runs == 1 else f"{middle} ({least} to {most})"


def _aim_row(result: Result, aim: Aim) -> list[str] | None:
    """None if one of the two cases has not been measured."""
    by_name = {case.name: case for case in result.cases}
    if aim.case not in by_name or (aim.beside is not None and aim.beside not in by_name):
        return None
    if aim.across:
        return _across_row(by_name[aim.case], aim, len(result.sizes()))
    cells = []
    for size in result.sizes():
        value = _ratio(by_name[aim.case].at(size), aim, by_name, size)
        shown = "-" if value is None else f"{figure(value)} {aim.verdict(value, size)}".rstrip()
        cells.append(shown)
    name = aim.case if aim.beside is None else f"{aim.case} / {aim.beside}"
    return [name, aim.bound(), *cells]


def _across_row(case: Case, aim: Aim, columns: int) -> list[str]:
    """Its value stands under the largest size."""
    middles = [point.median for point in case.points]
    value = max(middles) / min(middles)
    last = f"{figure(value)} {aim.verdict(value, None)}".rstrip()
    return [f"{case.name}, most / least of all", aim.bound(), *[""] * (columns - 1), last]


def _ratio(
    point: Point | None, aim: Aim, by_name: dict[str, Case], size: int | None
) -> float | None:
    beside = None if aim.beside is None else by_name[aim.beside].at(size)
    if point is None or (aim.beside is not None and beside is None):
        return None
    return point.median / (1.0 if beside is None else beside.median)


def shown(results: Iterable[Result]) -> str:
    """All tables of some results, and what was skipped."""
    blocks = []
    for result in results:
        blocks += [table.text() for table in tables(result)]
        blocks += [f"skipped: {name}: {why}\n" for name, why in result.skipped.items()]
    return "\n".join(blocks)
