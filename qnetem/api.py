"""Running a topology from Python: `qnetem.run("metro.yaml")`. The command line stands on it too.

Owns the order of things around a run: load, override, check everything that can be wrong, run, judge
the expectations. Does not own processes (launcher, inprocess), a network under way (network.py), the checks
behind `Run.assert_...` (assertions.py), nor what is printed (cli).
Rule: a mistake in the input is raised before anything is started; a problem of a run is a value.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from . import assertions
from .checks import check_programs
from .emulator.errors import InputError, ProgramFailed, UnitError
from .emulator.loading import Topology, with_seed, with_until
from .emulator.service.watchdog import silent_s
from .emulator.topology.model.faults import LIVE
from .emulator.units import parse_ns
from .emulator.wire.control import Outcome, Problem
from .expect.expect import Expectation, Verdict, judge, parse_expectations
from .inprocess.turns import Share, alone
from .sources import Source, read_source

if TYPE_CHECKING:
    from .emulator.loading.loader import MoreFaults
    from .launcher.launcher import OnProgress, RunOptions
    from .runs.events import Event
    from .runs.run_folder import RunResult


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

    @property
    def touched(self) -> bool:
        """Whether faults were added or healed by hand: then only the record knows what happened."""
        return any(fault.asked or fault.id.startswith(LIVE) for fault in self.outcome.faults)

    def events(self, entity: str | None = None, kind: str | None = None) -> list[Event]:
        """The journal: the events in order, of one entity (a node, a link) and of one kind if named.

        Reads the file. Raises InputError when the run kept none (`record: hashes`).
        """
        from .runs.events import read_events

        return [
            event
            for event in read_events(self.run_folder)
            if entity in (None, event.entity) and kind in (None, event.kind)
        ]

    def assert_ok(self) -> None:
        """The run ended well and every expectation of the topology holds; else AssertionError."""
        __tracebackhide__ = True
        assertions.ended_well(self)

    def assert_result(self, quantity: str, expected: str) -> None:
        """`assert_result("bob.qber", "< 0.11")`: what `expect:` may say of a result or a metric holds.

        `"~ teleported(pair('alice-bob'))"` and every other form too. Raises AssertionError with what was
        measured, its standard error and count; InputError when `expected` cannot be read.
        """
        __tracebackhide__ = True
        assertions.result(self, quantity, expected)

    def assert_fidelity(
        self,
        probe: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        about: float | None = None,
    ) -> None:
        """The mean of what `await self.probe("pair", ...)` noted at bob ("bob.pair") is within the bounds.

        `about`: within three standard errors. Raises AssertionError.
        """
        __tracebackhide__ = True
        assertions.bounds(self, f"{probe}.fidelity", at_least, at_most, about)

    def assert_rate(
        self,
        metric: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        about: float | None = None,
    ) -> None:
        """How often a metric was counted or observed, per virtual second of the whole run, in Hz.

        `about`: within three standard errors, sqrt(count) / time. Raises AssertionError.
        """
        __tracebackhide__ = True
        assertions.rate(self, metric, at_least, at_most, about)

    def assert_events(self, expected: Sequence[tuple[Any, ...]]) -> None:
        """These events are in the journal in this order, with any others between them.

        Each is `(entity, kind, *fields)` as in the journal; fields may be left out from the right, and
        `...` stands for anything. Raises AssertionError, which names the first that is missing.
        """
        __tracebackhide__ = True
        assertions.in_order(self, expected)


class RunKeywords(TypedDict, total=False):
    """What `qnetem.run`, `qnetem.launch` and the fixtures of the pytest plugin take beside the topology.

    Attributes:
        seed: in place of the topology's.
        until: the virtual time at which the run ends, such as `"10 s"`.
        faults: more faults, e.g. `[{"at": "2 s", "for": "500 ms", "cut": "alice-bob"}]`.
        in_process: all nodes in this process, without a broker (False). The programs then see this
            process's hash seed and time zone: the command line fixes them by starting itself anew.
        broker: "auto", "mosquitto", "amqtt" or "host:port" of one that runs ("auto").
        broker_port: the port of the broker to start, for watchers (a free one).
        runs_folder: where the run folder is made ("runs").
    """

    seed: int | None
    until: str | None
    faults: MoreFaults
    in_process: bool
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
    may be a class, or a Topology. The keywords are those of `RunKeywords`: seed, until, faults, in_process,
    broker, broker_port, runs_folder. Blocks; a coroutine uses `launch`. Raises InputError for anything wrong
    with the topology, its programs or its expectations, before the start.
    """
    if asyncio._get_running_loop() is not None:
        raise InputError("run() would block the event loop: use `async with qnetem.launch(...)`")
    with alone() if keywords.get("in_process") else nullcontext():
        planned = plan(source, **keywords)
        result = start(
            planned.topology, planned.options, planned.in_process, on_progress, planned.share
        )
        return planned.judged(result)


def plan(
    source: Source,
    *,
    seed: int | None = None,
    until: str | None = None,
    faults: MoreFaults = (),
    in_process: bool = False,
    broker: str = "auto",
    broker_port: int | None = None,
    runs_folder: str | Path = "runs",
) -> Plan:
    """Check everything that can be wrong before a run. Raises InputError."""
    from .broker.access import login_for
    from .launcher.launcher import RunOptions

    if in_process and (broker != "auto" or broker_port is not None):
        raise InputError("an in-process run has no broker: leave --broker and --broker-port out")
    silent_s(os.environ)
    topology = prepare(source, seed=seed, until=until, faults=faults)
    expectations = parse_expectations(topology)
    share = Share()
    with share.turn():
        check_programs(topology)
    options = RunOptions(
        broker=broker,
        broker_port=broker_port,
        runs_folder=Path(runs_folder),
        broker_login=login_for(broker, os.environ),
    )
    return Plan(topology, expectations, options, in_process, share)


def prepare(
    source: Source,
    *,
    seed: int | None = None,
    until: str | None = None,
    faults: MoreFaults = (),
    folder: Path | None = None,
) -> Topology:
    """The topology to run: loaded if need be (`read_source`), with `seed` and `until` in place of its own."""
    topology = read_source(source, folder=folder, faults=faults)
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
) -> RunResult:
    """Run a topology that has been checked. Raises as `run_processes` does."""
    if in_process:
        from .inprocess.network import run_in_process

        return run_in_process(topology, options.runs_folder, on_progress, share, options.inputs)
    from .launcher.launcher import run_processes

    return asyncio.run(run_processes(topology, options, on_progress))


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
