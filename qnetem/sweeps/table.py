"""The table of a sweep: its rows, the means over seeds, and the CSV file.

Owns the columns and their order, and that the file is always whole. Does not own a row's parts (records.py).

Rule: the same runs give the same bytes.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..emulator.errors import InfrastructureError
from ..plots.plot import plot
from ..plots.points import Table
from ..runs.files import unwritable
from .axes import value_text
from .records import Row, facts, measured, verdicts
from .target import standard_error

if TYPE_CHECKING:
    import pandas

_LAST = ("problem", "command")


class Mean(NamedTuple):
    """A quantity at one point: its mean over seeds, the standard error of that, and how many they are."""

    parameters: Mapping[str, Any]
    mean: float
    error: float | None
    seeds: int


@dataclass(frozen=True)
class Sweep:
    """The runs of a sweep: by point in the order of the parameters, then by seed.

    `reached`: whether every point has reached the standard error of `until`; True without one.
    """

    parameters: Sequence[str]
    rows: Sequence[Row]
    reached: bool = True

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.parameters)}" if self.parameters else ""
        return f"<Sweep of {len(self.rows)} runs{over}, {len(self.failed)} failed>"

    @property
    def failed(self) -> list[Row]:
        """The rows of runs that did not end well, or whose expectations do not hold."""
        return [row for row in self.rows if not row.ok]

    def means(self, quantity: str) -> list[Mean]:
        """The quantity at each point where a run has measured it as a number."""
        values: dict[str, tuple[Mapping[str, Any], list[float]]] = {}
        for row in self.rows:
            value = row.record.number(quantity)
            _, found = values.setdefault(_point(row), (row.parameters, []))
            if value is not None:
                found.append(value)
        return [
            Mean(parameters, math.fsum(found) / len(found), standard_error(found), len(found))
            for parameters, found in values.values()
            if found
        ]

    def to_csv(self, path: str | Path) -> None:
        """Write the table: to a new file that then takes the place of what is there.

        Raises InfrastructureError.
        """
        write_csv(Path(path), self)

    def plot(self, x: str, y: str, out: str | Path, **options: Any) -> None:
        """Draw a quantity over a parameter, with the options of `qnetem plot`. Needs matplotlib."""
        plot(Table(csv_text(self), "the sweep"), x, y, out, **options)

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a DataFrame. Needs pandas."""
        import pandas

        columns, rows = _table(self)
        return pandas.DataFrame(rows, columns=columns)


def csv_text(sweep: Sweep) -> str:
    """The table as CSV, each row on one line."""
    columns, rows = _table(sweep)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def write_csv(path: Path, sweep: Sweep) -> None:
    """As `Sweep.to_csv`."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(csv_text(sweep), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise InfrastructureError(unwritable(path, error)) from error


def _table(sweep: Sweep) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns in their order, and the rows by column."""
    rows, found, judged = [], dict[str, None](), dict[str, None]()
    known = dict.fromkeys(sweep.parameters)
    for row in sweep.rows:
        values, verdict = measured(row), verdicts(row)
        known |= dict.fromkeys(facts(row))
        found |= dict.fromkeys(values)
        judged |= dict.fromkeys(verdict)
        shown = {key: value_text(value) for key, value in row.parameters.items()}
        last = dict(zip(_LAST, (row.problem, row.command), strict=True))
        rows.append(values | verdict | last | facts(row) | shown)
    names = [name for name in sorted(found) if name not in known]
    return [*known, *names, *judged, *_LAST], rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if value.isprintable() else json.dumps(value, ensure_ascii=False)
    return repr(value)


def _point(row: Row) -> str:
    return repr(list(row.parameters.items()))
