"""What comes from outside has its place among all that happens, and a run waits while it may come."""

from __future__ import annotations

from typing import Any

import pytest

from qnetem.emulator.errors import InternalError
from qnetem.emulator.topology.model.topology import Time
from qnetem.emulator.wire import (
    Finished,
    Grant,
    Hello,
    Input,
    OutsideState,
    Poke,
    RecordedInput,
    Replied,
    Report,
    Stop,
    Waits,
    Welcome,
)
from qnetem.emulator.wire.control import AddFault
from qnetem.emulator.world.world import World

from ...harness import idle, network, recorded

MS = 1_000_000


class RealTime:
    """A world in real time, with a wall clock that is set by hand, and what its nodes were granted."""

    def __init__(self, *nodes: str, **time: Any) -> None:
        topology = network(dict.fromkeys(nodes, idle), record=time.pop("record", "full"))
        inputs = time.pop("inputs", None)
        settings = {"mode": "real"} | time
        self.wall_s = 0.0
        self.world = World(
            topology.model_copy(update={"time": Time(**settings)}),
            wall=lambda: self.wall_s,
            inputs=inputs,
        )
        self.events = recorded(self.world)
        self.world.start()
        for name in nodes:
            self.world.receive(name, 1, Hello(name, 1, "", 1))

    def at(self, ms: float) -> None:
        self.wall_s = ms / 1000
        self.world.resume()

    def poke(self, node: str, number: int, data: bytes = b"1", opening: int = 1) -> None:
        self.world.receive(node, 1, Poke(Input(opening, number, "json", data)))

    def reports(self, node: str, next_timer_ns: int | None = None, **more: Any) -> None:
        conductor = self.world.conductor
        report = Report(conductor.now_ns, conductor.m, next_timer_ns, **more)
        self.world.receive(node, 1, report)

    def taken(self) -> list[tuple[str, int, list[int]]]:
        """Grants since the last look: node, instant in ns, numbers of inputs."""
        outbox = self.world.outbox
        found = [
            (name, frame.t_ns, [each.number for each in frame.inputs])
            for name, frame in outbox
            if isinstance(frame, Grant)
        ]
        outbox.clear()
        return found


def opened(*nodes: str, **time: Any) -> RealTime:
    """All nodes are open to the outside, and wait."""
    run = RealTime(*nodes, **time)
    for name in nodes:
        run.reports(name, outside=OutsideState(1))
    run.taken()
    return run


def test_an_input_is_due_when_the_wall_clock_says_so_and_never_in_the_past() -> None:
    run = opened("a")
    run.wall_s += 0.005
    run.poke("a", 1)
    assert run.taken() == [("a", 5 * MS, [1])]
    run.wall_s -= 0.002  # a wall clock that is behind the last instant
    run.reports("a")
    run.poke("a", 2)
    assert not run.taken() and run.world.resume_in_s == pytest.approx(0.002)
    run.at(5.1)
    assert run.taken() == [("a", 5 * MS + 1, [2])]


def test_inputs_of_one_instant_come_by_node_and_number_whatever_came_first() -> None:
    run = opened("a", "b")
    run.wall_s += 0.001
    run.poke("b", 1)
    assert run.taken() == [("b", MS, [1])]
    for node, number in (("b", 3), ("a", 2), ("b", 2), ("a", 1)):
        run.poke(node, number)  # while b is at work
    run.wall_s += 0.001
    run.reports("b")
    assert run.taken() == [("a", 2 * MS, [1, 2]), ("b", 2 * MS, [2, 3])]


def test_a_run_that_is_open_to_the_outside_is_not_stuck_and_ends_at_until() -> None:
    run = opened("a", until_ns=50 * MS)
    assert not run.world.over and run.world.resume_in_s == pytest.approx(0.05)
    run.wall_s += 0.02
    run.poke("a", 1)
    assert run.taken() == [("a", 20 * MS, [1])]
    run.reports("a", next_timer_ns=90 * MS)
    assert not run.world.over and run.world.resume_in_s == pytest.approx(0.03)
    run.at(50)
    run.world.receive("a", 1, Waits([]))
    outcome = run.world.outcome
    assert outcome is not None and outcome.problem is None and outcome.t_ns == 50 * MS
    assert outcome.left["a"].inputs == 1


