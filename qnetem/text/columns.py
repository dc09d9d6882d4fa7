"""Columns of text without lines around them, counted nouns, and how pages print.

Owns widths, alignment and shortening, and the printers of lines and tables; knows nothing of runs or
topologies. Rule: a row is one line and never longer than the width, whatever is in it: one column gives way,
and what does not fit ends in an ellipsis. No text of a program steers the terminal (emulator/plain_text.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
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


def print_line(console: Console, line: str, style: str = "") -> None:
    """One line as it is: never wrapped, never read as markup."""
    console.print(page_line(line, style), soft_wrap=True)


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Lines as they are."""
    for line in lines:
        print_line(console, line)


def print_table(
    console: Console,
    rows: Sequence[Sequence[str]],
    styles: Sequence[str] = (),
    *,
    yields: int = -1,
    right: Collection[int] = (),
    notes: Sequence[Sequence[str]] = (),
) -> None:
    """The first row as a heading, the others in their styles, and under each of those its notes."""
    heading, *lines = in_columns(rows, console.width, yields=yields, right=right)
    print_line(console, heading, "bold")
    for index, line in enumerate(lines):
        print_line(console, line, styles[index] if styles else "")
        for note in notes[index] if notes else ():
            console.print(page_line(f"  {note}", "dim"))


def count(number: int, noun: str) -> str:
    """`1 node`, `2,000 nodes`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def shortened(text: str, width: int) -> str:
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
    cell = shortened(cell, width)
    padding = " " * (width - cell_len(cell))
    return padding + cell if to_the_right else cell + padding
