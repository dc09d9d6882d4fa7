"""The command that watches a run under way: `qnetem tap`.

Owns its options and exit codes: 0 when the run has ended or the watcher leaves (Ctrl-C is a way to), 2 for
a run that cannot be watched, 3 for a broker that cannot be reached. Does not own the watching (tap.py).
"""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .terminal import reader_may_leave, told_on_standard_error

#: The width of a table that no terminal shows.
PIPED_COLUMNS = 160


class TapFormat(StrEnum):
    """How messages are shown."""

    table = "table"
    json = "json"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("tap")(tap_command)


def tap_command(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run folder, its name below runs/, or latest.")
    ],
    nodes: Annotated[
        list[str] | None, typer.Option("--node", help="Only to or from this node; repeatable.")
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Only of this kind (`bb84.*`); repeatable.")
    ] = None,
    form: Annotated[
        TapFormat, typer.Option("--format", help="Lines of a table, or one JSON object a line.")
    ] = TapFormat.table,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where run folders are.")] = Path(
        "runs"
    ),
) -> None:
    """Show the messages of a run that is under way, until it ends or Ctrl-C."""
    with told_on_standard_error():
        from ..live.tap import tap
        from ..runs.find_run import find_run

        with reader_may_leave():
            tap(find_run(run, runs), nodes or [], kinds or [], form.value, _columns())


def _columns() -> int:
    """The terminal's width; what a program or a file takes is not cut so soon."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_COLUMNS
