"""The commands for a run under way: `qnetem tap`, `qnetem fault` and `qnetem inspect`.

Owns their arguments and exit codes: 0 done (a tap: the run has ended, or Ctrl-C), 2 refused (the run is over,
no such fault, a mistake in the entry), 3 no answer from the run or its broker. Does not own the requests
(live/client.py), the watching (live/tap.py) nor the layout (pages/live_page.py).
"""

from __future__ import annotations

import shutil
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..emulator.errors import InputError
from .terminal import Page, errors_on_standard_error, print_object, reader_may_close

#: The width of a table that no terminal shows.
PIPED_COLUMNS = 160


class TapFormat(StrEnum):
    """How messages are printed."""

    table = "table"
    json = "json"


class LiveFormat(StrEnum):
    """How an answer is printed."""

    table = "table"
    json = "json"
    csv = "csv"


class FaultAction(StrEnum):
    """What to do with faults."""

    add = "add"
    list = "list"
    heal = "heal"


RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run folder, its name below --runs, or latest.")
]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder of the run folders.")]
Format = Annotated[LiveFormat, typer.Option("--format", help="A table, one JSON object, or CSV.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("tap")(tap_command)
    app.command("fault")(fault_command)
    app.command("inspect")(inspect_command)


def tap_command(
    run: RunName,
    nodes: Annotated[
        list[str] | None,
        typer.Option("--node", help="Only messages to or from this node; repeatable."),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Only messages of this kind, e.g. bb84.*; repeatable."),
    ] = None,
    ports: Annotated[
        list[str] | None,
        typer.Option(
            "--port",
            help='Only messages on this port, e.g. ticker; "" for that of programs; repeatable.',
        ),
    ] = None,
    form: Annotated[
        TapFormat, typer.Option("--format", help="A table, or one JSON object a line.")
    ] = TapFormat.table,
    runs: Runs = Path("runs"),
) -> None:
    """Show the messages of a run under way. Ends with the run, or at Ctrl-C."""
    with errors_on_standard_error():
        from ..live.tap import tap
        from ..runs.run_folder import find_run

        with reader_may_close():
            tap(find_run(run, runs), nodes or [], kinds or [], ports or [], form.value, _columns())


def fault_command(
    run: RunName,
    action: Annotated[FaultAction, typer.Argument(metavar="add|list|heal")],
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ENTRY | ID... | all]",
            help="add: an entry without `at`, e.g. '{cut: alice-bob, for: 1 s}'; heal: ids, or all.",
        ),
    ] = None,
    form: Format = LiveFormat.table,
    runs: Runs = Path("runs"),
) -> None:
    """Add, heal or list the faults of a run under way."""
    with errors_on_standard_error():
        from ..live import client
        from ..runs.run_folder import find_run
        from ..text.faults import fault_data
        from .pages import live_page

        words = what or []
        if action is FaultAction.add and len(words) != 1:
            raise InputError("add: expected one entry such as '{cut: alice-bob, for: 1 s}'")
        if action is FaultAction.list and words:
            raise InputError(f"list: expected no further argument, found {words[0]!r}")
        folder = find_run(run, runs)
        if action is FaultAction.add:
            faults = client.change_faults(folder, client.add_fault(words[0]))
        elif action is FaultAction.heal:
            faults = client.change_faults(folder, client.heal_faults(tuple(words)))
        else:
            faults = live_page.faults_of(folder)
        with reader_may_close():
            if form is LiveFormat.json:
                print_object({"faults": [fault_data(fault) for fault in faults]})
            elif form is LiveFormat.csv:
                sys.stdout.write(live_page.faults_csv(faults))
            else:
                live_page.print_faults(faults, Page())


def inspect_command(
    run: RunName, form: Format = LiveFormat.table, runs: Runs = Path("runs")
) -> None:
    """Show the state of a run. What each node waits for, slots, messages, faults; or how it ended."""
    with errors_on_standard_error():
        from ..runs.run_folder import find_run
        from .pages import live_page

        view = live_page.view_of(find_run(run, runs))
        with reader_may_close():
            if form is LiveFormat.json:
                print_object(view)
            elif form is LiveFormat.csv:
                sys.stdout.write(live_page.nodes_csv(view))
            else:
                live_page.print_view(view, Page())


def _columns() -> int:
    """The terminal's width; more for a program or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_COLUMNS
