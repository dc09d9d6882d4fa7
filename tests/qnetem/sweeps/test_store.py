"""The runs on disk: whole lines, its owner's only, and what cannot be read is named."""

from __future__ import annotations

import math
import stat
from pathlib import Path

import pytest

from qnetem.emulator.errors import InputError
from qnetem.sweeps.store import RunStore
from qnetem.sweeps.worker import Task

from .runs import failing, record


def test_runs_are_found_again_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.runs.jsonl"
    infinite = record(Task({"a": "é\n"}, 1))
    infinite.metrics["bob.rate"] = {"count": 2.0, "mean": -math.inf, "std": math.inf}
    runs = {"one": infinite, "two": failing(Task({}, 2))}
    lost = failing(Task({}, 3), "InfrastructureError", 3)
    with RunStore(path) as store:
        store.add([("one", runs["one"])])
        store.add([("two", runs["two"]), ("three", lost)])
    assert path.read_bytes().count(b"\n") == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with RunStore(path) as store:
        assert store.known == runs


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "out.runs.jsonl"
    with RunStore(path) as store:
        store.add([("one", record(Task({}, 1)))])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-20])
    with RunStore(path) as store:
        store.add([("two", record(Task({}, 2)))])
    with RunStore(path) as store:
        assert list(store.known) == ["one", "two"]


def test_what_is_no_run_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "out.runs.jsonl"
    for text in ("{}\n", "no json\n", "[" * 100_000 + "\n", '{"key": "a", "record": {}}\n'):
        path.write_text(text)
        with (
            pytest.raises(InputError, match=r"out.runs.jsonl:1: no run of a sweep"),
            RunStore(path),
        ):
            pass
    with pytest.raises(InputError, match="cannot be read"), RunStore(tmp_path):
        pass
