"""The link layer when something fails: deadlines, restarts, lost and forged messages, withdrawals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.network.errors import NetworkError, Unreachable

from ... import harness
from ...counts import count
from .links import LATENCY_NS, answering, answering_for, asking, end, link, over_link, take


def test_a_node_without_a_link_is_unreachable() -> None:
    async def alice(me: Agent) -> str:
        with pytest.raises(Unreachable) as caught:
            await take(link(me).pairs("carol"))
        return str(caught.value)

    assert "no link to 'carol'" in over_link(alice, harness.idle).results["alice"]


async def asks_until(me: Agent, deadline_s: float) -> list[Any]:
    """What alice's request for 5 pairs ends with, when, and how many slots are free a moment later."""
    taken = []
    try:
        async for half in link(me).pairs("bob", 5, deadline=deadline_s):
            taken.append(half.label)
            await half.discard()
    except NetworkError as error:
        ended_ns = me.now_ns
        await asyncio.sleep(0.01)
        return [type(error).__name__, ended_ns, me.memory.free, len(taken)]
    return ["", me.now_ns, me.memory.free, len(taken)]


def test_a_deadline_ends_the_request_at_both_ends_and_frees_what_it_held() -> None:
    async def bob(me: Agent) -> int:
        await answering_for(me, [], 0.1)
        return me.memory.free

    run = over_link(lambda me: asks_until(me, 0.05), bob, success=1e-3)
    kind, ended_ns, free, had = run.results["alice"]
    assert (kind, ended_ns, free) == ("DeadlinePassed", 50_000_000, 16)
    assert had < 5
    assert run.results["bob"] == 16


def test_a_peer_that_does_not_answer_is_unreachable() -> None:
    faults = [harness.fault("kill", "bob", 100, None, restart=None)]
    run = over_link(lambda me: asks_until(me, 10.0), harness.idle, faults=faults)
    kind, ended_ns, free, _ = run.results["alice"]
    assert (kind, free) == ("Unreachable", 16)
    assert ended_ns < 1_000_000_000


def test_what_a_restarted_end_has_forgotten_is_withdrawn_and_the_next_request_is_served() -> None:
    async def alice(me: Agent) -> list[Any]:
        first = await asks_until(me, 10.0)
        return [first, await asking(me, 5)]

    async def bob(me: Agent) -> list[Any]:
        # Of the first incarnation's request two pairs are taken, and then it is killed.
        return await answering(me, None if me.incarnation == 1 else 5)

    heralds = harness.heralding(0.05, LATENCY_NS)
    faults = [harness.fault("kill", "bob", 4_000_000, None, restart=1_000_000)]
    run = over_link(alice, bob, entangle=heralds, faults=faults)
    (kind, _, free, _), taken = run.results["alice"]
    assert (kind, free) == ("Withdrawn", 16)
    assert taken == run.results["bob"]
    assert taken[0][0].startswith("alice.1.2#")


def test_a_restarted_source_begins_with_names_of_its_own() -> None:
    faults = [harness.fault("kill", "alice", 3_000_000, None, restart=1_000_000)]

    async def bob(me: Agent) -> list[Any]:
        taken: list[Any] = []
        await answering_for(me, taken, 0.5)
        return taken

    results = over_link(lambda me: asking(me, 10), bob, success=0.1, faults=faults).results
    assert [row for row in results["bob"] if row[0].startswith("alice.2.")] == results["alice"]


def test_the_other_end_may_withdraw_a_request_too() -> None:
    async def bob(me: Agent) -> int:
        async for half in link(me).arriving("alice"):
            await half.discard()
            if half.number == 2:
                link(me).withdraw(half.request)
                break
        await asyncio.sleep(0.01)
        return me.memory.free

    run = over_link(lambda me: asks_until(me, 10.0), bob, success=1.0)
    kind, _, free, had = run.results["alice"]
    assert (kind, free, had) == ("Withdrawn", 16, 2)
    assert run.results["bob"] == 16


def test_a_request_that_nothing_takes_leaves_the_run_stuck_and_not_endless() -> None:
    run = over_link(lambda me: asking(me, 1), harness.idle)
    assert run.problem.kind == "StuckError"


