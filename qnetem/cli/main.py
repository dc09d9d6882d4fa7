"""The command line.

Owns the commands, their options and exit codes: 0 done, 1 a program or an expectation failed, 2 the
input is wrong, 3 stuck or a node lost, 70 our bug, 130 interrupted. Does not own what they do (api.py,
checks.py, graph.py), their pages (pages/, text/) nor the terminal (terminal.py); `diff` and `replay` are in
compare_commands.py, `tap`, `fault` and `inspect` in live_commands.py, `sweep` and `plot` in sweep_command.py,
`expect` in expect_command.py, `keys` in keys_commands.py, `passes` in passes_command.py. Rule: results go to
standard output and nothing else does; with `--format json` that is exactly one object.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ..emulator import plain_text
from ..emulator.errors import InputError
from ..processes.reexecution import reexecute_with_fixed_environment
from ..text.error_output import (
    INTERRUPTED,
    failed_lines,
    print_stderr,
    problem_lines,
    problem_of,
    replay_command,
    reproduce,
)
from ..text.folding import width_of
from ..version import package_version
from . import (
    compare_commands,
    expect_command,
    keys_commands,
    live_commands,
    passes_command,
    sweep_command,
)
from .completion import topology_files
from .help import FILES, REFERENCE, RUNNING, GroupedCommands
from .options import RUNS_FOLDER
from .set_option import SetOption, overrides_from
from .terminal import (
    ShowLogs,
    announced,
    errors_on_standard_error,
    print_logs,
    print_object,
    reader_may_close,
    seen_together,
    standard_output_kept,
)

if TYPE_CHECKING:
    from ..emulator.loading import Topology
    from ..emulator.wire.control import Problem
    from ..ended import Run
    from ..launcher.early import EarlyProcesses

app = typer.Typer(
    name="qnetem",
    help="netem for quantum networks: every node is a process, and all share one virtual clock.",
    no_args_is_help=True,
    cls=GroupedCommands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

#: Lines of a campaign that a run shows before it begins.
_MOST_DRAWN = 14


class RunFormat(StrEnum):
    """How a run is reported."""

    text = "text"
    json = "json"


class GraphFormat(StrEnum):
    """How a topology is drawn."""

    text = "text"
    dot = "dot"
    mermaid = "mermaid"
    json = "json"
    svg = "svg"


class ScheduleFormat(StrEnum):
    """How the faults of a topology are listed."""

    table = "table"
    json = "json"
    yaml = "yaml"


class PhysicsFormat(StrEnum):
    """How the reference report is printed."""

    table = "table"
    json = "json"
    csv = "csv"


TopologyFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A topology (YAML).", autocompletion=topology_files),
]
Seed = Annotated[
    int | None, typer.Option(min=0, metavar="N", help="Seed, in place of the topology's.")
]


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"qnetem {package_version()}")
        raise typer.Exit(0)


@app.command("run", rich_help_panel=RUNNING)
def run_command(
    context: typer.Context,
    file: TopologyFile,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="Run all nodes in this process, without a broker.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(metavar="K", help="Run the nodes in K processes, instead of one for each."),
    ] = None,
    form: Annotated[
        RunFormat, typer.Option("--format", help="A page of text, or one JSON object.")
    ] = RunFormat.text,
    seed: Seed = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help='End the run at this virtual time, e.g. "10 s".'),
    ] = None,
    sets: SetOption = None,
    broker: Annotated[
        str,
        typer.Option(
            metavar="BROKER",
            help="auto, mosquitto, amqtt, or host:port of a running one (its login: docs/watching.md).",
        ),
    ] = "auto",
    broker_port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="PORT", help="Port at which watchers find the broker."
        ),
    ] = None,
    runs: Annotated[
        Path, typer.Option(*RUNS_FOLDER, metavar="DIR", help="Folder of the run folders.")
    ] = Path("runs"),
    twice: Annotated[
        bool,
        typer.Option(
            "--twice", help="Run it in two processes that are set up differently, and compare."
        ),
    ] = False,
    show_logs: ShowLogs = False,
) -> None:
    """Run a topology to its end, and report."""
    if twice:
        _run_twice(file, runs, in_process, workers, seed, until, sets, broker, broker_port, form)
    if in_process:
        reexecute_with_fixed_environment()
    report = _Report(file, form, in_process, workers, until, broker, show_logs, sets or [])
    early: EarlyProcesses | None = context.obj
    with report.failures(seed), early.interruptible() if early else contextlib.nullcontext():
        with announced(file, in_process):
            from ..api import prepare, run_to_end
            from .progress import ProgressLine

            topology = prepare(file, seed=seed, until=until, overrides=overrides_from(sets))
        gc.enable()
        report.seed = topology.seed
        if topology.campaign is not None:
            _print_campaign(topology)
        with standard_output_kept(), ProgressLine() as progress:
            done = run_to_end(
                topology,
                in_process=in_process,
                workers=workers,
                broker=broker,
                broker_port=broker_port,
                runs_folder=runs,
                on_progress=progress,
                early=early,
            )
        report.finished(done)
        raise typer.Exit(done.exit_code)


@app.command(rich_help_panel=FILES)
def validate(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Topologies (YAML).", autocompletion=topology_files),
    ],
    sets: SetOption = None,
) -> None:
    """Check topologies, programs and expectations."""
    exit_code = 0
    for file in files:
        try:
            with errors_on_standard_error():
                _validate(file, sets)
        except typer.Exit as wrong:
            exit_code = max(exit_code, wrong.exit_code)
    raise typer.Exit(exit_code)


@app.command(rich_help_panel=FILES)
def graph(
    file: TopologyFile,
    form: Annotated[
        GraphFormat,
        typer.Option(
            "--format", help="text for a terminal, dot for Graphviz, mermaid, json, or svg."
        ),
    ] = GraphFormat.text,
    sets: SetOption = None,
) -> None:
    """Draw a topology."""
    with errors_on_standard_error():
        from ..emulator.loading import load_topology
        from ..graph.drawings import draw

        drawn = draw(load_topology(file, overrides=overrides_from(sets)), form.value)
        with reader_may_close():
            sys.stdout.write(plain_text.lines(drawn))


@app.command(rich_help_panel=FILES)
def schedule(
    file: TopologyFile,
    seed: Seed = None,
    form: Annotated[
        ScheduleFormat, typer.Option("--format", help="A table, one JSON list, or YAML entries.")
    ] = ScheduleFormat.table,
    freeze: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write a copy of the file with these faults in it."),
    ] = None,
    sets: SetOption = None,
) -> None:
    """Show the faults that a seed gives. Time, id and fault, or a file with these faults fixed."""
    with errors_on_standard_error():
        from ..api import prepare
        from .schedule_command import as_entries, as_json, as_table, write_frozen

        topology = prepare(file, seed=seed, overrides=overrides_from(sets))
        if freeze is not None and sets:
            raise InputError("--freeze keeps the file as it is: it does not go with --set")
        if freeze is not None:
            write_frozen(topology, freeze)
            return
        width = width_of(sys.stdout)
        lines = {
            ScheduleFormat.table: lambda: as_table(topology, width),
            ScheduleFormat.json: lambda: [as_json(topology)],
            ScheduleFormat.yaml: lambda: as_entries(topology),
        }[form]()
        with reader_may_close():
            sys.stdout.write("".join(f"{plain_text.lines(line)}\n" for line in lines))


@app.command(rich_help_panel=REFERENCE)
def schema() -> None:
    """Print the JSON Schema of topology files."""
    with errors_on_standard_error():
        from ..emulator.loading import json_schema

        with reader_may_close():
            typer.echo(json.dumps(json_schema(), indent=2))


@app.command(rich_help_panel=REFERENCE)
def physics(
    section: Annotated[
        str | None, typer.Option(metavar="N", help="Only this section, e.g. 6 or 6.2.")
    ] = None,
    form: Annotated[
        PhysicsFormat, typer.Option("--format", help="A page, one JSON object, or a CSV line each.")
    ] = PhysicsFormat.table,
) -> None:
    """Compare with published figures and closed forms."""
    with errors_on_standard_error():
        from ..physics.catalogue import select
        from ..physics.report import Report

        report = Report(select(section))
        with reader_may_close():
            if form is PhysicsFormat.json:
                print_object(report.as_data())
            else:
                parts = report.csv() if form is PhysicsFormat.csv else report.pages()
                for part in parts:
                    sys.stdout.write(part)
                    sys.stdout.flush()
        raise typer.Exit(0 if report.agrees else 1)


compare_commands.register(app)
live_commands.register(app)
sweep_command.register(app)
keys_commands.register(app)
expect_command.register(app)
passes_command.register(app)


def main(early: EarlyProcesses | None = None) -> None:
    """The `qnetem` command; `early` are processes that a run may use (start.py)."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # started with the stream closed (`>&-`)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode must not be a crash
            stream.reconfigure(errors="replace")
    app(prog_name="qnetem", obj=early)


