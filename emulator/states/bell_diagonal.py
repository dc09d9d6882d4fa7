"""The engine of entangled pairs: a Bell-diagonal state is four numbers.

Owns the arithmetic on a mixture of the four Bell states, kept as its Pauli vector's only entries that
are not zero: <II> = 1, <XX>, <YY>, <ZZ>. Pauli noise on a half multiplies them; a Bell measurement of
halves of two pairs multiplies those of one with those of the other (which is the convolution of the Bell
weights over Z2 x Z2: Bennett, DiVincenzo, Smolin, Wootters, PRA 54, 3824 (1996), section II). Plain
floats: numpy would cost more than the arithmetic.

Rules: both halves are maximally mixed on their own, so the state is symmetric under their exchange and an
index never matters. What does not keep the form (relaxation, a Hadamard on one half, a gate between two
pairs) is answered with a density matrix: exact, and slower. Whether that may happen, and whether a density
matrix comes back, is formalism.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .density_matrix import NOTHING, DensityMatrix, target_projector
from .engine import Axis, PerMap, State, decide
from .noise import EXACT
from .pauli import PauliVector, Superoperator, frozen

#: Where <II>, <XX>, <YY>, <ZZ> stand in the Pauli vector of two qubits.
_DIAGONAL = (0, 5, 10, 15)
_OTHERS = [index for index in range(16) if index not in _DIAGONAL]
_MIXED = DensityMatrix(frozen(np.array((1.0, 0.0, 0.0, 0.0))), 1)

#: Rows for <XX>, <YY>, <ZZ>: (constant, of <XX>, of <YY>, of <ZZ>).
_Rows = tuple[tuple[float, ...], ...]


def _factors_of(superoperator: Superoperator) -> tuple[float, float, float] | None:
    """What a one-qubit map multiplies <XX>, <YY>, <ZZ> by; None if it does not keep the form."""
    if superoperator.shape != (4, 4):
        return None
    if np.abs(superoperator - np.diag(superoperator.diagonal())).max() > EXACT:
        return None
    _, x, y, z = superoperator.diagonal().tolist()
    return x, y, z


def _rows_of(superoperator: Superoperator) -> _Rows | None:
    """A two-qubit map on <II>, <XX>, <YY>, <ZZ> alone; None if it does not keep the form."""
    if superoperator.shape != (16, 16):
        return None
    columns = superoperator[:, _DIAGONAL]
    if np.abs(columns[_OTHERS]).max() > EXACT:
        return None
    return tuple(tuple(row) for row in columns[_DIAGONAL[1:], :].tolist())


_factors = PerMap(_factors_of)
_known_factors = _factors.known
_rows = PerMap(_rows_of)


class BellDiagonal(State):
    """A pair with correlations `xx`, `yy`, `zz`. Immutable; see `State` for the methods."""

    __slots__ = ("xx", "yy", "zz")
    formalism = "bell_diagonal"
    limit = 2

    def __init__(self, xx: float, yy: float, zz: float) -> None:
        self.xx = xx
        self.yy = yy
        self.zz = zz

    @property
    def size(self) -> int:
        return 2

    @property
    def weights(self) -> tuple[float, float, float, float]:
        """Probabilities of Phi+, Psi+, Phi-, Psi-: the order of the Bell index."""
        xx, yy, zz = self.xx, self.yy, self.zz
        return (
            (1.0 + xx - yy + zz) / 4.0,
            (1.0 + xx + yy - zz) / 4.0,
            (1.0 - xx + yy + zz) / 4.0,
            (1.0 - xx - yy - zz) / 4.0,
        )

    @classmethod
    def from_weights(cls, weights: Sequence[float]) -> BellDiagonal:
        """A mixture of Phi+, Psi+, Phi-, Psi- with these weights. Raises InputError unless a distribution."""
        if len(weights) != 4 or not all(weight >= -EXACT for weight in weights):
            raise InputError(f"Bell weights are four numbers from 0 on, not {list(weights)}")
        if not abs(sum(weights) - 1.0) < 1e-9:
            raise InputError(f"Bell weights add up to 1, not {sum(weights):.12g}")
        p, q, r, s = weights
        return cls(p + q - r - s, q + r - p - s, p + r - q - s)

    @classmethod
    def from_density(cls, density: NDArray[Any], u: float = 0.0) -> BellDiagonal:
        state = DensityMatrix.from_density(density)
        pair = cls.of(state)
        if pair is None:
            raise InputError("not a Bell-diagonal state of two qubits; formalism: auto holds any")
        return pair

    @classmethod
    def of(cls, state: DensityMatrix) -> BellDiagonal | None:
        """The same state as four numbers, if it is Bell-diagonal."""
        if state.size != 2:
            return None
        _, ix, iy, iz, xi, xx, xy, xz, yi, yx, yy, yz, zi, zx, zy, zz = state.vector.tolist()
        size = max(map(abs, (ix, iy, iz, xi, xy, xz, yi, yx, yz, zi, zx, zy)))
        return cls(xx, yy, zz) if size <= EXACT else None

    @classmethod
    def twirled(cls, state: DensityMatrix) -> BellDiagonal:
        """What a random Pauli on both halves of a pair leaves of it: the Bell fidelities stay."""
        xx, yy, zz = state.vector[[5, 10, 15]].tolist()
        return cls(xx, yy, zz)

    def promoted(self) -> DensityMatrix:
        return DensityMatrix(self._vector(), 2)

    def merge(self, other: State) -> State:
        return self.promoted().merge(other)

    def carries(self, superoperator: Superoperator, indices: Sequence[int]) -> bool:
        if len(indices) == 1:
            return _factors(superoperator) is not None
        return _rows(superoperator) is not None

    def apply_map(
        self, superoperator: Superoperator, indices: Sequence[int], u: float = 0.0
    ) -> State:
        if len(indices) == 1:
            entry = _known_factors.get(id(superoperator))
            factors = _factors(superoperator) if entry is None else entry[1]
            if factors is not None:
                x, y, z = factors
                return BellDiagonal(self.xx * x, self.yy * y, self.zz * z)
        else:
            rows = _rows(superoperator)
            if rows is not None:
                xx, yy, zz = self.xx, self.yy, self.zz
                return BellDiagonal(*(c + a * xx + b * yy + d * zz for c, a, b, d in rows))
        return self.promoted().apply_map(superoperator, indices)

    def measure(self, index: int, axis: Axis, u: float) -> tuple[int, DensityMatrix]:
        x, y, z = axis
        outcome = int(u >= 0.5)
        if outcome:
            x, y, z = -x, -y, -z
        return outcome, DensityMatrix(np.array((1.0, x * self.xx, y * self.yy, z * self.zz)), 1)

    def bell_measure(
        self, first: int, second: int, u1: float, u2: float
    ) -> tuple[int, int, DensityMatrix]:
        phi_plus, psi_plus, phi_minus, psi_minus = self.weights
        z = decide(phi_plus + psi_plus, u1)
        phi, psi = (phi_minus, psi_minus) if z else (phi_plus, psi_plus)
        return z, decide(max(phi, 0.0) / (phi + psi), u2), NOTHING

    def bell_measure_across(
        self, index: int, other: State, other_index: int, u1: float, u2: float
    ) -> tuple[int, int, State]:
        if not isinstance(other, BellDiagonal):
            return self.promoted().bell_measure_across(index, other, other_index, u1, u2)
        z, x = int(u1 >= 0.5), int(u2 >= 0.5)
        xx, yy, zz = self.xx * other.xx, self.yy * other.yy, self.zz * other.zz
        return z, x, BellDiagonal(-xx if z else xx, yy if z != x else -yy, -zz if x else zz)

    def remove(self, index: int, u: float = 0.0) -> DensityMatrix:
        return _MIXED

    def reduced(self, indices: Sequence[int]) -> State:
        return self if len(indices) == 2 else _MIXED

    def fidelity(self, target: ArrayLike) -> float:
        component = target_projector(target, 2).item
        xx, yy, zz = component(5), component(10), component(15)
        return (1.0 + self.xx * xx + self.yy * yy + self.zz * zz) / 4.0

    def to_qobj(self) -> Any:
        return self.promoted().to_qobj()

    def _vector(self) -> PauliVector:
        vector = np.zeros(16)
        vector[0], vector[5], vector[10], vector[15] = 1.0, self.xx, self.yy, self.zz
        return vector

    def __repr__(self) -> str:
        shown = ", ".join(f"{weight:.6g}" for weight in self.weights)
        return f"<BellDiagonal Phi+, Psi+, Phi-, Psi- = {shown}>"
