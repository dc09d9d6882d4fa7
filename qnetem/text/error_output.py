"""Errors on standard error: a few lines, which end in what to do.

Owns the words around an error and the exit code. The three kinds stay apart: the user's input (the message
alone), a run (which node, when, the program's own traceback, how to reproduce it), our own bug (the
traceback, and what to report).
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..emulator import plain_text
from ..emulator.errors import (
    IN_A_GROUP,
    InternalError,
    ProgramFailed,
    QnetemError,
    RunError,
    TopologyError,
)
from ..emulator.units import format_ns
from ..version import package_version
from .folding import WHOLE, folded, width_of

if TYPE_CHECKING:
    from ..emulator.wire.control import Problem
    from ..expect.expect import Verdict

INTERRUPTED = 130
#: How text begins that is no traceback, path or command.
_PROSE = ("error:", "warning:", "this is a bug")
#: Readable on light and on dark.
_COLOURS = {"error:": "1;31", "warning:": "1;35"}


def problem_of(error: BaseException) -> Problem:
    """An exception that came instead of an outcome, as the problem of an outcome."""
    from ..emulator.wire.control import Problem

    kind = type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return Problem("Interrupted", str(error) or "interrupted", INTERRUPTED)
    if not isinstance(error, QnetemError) or isinstance(error, InternalError):
        text = "".join(traceback.format_exception_only(error)).strip()
        return Problem(kind, text, InternalError.exit_code, "", None, _own_traceback(error))
    if isinstance(error, RunError):
        own = error.traceback if isinstance(error, ProgramFailed) else ""
        return Problem(kind, str(error), error.exit_code, error.node, error.time_ns, own)
    others = error.others if isinstance(error, TopologyError) else []
    text = "\n".join([str(error), *(f"  {other}" for other in others)])
    return Problem(kind, text, error.exit_code)


def problem_lines(problem: Problem, seed: int | None = None) -> list[str]:
    """The lines for a problem, without the way to reproduce it."""
    if problem.exit_code == INTERRUPTED:
        return [f"interrupted{_where(problem)}"]
    lines = []
    if problem.traceback:
        lines.append(_frames(problem))
    lines.append(f"error: {_headline(problem)}")
    if problem.exit_code == InternalError.exit_code:
        known_seed = "unknown seed" if seed is None else f"seed {seed}"
        lines.append(
            "this is a bug in qnetem, please report it with the text above, the topology, "
            f"{known_seed}, qnetem {package_version()}, "
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
        )
    return lines


def failed_lines(verdicts: Iterable[Verdict]) -> list[str]:
    """One line for each expectation that does not hold."""
    return [
        f"error: expected {verdict.quantity} {verdict.asked}, "
        + (
            verdict.text
            if verdict.measured is None
            else f"measured {_measured(verdict)} ({verdict.text})"
        )
        for verdict in verdicts
    ]


def _measured(verdict: Verdict) -> str:
    value = verdict.measured
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    from .quantities import quantity

    return quantity(verdict.quantity, value, verdict.sigma)


def reproduce(
    path: str,
    seed: int,
    *,
    in_process: bool = False,
    workers: int | None = None,
    until: str | None = None,
    broker: str = "auto",
    sets: Iterable[str] = (),
) -> str:
    """The command that runs the same again. What does not touch the result is left out."""
    words = ["qnetem", "run", path, "--seed", str(seed)]
    words += ["--in-process"] if in_process else []
    words += ["--workers", str(workers)] if workers is not None else []
    words += ["--until", until] if until is not None else []
    for each in sets:
        words += ["--set", each]
    words += ["--broker", broker] if broker != "auto" and not in_process else []
    return shlex.join(words)


def replay_command(run_folder: str | Path) -> str:
    """The command that runs what was recorded again, and checks that the same happens."""
    return shlex.join(["qnetem", "replay", str(run_folder)])


def print_stderr(lines: Iterable[str]) -> None:
    """Write to standard error, at once; on a terminal with prose folded at words, and marks in colour."""
    with contextlib.suppress(OSError):  # standard error is closed: there is no other place
        width = width_of(sys.stderr) if sys.stderr.isatty() else WHOLE
        shown = [
            part
            for line in map(plain_text.lines, lines)
            for part in (folded(line, width) if line.startswith(_PROSE) else [line])
        ]
        marked = map(_in_colour, shown) if _takes_colour() else shown
        sys.stderr.write("".join(f"{line}\n" for line in marked))
        sys.stderr.flush()


def _takes_colour() -> bool:
    """Whether standard error is a terminal that shows colours (https://no-color.org)."""
    terminal = os.environ.get("TERM", "")
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and terminal not in ("", "dumb")


def _in_colour(line: str) -> str:
    for mark, code in _COLOURS.items():
        if line.startswith(mark):
            return f"\x1b[{code}m{mark}\x1b[0m{line[len(mark) :]}"
    return line


def _headline(problem: Problem) -> str:
    """Which node, when, what; a text that names node and time itself is left as it is."""
    if problem.kind != ProgramFailed.__name__ or not problem.node:
        return problem.text
    who = f"service {problem.service} of {problem.node}" if problem.service else problem.node
    return f"{who} raised{_where(problem)}: {problem.text}"


def _frames(problem: Problem) -> str:
    """The traceback without its last line, which the headline has, too."""
    last = re.escape(problem.text.removesuffix(IN_A_GROUP))
    return re.sub(rf"\n[\w.<>]*{last}\Z", "", problem.traceback.rstrip())


def _where(problem: Problem) -> str:
    return "" if problem.time_ns is None else f" at {format_ns(problem.time_ns)}"


def _own_traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
