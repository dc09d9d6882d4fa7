"""Running a topology from Python: `qnetem.run("metro.yaml")`. The command line stands on it too.

Owns the order of things around a run: load, override, check everything that can be wrong, run, judge
the expectations. Does not own processes (launcher, inprocess), a network under way (network.py), a run
that is over (ended.py), nor what is printed (cli).
Rule: a mistake in the input is raised before anything is started; a problem of a run is a value.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from .checks import check_programs
from .emulator.errors import InputError, ProgramFailed, UnitError
from .emulator.loading import Topology, with_seed, with_until
from .emulator.service.watchdog import silent_s
from .emulator.units import parse_ns
from .ended import Run
from .expect.expect import Expectation, judge, parse_expectations
from .inprocess.turns import Share, alone
from .sources import Source, read_source

if TYPE_CHECKING:
    from .emulator.loading.loader import MoreFaults
    from .emulator.topology.written.overrides import Overrides
    from .launcher.early import EarlyProcesses
    from .launcher.launcher import OnProgress, RunOptions
    from .runs.run_folder import RunResult


class RunKeywords(TypedDict, total=False):
    """What `qnetem.run`, `qnetem.launch` and the fixtures of the pytest plugin take beside the topology.

    Attributes:
        seed: in place of the topology's.
        until: the virtual time at which the run ends, such as `"10 s"`.
        overrides: values in place of the topology's, by their place in the file, e.g.
            `{"links.alice-bob.quantum.length": "40 km"}`; checked like the file.
        faults: more faults, e.g. `[{"at": "2 s", "for": "500 ms", "cut": "alice-bob"}]`.
        in_process: all nodes in this process, without a broker (False). They then have this process's
            hash seed, on which a program that goes through a set of text depends (docs/notebook.md).
        workers: so many processes share the nodes, dealt out in the order of the file (None: every node has
            its own). What nodes of one worker share is in docs/workers.md.
        broker: "auto", "mosquitto", "amqtt" or "host:port" of one that runs ("auto").
        broker_port: the port of the broker to start, for watchers (a free one).
        runs_folder: where the run folder is made ("runs").
    """

    seed: int | None
    until: str | None
    overrides: Overrides
    faults: MoreFaults
    in_process: bool
    workers: int | None
    broker: str
    broker_port: int | None
    runs_folder: str | Path


@dataclass(frozen=True)
class Plan:
    """A run that has been checked and not been started: what `run` and `launch` have in common."""

    topology: Topology
    expectations: list[Expectation]
    options: RunOptions
    in_process: bool
    share: Share

    def judged(self, result: RunResult) -> Run:
        """The run, with a verdict on every expectation if it came to its end."""
        outcome = result.outcome
        if not _came_to_its_end(self.topology, result):
            return Run(self.topology, result, [])
        verdicts = judge(self.expectations, outcome.results, outcome.metrics)
        return Run(self.topology, result, verdicts)


def run(
    source: Source,
    *,
    on_progress: OnProgress | None = None,
    **keywords: Unpack[RunKeywords],
) -> Run:
    """Run a topology to its end, each node in a process of its own (or all in this one).

    `source` is the path of a topology, its text (more than one line), the same as data, in which a program
    may be a class, or a Topology. The keywords are those of `RunKeywords`: seed, until, overrides, faults,
    in_process, workers, broker, broker_port, runs_folder. Blocks, in a notebook's cell and a coroutine too:
    where other tasks are to run meanwhile, use `launch`. Raises InputError for anything wrong with the
    topology, its programs or its expectations, before the start. Ctrl-C ends the run, then raises
    KeyboardInterrupt.
    """
    done = run_to_end(source, on_progress=on_progress, **keywords)
    if done.result.signal is not None:
        _pass_on(done)
    return done


def run_to_end(
    source: Source,
    *,
    on_progress: OnProgress | None = None,
    early: EarlyProcesses | None = None,
    **keywords: Unpack[RunKeywords],
) -> Run:
    """As `run`, for callers that report a run which a signal has ended: it is returned.

    `early` are processes that the command line has started.
    """
    with alone() if keywords.get("in_process") else nullcontext():
        planned = plan(source, **keywords)
        result = start(
            planned.topology, planned.options, planned.in_process, on_progress, planned.share, early
        )
        return planned.judged(result)


def plan(
    source: Source,
    *,
    seed: int | None = None,
    until: str | None = None,
    overrides: Overrides = (),
    faults: MoreFaults = (),
    in_process: bool = False,
    workers: int | None = None,
    broker: str = "auto",
    broker_port: int | None = None,
    runs_folder: str | Path = "runs",
) -> Plan:
    """Check everything that can be wrong before a run. Raises InputError."""
    from .broker.access import login_for
    from .launcher.launcher import RunOptions

    if in_process and (broker != "auto" or broker_port is not None):
        raise InputError("an in-process run has no broker: leave --broker and --broker-port out")
    check_workers(workers, in_process)
    silent_s(os.environ)
    topology = prepare(source, seed=seed, until=until, overrides=overrides, faults=faults)
    expectations = parse_expectations(topology)
    share = Share()
    with share.turn():
        check_programs(topology)
    options = RunOptions(
        broker=broker,
        broker_port=broker_port,
        runs_folder=Path(runs_folder),
        broker_login=login_for(broker, os.environ),
        workers=workers,
    )
    return Plan(topology, expectations, options, in_process, share)


def check_workers(workers: int | None, in_process: bool) -> None:
    """Raises InputError for a number of workers that cannot be."""
    if workers is None:
        return
    if type(workers) is not int or workers < 1:
        raise InputError(f"--workers {workers}: expected a whole number of processes from 1 on")
    if in_process:
        raise InputError("an in-process run has no workers: leave --workers or --in-process out")


def prepare(
    source: Source,
    *,
    seed: int | None = None,
    until: str | None = None,
    overrides: Overrides = (),
    faults: MoreFaults = (),
    folder: Path | None = None,
) -> Topology:
    """The topology to run: loaded if need be (`read_source`), with `seed` and `until` in place of its own."""
    topology = read_source(source, folder=folder, faults=faults, overrides=overrides)
    if seed is not None:
        topology = with_seed(topology, seed)
    if until is not None:
        topology = with_until(topology, _until_ns(until))
    return topology


def start(
    topology: Topology,
    options: RunOptions,
    in_process: bool,
    on_progress: OnProgress | None = None,
    share: Share | None = None,
    early: EarlyProcesses | None = None,
) -> RunResult:
    """Run a topology that has been checked. Raises as `run_processes` does."""
    if in_process:
        from .inprocess.network import run_in_process

        return run_in_process(topology, options.runs_folder, on_progress, share, options.inputs)
    if asyncio._get_running_loop() is not None:
        from .launcher.beside import run_beside_loop

        return run_beside_loop(topology, options, on_progress)
    from .launcher.launcher import run_processes

    return asyncio.run(run_processes(topology, options, on_progress, early=early))


def _pass_on(done: Run) -> None:
    """A signal has ended the run: now it does what it would have done without one.

    Else a loop of runs would continue after Ctrl-C, and a pool could not end its workers.
    """
    assert done.result.signal is not None
    try:
        signal.raise_signal(done.result.signal)
    except KeyboardInterrupt as error:
        error.add_note(f"the run has ended; run folder: {done.run_folder}")
        raise


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
