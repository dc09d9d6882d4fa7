"""Qubits that change hands where tenants share slots: reported, and no operation."""

from __future__ import annotations

from qnetem.emulator.topology.model.topology import NodeSpec
from qnetem.emulator.wire import Allocate, Discard

from ...agents.node.tenants.services import Pairs, spec
from ...harness import idle, network
from ...harness import node as plain
from .stage import Stage


def held(**services: int | None) -> Stage:
    """Alice holds a qubit of her program; she has services with so many slots of their own."""
    specs = {name: spec(Pairs, slots=slots) for name, slots in services.items()}
    alice: NodeSpec = plain("alice", idle, services=specs)
    stage = Stage(network({"alice": alice}))
    stage.grants()
    stage.report("alice", operations=[Allocate(1)])
    assert stage.grants()["alice"].results[0].value == "alice#1"
    return stage


def test_a_qubit_changes_hands_in_a_report() -> None:
    stage = held(pairs=None)
    stage.report("alice", handed={"alice#1": "pairs"}, next_timer_ns=1000)
    assert stage.world.quantum.owners("alice") == {"alice#1": "pairs"}


def test_a_qubit_that_is_gone_changes_no_hands() -> None:
    stage = held(pairs=None)
    stage.report("alice", operations=[Discard(2, ["alice#1"])])
    stage.grants()
    stage.report("alice", handed={"alice#1": "pairs"}, next_timer_ns=1000)
    assert stage.world.quantum.owners("alice") == {}


def test_a_qubit_gets_into_no_other_pool_of_slots_without_one() -> None:
    stage = held(pairs=2)
    stage.report("alice", handed={"alice#1": "pairs"})
    assert "which has its own slots" in stage.problem.text
