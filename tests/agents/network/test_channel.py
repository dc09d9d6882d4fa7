"""The channel between two services: once and in order, or both know that state was lost."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.network.channel import Channel

from ... import harness
from ...counts import count


class Wire:
    """Two channels, and packets between them that are lost, copied and late as drawn."""

    def __init__(self, rng: Any, loss: float, copies: float, tries: int) -> None:
        self.rng, self.loss, self.copies, self.tries = rng, loss, copies, tries
        self.incarnations = [0, 0]
        self.ends: list[Channel] = []
        self.came: list[list[Any]] = [[], []]
        self.lost: list[list[str]] = [[], []]
        for side in (0, 1):
            self.ends.append(self.start(side))

    def start(self, side: int) -> Channel:
        """A new incarnation of one side."""
        self.incarnations[side] += 1
        incarnation = self.incarnations[side]
        return Channel(
            incarnation,
            partial(self.send, side, incarnation),
            self.came[side].append,
            self.lost[side].append,
            repeat_s=0.007,
            tries=self.tries,
        )

    def send(self, side: int, incarnation: int, *packet: Any) -> None:
        number, acknowledged, life, to, item = packet
        for _ in range(1 + (self.rng.random() < self.copies)):
            if self.rng.random() < self.loss:
                continue
            delay_s = 1e-3 * float(self.rng.integers(1, 4))
            asyncio.get_running_loop().call_later(
                delay_s,
                lambda: self.ends[1 - side].receive(
                    incarnation, life, number, acknowledged, to, item
                ),
            )


def talk(
    script: Any, seed: int = 0, loss: float = 0.0, copies: float = 0.0, tries: int = 12
) -> Any:
    async def program(me: Agent) -> Any:
        return await script(Wire(me.rng, loss, copies, tries))

    return harness.run(harness.network({"alice": program}, seed=seed)).results["alice"]


@pytest.mark.campaign
def test_messages_arrive_once_and_in_order_whatever_the_wire_does() -> None:
    async def both(wire: Wire) -> Any:
        for number in range(30):
            wire.ends[0].post(number)
            wire.ends[1].post(-number)
            await asyncio.sleep(0.001)
        await asyncio.sleep(1.0)
        return wire.came, wire.lost

    for seed in range(count(100)):
        came, lost = talk(both, seed, loss=0.3, copies=0.3)
        assert came == [[-number for number in range(30)], list(range(30))]
        assert lost == [[], []]


def test_a_wire_without_faults_carries_no_repetition() -> None:
    async def quiet(wire: Wire) -> int:
        sent = []
        plain = wire.send
        wire.send = lambda *packet: (sent.append(packet), plain(*packet))  # type: ignore[method-assign]
        wire.ends = [wire.start(side) for side in (0, 1)]
        wire.ends[0].greet()
        await asyncio.sleep(0.01)
        before = len(sent)
        for number in range(5):
            wire.ends[0].post(number)
        await asyncio.sleep(0.5)
        return len(sent) - before

    # Five messages, and at most as many acknowledgements.
    assert 6 <= talk(quiet) <= 10


def test_a_restart_is_learned_of_and_ends_the_conversation() -> None:
    async def restart(wire: Wire) -> Any:
        wire.ends[0].post("before")
        await asyncio.sleep(0.02)
        wire.ends[1] = wire.start(1)
        wire.ends[1].greet()
        await asyncio.sleep(0.02)
        wire.ends[0].post("after")
        await asyncio.sleep(0.02)
        return wire.came[1], wire.lost

    assert talk(restart) == [["before", "after"], [["it has been restarted"], []]]


def test_a_restart_without_a_word_is_found_by_the_next_message() -> None:
    async def restart(wire: Wire) -> Any:
        wire.ends[0].post("before")
        await asyncio.sleep(0.02)
        wire.ends[1] = wire.start(1)
        wire.ends[0].post("into the void")
        await asyncio.sleep(0.1)
        wire.ends[0].post("after")
        await asyncio.sleep(0.02)
        return wire.came[1], wire.lost[0]

    assert talk(restart) == [["before", "after"], ["it has been restarted"]]


def test_silence_is_given_up_and_the_next_conversation_is_a_new_one() -> None:
    async def cut(wire: Wire) -> Any:
        wire.ends[0].post("before")
        wire.ends[1].post("back")
        await asyncio.sleep(0.05)
        wire.loss = 1.0
        wire.ends[0].post("lost")
        wire.ends[1].post("lost too")
        await asyncio.sleep(2.0)
        wire.loss = 0.0
        wire.ends[0].post("after")
        wire.ends[1].post("and back")
        await asyncio.sleep(0.1)
        return wire.came, wire.lost

    came, lost = talk(cut)
    assert came == [["back", "and back"], ["before", "after"]]
    assert lost == [["it does not answer"], ["it does not answer"]]


@pytest.mark.campaign
def test_no_message_of_an_earlier_life_is_taken_in_a_later_one() -> None:
    async def lives(wire: Wire) -> Any:
        for number in range(120):
            side = int(wire.rng.integers(2))
            if wire.rng.random() < 0.05:
                wire.ends[side] = wire.start(side)
                wire.came[side].append("restarted")
            wire.ends[side].post([side, number])
            await asyncio.sleep(0.002)
        wire.loss = 0.0
        await asyncio.sleep(3.0)
        wire.ends[0].post([0, 1000])
        wire.ends[1].post([1, 1000])
        await asyncio.sleep(3.0)
        return wire.came

    for seed in range(count(60)):
        for side, came in enumerate(talk(lives, seed, loss=0.2, copies=0.3, tries=4)):
            taken = [item[1] for item in came if item != "restarted"]
            assert taken == sorted(set(taken)), seed
            assert came[-1] == [1 - side, 1000], seed
