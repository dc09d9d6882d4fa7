"""What every command needs of a terminal: errors, a reader that closes the output.

Owns standard output and standard error around a command, and the exit code of an exception. Does not own
the words of an error (text/error_output.py). Rule: results go to standard output and nothing else does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ..emulator import plain_text
from ..emulator.errors import InfrastructureError
from ..emulator.plain_text import ascii_json
from ..text.error_output import print_stderr, problem_lines, problem_of


@contextlib.contextmanager
def errors_on_standard_error() -> Iterator[None]:
    """For the commands without a run: an error becomes a line and an exit code."""
    try:
        yield
    except (typer.Exit, BrokenPipeError):  # a reader that closes the output early is no error
        raise
    except (Exception, KeyboardInterrupt) as error:  # the last border: nothing is above it
        problem = problem_of(error)
        print_stderr(problem_lines(problem))
        raise typer.Exit(problem.exit_code) from error


@contextlib.contextmanager
def announced(file: Path, in_process: bool) -> Iterator[None]:
    """Say on a terminal what is being started, until the block is left: it can take a moment."""
    if not sys.stderr.isatty():
        yield
        return
    line = f"starting {file}" + ("" if in_process else ": emulator, broker, nodes")
    sys.stderr.write(f"{plain_text.lines(line)[: shutil.get_terminal_size().columns - 1]}\r")
    sys.stderr.flush()
    try:
        yield
    finally:
        sys.stderr.write("\x1b[2K")
        sys.stderr.flush()


@contextlib.contextmanager
def standard_output_kept() -> Iterator[None]:
    """What programs print while they share this process goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def seen_together() -> bool:
    """Whether standard output and standard error are read by one person, one below the other."""
    return all(stream.isatty() for stream in (sys.stdout, sys.stderr))


@contextlib.contextmanager
def reader_may_close() -> Iterator[None]:
    """Write to standard output; a reader that closes it early (`| head`) is no error.

    Raises InfrastructureError when the output cannot be written for another reason.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        from ..runs.files import unwritable

        _drop_output()
        raise InfrastructureError(unwritable("standard output", error)) from error


def _drop_output() -> None:
    """Drop what is still in the buffer, so that the interpreter's end prints no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


ShowLogs = Annotated[
    bool,
    typer.Option("--show-logs", help="Show on standard error what programs have printed."),
]


def print_logs(run_folder: Path) -> None:
    """What the programs of a run have printed and logged, behind their nodes' names, to standard error."""
    from ..runs.program_output import output_of

    print_stderr(output_of(run_folder))


def print_object(data: dict[str, Any]) -> None:
    """One JSON object on one line."""
    typer.echo(ascii_json(json.dumps(data, allow_nan=False)))
