"""Closed forms of measurement-device-independent key distribution with weak pulses.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no
draws. Lo, Curty, Qi, PRL 108, 130503 (2012); formulas of Ma, Razavi, PRA 86, 062319 (2012), for a 50:50
beam splitter, polarising ones behind it, and four threshold detectors.

Conventions: `etas` include the detectors; both Psi+ and Psi- count; `dark` is per detector and gate. Yields
of single photons are those of a double-click link (links.py).
"""

from __future__ import annotations

import math

from .links import double_click_error, double_click_success
from .qkd import E0, binary_entropy

Two = tuple[float, float]


def rectilinear(mus: Two, etas: Two, dark: float, e_d: float = 0.0) -> tuple[float, float]:
    """(Q_Z, E_Z): gain and error rate in the basis that makes the key."""
    first, second = (eta * mu for eta, mu in zip(etas, mus, strict=True))
    quiet = 1 - dark
    overlap = math.sqrt(first * second) / 2
    dim = math.exp(-(first + second) / 2)
    blank = (1 - quiet * math.exp(-first / 2)) * (1 - quiet * math.exp(-second / 2))
    correct = 2 * quiet**2 * dim * blank
    wrong = 2 * dark * quiet**2 * dim * (bessel_i0(2 * overlap) - quiet * dim)
    gain = correct + wrong
    return gain, (e_d * correct + (1 - e_d) * wrong) / gain


def diagonal(mus: Two, etas: Two, dark: float, e_d: float = 0.0) -> tuple[float, float]:
    """(Q_X, E_X): gain and error rate in the basis that bounds the phase errors.

    Weak light of equal intensities errs with 1/4 even when all is perfect.
    """
    first, second = (eta * mu for eta, mu in zip(etas, mus, strict=True))
    overlap = math.sqrt(first * second) / 2
    dim = (1 - dark) * math.exp(-(first + second) / 4)
    both = bessel_i0(2 * overlap)
    gain = 2 * dim**2 * (1 + 2 * dim**2 - 4 * dim * bessel_i0(overlap) + both)
    return gain, E0 - 2 * (E0 - e_d) * dim**2 * (both - 1) / gain


def rate(mus: Two, etas: Two, dark: float, e_d: float = 0.0, f: float = 1.16) -> float:
    """R = mu_a mu_b e^-(mu_a + mu_b) Y11 [1 - h(e11)] - f Q_Z h(E_Z), infinitely many decoys, sifting 1."""
    gain, qber = rectilinear(mus, etas, dark, e_d)
    single = mus[0] * mus[1] * math.exp(-sum(mus)) * double_click_success(*etas, dark)
    error = double_click_error(*etas, dark, 1 - 2 * e_d)
    return single * (1 - binary_entropy(error)) - f * gain * binary_entropy(qber)


def bessel_i0(argument: float) -> float:
    """The modified Bessel function I0(x) = sum of (x/2)^2k / k!^2, to full precision."""
    total, term, k = 1.0, 1.0, 0
    while term > total * 1e-17:
        k += 1
        term *= (argument / 2 / k) ** 2
        total += term
    return total
