"""The picture itself, by matplotlib (the extra `plot`).

Owns looks and files. Rule: the same points give the same bytes: no date, no random id, no font of the
machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..emulator.errors import InfrastructureError, InputError
from ..runs.files import unwritable
from .points import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: By the file's ending: what matplotlib must not write into it.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "ModDate": None},
    "png": {"Software": None},
}
#: Okabe and Ito's colours, which stay apart for colour-blind readers and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#555555"
_MARKERS = "osD^vP*"
_SETTINGS: Any = {
    "svg.hashsalt": "qnetem",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "legend.frameon": False,
    "mathtext.default": "regular",
}
_DPI = 200


@dataclass(frozen=True)
class Labels:
    """What is written at the axes and above them."""

    x: str
    y: str
    title: str = ""
    by: str = ""
    theory: str = ""


@dataclass(frozen=True)
class Curve:
    """A closed form along x."""

    xs: Sequence[float]
    ys: Sequence[float]


def file_format(path: Path) -> str:
    """The format by the file's ending. Raises InputError for one that is not known."""
    ending = path.suffix.lower().removeprefix(".")
    if ending not in _METADATA:
        raise InputError(f"{path}: expected a file that ends in .svg, .pdf or .png")
    return ending


def draw(
    path: Path,
    series: Sequence[Series],
    curves: Sequence[Curve],
    labels: Labels,
    *,
    log_x: bool = False,
    log_y: bool = False,
) -> None:
    """Write the picture. Raises InputError without matplotlib, InfrastructureError for the disk."""
    with picture(path, (5.4, 3.6)) as figure:
        axes = figure.add_subplot()
        axes.set_xscale("log" if log_x else "linear")
        axes.set_yscale("log" if log_y else "linear")
        _fill(axes, series, curves, labels)


@contextmanager
def picture(path: Path, size_inches: tuple[float, float]) -> Iterator[Figure]:
    """A figure to draw on, written at the end. Raises as `draw`."""
    form = file_format(path)
    try:
        from matplotlib import rc_context, rcdefaults
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("a picture needs matplotlib: pip install 'qnetem[plot]'") from error
    with rc_context():
        rcdefaults()
        with rc_context(_SETTINGS):
            figure = Figure(figsize=size_inches, layout="constrained")
            yield figure
            _save(figure, path, form)


def _fill(axes: Axes, series: Sequence[Series], curves: Sequence[Curve], labels: Labels) -> None:
    for number, one in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        if curves:
            curve = curves[number]
            axes.plot(curve.xs, curve.ys, color=colour, alpha=0.6, linewidth=1.4)
        axes.errorbar(
            [point.x for point in one.points],
            [point.y for point in one.points],
            yerr=[point.error or 0.0 for point in one.points],
            fmt=_MARKERS[number % len(_MARKERS)],
            color=colour,
            markersize=min(
                4 + 2 * (len(series) - 1 - number), 12
            ),  # one that lies below another shows
            markerfacecolor="white",
            markeredgewidth=1.2,
            elinewidth=1.0,
            capsize=2.5,
            label=one.name if labels.by else "emulated",
        )
    if curves:  # one entry for all of them, behind the series
        colour = COLOURS[0] if len(curves) == 1 else GREY
        axes.plot([], [], color=colour, alpha=0.6, linewidth=1.4, label=labels.theory)
    axes.set_xlabel(labels.x)
    axes.set_ylabel(labels.y)
    axes.set_title(labels.title, fontsize=10)
    axes.grid(True, which="both", color="#dddddd", linewidth=0.6)  # minor ones on log axes only
    if curves or labels.by:
        axes.legend(title=labels.by or None, fontsize=8, title_fontsize=8)


def _save(figure: Figure, path: Path, form: str) -> None:
    draft = path.with_name(f".{path.name}")
    try:
        figure.savefig(draft, format=form, dpi=_DPI, metadata=_METADATA[form])
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InfrastructureError(unwritable(path, error)) from error
