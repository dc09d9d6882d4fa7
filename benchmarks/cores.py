"""The cores alone: steps of a VirtualLoop, and instants of two nodes in one process."""

from __future__ import annotations

import asyncio
import time

import networks
from measure import medians, table

from qnetem.agents.loop.virtual_loop import VirtualLoop

STEPS = 100_000
ROUNDS = 20_000


async def _tick() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(1e-3)


def _steps() -> float:
    loop = VirtualLoop("bench")
    loop.create_task(_tick())
    next_ns = loop.step(0)
    began = time.perf_counter()
    for _ in range(STEPS - 1):
        assert next_ns is not None
        next_ns = loop.step(next_ns)
    seconds = time.perf_counter() - began
    loop.abandon()
    return STEPS / seconds


def _instants() -> float:
    topology = networks.crowd(2, "Ticker", {"rounds": ROUNDS})
    outcome = networks.run(topology, "--in-process")
    return float(outcome["instants"] / outcome["wall_time_s"])


def main(runs: int) -> None:
    """Measure and print."""
    cases = {"VirtualLoop steps/s": _steps, "instants/s of two nodes in process": _instants}
    rows = [[name, f"{value:,.0f}"] for name, value in medians(cases, runs).items()]
    table("the cores alone", ["what", "a second"], rows)
