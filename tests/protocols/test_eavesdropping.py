"""A node that a fault puts on a link: what it gets, what it leaves, and what the ends notice."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.roles.eavesdropper import Eavesdropper

from .. import harness
from ..physics.bench import Ran, assert_frequency, play, program

SLOTS = 20_000


class Alice(Agent):
    """Two trains of single-photon-like pulses, one after the other."""

    async def run(self, to: str = "bob") -> list[dict[str, Any]]:
        found = []
        for _ in range(2):
            await self.receive(to, kind="ready")
            train = await self.pulses(to, SLOTS)
            slots = np.arange(SLOTS)
            bases, bits, _ = train.at(slots)
            found.append({"bases": bases.tolist(), "bits": bits.tolist()})
        return found


class Bob(Agent):
    """Detects both, naming the sender and the link."""

    async def run(self, source: str = "alice") -> list[dict[str, Any]]:
        found = []
        for _ in range(2):
            await self.send(source, kind="ready")
            clicks = await self.detect(source, link="alice-bob")
            found.append(
                {
                    "slots": clicks.slots.tolist(),
                    "bases": clicks.bases.tolist(),
                    "bits": clicks.bits.tolist(),
                    "start_ns": clicks.start_ns,
                }
            )
        return found


class Eve(Eavesdropper):
    """Measures everything and sends on what it saw."""

    async def run(self) -> int:
        clicks = await self.intercept("alice", "bob")
        return len(clicks)


class Idle(Eavesdropper):
    """Does nothing: the light ends there."""

    async def run(self) -> None:
        await asyncio.sleep(1)


def trains(eve: type[Agent], faults: str) -> Ran:
    return play(f"""
nodes:
  alice:
    program: "{program(Alice)}"
    source: {{rate: 1 GHz, kind: single_photon, brightness: 1, g2: 0}}
  bob: {{program: "{program(Bob)}", detector: {{efficiency: 1}}}}
  eve: {{kind: eavesdropper, program: "{program(eve)}"}}
links:
  - {{between: [alice, bob], quantum: {{length: 10 km, attenuation: 0.3 dB/km}}}}
faults: [{faults}]
""")


def sifted(ran: Ran, number: int) -> tuple[int, int, int]:
    """(clicks, bits with agreeing bases, errors among those) of one of the trains."""
    sent, seen = ran.results["alice"][number], ran.results["bob"][number]
    slots = np.array(seen["slots"])
    bases, bits = np.array(sent["bases"])[slots], np.array(sent["bits"])[slots]
    agree = bases == np.array(seen["bases"])
    return len(slots), int(agree.sum()), int((bits != np.array(seen["bits"]))[agree].sum())


def test_a_train_that_is_intercepted_arrives_as_ever_and_a_quarter_of_it_is_wrong() -> None:
    # The first train begins at some 98 us; the second one after another such time.
    ran = trains(Eve, "{at: 1 us, for: 130 us, eavesdrop: alice-bob, by: eve}")
    assert ran.results["eve"] == SLOTS
    for number, error in ((0, 0.25), (1, 0.0)):
        clicks, agreeing, errors = sifted(ran, number)
        assert_frequency(
            clicks, SLOTS, 10**-0.3
        )  # she sees all, and bob loses what the fibre takes
        assert_frequency(errors, agreeing, error)
    undisturbed = trains(Idle, "")
    for number in (0, 1):
        seen = [each.results["bob"][number]["start_ns"] for each in (ran, undisturbed)]
        assert seen[0] == seen[1]


def test_what_an_eavesdropper_does_not_send_on_is_gone() -> None:
    # bob waits for light that never comes, and gets the second train: then alice has sent both.
    text = f"""
nodes:
  alice: {{program: "{program(OneTrain)}", source: {{rate: 1 GHz, intensities: [0.5]}}}}
  bob: {{program: "{program(Patient)}", detector: {{efficiency: 1}}}}
  eve: {{kind: eavesdropper, program: "{program(Idle)}"}}
links: [{{between: [alice, bob], quantum: {{length: 10 km}}}}]
faults: [{{at: 1 us, eavesdrop: alice-bob, by: eve}}]
"""
    ran = play(text)
    assert ran.results["bob"] == "nothing"
    assert ran.count("links.alice-bob.trains_lost") == 1


class OneTrain(Agent):
    async def run(self) -> None:
        await self.receive("bob")
        await self.pulses("bob", 1000)


class Patient(Agent):
    async def run(self) -> str:
        await self.send("alice")
        try:
            async with asyncio.timeout(0.01):
                await self.detect("alice")
        except TimeoutError:
            return "nothing"
        return "something"


async def chatty(me: Agent) -> None:
    for number in range(20):
        await me.send("bob", number)
        await asyncio.sleep(1e-6)


async def hears(me: Agent) -> list[list[Any]]:
    found: list[list[Any]] = []
    try:
        async with asyncio.timeout(60e-6):
            while True:
                message = await me.receive()
                found.append([message.source, message.destination, message.body])
    except TimeoutError:
        return found


async def forges(me: Agent) -> None:
    while True:
        message = await me.receive()
        assert (message.source, message.destination) == ("alice", "bob")
        me._node.send("bob", -message.body, message.kind, claims="alice")


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("classical", ["tap", "intercept"])
def test_forgeries_and_copies_come_alike_however_frames_are_carried(
    classical: str, order: int
) -> None:
    topology = harness.network(
        {
            "alice": chatty,
            "bob": hears,
            "eve": harness.node(
                "eve",
                forges if classical == "intercept" else hears,
                kind="eavesdropper",
                service=True,
            ),
        },
        [harness.link("alice", "bob", 3000)],
        [
            harness.fault("eavesdrop", "alice-bob", 4500, 9000, by="eve", classical=classical),
            harness.fault("kill", "alice", 11_200, restart=None),
        ],
    )
    plain = harness.run(topology)
    hard = harness.run_hard(topology, order, drops=0.5)
    assert hard.observable() == plain.observable()
    heard = [body for _, _, body in plain.results["bob"]]
    taken = list(range(5, 12))  # sent from 5 us on; alice dies at 11.2 us
    expected = set(range(12)) - set(taken) | {-number for number in taken}
    assert set(heard) == (expected if classical == "intercept" else set(range(12)))
    assert {source for source, _, _ in plain.results["bob"]} == {"alice"}


def test_who_does_not_listen_cannot_forge() -> None:
    async def mallory(me: Agent) -> None:
        me._node.send("bob", "hello", "", claims="alice")

    topology = harness.network(
        {"alice": harness.idle, "bob": hears, "mallory": mallory},
        [harness.link("alice", "bob", 3000), harness.link("bob", "mallory", 10)],
    )
    run = harness.run(topology)
    assert run.results["bob"] == []
    (lost,) = run.of("bob", "undelivered")
    assert lost[-1] == "mallory listens on no link that leads to bob"
