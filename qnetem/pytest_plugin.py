"""The pytest plugin: fixtures that run networks, and the section of a failed test about its runs.

Owns the command line options, the fixtures `network` and `launch_network`, and a section in the
report of a failed test: run folder, seed, how each run ended, the command that repeats it. Does not own
the assertions (`Run.assert_...`), which need no pytest.

Rule: pytest imports this module in every project where qnetem is installed, so it imports nothing of
qnetem before a fixture is called, and needs no other plugin: `async def` tests run under any plugin for them.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pytest

if TYPE_CHECKING:
    from .api import RunKeywords
    from .emulator.errors import InputError, QnetemError
    from .emulator.loading import Topology
    from .ended import Run
    from .network import Network
    from .sources import Source


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, each with our name in it."""
    group = parser.getgroup("qnetem", "networks of qnetem")
    group.addoption(
        "--qnetem-seed",
        type=int,
        metavar="N",
        help="seed of every run whose test does not give one, in place of the topology's",
    )
    group.addoption(
        "--qnetem-in-process",
        action="store_true",
        default=True,
        dest="qnetem_in_process",
        help="run all nodes in pytest's own process (the default)",
    )
    group.addoption(
        "--qnetem-processes",
        action="store_false",
        dest="qnetem_in_process",
        help="run every node in a process of its own, over a broker",
    )
    group.addoption(
        "--qnetem-workers",
        type=int,
        metavar="K",
        help="run the nodes in K processes, over a broker",
    )
    group.addoption(
        "--qnetem-runs-folder",
        metavar="DIR",
        help="folder of the run folders, in place of one in the test's tmp_path",
    )
    group.addoption(
        "--qnetem-keep-run",
        action="store_const",
        const="runs",
        dest="qnetem_runs_folder",
        help="the same as --qnetem-runs-folder runs",
    )


@pytest.fixture
def network(request: pytest.FixtureRequest, tmp_path: Path) -> RunNetwork:
    """Runs a network to its end: `run = network("coin.yaml", seed=3)`. For plain `def` tests."""
    return RunNetwork(request, tmp_path)


@pytest.fixture
def launch_network(request: pytest.FixtureRequest, tmp_path: Path) -> LaunchNetwork:
    """Starts a network: `async with launch_network("coin.yaml") as network:`. For `async def` tests."""
    return LaunchNetwork(request, tmp_path)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add the section to a failed test's report. Sections reach the terminal from xdist workers too."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    records = item.stash.get(_RECORDS, [])
    if report.failed and records:
        from .emulator import plain_text

        above = report.longreprtext
        lines = [line for record in records for line in record.lines(above)]
        lines.append(f"again       {_command(item)}")
        report.sections.append(("qnetem", plain_text.lines("\n".join(lines))))


# --- behind the fixtures ---------------------------------------------------------------------------


@dataclass
class _Record:
    """One run of a test: `run` once it is over, `network` where there is one."""

    topology: Topology
    in_process: bool
    workers: int | None
    runs_folder: Path
    run: Run | None = None
    network: Network | None = None
    error: QnetemError | None = None

    def lines(self, above: str) -> list[str]:
        """Which run it was, where it is recorded and how it ended; `above`: the report so far."""
        from .text.error_output import replay_command

        run = self.network.run if self.network is not None else self.run
        place = "in one process" if self.in_process else "as processes"
        if self.workers is not None:
            place = f"on {self.workers} workers"
        lines = [
            f"run         {self.topology.name}, seed {self.topology.seed}, {place}",
            f"run folder  {self._folder(run)}",
        ]
        if run is not None:
            lines.append(f"digest      {run.digest}")
        ending = "\n".join(self._ending(run)).splitlines()
        if run is not None and len(ending) > 1 and all(line in above for line in ending):
            ending = [f"with {run.problem.kind if run.problem else 'what failed'}, as shown above"]
        lines += [f"{'' if index else 'ended':12}{line}" for index, line in enumerate(ending)]
        if run is not None and run.touched:
            lines.append(f"replay      {replay_command(run.run_folder)}")
        return lines

    def _folder(self, run: Run | None) -> Path | str:
        if run is not None:
            return run.run_folder
        if self.network is not None and self.network.started:
            return self.network.run_folder
        return (self.error.run_folder if self.error else "") or f"none yet in {self.runs_folder}"

    def _ending(self, run: Run | None) -> list[str]:
        from .text.error_output import failed_lines, problem_lines

        if run is None:
            unknown = "unknown: the test has not awaited finished()"
            return [f"with {type(self.error).__name__}" if self.error else unknown]
        problem = run.problem
        lines = ["well"] if problem is None else problem_lines(problem, self.topology.seed)
        return lines + failed_lines(run.failed)


