"""What a run asserts, and how it tells that something is not so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from qnetem.api import Run
from qnetem.emulator.errors import InputError
from qnetem.emulator.wire.control import Problem
from qnetem.runs.events import read_events

from .front_door import ended, loaded, series

JOURNAL = """\
[0,0,"alice","operation",1,"entangle","bob",null]
[2000000,0,"alice-r1","herald","alice-r1#1",1]
[2000000,1,"alice","sent","bob",1,1,"outcome",9]
[2500000,0,"bob","delivered","alice",1,1,0]
[2500000,0,"bob","end",{"bit":1}]
"""
LOST = Problem("NodeLost", "node bob was lost at 3 ms", 3, "bob", 3_000_000)


def a_run(folder: Path, **changes: Any) -> Run:
    metrics = {
        "bob.pair.fidelity": series(0.95, std=0.02, count=100),
        "links.alice-r1.pairs": {"count": 50.0},
    }
    run = ended(loaded(folder), results={"bob": {"qber": 0.143}}, metrics=metrics, **changes)
    run.run_folder.mkdir(parents=True, exist_ok=True)
    (run.run_folder / "journal.jsonl.gz").write_text(JOURNAL, encoding="utf-8")
    return run


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return a_run(tmp_path)


def test_assertions_that_hold_say_nothing(run: Run) -> None:
    seconds = run.outcome.t_ns / 1e9
    run.assert_ok()
    run.assert_result("bob.qber", "< 0.2")
    run.assert_result("bob.qber", "~ 0.1 +- 0.05")
    run.assert_fidelity("bob.pair", at_least=0.9, at_most=1, about=0.954)
    run.assert_rate("links.alice-r1.pairs", about=50 / seconds, at_least=49 / seconds)
    run.assert_rate("links.r1-bob.pairs", at_most=0)


def failure(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_a_result_is_told_with_what_was_expected(run: Run) -> None:
    told = failure(run.assert_result, "bob.qber", "< 0.11")
    assert told == "expected bob.qber < 0.11, measured 0.143 (off by 0.033)"
    told = failure(run.assert_result, "bob.qbr", "< 0.11")
    assert told == "expected bob.qbr < 0.11: not measured; did you mean 'bob.qber'?"


def test_a_closed_form_is_told_with_its_value(run: Run) -> None:
    told = failure(run.assert_result, "bob.qber", "~ depolarising_qber(depolarising('r1-bob'))")
    assert told.startswith("expected bob.qber ~ depolarising_qber(depolarising('r1-bob')) (= 0.02)")


def test_a_fidelity_is_told_with_its_error_and_count(run: Run) -> None:
    told = failure(run.assert_fidelity, "bob.pair", at_least=0.96)
    expected = "expected bob.pair.fidelity >= 0.96, measured 0.95 ± 0.002 (N = 100; off by 0.01)"
    assert told == expected
    assert "5.0 sigma" in failure(run.assert_fidelity, "bob.pair", about=0.96)
    assert "off by 0.05" in failure(run.assert_fidelity, "bob.pair", at_most=0.9)


def test_a_rate_is_told_per_virtual_second(run: Run) -> None:
    seconds = run.outcome.t_ns / 1e9
    told = failure(run.assert_rate, "links.alice-r1.pairs", at_least=100 / seconds)
    assert f"measured {50 / seconds:.6g} ± {50**0.5 / seconds:.2g} Hz (N = 50 in " in told
    assert "measured 0 ± 0 Hz" in failure(run.assert_rate, "links.r1-bob.pairs", at_least=1)


def test_a_run_that_ended_badly_says_so_with_every_failure(tmp_path: Path) -> None:
    run = a_run(tmp_path, problem=LOST)
    assert failure(run.assert_ok) == "error: node bob was lost at 3 ms"
    told = failure(run.assert_result, "alice.bits", "== 1")
    assert told.endswith("\nthe run ended at 3 ms with NodeLost: node bob was lost at 3 ms")
    assert "NodeLost" in failure(run.assert_events, [("bob", "killed")])


def test_events_are_expected_in_their_order(run: Run) -> None:
    run.assert_events([])
    run.assert_events([("alice", "operation"), ("alice", "sent", "bob"), ("bob", "end")])
    run.assert_events([("alice", "sent", ..., 1), (..., "delivered")])
    run.assert_events([("bob", "end", {"bit": 1})])
    told = failure(run.assert_events, [("bob", "delivered"), ("alice", "sent")])
    assert told.splitlines()[0] == (
        'expected event 2 of 2, alice sent after 2.5 ms bob delivered "alice" 1 1 0'
    )
    told = failure(run.assert_events, [("bob", "delivered", "alice", 2)])
    assert told == (
        "expected event 1 of 1, bob delivered alice 2\nwhat happened instead:\n"
        '  2.5 ms bob delivered "alice" 1 1 0\n  2.5 ms bob end {"bit":1}'
    )
    told = failure(run.assert_events, [("carol", "end")])
    assert told.endswith("events of this run are of alice, alice-r1, bob")


def test_one_event_serves_one_expectation(run: Run) -> None:
    assert failure(run.assert_events, [("alice", "sent"), ("alice", "sent")])


def test_events_are_picked_by_entity_and_kind(run: Run) -> None:
    assert len(run.events()) == 5
    assert [event.kind for event in run.events("bob")] == ["delivered", "end"]
    assert [event[:5] for event in run.events(kind="end")] == [
        (2_500_000, 0, "bob", "end", ({"bit": 1},))
    ]


def test_a_mistake_in_an_assertion_is_no_failure(run: Run) -> None:
    with pytest.raises(InputError, match=re.escape("bob.qber 'below 1': expected '< 0.1'")):
        run.assert_result("bob.qber", "below 1")
    with pytest.raises(InputError, match="unknown node 'bobb'"):
        run.assert_fidelity("bobb.pair", at_least=0.9)
    with pytest.raises(InputError, match="expected at_least=, at_most= or about="):
        run.assert_fidelity("bob.pair")
    with pytest.raises(InputError, match="unknown link 'alice-r2'"):
        run.assert_rate("links.alice-r2.pairs", at_least=1)


def test_without_a_journal_there_are_no_events(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="events are kept with `record: full` only"):
        read_events(tmp_path)
    (tmp_path / "journal.jsonl.gz").write_text("[1,2]\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"expected \[t_ns, m, entity, kind"):
        read_events(tmp_path)
