"""Requests with a fidelity, over links like those of NV centres: what is promised, refused, delivered."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.network.errors import (
    DeadlinePassed,
    FidelityImpossible,
)
from qnetem.emulator.errors import InputError
from qnetem.emulator.topology.model.topology import Memory

from ... import harness
from .links import BRIGHT_NV, NV, answering, asking, end, link, over_link


def test_alpha_is_the_largest_that_meets_the_fidelity() -> None:
    async def alice(me: Agent) -> list[Any]:
        found = []
        for fidelity in (0.7, 0.8, 0.9):
            facts = link(me).facts("bob", min_fidelity=fidelity)
            async for half in link(me).pairs("bob", 3, min_fidelity=fidelity):
                await me.probe(f"at{round(100 * fidelity)}", half)
                await half.discard()
            found.append([facts.alpha, facts.fidelity, facts.rate_hz])
        return found

    run = over_link(alice, lambda me: answering(me, 9), entangle=BRIGHT_NV)
    for (_, promised, _), asked in zip(run.results["alice"], (0.7, 0.8, 0.9), strict=True):
        measured = run.outcome.metrics[f"alice.at{round(100 * asked)}.fidelity"]["mean"]
        assert promised == pytest.approx(asked, abs=1e-9)
        assert measured == pytest.approx(asked, abs=1e-6)
    rates = [rate for _, _, rate in run.results["alice"]]
    assert rates[0] > 1.5 * rates[1] > 2 * rates[2]


def refused(kind: type[Exception], **how: Any) -> str:
    """What a request is refused with, at once."""

    async def alice(me: Agent) -> list[Any]:
        with pytest.raises(kind) as caught:
            await asking(me, **{"count": 1, **how})
        return [str(caught.value), me.now_ns, me.memory.free]

    problem, now_ns, free = over_link(alice, harness.idle, entangle=BRIGHT_NV).results["alice"]
    assert (now_ns, free) == (0, 16)
    return str(problem)


@pytest.mark.parametrize(
    ("kind", "how", "problem"),
    [
        (
            FidelityImpossible,
            {"min_fidelity": 0.999},
            "alice-bob: pairs of fidelity 0.999 cannot be had",
        ),
        (FidelityImpossible, {"min_fidelity": 0.95, "alpha": 0.3}, "at alpha 0.3.*at best"),
        (DeadlinePassed, {"deadline": 0.0}, "0 of 1 pairs"),
        (InputError, {"alpha": 1.5}, "alpha is 1.5"),
        (InputError, {"count": 0}, "count is 0"),
        (InputError, {"min_fidelity": 2.0}, "expected 0 to 1"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    kind: type[Exception], how: dict[str, Any], problem: str
) -> None:
    assert re.search(problem, refused(kind, **how))


def test_delivery_of_nv_pairs_by_a_deadline_beats_what_is_classical() -> None:
    """Humphreys et al. (2018): a pair every 100 ms, a miss counts 1/4, more than 1/2 on average."""
    rounds = 30

    async def alice(me: Agent) -> int:
        misses = 0
        for _ in range(rounds):
            due_ns = me.now_ns + 100_000_000
            try:
                async for half in link(me).pairs("bob", 1, alpha=0.2, deadline="100 ms"):
                    await asyncio.sleep((due_ns - me.now_ns) * 1e-9)
                    await me.probe("delivered", half)
                    await half.discard()
            except DeadlinePassed:
                misses += 1
        return misses

    async def bob(me: Agent) -> None:
        held: list[Any] = []
        async for half in link(me).arriving("alice"):
            held.append(half)
            if len(held) > 1:
                await held.pop(0).discard()

    centre = Memory(slots=3, t1_ns=3600 * 10**9, t2_ns=1_460_000_000)
    wire = harness.link("alice", "bob", 10, entangle=NV, length_km=0.002)
    nodes = {
        "alice": end("alice", alice, memory=centre),
        "bob": end("bob", bob, memory=centre).model_copy(update={"service": True}),
    }
    run = harness.run(harness.network(nodes, [wire], seed=4))
    misses = run.results["alice"]
    delivered = run.outcome.metrics["alice.delivered.fidelity"]
    assert delivered["count"] + misses == rounds
    total = delivered["count"] * delivered["mean"] + misses / 4
    assert total / rounds > 0.5
