"""The commands for a recorded run: `qnetem diff` and `qnetem replay`.

Owns their options and exit codes: 0 the same, 1 different, 2 the input is wrong; a replay with a problem of
its own ends like a run. Does not own the comparison (compare/) nor the layout (pages/).
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..emulator.errors import InputError
from ..processes.reexecution import reexecute_with_fixed_environment
from ..text.error_output import print_stderr, problem_lines
from .completion import nodes_of_run, run_names
from .help import RECORDED
from .options import RUNS_FOLDER
from .terminal import (
    errors_on_standard_error,
    print_object,
    reader_may_close,
    standard_output_kept,
)

if TYPE_CHECKING:
    from ..runs.recorded import RecordedRun

DIFFERENT = 1


class CompareFormat(StrEnum):
    """How a comparison is printed."""

    table = "table"
    json = "json"


RUN_HELP = "A run folder, its name below runs/, or latest."
RunName = Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP, autocompletion=run_names)]
Format = Annotated[CompareFormat, typer.Option("--format", help="A page, or one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("diff", rich_help_panel=RECORDED)(diff_command)
    app.command("replay", rich_help_panel=RECORDED)(replay_command)


def diff_command(
    a: Annotated[
        str,
        typer.Argument(metavar="A", help=f"{RUN_HELP} Or a journal.", autocompletion=run_names),
    ],
    b: Annotated[
        str,
        typer.Argument(metavar="B", help="The run to compare it with.", autocompletion=run_names),
    ],
    form: Format = CompareFormat.table,
) -> None:
    """Find the first difference of two runs. Shows its instant, entity and event."""
    with errors_on_standard_error():
        from ..compare.diff import compare
        from .page import Page
        from .pages.diff_page import as_data, print_comparison

        comparison = compare(_opened(a), _opened(b))
        with reader_may_close():
            if form is CompareFormat.json:
                print_object(as_data(comparison))
            else:
                print_comparison(comparison, Page())
        raise typer.Exit(0 if comparison.same else DIFFERENT)


def replay_command(
    run: RunName,
    node: Annotated[
        str | None,
        typer.Option(
            metavar="NODE",
            help="Replay only this node, against its record.",
            autocompletion=nodes_of_run,
        ),
    ] = None,
    program: Annotated[
        str | None,
        typer.Option(
            metavar="PROGRAM", help="With --node: the program to run instead, e.g. ./new.py:R1."
        ),
    ] = None,
    incarnation: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="With --node: which incarnation (the first)."),
    ] = None,
    in_process: Annotated[
        bool,
        typer.Option("--in-process", help="Run all nodes in this process, however the run was."),
    ] = False,
    broker: Annotated[str, typer.Option(metavar="BROKER", help="As for qnetem run.")] = "auto",
    runs: Annotated[
        Path | None,
        typer.Option(
            *RUNS_FOLDER, metavar="DIR", help="Folder of the replay's run folder (that of RUN)."
        ),
    ] = None,
    form: Format = CompareFormat.table,
) -> None:
    """Run a recorded run again, and compare. With --node: only one node of it."""
    with errors_on_standard_error():
        recorded = _opened(run)
        if recorded.unchecked is not None:
            print_stderr([recorded.unchecked])
        if node is not None:
            reexecute_with_fixed_environment()
            _replay_node(recorded, node, program, incarnation, form)
        if program is not None or incarnation is not None:
            raise InputError("--program and --incarnation need --node")
        in_process = in_process or recorded.in_process
        if in_process and broker != "auto":
            raise InputError("an in-process replay has no broker: leave --broker out")
        if in_process:
            reexecute_with_fixed_environment()
        _replay(recorded, in_process, broker, runs, form)


def _opened(name: str) -> RecordedRun:
    """The run that is meant: a path that is there goes before a name."""
    from ..runs.recorded import open_run
    from ..runs.run_folder import find_run

    path = Path(name)
    return open_run(path if path.exists() else find_run(name))


def _replay_node(
    recorded: RecordedRun,
    node: str,
    program: str | None,
    incarnation: int | None,
    form: CompareFormat,
) -> None:
    from ..compare.node_replay import replay_node
    from .page import Page
    from .pages.replay_page import node_replay_data, print_node_replay

    with standard_output_kept():
        replay = replay_node(recorded, node, program=program, incarnation=incarnation)
    with reader_may_close():
        if form is CompareFormat.json:
            print_object(node_replay_data(replay))
        else:
            print_node_replay(replay, Page())
    if program is None and not replay.same:
        _say_changes(recorded)
    raise typer.Exit(0 if replay.same else DIFFERENT)


def _replay(
    recorded: RecordedRun, in_process: bool, broker: str, runs: Path | None, form: CompareFormat
) -> None:
    from ..broker.access import login_for
    from ..compare.replay import replay
    from ..launcher.launcher import RunOptions
    from .page import Page
    from .pages.replay_page import print_replay, replay_data
    from .progress import ProgressLine

    options = RunOptions(
        broker=broker,
        runs_folder=runs or recorded.path.resolve().parent,
        broker_login=login_for(broker, os.environ),
        workers=None if in_process else recorded.workers,
    )
    with standard_output_kept(), ProgressLine() as progress:
        done = replay(recorded, options, in_process=in_process, on_progress=progress)
    with reader_may_close():
        if form is CompareFormat.json:
            print_object(replay_data(done))
        else:
            print_replay(done, Page())
    if done.problem is not None:
        print_stderr(problem_lines(done.problem, recorded.seed))
        raise typer.Exit(done.problem.exit_code)
    raise typer.Exit(0 if done.same else DIFFERENT)


def _say_changes(recorded: RecordedRun) -> None:
    from ..compare.replay import changed_since

    for setting in changed_since(recorded):
        print_stderr([f"changed since the run: {setting.name}"])
