"""States and maps in the Pauli basis: the form that the hot path computes with.

Owns the change of basis, nothing physical. A state of n qubits is the real vector of expectation
values Tr(P rho) over the 4**n Pauli strings P (I, X, Y, Z per qubit, first qubit slowest); a map on
k qubits is the real matrix R[P, Q] = Tr(P map(Q)) / 2**k, the Pauli transfer matrix (Greenbaum,
arXiv:1509.02921). It is a superoperator like any other, but real, so that states stay
Hermitian by construction; tracing a qubit out is taking its I component, and Bloch components can be
read off.

Rule: component 0 of a state is its trace and stays exactly 1, because row 0 of a map is exactly
(1, 0, ..., 0).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..wire.bit_planes import read_only

#: Real vector of length 4**n: Tr(P rho) for all Pauli strings P.
PauliVector = NDArray[np.float64]
#: Real matrix of shape (4**k, 4**k): a map in the Pauli basis.
Superoperator = NDArray[np.float64]

PAULIS: tuple[NDArray[np.complex128], ...] = tuple(
    read_only(np.array(rows, dtype=np.complex128))
    for rows in (((1, 0), (0, 1)), ((0, 1), (1, 0)), ((0, -1j), (1j, 0)), ((1, 0), (0, -1)))
)
#: (row, column) of rho -> Tr(P rho); and back, rho = sum of v_P P / 2.
_TO_PAULI = read_only(np.array([pauli.T.ravel() for pauli in PAULIS]))
_FROM_PAULI = read_only(np.array([pauli.ravel() / 2 for pauli in PAULIS]).T.copy())


def qubits_of(dimension: int) -> int:
    """n for a Hilbert space of dimension 2**n; -1 if it is no power of two."""
    return dimension.bit_length() - 1 if dimension > 0 and dimension.bit_count() == 1 else -1


@lru_cache(maxsize=64)
def _interleaved(qubits: int) -> tuple[int, ...]:
    """Axis order that puts each qubit's row next to its column."""
    return tuple(axis for i in range(qubits) for axis in (i, qubits + i))


def _each_qubit(matrix: NDArray[Any], vector: NDArray[Any], qubits: int) -> NDArray[Any]:
    """`matrix` (4, 4) applied to every factor of `vector` (4**qubits)."""
    for i in range(qubits):
        vector = matrix @ vector.reshape(4**i, 4, -1)
    return vector.reshape(-1)


def vector_of(density: NDArray[Any]) -> PauliVector:
    """The Pauli vector of a density matrix, shape (2**n, 2**n)."""
    qubits = qubits_of(density.shape[0])
    pairs = density.reshape((2,) * (2 * qubits)).transpose(_interleaved(qubits)).reshape(-1)
    return np.ascontiguousarray(_each_qubit(_TO_PAULI, pairs, qubits).real)


def density_of(vector: PauliVector) -> NDArray[np.complex128]:
    """The density matrix, shape (2**n, 2**n), of a Pauli vector of length 4**n."""
    qubits = (vector.size.bit_length() - 1) // 2
    pairs = _each_qubit(_FROM_PAULI, vector, qubits).reshape((2,) * (2 * qubits))
    rows_then_columns = np.argsort(_interleaved(qubits))
    return np.ascontiguousarray(pairs.transpose(rows_then_columns).reshape(2**qubits, 2**qubits))


def projector_vector(amplitudes: ArrayLike) -> PauliVector:
    """The Pauli vector of |phi><phi| for a state vector of length 2**n, which is normalised first."""
    phi = np.asarray(amplitudes, dtype=np.complex128)
    phi = phi / np.linalg.norm(phi)
    return vector_of(np.outer(phi, phi.conj()))


@lru_cache(maxsize=8)
def column_strings(qubits: int) -> NDArray[np.complex128]:
    """All Pauli strings on `qubits`, their columns stacked, as the columns of a (4**n, 4**n) matrix."""
    basis = np.eye(4**qubits)
    return read_only(np.array([2**qubits * density_of(row).T.ravel() for row in basis]).T)


def transfer_matrix(superoperator: NDArray[Any]) -> Superoperator:
    """A superoperator on stacked columns (superoperators.py), shape (4**k, 4**k), to the Pauli basis.

    The map must be trace preserving; row 0 is set to exactly (1, 0, ..., 0). Read-only result.
    """
    dimension = superoperator.shape[0]
    columns = column_strings((dimension.bit_length() - 1) // 2)
    matrix = (columns.conj().T @ superoperator @ columns).real / np.sqrt(dimension)
    matrix[0] = 0.0
    matrix[0, 0] = 1.0
    return frozen(matrix)


def frozen(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """The array, contiguous and read-only: maps are shared and cached."""
    return read_only(np.ascontiguousarray(array, dtype=np.float64))
