"""Many nodes: a process for each, on one or two workers, and all in one process.

Rounds a second of nodes that only let time pass, and of a chain in which each sends the next a message a
round; from the start of the command to its end; and what a node takes of the memory.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import networks
from memory import mb_a_node
from suite.measure import Plan, measured
from suite.results import Aim, Result

NODES = 200
#: A round of messages takes as long as many silent ones.
ROUNDS = {"Ticker": 100, "Neighbour": 20}
WAYS: dict[str, tuple[str, ...]] = {
    "processes": (),
    "1 worker": ("--workers", "1"),
    "2 workers": ("--workers", "2"),
    "in process": ("--in-process",),
}
WORKERS = {"processes": None, "1 worker": 1, "2 workers": 2}
AIM = 1.0


def _rounds_per_s(program: str, way: str) -> float:
    topology = networks.crowd(NODES, program, {"rounds": ROUNDS[program]})
    return ROUNDS[program] / float(networks.run(topology, *WAYS[way])["wall_time_s"])


def _whole_s(way: str) -> float:
    """Of a run of one round: start and end of all processes."""
    topology = networks.crowd(NODES, "Ticker", {"rounds": 1})
    began = time.monotonic()
    networks.run(topology, *WAYS[way])
    return time.monotonic() - began


def main(plan: Plan) -> list[Result]:
    """Measure; no memory where the kernel does not tell."""
    faster = [Aim(case="2 workers", beside="processes", at_least=AIM)]
    shorter = [Aim(case="2 workers", beside="processes", at_most=AIM)]
    found = [
        measured(
            f"{NODES} nodes, {what}", unit, {way: partial(case, way) for way in WAYS}, plan, aims
        )
        for what, unit, case, aims in (
            ("silent", "rounds/s", partial(_rounds_per_s, "Ticker"), faster),
            ("messages", "rounds/s", partial(_rounds_per_s, "Neighbour"), faster),
            ("start to end", "s", _whole_s, shorter),
        )
    ]
    if Path("/proc/self/smaps_rollup").exists():
        cases = {way: partial(mb_a_node, NODES, count) for way, count in WORKERS.items()}
        found.append(measured(f"{NODES} nodes, memory of a node", "MB", cases, plan))
    return found
