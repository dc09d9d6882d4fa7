"""Maps as matrices on density matrices whose columns are stacked.

Owns the closed forms that lead there, and the Choi matrix of such a map, for arrays. Does not own whether
a map is a channel (noise.py), nor the basis that the hot path computes in (pauli.py).

Convention: the one of QuTiP, against which the tests check each form. vec(rho) puts the columns below each
other, so that vec(A rho B) = (B^T (x) A) vec(rho).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

#: An operator, shape (2**k, 2**k), or a superoperator, shape (4**k, 4**k).
Matrix = NDArray[np.complex128]


def tensor(*operators: Matrix) -> Matrix:
    """Operators on one qubit after another as one on all of them, the first qubit slowest."""
    joint: Matrix = np.eye(1, dtype=np.complex128)
    for operator in operators:
        joint = np.kron(joint, operator).astype(np.complex128)
    return joint


def of_kraus(operators: Iterable[Matrix]) -> Matrix:
    """rho -> sum of K rho K^dagger, for one operator or more of equal shape."""
    terms = [np.kron(operator.conj(), operator) for operator in operators]
    return np.asarray(sum(terms), dtype=np.complex128)


def liouvillian(jumps: Iterable[Matrix]) -> Matrix:
    """rho -> sum of (C rho C^dagger - {C^dagger C, rho}/2) (Lindblad, CMP 48, 119 (1976))."""
    terms = []
    for jump in jumps:
        identity, leaving = np.eye(jump.shape[0]), jump.conj().T @ jump
        loss = np.kron(identity, leaving) + np.kron(leaving.T, identity)
        terms.append(np.kron(jump.conj(), jump) - loss / 2)
    return np.asarray(sum(terms), dtype=np.complex128)


def choi(superoperator: Matrix) -> Matrix:
    """Sum over i, j of |i><j| (x) map(|i><j|): positive if and only if the map is completely so."""
    dimension = round(superoperator.shape[0] ** 0.5)
    columns_and_rows = superoperator.reshape((dimension,) * 4)  # out, then in; each column, row
    return columns_and_rows.transpose(3, 1, 2, 0).reshape(superoperator.shape)