@pytest.mark.parametrize(
    "forged",
    [
        {"type": "asked", "id": "alice.1.9", "link": "alice-bob", "count": 1, "kind": "measure"},
        {"type": "asked", "id": "x", "link": "alice-bob", "count": 1, "kind": "what"},
        {"type": "asked", "id": "x", "link": "alice-bob", "count": -1},
        {"type": "lost", "link": "alice-bob", "id": "alice.1.1", "numbers": [999]},
        {"type": "serve", "link": "alice-bob", "id": "alice.1.1", "first": 1, "count": 10**9},
        {"type": "finished", "link": "nowhere", "id": "alice.1.1"},
    ],
    ids=lambda forged: str(forged["type"]),
)
def test_a_message_that_makes_no_sense_is_refused_and_changes_nothing(forged: Any) -> None:
    """As a program of alice's node could send it on a port that is not guarded there."""
    packet = {"number": 1, "acknowledged": 0, "life": 0, "to": [1, 0], "item": forged}

    async def alice(me: Agent) -> None:
        await me.send("bob", packet, port="link.control")

    async def bob(me: Agent) -> int:
        await asyncio.sleep(0.05)
        return me.memory.free

    heralds = harness.heralding(0.5, LATENCY_NS)
    wire = harness.link("alice", "bob", LATENCY_NS, entangle=heralds)
    nodes = {"alice": harness.node("alice", alice), "bob": end("bob", bob)}
    run = harness.run(harness.network(nodes, [wire]))
    assert run.results["bob"] == 16


def troubled(verb: str, **how: Any) -> list[Any]:
    return [harness.fault(verb, "alice-bob", 0, None, probability=0.2, **how)]


@pytest.mark.parametrize(
    "faults",
    [troubled("loss"), troubled("duplicate", after=70_000), troubled("reorder", by=350_000)],
    ids=["loss", "duplicate", "reorder"],
)
def test_lost_copied_and_late_messages_change_no_pair(faults: list[Any]) -> None:
    run = over_link(asking, answering, faults=faults)
    assert run.results["alice"] == run.results["bob"]
    assert len(run.results["alice"]) == 20


async def withdraws_at_random(me: Agent, requests: int) -> list[Any]:
    """Requests of several purposes, of which some are given up in the middle."""
    taken: list[Any] = []

    async def ask(number: int) -> None:
        use, left = "abc"[number % 3], int(me.rng.integers(1, 9))
        async for half in link(me).pairs("bob", 8, purpose=use):
            row = [half.label, half.id, await half.measure("X")]
            taken.append(row)
            left -= 1
            if not left:
                return

    for number in range(0, requests, 3):
        await asyncio.gather(*(ask(number + each) for each in range(3)))
    return taken


@pytest.mark.campaign
def test_withdrawals_at_random_give_no_request_the_pair_of_another() -> None:
    async def bob(me: Agent) -> list[Any]:
        taken: list[list[Any]] = [[], [], []]
        uses = zip("abc", taken, strict=True)
        await asyncio.gather(*(answering_for(me, rows, 5.0, purpose=use) for use, rows in uses))
        return [*(row for rows in taken for row in rows), me.memory.free]

    requests = 3 * count(100)
    run = over_link(lambda me: withdraws_at_random(me, requests), bob, slots=6, seed=5)
    *theirs, free = run.results["bob"]
    at_bob = {label: rest for label, *rest in theirs}
    agreed = [rest == at_bob[label] for label, *rest in run.results["alice"] if label in at_bob]
    assert len(agreed) > 2 * requests
    assert all(agreed)
    assert free == 6


@pytest.mark.campaign
def test_lost_messages_cost_no_more_than_the_time_to_repeat_them() -> None:
    """Dahlberg et al. (2019): with control messages lost at 1e-4, served requests within 3 %."""
    pairs = count(4000)

    async def timed(me: Agent) -> int:
        async for half in link(me).pairs("bob", pairs):
            await half.discard()
        return me.now_ns

    def lasts(probability: float) -> int:
        lost = harness.fault("loss", "alice-bob", 0, None, probability=probability)
        run = over_link(timed, lambda me: answering(me, pairs), success=0.3, faults=[lost], seed=3)
        return int(run.results["alice"])

    # Two hundred times that loss, so that a short run sees some.
    assert lasts(2e-2) == pytest.approx(lasts(0.0), rel=0.03)