def _run_twice(
    file: Path,
    runs: Path,
    in_process: bool,
    workers: int | None,
    seed: int | None,
    until: str | None,
    sets: list[str] | None,
    broker: str,
    broker_port: int | None,
    form: RunFormat,
) -> NoReturn:
    options = {
        "--workers": workers,
        "--seed": seed,
        "--until": until,
        "--broker": broker,
        "--broker-port": broker_port,
    }
    words = ["--in-process"] if in_process else []
    for name, value in options.items():
        words += [] if value is None else [name, str(value)]
    for each in sets or ():
        words += ["--set", each]
    with errors_on_standard_error():
        from .twice import run_twice

        raise typer.Exit(run_twice(file, runs, words, as_json=form is RunFormat.json))


def _print_campaign(topology: Topology) -> None:
    """The faults that a campaign has drawn, before anything runs."""
    from .schedule_command import as_table

    lines = as_table(topology, width_of(sys.stderr))
    more = len(lines) - _MOST_DRAWN
    print_stderr(
        [*lines[:_MOST_DRAWN], *([f"and {more} more: qnetem schedule FILE"] if more > 0 else [])]
    )


def _validate(file: Path, sets: list[str] | None) -> None:
    from ..checks import check_programs, warnings
    from ..emulator.loading import load_topology
    from ..expect.expect import parse_expectations
    from ..text.quantities import count

    topology = load_topology(file, overrides=overrides_from(sets))
    expectations = parse_expectations(topology)
    check_programs(topology)
    print_stderr(f"warning: {file}: {warning}" for warning in warnings(topology))
    counts = [count(len(topology.nodes), "node"), count(len(topology.links), "link")]
    counts.append(count(len(topology.faults), "fault"))
    counts.append(count(len(expectations), "expectation"))
    with reader_may_close():
        typer.echo(plain_text.printable(f"ok: {file}: {topology.name}, {', '.join(counts)}"))


