"""A journal on a disk that takes no more: in part, not at all, and in the middle of a run."""

from __future__ import annotations

import contextlib
import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qnetem.agents.process.files import Gathered, NodeJournal, Payload, decode_record
from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.loading.loader import parse_topology
from qnetem.emulator.record.journal import Journal
from qnetem.emulator.wire import compressed as compressed_files
from qnetem.emulator.wire.compressed import CompressedFile
from qnetem.emulator.wire.framing import FrameSplitter
from qnetem.inprocess.network import InProcessNetwork
from qnetem.runs.run_folder import RunFolder
from tests.harness import content

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


class NearlyFull:
    """A real file on a disk that takes so many bytes more, and later some again."""

    def __init__(self, path: Path, room_bytes: int, file: Any = None) -> None:
        self.file = file or path.open("ab", buffering=0)
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
def nearly_full(compressed: CompressedFile, path: Path, room_bytes: int) -> Iterator[None]:
    compressed.file.close()
    stand_in = NearlyFull(path, room_bytes)
    compressed.file = stand_in  # type: ignore[assignment]
    yield
    assert stand_in.file.closed


@contextlib.contextmanager
def nearly_full_for_all(monkeypatch: pytest.MonkeyPatch, room_bytes: int) -> Iterator[None]:
    """The same for files that are opened for each write."""
    write_whole = compressed_files._write_whole

    def write(file: Any, data: bytes, size: int) -> None:
        write_whole(NearlyFull(Path(), room_bytes, file), data, size)  # type: ignore[arg-type]

    monkeypatch.setattr(compressed_files, "_write_whole", write)
    yield


def test_a_journal_on_a_full_disk_ends_with_what_was_written_before_and_takes_none_after_the_gap(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.jsonl.gz"
    journal = Journal(CLOCK, path)
    journal.event("alice", "note", "a value", 0)
    journal.flush()
    assert journal._file is not None
    with nearly_full(journal._file, path, 9):
        journal.event("alice", "note", "a value", 1)
        with pytest.raises(InfrastructureError, match="No space left on device"):
            journal.flush()
        journal.event("alice", "note", "a value", 2)
        journal.close()
    assert content(path) == b'[5,0,"alice","note","a value",0]\n'


@pytest.mark.parametrize("gathered", [None, Gathered()], ids=["alone", "with others"])
def test_a_nodes_journal_on_a_full_disk_ends_with_what_was_written_before(
    tmp_path: Path, gathered: Gathered | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bob.1.bin.gz"
    journal = NodeJournal(path, gathered)
    journal.payload("alice", bytes(20))
    journal.flush()
    with nearly_full_for_all(monkeypatch, 9):
        journal.payload("alice", random.Random(1).randbytes(20_000))
        with pytest.raises(InfrastructureError, match="No space left on device"):
            journal.flush()
        journal.payload("alice", b"later")
        journal.close()
    [body] = FrameSplitter().feed(content(path))
    assert decode_record(body) == Payload("alice", bytes(20))


def test_a_full_disk_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl.gz"
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
    path = tmp_path / "journal.jsonl.gz"
    path.symlink_to("/dev/full")
    outcome = InProcessNetwork(parse_topology(FILE), journal_path=path).run()
    assert outcome.problem is not None
    assert (outcome.problem.kind, outcome.problem.exit_code) == ("InfrastructureError", 3)
    assert "No space left on device" in outcome.problem.text and str(path) in outcome.problem.text


def test_a_journal_that_cannot_be_written_when_a_process_ends_is_named_too(tmp_path: Path) -> None:
    """The word of an exit comes from the launcher, on another way than the reports."""
    path = tmp_path / "journal.jsonl.gz"
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
    path = tmp_path / "nodes" / "bob.1.bin.gz"
    path.symlink_to("/dev/full")
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        InProcessNetwork(parse_topology(FILE), record_path=RunFolder(tmp_path).record).run()
    assert str(path) in str(caught.value)


def test_a_nodes_journal_that_cannot_be_written_under_way_is_the_runs_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qnetem.agents.process.files._MOST_RECORDS", 0)
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "bob.1.bin.gz").symlink_to("/dev/full")
    outcome = InProcessNetwork(parse_topology(FILE), record_path=RunFolder(tmp_path).record).run()
    assert outcome.problem is not None
    assert (outcome.problem.kind, outcome.problem.exit_code) == ("InfrastructureError", 3)
