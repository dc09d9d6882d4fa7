"""The networks of the benchmarks, and how they are run: as a user would.

Owns the topologies and the commands; each run has a folder of its own, which is removed with `folder`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).with_name("programs.py")
#: An attempt takes as long as its light; one in ten succeeds.
CHAIN_LINK = {"success": 0.1, "fidelity": 0.99, "attempt": "100 us"}


@cache
def folder() -> Path:
    """Where topologies and run folders go, in this process."""
    path = Path(_temporary().name)
    (path / "runs").mkdir()
    return path


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="qnetem-bench-")


def write(name: str, data: dict[str, Any]) -> Path:
    """A topology as a file; YAML holds JSON."""
    path = folder() / f"{name}.yaml"
    path.write_text(json.dumps({"name": name, "seed": 1, **data}), encoding="utf-8")
    return path


def crowd(count: int, program: str, options: dict[str, Any], **more: Any) -> Path:
    """`count` nodes in a chain that all run the same program."""
    names = [f"n{number:03}" for number in range(count)]
    node = {"kind": "endpoint", "program": f"{PROGRAMS}:{program}", "with": options}
    links = [{"between": list(ends), "classical": {"latency": "10 us"}} for ends in pairwise(names)]
    data = {"nodes": dict.fromkeys(names, node), "links": links, **more}
    return write(f"{program.lower()}-{count}", data)


def ring(count: int, rounds: int) -> Path:
    """`count` nodes in a ring: each sends one neighbour a message and waits for the other's."""
    names = [f"n{number:05}" for number in range(count)]
    nodes = {
        name: {
            "program": f"{PROGRAMS}:Passes",
            "with": {
                "to": names[(number + 1) % count],
                "source": names[number - 1],
                "rounds": rounds,
            },
        }
        for number, name in enumerate(names)
    }
    ends = pairwise([*names, names[0]] if count > 2 else names)
    links = [{"between": list(each), "classical": {"latency": "10 us"}} for each in ends]
    return write(f"ring-{count}", {"nodes": nodes, "links": links})


def teleportation(states: int) -> Path:
    """Two nodes, 20 km apart: the protocol that comes along."""
    protocol = "qnetem.agents.protocols.teleportation"
    nodes = {
        name: {"program": f"{protocol}:{role}", "with": {"peer": peer, "rounds": states}}
        for name, role, peer in (("alice", "Sender", "bob"), ("bob", "Receiver", "alice"))
    }
    link = {
        "between": ["alice", "bob"],
        "quantum": {"length": "20 km", "entangle": CHAIN_LINK},
    }
    return write(f"teleportation-{states}", {"nodes": nodes, "links": [link]})


def partners(rounds: int) -> Path:
    """Two nodes that share pairs and talk about them."""
    nodes = {
        name: {
            "kind": "endpoint",
            "program": f"{PROGRAMS}:Partner",
            "with": {"peer": peer, "rounds": rounds},
        }
        for name, peer in (("alice", "bob"), ("bob", "alice"))
    }
    source = {"success": 0.1, "fidelity": 0.95, "attempt": "10 us"}
    link = {
        "between": ["alice", "bob"],
        "quantum": {"length": "10 km", "entangle": source},
    }
    return write(f"partners-{rounds}", {"nodes": nodes, "links": [link]})


def chain(count: int, pairs: int, *, layer: bool) -> Path:
    """`count` nodes in a row, 20 km apart: pairs from end to end, by the network layer or by repeaters."""
    names = ["alice", *(f"r{number}" for number in range(1, count - 1)), "bob"]
    link = {"quantum": {"length": "20 km", "entangle": CHAIN_LINK}}
    links = [{"between": list(ends), **link} for ends in pairwise(names)]
    programs = ("Asks", "Takes") if layer else ("Obtains", "Obtains")
    nodes: dict[str, dict[str, Any]] = {
        name: {"program": f"{PROGRAMS}:{program}", "with": {"peer": peer, "pairs": pairs}}
        for name, peer, program in zip(("alice", "bob"), ("bob", "alice"), programs, strict=True)
    }
    for left, name, right in zip(names, names[1:], names[2:], strict=False):
        joins = {} if layer else {"with": {"routes": [[left, right]], "ends": ["alice", "bob"]}}
        nodes[name] = {"kind": "repeater", **joins}
    services: dict[str, Any] = (
        {"defaults": {"services": {"link": {}, "network": {}}}} if layer else {}
    )
    word = "layer" if layer else "repeaters"
    return write(f"chain-{word}-{count}", {"nodes": nodes, "links": links, **services})


def run(topology: Path, *options: str) -> dict[str, Any]:
    """`qnetem run` to the end: the object it prints. Raises RuntimeError when the run goes wrong."""
    command = [sys.executable, "-m", "qnetem", "run", str(topology), "--format", "json"]
    done = subprocess.run(
        [*command, "--runs", str(folder() / "runs"), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{topology.name}: exit code {done.returncode}\n{done.stderr}")
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def cpu_seconds(topology: Path, warm_up: dict[str, Any]) -> float:
    """CPU time of a run in one process, by an interpreter of its own (in_process.py)."""
    far_end = [sys.executable, str(Path(__file__).with_name("in_process.py")), str(topology)]
    words = [*far_end, str(folder() / "runs"), json.dumps(warm_up)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{topology.name}:\n{done.stderr}")
    return float(done.stdout.split()[-1])
