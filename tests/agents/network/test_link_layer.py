"""The link layer over one link: what programs get, and what both ends agree on whatever happens."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.emulator.errors import InputError
from qnetem.emulator.topology.model.topology import Memory

from ... import harness
from ..node.tenants.services import node, pair, spec
from .links import LATENCY_NS, answering, answering_for, asking, end, link, over_link, take

# --- pairs ----------------------------------------------------------------------------------------


def test_both_ends_get_the_pairs_of_a_request_under_the_same_names() -> None:
    run = over_link(asking, answering)
    taken = run.results["alice"]
    assert taken == run.results["bob"]
    assert [label for label, _, _ in taken] == [f"alice.1.1#{n}" for n in range(1, 21)]


def test_the_end_that_is_no_master_asks_alike() -> None:
    async def bob(me: Agent) -> list[Any]:
        return await take(link(me).pairs("alice", 20))

    async def alice(me: Agent) -> list[Any]:
        return await take(link(me).arriving("bob", count=20))

    results = over_link(alice, bob).results
    assert results["alice"] == results["bob"]
    assert results["bob"][0][0] == "bob.1.1#1"


def test_nothing_is_made_before_the_other_end_takes_it() -> None:
    async def late(me: Agent) -> int:
        await asyncio.sleep(1.0)
        await answering(me, 1)
        return me.now_ns

    results = over_link(lambda me: asking(me, 1), late).results
    assert results["bob"] > 1_000_000_000


def test_pairs_with_a_pool_of_their_own_are_handed_over() -> None:
    async def alice(me: Agent) -> list[int]:
        free = []
        async for half in link(me).pairs("bob", 2):
            free.append(me.memory.free)
            await half.discard()
        return [*free, me.memory.free]

    async def bob(me: Agent) -> None:
        async for half in link(me).arriving("alice", count=2):
            await half.discard()

    nodes = [
        node(n, p, 4, link=spec(LinkLayer, slots=2)) for n, p in (("alice", alice), ("bob", bob))
    ]
    assert harness.run(pair(*nodes)).results["alice"] == [1, 1, 2]


def test_two_purposes_over_one_link_never_cross() -> None:
    async def alice(me: Agent) -> list[Any]:
        return list(await asyncio.gather(*(asking(me, 20, purpose=use) for use in "ab")))

    async def bob(me: Agent) -> list[Any]:
        return list(await asyncio.gather(*(answering(me, 20, purpose=use) for use in "ab")))

    results = over_link(alice, bob).results
    assert results["alice"] == results["bob"]
    ids = [pair for taken in results["alice"] for _, pair, _ in taken]
    assert len(set(ids)) == 40


def test_a_half_that_only_one_end_has_is_found_out_and_replaced() -> None:
    async def alice(me: Agent) -> list[Any]:
        return await asking(me, 20, confirmed=True)

    lost = harness.fault("lost_herald", "alice-bob", 0, None, probability=0.3, end="bob")
    run = over_link(alice, answering, faults=[lost])
    assert run.outcome.metrics["links.alice-bob.heralds_lost"]["count"] > 3
    assert run.results["alice"] == run.results["bob"]
    assert run.results["alice"][-1][0] != "alice.1.1#20"


def test_halves_that_are_too_old_are_replaced() -> None:
    async def alice(me: Agent) -> list[int]:
        ages = []
        async for half in link(me).pairs("bob", 6, cutoff="1 ms"):
            ages.append(half.age_ns)
            await half.discard()
            await asyncio.sleep(0.003)
        return ages

    async def bob(me: Agent) -> int:
        taken: list[Any] = []
        await answering_for(me, taken, 1.0)
        return len(taken)

    results = over_link(alice, bob, success=1.0).results
    assert len(results["alice"]) == 6
    assert max(results["alice"]) <= 1_000_000
    assert results["bob"] > 6


@pytest.mark.parametrize(("store", "held"), [(False, 1), (True, 3)])
def test_halves_that_are_stored_make_room_for_the_next_pair(store: bool, held: int) -> None:
    """One communication qubit: without storing, the second pair waits until the first is used."""

    async def hold(me: Agent, pairs: Any) -> int:
        kept = []
        try:
            async with asyncio.timeout(0.1):
                async for half in pairs:
                    kept.append(half)
        except TimeoutError:
            pass
        return len(kept)

    memory = Memory(slots=4, communication=1)
    wire = harness.link(
        "alice", "bob", LATENCY_NS, entangle=harness.heralding(1.0, LATENCY_NS), length_km=20.0
    )
    nodes = {
        "alice": end(
            "alice", lambda me: hold(me, link(me).pairs("bob", 3)), memory=memory, store=store
        ),
        "bob": end(
            "bob",
            lambda me: hold(me, link(me).arriving("alice", count=3)),
            memory=memory,
            store=store,
        ),
    }
    assert harness.run(harness.network(nodes, [wire])).results == {"alice": held, "bob": held}


def test_halves_that_their_memory_has_discarded_are_replaced() -> None:
    async def alice(me: Agent) -> int:
        had = 0
        async for half in link(me).pairs("bob", 4):
            had += not half.expired
            await half.discard()
            await asyncio.sleep(0.002)
        return had

    async def bob(me: Agent) -> int:
        taken: list[Any] = []
        await answering_for(me, taken, 0.5)
        return len(taken)

    memory = Memory(slots=4, cutoff_ns=1_000_000)
    wire = harness.link("alice", "bob", LATENCY_NS, entangle=harness.heralding(1.0, LATENCY_NS))
    nodes = {"alice": end("alice", alice, memory=memory), "bob": end("bob", bob, memory=memory)}
    results = harness.run(harness.network(nodes, [wire])).results
    assert results["alice"] == 4
    assert results["bob"] > 4


# --- measured at once -----------------------------------------------------------------------------


async def measures(me: Agent) -> list[Any]:
    got = await link(me).measured("bob", 60, axes=["X", "Z"], peer_bases=[0, 1] * 30)
    return [
        got.request,
        got.numbers.tolist(),
        got.bases.tolist(),
        got.bits.tolist(),
        me.memory.free,
    ]


async def is_measured(me: Agent) -> list[Any]:
    got = await link(me).measured_by("alice")
    return [
        got.request,
        got.numbers.tolist(),
        got.bases.tolist(),
        got.bits.tolist(),
        me.memory.free,
    ]


@pytest.mark.parametrize("faulty", [False, True])
def test_measured_pairs_come_as_rows_that_both_ends_have(faulty: bool) -> None:
    lost = harness.fault("lost_herald", "alice-bob", 0, None, probability=0.2, end="alice")
    results = over_link(measures, is_measured, faults=[lost] * faulty).results
    alice, bob = results["alice"], results["bob"]
    assert alice[:2] == bob[:2]
    assert len(alice[1]) == 60
    same = [
        n for n, (mine, theirs) in enumerate(zip(alice[2], bob[2], strict=True)) if mine == theirs
    ]
    assert 10 < len(same) < 50
    assert all(alice[3][n] == bob[3][n] for n in same)
    assert alice[4] == bob[4] == 16
    if not faulty:
        assert bob[2] == [0, 1] * 30


# --- whose turn it is -----------------------------------------------------------------------------


def order_of(uses: dict[str, dict[str, Any]], **options: Any) -> str:
    """The purposes in the order in which alice's halves come, of requests that are made at one instant."""

    async def alice(me: Agent) -> str:
        came: list[str] = []

        async def ask(use: str, how: dict[str, Any]) -> None:
            async for half in link(me).pairs("bob", 12, purpose=use, **how):
                came.append(use)
                await half.discard()

        await asyncio.gather(*(ask(use, how) for use, how in uses.items()))
        return "".join(came)

    async def bob(me: Agent) -> None:
        await asyncio.gather(*(answering(me, 12, purpose=use) for use in uses))

    # Attempts that take long against a message: turns of one pair.
    heralds = harness.heralding(1.0, 100 * LATENCY_NS)
    found = over_link(alice, bob, entangle=heralds, options=options).results["alice"]
    assert isinstance(found, str)
    return found


