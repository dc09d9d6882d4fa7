"""Many nodes: a process for each, on one or two workers, and all in one process.

Rounds a second of nodes that only let time pass, and of a chain in which each sends the next a message a
round; from the start of the command to its end; and what a node takes of the memory.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import networks
from measure import medians, table, verdict
from memory import mb_a_node

NODES, ROUNDS = 200, 100
WAYS: dict[str, tuple[str, ...]] = {
    "processes": (),
    "1 worker": ("--workers", "1"),
    "2 workers": ("--workers", "2"),
    "in process": ("--in-process",),
}
WORKERS = {"processes": None, "1 worker": 1, "2 workers": 2}
AIM = 1.0


def _rounds_per_s(program: str, way: str) -> float:
    topology = networks.crowd(NODES, program, {"rounds": ROUNDS})
    return ROUNDS / float(networks.run(topology, *WAYS[way])["wall_time_s"])


def _whole_s(way: str) -> float:
    """Of a run of one round: start and end of all processes."""
    topology = networks.crowd(NODES, "Ticker", {"rounds": 1})
    began = time.monotonic()
    networks.run(topology, *WAYS[way])
    return time.monotonic() - began


def main(runs: int) -> None:
    """Measure and print."""
    rows = []
    for what, case in (
        ("silent, rounds/s", partial(_rounds_per_s, "Ticker")),
        ("messages, rounds/s", partial(_rounds_per_s, "Neighbour")),
        ("start to end, s", _whole_s),
    ):
        found = medians({way: partial(case, way) for way in WAYS}, runs)
        ratio = found["2 workers"] / found["processes"]
        faster = ratio if "rounds" in what else 1 / ratio
        aim = f"{faster:.1f} x processes: {verdict(faster > AIM)}"
        rows.append([what, *(f"{value:,.1f}" for value in found.values()), aim])
    if Path("/proc/self/smaps_rollup").exists():
        found = medians({way: partial(mb_a_node, NODES, n) for way, n in WORKERS.items()}, runs)
        rows.append(["memory, MB a node", *(f"{value:.2f}" for value in found.values()), "", ""])
    table(f"{NODES} nodes", ["what", *WAYS, "2 workers"], rows)
