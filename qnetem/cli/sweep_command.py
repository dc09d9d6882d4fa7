"""`qnetem sweep FILE` and `qnetem plot TABLE`.

Owns their options, the line that shows how far a sweep is, and the exit code of a sweep, which is that of its
worst run. Does not own the sweep (sweeps/) nor the picture (plots/).

Rule: the table goes to the file of `--csv`, or to standard output; all else to standard error.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..emulator.errors import InputError
from ..text.error_output import INTERRUPTED, print_stderr
from ..text.quantities import count
from .help import RECORDED, RUNNING
from .terminal import errors_on_standard_error, reader_may_close, standard_output_kept

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..sweeps.sweep import SweepProgress
    from ..sweeps.table import Sweep

#: Failed runs whose commands are shown.
_MOST_SHOWN = 3
#: Real seconds between two lines of progress where there is no terminal.
_LINE_S = 30.0


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("sweep", rich_help_panel=RUNNING)(sweep_command)
    app.command("plot", rich_help_panel=RECORDED)(plot_command)


def sweep_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A topology (YAML).")],
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUES",
            help='Values to sweep over: "KEY=10 km,20 km", or "KEY=10..200 km/20" for 20 between.',
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="SEEDS", help="Seeds of each point: 0..19, or 1,5,9.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help='Take seeds until a standard error is reached: "bob.qber +- 0.001".',
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Write the table here; what is done is kept beside it."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of this machine (one for each core).")
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on a Dask cluster: tcp://scheduler:8786."),
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep a run folder of each run here.")
    ] = None,
) -> None:
    """Run a topology over values and seeds, and write a table."""
    with errors_on_standard_error():
        from ..sweeps.sweep import sweep

        parameters, progress = _parameters(sets, seeds), _Progress()
        try:
            with _executor(dask) as executor, standard_output_kept(), progress:
                done = sweep(
                    file,
                    parameters,
                    executor=executor,
                    workers=workers,
                    until=until,
                    csv=csv,
                    runs_folder=runs,
                    on_progress=progress,
                )
        except KeyboardInterrupt:
            print_stderr(_interrupted(progress, csv))
            raise typer.Exit(INTERRUPTED) from None
        if csv is None:
            from ..sweeps.table import csv_text

            with reader_may_close():
                sys.stdout.write(csv_text(done))
        print_stderr(_summary(done, csv, progress, until))
        raise typer.Exit(_exit_code(done))


def plot_command(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="A table of qnetem sweep (CSV).")],
    x: Annotated[str, typer.Option(metavar="COLUMN", help="The parameter along the x axis.")],
    y: Annotated[str, typer.Option(metavar="COLUMN", help="The quantity along the y axis.")],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="PICTURE", help="A file that ends in svg, pdf or png."),
    ],
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A parameter with a series for each value.")
    ] = None,
    theory: Annotated[
        str | None,
        typer.Option(
            metavar="FORMULA", help="A closed form, as `expect:` has it; x is the number at x."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The topology whose links the formula names."),
    ] = None,
    log_x: Annotated[bool, typer.Option("--log-x", help="A logarithmic x axis.")] = False,
    log_y: Annotated[bool, typer.Option("--log-y", help="A logarithmic y axis.")] = False,
    x_label: Annotated[str | None, typer.Option(metavar="TEXT", help="Along the x axis.")] = None,
    y_label: Annotated[str | None, typer.Option(metavar="TEXT", help="Along the y axis.")] = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Above the picture.")] = "",
) -> None:
    """Draw a quantity of a sweep, with error bars, over a closed form."""
    with errors_on_standard_error():
        from ..plots.plot import plot

        plot(
            table,
            x,
            y,
            out,
            by=by,
            theory=theory,
            file=file,
            log_x=log_x,
            log_y=log_y,
            x_label=x_label,
            y_label=y_label,
            title=title,
        )


def _parameters(sets: list[str] | None, seeds: str | None) -> dict[str, Any]:
    from ..sweeps.axes import SEED, axis_of_text, seeds_of_text

    parameters: dict[str, Any] = {}
    for text in sets or ():
        key, values = axis_of_text(text)
        if key in parameters:
            raise InputError(f"--set {key}: given twice; write its values with commas")
        parameters[key] = values
    if seeds is not None:
        if SEED in parameters:
            raise InputError("--seeds: --set has the seeds already")
        parameters[SEED] = seeds_of_text(seeds)
    return parameters


@contextlib.contextmanager
def _executor(address: str | None) -> Iterator[Executor | None]:
    """The executor of a Dask cluster, if there is an address."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("--dask needs Dask: pip install 'qnetem[cluster]'") from error
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(f"--dask {address}: {error}") from error
    with client:
        yield client.get_executor()


class _Progress:
    """One line on a terminal, or one every half minute where there is none."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._began_s = self._line_s = time.monotonic()
        self.last: SweepProgress | None = None

    @property
    def passed_s(self) -> float:
        """Real seconds so far."""
        return time.monotonic() - self._began_s

    def __enter__(self) -> _Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, progress: SweepProgress) -> None:
        """Show it."""
        from rich.text import Text

        self.last = progress
        line = progress_text(progress)
        if self._console.is_terminal:
            self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)
        elif time.monotonic() - self._line_s >= _LINE_S:
            self._line_s = time.monotonic()
            print_stderr([line])


def progress_text(progress: SweepProgress) -> str:
    """`120 of 400 runs  2 failed  about 31 s left`."""
    parts = [f"{progress.done:,} of {progress.wanted:,} runs"]
    parts += [f"{progress.failed:,} failed"] if progress.failed else []
    if progress.remaining_s is not None:
        parts.append(f"about {_span(progress.remaining_s)} left")
    return "  ".join(parts)


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _interrupted(progress: _Progress, csv: Path | None) -> list[str]:
    done = progress.last.done if progress.last is not None else 0
    if csv is None:
        return [f"interrupted after {count(done, 'run')}; with --csv they would have been kept"]
    return [f"interrupted: {count(done, 'run')} in {csv}; the same command continues"]


def _summary(done: Sweep, csv: Path | None, progress: _Progress, until: str | None) -> list[str]:
    failed = done.failed
    found = progress.last.found if progress.last is not None else 0
    kept = f", {found:,} of them from before" if found else ""
    where = f" in {csv}" if csv is not None else ""
    lines = [f"{count(len(done), 'run')}{where}{kept}: {_span(progress.passed_s)}"]
    if not done.reached:
        lines.append(f"until {until}: not reached at every point with these seeds")
    if failed:
        lines.append(f"{len(failed):,} failed:")
        for row in failed[:_MOST_SHOWN]:
            lines += [f"  {row.problem}", f"    {row.command}"]
        more = len(failed) - _MOST_SHOWN
        lines += [f"  and {more:,} more: columns problem and command"] if more > 0 else []
    return lines


def _exit_code(done: Sweep) -> int:
    return max((row.record.exit_code for row in done), default=0)
