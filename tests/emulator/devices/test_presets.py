from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.states import noise
from qnetem.emulator.topology.model.topology import NodeSpec
from qnetem.emulator.topology.reading.presets import FIBRES, HERALDING, MARKS, PRESETS, RENAMED

PAGE = Path(__file__).parents[3] / "docs" / "presets.md"
EVERY = {**PRESETS, **HERALDING, **FIBRES}


@pytest.mark.parametrize("name", EVERY)
def test_each_preset_has_its_source_and_marks_in_the_docs(name: str) -> None:
    preset, text = EVERY[name], " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"- `{name}` ({preset.marks}): {preset.source}" in text
    assert set(preset.marks.split(", ")) <= set(MARKS)
    assert name == "ideal" or re.search(r"\d{4}\)|20\d\d", preset.source)


def test_the_docs_have_no_preset_that_is_none_and_explain_every_mark() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^- `(\w+)` \(", page, re.MULTILINE)) == set(EVERY)
    assert dict(re.findall(r"^\| (\w) \| (.*) \|$", page, re.MULTILINE)) == MARKS


def test_a_former_name_is_refused_with_the_present_one() -> None:
    with pytest.raises(
        TopologyError, match="'ingaas_self_differencing' is called 'ingaas_sine_gat"
    ):
        node("ingaas_self_differencing")
    assert not set(RENAMED) & set(PRESETS) and set(RENAMED.values()) <= set(PRESETS)


def node(hardware: str) -> NodeSpec:
    return parse_topology(f"name: x\nnodes: {{n: {{hardware: {hardware}}}}}").nodes["n"]


def process_fidelity(superoperator: noise.Superoperator) -> float:
    """Of a map with the identity: tr(R)/4**k in the Pauli basis."""
    return float(np.trace(superoperator)) / len(superoperator)


def test_the_nv_centre_s_gate_depolarises_each_qubit_as_its_source_does() -> None:
    """NetSquid's DepolarNoiseModel acts on each qubit of a gate; ours acts on the two together."""
    gates, memory = node("nv_centre").gates, node("nv_centre").memory
    each = noise.depolarising(0.02)
    ours = noise.depolarising(gates.two_error, 2)
    assert process_fidelity(ours) == pytest.approx(process_fidelity(np.kron(each, each)), abs=2e-6)
    assert process_fidelity(ours) != pytest.approx(
        process_fidelity(noise.depolarising(0.02, 2)), abs=1e-3
    )
    assert 1 - memory.initialisation_error / 2 == pytest.approx(0.99)
    assert node("nv_centre").measurement.error == pytest.approx((0.05 + 0.005) / 2)


@pytest.mark.parametrize(
    ("name", "each", "single", "durations_ns"),
    [
        ("nv_centre_avis_2023", 0.06, 0.01, (2_000, 5, 500_000, 3_700)),
        ("trapped_ion_avis_2023", 0.1, 0.02, (36_000, 26_600, 107_000, 1_500_000)),
    ],
)
def test_the_sets_of_avis_et_al_have_the_durations_and_errors_of_their_files(
    name: str, each: float, single: float, durations_ns: tuple[int, ...]
) -> None:
    """Preparation, single-qubit gate, two-qubit gate, readout; each qubit of a gate depolarises."""
    found = node(name)
    gates = found.gates
    initialisation_ns, readout_ns = found.memory.initialisation_ns, found.measurement.duration_ns
    assert (initialisation_ns, gates.single_ns, gates.two_ns, readout_ns) == durations_ns
    apart = noise.depolarising(each)
    assert process_fidelity(noise.depolarising(gates.two_error, 2)) == pytest.approx(
        process_fidelity(np.kron(apart, apart)), abs=2e-6
    )
    assert gates.single_error == single


def test_the_ion_s_gates_err_as_often_as_its_sources_say() -> None:
    """The error of a gate is 1 - F of its average fidelity (1 + d F_process)/(d + 1)."""
    gates = node("trapped_ion").gates
    for probability, qubits, error, digits in (
        (gates.single_error, 1, 1.5e-7, 1e-3),
        (gates.two_error, 2, 5e-3, 1e-3),
    ):
        d = 2**qubits
        average = (1 + d * process_fidelity(noise.depolarising(probability, qubits))) / (d + 1)
        assert 1 - average == pytest.approx(error, rel=digits)
    assert node("trapped_ion").measurement.error == pytest.approx(1 - 0.9977)
