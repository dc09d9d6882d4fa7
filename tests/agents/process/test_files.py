"""The journal of one incarnation: what is in the file, and when."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from qnetem.agents.process.files import (
    Gathered,
    JournalRecord,
    Log,
    NodeJournal,
    Payload,
    decode_record,
)
from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.wire import HEADER, Finished, Grant, Report, Welcome, frame
from qnetem.emulator.wire.framing import FrameSplitter
from tests.harness import content

WELCOME = Welcome("bob", 1, "endpoint", "p:P", {}, False, [1], ["alice"], [], 4, 0, "full")


def records(path: Path) -> list[JournalRecord]:
    return [decode_record(body) for body in FrameSplitter().feed(content(path))]


def test_what_was_flushed_is_whole_even_if_the_process_is_killed_then(tmp_path: Path) -> None:
    journal = NodeJournal(tmp_path / "nodes" / "bob.1.bin")
    journal.body(frame(WELCOME)[HEADER.size :])
    journal.payload("alice", b"secret key")
    journal.record(Grant(5, 0))
    journal.record(Report(5, 0, None, finished=Finished({"bits": [1]})))
    assert records(tmp_path / "nodes" / "bob.1.bin") == []
    journal.flush()
    expected = [
        WELCOME,
        Payload("alice", b"secret key"),
        Grant(5, 0),
        Report(5, 0, None, finished=Finished({"bits": [1]})),
    ]
    assert records(tmp_path / "nodes" / "bob.1.bin") == expected
    journal.close()
    journal.close()


def test_a_long_journal_does_not_wait_for_its_end(tmp_path: Path) -> None:
    journal = NodeJournal(tmp_path / "bob.1.bin")
    for t_ns in range(2_500):
        journal.record(Grant(t_ns, 0))
    assert 1_000 < len(records(tmp_path / "bob.1.bin")) < 2_500
    journal.close()
    assert len(records(tmp_path / "bob.1.bin")) == 2_500


def test_no_other_user_may_read_it(tmp_path: Path) -> None:
    NodeJournal(tmp_path / "bob.1.bin").close()
    assert stat.S_IMODE((tmp_path / "bob.1.bin").stat().st_mode) == 0o600


def test_a_full_disk_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bob.1.bin"
    path.symlink_to("/dev/full")
    journal = NodeJournal(path)
    journal.payload("alice", bytes(100_000))
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        journal.flush()
    assert str(path) in str(caught.value)
    journal.close()


def test_of_many_journals_in_one_process_none_holds_a_descriptor_and_each_counts_what_it_holds(
    tmp_path: Path,
) -> None:
    gathered, before = Gathered(), len(os.listdir("/proc/self/fd"))
    journals = [NodeJournal(tmp_path / f"n{at}.1.bin.gz", gathered) for at in range(50)]
    for _ in range(2):
        for journal in journals:
            journal.record(Grant(5, 0))
        assert gathered.size > 50 and len(os.listdir("/proc/self/fd")) == before
        for journal in journals:
            journal.flush()
        assert gathered.size == 0
    assert all(records(tmp_path / f"n{at}.1.bin.gz") == [Grant(5, 0)] * 2 for at in range(50))


def test_of_many_logs_none_holds_a_descriptor_and_all_is_written(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    logs = [Log(tmp_path / f"n{at}.1.log", tmp_path / f"n{at}.1.log") for at in range(50)]
    for number in range(2):
        for log in logs:
            print(f"line {number}", file=log, flush=True)
        assert len(os.listdir("/proc/self/fd")) == before
    assert {path.read_text() for path in tmp_path.iterdir()} == {"line 0\nline 1\n"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
