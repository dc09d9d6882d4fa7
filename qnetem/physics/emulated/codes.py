"""Codes under noise, for the report: encoded states on the density-matrix engine.

Owns encoding, the syndromes, and what is made of them; all outcomes are summed, so nothing is drawn. Does
not own the engine and its noise, nor the formulas that the results are set against.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from ...emulator.states import gates, noise
from ...emulator.states.density_matrix import DensityMatrix
from ...emulator.states.pauli import Superoperator
from .circuits import Z, apply

#: Parity checks of the Hamming code; column k reads as k + 1.
_HAMMING = ((3, 4, 5, 6), (1, 2, 5, 6), (0, 2, 4, 6))


def _zeros(count: int) -> DensityMatrix:
    state = DensityMatrix.eigenstate(Z, 0)
    for _ in range(count - 1):
        state = state.merge(DensityMatrix.eigenstate(Z, 0))
    return state


def _mean(state: DensityMatrix, letters: str) -> float:
    """The mean of a product of Paulis, such as "XXXXII"."""
    digits = ("IXYZ".index(letter) for letter in letters)
    return float(state.vector[sum(4**at * d for at, d in enumerate(reversed([*digits])))])


def _everywhere(state: DensityMatrix, channel: Superoperator, count: int) -> DensityMatrix:
    for index in range(count):
        state = state.apply_map(channel, (index,))
    return state


# --- [[4,2,2]] ------------------------------------------------------------------------------------

#: XXXX and ZZZZ, and each logical Pauli that a reference qubit shares with the code.
_CHECKS = ("XXXXII", "ZZZZII")
_SHARED = ("XXIIXI", "ZIZIZI", "XIXIIX", "ZZIIIZ")


def detected(error: float) -> tuple[float, float]:
    """(accepted, logical error once accepted) of the [[4,2,2]] code, X, Y and Z with `error`/3 each.

    Two qubits that are maximally entangled with the encoded ones tell every logical error. That error
    is depolarising by 4/3 of it: a third of what depolarises is the identity's.
    """
    state = _everywhere(_encoded_pairs(), noise.depolarising(4 * error / 3), 4)
    accepted = _projected(state, _CHECKS)
    return accepted, 1 - _projected(state, (*_CHECKS, *_SHARED)) / accepted


def _encoded_pairs() -> DensityMatrix:
    """|i j> of the code beside |i j>, summed: i flips qubits 0 and 1, j flips 0 and 2."""
    state = _zeros(6)
    for qubit in (3, 4, 5):
        state = apply(state, "h", qubit)
    for control, target in ((3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (5, 0), (5, 2)):
        state = apply(state, "cx", control, target)
    return state


def _projected(state: DensityMatrix, generators: tuple[str, ...]) -> float:
    """Probability that all of these commuting products are +1: the mean over the group they generate."""
    means = []
    for chosen in itertools.product((False, True), repeat=len(generators)):
        sign, letters = 1.0, "I" * state.size
        for generator in itertools.compress(generators, chosen):
            factor, letters = _product(letters, generator)
            sign *= factor
        means.append(sign * _mean(state, letters))
    return math.fsum(means) / len(means)


def _product(left: str, right: str) -> tuple[float, str]:
    """(sign, letters) of the product of two commuting strings."""
    phase, letters = 1 + 0j, list[str]()
    for a, b in zip(left, right, strict=True):
        if a == b:
            letters.append("I")
        elif "I" in (a, b):
            letters.append(a if b == "I" else b)
        else:
            phase *= 1j if a + b in ("XY", "YZ", "ZX") else -1j
            letters += {"X", "Y", "Z"} - {a, b}
    return phase.real, "".join(letters)


# --- Steane ---------------------------------------------------------------------------------------


def steane_wrong(flip: float) -> float:
    """Probability that the syndrome decoder leaves an encoded |0> wrong, each qubit flipped with `flip`."""
    hadamard = gates.gate("h")
    flips = noise.compose(hadamard, noise.dephasing(flip), hadamard)
    chances = _z_outcomes(_everywhere(_encoded_zero(), flips, 7))
    return math.fsum(
        float(chances[bits]) for bits in itertools.product((0, 1), repeat=7) if _decoded(bits)
    )


def _encoded_zero() -> DensityMatrix:
    """All words of even weight of the Hamming code: its checks, each once or not at all."""
    state = _zeros(7)
    for check, start in zip(_HAMMING, (3, 1, 0), strict=True):
        state = apply(state, "h", start)
        for qubit in check:
            if qubit != start:
                state = apply(state, "cx", start, qubit)
    return state


def _z_outcomes(state: DensityMatrix) -> np.ndarray:
    """Probabilities of measuring every qubit along Z, shape (2,) * size."""
    chances = state.vector.reshape((4,) * state.size)
    for _ in range(state.size):
        chances = np.moveaxis(chances, 0, -1)[..., [0, 3]] @ np.array([[0.5, 0.5], [0.5, -0.5]])
    return chances


def _decoded(bits: tuple[int, ...]) -> int:
    """The logical bit: the syndrome names one qubit to flip, the parity of all is the rest."""
    syndrome = [sum(bits[qubit] for qubit in check) % 2 for check in _HAMMING]
    return (sum(bits) + any(syndrome)) % 2
