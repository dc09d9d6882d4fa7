"""`qnetem plot`: from a table of a sweep to a picture.

Owns the order of things and the labels. Does not own the points (points.py), the closed form (theory.py) nor
the drawing (figure.py).
"""

from __future__ import annotations

from pathlib import Path

from .figure import Curve, Labels, draw, file_format
from .points import Points, Table
from .theory import Theory

#: Values of the closed form between the first and the last x.
_CURVE = 61


def plot(
    table: str | Path | Table,
    x: str,
    y: str,
    out: str | Path,
    *,
    by: str | None = None,
    theory: str | None = None,
    file: str | Path | None = None,
    log_x: bool = False,
    log_y: bool = False,
    x_label: str | None = None,
    y_label: str | None = None,
    title: str = "",
) -> None:
    """Draw the column `y` of a sweep's table over `x`: means over seeds, with standard errors as bars.

    `by`: a parameter with a series for each of its values. `theory`: a closed form, as `expect:` has it; `x`
    in it is the number along x. `file`: the topology whose links it names (that of the sweep). `out` ends in
    .svg, .pdf or .png. Raises InputError, InfrastructureError.
    """
    out = Path(out)
    file_format(out)
    read = table if isinstance(table, Table) else Table.read(Path(table))
    points = read.points(x, y, by)
    folder = Path(read.name).parent
    curves = [] if theory is None else _curves(points, x, theory, file, folder, log_x)
    unit = f" ({points.unit})" if points.unit else ""
    seeds = f", mean of {points.seeds} runs" if points.seeds > 1 else ""
    labels = Labels(
        x=f"{x}{unit}" if x_label is None else x_label,
        y=f"{y}{seeds}" if y_label is None else y_label,
        title=title,
        by=by or "",
        theory="" if theory is None else theory,
    )
    draw(out, points.series, curves, labels, log_x=log_x, log_y=log_y)


def _curves(
    points: Points, x: str, formula: str, file: str | Path | None, folder: Path, log_x: bool
) -> list[Curve]:
    """The closed form for each series, between all first and last points, and at each of its points."""
    numbers = [point.x for one in points.series for point in one.points]
    xs = _between(min(numbers), max(numbers), log_x)
    curves = []
    for one in points.series:
        own = None if file is None else Path(file)
        theory = Theory(formula, x, points.unit, one, own, folder)
        curves.append(Curve(xs, theory.curve(xs)))
    return curves


def _between(low: float, high: float, log: bool) -> list[float]:
    if log and low > 0:
        ratio = high / low
        return [low * ratio ** (at / (_CURVE - 1)) for at in range(_CURVE)]
    return [low + (high - low) * at / (_CURVE - 1) for at in range(_CURVE)]
