"""What breaks when, and what heals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from numpy.random import Generator

from qnetem import Agent
from qnetem.emulator.classical.flights import Flight, Sent
from qnetem.emulator.faults.kinds import FAULT_KINDS, FAULTS
from qnetem.emulator.faults.kinds.messages.delay import Delay
from qnetem.emulator.faults.kinds.messages.loss import Loss
from qnetem.emulator.faults.verdicts import Drop, Later, Pass
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.wire import Send

from ... import harness
from ...harness import fault, heralding, idle, link, network

FLIGHT = Flight(Sent("a", 1, Send("b", 1, "", 1, b""), 0), "b", "b", 1)


def draws(seed: int = 1) -> Generator:
    return Streams(seed).of("fault", "0:loss:a-b")


async def ticker(me: Agent) -> None:
    """A message a microsecond, ten of them."""
    for number in range(10):
        await me.send("bob", number)
        await asyncio.sleep(1e-6)


async def counter(me: Agent) -> list[Any]:
    """What came within 20 us, and when, in us."""
    found = []
    try:
        async with asyncio.timeout(20e-6):
            while True:
                message = await me.receive()
                found.append([message.body, me.now_ns / 1000])
    except TimeoutError:
        return found


def heard(*faults: Any, latency_ns: int = 0, seed: int = 1) -> list[Any]:
    """Which numbers of `ticker` came through."""
    topology = harness.pair(ticker, counter, latency_ns, faults=faults, seed=seed)
    return [number for number, _ in harness.run(topology).results["bob"]]


def test_every_fault_that_may_be_written_is_there() -> None:
    assert set(FAULTS) == set(FAULT_KINDS)


def test_a_cut_begins_and_heals_at_its_instants() -> None:
    assert heard(fault("cut", "alice-bob", 3000, 4000)) == [0, 1, 2, 7, 8, 9]


def test_a_fault_without_an_end_never_heals() -> None:
    assert heard(fault("cut", "alice-bob", 3000)) == [0, 1, 2]


def test_a_fault_at_the_very_start_comes_before_the_first_step() -> None:
    assert heard(fault("cut", "alice-bob", 0, 2000)) == list(range(2, 10))


def test_a_fault_that_ends_as_the_next_begins_leaves_no_gap() -> None:
    faults = [fault("cut", "alice-bob", 4000, 2000), fault("cut", "alice-bob", 2000, 2000)]
    assert heard(*faults) == [0, 1, 6, 7, 8, 9]
    assert heard(*reversed(faults)) == [0, 1, 6, 7, 8, 9]


def test_each_begin_and_heal_is_in_the_journal_in_the_order_of_the_file() -> None:
    topology = network(
        {"alice": ticker, "bob": counter},
        [link("alice", "bob", 0)],
        [fault("delay", "alice-bob", 2000, 1000, by=1), fault("cut", "alice-bob", 2000, 500)],
    )
    run = harness.run(topology)
    assert [(e[0], *e[3:]) for e in run.of("faults")] == [
        (2000, "begin", "0", "delay", "alice-bob", {"by": 1}, 1000),
        (2000, "begin", "1", "cut", "alice-bob", {}, 500),
        (2500, "heal", "1", "cut", "alice-bob"),
        (3000, "heal", "0", "delay", "alice-bob"),
    ]


def test_a_delay_holds_back_what_enters_while_it_lasts() -> None:
    delay = fault("delay", "alice-bob", 1000, 2000, by=5000)
    topology = harness.pair(ticker, counter, 0, faults=[delay])
    found = dict(harness.run(topology).results["bob"])
    assert {number: t for number, t in found.items() if t != number} == {1: 6.0, 2: 7.0}


def test_loss_draws_one_number_a_message_whatever_comes_of_it() -> None:
    for probability in (0.0, 0.5, 1.0):
        rng, twin = draws(), draws()
        loss = Loss(fault("loss", "a-b", 0, probability=probability), rng)
        verdicts = [loss.on_message(FLIGHT) for _ in range(20)]
        numbers = [twin.random() for _ in range(20)]
        assert rng.random() == twin.random()
        assert verdicts == [Drop("loss") if u < probability else Pass() for u in numbers]


def test_a_delay_draws_nothing_and_adds_what_it_says() -> None:
    assert Delay(fault("delay", "a-b", 0, by=7), draws()).on_message(FLIGHT) == Later(7)


def test_loss_is_drawn_anew_for_another_seed_only() -> None:
    loss = fault("loss", "alice-bob", 0, probability=0.5)
    assert heard(loss, seed=1) == heard(loss, seed=1) != heard(loss, seed=2)


def test_a_fault_added_at_the_end_shifts_no_others_draws() -> None:
    loss = fault("loss", "alice-bob", 0, 8500, probability=0.5)
    more = fault("loss", "alice-bob", 8500, probability=1.0)
    assert heard(loss, more) == [number for number in heard(loss) if number <= 8]


async def one_pair(me: Agent) -> int:
    await me.entangle(me.neighbours[0])
    return me.now_ns


@pytest.mark.parametrize(
    ("only", "pairs_ns", "messages"),
    [(None, 3000, 1), ("quantum", 3000, 2), ("classical", 1000, 1)],
)
def test_a_cut_acts_on_the_planes_it_names(only: str | None, pairs_ns: int, messages: int) -> None:
    async def alice(me: Agent) -> int:
        await asyncio.sleep(600e-9)
        await me.send("bob")
        return await one_pair(me)

    async def bob(me: Agent) -> list[int]:
        await me.send("alice")
        return [await one_pair(me)]

    topology = network(
        {"alice": alice, "bob": bob},
        [link("alice", "bob", 100, entangle=heralding(attempt_ns=400))],
        [fault("cut", "alice-bob", 500, 2100, only=only)],
    )
    run = harness.run(topology)
    assert run.results == {"alice": pairs_ns, "bob": [pairs_ns]}
    delivered = [e for e in run.events if e[3] == "delivered"]
    assert len(delivered) == messages


def test_killing_the_dead_is_noted_and_does_nothing() -> None:
    faults = [fault("kill", "bob", 1000, restart=None), fault("kill", "bob", 2000, restart=100)]
    run = harness.run(harness.pair(ticker, counter, 0, faults=faults))
    assert [(e[0], *e[3:]) for e in run.of("bob", "killed", "already dead", "restarted")] == [
        (1000, "killed", 1),
        (2000, "already dead", 2),
    ]


@pytest.mark.parametrize("restart", [None, 0, 500])
def test_a_kill_at_the_very_start_comes_before_the_first_step(restart: int | None) -> None:
    topology = network({"bob": idle}, faults=[fault("kill", "bob", 0, restart=restart)])
    run = harness.run(topology)
    assert run.of("bob")[0][:4] == (0, 0, "bob", "killed")
    states = run.outcome.nodes["bob"]
    wanted = (1, "killed") if restart is None else (2, "finished")
    assert (states.incarnation, states.state) == wanted
