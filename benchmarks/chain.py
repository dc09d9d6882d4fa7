"""Pairs from end to end of a row of nodes, 20 km apart, per second.

By the network layer and by repeaters whose joins the topology says, in one process and with a process for
each node; with `--peers` beside SeQUeNCe and SimQN, which have models of their own (peer_chains.py). What is
one process counts its CPU time, so that other work on the machine is not in it; processes count wall time.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import networks
import peer_chains
from measure import medians, table
from peers import installed

#: Nodes -> how many pairs are made: in one process, and by processes.
PAIRS = {2: (2000, 600), 4: (600, 150), 8: (240, 60), 16: (100, 100), 32: (40, 40)}
#: Shares of a peer's rate to reach: (in one process, as processes).
AIMS = {"SeQUeNCe": (15.0, 5.0), "SimQN": (0.4, None)}


def _in_process(count: int, layer: bool) -> float:
    """One run in an interpreter of its own, by CPU time, reading and end included."""
    pairs = PAIRS[count][0]
    command = [sys.executable, __file__, str(networks.chain(count, pairs, layer=layer))]
    done = subprocess.run(
        [*command, str(networks.folder() / "runs")], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{count} nodes:\n{done.stderr}")
    return pairs / float(done.stdout.split()[-1])


def _as_processes(count: int, layer: bool) -> float:
    """One run by the command, from the first grant to the last report."""
    pairs = PAIRS[count][1]
    return float(pairs / networks.run(networks.chain(count, pairs, layer=layer))["wall_time_s"])


@contextlib.contextmanager
def _peers(wanted: bool) -> Iterator[dict[str, Callable[[int], float]]]:
    """The peers by name: pairs per second of a row of so many nodes."""
    with contextlib.ExitStack() as stack:
        found: dict[str, Callable[[int], float]] = {}
        for name, (distribution, _) in peer_chains.PEERS.items() if wanted else ():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qnetem-peer-")))
            print(f"installing {distribution} into {folder} for this run", flush=True)
            try:
                found[name] = partial(peer_chains.rate, installed(distribution, folder), name)
            except RuntimeError as error:
                print(f"skipped: {name}: {error}", flush=True)
        yield found


def main(runs: int, with_peers: bool = False) -> None:
    """Measure and print."""
    ours: dict[str, Callable[[int], float]] = {
        "layer, in process": partial(_in_process, layer=True),
        "repeaters, in process": partial(_in_process, layer=False),
        "layer, processes": partial(_as_processes, layer=True),
        "repeaters, processes": partial(_as_processes, layer=False),
    }
    with _peers(with_peers) as peers:
        rates = {
            count: medians(
                {name: partial(case, count) for name, case in {**ours, **peers}.items()}, runs
            )
            for count in PAIRS
        }
    names = list(next(iter(rates.values())))
    rows = [[str(count), *(f"{by[name]:,.1f}" for name in names)] for count, by in rates.items()]
    table("pairs/s from end to end", ["nodes", *names], rows)
    ratios = [
        [
            f"{how} / {peer}",
            aim and f">= {aim:g}",
            *(f"{by[how] / by[peer]:.2f}" for by in rates.values()),
        ]
        for peer in peers
        for how, aim in zip(("layer, in process", "layer, processes"), AIMS[peer], strict=True)
    ]
    if ratios:
        table(
            "ratios",
            ["", "aim", *map(str, rates)],
            [[str(cell or "") for cell in row] for row in ratios],
        )


def _far_end(topology: str, folder: str) -> None:
    import qnetem

    few = {f"nodes.{name}.with.pairs": 1 for name in ("alice", "bob")}
    qnetem.run(topology, in_process=True, runs_folder=folder, overrides=few).assert_ok()  # imports
    began = time.process_time()
    qnetem.run(topology, in_process=True, runs_folder=folder).assert_ok()
    print(time.process_time() - began)


if __name__ == "__main__":
    _far_end(*sys.argv[1:])
