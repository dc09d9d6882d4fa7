"""Lock-step: how many rounds a second N node processes make together, against the floor (floor.py).

In a round every node sleeps a virtual millisecond: all are granted, all run their program, all report.
Time counts from the first grant to the last report, not the start and the end of processes.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import networks
from measure import medians, table, verdict

NODES = (1, 2, 4, 8, 16)
#: Reports in one run; a round of N nodes has N.
REPORTS = 16_000
AIM_NODES, AIM = 8, 0.6


def _rounds(nodes: int) -> int:
    return REPORTS // (nodes + 1)


def _ours(nodes: int) -> float:
    rounds = _rounds(nodes)
    topology = networks.crowd(nodes, "Ticker", {"rounds": rounds})
    outcome = networks.run(topology)
    return float(outcome["instants"] / outcome["wall_time_s"])


def _floor(nodes: int) -> float:
    rounds = _rounds(nodes)
    command = [sys.executable, str(Path(__file__).with_name("floor.py")), str(nodes), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return rounds / float(done.stdout)


def main(runs: int) -> None:
    """Measure and print."""
    rows = []
    for nodes in NODES:
        ours, floor = medians(
            {"ours": partial(_ours, nodes), "floor": partial(_floor, nodes)}, runs
        ).values()
        ratio = ours / floor
        aim = f">= {AIM}: {verdict(ratio >= AIM)}" if nodes == AIM_NODES else ""
        rows.append([str(nodes), f"{ours:,.0f}", f"{floor:,.0f}", f"{ratio:.2f}", aim])
    table("lock-step rounds/s", ["nodes", "qnetem", "floor", "ratio", "aim"], rows)