def test_purposes_take_turns_by_their_weights() -> None:
    fair = order_of({"a": {}, "b": {}})
    assert abs(fair[:12].count("a") - 6) <= 1
    weighted = order_of({"a": {}, "b": {}}, weights={"b": 3.0})
    assert 7 <= weighted[:12].count("b") <= 10


def test_first_come_serves_one_request_after_the_other() -> None:
    assert order_of({"a": {}, "b": {}}, policy="first_come") == "a" * 12 + "b" * 12


def test_a_higher_priority_is_served_first() -> None:
    order = order_of({"a": {}, "b": {"priority": 1}})
    assert order[:14].count("b") == 12


# --- two links, and any order of frames ------------------------------------------------------------


def test_two_links_to_one_neighbour_must_be_told_apart() -> None:
    async def alice(me: Agent) -> list[Any]:
        with pytest.raises(InputError, match="expected `link`, one of far, near"):
            await asking(me, 1)
        both = (asking(me, 5, link=name) for name in ("near", "far"))
        return [pair for taken in await asyncio.gather(*both) for _, pair, _ in taken]

    async def bob(me: Agent) -> list[Any]:
        return sorted(pair for _, pair, _ in await answering(me, 10))

    links = [
        harness.link("alice", "bob", LATENCY_NS, name=name, entangle=harness.heralding(0.5, 50_000))
        for name in ("near", "far")
    ]
    nodes = {"alice": end("alice", alice), "bob": end("bob", bob)}
    results = harness.run(harness.network(nodes, links)).results
    assert sorted(results["alice"]) == results["bob"]
    assert [pair.partition("#")[0] for pair in results["alice"]] == ["near"] * 5 + ["far"] * 5


@pytest.mark.parametrize("seed", range(3))
def test_however_frames_are_carried_the_run_is_the_same(seed: int) -> None:
    async def alice(me: Agent) -> list[Any]:
        measured = link(me).measured("bob", 10, axes=["X", "Z"])
        pairs, rows = await asyncio.gather(asking(me, 6, confirmed=True), measured)
        block = await link(me).outcomes("bob", 50)
        return [pairs, rows.bits.tolist(), block.bits.tolist()]

    async def bob(me: Agent) -> list[Any]:
        pairs = await answering(me, 6)
        tables = [await link(me).measured_by("alice") for _ in range(2)]
        return [pairs, *(table.bits.tolist() for table in tables)]

    def topology() -> Any:
        heralds = harness.heralding(0.3, LATENCY_NS)
        wire = harness.link("alice", "bob", LATENCY_NS, entangle=heralds, length_km=20.0)
        faults = [
            harness.fault("loss", "alice-bob", 0, None, probability=0.1),
            harness.fault("lost_herald", "alice-bob", 0, None, probability=0.1, end="bob"),
        ]
        nodes = {"alice": end("alice", alice), "bob": end("bob", bob)}
        return harness.network(nodes, [wire], faults, seed=seed)

    plain = harness.run(topology())
    assert plain.results["alice"][2] == plain.results["bob"][2]
    assert harness.Carrier(topology(), seed).run().observable() == plain.observable()
