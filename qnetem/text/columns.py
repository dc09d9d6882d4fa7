"""Columns of text without lines around them, counted nouns, and how pages print.

Owns widths, alignment, folding and shortening, and the printers of lines and tables; knows nothing of runs or
topologies. Rules: a row is never wider than the width, whatever is in it: one column gives way, and what does
not fit ends in an ellipsis. Only tables are cut; a line that is printed by itself stays whole, so that a
command or a path can be copied. No text of a program steers the terminal (emulator/plain_text.py).
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from ..emulator.plain_text import printable
from .folding import WHOLE

_GAP = "  "
#: No terminal is that wide; longer text is cut before anything measures it.
_WIDEST = 4_000
#: The column that gives way keeps this much; then the others are cut, too. Where it is narrow, they get less.
_LEAST = (12, 10, 8, 6, 1)
#: A column is folded into at most so many lines, and only if it keeps this much.
_MOST_FOLDS, _LEAST_FOLDED = 3, 20
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
#: What stands for the signs that an encoding lacks.
_PLAIN_SIGNS = {_ELLIPSIS: "...", "\N{PLUS-MINUS SIGN}": "+-", "\N{MICRO SIGN}": "u"}


def in_columns(
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    yields: int = -1,
    right: Collection[int] = (),
    ellipsis: str = _ELLIPSIS,
) -> list[str]:
    """The rows as aligned lines, at most `width` cells long (None: as long as they are).

    `yields` is the column that is shortened when there is no room; `right` are aligned to the right.
    All rows have the same number of cells.
    """
    if not rows:
        return []
    rows = [[_one_line(cell, width, ellipsis) for cell in row] for row in rows]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    if width is not None:
        _shrink(widths, width, yields)
    lines = []
    for row in rows:
        cells = [_fit(cell, widths[i], i in right, ellipsis) for i, cell in enumerate(row)]
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
    folds: bool = False,
) -> None:
    """The first row as a heading, the others in their styles, and under each of those its notes.

    `folds`: the last column continues below itself rather than be cut at once.
    """
    width, ellipsis = console.width, _ELLIPSIS
    if not can_show(console.encoding, _ELLIPSIS):
        rows, ellipsis = [[in_plain_signs(cell) for cell in row] for row in rows], "..."
    parts = _folded(rows, width, ellipsis) if folds else [[list(row)] for row in rows]
    every = [row for part in parts for row in part]
    lines = iter(in_columns(every, width, yields=yields, right=right, ellipsis=ellipsis))
    for index, part in enumerate(parts):
        style = "bold" if index == 0 else styles[index - 1] if styles else ""
        for _ in part:
            print_line(console, next(lines), style)
        for note in notes[index - 1] if notes and index else ():
            print_line(console, f"  {note}", "dim")


def can_show(encoding: str, sign: str) -> bool:
    """Whether an encoding has the sign."""
    try:
        sign.encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def in_plain_signs(text: str) -> str:
    """The text with ASCII for the signs of our own that some encodings lack."""
    for sign, plain in _PLAIN_SIGNS.items():
        text = text.replace(sign, plain)
    return text


def shortened(text: str, width: int, ellipsis: str = _ELLIPSIS) -> str:
    """`text` on one line, with an ellipsis where it is cut."""
    text = _one_line(text, width, ellipsis)
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - len(ellipsis))).rstrip() + ellipsis


def _one_line(text: str, width: int | None, ellipsis: str) -> str:
    if width is not None and len(text) > max(width, _WIDEST):
        text = text[: max(width, _WIDEST)] + ellipsis
    return printable(" ".join(text.split("\n")))


def _folded(rows: Sequence[Sequence[str]], width: int, ellipsis: str) -> list[list[list[str]]]:
    """Each row as one or more, the last cell spread over them."""
    others = range(len(rows[0]) - 1)
    room = width - sum(max(cell_len(row[i]) for row in rows) + len(_GAP) for i in others)
    if room < _LEAST_FOLDED or width == WHOLE:
        return [[list(row)] for row in rows]
    return [_spread(list(row), room, ellipsis) for row in rows]


def _spread(row: list[str], room: int, ellipsis: str) -> list[list[str]]:
    text = printable(" ".join(row[-1][: room * (_MOST_FOLDS + 1)].split("\n")))
    room = room if cell_len(text) == len(text) else room // 2  # wide letters take two cells
    lines = textwrap.wrap(
        text, room, break_on_hyphens=False, max_lines=_MOST_FOLDS, placeholder=ellipsis
    )
    blank = [""] * (len(row) - 1)
    return [[*(row[:-1] if at == 0 else blank), line] for at, line in enumerate(lines or [""])]


def _shrink(widths: list[int], width: int, yields: int) -> None:
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    order = [yields, *sorted(range(len(widths)), key=lambda i: -widths[i])]
    for least in _LEAST:
        for index in order:
            given = min(max(0, excess), max(0, widths[index] - least))
            widths[index] -= given
            excess -= given


def _fit(cell: str, width: int, to_the_right: bool, ellipsis: str) -> str:
    cell = shortened(cell, width, ellipsis)
    padding = " " * (width - cell_len(cell))
    return padding + cell if to_the_right else cell + padding
