"""Prose on a terminal: folded between words, and never inside what is copied."""

from __future__ import annotations

import io

import pytest

from qnetem.text.columns import WHOLE
from qnetem.text.folding import folded, width_of

FORMULA = "teleported(werner_join(pair('alice-r1'), pair('r1-bob')))"


def test_a_line_is_folded_at_words_and_what_follows_is_indented() -> None:
    assert folded("error: nothing is left to happen, but:\n  bob waits since 1 s", 30) == [
        "error: nothing is left to",
        "  happen, but:",
        "  bob waits since 1 s",
    ]


@pytest.mark.parametrize(
    "piece",
    [
        "195.869 us:",
        FORMULA,
        "'qnetem run my topology.yaml'",
        '"a key with blanks"',
        "/home/me/runs/coin-20261124-101259-5b6809/logs/alice.1.log",
    ],
)
def test_what_a_reader_copies_stays_in_one_line(piece: str) -> None:
    lines = folded(
        f"error: this is what alice's program and bob's have: {piece} and more words", 40
    )
    assert any(piece in line for line in lines) and len(lines) > 1


def test_every_word_is_kept() -> None:
    text = f"  a (b c) don't 'd e' [f, g] {FORMULA} unclosed( h 'i"
    for width in range(20, 90):
        assert " ".join(line.strip() for line in folded(text, width)) == text.strip()


def test_a_file_is_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width_of(io.StringIO()) == WHOLE
    assert folded("word " * 100, WHOLE) == ["word " * 100]
    monkeypatch.setenv("COLUMNS", "80")
    assert width_of(io.StringIO()) == 80
