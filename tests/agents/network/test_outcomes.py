"""Outcomes in arrays over one link: alike at both ends, and distributed as those of single pairs."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from qnetem import Agent
from qnetem.agents.network.errors import DeadlinePassed, NetworkError
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.emulator.closed_forms.links import waiting_time
from qnetem.emulator.topology.model.entangle import EntangleSpec

from ... import harness
from .links import LATENCY_NS, over_link

AXES = ("X", "Z", (0.6, 0.0, 0.8))
NOISY = EntangleSpec(success=0.5, fidelity=0.85, attempt_ns=1000)


def rows(found: Any) -> list[Any]:
    return [found.request, found.numbers.tolist(), found.bases.tolist(), found.bits.tolist()]


async def taking(me: Agent) -> list[Any]:
    return rows(await me.service(LinkLayer).measured_by("alice"))


def asking_for(count: int, word: str = "outcomes", **how: Any) -> Any:
    async def alice(me: Agent) -> list[Any]:
        asked = getattr(me.service(LinkLayer), word)
        return rows(await asked("bob", count, axes=AXES, **how))

    return alice


def agreement(run: harness.Run) -> Any:
    """Per combination of two bases: how many rows, and in which part of them the outcomes are alike."""
    (first, mine, a, x), (second, yours, b, y) = (run.results[name] for name in ("alice", "bob"))
    assert (first, mine) == (second, yours)
    combination = 3 * np.array(a) + np.array(b)
    alike = np.array(x) == np.array(y)
    return [
        (int((combination == c).sum()), float(alike[combination == c].mean())) for c in range(9)
    ]


def test_outcomes_in_arrays_are_distributed_as_measured_pairs() -> None:
    single = agreement(over_link(asking_for(700, "measured"), taking, entangle=NOISY))
    many = agreement(over_link(asking_for(60_000), taking, entangle=NOISY))
    for (few, found), (_, expected) in zip(single, many, strict=True):
        assert few > 40
        assert found == pytest.approx(expected, abs=4.5 * (expected * (1 - expected) / few) ** 0.5)
    # In one basis a Werner pair is alike with (1 + 2F)/3.
    assert many[0][1] == pytest.approx((1 + 2 * 0.85) / 3, abs=0.02)


def test_rows_that_either_end_has_missed_are_in_neither_table() -> None:
    faults = [
        harness.fault("lost_herald", "alice-bob", 0, None, probability=0.1, end="alice"),
        harness.fault("lost_herald", "alice-bob", 0, None, probability=0.1, end="bob"),
    ]
    found = agreement(over_link(asking_for(5000), taking, entangle=NOISY, faults=faults))
    assert sum(count for count, _ in found) == 5000
    assert found[0][1] > 0.85


def test_they_take_as_long_as_their_pairs() -> None:
    async def alice(me: Agent) -> int:
        await me.service(LinkLayer).outcomes("bob", 20_000)
        return me.now_ns

    run = over_link(alice, taking, entangle=NOISY)
    mean_ns = waiting_time(0.5, 1000, 97_900)
    assert run.results["alice"] == pytest.approx(20_000 * mean_ns, rel=0.02)


def test_a_slow_link_gives_what_comes_in_time() -> None:
    slow = EntangleSpec(success=2e-5, fidelity=1.0, attempt_ns=LATENCY_NS)
    run = over_link(asking_for(5), taking, entangle=slow)
    assert run.results["alice"][:2] == run.results["bob"][:2]
    assert run.results["alice"][1] == [1, 2, 3, 4, 5]


def test_arrays_and_pairs_share_a_link_by_purpose() -> None:
    async def alice(me: Agent) -> Any:
        async def pairs() -> list[str]:
            got = []
            async for half in me.service(LinkLayer).pairs("bob", 5, purpose="pairs"):
                got.append(half.id)
                await half.discard()
            return got

        both = await asyncio.gather(asking_for(3000)(me), pairs())
        return [len(both[0][1]), both[1]]

    async def bob(me: Agent) -> Any:
        got = []
        async for half in me.service(LinkLayer).arriving("alice", purpose="pairs", count=5):
            got.append(half.id)
            await half.discard()
        return [len((await taking(me))[1]), got]

    results = over_link(alice, bob, entangle=NOISY).results
    assert results["alice"] == results["bob"]
    assert results["alice"][0] == 3000


def test_a_deadline_ends_them() -> None:
    async def alice(me: Agent) -> list[Any]:
        with pytest.raises(DeadlinePassed) as caught:
            await me.service(LinkLayer).outcomes("bob", 10**6, deadline="50 ms")
        return [me.now_ns, 0 < caught.value.had < 10**6, me.memory.free]

    assert over_link(alice, harness.idle, entangle=NOISY).results["alice"] == [50_000_000, True, 16]


def test_a_formalism_that_cannot_carry_them_is_an_error_of_the_request() -> None:
    async def alice(me: Agent) -> list[Any]:
        with pytest.raises(NetworkError, match="need formalism auto or density_matrix"):
            await me.service(LinkLayer).outcomes("bob", 10)
        return [me.memory.free]

    run = over_link(alice, harness.idle, entangle=NOISY, formalism="bell_diagonal")
    assert run.results["alice"] == [16]
