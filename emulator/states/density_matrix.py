"""The general engine: any state and any noise, of up to ten jointly entangled qubits.

Owns the arithmetic on a density matrix, kept as its real Pauli vector (pauli.py): exact like the
matrix itself, but Hermitian by construction, with half the memory, and with Bloch components that are
read off instead of computed. Knows nothing of names, holders or time.

Rule: component 0 (the trace) is 1 in every state.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, InternalError, RegisterTooLarge
from . import qobj
from .engine import Axis, State, decide
from .pauli import (
    PauliVector,
    Superoperator,
    density_of,
    frozen,
    projector_vector,
    qubits_of,
    vector_of,
)

#: Outcome (z, x) of a Bell measurement: signs of <II>, <XX>, <YY>, <ZZ> in its projector.
_BELL_SIGNS = {
    (z, x): (1.0, (-1.0) ** z, -((-1.0) ** (z + x)), (-1.0) ** x) for z in (0, 1) for x in (0, 1)
}
_BELL_PROJECTORS = {outcome: frozen(np.array(signs)) for outcome, signs in _BELL_SIGNS.items()}


@lru_cache(maxsize=4096)
def _to_front(size: int, indices: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axis order that brings `indices` to the front, and the one that puts them back."""
    order = (*indices, *(axis for axis in range(size) if axis not in indices))
    return order, tuple(sorted(range(size), key=order.__getitem__))


def _unit_trace(density: NDArray[np.complex128]) -> PauliVector:
    vector = vector_of(density)
    if not abs(vector[0] - 1.0) < 1e-9:
        raise InputError(f"a density matrix has trace 1, not {vector[0]:.12g}")
    vector[0] = 1.0
    return frozen(vector)


@lru_cache(maxsize=256)
def _small_vector(density: bytes, shape: tuple[int, ...]) -> PauliVector:
    """Of one or two qubits, kept: a link hands in the same matrix for every pair."""
    return _unit_trace(np.frombuffer(density, dtype=np.complex128).reshape(shape))


def _projector(phi: NDArray[np.complex128]) -> PauliVector:
    if not np.isfinite(phi).all() or not np.any(phi):
        raise InputError("a target must be a finite vector other than zero")
    return frozen(projector_vector(phi))


@lru_cache(maxsize=256)
def _small_projector(amplitudes: bytes) -> PauliVector:
    """Of one or two qubits, kept: probes ask for the same target again and again."""
    return _projector(np.frombuffer(amplitudes, dtype=np.complex128))


def target_projector(target: ArrayLike, qubits: int) -> PauliVector:
    """The Pauli vector of |phi><phi| for the state vector `target` of length 2**qubits.

    Raises InputError if it has another length or is zero.
    """
    phi = np.asarray(target, dtype=np.complex128).ravel()
    if phi.size != 2**qubits:
        raise InputError(f"a target for {qubits} qubits has not {phi.size} amplitudes")
    return _small_projector(phi.tobytes()) if phi.size <= 4 else _projector(phi)


