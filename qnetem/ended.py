"""A run that is over: `Run`, which `qnetem.run` gives.

Owns what can be asked of it. Does not own the checks behind `Run.assert_...` (assertions.py), nor how a
notebook shows it (notebook/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import assertions
from .emulator.topology.model.faults import LIVE
from .emulator.wire.control import Outcome, Problem
from .expect.expect import Verdict

if TYPE_CHECKING:
    import pandas

    from .emulator.loading import Topology
    from .runs.events import Event
    from .runs.run_folder import RunResult


@dataclass(frozen=True, repr=False)
class Run:
    """A run that is over.

    `topology` is as it was run (seed and `until` overridden); `verdicts` has one entry for each
    expectation, and is empty when the run itself did not end well.
    """

    topology: Topology
    result: RunResult
    verdicts: list[Verdict]

    def __repr__(self) -> str:
        from .notebook.run_html import one_line

        return one_line(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: picture, expectations, results, metrics."""
        from .notebook.run_html import run_html

        return run_html(self)

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
    def virtual_time_s(self) -> float:
        """The virtual time at which it ended, in seconds; `outcome.t_ns` is exact."""
        return self.outcome.t_ns / 1e9

    @property
    def wall_time_s(self) -> float:
        """How long it took from the first instant to the last, in real seconds."""
        return self.outcome.wall_s

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

    def to_pandas(self, of: Literal["metrics", "events"] = "metrics") -> pandas.DataFrame:
        """Metrics or events as a table. Raises InputError where pandas is not installed.

        "metrics": a row a metric, by its name; columns count, mean, std, min, max, last, standard_error, with
        NaN where a metric was only counted. "events": a row an event of the journal; columns t_ns, time_s, m,
        entity, kind, fields (a tuple). `attrs` of the table holds name, seed and digest.
        """
        from .notebook.tables import table

        return table(self, of)

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
