"""Lock-step: how many rounds a second N node processes make together, without messages.

In a round every node sleeps a virtual millisecond: all are granted, all run their program, all report. Time
counts from the first grant to the last report, not the start and the end of processes. Beside it the floor
(floor.py) on the event loop that our processes have, and on asyncio's; and HELICS and mosaik, which hold
their processes together less closely: see peers/with_*.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import networks
from suite.measure import Plan, grown
from suite.results import Aim, Result

NODES = (1, 2, 4, 8, 16)
#: Reports in one run; a round of N nodes has N.
REPORTS, PEER_REPORTS = 16_000, 3_000
AIMS = [
    Aim(case="qnetem", beside="floor", at_least=0.8),
    Aim(case="qnetem", beside="floor, asyncio", at_least=0.8),
    Aim(case="qnetem", beside="HELICS"),
    Aim(case="qnetem", beside="mosaik"),
]


def rounds(nodes: int, reports: int = REPORTS) -> int:
    """How many rounds a run has."""
    return reports // (nodes + 1)


def peer_options(nodes: int) -> dict[str, int]:
    """What a peer's run is asked for."""
    return {"nodes": nodes, "rounds": rounds(nodes, PEER_REPORTS)}


def _ours(nodes: int) -> float:
    outcome = networks.run(networks.crowd(nodes, "Ticker", {"rounds": rounds(nodes)}))
    return float(outcome["instants"] / outcome["wall_time_s"])


def _floor(nodes: int, loop: str = "") -> float:
    words = [str(Path(__file__).with_name("floor.py")), str(nodes), str(rounds(nodes)), loop]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)
    return rounds(nodes) / float(done.stdout)


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases: dict[str, Callable[[int], float]] = {
        "qnetem": _ours,
        "floor": _floor,
        "floor, asyncio": partial(_floor, loop="asyncio"),
    }
    cases |= plan.peers.growing("lockstep", "HELICS", "mosaik", options=peer_options)
    # One federate alone waits for nothing.
    only = dict.fromkeys(("HELICS", "mosaik"), NODES[1:])
    title = "lock-step without messages, a process for each node"
    return [grown(title, "rounds/s", ("nodes", NODES), cases, plan, AIMS, only)]
