"""How long until every node process has reported its first instant, and how long a test in one process takes.

The second instant begins when all have reported the first; a line that a program prints in it is at
once in its log. So the log's modification time, against that of a file written just before the command
was started, is the time sought, by one clock and without looking at anything while it runs.

A test of two nodes in one process is `qnetem.run` from call to return, record and all, in a process that has
imported everything already: one pair, two measurements, two messages.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from statistics import median

import networks
from measure import interleaved, table, verdict

import qnetem

NODES = (2, 10, 100)
AIM_NODES, AIM_S = 100, 4.0
AIM_TEST_MS = 50.0


def _seconds(nodes: int) -> float:
    topology = networks.crowd(nodes, "Newborn", {})
    start = networks.folder() / "start"
    start.write_text("")
    outcome = networks.run(topology)
    logs = Path(outcome["run_folder"], "logs").glob("n*.log")
    ends = [log.stat().st_mtime_ns for log in logs if log.stat().st_size]
    return float(min(ends) - start.stat().st_mtime_ns) / 1e9


def _test_milliseconds(topology: Path) -> float:
    began = time.perf_counter()
    run = qnetem.run(topology, in_process=True, runs_folder=networks.folder() / "runs")
    took_s = time.perf_counter() - began
    if run.exit_code != 0:
        raise RuntimeError(f"{topology.name}: exit code {run.exit_code}")
    return took_s * 1e3


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
    test = {"two nodes": partial(_test_milliseconds, networks.partners(1))}
    [milliseconds] = interleaved(test, 10 * runs).values()
    middle = median(milliseconds)
    numbers = [f"{number:.1f}" for number in (middle, min(milliseconds), max(milliseconds))]
    table(
        "a test in one process: milliseconds from call to return",
        ["what", "median", "least", "most", "aim"],
        [["two nodes", *numbers, f"<= {AIM_TEST_MS:g} ms: {verdict(middle <= AIM_TEST_MS)}"]],
    )
