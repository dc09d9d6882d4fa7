"""The gates by name, compiled once each.

Owns the list of gates and their meaning (QuTiP's). Does not own how long a gate takes or how noisy it
is. Rotations: rx(a) = exp(-i a X / 2), and so on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ..errors import OperationError
from ..units import unsigned_zero
from .pauli import Superoperator, transfer_matrix
from .qutip_import import qutip

_FIXED: dict[str, Callable[[], Any]] = {
    "x": qutip.sigmax,
    "y": qutip.sigmay,
    "z": qutip.sigmaz,
    "h": lambda: qutip.gates.hadamard_transform(1),
    "s": qutip.gates.s_gate,
    "sdg": lambda: qutip.gates.s_gate().dag(),
    "t": qutip.gates.t_gate,
    "tdg": lambda: qutip.gates.t_gate().dag(),
    "cx": qutip.gates.cnot,
    "cz": qutip.gates.cz_gate,
    "swap": qutip.gates.swap,
}
_ROTATIONS: dict[str, Callable[[float], Any]] = {
    "rx": qutip.gates.rx,
    "ry": qutip.gates.ry,
    "rz": qutip.gates.rz,
}
#: gate -> on how many qubits it acts.
GATES: dict[str, int] = {
    name: 2 if name in ("cx", "cz", "swap") else 1 for name in (*_FIXED, *_ROTATIONS)
}


def unitary(name: str, angle: float = 0.0) -> Any:
    """The gate as a QuTiP operator; `angle` in radians counts for rx, ry, rz only.

    Raises OperationError for an unknown name or an angle that is not finite.
    """
    if name in _FIXED:
        return _FIXED[name]()
    if name not in _ROTATIONS:
        raise OperationError(gate=name, why=f"unknown gate; there are {', '.join(GATES)}")
    if not math.isfinite(angle):
        raise OperationError(gate=name, why=f"an angle must be finite, not {angle}")
    return _ROTATIONS[name](unsigned_zero(angle))


@lru_cache(maxsize=1024)
def gate(name: str, angle: float = 0.0) -> Superoperator:
    """The gate compiled: read-only, shape (4**k, 4**k) for k qubits. Raises as `unitary`."""
    return transfer_matrix(qutip.to_super(unitary(name, angle)).full())
