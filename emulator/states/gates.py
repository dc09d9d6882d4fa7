"""The gates by name, compiled once each.

Owns the list of gates and their matrices, which are QuTiP's (the tests compare them). Does not own how long
a gate takes or how noisy it is. Rotations: rx(a) = exp(-i a X / 2), and so on.
"""

from __future__ import annotations

import cmath
import math
from functools import lru_cache

import numpy as np

from ..errors import OperationError
from ..units import unsigned_zero
from ..wire.bit_planes import read_only
from .pauli import PAULIS, Superoperator, transfer_matrix
from .superoperators import Matrix, of_kraus

_IDENTITY, _X, _Y, _Z = PAULIS
_EIGHTH = cmath.exp(0.25j * math.pi)


def _matrix(*rows: tuple[complex, ...]) -> Matrix:
    return read_only(np.array(rows, dtype=np.complex128))


_FIXED: dict[str, Matrix] = {
    "x": _X,
    "y": _Y,
    "z": _Z,
    "h": read_only(math.sqrt(0.5) * (_X + _Z)),
    "s": _matrix((1, 0), (0, 1j)),
    "sdg": _matrix((1, 0), (0, -1j)),
    "t": _matrix((1, 0), (0, _EIGHTH)),
    "tdg": _matrix((1, 0), (0, _EIGHTH.conjugate())),
    "cx": _matrix((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 0, 1), (0, 0, 1, 0)),
    "cz": _matrix((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, -1)),
    "swap": _matrix((1, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1)),
}
_AXES: dict[str, Matrix] = {"rx": _X, "ry": _Y, "rz": _Z}
#: gate -> on how many qubits it acts.
GATES: dict[str, int] = {
    name: 2 if name in ("cx", "cz", "swap") else 1 for name in (*_FIXED, *_AXES)
}


def unitary(name: str, angle: float = 0.0) -> Matrix:
    """The gate as a matrix, read-only; `angle` in radians counts for rx, ry, rz only.

    Raises OperationError for an unknown name or an angle that is not finite.
    """
    if name in _FIXED:
        return _FIXED[name]
    if name not in _AXES:
        raise OperationError(gate=name, why=f"unknown gate; there are {', '.join(GATES)}")
    if not math.isfinite(angle):
        raise OperationError(gate=name, why=f"an angle must be finite, not {angle}")
    half = unsigned_zero(angle) / 2
    return read_only(math.cos(half) * _IDENTITY - 1j * math.sin(half) * _AXES[name])


@lru_cache(maxsize=1024)
def gate(name: str, angle: float = 0.0) -> Superoperator:
    """The gate compiled: read-only, shape (4**k, 4**k) for k qubits. Raises as `unitary`."""
    return transfer_matrix(of_kraus([unitary(name, angle)]))
