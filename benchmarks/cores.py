"""The cores alone, by CPU time: a bare step of a VirtualLoop, and what a node's steps cost in one process.

A silent step only lets time pass. A pair is a herald, a measurement and a message at two nodes: six steps. A
chain's pair has some four steps a hop. Each is the difference between a short and a long run, so that
neither start nor end is in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import networks
from suite.measure import Plan, measured
from suite.results import Aim, Result

import qnetem
from qnetem.agents.loop.virtual_loop import VirtualLoop

STEPS = 100_000
#: Of a pair at two nodes, and of a silent round.
PAIR_STEPS, ROUND_STEPS = 6, 2
BARE = "a bare step of a VirtualLoop"
#: What a step may cost, in bare steps of the loop.
AIM = 3.5


async def _tick() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(1e-3)


def _bare() -> float:
    """Microseconds of a step that only fires a timer."""
    loop = VirtualLoop("bench")
    loop.create_task(_tick())
    next_ns = loop.step(0)
    began = time.process_time()
    for _ in range(STEPS - 1):
        assert next_ns is not None
        next_ns = loop.step(next_ns)
    seconds = time.process_time() - began
    loop.abandon()
    return seconds / STEPS * 1e6


def _run(topology: Path) -> float:
    began = time.process_time()
    qnetem.run(topology, in_process=True, runs_folder=networks.folder() / "runs").assert_ok()
    return time.process_time() - began


def _each(make: Callable[[int], Path], few: int, many: int, parts: int) -> float:
    """Microseconds of a part of a round, with so many rounds beside fewer."""
    less = _run(make(few))
    return (_run(make(many)) - less) / (many - few) / parts * 1e6


def _silent(rounds: int) -> Path:
    return networks.crowd(2, "Ticker", {"rounds": rounds})


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases: dict[str, Callable[[], float]] = {
        BARE: _bare,
        "a silent step of a node": partial(_each, _silent, 100, 8_000, ROUND_STEPS),
        "a step of a pair": partial(_each, networks.partners, 50, 2_000, PAIR_STEPS),
        "a pair and link of 8 nodes in a row": partial(
            _each, partial(networks.chain, 8, layer=True), 10, 150, 7
        ),
    }
    bounds = {"a step of a pair": AIM}
    aims = [Aim(case=name, beside=BARE, at_most=bounds.get(name)) for name in cases if name != BARE]
    return [measured("steps in one process", "us of CPU", cases, plan, aims)]