class _Report:
    """Prints how one `qnetem run` ended, in the chosen format."""

    def __init__(
        self,
        file: Path,
        form: RunFormat,
        in_process: bool,
        workers: int | None,
        until: str | None,
        broker: str,
        show_logs: bool,
        sets: list[str],
    ) -> None:
        self.seed: int | None = None
        self._file, self._form, self._show_logs, self._sets = file, form, show_logs, sets
        self._in_process, self._workers = in_process, workers
        self._until, self._broker = until, broker

    def finished(self, run: Run) -> None:
        """Print the outcome, good or bad."""
        from ..runs.program_output import shown_path
        from ..text.quantities import count
        from .page import Page
        from .pages.summary import as_data, print_summary

        if self._show_logs:
            print_logs(run.run_folder)
        with reader_may_close():
            if self._form is RunFormat.json:
                print_object(as_data(run))
            else:
                print_summary(run, Page())
        if run.ok:
            return
        print_stderr([""] if self._form is RunFormat.text else [])
        if run.problem is not None:
            print_stderr(problem_lines(run.problem, run.outcome.seed))
        # The page says it already.
        page_is_there = self._form is RunFormat.text and seen_together()
        failed = failed_lines(run.failed)
        if failed and page_is_there:
            failed = [f"error: {len(failed)} of {count(len(run.verdicts), 'expectation')} failed"]
        print_stderr(failed)
        if run.exit_code != INTERRUPTED:
            folder = shown_path(run.run_folder, sys.stderr.isatty())
            print_stderr([] if page_is_there else [f"run folder: {folder}"])
            # Faults by hand are in the record alone: only a replay repeats them.
            replay = replay_command(folder)
            again = replay if run.touched else self._again(run.outcome.seed)
            print_stderr([f"reproduce:  {again}"])
            print_stderr([] if run.touched else [f"replay:     {replay}"])

    @contextlib.contextmanager
    def failures(self, seed: int | None) -> Iterator[None]:
        """Print an exception that comes instead of an outcome; it becomes the exit code."""
        self.seed = seed
        try:
            yield
        except typer.Exit:
            raise
        except (Exception, KeyboardInterrupt) as error:  # the last border: nothing is above it
            from ..runs.program_output import shown_path

            problem, folder = problem_of(error), getattr(error, "run_folder", "")
            if self._form is RunFormat.json:
                with reader_may_close():
                    print_object(_nothing_ran(problem, folder))
            if self._show_logs and folder:
                print_logs(Path(folder))
            print_stderr(problem_lines(problem, self.seed))
            shown = shown_path(Path(folder), sys.stderr.isatty()) if folder else ""
            print_stderr([f"run folder: {shown}"] if folder else [])
            if self.seed is not None and not isinstance(error, (InputError, KeyboardInterrupt)):
                print_stderr([f"reproduce:  {self._again(self.seed)}"])
                print_stderr([f"replay:     {replay_command(shown)}"] if _has_begun(folder) else [])
            raise typer.Exit(problem.exit_code) from error

    def _again(self, seed: int) -> str:
        return reproduce(
            str(self._file),
            seed,
            in_process=self._in_process,
            workers=self._workers,
            until=self._until,
            broker=self._broker,
            sets=self._sets,
        )


def _has_begun(run_folder: str) -> bool:
    """Whether there is something to replay."""
    from ..runs.run_folder import RunFolder

    return bool(run_folder) and RunFolder(Path(run_folder)).journal.exists()


def _nothing_ran(problem: Problem, run_folder: str) -> dict[str, Any]:
    from .pages.summary import nothing_ran

    return nothing_ran(problem, run_folder)


if __name__ == "__main__":
    main()
