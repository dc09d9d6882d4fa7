"""Requests over chains, dumbbells and rings while everything fails at random.

Whatever happens, a request ends: with all its pairs or by a named error. Both ends agree on every pair that
its source has, no pair is handed over twice, the far end has no more than those and what its source calls
unconfirmed, and at the end nothing is reserved or held. Sockets may shuffle frames as they like.
"""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from qnetem import Agent
from qnetem.agents.network.errors import NetworkError

from ... import harness
from ...counts import count
from .networks import DUMBBELL, RING, chain, network, nothing_left

MS = 1_000_000
END_S = 1.0
PAIRS = 40
NETWORKS = {
    "chain": (chain(4), [("alice", "bob")]),
    "dumbbell": (DUMBBELL, [("a1", "b1"), ("a2", "b2")]),
    "ring": (RING, [("n0", "n3"), ("n2", "n5")]),
}


async def asks(me: Agent, peer: str) -> list[Any]:
    """[error or "", [[name, outcome], ...]]"""
    had: list[Any] = []
    try:
        async for pair in me.network.pairs(peer, PAIRS, deadline=0.7):
            had.append([pair.id, await pair.measure("X")])
    except NetworkError as error:
        return [type(error).__name__, had]
    return ["", had]


async def takes(me: Agent, peer: str) -> list[Any]:
    """[[name, outcome], ...] of all that comes until nothing can come any more."""
    had: list[Any] = []
    try:
        async with asyncio.timeout(END_S):
            async for pair in me.network.arriving(peer):
                had.append([pair.id, await pair.measure("X")])
    except TimeoutError:
        pass
    return had


def drawn(name: str, seed: int) -> Any:
    """A network, and what fails in it."""
    links, requests = NETWORKS[name]
    rng = np.random.default_rng([seed, len(name)])
    programs: dict[str, Any] = {}
    for source, target in requests:
        programs[source] = lambda me, peer=target: asks(me, peer)
        programs[target] = lambda me, peer=source: takes(me, peer)
    repeaters = sorted({end for pair in links for end in pair} - programs.keys())
    faults: list[Any] = []
    for first, second in links:
        link = f"{first}-{second}"
        if rng.random() < 0.5:
            faults.append(
                harness.fault(
                    "loss", link, 0, None, probability=float(rng.choice([1e-3, 1e-2, 0.1]))
                )
            )
        if rng.random() < 0.25:
            faults.append(harness.fault("duplicate", link, 0, None, probability=0.2))
        if rng.random() < 0.25:
            faults.append(harness.fault("reorder", link, 0, None, probability=0.2, by=MS))
        if rng.random() < 0.25:
            end = str(rng.choice([first, second]))
            faults.append(harness.fault("lost_herald", link, 0, None, probability=0.05, end=end))
        if rng.random() < 0.3:
            at, lasts = int(rng.integers(2, 60)) * MS, int(rng.integers(1, 120)) * MS
            faults.append(harness.fault("cut", link, at, lasts))
    if rng.random() < 0.5:
        at, restart = int(rng.integers(2, 60)) * MS, int(rng.integers(1, 60)) * MS
        faults.append(harness.fault("kill", str(rng.choice(repeaters)), at, None, restart=restart))
    order = str(rng.choice(["asap", "sequential", "nested"]))
    success = float(rng.choice([0.1, 0.5]))
    return network(
        links, programs, faults=faults, order=order, success=success, settings={"seed": seed}
    )


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(count(30)))
@pytest.mark.parametrize("name", NETWORKS)
def test_ends_agree_whatever_fails(name: str, seed: int) -> None:
    over = harness.run(drawn(name, seed))
    for source, target in NETWORKS[name][1]:
        error, asked = over.results[source]
        assert error in ("", "DeadlinePassed", "Unreachable")
        one, other = dict(asked), dict(over.results[target])
        assert len(one) == len(asked)
        assert len(other) == len(over.results[target])
        assert error or len(one) == PAIRS
        assert all(other[pair] == outcome for pair, outcome in one.items())
        lone = over.outcome.metrics.get(f"{source}.network.{target}.unconfirmed", {"mean": 0})
        assert len(other.keys() - one.keys()) <= lone["mean"]
    nothing_left(over)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(count(10)))
def test_what_sockets_shuffle_changes_nothing(seed: int) -> None:
    topology = drawn("chain", seed)
    assert harness.Carrier(topology, seed).run().observable() == harness.run(topology).observable()
