"""Lines of prose, folded at words to the width of a terminal.

Owns where a line may be broken: between words, and never inside what a reader copies: a quoted text, the call
of a function with its arguments, a path. Such a piece stays whole even if it is longer than the width; then
the terminal shows it on two lines. What goes into a file is not folded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TextIO

#: The width of what goes into a file or a pipe: nothing is cut or folded there.
WHOLE = 1 << 30
_QUOTES = "'\"`"
_OPENING, _CLOSING = "([{", ")]}"
#: Under a line that is folded, the rest of it stands so much further to the right.
_INDENT = 2
_NUMBER = re.compile(r"[-+]?[0-9][0-9.,]*")
#: A terminal that is narrower is not worth folding for.
_LEAST = 20


def width_of(stream: TextIO) -> int:
    """How wide text is that goes there: `COLUMNS`, the terminal's width, or WHOLE."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or WHOLE
    except (OSError, ValueError):
        return WHOLE


def folded(text: str, width: int) -> list[str]:
    """The lines of a text, each folded to the width; what follows a break is indented."""
    if width >= WHOLE or width < _LEAST:
        return text.split("\n")
    return [part for line in text.split("\n") for part in _fold(line, width)]


def _fold(line: str, width: int) -> Iterator[str]:
    from rich.cells import cell_len

    if cell_len(line) <= width:
        yield line
        return
    indent = " " * (len(line) - len(line.lstrip()))
    current = indent
    for piece in _with_units(_pieces(line)):
        if current.strip() and cell_len(current) + 1 + cell_len(piece) > width:
            yield current
            current = indent + " " * _INDENT
        current += (" " if current.strip() else "") + piece
    yield current


def _with_units(pieces: Iterator[str]) -> Iterator[str]:
    """A number and the word behind it as one: `3 us`."""
    number = ""
    for piece in pieces:
        if _NUMBER.fullmatch(piece):
            if number:
                yield number
            number = piece
        else:
            yield f"{number} {piece}" if number else piece
            number = ""
    if number:
        yield number


def _pieces(line: str) -> Iterator[str]:
    """The words of a line; a quoted text or a call is one word."""
    piece, quote, depth = "", "", 0
    for at, letter in enumerate(line):
        if letter == " " and not quote and not depth:
            if piece:
                yield piece
            piece = ""
            continue
        if quote:
            quote = "" if letter == quote and not _is_in_word(line, at) else quote
        elif letter in _QUOTES and not _is_in_word(line, at) and letter in line[at + 1 :]:
            quote = letter
        elif letter in _OPENING and (depth or _is_name(piece)):
            depth += 1
        elif letter in _CLOSING and depth:
            depth -= 1
        piece += letter
    if piece:
        yield piece


def _is_in_word(line: str, at: int) -> bool:
    """Whether a letter stands on both sides: an apostrophe is no quote."""
    return line[max(0, at - 1) : at].isalnum() and line[at + 1 : at + 2].isalnum()


def _is_name(piece: str) -> bool:
    return bool(piece) and (piece[-1].isalnum() or piece[-1] == "_")
