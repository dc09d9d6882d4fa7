"""A plan of faults is small, however many instants and targets an entry speaks of."""

from __future__ import annotations

import time

import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import build_topology, parse_topology


@pytest.mark.parametrize("target", ["all", 0.5])
def test_an_entry_of_too_many_faults_is_refused_before_they_are_made(target: str | float) -> None:
    nodes = {f"n{number}": None for number in range(1000)}
    fault = {"every": "1 ns", "until": "99 us", "memory_reset": target}
    began = time.process_time()
    with pytest.raises(TopologyError, match="more than 100000 single faults"):
        build_topology({"name": "x", "nodes": nodes, "faults": [fault]})
    assert time.process_time() - began < 10


@pytest.mark.parametrize("rate", ["1e-300 Hz", "5e-324 Hz", "1e-323 Hz"])
def test_a_campaign_of_hardly_any_faults_has_none(rate: str) -> None:
    text = "name: x\nnodes: {a: , b: }\nlinks: [{between: [a, b]}]\n"
    assert not parse_topology(f"{text}faults: {{random: {{rate: {rate}, until: 1 s}}}}\n").faults
