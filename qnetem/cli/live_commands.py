"""The commands that speak to a run: `qnetem fault` and `qnetem inspect`.

Owns their arguments and exit codes: 0 done, 2 refused (the run is over, no such fault, a mistake in the
entry), 3 no answer. Does not own what is said (desk.py) nor how it looks (desk_page.py).
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..emulator.errors import InputError
from .terminal import Page, print_object, reader_may_leave, told_on_standard_error


class DeskFormat(StrEnum):
    """How an answer is printed."""

    table = "table"
    json = "json"
    csv = "csv"


class FaultAction(StrEnum):
    """What is to be done with faults."""

    add = "add"
    list = "list"
    heal = "heal"


RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run folder, its name below --runs, or latest.")
]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where run folders are.")]
Format = Annotated[
    DeskFormat, typer.Option("--format", help="For people, one JSON object, or CSV.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("fault")(fault_command)
    app.command("inspect")(inspect_command)


def fault_command(
    run: RunName,
    action: Annotated[FaultAction, typer.Argument(metavar="add|list|heal")],
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ENTRY | ID... | all]",
            help="add: '{cut: alice-bob, for: 1 s}', as under faults: without 'at'; heal: which.",
        ),
    ] = None,
    form: Format = DeskFormat.table,
    runs: Runs = Path("runs"),
) -> None:
    """Break or mend something in a run that goes on, or list its faults."""
    with told_on_standard_error():
        from ..live import client as desk
        from ..runs.find_run import find_run
        from .pages import live_page as desk_page

        words = what or []
        if action is FaultAction.add and len(words) != 1:
            raise InputError("add: expected one entry such as '{cut: alice-bob, for: 1 s}'")
        if action is FaultAction.list and words:
            raise InputError(f"list takes no more, found {words[0]!r}")
        folder = find_run(run, runs)
        if action is FaultAction.add:
            faults = desk.change_faults(folder, desk.add_fault(words[0]))
        elif action is FaultAction.heal:
            faults = desk.change_faults(folder, desk.heal_faults(tuple(words)))
        else:
            faults = desk_page.faults_of(folder)
        with reader_may_leave():
            if form is DeskFormat.json:
                print_object({"faults": [desk_page.fault_data(fault) for fault in faults]})
            elif form is DeskFormat.csv:
                sys.stdout.write(desk_page.faults_csv(faults))
            else:
                desk_page.print_faults(faults, Page())


def inspect_command(
    run: RunName, form: Format = DeskFormat.table, runs: Runs = Path("runs")
) -> None:
    """Show how a run stands: who waits for what, slots, messages, faults; or what it left behind."""
    with told_on_standard_error():
        from ..runs.find_run import find_run
        from .pages import live_page as desk_page

        view = desk_page.view_of(find_run(run, runs))
        with reader_may_leave():
            if form is DeskFormat.json:
                print_object(view)
            elif form is DeskFormat.csv:
                sys.stdout.write(desk_page.nodes_csv(view))
            else:
                desk_page.print_view(view, Page())
