from __future__ import annotations

import numpy as np
import pytest

from qnetem.emulator.states import superoperators
from qnetem.emulator.states.qutip_import import qutip

from .plain import EXACT, random_kraus


@pytest.mark.parametrize("qubits", [1, 2])
def test_kraus_operators_give_the_superoperator_that_qutip_builds(qubits: int) -> None:
    kraus = random_kraus(qubits, 3, seed=21)
    expected = sum(qutip.sprepost(k, k.dag()) for k in kraus).full()
    found = superoperators.of_kraus(k.full() for k in kraus)
    assert np.abs(found - expected).max() < EXACT


@pytest.mark.parametrize("qubits", [1, 2])
def test_collapse_operators_give_the_liouvillian_that_qutip_builds(qubits: int) -> None:
    jumps = random_kraus(qubits, 3, seed=22)
    expected = qutip.liouvillian(None, jumps).full()
    found = superoperators.liouvillian(jump.full() for jump in jumps)
    assert np.abs(found - expected).max() < EXACT


@pytest.mark.parametrize("qubits", [1, 2])
def test_the_choi_matrix_is_the_one_that_qutip_builds(qubits: int) -> None:
    channel = sum(qutip.sprepost(k, k.dag()) for k in random_kraus(qubits, 3, seed=23))
    assert np.array_equal(superoperators.choi(channel.full()), qutip.to_choi(channel).full())
