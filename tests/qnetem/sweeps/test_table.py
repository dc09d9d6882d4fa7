"""Columns and means of a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from qnetem.emulator.errors import InfrastructureError
from qnetem.sweeps.records import Row, RunRecord, VerdictRecord, measured
from qnetem.sweeps.table import Sweep, csv_text
from qnetem.sweeps.worker import Task

from .runs import failing, record


def row(length: int, seed: int, made: RunRecord | None = None, value: float | None = None) -> Row:
    task = Task({"length": f"{length} km"}, seed)
    return Row(task.overrides, seed, made or record(task, value), "qnetem run x.yaml")


def test_a_mean_is_over_the_seeds_that_ended_well() -> None:
    values = [(1, 0.1), (1, 0.3), (1, 0.2), (2, 0.5)]
    rows = [row(length, seed, value=value) for seed, (length, value) in enumerate(values)]
    rows.append(row(1, 9, failing(Task({"length": "1 km"}, 9))))
    first, second = Sweep(["length"], rows).means("bob.qber")
    assert first.mean == pytest.approx(0.2) and first.seeds == 3
    assert first.error == pytest.approx(0.1 / 3**0.5)
    assert (second.mean, second.error, second.seeds) == (0.5, None, 1)
    assert Sweep(["length"], rows).means("bob.rate") == []


def test_results_are_flat_and_lists_are_one_cell() -> None:
    results = {
        "alice": {"bits": [1, 0], "deep": {"a": {"b": 2}, "none": None, "empty": {}}, "ok": True},
        "bob": 3,
        "carol": None,
    }
    made = record(Task({}, 1), 0.5)
    made.results = results
    columns = measured(row(1, 1, made))
    assert {key: value for key, value in columns.items() if key[0] in "ac" or key == "bob"} == {
        "alice.bits": "[1, 0]",
        "alice.deep.a.b": 2,
        "alice.deep.empty": "{}",
        "alice.ok": True,
        "bob": 3,
    }


def test_a_result_goes_before_a_metric_of_its_name() -> None:
    made = record(Task({}, 1), 0.5)
    made.results = {"bob": {"qber": 0.4}}
    columns = measured(row(1, 1, made))
    assert (columns["bob.qber"], columns["bob.qber.mean"], columns["bob.qber.n"]) == (0.4, 0.5, 9)


def test_every_row_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    bad = failing(Task({}, 1))
    judged = record(Task({}, 2), 0.5, exit_code=1, failures=["error: expected a < 1, measured 2"])
    judged.verdicts = [VerdictRecord("a", False, "off"), VerdictRecord("b", True, "holds")]
    judged.results = {"alice": 'two\nlines, "quoted"'}
    sweep = Sweep(["length"], [row(1, 1, bad), row(1, 2, judged)])
    assert len(csv_text(sweep).splitlines()) == 3
    first, second = csv.DictReader(io.StringIO(csv_text(sweep)))
    assert first["problem"] == "ProgramFailed: alice: ValueError: no more at all"
    assert (first["ok"], first["ended"], first["exit_code"]) == ("false", "ProgramFailed", "1")
    assert second["problem"] == "expected a < 1, measured 2"
    assert (second["ended"], second["expect:a"], second["expect:b"]) == ("well", "failed", "ok")
    assert list(first)[:3] == ["length", "seed", "ok"] and list(first)[-2:] == [
        "problem",
        "command",
    ]
    assert [each.seed for each in sweep.failed] == [1, 2]
    sweep.to_csv(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == csv_text(sweep)
    with pytest.raises(InfrastructureError, match="cannot be written"):
        sweep.to_csv(tmp_path / "none" / "t.csv")


def test_what_the_machine_did_to_a_run_is_not_kept() -> None:
    task = Task({}, 1)
    assert record(task).lasting and failing(task).lasting
    assert failing(task, "StuckError", 3).lasting
    assert not failing(task, "InfrastructureError", 3).lasting
    assert not failing(task, "InternalError", 70).lasting
