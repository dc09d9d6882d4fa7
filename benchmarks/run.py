"""All benchmarks, or those named: `benchmarks/run.py [--peers] [--json FILE] [--plot FILE] [NAME ...]`.

Each prints its tables; `--json` writes them as data, `--plot` draws what grows. Nothing here is a test:
figures of a shared machine judge nothing. See README.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import chain
import cores
import engines
import growth
import lockstep
import memory
import pairs
import pulses
import qkd
import ring
import startup
import sweeps
import teleportation
import workers
from suite import picture
from suite.environments import PEERS, Peers
from suite.machine import load, machine
from suite.measure import RUNS, Plan
from suite.results import Benchmark, Report, Result, shown

from qnetem.emulator.errors import QnetemError
from qnetem.plots.figure import file_format

BENCHMARKS: dict[str, Callable[[Plan], list[Result]]] = {
    "chain": chain.main,
    "cores": cores.main,
    "engines": engines.main,
    "growth": growth.main,
    "lockstep": lockstep.main,
    "memory": memory.main,
    "pairs": pairs.main,
    "pulses": pulses.main,
    "qkd": qkd.main,
    "ring": ring.main,
    "startup": startup.main,
    "sweeps": sweeps.main,
    "teleportation": teleportation.main,
    "workers": workers.main,
}


def measured(benchmark: Callable[[Plan], list[Result]], plan: Plan) -> Benchmark:
    """Run one, print its tables."""
    before = load()
    results = benchmark(plan)
    print(f"\n{shown(results)}", flush=True)
    return Benchmark(results, (before, load()))


def write(report: Report, path: Path) -> None:
    """To a file; to a folder, one file for each benchmark."""
    if not path.is_dir():
        report.write(path)
        return
    for name, benchmark in report.benchmarks.items():
        used = {peer: version for peer, version in report.peers.items() if _names(benchmark, peer)}
        alone = Report(
            machine=report.machine,
            runs=report.runs,
            peers=used,
            skipped=report.skipped,
            benchmarks={name: benchmark},
        )
        alone.write(path / f"{name}.json")


def _names(benchmark: Benchmark, peer: str) -> bool:
    return any(peer in case.name for result in benchmark.results for case in result.cases)


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, judged before anything runs: a long run must not end with a wrong word."""
    parser = argparse.ArgumentParser(description="What qnetem costs, measured.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--runs", type=int, default=RUNS, help="counted runs of each case")
    parser.add_argument("--largest", type=int, metavar="N", help="leave out larger sizes")
    parser.add_argument(
        "--peers", action="store_true", help=f"install {', '.join(PEERS)} for this run"
    )
    parser.add_argument(
        "--keep-peers", type=Path, metavar="FOLDER", help="where their environments stay"
    )
    parser.add_argument(
        "--peer-python", default=sys.executable, metavar="PYTHON", help="what they are made with"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="or a folder: a file for each benchmark"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help=".svg, .pdf or .png")
    chosen = parser.parse_args(words)
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}: {', '.join(BENCHMARKS)}")
    if chosen.runs < 1:
        parser.error(f"--runs: expected 1 or more, not {chosen.runs}")
    for path in (chosen.json, chosen.plot):
        if path is not None and not path.parent.is_dir():
            parser.error(f"{path}: there is no folder {path.parent}")
    if chosen.plot is not None:
        try:
            file_format(chosen.plot)
            picture.needed()
        except QnetemError as error:
            parser.error(str(error))
    return chosen


def main(words: Sequence[str] | None = None) -> None:
    """Run what was asked for; what was measured before a benchmark fails is written all the same."""
    chosen = options(words)
    # Where Python may keep no bytecode, each start compiles all that it imports: that is not ours.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    wanted = chosen.peers or chosen.keep_peers is not None
    peers = Peers(wanted=wanted, keep=chosen.keep_peers, python=chosen.peer_python)
    plan = Plan(chosen.runs, chosen.largest, peers)
    found: dict[str, Benchmark] = {}
    with peers:
        try:
            for name in chosen.names or BENCHMARKS:
                found[name] = measured(BENCHMARKS[name], plan)
        finally:
            report = Report(
                machine=machine(),
                runs=plan.runs,
                peers=peers.versions,
                skipped=peers.skipped,
                benchmarks=found,
            )
            if chosen.json is not None:
                write(report, chosen.json)
    if chosen.plot is not None:
        try:
            picture.draw(chosen.plot, picture.panels(report))
        except QnetemError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
