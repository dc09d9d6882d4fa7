"""Named states: the four Bell states and Werner states.

Owns names and conventions. The Bell index counts Pauli corrections on the second qubit: bit 0 is X,
bit 1 is Z, hence 0 Phi+, 1 Psi+, 2 Phi-, 3 Psi- (up to sign).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..wire.bit_planes import read_only

_BELL_VECTORS = tuple(
    read_only(math.sqrt(0.5) * np.array(signs, dtype=np.complex128))
    for signs in ((1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 0, -1), (0, 1, -1, 0))
)


def bell_vector(index: int = 0) -> NDArray[np.complex128]:
    """The Bell state of that index as a read-only vector of length 4."""
    return _BELL_VECTORS[index]


def bell_density(index: int = 0) -> NDArray[np.complex128]:
    """The projector on the Bell state of that index, shape (4, 4)."""
    vector = bell_vector(index)
    return np.outer(vector, vector.conj())


def werner(fidelity: float) -> NDArray[np.complex128]:
    """F |Phi+><Phi+| + (1-F)/3 of the rest, shape (4, 4) (Werner, PRA 40, 4277 (1989))."""
    phi_plus = bell_density(0)
    return fidelity * phi_plus + (1 - fidelity) / 3 * (np.eye(4) - phi_plus)
