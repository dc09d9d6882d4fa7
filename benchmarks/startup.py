"""From the start of the command until every node process has reported its first instant.

The second instant begins when all have reported the first; a line that a program prints in it is at
once in its log. So the log's modification time, against that of a file written just before the command
was started, is the time sought, by one clock and without looking at anything while it runs.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median

import networks
from measure import interleaved, table, verdict

NODES = (2, 10, 100)
AIM_NODES, AIM_S = 100, 4.0


def _seconds(nodes: int) -> float:
    topology = networks.crowd(nodes, "Newborn", {})
    start = networks.folder() / "start"
    start.write_text("")
    outcome = networks.run(topology)
    logs = Path(outcome["run_folder"], "logs").glob("n*.log")
    ends = [log.stat().st_mtime_ns for log in logs if log.stat().st_size]
    return float(min(ends) - start.stat().st_mtime_ns) / 1e9


def main(runs: int) -> None:
    """Measure and print."""
    cases = {str(nodes): partial(_seconds, nodes) for nodes in NODES}
    rows = []
    for name, values in interleaved(cases, runs).items():
        seconds = median(values)
        aim = f"<= {AIM_S:g} s: {verdict(seconds <= AIM_S)}" if name == str(AIM_NODES) else ""
        rows.append([name, f"{seconds:.2f}", f"{min(values):.2f}", f"{max(values):.2f}", aim])
    table(
        "start: seconds until every node has reported its first instant",
        ["nodes", "median", "least", "most", "aim"],
        rows,
    )
