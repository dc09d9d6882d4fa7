"""Closed forms of protocols of single photons and pairs: six states, B92, SARG04, E91, unequal detectors.

Owns formulas, as qkd.py does and by its conventions: pure, independent of the emulator's own arithmetic, no
state, no draws. Asymptotic: finite keys are not here. Nor are photon numbers: `gain` counts clicks of single
photons, so weak pulses need decoys (qkd.py) before any of these rates holds for them.

Conventions: depolarising by p is rho -> (1-p) rho + p I/2; error correction leaks f h(Q) of a sifted bit;
rates are negative where there is no key.
"""

from __future__ import annotations

import math

from .qkd import binary_entropy

# --- more states than two bases have --------------------------------------------------------------


def six_state_rate(gain: float, qber: float, f: float = 1.22, sifting: float = 1 / 3) -> float:
    """R = q Q [1 - H(1 - 3E/2, E/2, E/2, E/2) - (f-1) h(E)], one-way.

    All three bases err with E (Bruss, PRL 81, 3018 (1998); Lo, QIC 1, 81 (2001)).
    """
    weights = (1 - 1.5 * qber, qber / 2, qber / 2, qber / 2)
    return sifting * gain * (1 - _entropy(weights) - (f - 1) * binary_entropy(qber))


# --- states that are not orthogonal ---------------------------------------------------------------


def b92_gain(overlap: float, depolarising: float) -> float:
    """Conclusive outcomes a detected photon: [(1-p)(1 - c^2) + p]/2, c the `overlap` <phi_0|phi_1>.

    Bennett, PRL 68, 3121 (1992). SARG04 after its sifting is the same with c = 1/sqrt2.
    """
    return ((1 - depolarising) * (1 - overlap**2) + depolarising) / 2


def b92_qber(overlap: float, depolarising: float) -> float:
    """Error rate of those: (p/2)/[(1-p)(1 - c^2) + p]; p/(1+p) for c = 1/sqrt2."""
    return depolarising / 4 / b92_gain(overlap, depolarising)


def b92_rate(gain: float, qber: float, overlap: float, f: float = 1.22) -> float:
    """R = Q [1 - f h(E) - h((1 + c^2) E)]; `gain` counts conclusive outcomes.

    The phase error rate (1 + c^2) E is that of a depolarising channel after the filter of Tamaki, Koashi,
    Imoto, PRL 90, 167904 (2003). Both ends must know that the channel is one: what B92's own counts prove
    is less.
    """
    phase = min(0.5, (1 + overlap**2) * qber)
    return gain * (1 - f * binary_entropy(qber) - binary_entropy(phase))


def b92_discrimination(overlap: float) -> float:
    """The transmittance at which loss hides unambiguous discrimination: 1 - c; below it there is no key.

    Ivanovic, PLA 123, 257 (1987); Dieks, PLA 126, 303 (1988); Peres, PLA 128, 19 (1988).
    """
    return 1 - overlap


def sarg04_rate(gain: float, qber: float, f: float = 1.22, sifting: float = 0.25) -> float:
    """R = q Q [1 - H(1 - 2E, E/2, E/2, E) - (f-1) h(E)], single photons; no key from 9.68 % on.

    Phase errors are 3/2 of the bit errors (Tamaki, Lo, PRA 73, 010302 (2006); Fung, Tamaki, Lo, PRA 73,
    012337 (2006)). `sifting` is the conclusive part.
    """
    weights = (1 - 2 * qber, qber / 2, qber / 2, qber)
    return sifting * gain * (1 - _entropy(weights) - (f - 1) * binary_entropy(qber))


def _entropy(weights: tuple[float, ...]) -> float:
    return -math.fsum(weight * math.log2(weight) for weight in weights if weight > 0)


# --- pairs that show a violation ------------------------------------------------------------------

#: Angles of polarisation of Ekert's analysers, in degrees.
_E91_ALICE, _E91_BOB = (0.0, 22.5, 45.0), (22.5, 45.0, 67.5)


def e91_sifting() -> tuple[float, float]:
    """(key, CHSH): parts of the pairs, 2/9 with equal angles, 4/9 with those of the CHSH test.

    Three angles at either end, at random: 0, 22.5 and 45 degrees, and 22.5, 45 and 67.5 (Ekert, PRL 67, 661
    (1991)).
    """
    pairs = len(_E91_ALICE) * len(_E91_BOB)
    equal = sum(angle in _E91_BOB for angle in _E91_ALICE)
    return equal / pairs, len(_e91_test()) / pairs


def e91_chsh(visibility: float) -> float:
    """S of the angles that E91 tests, of E(a, b) = V cos 2(a-b): 2 sqrt2 V."""
    return math.fsum(
        sign * visibility * math.cos(2 * math.radians(alice - bob))
        for alice, bob, sign in _e91_test()
    )


def _e91_test() -> list[tuple[float, float, int]]:
    """(Alice's angle, Bob's, sign) of the four correlations of S: the outer angles of both."""
    outer = (_E91_ALICE[0], _E91_ALICE[-1])
    return [
        (alice, bob, -1 if (alice, bob) == (outer[0], _E91_BOB[-1]) else 1)
        for alice in outer
        for bob in (_E91_BOB[0], _E91_BOB[-1])
    ]


# --- detectors that are not alike -----------------------------------------------------------------


def mismatch_rate(
    gain: float, qber: float, efficiency_ratio: float, f: float = 1.22, sifting: float = 0.5
) -> float:
    """R = q Q 2r/(1+r) [1 - (1+f) h(E)]: clicks of the better detector are dropped until both are alike.

    `efficiency_ratio` r is the worse detector's efficiency in the better one's, 1 or less, the least over
    all that a photon may have besides its bit (time, colour, path). Fung, Tamaki, Qi, Lo, Ma, QIC 9, 131
    (2009).
    """
    kept = 2 * efficiency_ratio / (1 + efficiency_ratio)
    return sifting * gain * kept * (1 - (1 + f) * binary_entropy(qber))


def mismatch_bias(efficiency_ratio: float) -> float:
    """How often the better detector's bit comes up: 1/(1+r)."""
    return 1 / (1 + efficiency_ratio)
