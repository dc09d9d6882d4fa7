"""What came from outside is in the record of its node, and nothing is replayed without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from qnetem.agents.process.files import JournalRecord, NodeJournal
from qnetem.compare.node_replay import replay_node
from qnetem.compare.replay import replay
from qnetem.emulator.errors import InputError
from qnetem.emulator.topology.model.topology import Topology
from qnetem.emulator.wire import Grant, Input, RecordedInput
from qnetem.inprocess.network import run_in_process
from qnetem.launcher.launcher import RunOptions
from qnetem.runs.node_record import node_record
from qnetem.runs.recorded import RecordedRun, open_run
from qnetem.runs.recorded_inputs import recorded_inputs

from ... import harness

MS = 1_000_000
FED = [
    RecordedInput(3 * MS, "a", 1, Input(1, 1, "json", b"7")),
    RecordedInput(5 * MS, "a", 1, Input(1, 2, "bytes", b"\xff\x00")),
    RecordedInput(6 * MS, "a", 1, Input(1, 3, "ended", b"")),
]


async def half(inside: Any) -> None:
    """It never runs: these runs repeat others."""


async def sizes(me: Any) -> Any:
    found = []
    async with me.outside(half) as requests:
        async for request in requests:
            found.append(request.body if isinstance(request.body, int) else len(request.body))
            request.reply(request.body)
    return found


def topology(record: str) -> Topology:
    return harness.network({"a": sizes, "b": harness.idle}, record=record)


def recorded(folder: Path, record: str = "full") -> RecordedRun:
    result = run_in_process(topology(record), folder / "runs", inputs=FED)
    assert result.outcome.results["a"] == [7, 2]
    return open_run(result.run_folder)


def again(run: RecordedRun) -> Any:
    options = RunOptions(runs_folder=run.path.parent.parent / "replays")
    return replay(run, options, in_process=True)


def test_all_inputs_are_read_back_and_a_replay_has_the_same_digest(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    assert recorded_inputs(run) == FED and run.end().nodes["a"].inputs == 3
    done = again(run)
    assert done.same and done.comparison.b.digest == run.digest
    alone = replay_node(run, "a")
    assert alone.same and alone.ended


def test_a_run_with_hashes_that_took_input_is_not_replayed(tmp_path: Path) -> None:
    run = recorded(tmp_path, "hashes")
    with pytest.raises(
        InputError, match="a took input from outside, and `record: hashes` keeps none"
    ):
        again(run)
    files = [path for path in run.path.rglob("*") if path.is_file() and path != run.folder.inputs]
    assert not any(b"\xff\x00" in path.read_bytes() for path in files)


def test_a_run_with_hashes_without_input_is_replayed_as_ever(tmp_path: Path) -> None:
    quiet = harness.network({"a": harness.idle}, record="hashes")
    assert again(open_run(run_in_process(quiet, tmp_path / "runs").run_folder)).same


def test_a_record_whose_requests_were_changed_is_refused_by_name(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    path = run.folder.record("a", 1)
    records = list(node_record(run, "a", 1).records())
    rewritten = NodeJournal(path)
    for each in records:
        rewritten.record(_with_other_inputs(each))
    rewritten.close()
    with pytest.raises(InputError, match=r"a\.1\.bin\.gz has been changed since the run"):
        again(run)


def _with_other_inputs(record: JournalRecord) -> JournalRecord:
    if isinstance(record, Grant) and record.inputs:
        inputs = [msgspec.structs.replace(each, data=b"8") for each in record.inputs]
        return msgspec.structs.replace(record, inputs=inputs)
    return record
