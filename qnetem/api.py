"""Running a topology from Python: `qnetem.run("metro.yaml")`. The command line stands on it too.

Owns the order of things around a run: load, override, check everything that can be wrong, run, judge
the expectations. Does not own processes (supervisor.py, inprocess.py) nor what is printed (summary.py).
Rule: a mistake in the input is raised before anything is started; what goes wrong in a run is a value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checks import check_programs
from .emulator.control import Outcome, Problem, Progress
from .emulator.errors import InputError, ProgramFailed, UnitError
from .emulator.topology import load_topology
from .emulator.units import parse_ns
from .expect import Verdict, judge, parse_expectations

if TYPE_CHECKING:
    from .emulator.topology import Topology
    from .supervisor import RunOptions, RunResult

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Run:
    """A run that is over.

    `topology` is as it was run (seed and `until` overridden); `verdicts` has one entry for each
    expectation, and is empty when the run itself did not end well.
    """

    topology: Topology
    result: RunResult
    verdicts: list[Verdict]

    @property
    def outcome(self) -> Outcome:
        """What the emulator reports: times, nodes, results, metrics."""
        return self.result.outcome

    @property
    def digest(self) -> str:
        """One hash of everything that happened: equal for equal seed and topology."""
        return self.outcome.digest

    @property
    def results(self) -> dict[str, Any]:
        """What each program's `run()` returned, by node."""
        return self.outcome.results

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Counts and statistics of what was recorded, by name."""
        return self.outcome.metrics

    @property
    def problem(self) -> Problem | None:
        """Why the run did not end well, or None."""
        return self.outcome.problem

    @property
    def run_folder(self) -> Path:
        """Where the journal, logs and resolved topology are."""
        return self.result.run_folder

    @cached_property
    def failed(self) -> list[Verdict]:
        """The expectations that do not hold."""
        return [verdict for verdict in self.verdicts if not verdict.ok]

    @property
    def exit_code(self) -> int:
        """0 done, 1 a program or an expectation failed, 3 stuck or lost, 70 a bug, 130 interrupted."""
        return self.result.exit_code or (1 if self.failed else 0)

    @property
    def ok(self) -> bool:
        """The run ended well and every expectation holds."""
        return self.exit_code == 0


def run(
    source: str | Path | Topology,
    *,
    seed: int | None = None,
    until: str | None = None,
    in_process: bool = False,
    broker: str = "auto",
    broker_port: int | None = None,
    runs_folder: str | Path = "runs",
    on_progress: OnProgress | None = None,
) -> Run:
    """Run a topology to its end, each node in a process of its own (or all in this one).

    `until` is a virtual time such as `"10 s"`. With `in_process` the programs see this process's hash seed
    and time zone: the command line fixes them by starting itself anew, this cannot. Blocks; from a
    coroutine, call it in a thread. Raises InputError for anything wrong with the topology, its programs
    or its expectations, before the start.
    """
    if in_process and (broker != "auto" or broker_port is not None):
        raise InputError("an in-process run has no broker: leave --broker and --broker-port out")
    topology = prepare(source, seed=seed, until=until)
    expectations = parse_expectations(topology)
    check_programs(topology)
    options = _options(broker, broker_port, Path(runs_folder))
    result = _start(topology, options, in_process, on_progress)
    outcome = result.outcome
    judged = _came_to_its_end(topology, result)
    verdicts = judge(expectations, outcome.results, outcome.metrics) if judged else []
    return Run(topology, result, verdicts)


def prepare(
    source: str | Path | Topology, *, seed: int | None = None, until: str | None = None
) -> Topology:
    """The topology to run: loaded if it is a file, with `seed` and `until` in place of its own."""
    topology = load_topology(source) if isinstance(source, (str, Path)) else source
    if seed is not None:
        topology = topology.with_seed(seed)
    if until is not None:
        topology = topology.with_until(_until_ns(until))
    return topology


def _until_ns(until: str) -> int:
    try:
        until_ns = parse_ns(until)
    except UnitError as error:
        raise InputError(f"until: {error}") from error
    if until_ns <= 0:
        raise InputError(f"until: a run needs some time, not {until!r}")
    return until_ns


def _came_to_its_end(topology: Topology, result: RunResult) -> bool:
    """Whether expectations make sense: after a broken run each would fail for the same reason."""
    problem = result.outcome.problem
    if problem is None:
        return result.exit_code == 0
    return topology.on_error == "continue" and problem.kind == ProgramFailed.__name__


def _options(broker: str, broker_port: int | None, runs_folder: Path) -> RunOptions:
    from .supervisor import RunOptions

    return RunOptions(broker=broker, broker_port=broker_port, runs_folder=runs_folder)


def _start(
    topology: Topology, options: RunOptions, in_process: bool, on_progress: OnProgress | None
) -> RunResult:
    if in_process:
        from .inprocess import run_in_process

        return run_in_process(topology, options, on_progress)
    from .supervisor import run_processes

    return asyncio.run(run_processes(topology, options, on_progress))
