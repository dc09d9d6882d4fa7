from __future__ import annotations

import numpy as np
import pytest

from qnetem.emulator.devices.presets import DETECTORS, EMITTERS
from qnetem.emulator.quantum import noise
from qnetem.emulator.topology import parse_topology
from qnetem.emulator.topology.model import NodeSpec


@pytest.mark.parametrize(
    "preset", [*DETECTORS.values(), *EMITTERS.values()], ids=lambda p: p.source[:30]
)
def test_each_preset_names_its_source(preset: object) -> None:
    source = getattr(preset, "source")  # noqa: B009
    assert any(character.isdigit() for character in source) and len(source) > 30


def test_an_emitter_and_its_detector_give_the_published_probability() -> None:
    efficiency = DETECTORS["snspd"].part.efficiency
    for name, detected in [("nv_centre", 2.8e-4), ("nv_centre_bright", 4.2e-4)]:
        left = EMITTERS[name].part.surviving(efficiency)
        # an excitation in 25 gives a second photon: at this efficiency one of the two is seen
        assert left[1:].sum() == pytest.approx(1.04 * detected, rel=1e-3)
    ion = EMITTERS["trapped_ion"].part.photons()[1]
    assert ion**2 / 2 == pytest.approx(2.18e-4)


def test_a_gated_detector_has_the_dark_counts_per_gate_of_its_source() -> None:
    assert DETECTORS["ingaas_self_differencing"].part.dark_mean(1000) == pytest.approx(6e-7)
    assert 1e-6 <= DETECTORS["ingaas"].part.dark_mean(10_000) <= 1e-5


# --- nodes: the numbers in the file's words, against what their sources say -----------------------


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
