"""Errors on standard error: each thing once, prose folded and marked on a terminal only."""

from __future__ import annotations

import io
import sys

import pytest

from qnetem.emulator.wire.control import Problem
from qnetem.text.error_output import print_stderr, problem_lines

FRAMES = 'Traceback (most recent call last):\n  File "coin.py", line 3, in run\n    go()\n'
COMMAND = "reproduce:  qnetem run /home/me/a/long/way/to/coin.yaml --seed 7 --in-process"
ERROR = "error: alice raised at 3 ms: ValueError: no good and some more words"


class Terminal(io.StringIO):
    """A terminal of 40 columns."""

    def isatty(self) -> bool:
        return True


def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Called by the test itself: pytest puts its own stream in place after fixtures."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


@pytest.mark.parametrize(
    ("last", "text"),
    [
        ("ValueError: no good", "ValueError: no good"),
        ("qnetem_programs.coin.Mine: two\nlines", "Mine: two\nlines"),
        ("ValueError: no good", "ValueError: no good (in a group of tasks)"),
    ],
)
def test_a_traceback_does_not_repeat_the_headline(last: str, text: str) -> None:
    problem = Problem("ProgramFailed", text, 1, "alice", 3, f"{FRAMES}{last}\n")
    assert problem_lines(problem) == [FRAMES.rstrip(), f"error: alice raised at 3 ns: {text}"]


def test_a_traceback_that_ends_otherwise_stays_whole() -> None:
    trace = f"{FRAMES}ValueError: no good\nand a note"
    problem = Problem("ProgramFailed", "ValueError: no good", 1, "alice", 3, trace)
    assert problem_lines(problem)[0] == trace


def test_a_terminal_shows_prose_folded_and_marked_and_commands_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = at_a_terminal(monkeypatch)
    print_stderr([ERROR, COMMAND])
    assert terminal.getvalue().splitlines() == [
        "\x1b[1;31merror:\x1b[0m alice raised at 3 ms: ValueError:",
        "  no good and some more words",
        COMMAND,
    ]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_may_be_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = at_a_terminal(monkeypatch)
    monkeypatch.setenv(name, value)
    print_stderr([ERROR])
    assert terminal.getvalue() and "\x1b" not in terminal.getvalue()


def test_a_file_gets_each_error_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    print_stderr([ERROR, COMMAND])
    assert file.getvalue() == f"{ERROR}\n{COMMAND}\n"
