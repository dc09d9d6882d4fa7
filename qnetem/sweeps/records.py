"""What one run of a sweep comes to, as plain data, and as a row of the table.

Owns the record that a worker gives (`RunRecord`), the row made of it, and the row's columns. Does not own the
run (worker.py). Rule: nothing in a row depends on the machine, on real time or on what else ran.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from ..emulator.wire.control import Problem
from ..expect.expect import look_up, standard_error

#: Endings that say nothing about the run itself: such a run is tried again when a sweep is resumed.
_OF_THE_MACHINE = frozenset(("InfrastructureError", "Interrupted", "NodeSilent"))
_BUG = 70


class VerdictRecord(msgspec.Struct):
    """A verdict on one expectation."""

    quantity: str
    ok: bool
    text: str


class RunRecord(msgspec.Struct):
    """A run that is over, or that its input did not let begin (`digest` empty).

    `failures`: a line for each expectation that does not hold. `wall_s`: real seconds of the whole run, its
    loading included; `cpu_s`: of the worker's processor time.
    """

    seed: int
    exit_code: int
    digest: str
    t_ns: int
    results: dict[str, Any]
    metrics: dict[str, dict[str, float]]
    verdicts: list[VerdictRecord]
    failures: list[str]
    problem: Problem | None
    wall_s: float
    cpu_s: float

    @property
    def lasting(self) -> bool:
        """Whether the same run would end like this again."""
        kind = self.problem.kind if self.problem is not None else ""
        return self.exit_code != _BUG and kind not in _OF_THE_MACHINE

    def number(self, quantity: str) -> float | None:
        """A result, or the mean or count of a metric, if it is a number; None after a run with a problem."""
        found = None if self.problem else look_up(quantity, self.results, self.metrics)
        value = None if found is None else found[0]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class Row:
    """One run of a sweep.

    Attributes:
        parameters: the swept values of this run, by key.
        seed: its seed.
        record: what it came to: digest, results, metrics with count, mean and std, verdicts, problem.
        command: the command that repeats it; empty when the topology is in no file.
    """

    parameters: Mapping[str, Any]
    seed: int
    record: RunRecord
    command: str

    @property
    def ok(self) -> bool:
        """The run ended well and every expectation holds."""
        return self.record.exit_code == 0

    @property
    def digest(self) -> str:
        """The run's digest; empty when nothing ran."""
        return self.record.digest

    @property
    def problem(self) -> str:
        """Why the run failed, on one line; empty when it did not."""
        record = self.record
        texts = [] if record.problem is None else [_headline(record.problem)]
        texts += [text.removeprefix("error: ") for text in record.failures]
        return "; ".join(" ".join(text.split()) for text in texts)

    def value(self, quantity: str) -> tuple[Any, float | None] | None:
        """What was measured, as `expect:` looks it up, and its standard error within this run."""
        return look_up(quantity, self.record.results, self.record.metrics)


def facts(row: Row) -> dict[str, Any]:
    """The columns that every row has, beside its parameters."""
    return {
        "seed": row.seed,
        "ok": row.ok,
        "ended": "well" if row.record.problem is None else row.record.problem.kind,
        "exit_code": row.record.exit_code,
        "digest": row.digest,
        "virtual_time_s": row.record.t_ns / 1e9,
    }


def measured(row: Row) -> dict[str, Any]:
    """Results and metrics by column, sorted.

    A metric has its mean (or count) under its name, its standard error under `.se` and its count under `.n`.
    """
    columns = dict(_flat("", row.record.results))
    for name, metric in row.record.metrics.items():
        if "mean" not in metric:
            columns.setdefault(name, int(metric["count"]))
            continue
        columns[f"{name}.mean" if name in columns else name] = metric["mean"]
        columns[f"{name}.se"] = standard_error(metric)
        columns[f"{name}.n"] = int(metric["count"])
    return dict(sorted(columns.items()))


def verdicts(row: Row) -> dict[str, str]:
    """A column for each expectation: whether it holds."""
    return {
        f"expect:{each.quantity}": "ok" if each.ok else "failed" for each in row.record.verdicts
    }


def _headline(problem: Problem) -> str:
    node = f"{problem.node}: " if problem.node and problem.node not in problem.text else ""
    return f"{problem.kind}: {node}{problem.text}"


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A result's parts by their dotted names; a list is one value, in JSON."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), part)
    elif isinstance(value, (Mapping, list, tuple)):
        if name:
            yield name, json.dumps(value, ensure_ascii=False)
    elif name and value is not None:
        yield name, value
