"""A ring of messages: how many rounds a second N node processes make, each with one message a node.

In a round every node sends its neighbour a message of 13 bytes and waits for the one from its other
neighbour. Time counts from the first grant to the last report. Beside it HELICS over ZeroMQ, and mosaik,
whose simulators are processes that hand values on through its scheduler: see peers/with_*.py.
"""

from __future__ import annotations

from collections.abc import Callable

import networks
from lockstep import peer_options, rounds
from suite.measure import Plan, grown
from suite.results import Aim, Result

NODES = (2, 4, 8, 16)
REPORTS = 8_000
AIMS = [
    Aim(case="qnetem", beside="HELICS", at_least=0.8),
    Aim(case="qnetem", beside="mosaik"),
]


def _ours(nodes: int) -> float:
    count = rounds(nodes, REPORTS)
    return float(count / networks.run(networks.ring(nodes, count))["wall_time_s"])


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases: dict[str, Callable[[int], float]] = {"qnetem": _ours}
    cases |= plan.peers.growing("ring", "HELICS", "mosaik", options=peer_options)
    title = "a ring of messages, a process for each node"
    return [grown(title, "rounds/s", ("nodes", NODES), cases, plan, AIMS)]
