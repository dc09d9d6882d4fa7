"""Nodes that die and come back, what they leave behind, and what the plane can tell."""

from __future__ import annotations

import pytest

from qnetem.emulator.errors import InternalError
from qnetem.emulator.topology.model.topology import Gates, Measurement, Memory
from qnetem.emulator.wire import Allocate, Apply, Entangle, Measure

from .plane_lab import Z_AXIS, Lab, heralding, link, node


def lab(slots: int = 16) -> Lab:
    gates, measurement = Gates(single_ns=100), Measurement(duration_ns=1000)
    nodes = [node(name, Memory(slots=slots), gates, measurement) for name in ("alice", "bob")]
    return Lab(nodes, [link("alice", "bob", heralding(attempt_ns=1000))])


def test_a_dead_node_s_qubits_are_traced_out_and_its_slots_free() -> None:
    bench = lab()
    bench.issue("alice", Entangle, "bob")
    yours = bench.issue("bob", Entangle, "alice")
    bench.run()
    bench.qubit("alice")
    bench.kill("alice")
    assert bench.plane.registry.held_by("alice") == []
    assert bench.plane.slots_used("alice") == 0
    half = bench.outcome("bob", yours).value.qubit
    assert bench.plane.registry.size(half) == 1
    assert bench.do("bob", Measure, half, Z_AXIS).error is None


def test_a_dead_node_s_operations_end_without_result_or_effect() -> None:
    bench = lab()
    qubit = bench.qubit("alice")
    numbers = [bench.issue("alice", Apply, "x", [qubit]), bench.issue("alice", Allocate)]
    bench.kill("alice")
    bench.run()
    assert not any(bench.has_ended("alice", number) for number in numbers)
    assert bench.plane.pending("alice") == []


def test_a_peer_s_request_stays_queued_through_death_and_restart() -> None:
    bench = lab()
    bench.issue("alice", Entangle, "bob")
    yours = bench.issue("bob", Entangle, "alice")
    bench.at(500, lambda: bench.kill("alice"))
    bench.at(5000, lambda: bench.join("alice"))
    bench.later(5000, lambda: bench.issue("alice", Entangle, "bob"))
    bench.run()
    assert bench.outcome("bob", yours).t_ns == 6000
    assert bench.outcome("alice", 1, incarnation=2).t_ns == 6000
    assert not bench.has_ended("alice", 1, incarnation=1)


def test_a_request_that_waited_for_a_slot_dies_with_its_node() -> None:
    bench = lab(slots=1)
    bench.qubit("alice")
    bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.kill("alice")
    bench.join("alice")
    bench.run()
    assert bench.plane.at_end() == {"bob": ["entangle 1"]}


def test_names_of_qubits_go_on_through_incarnations() -> None:
    bench = lab()
    assert bench.qubit("alice") == "alice#1"
    bench.kill("alice")
    bench.join("alice")
    number = bench.issue("alice", Allocate)
    bench.run()
    assert bench.outcome("alice", number, incarnation=2).value == "alice#2"


def test_a_dead_or_replaced_incarnation_cannot_issue_or_die_again() -> None:
    bench = lab()
    bench.kill("alice")
    with pytest.raises(InternalError, match="cannot issue"):
        bench.plane.issue("alice", 1, Allocate(1))
    with pytest.raises(InternalError, match="cannot die"):
        bench.kill("alice")
    bench.join("alice")
    with pytest.raises(InternalError, match="cannot issue"):
        bench.plane.issue("alice", 1, Allocate(1))


def test_withdrawing_for_a_dead_node_is_harmless() -> None:
    bench = lab()
    number = bench.issue("alice", Entangle, "bob")
    bench.kill("alice")
    bench.plane.withdraw("alice", number)
    assert bench.plane.slots_used("alice") == 0


def test_pending_tells_who_waits_for_what() -> None:
    bench = lab(slots=2)
    qubit = bench.qubit("alice")
    bench.issue("alice", Measure, qubit, Z_AXIS)
    bench.issue("alice", Entangle, "bob")
    bench.issue("alice", Allocate)
    assert bench.plane.pending("alice") == [
        (2, "measure until 1 us"),
        (3, "a pair with bob: bob has not asked for one on alice-bob"),
        (4, "a free slot (2 in use)"),
    ]
    assert bench.plane.pending("bob") == []


def test_a_request_behind_another_says_so() -> None:
    bench = lab()
    for _ in range(2):
        bench.issue("alice", Entangle, "bob")
        bench.issue("bob", Entangle, "alice")
    assert "other requests are before it" in bench.plane.pending("alice")[1][1]


def test_at_the_end_what_is_left_in_slots_is_named() -> None:
    bench = lab()
    assert bench.plane.at_end() == {}
    bench.qubit("alice")
    bench.issue("alice", Entangle, "bob")
    assert bench.plane.at_end() == {"alice": ["alice#1", "entangle 2"]}


def test_an_unknown_link_is_our_bug() -> None:
    with pytest.raises(InternalError, match="no link"):
        lab().plane.cut("alice-carol")


def test_an_operation_without_decay_leaves_no_trace_of_busyness() -> None:
    """What a node has consumed costs nothing later: busy times go with their qubit."""
    bench = lab()
    for _ in range(20):
        qubit = bench.qubit("alice")
        bench.issue("alice", Apply, "x", [qubit])
        bench.do("alice", Measure, qubit, Z_AXIS)
    assert bench.plane.devices["alice"].busy == {}
