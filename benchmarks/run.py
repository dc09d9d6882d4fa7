"""All benchmarks, or those named: `python benchmarks/run.py [--runs N] [--peers] [lockstep pairs ...]`.

Each prints a table. Nothing here is a test: figures of a shared machine judge nobody. See README.md.
"""

from __future__ import annotations

import argparse
from functools import partial

import chain
import cores
import engines
import lockstep
import memory
import pairs
import pulses
import qkd
import startup
import sweeps
import workers
from measure import RUNS

BENCHMARKS = {
    "chain": chain.main,
    "cores": cores.main,
    "engines": engines.main,
    "lockstep": lockstep.main,
    "pairs": pairs.main,
    "pulses": pulses.main,
    "qkd": qkd.main,
    "startup": startup.main,
    "sweeps": sweeps.main,
    "memory": memory.main,
    "workers": workers.main,
}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="What qnetem costs, measured.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--runs", type=int, default=RUNS, help="counted runs of each case")
    parser.add_argument(
        "--peers",
        action="store_true",
        help="install other simulators for a while, for `engines` and `chain`",
    )
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}: {', '.join(BENCHMARKS)}")
    benchmarks = BENCHMARKS | {
        name: partial(main, with_peers=chosen.peers)
        for name, main in (("chain", chain.main), ("engines", engines.main))
    }
    for name in chosen.names or benchmarks:
        benchmarks[name](chosen.runs)


if __name__ == "__main__":
    main()
