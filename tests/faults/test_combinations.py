"""Several faults on one target: what comes of it, counted by hand."""

from __future__ import annotations

import asyncio
from typing import Any

from qnetem import Agent
from qnetem.agents.roles.eavesdropper import Eavesdropper

from ..physics.bench import Ran, play, program


class Ticker(Agent):
    """Sends a number each 10 ms, from its birth until 1 s; result: when what it heard was sent, in ms."""

    async def run(self, peer: str) -> list[Any]:
        heard: list[Any] = []

        async def listen() -> None:
            while True:
                message = await self.receive(peer)
                heard.append(message.body if message.body == "forged" else message.sent_ns / 1e6)

        listening = asyncio.create_task(listen())
        while self.now_ns < 10**9:
            await self.send(peer, 0, kind="tick")
            await asyncio.sleep(0.01)
        listening.cancel()
        return heard


class Forger(Eavesdropper):
    """Sends something else in the place of what it takes."""

    async def run(self) -> None:
        while True:
            message = await self.receive()
            await self.forge(message.source, message.destination, "forged", kind=message.kind)


class Hears(Eavesdropper):
    """Counts what it hears."""

    async def run(self) -> None:
        while True:
            await self.receive()
            self.record("heard", 1)


ONE = "  - {between: [alice, bob], classical: {latency: 1 ms}}\n"
SLOW = "  - {between: [alice, bob], name: slow, classical: {latency: 5 ms}}\n"


def run(faults: str, links: str = ONE) -> Ran:
    return play(f"""
nodes:
  alice: {{program: "{program(Ticker)}", with: {{peer: bob}}}}
  bob: {{program: "{program(Ticker)}", with: {{peer: alice}}}}
  mallory: {{kind: eavesdropper, program: "{program(Forger)}", service: true}}
  eve: {{kind: eavesdropper, program: "{program(Hears)}", service: true}}
links:
{links}faults:
{faults}""")


def between(first: int, last: int) -> list[int]:
    """From ms to ms, both included."""
    return list(range(first, last + 1, 10))


def test_a_link_beside_a_cut_one_carries_its_messages_until_it_is_cut_too() -> None:
    """What is sent at 300 ms is on the slow link as that is cut."""
    ran = run(
        "  - {at: 205 ms, for: 200 ms, cut: alice-bob}\n  - {at: 305 ms, for: 50 ms, cut: slow}\n",
        ONE + SLOW,
    )
    assert ran.results["bob"] == between(0, 290) + between(360, 990)


def test_cuts_and_partitions_nest_and_each_heals_by_itself() -> None:
    ran = run(
        "  - {at: 0 s, for: 95 ms, cut: alice-bob}\n"
        "  - {at: 55 ms, for: 200 ms, cut: alice-bob}\n"
        "  - {at: 105 ms, for: 400 ms, partition: [[alice], [bob]], only: classical}\n"
        "  - {at: 995 ms, for: 1 h, cut: alice-bob}\n"
    )
    assert ran.results["bob"] == between(510, 990)
    healed = {fault.id: fault.healed_ns for fault in ran.outcome.faults}
    assert healed["3"] == 1000 * 10**6, "what outlasts the run heals with it"


def test_repeated_faults_that_overlap_themselves_add_up() -> None:
    """From 5 to 255 ms and from 105 to 355 ms: each has met 25 messages of either end."""
    ran = run(
        "  - {at: 5 ms, every: 100 ms, until: 205 ms, for: 250 ms, delay: alice-bob, by: 2 ms}\n"
    )
    assert len(ran.outcome.faults) == 2
    assert [fault.hits for fault in ran.outcome.faults] == [2 * 25, 2 * 25]
    latency_s = ran.series("bob.message_latency_s")
    assert (latency_s["min"], latency_s["max"]) == (0.001, 0.005)
    assert ran.results["bob"] == between(0, 990)


def test_one_who_dies_takes_messages_to_the_grave_and_forges_again_when_she_is_back() -> None:
    """Alice is dead when she would send at 500 ms. Eve was paused, and hears all the same."""
    ran = run(
        "  - {at: 105 ms, for: 500 ms, eavesdrop: alice-bob, by: eve, classical: tap}\n"
        "  - {at: 205 ms, for: 600 ms, eavesdrop: alice-bob, by: mallory, classical: intercept}\n"
        "  - {at: 125 ms, for: 20 ms, pause: eve}\n"
        "  - {at: 455 ms, kill: mallory, restart: 90 ms}\n"
        "  - {at: 500 ms, kill: alice, restart: 10 ms}\n"
    )
    bob = ran.results["bob"]
    assert [sent for sent in bob if sent != "forged"] == between(0, 200) + between(810, 990)
    taken = [ms for ms in between(210, 800) if ms != 500]
    assert bob.count("forged") == len([ms for ms in taken if not 455 < ms < 545])
    # from 110 to 600 ms, both ways; what bob says while alice is dead is heard on its way
    assert ran.count("eve.heard") == 50 + 50 - 1


def test_a_run_continues_for_a_node_that_a_later_fault_starts_again() -> None:
    ran = run(
        "  - {at: 100 ms, kill: [alice, bob]}\n"
        "  - {at: 200 ms, restart: alice}\n"
        "  - {at: 305 ms, restart: bob, after: 50 ms}\n"
    )
    assert ran.outcome.nodes["alice"].incarnation == ran.outcome.nodes["bob"].incarnation == 2
    assert ran.results["bob"] == between(360, 990)
    assert ran.results["alice"] == [ms + 355 for ms in between(0, 640)]


def test_a_pause_ends_with_the_life_it_struck_and_the_next_one_may_be_struck_too() -> None:
    """Bob's second life begins at 300 ms, and is paused from 350 to 450 ms by two that nest."""
    ran = run(
        "  - {at: 105 ms, for: 500 ms, pause: bob}\n"
        "  - {at: 205 ms, kill: bob, restart: 95 ms}\n"
        "  - {at: 255 ms, for: 20 ms, pause: bob}\n"
        "  - {at: 350 ms, for: 100 ms, pause: bob}\n"
        "  - {at: 360 ms, for: 10 ms, pause: bob}\n"
    )
    assert ran.results["bob"] == between(300, 990)
    assert ran.results["alice"] == [*between(0, 100), *between(300, 340), *between(450, 990)]
