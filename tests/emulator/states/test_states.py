from __future__ import annotations

import numpy as np
import pytest

from qnetem.emulator.states import states
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.wire import BELL_NAMES

from .plain import CLOSE

R = 2**-0.5
VECTORS = ([R, 0, 0, R], [0, R, R, 0], [R, 0, 0, -R], [0, R, -R, 0])


@pytest.mark.parametrize("index", range(4))
def test_bell_states_have_the_textbook_amplitudes(index: int) -> None:
    assert np.abs(states.bell_vector(index) - np.array(VECTORS[index])).max() < CLOSE
    assert BELL_NAMES[index] == ("Phi+", "Psi+", "Phi-", "Psi-")[index]


@pytest.mark.parametrize("index", range(4))
def test_the_bell_index_counts_corrections_on_the_second_qubit(index: int) -> None:
    correction = qutip.sigmax() ** (index & 1) * qutip.sigmaz() ** (index >> 1)
    moved = np.kron(np.eye(2), correction.full()) @ states.bell_vector(0)
    assert abs(np.vdot(moved, states.bell_vector(index))) == pytest.approx(1.0, abs=CLOSE)


@pytest.mark.parametrize("fidelity", [0.25, 0.5, 0.9, 1.0])
def test_a_werner_state_has_its_fidelity_and_equal_rest(fidelity: float) -> None:
    rho = states.werner(fidelity)
    weights = [np.vdot(v, rho @ v).real for v in map(states.bell_vector, range(4))]
    assert weights == pytest.approx([fidelity] + [(1 - fidelity) / 3] * 3, abs=CLOSE)
    assert (
        np.abs(rho - sum(w * states.bell_density(i) for i, w in enumerate(weights))).max() < CLOSE
    )
