"""A journal on a disk that takes no more: in part, not at all, and in the middle of a run."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qnetem.agents.process.files import NodeJournal, Payload, decode_record
from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.loading.loader import parse_topology
from qnetem.emulator.record.journal import Journal
from qnetem.emulator.wire.framing import FrameSplitter
from qnetem.inprocess.network import InProcessNetwork
from qnetem.runs.run_folder import RunFolder

CLOCK = SimpleNamespace(now_ns=5, m=0)
FILE = """
name: pair
seed: 1
nodes:
  alice: {kind: endpoint, program: "qnetem.agents.protocols.teleportation:Sender", with: {peer: bob}}
  bob: {kind: endpoint, program: "qnetem.agents.protocols.teleportation:Receiver", with: {peer: alice}}
links:
  - {between: [alice, bob], quantum: {length: 10 km, entangle: {success: 1, fidelity: 1, attempt: 1 ms}}}
"""


class Reluctant:
    """A file that takes seven bytes at a time, as an unbuffered one may when its disk is nearly full."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: Any) -> int:
        self.taken += bytes(data[:7])
        return len(data[:7])


def test_a_write_that_takes_a_part_is_followed_by_the_rest(tmp_path: Path) -> None:
    journal = Journal(CLOCK, tmp_path / "journal.jsonl")
    assert journal._file is not None
    journal._file.close()
    reluctant = Reluctant()
    journal._file = reluctant  # type: ignore[assignment]
    journal.event("alice", "note", "a value", 1)
    journal.flush()
    assert reluctant.taken == b'[5,0,"alice","note","a value",1]\n'


class NearlyFull:
    """A real file on a disk that takes so many bytes more, and later some again."""

    def __init__(self, path: Path, room_bytes: int) -> None:
        self.file = path.open("wb", buffering=0)
        self.room_bytes = room_bytes

    def write(self, data: Any) -> int:
        if not self.room_bytes:
            self.room_bytes = 10_000
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self.file.write(data[: self.room_bytes]) or 0
        self.room_bytes -= taken
        return taken

    def __enter__(self) -> NearlyFull:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@contextlib.contextmanager
def nearly_full(file: Any, path: Path, room_bytes: int) -> Iterator[NearlyFull]:
    file.close()
    stand_in = NearlyFull(path, room_bytes)
    yield stand_in
    assert stand_in.file.closed


def test_a_journal_on_a_full_disk_ends_with_a_whole_line_and_takes_none_after_the_gap(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(CLOCK, path)
    with nearly_full(journal._file, path, 50) as file:
        journal._file = file  # type: ignore[assignment]
        for number in range(3):
            journal.event("alice", "note", "a value", number)
        with pytest.raises(InfrastructureError, match="No space left on device"):
            journal.flush()
        journal.event("alice", "note", "a value", 3)
        journal.close()
    assert path.read_bytes() == b'[5,0,"alice","note","a value",0]\n'


def test_a_nodes_journal_on_a_full_disk_ends_with_a_whole_record_and_takes_none_after_the_gap(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bob.1.bin"
    journal = NodeJournal(path)
    with nearly_full(journal._file, path, 50) as file:
        journal._file = file  # type: ignore[assignment]
        for number in range(3):
            journal.payload("alice", bytes([number]) * 20)
        with pytest.raises(InfrastructureError, match="No space left on device"):
            journal.flush()
        journal.payload("alice", b"later")
        journal.close()
    [body] = FrameSplitter().feed(path.read_bytes())
    assert decode_record(body) == Payload("alice", bytes(20))


def test_a_full_disk_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.symlink_to("/dev/full")
    journal = Journal(CLOCK, path)
    journal.event("alice", "note", "a value", 1)
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        journal.close()
    assert str(path) in str(caught.value)
    journal.close()  # what could not be written is not tried again


@pytest.mark.parametrize("flush_bytes", [0, 10**9], ids=["under way", "at the end"])
def test_a_run_whose_journal_cannot_be_written_ends_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_bytes: int
) -> None:
    monkeypatch.setattr("qnetem.emulator.record.journal._FLUSH_BYTES", flush_bytes)
    path = tmp_path / "journal.jsonl"
    path.symlink_to("/dev/full")
    outcome = InProcessNetwork(parse_topology(FILE), journal_path=path).run()
    assert outcome.problem is not None
    assert (outcome.problem.kind, outcome.problem.exit_code) == ("InfrastructureError", 3)
    assert "No space left on device" in outcome.problem.text and str(path) in outcome.problem.text


def test_a_journal_that_cannot_be_written_when_a_process_ends_is_named_too(tmp_path: Path) -> None:
    """The word of an exit comes from the launcher, on another way than the reports."""
    path = tmp_path / "journal.jsonl"
    network = InProcessNetwork(parse_topology(FILE), journal_path=path)
    world = network.world
    world._barrier.add("exit", "bob")

    def full() -> None:
        raise InfrastructureError("the disk is full")

    world._barrier.afterwards(full)
    world.exited("bob", 1, -9)
    assert world.outcome is not None and world.outcome.problem is not None
    assert world.outcome.problem.text == "the disk is full"


def test_a_nodes_journal_that_cannot_be_written_ends_the_run_by_name(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    path = tmp_path / "nodes" / "bob.1.bin"
    path.symlink_to("/dev/full")
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        InProcessNetwork(parse_topology(FILE), record_path=RunFolder(tmp_path).record).run()
    assert str(path) in str(caught.value)


def test_a_nodes_journal_that_cannot_be_written_under_way_is_the_runs_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qnetem.agents.process.files._MOST_RECORDS", 0)
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "bob.1.bin").symlink_to("/dev/full")
    outcome = InProcessNetwork(parse_topology(FILE), record_path=RunFolder(tmp_path).record).run()
    assert outcome.problem is not None
    assert (outcome.problem.kind, outcome.problem.exit_code) == ("InfrastructureError", 3)
