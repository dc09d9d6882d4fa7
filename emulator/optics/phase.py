"""What a fibre does to optical phase: drift, vibration, temperature.

Owns the visibility that each leaves and the maps that follow. Does not own a sample path of the phase
(environment.py). Phase matters to a qubit whose two components go different ways or at different times:
photon present or absent on a link, arms of an interferometer. Two polarisations share it.

Conventions: a visibility V is the mean of cos(phase), the factor of the coherence; the error rate it
causes is (1 - V)/2, and the map is dephasing by just that probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import closed_forms
from ..errors import InputError
from ..states import noise
from ..states.pauli import Superoperator, frozen
from .dispersion import check_not_negative, check_positive
from .standard_fibre import THERMAL_DELAY_PS_PER_KM_K

LARGEST_AMPLITUDE_RAD = 1000


def error_of_visibility(visibility: float) -> float:
    """Error rate e = (1 - V)/2 of an interferometer. Raises InputError unless -1 <= V <= 1."""
    if not -1 <= visibility <= 1:
        raise InputError(f"visibility is {visibility}, expected a number from -1 to 1")
    return (1 - visibility) / 2


def visibility_map(visibility: float) -> Superoperator:
    """Coherence times V: dephasing with p = (1 - V)/2."""
    return noise.dephasing(error_of_visibility(visibility))


def phase_map(phase_rad: float) -> Superoperator:
    """A phase between the components: |1> -> exp(i phi) |1>, a rotation about Z."""
    cos, sin = math.cos(phase_rad), math.sin(phase_rad)
    matrix = np.diag((1.0, cos, cos, 1.0))
    matrix[2, 1], matrix[1, 2] = sin, -sin
    return frozen(matrix)


@dataclass(frozen=True, slots=True)
class PhaseDrift:
    """A Wiener phase: its variance grows by `rate_rad2_per_s` (D) a second.

    Times are since the phase was last set. Raises InputError for a rate that is negative or not finite.
    """

    rate_rad2_per_s: float

    def __post_init__(self) -> None:
        check_not_negative("phase drift: rate_rad2_per_s", self.rate_rad2_per_s)

    def variance_rad2(self, elapsed_s: float) -> float:
        """Variance of the phase after `elapsed_s`: D t."""
        check_not_negative("elapsed_s", elapsed_s)
        return self.rate_rad2_per_s * elapsed_s

    def visibility(self, elapsed_s: float) -> float:
        """V = exp(-D t/2), the mean cosine of a normal phase."""
        return math.exp(-self.variance_rad2(elapsed_s) / 2)

    def error_rate(self, elapsed_s: float) -> float:
        """Mean error rate (1 - V)/2."""
        return error_of_visibility(self.visibility(elapsed_s))

    def map(self, elapsed_s: float) -> Superoperator:
        """The drift averaged over its paths."""
        return visibility_map(self.visibility(elapsed_s))


@dataclass(frozen=True, slots=True)
class Vibration:
    """A sinusoidal phase: `amplitude_rad` sin(2 pi `frequency_hz` t + a phase of its own).

    Raises InputError for an amplitude outside 0 to 1000 and a frequency that is not positive.
    """

    amplitude_rad: float
    frequency_hz: float

    def __post_init__(self) -> None:
        if not 0 <= self.amplitude_rad <= LARGEST_AMPLITUDE_RAD:
            raise InputError(
                f"vibration: amplitude_rad is {self.amplitude_rad}, expected 0 to "
                f"{LARGEST_AMPLITUDE_RAD}; more leaves no visibility worth a number"
            )
        check_positive("vibration: frequency_hz", self.frequency_hz)

    @property
    def visibility(self) -> float:
        """V = J0(amplitude), averaged over whole periods; negative beyond 2.405 rad."""
        return bessel_j0(self.amplitude_rad)

    def map(self) -> Superoperator:
        """The vibration averaged over whole periods."""
        return visibility_map(self.visibility)


def thermal_phase_rad_per_m_k(
    delay_ps_per_km_k: float = THERMAL_DELAY_PS_PER_KM_K, wavelength_nm: float = 1550.0
) -> float:
    """How the phase of a fibre follows its temperature: omega d tau/dT; 45 to 49 rad/(m K) at 1550 nm.

    The same delay per kelvin stands for group and phase index, which differ by some 1.5 %.
    """
    return 2 * math.pi * closed_forms.LIGHT_KM_PER_S * delay_ps_per_km_k / wavelength_nm / 1000


def bessel_j0(argument: float) -> float:
    """J0(x) = mean of cos(x sin theta) over a turn (Bessel's integral), to 1e-13; takes |x| points.

    The trapezoid rule errs by J_2n(x) first, which is nothing as soon as 2n is well above |x|.
    """
    points = 32 + math.ceil(abs(argument))
    total = math.fsum(math.cos(argument * math.sin(math.pi * k / points)) for k in range(points))
    return total / points
