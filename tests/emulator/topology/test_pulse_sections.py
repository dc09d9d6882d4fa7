"""Sources and detectors of nodes: what loads, what it says, what is refused."""

from __future__ import annotations

import dataclasses
import re

import pytest

from qnetem.emulator.devices.presets import DETECTORS
from qnetem.emulator.quantum.optics import receiver
from qnetem.emulator.topology import parse_topology
from qnetem.emulator.topology.model import NodeSpec

from .topologies import refusal

HEAD = "name: x\nnodes:\n"


def node(entry: str, more: str = "") -> NodeSpec:
    return parse_topology(f"{HEAD}  n: {entry}\n{more}").nodes["n"]


def test_a_node_has_neither_source_nor_detectors_unless_it_says_so() -> None:
    assert (node("").source, node("").detector) == (None, None)
    off = "{hardware: gys, source: none, detector: none}"
    assert (node(off).source, node(off).detector) == (None, None)


def test_a_preset_of_the_file_is_what_the_node_has() -> None:
    more = "hardware: {snspd: {detector: {efficiency: 0.8, dark_count_rate: 100 Hz, dead_time: 50 ns}}}"
    found = node("{hardware: snspd, detector: {jitter: 30 ps}}", more).detector
    assert found is not None
    assert (found.efficiency, found.dark_count_rate_hz) == (0.8, 100.0)
    assert (found.dead_time_ps, found.jitter_fwhm_ps) == (50_000, 30)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_the_files_detectors_are_those_for_python(name: str) -> None:
    spec = node(f"{{hardware: {name}}}").detector
    assert spec is not None
    built = receiver(spec, 10_000, 0.0).all_detectors[0]
    assert dataclasses.asdict(built) == dataclasses.asdict(DETECTORS[name].part)


def test_gys_has_the_background_of_its_source() -> None:
    spec = node("{hardware: gys}")
    assert spec.source is not None and spec.detector is not None
    background = receiver(spec.detector, spec.source.period_ps, 0.0).background(500_000)
    assert background.sum() == pytest.approx(1.7e-6)
    assert spec.source.period_ps == 500_000


@pytest.mark.parametrize(
    ("entry", "column", "says"),
    [
        ("{detector: {efficiency: 1.2}}", 30, "from 0 to 1"),
        ("{detector: {dark_count_rate: 5 ns}}", 35, "is a time"),
        ("{detector: {dead_time: -1 ns}}", 29, "from 0 to 1e\\+12 ps"),
        ("{detector: {afterpulse: 1}}", 30, "would never end"),
        ("{detector: {splitting: [0.5, 0.6]}}", 18, "sum to 1"),
        ("{detector: {eficiency: 0.5}}", 18, "did you mean 'efficiency'"),
        ("{source: {rate: 0.1 Hz}}", 22, "from 1 Hz"),
        ("{source: {intensities: [-0.1]}}", 30, "from 0 to 200"),
        ("{source: {intensities: []}}", 16, "at least 1 entry"),
        ("{source: {probabilities: [1.0]}}", 16, "expected 3 probabilities"),
        ("{source: {probabilities: [0.5, 0.5, 0.5]}}", 16, "sum to 1"),
        ("{source: {kind: single_photon, g2: 0.6}}", 41, "4 brightness"),
        ("{source: {kind: maser}}", 22, "weak_coherent"),
        ("{hardware: snsp}", 17, "did you mean 'snspd'"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(entry: str, column: int, says: str) -> None:
    error = refusal(f"{HEAD}  n: {entry}\n")
    assert error.line == 3
    assert error.path == "net.yaml"
    assert re.search(says, str(error)), str(error)
    assert error.column == column


def test_a_gate_longer_than_a_neighbours_slot_is_refused_at_the_gate() -> None:
    text = (
        f"{HEAD}  a: {{source: {{rate: 1 GHz}}}}\n  b:\n    detector:\n      gate: 2 ns\n"
        "links: [{between: [a, b], quantum: {}}]\n"
    )
    error = refusal(text)
    assert (error.line, error.column) == (6, 13)
    assert "a gate of 2000 ps, expected at most the 1000 ps" in str(error)
