"""What a run costs grows with its nodes, links and steps, and no faster: in lines, bytes and files."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from qnetem import Agent
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.topology.model.topology import Topology
from qnetem.inprocess import network as in_process
from qnetem.inprocess.network import InProcessNetwork, run_in_process
from qnetem.runs.run_folder import RunFolder

from ... import harness
from ...harness import link

#: Each twice as large as the one before.
SIZES = (16, 32, 64)
#: Of the growth from one size to the next: 2 is linear. In lines one look at all nodes for each node makes
#: 2.014 of it; in bytes tables double now and then.
LINES, BYTES = 2.01, 2.25


async def silent(me: Agent) -> None:
    for _ in range(4):
        await asyncio.sleep(1e-3)


class Ring(Agent):
    """Sends to the next node and waits for the one before."""

    async def run(self, to: str, source: str) -> None:
        for number in range(4):
            await self.send(to, number)
            await self.receive(source)


def names_of(size: int) -> list[str]:
    return [f"n{at:05}" for at in range(size)]


def network_of(program: str, size: int) -> Topology:
    names = names_of(size)
    links = [link(names[at], names[(at + 1) % size], 1000) for at in range(size)]
    if program == "silent":
        return harness.network(dict.fromkeys(names, silent), links)
    nodes = {
        name: harness.node(
            name,
            f"{__name__}:{Ring.__name__}",
            with_={"to": names[(at + 1) % size], "source": names[at - 1]},
        )
        for at, name in enumerate(names)
    }
    return harness.network(nodes, links)


def lines_run(action: Callable[[], object]) -> int:
    """How many lines of Python run: each turn of a loop counts, in a comprehension too."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.disable()  # what it collects is of all tests before
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def growth(costs: list[int]) -> float:
    """By how much more the second doubling costs than the first: what is constant is not in it."""
    small, middle, large = costs
    return (large - middle) / (middle - small)


@pytest.mark.parametrize("program", ["silent", "ring"])
def test_a_run_costs_as_many_lines_a_node_in_a_large_network_as_in_a_small_one(
    program: str, tmp_path: Path
) -> None:
    def run(size: int) -> int:
        topology = network_of(program, size)
        return lines_run(lambda: run_in_process(topology, tmp_path))

    run(SIZES[0])  # imports, caches
    assert growth([run(size) for size in SIZES]) < LINES


def test_reading_a_topology_costs_as_many_lines_a_node_in_a_large_file_as_in_a_small_one() -> None:
    def read(size: int) -> int:
        names = names_of(size)
        nodes = "\n".join(f"  {name}: {{program: {__name__}:Ring}}" for name in names)
        links = "\n".join(
            f"  - {{between: [{names[at - 1]}, {names[at]}], classical: {{latency: 1 us}}}}"
            for at in range(size)
        )
        text = f"name: ring\nseed: 1\nnodes:\n{nodes}\nlinks:\n{links}\n"
        return lines_run(lambda: parse_topology(text))

    read(SIZES[0])
    assert growth([read(size) for size in SIZES]) < LINES


def test_a_run_holds_as_many_bytes_a_node_in_a_large_network_as_in_a_small_one() -> None:
    def held(size: int) -> int:
        network = InProcessNetwork(network_of("ring", size))
        tracemalloc.start()
        try:
            network.run()
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    held(40)
    assert growth([held(size) for size in (50, 100, 200)]) < BYTES


def test_records_are_written_before_they_fill_the_memory_and_read_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "_MOST_GATHERED", 2_000)
    (tmp_path / "nodes").mkdir()
    network = InProcessNetwork(network_of("ring", 10), record_path=RunFolder(tmp_path).record)
    most = 0
    for _ in network.batches():
        most = max(most, network._gathered.size)
    assert 0 < most < 2_000 and network._gathered.size == 0
    assert len(RunFolder(tmp_path).recorded()) == 10


def test_no_collection_comes_in_the_middle_of_an_instant_of_many_nodes() -> None:
    collections: list[str] = []

    def count(phase: str, _info: dict[str, int]) -> None:
        collections.append(phase)

    network = InProcessNetwork(network_of("ring", 200))
    gc.callbacks.append(count)
    try:
        for instants, _ in enumerate(network.batches(), 1):
            if instants == 1:
                collections.clear()  # of the start
    finally:
        gc.callbacks.remove(count)
    assert collections.count("start") < instants / 2


def test_many_nodes_hold_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    network = InProcessNetwork(network_of("ring", 40), record_path=RunFolder(tmp_path).record)
    before = len(os.listdir("/proc/self/fd"))
    opened = [len(os.listdir("/proc/self/fd")) for _ in network.batches()]
    assert max(opened) == before


def test_the_collector_looks_at_no_object_of_the_start_and_is_afterwards_as_it_was() -> None:
    frozen, thresholds = [], []

    async def program(me: Agent) -> None:
        await asyncio.sleep(1e-3)

    gc.unfreeze()  # what the tests have frozen themselves
    try:
        was_enabled, threshold = gc.isenabled(), gc.get_threshold()
        network = InProcessNetwork(harness.pair(program, program))
        for _ in network.batches():
            frozen.append(gc.get_freeze_count())
            thresholds.append(gc.get_threshold()[0])
        assert min(frozen) > 1_000
        assert (gc.get_freeze_count(), gc.isenabled()) == (0, was_enabled)
        assert min(thresholds) > threshold[0]
        assert gc.get_threshold() == threshold
    finally:
        gc.freeze()
