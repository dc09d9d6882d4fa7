"""The table of a sweep as points to draw: a mean over seeds with its standard error, by x and by series.

Owns reading the table (CSV) and numbers with units. Does not own how it was written (sweeps/table.py).

Rule: only runs that ended well count, and no two points of one series have the same x.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..emulator.errors import InputError
from ..emulator.topology.written.names import nearest
from ..emulator.units import UNITS
from ..runs.files import unreadable

#: The first column behind the parameters, and the one that says how a run ended.
SEED, ENDED, WELL, COMMAND = "seed", "ended", "well", "command"
_QUANTITY = re.compile(r"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(.*?)\s*\Z")


class Point(NamedTuple):
    """A point to draw. `text`: x as in the table; `error`: standard error, None if there is none."""

    x: float
    text: str
    y: float
    error: float | None


@dataclass
class Series:
    """The points of one value of another parameter, by x. `command`: that of one of its runs."""

    name: str
    command: str
    points: list[Point] = field(default_factory=list)


@dataclass(frozen=True)
class Points:
    """What is drawn. `unit`: of x, empty for a bare number; `seeds`: the most runs at one point."""

    unit: str
    seeds: int
    series: list[Series]


class Table:
    """A table of a sweep."""

    def __init__(self, text: str, name: str) -> None:
        lines = csv.reader(io.StringIO(text))
        self.name = name
        self.columns = next(lines, [])
        width = len(self.columns)
        self.rows = [
            dict(zip(self.columns, line, strict=True)) for line in lines if len(line) == width
        ]
        if SEED not in self.columns or ENDED not in self.columns:
            raise InputError(
                f"{name}: expected a table of qnetem sweep, with columns {SEED}, {ENDED}"
            )

    @classmethod
    def read(cls, path: Path) -> Table:
        """The table in a file. Raises InputError."""
        try:
            return cls(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise InputError(unreadable(path, error)) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: not a table in CSV: {error}") from error

    @property
    def parameters(self) -> list[str]:
        """The columns of what was swept."""
        return self.columns[: self.columns.index(SEED)]

    def points(self, x: str, y: str, by: str | None) -> Points:
        """The points of `y` over `x`, a series for each value of `by`. Raises InputError."""
        for column in (x, y, *([by] if by else [])):
            if column not in self.columns:
                known = nearest(column, self.columns)
                raise InputError(f"{self.name}: unknown column {column!r}{known}")
        rows = [row for row in self.rows if row[ENDED] == WELL and row[y]]
        if not rows:
            raise InputError(f"{self.name}: no run that ended well has measured {y}")
        self._refuse_hidden(rows, x, by)
        unit, numbers = numbers_of(x, [row[x] for row in rows])
        series: dict[str, Series] = {}
        cells: dict[tuple[str, float], list[dict[str, str]]] = {}
        for row, number in zip(rows, numbers, strict=True):
            name = row[by] if by else ""
            series.setdefault(name, Series(name, row.get(COMMAND, "")))
            cells.setdefault((name, number), []).append(row)
        for (name, number), same in sorted(cells.items(), key=lambda item: item[0][1]):
            series[name].points.append(_point(number, same, x, y))
        return Points(unit, max(map(len, cells.values())), list(series.values()))

    def _refuse_hidden(self, rows: Iterable[Mapping[str, str]], x: str, by: str | None) -> None:
        """A parameter that is neither an axis nor a series must have one value."""
        for key in self.parameters:
            values = list(dict.fromkeys(row[key] for row in rows))
            if key not in (x, by) and len(values) > 1:
                raise InputError(
                    f"{self.name}: {key} has {len(values)} values ({values[0]}, {values[1]}, ...): "
                    "expected it along x or as --by"
                )


def numbers_of(column: str, texts: Sequence[str]) -> tuple[str, list[float]]:
    """Numbers with units as numbers of one unit, that of the last. Raises InputError."""
    parts = [_QUANTITY.match(text) for text in texts]
    for text, part in zip(texts, parts, strict=True):
        if part is None:
            raise InputError(f"{column}: {text!r} is no number and no quantity")
    found = [(float(part[1]), part[2]) for part in parts if part is not None]
    units = {unit for _, unit in found}
    if len(units) == 1:
        return found[-1][1], [number for number, _ in found]
    tables = [table for table in UNITS.values() if units <= table.keys()]
    if not tables:
        raise InputError(f"{column}: {' and '.join(sorted(units))} are not units of one dimension")
    factors, unit = tables[0], found[-1][1]
    return unit, [number * factors[own] / factors[unit] for number, own in found]


def _point(number: float, rows: Sequence[Mapping[str, str]], x: str, y: str) -> Point:
    """The mean over seeds; the error within the run where there is one run alone."""
    _, values = numbers_of(y, [row[y] for row in rows])
    mean = math.fsum(values) / len(values)
    if len(values) > 1:
        squares = math.fsum((value - mean) ** 2 for value in values)
        return Point(number, rows[0][x], mean, math.sqrt(squares / (len(values) - 1) / len(values)))
    own = rows[0].get(f"{y}.se")
    return Point(number, rows[0][x], mean, float(own) if own else None)
