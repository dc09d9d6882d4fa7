"""Networks of nodes with a network layer, and programs of the ends of their requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from qnetem import Agent
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.agents.network.network_layer import Network
from qnetem.emulator.topology.model.entangle import EntangleSpec
from qnetem.emulator.topology.model.topology import Memory, NodeSpec, Topology

from ... import harness
from ..node.tenants.services import spec

Program = Callable[[Any], Awaitable[Any]]
LATENCY_NS = 100_000
ENDPOINT = "qnetem.agents.roles.endpoint:Endpoint"
DUMBBELL = [("a1", "r1"), ("a2", "r1"), ("r1", "r2"), ("r2", "b1"), ("r2", "b2")]
RING = [(f"n{i}", f"n{(i + 1) % 6}") for i in range(6)]


def chain(hops: int) -> list[tuple[str, str]]:
    """The links of alice, r1, r2, ..., bob."""
    names = ["alice", *(f"r{i}" for i in range(1, hops)), "bob"]
    return list(pairwise(names))


def node(name: str, program: Program | None, slots: int = 16, **options: Any) -> NodeSpec:
    """A node with a link layer and a network layer that share its slots."""
    settings = {"memory": Memory(slots=slots), **options.pop("devices", {})}
    services = {"link": spec(LinkLayer), "network": spec(Network, needs=["link"], **options)}
    if program is None:
        return harness.node(name, ENDPOINT, services=services, service=True, **settings)
    return harness.node(name, program, services=services, **settings)


def network(
    links: Sequence[tuple[str, str]],
    programs: Mapping[str, Program],
    *,
    success: float = 0.5,
    fidelity: float = 1.0,
    entangle: Mapping[tuple[str, str], EntangleSpec] | None = None,
    faults: Sequence[Any] = (),
    slots: int = 16,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Topology:
    """Nodes and links of 20 km; those without a program are repeaters."""
    names = sorted({name for ends in links for name in ends})
    nodes = {name: node(name, programs.get(name), slots, **options) for name in names}
    plain = EntangleSpec(success=success, fidelity=fidelity, attempt_ns=LATENCY_NS)
    wires = [
        harness.link(*ends, LATENCY_NS, entangle=(entangle or {}).get(ends, plain), length_km=20.0)
        for ends in links
    ]
    return harness.network(nodes, wires, list(faults), **(settings or {}))


def run(*args: Any, **kwargs: Any) -> harness.Run:
    """`harness.run(network(...))`."""
    return harness.run(network(*args, **kwargs))


def asking(peer: str, count: int, **how: Any) -> Program:
    """Ask for pairs, and measure them: [name, outcome, when]."""

    async def program(me: Agent) -> list[Any]:
        pairs = me.network.pairs(peer, count, **how)
        return [[pair.id, await pair.measure("X"), me.now_ns] async for pair in pairs]

    return program


def taking(peer: str, count: int, **how: Any) -> Program:
    """Take what a peer asks for, and measure it."""

    async def program(me: Agent) -> list[Any]:
        pairs = me.network.arriving(peer, count=count, **how)
        return [[pair.id, await pair.measure("X"), me.now_ns] async for pair in pairs]

    return program


def ends(pairs: int, **how: Any) -> dict[str, Any]:
    """Alice asks bob."""
    return {"alice": asking("bob", pairs, **how), "bob": taking("alice", pairs)}


def agree(run: harness.Run, first: str, second: str, count: int) -> None:
    """Both ends have the same pairs, as many as were asked for, none twice, and outcomes of Phi+."""
    one, other = run.results[first], run.results[second]
    assert len({name for name, _, _ in one}) == len(one) == count
    assert sorted(row[:2] for row in one) == sorted(row[:2] for row in other)


def agree_but_for(over: harness.Run, first: str, second: str, pairs: int) -> None:
    """As `agree`; but the far end may have pairs that its source calls unconfirmed."""
    one = {row[0]: row[1] for row in over.results[first]}
    other = {row[0]: row[1] for row in over.results[second]}
    lone = over.outcome.metrics.get(f"{first}.network.{second}.unconfirmed", {"mean": 0})["mean"]
    assert len(one) == pairs
    assert len(other.keys() - one.keys()) <= lone
    assert all(one[name] == other[name] for name in one.keys() & other.keys())


def nothing_left(run: harness.Run) -> None:
    """No node has reserved a slot, or holds a qubit, and none awaits one."""
    for name, of_run in run.nodes.items():
        if "network" not in of_run.tenants.services:
            continue
        layer = of_run.tenants.services["network"].agent
        assert isinstance(layer, Network)
        assert layer.signalling.used == 0, name
        assert not layer.signalling.circuits, name
        assert not of_run.held.names, name
        assert not of_run.operations, name


def figure(run: harness.Run, name: str) -> float:
    """The mean of a metric."""
    return float(run.outcome.metrics[name]["mean"])
