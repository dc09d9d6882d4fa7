"""Two nodes that generate a pair, measure both halves, and exchange one message each way: pairs/s.

Five instants a pair, four operations, two messages. Across processes with either broker, and in one
process. Time counts from the first grant to the last report.
"""

from __future__ import annotations

from collections.abc import Callable

import networks
from measure import medians, table, verdict

PAIRS, PAIRS_IN_PROCESS = 600, 4_000
#: How it is run -> pairs/s to reach (None: reported only).
AIMS = {"processes, mosquitto": 800, "processes, amqtt": None, "in process": 8_000}


def _run(pairs: int, *options: str) -> Callable[[], float]:
    topology = networks.partners(pairs)

    def case() -> float:
        return float(pairs / networks.run(topology, *options)["wall_time_s"])

    return case


def main(runs: int) -> None:
    """Measure and print."""
    cases = {
        "processes, mosquitto": _run(PAIRS, "--broker", "mosquitto"),
        "processes, amqtt": _run(PAIRS, "--broker", "amqtt"),
        "in process": _run(PAIRS_IN_PROCESS, "--in-process"),
    }
    rows = []
    for name, rate in medians(cases, runs).items():
        aim = AIMS[name]
        text = "" if aim is None else f">= {aim:,}: {verdict(rate >= aim)}"
        rows.append([name, f"{rate:,.0f}", text])
    table("pairs/s, two nodes", ["how", "pairs/s", "aim"], rows)
