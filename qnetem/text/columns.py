"""Columns of text without lines around them, and counted nouns.

Owns widths, alignment and shortening, and `page_line`, by which every page prints; knows nothing of runs or
topologies. Rule: a row is one line and never longer than the width, whatever is in it: one column gives way,
and what does not fit ends in an ellipsis. What programs have made steers no terminal (plain_text.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ..emulator.plain_text import printable

_GAP = "  "
#: No terminal is that wide; longer text is cut before anything measures it.
_WIDEST = 4_000
#: The column that gives way keeps this much; then the others are cut, too.
_LEAST = 12


def in_columns(
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    yields: int = -1,
    right: Collection[int] = (),
) -> list[str]:
    """The rows as aligned lines, at most `width` cells long (None: as long as they are).

    `yields` is the column that is shortened when there is no room; `right` are aligned to the right.
    All rows have the same number of cells.
    """
    if not rows:
        return []
    rows = [[_plain(cell, width) for cell in row] for row in rows]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    if width is not None:
        _shrink(widths, width, yields)
    lines = []
    for row in rows:
        cells = [_fit(cell, widths[i], i in right) for i, cell in enumerate(row)]
        lines.append(_GAP.join(cells).rstrip())
    return lines


def page_line(text: str, style: str = "") -> Text:
    """One line for a console: nothing in it is markup, or steers the terminal."""
    return Text(printable(text), style=style)


def count(number: int, noun: str) -> str:
    """`1 node`, `2,000 nodes`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def clipped(text: str, width: int) -> str:
    """`text` on one line, with an ellipsis where it is cut."""
    text = _plain(text, width)
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _plain(text: str, width: int | None) -> str:
    if width is not None and len(text) > _WIDEST:
        text = text[:_WIDEST] + "…"
    return printable(" ".join(text.split("\n")))


def _shrink(widths: list[int], width: int, yields: int) -> None:
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    order = [yields, *sorted(range(len(widths)), key=lambda i: -widths[i])]
    for index in order:
        given = min(max(0, excess), max(0, widths[index] - _LEAST))
        widths[index] -= given
        excess -= given


def _fit(cell: str, width: int, to_the_right: bool) -> str:
    cell = clipped(cell, width)
    padding = " " * (width - cell_len(cell))
    return padding + cell if to_the_right else cell + padding
