"""Nodes with a link layer, and programs of both ends of a link."""

from __future__ import annotations

import asyncio
from typing import Any

from qnetem import Agent
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.emulator.topology.model.entangle import EntangleSpec
from qnetem.emulator.topology.model.topology import Memory, NodeSpec

from ... import harness
from ..node.tenants.services import spec

LATENCY_NS = 100_000


def end(name: str, program: Any, slots: int = 16, **options: Any) -> NodeSpec:
    """A node with a link layer that takes the program's slots."""
    memory = options.pop("memory", None) or Memory(slots=slots)
    return harness.node(name, program, memory=memory, services={"link": spec(LinkLayer, **options)})


def over_link(
    alice: Any,
    bob: Any,
    success: float = 0.5,
    faults: list[Any] | None = None,
    entangle: EntangleSpec | None = None,
    slots: int = 16,
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> harness.Run:
    """A run of two nodes, 20 km apart, with a link layer each."""
    heralds = entangle or harness.heralding(success, LATENCY_NS)
    link = harness.link("alice", "bob", LATENCY_NS, entangle=heralds, length_km=20.0)
    nodes = {
        "alice": end("alice", alice, slots, **(options or {})),
        "bob": end("bob", bob, slots, **(options or {})),
    }
    return harness.run(harness.network(nodes, [link], faults or [], **settings))


async def take(pairs: Any, axis: str = "X") -> list[Any]:
    """Measure all pairs of an iteration: [label, the pair's id, outcome] of each."""
    return [[pair.label, pair.id, await pair.measure(axis)] async for pair in pairs]


async def asking(me: Agent, count: int = 20, **how: Any) -> list[Any]:
    """Ask bob for pairs, and take them."""
    return await take(me.service(LinkLayer).pairs("bob", count, **how))


async def answering(me: Agent, count: int | None = 20, **how: Any) -> list[Any]:
    """Take what alice asks for."""
    return await take(me.service(LinkLayer).arriving("alice", count=count, **how))


async def answering_for(me: Agent, taken: list[Any], duration_s: float, **how: Any) -> None:
    """Take what alice asks for, for so long."""
    try:
        async with asyncio.timeout(duration_s):
            async for pair in me.service(LinkLayer).arriving("alice", **how):
                taken.append([pair.label, pair.id, await pair.measure("X")])
    except TimeoutError:
        pass
