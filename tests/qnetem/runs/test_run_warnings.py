"""What a run notices at its end: only what is worth it, with names and numbers."""

from __future__ import annotations

from qnetem.emulator.wire.control import Left, NodeState, Outcome
from qnetem.runs.run_warnings import run_warnings, warning_line


def left(**fields: object) -> Left:
    nothing = {"slots_used": 0, "slots": 4, "held": [], "unread": {}, "open": []}
    return Left(**{**nothing, "grants": 100, "worked_s": 0.01, **fields})  # type: ignore[arg-type]


def outcome(wall_s: float = 10.0, state: str = "finished", **nodes: Left) -> Outcome:
    states = {name: NodeState(1, 1, state) for name in nodes}
    return Outcome("n", 1, "d", 5, wall_s, 9, states, {}, {}, left=dict(nodes))


def test_a_clean_run_is_silent() -> None:
    assert run_warnings(outcome(alice=left(), bob=left())) == []


def test_slots_of_a_program_that_ended_are_named_and_of_one_that_still_runs_are_not() -> None:
    has = left(slots_used=2, held=["alice:q1", "allocate 7"])
    [notice] = run_warnings(outcome(alice=has, bob=left()))
    assert notice == {"what": "slots", "node": "alice", "held": ["alice:q1", "allocate 7"]}
    assert warning_line(notice) == "alice ended with 2 slots in use: alice:q1, allocate 7"
    assert run_warnings(outcome(state="running", alice=has)) == []


def test_many_slots_are_told_in_short() -> None:
    held = [f"q{number}" for number in range(300)]
    [notice] = run_warnings(outcome(alice=left(slots_used=300, held=held)))
    assert warning_line(notice) == "alice ended with 300 slots in use: q0, q1, q2, q3, q4, q5, ..."


def test_messages_that_were_not_received_are_counted_by_kind() -> None:
    [notice] = run_warnings(outcome(alice=left(unread={"bases": 2, "": 1})))
    assert (
        warning_line(notice) == "alice did not receive 3 messages: 2 of kind 'bases', 1 of kind ''"
    )


def test_a_slow_node_is_named_with_its_share_of_real_time() -> None:
    slow = left(worked_s=6.0, grants=101)  # the first one took none of it
    [notice] = run_warnings(outcome(alice=left(), bob=slow, carol=left()))
    assert (notice["what"], notice["node"]) == ("slow", "bob")
    assert (
        warning_line(notice) == "bob took 60% of the run's real time: 60 ms for each of its steps"
    )


def test_a_node_that_works_as_others_do_or_hardly_at_all_is_not_slow() -> None:
    busy = left(worked_s=4.0)
    assert run_warnings(outcome(alice=busy, bob=busy)) == []
    assert run_warnings(outcome(0.2, alice=left(worked_s=0.1), bob=left(worked_s=0.001))) == []
    assert run_warnings(outcome(100.0, alice=left(worked_s=6.0), bob=left())) == []
    assert run_warnings(outcome(alice=left(worked_s=9.0))) == []


def test_a_program_that_until_ends_is_named_with_what_its_tasks_wait_for() -> None:
    waits = [(f"Task-{n}", f"a message (p.py:{n})", n) for n in range(5)]
    [notice] = run_warnings(outcome(state="running", alice=left(waits=waits)))
    assert notice["waits"][1] == {"task": "Task-1", "what": "a message (p.py:1)", "since_s": 1e-9}
    assert warning_line(notice) == (
        "alice had not finished at 5 ns: waits for a message (p.py:0) since 0 ns; waits for a message "
        "(p.py:1) since 1 ns; waits for a message (p.py:2) since 2 ns; and 2 more"
    )
