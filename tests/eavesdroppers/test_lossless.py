"""A line without loss in the place of the fibre, while an eavesdropper stands there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.roles.eavesdropper import Eavesdropper
from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import parse_topology

from ..physics.bench import Ran, assert_frequency, play, program

PHOTONS, SLOTS = 40, 20_000


class Alice(Agent):
    """Photons, then a train; both again after 10 ms."""

    async def run(self) -> None:
        for start_s in (0.001, 0.01):
            await asyncio.sleep(start_s - self.now_ns / 1e9)
            for _ in range(PHOTONS):
                await self.transmit(await self.qubit(), "bob")
            await asyncio.sleep(1e-3)
            await self.pulses("bob", SLOTS, bits=0)


class Bob(Agent):
    async def run(self) -> list[dict[str, int]]:
        return [await self.half(), await self.half()]

    async def half(self) -> dict[str, int]:
        counting = asyncio.create_task(self.photons())
        clicks = await self.detect("alice")
        counting.cancel()
        return {"photons": self.arrived, "clicks": len(clicks)}

    async def photons(self) -> None:
        self.arrived = 0
        while True:
            await (await self.receive_qubit("alice")).discard()
            self.arrived += 1


class Eve(Eavesdropper):
    """Passes everything on."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.photons())
            group.create_task(self.trains())

    async def photons(self) -> None:
        while True:
            await self.transmit(await self.receive_qubit("alice"), "bob")

    async def trains(self) -> None:
        while True:
            await self.intercept("alice", "bob", fraction=0.0)


def network(fault: str, entangle: str = "") -> str:
    return f"""
nodes:
  alice:
    program: "{program(Alice)}"
    source: {{rate: 1 GHz, kind: single_photon, brightness: 1, g2: 0}}
  bob: {{program: "{program(Bob)}", detector: {{}}, memory: {{slots: 64}}}}
  eve: {{kind: eavesdropper, program: "{program(Eve)}", service: true, memory: {{slots: 64}}}}
links: [{{between: [alice, bob], quantum: {{length: 20 km, insertion_loss: 6 dB{entangle}}}}}]
faults: [{fault}, {{at: 0 s, loss_db: alice-bob, by: 3 dB}}]
"""


def found(ran: Ran) -> Any:
    return ran.results["bob"]


def test_nothing_is_lost_on_it_and_the_fibre_is_back_when_it_heals() -> None:
    fault = "{at: 0 s, for: 5 ms, eavesdrop: alice-bob, by: eve, lossless: true}"
    without, after = found(play(network(fault)))
    assert without == {"photons": PHOTONS, "clicks": SLOTS}
    assert after["photons"] < PHOTONS / 2
    assert_frequency(after["clicks"], SLOTS, 10**-1.3)


def test_without_the_word_the_fibre_is_as_it_was() -> None:
    during, _ = found(play(network("{at: 0 s, for: 5 ms, eavesdrop: alice-bob, by: eve}")))
    assert_frequency(during["clicks"], SLOTS, 10**-1.3)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        (
            "quantum: {length: 1 km, entangle: {success: 1, fidelity: 1, attempt: 1 us}}",
            "heralds pairs",
        ),
        ("classical: {latency: 1 ms}", "has no quantum side"),
    ],
)
def test_a_link_without_light_for_her_has_no_loss_to_take_away(link: str, why: str) -> None:
    text = f"""
name: none
nodes: {{alice: , bob: , eve: {{kind: eavesdropper}}}}
links: [{{between: [alice, bob], {link}}}]
faults: [{{at: 0 s, eavesdrop: alice-bob, by: eve, lossless: true, classical: tap}}]
"""
    with pytest.raises(TopologyError, match=why):
        parse_topology(text)
