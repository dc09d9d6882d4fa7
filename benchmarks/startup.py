"""How long until every node process has reported its first instant, and how long a test in one process takes.

The second instant begins when all have reported the first; a line that a program prints in it is at
once in its log. So the log's modification time, against that of a file written just before the command
was started, is the time sought, by one clock and without looking at anything while it runs.

A test of two nodes in one process is `qnetem.run` from call to return, record and all, in a process that has
imported everything already: one pair, two measurements, two messages.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import networks
from measure import interleaved, table, verdict

import qnetem

NODES = (2, 10, 100)
IMPORTS = "numpy, pydantic, typer, rich"
#: What is compared with what, and the aim.
RATIOS = (
    ("2 nodes", "python, bare imports", 3.0),
    ("100 nodes", "2 nodes", 2.0),
    ("--version", "python, typer", 1.2),
)
AIM_TEST_MS = 20.0


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


def _starts(runs: int) -> None:
    """Starts beside what Python takes for the bare imports: both suffer alike on a busy machine."""
    cases: dict[str, Callable[[], float]] = {
        "python, bare imports": partial(_wall_s, "-c", f"import {IMPORTS}"),
        "python, typer": partial(_wall_s, "-c", "import typer"),
        "--version": partial(_wall_s, "-m", "qnetem", "--version"),
    }
    cases |= {f"{nodes} nodes": partial(_seconds, nodes) for nodes in NODES}
    values = interleaved(cases, runs)
    rows = [
        [name, *(f"{number:.2f}" for number in (median(each), min(each), max(each)))]
        for name, each in values.items()
    ]
    title = "start: seconds until every node has reported its first instant, and bare imports"
    table(title, ["what", "median", "least", "most"], rows)
    rows = []
    for name, base, aim in RATIOS:
        ratio = median(values[name]) / median(values[base])
        aim_text = f"<= {aim:g}: {verdict(ratio <= aim)}"
        rows.append([f"{name} / {base}", f"{ratio:.2f}", aim_text])
    table("start: ratios of medians", ["what", "ratio", "aim"], rows)


def main(runs: int) -> None:
    """Measure and print."""
    _starts(runs)
    test = {"two nodes": partial(_test_milliseconds, networks.partners(1))}
    [milliseconds] = interleaved(test, 10 * runs).values()
    middle = median(milliseconds)
    numbers = [f"{number:.1f}" for number in (middle, min(milliseconds), max(milliseconds))]
    table(
        "a test in one process: milliseconds from call to return",
        ["what", "median", "least", "most", "aim"],
        [["two nodes", *numbers, f"<= {AIM_TEST_MS:g} ms: {verdict(middle <= AIM_TEST_MS)}"]],
    )