class DensityMatrix(State):
    """The density matrix of `size` qubits. Immutable; see `State` for the methods."""

    __slots__ = ("_size", "_vector")
    formalism = "density_matrix"
    limit = 10

    def __init__(self, vector: PauliVector, size: int) -> None:
        self._vector = vector
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    @property
    def vector(self) -> PauliVector:
        """Its Pauli vector, length 4**size: not to be written to."""
        return self._vector

    @classmethod
    def eigenstate(cls, axis: Axis, outcome: int) -> DensityMatrix:
        """One qubit that a measurement along `axis` has just found to be `outcome`."""
        x, y, z = axis if outcome == 0 else (-axis[0], -axis[1], -axis[2])
        return cls(np.array((1.0, x, y, z)), 1)

    @classmethod
    def from_density(cls, density: NDArray[Any], u: float = 0.0) -> DensityMatrix:
        qubits = qubits_of(density.shape[0])
        if qubits < 1 or density.shape != (2**qubits, 2**qubits):
            raise InputError(f"a density matrix of shape {density.shape} is not one of qubits")
        if qubits > cls.limit:
            raise RegisterTooLarge(qubits=qubits, limit=cls.limit)
        matrix = np.asarray(density, dtype=np.complex128)
        if qubits <= 2:
            return cls(_small_vector(matrix.tobytes(), matrix.shape), qubits)
        return cls(_unit_trace(matrix), qubits)

    def promoted(self) -> DensityMatrix:
        return self

    def merge(self, other: State) -> DensityMatrix:
        size = self._size + other.size
        if size > self.limit:
            raise RegisterTooLarge(qubits=size, limit=self.limit)
        vector = np.multiply.outer(self._vector, _general(other).vector).ravel()
        return DensityMatrix(vector, size)

    def carries(self, superoperator: Superoperator, indices: Sequence[int]) -> bool:
        return True

    def apply_map(
        self, superoperator: Superoperator, indices: Sequence[int], u: float = 0.0
    ) -> DensityMatrix:
        if len(indices) == 1:
            return DensityMatrix(self._on_one(superoperator, indices[0]), self._size)
        order, back = _to_front(self._size, tuple(indices))
        leading = self._vector.reshape((4,) * self._size).transpose(order)
        changed = superoperator @ leading.reshape(superoperator.shape[0], -1)
        restored = changed.reshape((4,) * self._size).transpose(back).reshape(-1)
        return DensityMatrix(restored, self._size)

    def _on_one(self, superoperator: Superoperator, index: int) -> PauliVector:
        """A one-qubit map: a matrix product, batched only when the qubit is neither first nor last."""
        if index == 0:
            return (superoperator @ self._vector.reshape(4, -1)).reshape(-1)
        if index == self._size - 1:
            return (self._vector.reshape(-1, 4) @ superoperator.T).reshape(-1)
        return (superoperator @ self._vector.reshape(4**index, 4, -1)).reshape(-1)

    def measure(self, index: int, axis: Axis, u: float) -> tuple[int, DensityMatrix]:
        x, y, z = axis
        component, stride = self._vector.item, 4 ** (self._size - 1 - index)
        mean = x * component(stride) + y * component(2 * stride) + z * component(3 * stride)
        outcome = decide(0.5 * (1.0 + mean), u)
        if self._size == 1:
            return outcome, NOTHING
        if outcome:
            x, y, z = -x, -y, -z
        return outcome, self._contract(np.array((1.0, x, y, z)), index)

    def _contract(self, weights: PauliVector, index: int) -> DensityMatrix:
        """The others' state once one qubit is projected on the (unnormalised) `weights`."""
        if index == 0:
            rest = weights @ self._vector.reshape(4, -1)
        elif index == self._size - 1:
            rest = self._vector.reshape(-1, 4) @ weights
        else:
            rest = (weights @ self._vector.reshape(4**index, 4, -1)).reshape(-1)
        return DensityMatrix(rest / rest[0], self._size - 1)

    def bell_measure(
        self, first: int, second: int, u1: float, u2: float
    ) -> tuple[int, int, DensityMatrix]:
        low, high = min(first, second), max(first, second)
        blocks = self._vector.reshape(4**low, 4, 4 ** (high - low - 1), 4, -1)
        same = blocks.diagonal(axis1=1, axis2=3)  # the two qubits' II, XX, YY, ZZ come last
        _, xx, yy, zz = same[0, 0, 0].tolist()
        z, x = _bell_outcome(xx, yy, zz, u1, u2)
        rest = (same @ _BELL_PROJECTORS[z, x]).reshape(-1)
        return z, x, DensityMatrix(rest / rest[0], self._size - 2)

    def bell_measure_across(
        self, index: int, other: State, other_index: int, u1: float, u2: float
    ) -> tuple[int, int, DensityMatrix]:
        left, right = self._behind(index), _general(other)._behind(other_index)
        _, *left_bloch = left[0].tolist()
        _, *right_bloch = right[0].tolist()
        xx, yy, zz = (a * b for a, b in zip(left_bloch, right_bloch, strict=True))
        z, x = _bell_outcome(xx, yy, zz, u1, u2)
        rest = ((left * _BELL_PROJECTORS[z, x]) @ right.T).reshape(-1)
        return z, x, DensityMatrix(rest / rest[0], self._size + other.size - 2)

    def _behind(self, index: int) -> PauliVector:
        """The vector as a matrix: the others' components by rows, the qubit's four in columns."""
        if index == self._size - 1:
            return self._vector.reshape(-1, 4)
        blocks = self._vector.reshape(4**index, 4, -1)
        return blocks.transpose(0, 2, 1).reshape(-1, 4)

    def remove(self, index: int, u: float = 0.0) -> DensityMatrix:
        if self._size == 1:
            return NOTHING
        # A copy, because a view would keep the larger state alive.
        rest = self._vector.reshape(4**index, 4, -1)[:, 0, :].reshape(-1).copy()
        return DensityMatrix(rest, self._size - 1)

    def reduced(self, indices: Sequence[int]) -> DensityMatrix:
        if list(indices) == list(range(self._size)):
            return self
        traced = tuple(slice(None) if axis in indices else 0 for axis in range(self._size))
        kept = sorted(indices)
        tensor = self._vector.reshape((4,) * self._size)[traced]
        ordered = tensor.transpose([kept.index(axis) for axis in indices])
        return DensityMatrix(ordered.reshape(-1).copy(), len(kept))

    def fidelity(self, target: ArrayLike) -> float:
        projector = target_projector(target, self._size)
        return float(np.dot(self._vector, projector)) / (1 << self._size)

    def to_qobj(self) -> Any:
        return qobj.operator(density_of(self._vector))

    def __repr__(self) -> str:
        return f"<DensityMatrix of {self._size} qubits>"


def _bell_outcome(xx: float, yy: float, zz: float, u1: float, u2: float) -> tuple[int, int]:
    """(z, x) of a Bell measurement of two qubits with these correlations."""
    z = decide((1.0 + xx) / 2.0, u1)
    _, sx, sy, sz = _BELL_SIGNS[z, 0]
    both = max((1.0 + sx * xx + sy * yy + sz * zz) / 4.0, 0.0)
    return z, decide(both / ((1.0 + sx * xx) / 2.0), u2)


def _general(state: State) -> DensityMatrix:
    general = state.promoted()
    if not isinstance(general, DensityMatrix):
        raise InternalError(f"{state.formalism} promotes to {general.formalism}")
    return general


#: The state of no qubits: what a measured qubit that stood alone leaves behind.
NOTHING = DensityMatrix(frozen(np.ones(1)), 0)
