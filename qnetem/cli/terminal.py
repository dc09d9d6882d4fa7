"""What every command needs of a terminal: errors, a reader that closes the output, a fixed environment.

Owns standard output and standard error around a command, and the exit code of an exception. Does not own
the words of an error (text/error_output.py). Rule: results go to standard output and nothing else does.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ..emulator.errors import InfrastructureError
from ..emulator.plain_text import ascii_json
from ..processes.environment import fixed
from ..runs.files import unwritable
from ..runs.program_output import output_of
from ..text.error_output import print_stderr, problem_lines, problem_of
from ..text.folding import width_of

#: Set to its pid, which stays, once the process has been replaced by one with a fixed environment.
REEXECUTED = "QNETEM_REEXECUTED"


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
def standard_output_kept() -> Iterator[None]:
    """What programs print while they share this process goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


class Page(Console):
    """Standard output: as wide as the terminal, and whole in a file or a pipe.

    It does not end the program when its reader has closed the output.
    """

    def __init__(self) -> None:
        super().__init__(width=width_of(sys.stdout))

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


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
    print_stderr(output_of(run_folder))


def print_object(data: dict[str, Any]) -> None:
    """One JSON object on one line."""
    typer.echo(ascii_json(json.dumps(data, allow_nan=False)))


def reexecute_with_fixed_environment() -> None:
    """Replace this process by the same command in the environment of nodes' processes, once.

    Hash seed, encoding and number of BLAS threads can only be chosen before Python starts; without them
    the digest would not be that of the run in processes. Directory and arguments stay.
    """
    wanted, pid = fixed(os.environ), str(os.getpid())
    is_fixed = all(os.environ.get(name) == value for name, value in wanted.items())
    if is_fixed or os.environ.get(REEXECUTED) == pid:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    environment = {**os.environ, **wanted, REEXECUTED: pid}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
