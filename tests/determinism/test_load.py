"""Many nodes on a machine that is busy with other things, and that gives the processor away at will."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qnetem.emulator.loading import Topology, load_topology

from .lab import SCENARIOS, in_process, in_processes, seen

pytestmark = pytest.mark.processes

NODES = 30


def crowd(folder: Path, program: str) -> Topology:
    """A ring of thirty with chords, so that seven messages come to some in one instant; with faults."""
    names = [f"n{number:02}" for number in range(NODES)]
    lines = ["name: crowd", "seed: 19", "nodes:"]
    for number, name in enumerate(names):
        partner = names[number ^ 1]
        options = f"{{rounds: 3, partners: [{partner}]}}"
        lines.append(f'  {name}: {{program: "{SCENARIOS}/programs.py:{program}", with: {options}}}')
    lines.append("links:")
    source = "{length: 100 km, entangle: {success: 0.3, fidelity: 0.95, attempt: 500 us}}"
    for number, name in enumerate(names):
        lines.append(f"  - {{between: [{name}, {names[(number + 1) % NODES]}], quantum: {source}}}")
        if number % 5 == 0:
            lines.append(
                f"  - {{between: [{name}, {names[(number + 11) % NODES]}], length: 100 km}}"
            )
    lines += [
        "faults:",
        "  - {at: 2 ms, for: 4 ms, cut: n03-n04}",
        "  - {at: 2 ms, for: 4 ms, loss: n10-n11, probability: 0.5}",
        "  - {at: 3 ms, kill: n20, restart: 1 ms}",
        "  - {at: 3 ms, kill: n21, restart: 2 ms}",
    ]
    path = folder / "crowd.yaml"
    path.write_text("\n".join(lines))
    return load_topology(path)


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    """Processes that do nothing but compute."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(hog.wait)
            stack.callback(hog.kill)
        yield


def test_a_crowd_on_a_busy_machine_comes_to_the_same(tmp_path: Path, mosquitto: str) -> None:
    expected = in_process(crowd(tmp_path, "Gossip"), tmp_path)
    assert expected.nodes["n20"].incarnation == 2
    with hogs(3):
        assert seen(in_processes(crowd(tmp_path, "Restless"), tmp_path)) == seen(expected)
