"""Events, their file, and the digest of them."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.record.journal import Journal, rounded
from tests.harness import content


def journal(path: Path | None = None) -> Journal:
    return Journal(SimpleNamespace(now_ns=5, m=1), path)


def digest(*events: tuple[str, ...], now_ns: int = 5, m: int = 1) -> str:
    found = Journal(SimpleNamespace(now_ns=now_ns, m=m))
    for event in events:
        found.event(*event)
    return found.digest()


def test_an_event_is_one_line_of_json_with_its_instant_first(tmp_path: Path) -> None:
    found = journal(tmp_path / "journal.jsonl.gz")
    found.event("alice", "note", "bit", 1)
    found.close()
    lines = content(tmp_path / "journal.jsonl.gz").splitlines(keepends=True)
    assert [json.loads(line) for line in lines] == [[5, 1, "alice", "note", "bit", 1]]


def test_no_other_user_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl.gz"
    journal(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_does_not_change_the_digest(tmp_path: Path) -> None:
    with_file, without = journal(tmp_path / "j"), journal()
    for found in (with_file, without):
        found.event("alice", "note", "bit", 1)
        found.close()
    assert with_file.digest() == without.digest()


@pytest.mark.parametrize(
    "other",
    [
        lambda: digest(("a", "x", "2")),
        lambda: digest(("a", "y", "1")),
        lambda: digest(("b", "x", "1")),
        lambda: digest(("a", "x", "1"), ("a", "x", "1")),
        lambda: digest(("a", "x", "1"), now_ns=6),
        lambda: digest(("a", "x", "1"), m=2),
        digest,
    ],
)
def test_field_kind_entity_number_time_and_microstep_are_all_in_the_digest(
    other: Callable[[], str],
) -> None:
    assert digest(("a", "x", "1")) != other()


def test_the_order_within_an_entity_counts() -> None:
    assert digest(("a", "x"), ("a", "y")) != digest(("a", "y"), ("a", "x"))


def test_the_order_between_entities_does_not() -> None:
    assert digest(("a", "x"), ("b", "y")) == digest(("b", "y"), ("a", "x"))


def test_floats_are_rounded_to_twelve_digits_wherever_they_stand() -> None:
    assert rounded(0.1 + 0.2) == 0.3
    assert rounded({"a": [0.1 + 0.2, (1e-20 / 3,)]}) == {"a": [0.3, [3.33333333333e-21]]}
    assert rounded([1, True, None, "x"]) == [1, True, None, "x"]
    assert rounded(0.123456789012) != rounded(0.123456789013)


def test_more_events_than_the_buffer_holds_are_all_written(tmp_path: Path) -> None:
    found = journal(tmp_path / "j")
    for number in range(6000):
        found.event("alice", "note", number, "x" * 50)
    found.close()
    lines = content(tmp_path / "j").splitlines(keepends=True)
    assert [json.loads(line)[4] for line in lines] == list(range(6000))


def test_a_journal_that_cannot_be_opened_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="journal"):
        journal(tmp_path / "file" / "journal.jsonl.gz")


def test_a_disk_that_is_full_is_a_named_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full to stand for a full disk")
    found = journal(full)
    found.event("alice", "note")
    with pytest.raises(InfrastructureError, match="journal"):
        found.close()
    found.close()


def test_the_digest_does_not_depend_on_when_lines_are_hashed() -> None:
    at_once, at_the_end = journal(), journal()
    for number in range(5):
        for found in (at_once, at_the_end):
            found.event("alice", "note", "bit", number)
            found.event("bob", "note", "bit", number)
        at_once.flush()
    assert at_once.digest() == at_the_end.digest()
