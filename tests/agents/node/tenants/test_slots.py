"""Slots of a node with services: whose they are, and qubits that are handed over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.emulator.errors import InputError, QubitError
from qnetem.emulator.topology.model.topology import Memory

from .... import harness
from .services import Pairs, node, pair, spec

idle = harness.idle


def alone(program: harness.Script, **services: Any) -> harness.Run:
    return harness.run(harness.network({"alice": node("alice", program, **services)}))


def test_a_pair_is_handed_from_a_services_pool_to_the_programs() -> None:
    async def program(me: Agent) -> Any:
        peer = "bob" if me.name == "alice" else "alice"
        before = me.memory.slots, me.memory.free, me.services.pairs.slots()
        pair = await me.services.pairs.pair(peer)
        after = me.memory.free, me.services.pairs.slots()
        return before, after, await pair.measure("Z"), me.memory.free

    services = {"pairs": spec(Pairs, slots=2)}
    run = harness.run(
        pair(node("alice", program, slots=5, **services), node("bob", program, slots=5, **services))
    )
    alice, bob = run.results["alice"], run.results["bob"]
    assert alice[0] == [3, 3, [2, 2]] and alice[1] == [2, [2, 2]] and alice[3] == 3
    assert alice[2] == bob[2]
    assert run.outcome.left["alice"].slots_used == 0


def test_a_program_never_takes_a_services_slot_and_waits_for_its_own() -> None:
    async def program(me: Agent) -> Any:
        held = await me.qubit()
        waiting = asyncio.create_task(me.qubit())
        await asyncio.sleep(0.001)
        early, free = waiting.done(), me.services.pairs.slots()
        await held.discard()
        await (await waiting).discard()
        return early, free

    run = alone_with_slots(program, 3, pairs=spec(Pairs, slots=2))
    assert run.results["alice"] == [False, [2, 2]]


def alone_with_slots(program: harness.Script, slots: int, **services: Any) -> harness.Run:
    return harness.run(harness.network({"alice": node("alice", program, slots=slots, **services)}))


def test_what_is_left_in_slots_names_its_owner() -> None:
    async def program(me: Agent) -> None:
        peer = "bob" if me.name == "alice" else "alice"
        await me.services.pairs.keep(peer)
        await me.qubit()

    services = {"pairs": spec(Pairs, slots=2)}
    run = harness.run(pair(node("alice", program, **services), node("bob", program, **services)))
    left = run.outcome.left["alice"]
    assert left.held == ["alice-bob#1@alice", "alice#1"] and left.owners == {
        "alice-bob#1@alice": "pairs"
    }


def test_requests_of_a_service_and_of_a_program_never_match() -> None:
    """Both tenants of both ends ask at once, in opposite orders; each gets the other end's own."""

    async def alice(me: Agent) -> int:
        task = asyncio.create_task(me.services.pairs.pair("bob"))
        await asyncio.sleep(0)
        own = await me.entangle("bob")
        theirs = await task
        return own.id, theirs.id  # type: ignore[return-value]

    async def bob(me: Agent) -> Any:
        own = await me.entangle("alice")
        theirs = await me.services.pairs.pair("alice")
        return own.id, theirs.id

    services = {"pairs": spec(Pairs)}
    run = harness.run(pair(node("alice", alice, **services), node("bob", bob, **services)))
    assert run.results["alice"] == run.results["bob"]


def test_a_hand_over_to_what_is_no_tenant_is_refused() -> None:
    async def program(me: Agent) -> None:
        qubit = await me.qubit()
        with pytest.raises(InputError, match="hands over to 'stranger', which is no tenant"):
            await me.hand_over(qubit, "stranger")
        kept = await me.hand_over(qubit, "pairs")
        assert me.memory.free == 14 and await kept.measure("Z") == 0

    assert alone(program, pairs=spec(Pairs, slots=2)).results == {"alice": None}


def test_tenants_that_share_slots_hand_over_at_once_and_without_an_operation() -> None:
    async def program(me: Agent) -> None:
        await me.hand_over(await me.qubit(), "pairs")
        assert (await me.qubit()).name == "alice#2"

    run = alone(program, pairs=spec(Pairs))
    assert run.results == {"alice": None}
    assert run.outcome.left["alice"].held == ["alice#1", "alice#2"]
    assert run.outcome.left["alice"].owners == {"alice#1": "pairs"}
    assert [event[5] for event in run.of("alice", "operation")] == ["allocate", "allocate"]


def test_a_hand_over_waits_for_a_slot_and_leaves_none_taken_when_it_is_cancelled() -> None:
    async def program(me: Agent) -> Any:
        peer = "bob" if me.name == "alice" else "alice"
        held, pairs = await me.qubit(), me.services.pairs
        waiting = asyncio.create_task(pairs.pair(peer))
        await asyncio.sleep(0.001)
        early, while_waiting = waiting.done(), pairs.slots()
        waiting.cancel()
        await asyncio.wait([waiting])
        await held.discard()
        pair = await pairs.pair(peer)
        return early, while_waiting, await pair.measure("Z"), pairs.slots(), me.memory.free

    services = {"pairs": spec(Pairs, slots=2)}
    run = harness.run(
        pair(node("alice", program, slots=3, **services), node("bob", program, slots=3, **services))
    )
    # The pair whose hand-over was cancelled is still the service's.
    assert run.results["alice"] == [False, [2, 1], run.results["bob"][2], [2, 1], 1]
    assert run.outcome.left["alice"].owners == {"alice-bob#1@alice": "pairs"}


def test_a_hand_over_of_a_qubit_that_expires_fails_at_that_instant() -> None:
    async def program(me: Agent) -> Any:
        if me.name == "bob":
            return await (await me.services.pairs.pair("alice")).measure("Z")
        held = await me.qubit()
        task = asyncio.create_task(me.services.pairs.pair("bob"))
        await asyncio.sleep(0.001)
        await held.reset()  # younger than the half that is handed over
        with pytest.raises(QubitError, match="past its cut-off"):
            await task
        then_ns = me.now_ns
        assert await held.measure("Z") == 0
        return then_ns, me.services.pairs.slots(), me.memory.free

    memory = Memory(slots=3, cutoff_ns=2_000_000)
    alice = harness.node("alice", program, memory=memory, services={"pairs": spec(Pairs, slots=2)})
    run = harness.run(pair(alice, node("bob", program, pairs=spec(Pairs, slots=2))))
    then_ns, slots, free = run.results["alice"]
    (expired,) = run.of("alice", "expired")
    assert then_ns == expired[0] and slots == [2, 2] and free == 1
