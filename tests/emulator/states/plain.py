"""The same physics in plain QuTiP, slowly: what the hot path is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qnetem.emulator.states.qutip_import import qutip

#: Hot path and QuTiP agree to this.
CLOSE = 1e-10
#: A closed form and QuTiP's object agree to this: the last digit or two.
EXACT = 4e-16

_GATES = {
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
_ROTATIONS = {"rx": qutip.gates.rx, "ry": qutip.gates.ry, "rz": qutip.gates.rz}


def plain_gate(name: str, angle: float = 0.0) -> Any:
    """The gate as QuTiP has it."""
    return _ROTATIONS[name](angle) if name in _ROTATIONS else _GATES[name]()


def embedded(operator: Any, indices: Sequence[int], size: int) -> Any:
    """`operator` on the qubits at `indices` of `size`, identity elsewhere."""
    others = [i for i in range(size) if i not in indices]
    wide = qutip.tensor([operator] + [qutip.qeye(2)] * len(others))
    placed = [*indices, *others]
    return wide.permute([placed.index(i) for i in range(size)])


def evolved(rho: Any, kraus: Sequence[Any], indices: Sequence[int]) -> Any:
    """Sum of K rho K^dagger with each K on the qubits at `indices`."""
    size = len(rho.dims[0])
    wide = [embedded(k, indices, size) for k in kraus]
    return sum(k * rho * k.dag() for k in wide)


def ghz(size: int) -> NDArray[np.complex128]:
    vector = np.zeros(2**size, dtype=np.complex128)
    vector[0] = vector[-1] = 2**-0.5
    return vector


def random_density(size: int, seed: int) -> NDArray[np.complex128]:
    """A mixed state of full rank without any symmetry."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(2**size, 2**size)) + 1j * rng.normal(size=(2**size, 2**size))
    rho: NDArray[np.complex128] = root @ root.conj().T
    rho /= np.trace(rho).real
    return rho


def random_kraus(size: int, count: int, seed: int) -> list[Any]:
    """Kraus operators of a channel without any symmetry: blocks of an isometry."""
    rng = np.random.default_rng(seed)
    shape = (count * 2**size, 2**size)
    isometry, _ = np.linalg.qr(rng.normal(size=shape) + 1j * rng.normal(size=shape))
    dims = [[2] * size] * 2
    return [qutip.Qobj(block, dims=dims) for block in np.split(isometry, count)]


def distance(left: Any, right: Any) -> float:
    """Largest difference of two operators' entries; dims must agree."""
    assert left.dims == right.dims
    return float(np.abs((left - right).full()).max())