def test_once_it_has_closed_it_is_stuck_like_any_other() -> None:
    run = opened("a")
    assert not run.world.over and run.world.resume_in_s is None
    run.wall_s += 0.001
    run.poke("a", 1)
    run.reports("a", outside=OutsideState(0, [Replied(1, 1, 2, "ab")]))
    run.world.receive("a", 1, Waits([]))
    outcome = run.world.outcome
    assert outcome is not None and outcome.problem is not None
    assert outcome.problem.kind == "StuckError"
    kinds = [(event[3], *event[4:]) for event in run.events if event[2] == "a"]
    assert kinds[0][:5] == ("input", 1, 1, "json", 1) and kinds[1] == ("reply", 1, 1, 2, "ab")


def test_live_faults_happen_while_a_run_waits_for_the_outside() -> None:
    run = opened("a", "b")
    answers: list[Any] = []
    run.wall_s += 0.003
    run.world.live.ask(AddFault(1, "{clock_skew: a, offset: 1 s}"), answers.append)
    [answer] = answers
    assert answer.faults[0].began_ns == 3 * MS


def test_an_input_waits_for_a_paused_node_and_dies_with_a_finished_one() -> None:
    run = opened("a", "b")
    run.world.live.ask(AddFault(1, "{pause: a, for: 10 ms, signal: false}"), lambda _: None)
    run.taken()
    run.wall_s += 0.004
    run.poke("a", 1)
    assert not run.taken() and not any(event[3] == "input" for event in run.events)
    run.at(12)
    assert run.taken() == [("a", 10 * MS + 1, [1])]
    run.poke("a", 2)
    run.reports("a", finished=Finished())
    assert not run.taken()
    assert [event[:2] for event in run.events if event[3] == "input"] == [(10 * MS + 1, 0)]


def test_a_replay_feeds_inputs_at_their_instants_with_the_same_digest() -> None:
    inputs = [RecordedInput(7 * MS, "a", 1, Input(1, 1, "json", b"1"))]
    digests, welcomed = [], []
    for run in (opened("a"), opened("a", mode="virtual", inputs=inputs)):
        welcomed += [frame for _, frame in run.world.outbox if isinstance(frame, Welcome)]
        if run.world.topology.time.mode == "real":
            run.wall_s += 0.007
            run.poke("a", 1)
        run.reports("a", finished=Finished(3), outside=OutsideState(0, [Replied(1, 1, 2, "ab")]))
        outcome = run.world.outcome
        assert outcome is not None and outcome.problem is None
        digests.append(outcome.digest)
    assert digests[0] == digests[1]


def test_a_node_is_told_what_it_may_do() -> None:
    for time, mode in (({}, "live"), ({"mode": "virtual"}, ""), ({"inputs": []}, "replay")):
        run = RealTime("a", **time)
        [welcome] = [frame for _, frame in run.world.outbox if isinstance(frame, Welcome)]
        assert welcome.outside == mode
    assert run.world.outbox and not isinstance(run.world.outbox[-1][1], Stop)


def test_a_node_that_lets_something_in_without_leave_is_our_bug() -> None:
    run = RealTime("a", mode="virtual")
    run.poke("a", 1)
    assert run.world.outcome is not None and run.world.outcome.problem is not None
    assert run.world.outcome.problem.kind == InternalError.__name__


def test_equal_items_have_one_hash_at_a_node_and_another_elsewhere() -> None:
    run = opened("a", "b")
    for node, number, data in (("a", 1, b"1"), ("b", 1, b"1"), ("a", 2, b"1"), ("a", 3, b"2")):
        run.wall_s += 0.001
        run.poke(node, number, data)
        run.reports(node)
    shown = {(e[2], e[5]): e[8] for e in run.events if e[3] == "input"}
    assert shown["a", 1] == shown["a", 2] and len(set(shown.values())) == 3
