"""Sources and detectors of nodes: what loads, what it says, what is refused."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml

from qnetem.emulator.devices.detectors import Detector
from qnetem.emulator.devices.sources import AtomicEmitter, Pairs, SinglePhoton, WeakCoherent
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.quantum.pulses.reception import receiver
from qnetem.emulator.quantum.pulses.sending import (
    mean_photon_numbers,
    pair_source,
    source_table,
)
from qnetem.emulator.topology.model.topology import NodeSpec, Topology

from ..topologies import refusal

PAGE = Path(__file__).parents[4] / "docs" / "topology.md"
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


#: Presets -> what their sources print.
DETECTORS = {
    "snspd": Detector(0.8, 20.0),
    "snspd_93": Detector(0.93, 1.0, dead_time_ps=40_000, jitter_fwhm_ps=150.0),
    "ingaas_negative_feedback": Detector(
        0.1, 1.0, dead_time_ps=20_000_000, afterpulse_probability=0.022
    ),
    "ingaas_sine_gated": Detector(0.1, 600.0, afterpulse_probability=0.04, gate_ps=1000),
    "micius_2017": Detector(0.5, 25.0, jitter_fwhm_ps=350.0, gate_ps=2000),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_are_what_their_sources_print(name: str) -> None:
    spec = node(f"{{hardware: {name}}}").detector
    assert spec is not None
    built = receiver(spec, 10_000, 0.0).all_detectors[0]
    assert dataclasses.asdict(built) == dataclasses.asdict(DETECTORS[name])


def test_gys_has_the_background_of_its_source() -> None:
    spec = node("{hardware: gys}")
    assert spec.source is not None and spec.detector is not None
    background = receiver(spec.detector, spec.source.period_ps, 0.0).background(500_000)
    assert background.sum() == pytest.approx(1.7e-6)
    assert spec.source.period_ps == 500_000


def test_each_kind_of_source_is_what_it_says() -> None:
    laser, single = (
        node(f"{{source: {{kind: {kind}}}}}") for kind in ("weak_coherent", "single_photon")
    )
    assert source_table(laser, None) == tuple(map(WeakCoherent, (0.5, 0.1, 0.0)))
    assert source_table(single, None) == (SinglePhoton(1.0, 0.0),)
    atom = node(
        "{source: {kind: emitter, rate: 20 MHz, collection: 0.1, lifetime: 12 ns, window: 25 ns, "
        "double_excitation: 4 %}}"
    )
    assert source_table(atom, None) == (AtomicEmitter(0.1, 12.0, 25.0, 0.04),)
    pairs = node("{source: {kind: spdc, mean_pairs: 0.05, statistics: thermal, fidelity: 0.9}}")
    assert pair_source(pairs) == (Pairs(0.05, "thermal"), 0.9)
    assert pair_source(node("{source: {kind: spdc, mean_pairs: 0.1}}")) == (Pairs(0.1), 1.0)
    for spec, told in ((laser, [0.5, 0.1, 0.0]), (single, [1.0]), (pairs, [0.05])):
        assert spec.source is not None
        assert mean_photon_numbers(spec.source) == told


def test_every_source_of_the_documentation_is_accepted() -> None:
    (shown,) = re.findall(r"```yaml source\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    kinds = []
    for entry in yaml.safe_load(shown):
        source = node(json.dumps({"source": entry})).source
        assert source is not None
        kinds.append(source.kind)
    assert kinds == ["weak_coherent", "single_photon", "emitter", "spdc", "spdc_cw"]


def test_a_source_without_a_clock_counts_picoseconds() -> None:
    spec = node("{source: {kind: spdc_cw, pair_rate: 1.5 MHz, fidelity: 0.9}}")
    emitted, fidelity = pair_source(spec)
    assert (emitted.mean_pairs, fidelity) == (pytest.approx(1.5e-6), 0.9)
    assert emitted.statistics == "poisson"
    assert spec.source is not None
    assert (spec.source.period_ps, spec.source.clocked) == (1, False)
    assert mean_photon_numbers(spec.source) == [pytest.approx(1.5e-6)]


def test_a_source_without_a_clock_survives_as_data() -> None:
    topology = parse_topology(f"{HEAD}  n: {{source: {{kind: spdc_cw, pair_rate: 1 kHz}}}}")
    assert Topology.from_data(topology.to_data()).nodes == topology.nodes


def test_the_slot_is_the_window_of_a_long_photon_unless_told() -> None:
    spec = node("{source: {kind: emitter, rate: 100 MHz, collection: 1, lifetime: 12 ns}}")
    assert source_table(spec, None) == (AtomicEmitter(1.0, 12.0, 10.0),)


@pytest.mark.parametrize(
    ("name", "detected"), [("nv_centre_emitter", 2.8e-4), ("nv_centre_bright_emitter", 4.2e-4)]
)
def test_an_emitter_and_its_detector_give_the_published_probability(
    name: str, detected: float
) -> None:
    (built,) = source_table(node(f"{{hardware: {name}}}"), None)
    assert isinstance(built, AtomicEmitter)
    # an excitation in 25 gives a second photon: at this efficiency one of the two is seen
    seen = built.surviving(DETECTORS["snspd"].efficiency)[1:].sum()
    assert seen == pytest.approx(1.04 * detected, rel=1e-3)


def test_two_ions_herald_as_often_as_published() -> None:
    (ion,) = source_table(node("{hardware: trapped_ion_emitter}"), None)
    assert ion.photons()[1] ** 2 / 2 == pytest.approx(2.18e-4)


@pytest.mark.parametrize(
    ("above", "more"),
    [
        ("defaults: {source: {intensities: [0.3, 0.1]}}", ""),
        ("kinds: {endpoint: {source: {kind: emitter, collection: 1, rate: 20 MHz}}}", ""),
        ("", "hardware: gys, "),
    ],
)
def test_a_source_of_another_kind_takes_nothing_from_the_layers_below(
    above: str, more: str
) -> None:
    source = node(f"{{{more}source: {{kind: spdc, mean_pairs: 0.1}}}}", above).source
    assert source is not None
    assert (source.kind, source.rate_hz, source.intensities) == ("spdc", 1e9, None)


@pytest.mark.parametrize(
    ("above", "own"),
    [
        ("{kind: spdc}", "{mean_pairs: 0.2, fidelity: 0.9}"),
        ("{kind: spdc, mean_pairs: 0.2}", "{fidelity: 0.9}"),
        ("{kind: spdc, fidelity: 0.9}", "{kind: spdc, mean_pairs: 0.2}"),
        ("{kind: emitter, rate: 20 MHz}", "{collection: 0.2, window: 25 ns}"),
        ("{kind: emitter, window: 25 ns, collection: 0.2}", "{rate: 20 MHz}"),
        ("{kind: single_photon, brightness: 0.5}", "{kind: single_photon, g2: 0.3}"),
        ("{intensities: [0.5, 0.1]}", "{probabilities: [0.5, 0.5]}"),
        ("{rate: 20 MHz}", "{kind: spdc, mean_pairs: 0.1}"),
        ("{kind: spdc_cw, fidelity: 0.9}", "{pair_rate: 1 MHz}"),
    ],
)
def test_layers_complete_each_other(above: str, own: str) -> None:
    layered = parse_topology(
        f"name: x\ndefaults: {{source: {above}}}\nnodes: {{n: {{source: {own}}}}}"
    )
    whole = yaml.safe_load(above) | yaml.safe_load(own)
    assert layered.nodes["n"].source == node(json.dumps({"source": whole})).source


def test_what_no_layer_brings_is_missed_where_the_source_stands() -> None:
    error = refusal(
        "name: x\ndefaults: {source: {kind: spdc}}\nnodes: {n: {source: {fidelity: 0.9}}}"
    )
    assert (error.line, error.column) == (3, 13)
    assert "'mean_pairs' is missing" in str(error)


def test_a_preset_of_an_emitter_may_be_changed_in_one_number() -> None:
    source = node("{hardware: nv_centre_emitter, source: {collection: 0.2}}").source
    assert source is not None
    assert (source.collection, source.lifetime_ps, source.kind) == (0.2, 12_000, "emitter")


def test_a_source_of_the_same_kind_is_laid_over_the_one_below() -> None:
    source = node("{hardware: gys, source: {kind: weak_coherent, rate: 1 MHz}}").source
    assert source is not None
    assert (source.table, source.period_ps) == ([0.48, 0.05, 0.0], 1_000_000)


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
        ("{source: {kind: single_photon, brightness: 0.9, g2: 0.2}}", 58, "at most 0.165289 at"),
        ("{source: {kind: maser}}", 22, "weak_coherent"),
        ("{hardware: gys, source: {kind: [spdc]}}", 31, "a list is not known"),
        ("{source: {kind: spdc}}", 7, "'mean_pairs'"),
        ("{source: {kind: spdc, mean_pairs: -0.1}}", 40, "from 0 to 1"),
        ("{source: {kind: spdc, mean_pairs: 1.5}}", 40, "from 0 to 1"),
        ("{source: {kind: spdc, mean_pairs: 0.1, statistics: bose}}", 57, "polarisation"),
        ("{source: {kind: spdc, mean_pairs: 0.1, fidelity: 0.2}}", 55, "from 0.25 to 1"),
        ("{source: {kind: spdc, mean_pairs: 0.1, g2: 0.2}}", 49, "no key of kind: spdc"),
        ("{source: {kind: spdc, mean_pair: 0.1}}", 28, "did you mean 'mean_pairs'"),
        ("{source: {mean_pairs: 0.1}}", 28, "of kind: weak_coherent, but of spdc"),
        ("{source: {kind: spdc_cw}}", 7, "'pair_rate'"),
        ("{source: {kind: spdc_cw, rate: 1 MHz}}", 37, "no key of kind: spdc_cw"),
        ("{source: {kind: spdc_cw, pair_rate: 0 Hz}}", 42, r"above 0 to 1e\+11 Hz"),
        ("{source: {kind: spdc_cw, pair_rate: 1 MHz, statistics: thermal}}", 61, "but of spdc"),
        ("{source: {kind: emitter}}", 7, "'collection'"),
        ("{source: {kind: emitter, collection: 2}}", 43, "from 0 to 1"),
        ("{source: {kind: emitter, collection: 1, lifetime: 12 nm}}", 56, "is a wavelength"),
        ("{source: {kind: emitter, collection: 1, window: 2 ns}}", 54, "at most the slot, 1000 ps"),
        ("{hardware: snsp}", 17, "did you mean 'snspd'"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(entry: str, column: int, says: str) -> None:
    error = refusal(f"{HEAD}  n: {entry}\n")
    assert error.line == 3
    assert error.path == "net.yaml"
    assert re.search(says, str(error)), str(error)
    assert error.column == column


def test_a_gate_is_refused_where_light_comes_at_any_time() -> None:
    error = refusal(
        """name: x
nodes:
  alice: {source: {kind: spdc_cw, pair_rate: 1 MHz}}
  bob: {detector: {gate: 1 ns}}
links: [{between: [alice, bob], quantum: {length: 1 km}}]
"""
    )
    assert error.line == 4
    assert "a gate of 1000 ps, expected none: pairs of alice come at any time" in str(error)


def test_a_gate_longer_than_a_neighbours_slot_is_refused_at_the_gate() -> None:
    text = (
        f"{HEAD}  a: {{source: {{rate: 1 GHz}}}}\n  b:\n    detector:\n      gate: 2 ns\n"
        "links: [{between: [a, b], quantum: {}}]\n"
    )
    error = refusal(text)
    assert (error.line, error.column) == (6, 13)
    assert "a gate of 2000 ps, expected at most the 1000 ps" in str(error)
