"""How long until every node process has reported its first instant, and how long a test in one process takes.

The second instant begins when all have reported the first; a line that a program prints in it is at once in
its log. So the log's modification time, against that of a file written just before the command was started,
is the time sought, by one clock and without looking at anything while it runs.

A test of two nodes in one process is `qnetem.run` from call to return, record and all, in a process that
has imported everything already: one pair, two measurements, two messages.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import networks
from suite.measure import Plan, measured
from suite.results import Aim, Result

import qnetem

NODES = (2, 10, 100)
IMPORTS = "numpy, pydantic, typer, rich"
AIMS = [
    Aim(case="2 nodes", beside="python, bare imports", at_most=3.0),
    Aim(case="100 nodes", beside="2 nodes", at_most=2.0),
    Aim(case="--version", beside="python, typer", at_most=1.2),
]
TEST = "two nodes"
TEST_AIMS = [Aim(case=TEST, at_most=20.0)]


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


def _wall_s(*words: str) -> float:
    """How long `python WORDS` takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(plan: Plan) -> list[Result]:
    """Measure. Bare imports suffer from a busy machine as starts do."""
    cases: dict[str, Callable[[], float]] = {
        "python, bare imports": partial(_wall_s, "-c", f"import {IMPORTS}"),
        "python, typer": partial(_wall_s, "-c", "import typer"),
        "--version": partial(_wall_s, "-m", "qnetem", "--version"),
    }
    cases |= {f"{nodes} nodes": partial(_seconds, nodes) for nodes in plan.sizes(NODES)}
    title = "from the start to the first instant of every node, and bare imports"
    starts = measured(title, "s", cases, plan, AIMS)
    test = {TEST: partial(_test_milliseconds, networks.partners(1))}
    often = replace(plan, runs=10 * plan.runs)
    title = "a test in one process, from call to return"
    return [starts, measured(title, "ms", test, often, TEST_AIMS)]
