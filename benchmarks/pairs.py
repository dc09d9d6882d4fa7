"""Two nodes that generate a pair, measure both halves, and exchange one message each way: pairs/s.

Five instants a pair, four operations, two messages. Across processes with either broker, and in one
process. Time counts from the first grant to the last report.
"""

from __future__ import annotations

from collections.abc import Callable

import networks
from suite.measure import Plan, measured
from suite.results import Aim, Result

PAIRS, PAIRS_IN_PROCESS = 600, 4_000
AIMS = [
    Aim(case="processes, mosquitto", at_least=800),
    Aim(case="in process", at_least=8_000),
]


def _run(pairs: int, *options: str) -> Callable[[], float]:
    topology = networks.partners(pairs)

    def case() -> float:
        return float(pairs / networks.run(topology, *options)["wall_time_s"])

    return case


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases = {
        "processes, mosquitto": _run(PAIRS, "--broker", "mosquitto"),
        "processes, amqtt": _run(PAIRS, "--broker", "amqtt"),
        "in process": _run(PAIRS_IN_PROCESS, "--in-process"),
    }
    return [measured("pairs between two nodes", "pairs/s", cases, plan, AIMS)]
