"""Columns of text."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from qnetem.text.columns import WHOLE, in_columns, print_table, shortened

ROWS = st.integers(1, 6).flatmap(
    lambda columns: st.lists(
        st.lists(st.text(max_size=60), min_size=columns, max_size=columns), min_size=1, max_size=5
    )
)


def test_columns_are_aligned_and_lines_end_where_text_ends() -> None:
    rows = [["node", "pid", "result"], ["alice", "7", ""], ["r1", "1234", "-"]]
    assert in_columns(rows, right=(1,)) == [
        "node    pid  result",
        "alice     7",
        "r1     1234  -",
    ]


def test_one_column_gives_way_before_the_others() -> None:
    rows = [["a" * 20, "b" * 20, "c" * 20]]
    assert in_columns(rows, 58, yields=1) == ["a" * 20 + "  " + "b" * 13 + "…  " + "c" * 20]


def test_when_that_is_not_enough_the_widest_is_cut_too() -> None:
    [line] = in_columns([["a" * 40, "b" * 20, "c" * 20]], 58, yields=1)
    assert line == "a" * 21 + "…  " + "b" * 11 + "…  " + "c" * 20


@given(ROWS, st.integers(80, 120))
def test_a_line_is_never_longer_than_the_width(rows: list[list[str]], width: int) -> None:
    assert all(cell_len(line) <= width for line in in_columns(rows, width))


def test_wide_letters_count_twice() -> None:
    assert shortened("量子量子", 5) == "量子…"
    assert shortened("量子", 4) == "量子"
    assert shortened("two\nlines", 20) == "two lines"


def shown(width: int, encoding: str = "utf-8") -> list[str]:
    """A table of one row with a long last cell."""
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    rows = [["node", "result"], ["alice", f"qber 0.04 \N{PLUS-MINUS SIGN} 0.01, bits {BITS}"]]
    print_table(Console(file=file, width=width), rows, folds=True)
    file.seek(0)
    return file.read().splitlines()


BITS = " ".join("01" * 100)


def test_the_last_column_is_folded_and_then_cut() -> None:
    heading, *lines = shown(60)
    assert heading == "node   result"
    assert lines[0].startswith("alice  qber 0.04 \N{PLUS-MINUS SIGN} 0.01, bits 0 1 ")
    assert len(lines) == 3 and all(line.startswith(" " * 7) for line in lines[1:])
    assert all(cell_len(line) <= 60 for line in lines)
    assert lines[-1].endswith("\N{HORIZONTAL ELLIPSIS}")


def test_in_a_file_nothing_is_cut() -> None:
    assert shown(WHOLE)[1].endswith(BITS)


def test_an_encoding_without_our_signs_gets_others() -> None:
    lines = shown(60, "ascii")
    assert "0.04 +- 0.01" in lines[1] and lines[-1].endswith("...")
    assert all(len(line) <= 60 for line in lines)
