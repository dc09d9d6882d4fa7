from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

from qnetem.emulator.errors import OperationError
from qnetem.emulator.states import gates
from qnetem.emulator.states.qobj import superoperator_of
from qnetem.emulator.states.qutip_import import qutip

from .plain import CLOSE, EXACT, plain_gate

R = 2**-0.5
#: The textbook matrices, written out (Nielsen & Chuang, sections 4.2 and 4.3).
TEXTBOOK: dict[str, list[list[complex]]] = {
    "x": [[0, 1], [1, 0]],
    "y": [[0, -1j], [1j, 0]],
    "z": [[1, 0], [0, -1]],
    "h": [[R, R], [R, -R]],
    "s": [[1, 0], [0, 1j]],
    "sdg": [[1, 0], [0, -1j]],
    "t": [[1, 0], [0, cmath.exp(0.25j * math.pi)]],
    "tdg": [[1, 0], [0, cmath.exp(-0.25j * math.pi)]],
    "cx": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]],
    "cz": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, -1]],
    "swap": [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
}


@pytest.mark.parametrize("name", TEXTBOOK)
def test_a_gate_is_the_textbook_matrix(name: str) -> None:
    matrix = np.array(TEXTBOOK[name])
    assert np.abs(gates.unitary(name) - matrix).max() < EXACT
    assert np.abs(gates.unitary(name) - plain_gate(name).full()).max() < EXACT
    expected = qutip.to_super(qutip.Qobj(matrix)).full()
    assert np.abs(superoperator_of(gates.gate(name)).full() - expected).max() < CLOSE


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2, -2.2, 7.0])
def test_a_rotation_turns_by_the_angle_about_its_axis(axis: str, angle: float) -> None:
    pauli = np.array(TEXTBOOK[axis])
    expected = math.cos(angle / 2) * np.eye(2) - 1j * math.sin(angle / 2) * pauli
    found = gates.unitary(f"r{axis}", angle)
    assert np.abs(found - expected).max() < EXACT
    assert np.abs(found - plain_gate(f"r{axis}", angle).full()).max() < EXACT
    assert gates.gate(f"r{axis}", angle).shape == (4, 4)


def test_the_table_names_every_gate_and_its_number_of_qubits() -> None:
    assert {*TEXTBOOK, "rx", "ry", "rz"} == set(gates.GATES)
    for name, qubits in gates.GATES.items():
        assert gates.gate(name).shape == (4**qubits, 4**qubits)


def test_a_gate_is_compiled_once() -> None:
    assert gates.gate("rx", 0.25) is gates.gate("rx", 0.25)
    assert gates.gate("rx", 0.25) is not gates.gate("rx", 0.5)


def test_an_unknown_gate_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OperationError, match="unknown gate; there are x, y, z"):
        gates.gate("cnot")


def test_an_angle_that_is_not_finite_is_refused() -> None:
    with pytest.raises(OperationError, match="finite"):
        gates.gate("rz", math.nan)
