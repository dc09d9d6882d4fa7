"""Which calls of a probe of several nodes belong together, and what is noted where there is no fidelity."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from qnetem.emulator.errors import OperationError, RegisterTooLarge
from qnetem.emulator.quantum import joint_probes
from qnetem.emulator.quantum.joint_probes import JointProbes, check_parties
from qnetem.emulator.quantum.node.registry import Registry
from qnetem.emulator.states.states import werner
from qnetem.emulator.wire import Probe

BELL = [(math.sqrt(0.5), 0.0), (0.0, 0.0), (0.0, 0.0), (math.sqrt(0.5), 0.0)]


class Desk:
    """A registry with pairs of fidelity 1 - 0.01 n, and what was noted."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, float]] = []
        self.lost: list[str] = []
        self.registry = Registry(lambda holder: None)
        around: Any = SimpleNamespace(
            metrics=SimpleNamespace(
                observe=lambda name, value: self.noted.append((name, value)), count=self.lost.append
            ),
            journal=SimpleNamespace(event=lambda *fields: None),
        )
        self.probes = JointProbes(self.registry, around)

    def pair(self, number: int) -> None:
        names = (f"a{number}", "alice", f"b{number}", "bob")
        self.registry.create_pair(*names, werner(1 - 0.01 * number), 0)

    def name(self, node: str, number: int, label: str = "") -> None:
        probe = Probe(1, "it", [f"{node[0]}{number}"], BELL, 0, ["alice", "bob"], label)
        self.probes.name(node, probe, 0)


@pytest.fixture
def desk() -> Desk:
    found = Desk()
    for number in range(1, 5):
        found.pair(number)
    return found


def test_calls_without_a_label_go_by_their_order_at_each_node(desk: Desk) -> None:
    desk.name("alice", 1)
    desk.name("alice", 2)
    desk.name("bob", 1)
    desk.name("bob", 2)
    assert [round(value, 9) for _, value in desk.noted] == [0.99, 0.99, 0.98, 0.98]
    assert {name for name, _ in desk.noted} == {"alice.it.fidelity", "bob.it.fidelity"}


def test_calls_with_a_label_go_by_that_and_one_that_is_used_again_gives_up_the_first(
    desk: Desk,
) -> None:
    desk.name("alice", 1, "first")
    desk.name("alice", 2, "second")
    desk.name("bob", 2, "second")
    assert [round(value, 9) for _, value in desk.noted] == [0.98, 0.98]
    desk.name("alice", 3, "first")
    assert desk.lost == ["alice.it.left_over"]
    desk.name("bob", 3, "first")
    assert round(desk.noted[-1][1], 9) == 0.97


def test_a_half_that_was_measured_before_the_other_was_named_is_looked_at_before_that(
    desk: Desk,
) -> None:
    desk.name("alice", 1)
    desk.registry.measure("a1", (1.0, 0.0, 0.0), 0.3, 5)
    desk.registry.discard(["b2"], "discarded", 5)
    desk.name("bob", 1)
    assert round(desk.noted[-1][1], 9) == 0.99
    assert desk.registry.before_use is None, "nothing is watched any more"


def test_parts_that_were_never_together_have_no_fidelity(desk: Desk) -> None:
    desk.name("alice", 1)
    desk.registry.measure("a1", (0.0, 0.0, 1.0), 0.3, 5)
    desk.name("bob", 2)
    assert desk.lost == ["alice.it.left_over", "bob.it.left_over"] and not desk.noted


def test_the_oldest_call_that_is_not_completed_is_given_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joint_probes, "MOST_OPEN", 2)
    for number in (1, 2, 3):
        desk.name("alice", number, f"pair {number}")
    assert desk.lost == ["alice.it.left_over"]
    desk.name("bob", 2, "pair 2")
    assert round(desk.noted[-1][1], 9) == 0.98


def test_a_state_too_large_to_look_at_fails_no_operation(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object) -> Any:
        raise RegisterTooLarge(why="too large")

    monkeypatch.setattr(desk.registry, "joint_state", too_large)
    monkeypatch.setattr(desk.registry, "look", too_large)
    desk.name("alice", 1)
    desk.registry.measure("a1", (0.0, 0.0, 1.0), 0.3, 5)
    desk.name("bob", 1)
    desk.name("alice", 2)
    desk.name("bob", 2)
    assert len(desk.lost) == 4 and not desk.noted


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"qubits": ["a1", "a2"]}, "one qubit of each"),
        ({"parties": ["alice"]}, "one qubit of each"),
        ({"parties": ["alice", "alice"]}, "each node once"),
        ({"target": None}, "4 amplitudes"),
        ({"target": [(1.0, 0.0)] * 8}, "4 amplitudes"),
        ({"target": [(0.0, 0.0)] * 4}, "not zero"),
    ],
)
def test_a_probe_that_cannot_be_looked_at_is_refused_when_it_is_issued(
    changes: dict[str, Any], why: str
) -> None:
    fields: dict[str, Any] = {"qubits": ["a1"], "target": BELL, "parties": ["alice", "bob"]}
    with pytest.raises(OperationError, match=why):
        check_parties(Probe(number=1, name="it", **{**fields, **changes}))
