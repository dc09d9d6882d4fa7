"""Closed forms of key distribution with continuous variables: Gaussian modulation of coherent states.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no draws.
Grosshans, Grangier, PRL 88, 057902 (2002); collective attacks, reverse reconciliation, a detector that an
eavesdropper does not control: Lodewyck et al., PRA 76, 042305 (2007); both quadratures: Fossier et al., J.
Phys. B 42, 114014 (2009).

Conventions: variances in units of shot noise; excess noise is that at the channel's input; rates are bits a
pulse, asymptotic, negative where there is no key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GaussianLink:
    """A link with Gaussian modulation: `modulation` is the variance V_A, `transmittance` the channel's.

    `heterodyne` measures both quadratures of each pulse, without it one is chosen.
    """

    modulation: float
    transmittance: float
    excess_noise: float = 0.0
    detector_efficiency: float = 1.0
    electronic_noise: float = 0.0
    reconciliation: float = 0.95
    heterodyne: bool = False

    def mutual_information(self) -> float:
        """I_AB = log2[(V + chi)/(1 + chi)], half of it with one quadrature; V = V_A + 1."""
        total = self._total_noise()
        both = math.log2((self.modulation + 1 + total) / (1 + total))
        return both if self.heterodyne else both / 2

    def eavesdropper_information(self) -> float:
        """chi_BE, Holevo's bound: entropy of the state before and after the measurement.

        Of each symplectic eigenvalue nu it is G((nu - 1)/2).
        """
        first = _eigenvalues(*self._before())
        second = _eigenvalues(*self._after())
        return math.fsum(map(_g, first)) - math.fsum(map(_g, second))

    def rate(self) -> float:
        """K = beta I_AB - chi_BE."""
        return self.reconciliation * self.mutual_information() - self.eavesdropper_information()

    def _line_noise(self) -> float:
        return 1 / self.transmittance - 1 + self.excess_noise

    def _detector_noise(self) -> float:
        eta, electronic = self.detector_efficiency, self.electronic_noise
        if self.heterodyne:
            return (1 + (1 - eta) + 2 * electronic) / eta
        return (1 - eta + electronic) / eta

    def _total_noise(self) -> float:
        return self._line_noise() + self._detector_noise() / self.transmittance

    def _before(self) -> tuple[float, float]:
        """(A, B): sum and product of the squares of the eigenvalues of both ends' state."""
        v, t, line = self.modulation + 1, self.transmittance, self._line_noise()
        return v**2 * (1 - 2 * t) + 2 * t + (t * (v + line)) ** 2, (t * (v * line + 1)) ** 2

    def _after(self) -> tuple[float, float]:
        """(C, D): those of what is left once the receiver has measured."""
        v, t, line, seen = (
            self.modulation + 1,
            self.transmittance,
            self._line_noise(),
            self._detector_noise(),
        )
        a, b = self._before()
        root, scale = math.sqrt(b), t * (v + self._total_noise())
        bob = t * (v + line)
        if not self.heterodyne:
            return (a * seen + v * root + bob) / scale, root * (v + root * seen) / scale
        third = a * seen**2 + b + 1 + 2 * seen * (v * root + bob) + 2 * t * (v**2 - 1)
        return third / scale**2, ((v + root * seen) / scale) ** 2


def _eigenvalues(total: float, product: float) -> tuple[float, float]:
    """The two eigenvalues whose squares have that sum and that product."""
    root = math.sqrt(max(0.0, total**2 - 4 * product))
    larger = (total + root) / 2
    return math.sqrt(larger), math.sqrt(product / larger)


def _g(eigenvalue: float) -> float:
    """G((nu - 1)/2), the entropy of a thermal state; G(x) = (x+1) log2(x+1) - x log2 x."""
    x = (eigenvalue - 1) / 2
    if x <= 0:
        return 0.0
    return (x + 1) * math.log2(x + 1) - x * math.log2(x)
