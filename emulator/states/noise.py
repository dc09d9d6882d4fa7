"""Noise as maps: named channels, memory decay, and what a user hands in.

Owns what each noise word means and the check that a map is physical. Does not own when noise acts.
A map is a closed form (superoperators.py), compiled to the Pauli basis (pauli.py), in which memory decay is
written down at once, because each storage time needs its own. A generator is the right-hand side of a master
equation in the Pauli basis, per second: generators of what acts at the same time add up. Its exponential
is SciPy's, which is imported when the first one is asked for: a run without a generator goes without it.

Rule: `depolarising(p)` is rho -> (1-p) rho + p I/d everywhere; one half of a Bell pair then keeps
F = 1 - 3p/4. All results are read-only and shared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from . import superoperators
from .pauli import PAULIS, Superoperator, frozen, qubits_of, transfer_matrix
from .qobj import as_array
from .superoperators import Matrix

__all__ = [
    "Superoperator",
    "amplitude_damping",
    "check_decay_times",
    "check_probability",
    "collapse_generator",
    "compose",
    "decay",
    "decay_generator",
    "dephasing",
    "depolarising",
    "evolved",
    "from_collapse",
    "from_kraus",
    "from_superoperator",
    "pauli_weights",
    "twirled",
]

#: Entries smaller than this are zeros with rounding errors.
EXACT = 1e-12
#: +1 where two of I, X, Y, Z commute, else -1.
_COMMUTE = frozen(np.array(((1, 1, 1, 1), (1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))))
#: How far a user's map may be from physical, as an eigenvalue of its Choi matrix or in trace.
TOLERANCE = 1e-9


def check_probability(name: str, value: float) -> None:
    """Raises InputError unless 0 <= value <= 1."""
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name} is {value}, expected a probability from 0 to 1")


@lru_cache(maxsize=256)
def depolarising(probability: float, qubits: int = 1) -> Superoperator:
    """rho -> (1-p) rho + p I/d on `qubits` (1 or 2) jointly (Nielsen & Chuang, eq. 8.100)."""
    check_probability("depolarising", probability)
    strings = list(itertools.product(PAULIS, repeat=qubits))
    weight = probability / len(strings)
    weights = [1 - probability + weight] + [weight] * (len(strings) - 1)
    return from_kraus(
        [math.sqrt(w) * superoperators.tensor(*s) for w, s in zip(weights, strings, strict=True)]
    )


@lru_cache(maxsize=256)
def dephasing(probability: float) -> Superoperator:
    """rho -> (1-p) rho + p Z rho Z (Nielsen & Chuang, section 8.3.6, with p for 1-p)."""
    check_probability("dephasing", probability)
    identity, _, _, z = PAULIS
    return from_kraus([math.sqrt(1 - probability) * identity, math.sqrt(probability) * z])


@lru_cache(maxsize=256)
def amplitude_damping(gamma: float) -> Superoperator:
    """Relaxation |1> -> |0> with probability `gamma` (Nielsen & Chuang, eq. 8.108)."""
    check_probability("amplitude damping", gamma)
    stay = np.array([[1, 0], [0, math.sqrt(1 - gamma)]])
    jump = np.array([[0, math.sqrt(gamma)], [0, 0]])
    return from_kraus([stay, jump])


def check_decay_times(t1_ns: float | None, t2_ns: float | None) -> None:
    """Raises InputError unless 0 < T1, 0 < T2 <= 2 T1 (None is infinite)."""
    for name, time_ns in (("T1", t1_ns), ("T2", t2_ns)):
        if time_ns is not None and not time_ns > 0:
            raise InputError(f"{name} is {time_ns} ns, expected more than 0")
    if t1_ns is not None and t2_ns is not None and t2_ns > 2 * t1_ns * (1 + TOLERANCE):
        raise InputError(f"T2 is {t2_ns} ns, more than 2 T1 = {2 * t1_ns} ns, which no qubit has")


@lru_cache(maxsize=4096)
def decay(t1_ns: float | None, t2_ns: float | None, duration_ns: float) -> Superoperator:
    """T1/T2 decay of one qubit over `duration_ns`, towards |0>.

    The population of |1> goes by exp(-t/T1), the coherence by exp(-t/T2) (Nielsen & Chuang, eq. 8.144).
    None is infinite; T2 None with a finite T1 is T2 = 2 T1, relaxation alone.
    """
    check_decay_times(t1_ns, t2_ns)
    population = 1.0 if t1_ns is None else math.exp(-duration_ns / t1_ns)
    if t2_ns is not None:
        coherence = math.exp(-duration_ns / t2_ns)
    else:
        coherence = math.sqrt(population)
    return frozen(
        np.array(
            (
                (1.0, 0.0, 0.0, 0.0),
                (0.0, coherence, 0.0, 0.0),
                (0.0, 0.0, coherence, 0.0),
                (1.0 - population, 0.0, 0.0, population),
            )
        )
    )


def decay_generator(t1_ns: float | None, t2_ns: float | None) -> Superoperator:
    """The generator of `decay`, shape (4, 4)."""
    check_decay_times(t1_ns, t2_ns)
    relaxation = 0.0 if t1_ns is None else 1e9 / t1_ns
    dephasing_rate = relaxation / 2 if t2_ns is None else 1e9 / t2_ns
    generator = np.diag((0.0, -dephasing_rate, -dephasing_rate, -relaxation))
    generator[3, 0] = relaxation
    return frozen(generator)


def evolved(generator: Superoperator, duration_ns: float) -> Superoperator:
    """What `duration_ns` under a generator does: its exponential, trace preserving to the last digit."""
    matrix = np.array(_exponential(generator * (duration_ns * 1e-9)))
    matrix[0] = 0.0
    matrix[0, 0] = 1.0
    return frozen(matrix)


def compose(*maps: Superoperator) -> Superoperator:
    """One map that does the given ones in order, the first one first."""
    combined = maps[0]
    for following in maps[1:]:
        combined = following @ combined
    return frozen(combined)


def from_kraus(operators: Sequence[Any]) -> Superoperator:
    """rho -> sum of K rho K^dagger; `operators`: Qobj or arrays of shape (2**k, 2**k).

    Raises InputError with the reason if they are not a channel.
    """
    if not operators:
        raise InputError("a Kraus list needs at least one operator")
    kraus = [_square(operator, "Kraus operator") for operator in operators]
    if len({operator.shape for operator in kraus}) > 1:
        raise InputError(f"Kraus operators of unlike shapes: {[k.shape for k in kraus]}")
    return _checked(superoperators.of_kraus(kraus))


def from_superoperator(superoperator: Any) -> Superoperator:
    """A superoperator on stacked columns (a Qobj of that kind, or an array (4**k, 4**k)), compiled.

    Raises InputError with the reason if it is not a channel.
    """
    return _checked(_square(superoperator, "superoperator"))


def from_collapse(
    operators: Sequence[Any], rates_hz: Sequence[float], duration_ns: float
) -> Superoperator:
    """Lindblad evolution for `duration_ns` under collapse operators at the given rates, no Hamiltonian.

    d rho/dt = sum of rate (C rho C^dagger - {C^dagger C, rho}/2) (Lindblad, CMP 48, 119 (1976)).
    Raises InputError for negative rates, unlike lengths or shapes.
    """
    if not duration_ns >= 0:
        raise InputError(f"a duration of {duration_ns} ns, expected 0 or more")
    generator = _liouvillian(operators, rates_hz)
    return _checked(_exponential(generator * (duration_ns * 1e-9)))


def collapse_generator(operators: Sequence[Any], rates_hz: Sequence[float]) -> Superoperator:
    """The generator of `from_collapse`, shape (4**k, 4**k). Raises InputError as that does.

    Of collapse operators with rates of 0 or more, every map that follows is a channel.
    """
    generator = np.array(transfer_matrix(_liouvillian(operators, rates_hz)))
    generator[0] = 0.0
    return frozen(generator)


def _liouvillian(operators: Sequence[Any], rates_hz: Sequence[float]) -> Matrix:
    """The generator of collapse operators with their rates, on stacked columns, per second."""
    if not operators or len(operators) != len(rates_hz):
        raise InputError(f"{len(operators)} collapse operators but {len(rates_hz)} rates")
    if not all(0 <= rate < math.inf for rate in rates_hz):
        raise InputError(f"not a channel: collapse rates must be 0 or more: {list(rates_hz)}")
    jumps = [_square(operator, "collapse operator") for operator in operators]
    if len({operator.shape for operator in jumps}) > 1:
        raise InputError(f"collapse operators of unlike shapes: {[j.shape for j in jumps]}")
    scaled = [math.sqrt(rate) * jump for rate, jump in zip(rates_hz, jumps, strict=True)]
    return superoperators.liouvillian(scaled)


def _exponential(matrix: NDArray[Any]) -> Any:
    from scipy.linalg import expm  # a quarter of a second, which a run without generators saves

    return expm(matrix)


def twirled(superoperator: Superoperator) -> Superoperator:
    """The map between a random Pauli and the same one again: its Pauli noise, nothing else of it.

    In the Pauli basis that is its diagonal (Dankert, Cleve, Emerson, Livine, PRA 80, 012304 (2009)).
    """
    return frozen(np.diag(superoperator.diagonal()))


def pauli_weights(superoperator: Superoperator) -> NDArray[np.float64] | None:
    """Probability of each Pauli string, length 4**k, first qubit slowest; None if not Pauli noise."""
    eigenvalues = superoperator.diagonal()
    if np.abs(superoperator - np.diag(eigenvalues)).max() > EXACT:
        return None
    weights = eigenvalues
    for i in range(qubits_of(superoperator.shape[0]) // 2):
        weights = _COMMUTE @ weights.reshape(4**i, 4, -1)
    return np.clip(weights.reshape(-1) / eigenvalues.size, 0.0, 1.0)


def _square(operator: Any, what: str) -> Matrix:
    matrix = np.asarray(as_array(operator), dtype=np.complex128)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or qubits_of(matrix.shape[0]) < 1:
        raise InputError(f"a {what} of shape {matrix.shape} does not act on qubits")
    if not np.isfinite(matrix).all():
        raise InputError(f"a {what} has entries that are not finite")
    return matrix


def _checked(superoperator: Matrix) -> Superoperator:
    """The map compiled, if it is completely positive and trace preserving (Choi's theorem)."""
    qubits, odd = divmod(qubits_of(superoperator.shape[0]), 2)
    if odd:
        raise InputError(f"a superoperator of shape {superoperator.shape} does not act on qubits")
    choi = superoperators.choi(superoperator)
    if np.abs(choi - choi.conj().T).max() > TOLERANCE:
        raise InputError("not a channel: Hermitian operators do not stay Hermitian")
    smallest = float(np.linalg.eigvalsh(choi)[0])
    if smallest < -TOLERANCE:
        raise InputError(
            f"not a channel: not completely positive (Choi matrix has the eigenvalue {smallest:.3g})"
        )
    identity = np.eye(2**qubits).ravel()
    excess = float(np.abs(identity @ superoperator - identity).max())
    if excess > TOLERANCE:
        raise InputError(f"not a channel: not trace preserving (off by {excess:.3g})")
    return transfer_matrix(superoperator)
