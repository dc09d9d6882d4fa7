from __future__ import annotations

import numpy as np
import pytest

from qnetem.emulator.states import pauli
from qnetem.emulator.states.qobj import superoperator_of
from qnetem.emulator.states.qutip_import import qutip

from .plain import CLOSE, random_density, random_kraus


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_density_matrix_survives_the_way_there_and_back(size: int) -> None:
    rho = random_density(size, seed=size)
    assert np.abs(pauli.density_of(pauli.vector_of(rho)) - rho).max() < CLOSE


def test_components_are_expectation_values_with_the_first_qubit_slowest() -> None:
    rho = random_density(2, seed=3)
    vector = pauli.vector_of(rho).reshape(4, 4)
    x_and_z = np.kron(pauli.PAULIS[1], pauli.PAULIS[3])
    assert vector[1, 3] == pytest.approx(np.trace(x_and_z @ rho).real, abs=CLOSE)
    assert vector[0, 0] == pytest.approx(1.0, abs=CLOSE)


@pytest.mark.parametrize("size", [1, 2])
def test_a_transfer_matrix_stands_for_the_same_map_as_the_superoperator(size: int) -> None:
    channel = sum(qutip.sprepost(k, k.dag()) for k in random_kraus(size, 3, seed=size))
    matrix = pauli.transfer_matrix(channel.full())
    rho = qutip.Qobj(random_density(size, seed=7), dims=[[2] * size] * 2)
    slow = qutip.vector_to_operator(channel * qutip.operator_to_vector(rho)).full()
    fast = pauli.density_of(matrix @ pauli.vector_of(rho.full()))
    assert np.abs(fast - slow).max() < CLOSE
    assert np.abs((superoperator_of(matrix) - channel).full()).max() < CLOSE


def test_row_zero_of_a_map_is_exact_so_that_no_trace_drifts() -> None:
    channel = sum(qutip.sprepost(k, k.dag()) for k in random_kraus(1, 4, seed=1))
    matrix = pauli.transfer_matrix(channel.full())
    assert matrix[0].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_compiled_maps_cannot_be_changed_by_those_who_share_them() -> None:
    matrix = pauli.transfer_matrix(qutip.to_super(qutip.sigmax()).full())
    with pytest.raises(ValueError, match="read-only"):
        matrix[1, 1] = 5.0


@pytest.mark.parametrize(
    ("dimension", "qubits"), [(1, 0), (2, 1), (16, 4), (0, -1), (3, -1), (12, -1)]
)
def test_dimensions_that_are_no_power_of_two_are_told(dimension: int, qubits: int) -> None:
    assert pauli.qubits_of(dimension) == qubits