_RECORDS = pytest.StashKey[list[_Record]]()


def _mistake(error: InputError) -> InputError:
    """A mistake in the test, without our own lines in its traceback, and with the others in the topology."""
    for other in getattr(error, "others", []):
        error.add_note(str(other))
    return error.with_traceback(None)


def _command(item: pytest.Item) -> str:
    """How the test is repeated with the same seeds, from where pytest was started."""
    option = item.config.option
    file = os.path.relpath(item.path, item.config.invocation_params.dir)
    words = ["pytest", "::".join([file, *item.nodeid.split("::")[1:]])]
    words += [] if option.qnetem_seed is None else ["--qnetem-seed", str(option.qnetem_seed)]
    if option.qnetem_workers is not None:
        words += ["--qnetem-workers", str(option.qnetem_workers)]
    elif not option.qnetem_in_process:
        words += ["--qnetem-processes"]
    return shlex.join(words)


class _Fixture:
    """What both fixtures know of their test."""

    def __init__(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self._option = request.config.option
        self._folder = request.path.parent
        here = request.config.invocation_params.dir
        kept = self._option.qnetem_runs_folder
        self._runs_folder = tmp_path / "runs" if kept is None else here / kept
        self._records = request.node.stash.setdefault(_RECORDS, [])

    def _begin(
        self,
        source: Source,
        keywords: RunKeywords,
    ) -> tuple[_Record, RunKeywords]:
        """The topology to run, and the keywords that are not in it already."""
        from .api import prepare

        rest = keywords.copy()
        seed = rest.pop("seed", None)
        topology = prepare(
            source,
            seed=self._option.qnetem_seed if seed is None else seed,
            until=rest.pop("until", None),
            overrides=rest.pop("overrides", ()),
            faults=rest.pop("faults", ()),
            folder=self._folder,
        )
        if rest.get("in_process") is None:
            if rest.get("workers") is None:
                rest["workers"] = self._option.qnetem_workers
            rest["in_process"] = self._option.qnetem_in_process and rest["workers"] is None
        rest.setdefault("runs_folder", self._runs_folder)
        record = _Record(
            topology, rest["in_process"], rest.get("workers"), Path(rest["runs_folder"])
        )
        self._records.append(record)
        return record, rest


class RunNetwork(_Fixture):
    """The fixture `network`."""

    def __call__(self, source: Source, **keywords: Unpack[RunKeywords]) -> Run:
        """Run to the end; arguments and errors are those of `qnetem.run`.

        A relative `source`, and "./file.py:Class" in text or data, is looked for beside the test's file.
        `seed` goes before --qnetem-seed, `in_process` and `workers` before the command line's choice. Ctrl-C
        ends the run and the session: raises KeyboardInterrupt.
        """
        __tracebackhide__ = True
        from .api import run_to_end
        from .emulator.errors import InputError, Interrupted, QnetemError

        record: _Record | None = None
        try:
            record, rest = self._begin(source, keywords)
            record.run = run_to_end(record.topology, **rest)
        except InputError as error:
            raise _mistake(error) from error.__cause__
        except Interrupted as error:
            raise KeyboardInterrupt from error
        except QnetemError as error:
            if record is not None:
                record.error = error
            raise
        if record.run.exit_code == Interrupted.exit_code:
            raise KeyboardInterrupt
        return record.run


class LaunchNetwork(_Fixture):
    """The fixture `launch_network`."""

    def __call__(self, source: Source, **keywords: Unpack[RunKeywords]) -> Network:
        """A network for `async with`; arguments as for `network`, errors as of `qnetem.launch`."""
        __tracebackhide__ = True
        from .emulator.errors import InputError
        from .network import launch

        try:
            record, rest = self._begin(source, keywords)
            record.network = launch(record.topology, **rest)
        except InputError as error:
            raise _mistake(error) from error.__cause__
        return record.network
