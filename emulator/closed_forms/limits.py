"""Closed forms of what quantum correlations and lossy channels allow: CHSH, thresholds, capacities.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no
draws. Conventions: fidelity is <phi|rho|phi>; rates are bits per use of the channel; the visibility of a
Werner state is V = (4F-1)/3; f of error correction is 1 or more.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import InputError
from .qkd import binary_entropy

# --- Werner pairs ---------------------------------------------------------------------------------


def werner_visibility(fidelity: float) -> float:
    """V = (4F-1)/3 (Werner, PRA 40, 4277 (1989))."""
    return (4 * fidelity - 1) / 3


def werner_chsh(fidelity: float) -> float:
    """S = 2 sqrt2 V at the best settings (Horodecki, Horodecki, Horodecki, PLA 200, 340 (1995))."""
    return 2 * math.sqrt(2) * werner_visibility(fidelity)


def werner_qber(fidelity: float) -> float:
    """Error rate in any one basis at both ends: (1-V)/2 = 2(1-F)/3."""
    return 2 * (1 - fidelity) / 3


def chsh_of_qber(qber: float) -> float:
    """S = 2 sqrt2 (1 - 2Q) of isotropic noise that errs with Q."""
    return 2 * math.sqrt(2) * (1 - 2 * qber)


def fidelity_of_qber(qber: float) -> float:
    """F = 1 - 3Q/2 of isotropic noise that errs with Q."""
    return 1 - 1.5 * qber


# --- key from pairs -------------------------------------------------------------------------------


def pair_rate(gain: float, qber: float, f: float = 1.22, sifting: float = 0.5) -> float:
    """R = q Q [1 - (1+f) h(E)], one-way; negative where there is no key.

    Ma, Fung, Lo, PRA 76, 012307 (2007).
    """
    return sifting * gain * (1 - (1 + f) * binary_entropy(qber))


def bb84_threshold(f: float = 1.0) -> float:
    """QBER at which 1 - (1+f) h(Q) is zero: 11.0 % for f = 1 (Shor, Preskill, PRL 85, 441 (2000))."""
    return _zero(lambda q: 1 - (1 + f) * binary_entropy(q), 0.5)


def six_state_threshold() -> float:
    """QBER at which 1 - H(1 - 3Q/2, Q/2, Q/2, Q/2) is zero: 12.6 % (Lo, QIC 1, 81 (2001))."""

    def left(qber: float) -> float:
        weights = (1 - 1.5 * qber, qber / 2, qber / 2, qber / 2)
        return 1 + math.fsum(weight * math.log2(weight) for weight in weights if weight > 0)

    return _zero(left, 0.25)


def device_independent_threshold() -> float:
    """QBER at which 1 - h(Q) - h((1 + sqrt((S/2)^2 - 1))/2) is zero, S = 2 sqrt2 (1-2Q): 7.1 %.

    Acin, Brunner, Gisin, Massar, Pironio, Scarani, PRL 98, 230501 (2007).
    """

    def left(qber: float) -> float:
        excess = max(0.0, (chsh_of_qber(qber) / 2) ** 2 - 1)
        return 1 - binary_entropy(qber) - binary_entropy((1 + math.sqrt(excess)) / 2)

    return _zero(left, 0.14)


def _zero(falling: Callable[[float], float], high: float) -> float:
    low = 0.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


# --- lossy channels -------------------------------------------------------------------------------


def repeaterless_bound(eta: float) -> float:
    """K <= -log2(1 - eta), some 1.44 eta (Pirandola, Laurenza, Ottaviani, Banchi, Nat. Commun. 8, 15043).

    Raises InputError unless 0 <= eta < 1.
    """
    if not 0 <= eta < 1:
        raise InputError(f"a transmittance of {eta}, expected 0 or more and less than 1")
    return -math.log1p(-eta) / math.log(2)


def takeoka_guha_wilde_bound(eta: float) -> float:
    """K <= log2((1 + eta)/(1 - eta)) (Takeoka, Guha, Wilde, Nat. Commun. 5, 5235 (2014))."""
    return repeaterless_bound(eta) + math.log1p(eta) / math.log(2)


def repeater_bound(eta: float, repeaters: int) -> float:
    """-log2(1 - eta^(1/(N+1))) with N equidistant repeaters (Pirandola, Commun. Phys. 2, 51 (2019))."""
    return repeaterless_bound(eta ** (1 / (repeaters + 1)))
