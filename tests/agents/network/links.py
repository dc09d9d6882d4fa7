"""Nodes with a link layer, and programs of both ends of a link."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from qnetem import Agent
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.emulator.topology.model.entangle import ClickDetectorSpec, DetectionSpec, EntangleSpec
from qnetem.emulator.topology.model.topology import Memory, NodeSpec

from ... import harness
from ..node.tenants.services import spec

LATENCY_NS = 100_000
#: As the preset delft_nv_2019; and with ten times the detection, for a link of 20 km.
NV = EntangleSpec(
    kind="single_click",
    alpha=0.1,
    preparation_ns=5500,
    detection=DetectionSpec(first=2.8e-4, second=4.2e-4),
    detector=ClickDetectorSpec(dark_count_rate_hz=20.0, window_ps=25_000),
    visibility=0.9,
    phase_noise_rad=math.radians(15),
    double_excitation=0.04,
)
BRIGHT_NV = NV.model_copy(
    update={
        "detection": DetectionSpec(first=2.8e-3, second=4.2e-3),
        "phase_noise_rad": None,
        "double_excitation": None,
    }
)


def link(me: Agent) -> LinkLayer:
    return me.service(LinkLayer)


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
    wire = harness.link("alice", "bob", LATENCY_NS, entangle=heralds, length_km=20.0)
    nodes = {
        "alice": end("alice", alice, slots, **(options or {})),
        "bob": end("bob", bob, slots, **(options or {})),
    }
    return harness.run(harness.network(nodes, [wire], faults or [], **settings))


async def take(pairs: Any, axis: str = "X") -> list[Any]:
    """Measure all pairs of an iteration: [label, the pair's id, outcome] of each."""
    return [[pair.label, pair.id, await pair.measure(axis)] async for pair in pairs]


async def asking(me: Agent, count: int = 20, **how: Any) -> list[Any]:
    """Ask bob for pairs, and take them."""
    return await take(link(me).pairs("bob", count, **how))


async def answering(me: Agent, count: int | None = 20, **how: Any) -> list[Any]:
    """Take what alice asks for."""
    return await take(link(me).arriving("alice", count=count, **how))


async def answering_for(me: Agent, taken: list[Any], duration_s: float, **how: Any) -> None:
    """Take what alice asks for, for so long."""
    try:
        async with asyncio.timeout(duration_s):
            async for pair in link(me).arriving("alice", **how):
                taken.append([pair.label, pair.id, await pair.measure("X")])
    except TimeoutError:
        pass
