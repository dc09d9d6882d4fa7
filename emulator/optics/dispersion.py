"""When light arrives: chromatic dispersion, polarisation-mode dispersion, and a detector's gate.

Owns the spread of arrival times of one pulse, and what the delay between a fibre's principal states
of polarisation does to a polarisation qubit. Does not own the mean delay (fibre.py).

Conventions: every spread, width and bandwidth is an rms (a standard deviation), never a full width at
half maximum, unless the name says `fwhm`. Independent spreads add in squares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import closed_forms
from ..errors import InputError
from ..states import noise
from ..states.pauli import Superoperator

#: Speed of light in nm/ps, the unit in which wavelengths and pulses meet.
LIGHT_NM_PER_PS = closed_forms.LIGHT_KM_PER_S
#: Full width at half maximum over rms of a Gaussian: 2 sqrt(2 ln 2).
FWHM_PER_RMS = 2 * math.sqrt(2 * math.log(2))
#: How far below its transform limit a stated linewidth may lie before it is refused (rounding).
TOLERANCE = 1e-9


def check_not_negative(name: str, value: float) -> None:
    """Raises InputError unless 0 <= value < infinity."""
    if not 0 <= value < math.inf:
        raise InputError(f"{name} is {value}, expected a finite number from 0")


def check_positive(name: str, value: float) -> None:
    """Raises InputError unless 0 < value < infinity."""
    if not 0 < value < math.inf:
        raise InputError(f"{name} is {value}, expected a finite number above 0")


@dataclass(frozen=True, slots=True)
class Pulse:
    """The light that carries a qubit: a Gaussian pulse of rms `duration_ps` round `wavelength_nm`.

    `linewidth_nm` is the rms width of its spectrum; None: no wider than the duration demands (transform
    limited, sigma_t sigma_omega = 1/2). Raises InputError for values that are not positive, and for a
    linewidth that no pulse as short as that can have.
    """

    wavelength_nm: float = 1550.0
    duration_ps: float = 50.0
    linewidth_nm: float | None = None

    def __post_init__(self) -> None:
        check_positive("pulse: wavelength_nm", self.wavelength_nm)
        check_positive("pulse: duration_ps", self.duration_ps)
        if self.linewidth_nm is None:
            return
        check_positive("pulse: linewidth_nm", self.linewidth_nm)
        if self.linewidth_nm < self._limit_nm() * (1 - TOLERANCE):
            raise InputError(
                f"pulse: linewidth_nm is {self.linewidth_nm}; an rms duration of {self.duration_ps} ps "
                f"at {self.wavelength_nm} nm has a linewidth of at least {self._limit_nm():.6g} nm"
            )

    @property
    def spectral_width_nm(self) -> float:
        """The rms width of the spectrum, stated or transform limited."""
        return self._limit_nm() if self.linewidth_nm is None else self.linewidth_nm

    @property
    def bandwidth_rad_per_ps(self) -> float:
        """The rms width of the spectrum as an angular frequency: 2 pi c dlambda / lambda^2."""
        return 2 * math.pi * LIGHT_NM_PER_PS * self.spectral_width_nm / self.wavelength_nm**2

    def _limit_nm(self) -> float:
        """The rms linewidth of the transform-limited pulse: lambda^2 / (4 pi c sigma_t)."""
        return self.wavelength_nm**2 / (4 * math.pi * LIGHT_NM_PER_PS * self.duration_ps)


# --- chromatic dispersion -------------------------------------------------------------------------


def beta2_ps2_per_km(dispersion_ps_per_nm_km: float, wavelength_nm: float = 1550.0) -> float:
    """Group-velocity dispersion beta2 = -D lambda^2 / (2 pi c); D = 17 at 1550 nm gives -21.7 ps^2/km.

    Agrawal, Fiber-Optic Communication Systems, section 2.3.
    """
    return -dispersion_ps_per_nm_km * wavelength_nm**2 / (2 * math.pi * LIGHT_NM_PER_PS)


def chromatic_spread_ps(
    length_km: float, dispersion_ps_per_nm_km: float, linewidth_nm: float
) -> float:
    """Spread of arrival times |D| L dlambda: as rms (or full width) as the linewidth is."""
    return abs(dispersion_ps_per_nm_km) * length_km * linewidth_nm


def dispersed_duration_ps(duration_ps: float, length_km: float, beta2_ps2_per_km: float) -> float:
    """The rms duration of a transform-limited Gaussian pulse: sqrt(s0^2 + (beta2 L / (2 s0))^2).

    Agrawal, Fiber-Optic Communication Systems, section 2.4, without chirp and third order.
    """
    return math.hypot(duration_ps, beta2_ps2_per_km * length_km / (2 * duration_ps))


# --- polarisation-mode dispersion -----------------------------------------------------------------


def mean_group_delay_ps(length_km: float, pmd_ps_per_sqrt_km: float) -> float:
    """Mean differential group delay <DGD> = D_PMD sqrt(L) (ITU-T G.650.2, strong mode coupling)."""
    return pmd_ps_per_sqrt_km * math.sqrt(length_km)


def rms_group_delay_ps(mean_group_delay_ps: float) -> float:
    """Root mean square of a differential group delay of that mean: sqrt(3 pi / 8) of it.

    With strong mode coupling the DGD is the length of a vector of three normal components of variance
    pi <DGD>^2 / 8, a Maxwell distribution (Foschini, Poole, J. Lightwave Technol. 9, 1439 (1991)).
    """
    return math.sqrt(3 * math.pi / 8) * mean_group_delay_ps


def pmd_coherence(group_delay_ps: float, bandwidth_rad_per_ps: float) -> float:
    """What one DGD leaves of the coherence between the principal states: exp(-(DGD sigma_omega)^2 / 2).

    The two components of a Gaussian pulse arrive DGD apart, and the detector does not ask when.
    `bandwidth_rad_per_ps` is the rms width of the power spectrum as an angular frequency.
    """
    return math.exp(-((group_delay_ps * bandwidth_rad_per_ps) ** 2) / 2)


def mean_pmd_coherence(mean_group_delay_ps: float, bandwidth_rad_per_ps: float) -> float:
    """`pmd_coherence` on average over a Maxwell-distributed DGD: (1 + pi (<DGD> sigma_omega)^2/8)^(-3/2).

    The average of exp(-sigma_omega^2 x^2 / 2) over a normal x of variance v is (1 + v sigma_omega^2)^(-1/2),
    and DGD^2 is the sum of three such x^2 with v = pi <DGD>^2 / 8 (see `rms_group_delay_ps`).
    """
    blur = math.pi / 8 * (mean_group_delay_ps * bandwidth_rad_per_ps) ** 2
    return math.pow(1 + blur, -1.5)


def pmd_map(coherence: float) -> Superoperator:
    """Dephasing between principal states that lie anywhere on the Poincare sphere.

    The Bloch component along them stays, the two across shrink by `coherence`: on average over all
    directions every component shrinks by (1 + 2 c)/3, which is depolarising with p = 2 (1 - c)/3.
    """
    return noise.depolarising(2 * (1 - coherence) / 3)


# --- the gate -------------------------------------------------------------------------------------


def rms_of_fwhm(fwhm: float) -> float:
    """Standard deviation of a Gaussian of that full width at half maximum: J / 2.3548."""
    return fwhm / FWHM_PER_RMS


def combined_spread_ps(*spreads_ps: float) -> float:
    """The rms of a sum of independent spreads: the root of the sum of squares."""
    return math.hypot(*spreads_ps)


def gate_fraction(spread_ps: float, gate_ps: float, offset_ps: float = 0.0) -> float:
    """Fraction of arrivals inside a gate of full width W: erf(W / (2 sqrt2 s)) when it is centred.

    `spread_ps` is the rms s of a Gaussian whose centre lies `offset_ps` from the gate's. Without spread
    everything arrives at the centre, inside or not (at the very edge: half). Raises InputError for a
    negative spread or gate.
    """
    check_not_negative("spread_ps", spread_ps)
    check_not_negative("gate_ps", gate_ps)
    early, late = gate_ps / 2 + offset_ps, gate_ps / 2 - offset_ps
    return (_half_erf(early, spread_ps) + _half_erf(late, spread_ps)) / 2


def overlap_ps(first_ps: float, second_ps: float, jitter_ps: float, period_ps: float) -> float:
    """For how long per period light that comes at any time passes two gates, one after the other.

    Both gates have these full widths, open once a period round the same moment, and are no longer than it;
    `jitter_ps` (rms) comes between them. Without jitter: the narrower one. With it the integral over the
    first gate of the probability to meet the second, or one of its neighbours:
    s [H((V+W)/2s) - H((V-W)/2s) - H((W-V)/2s) + H(-(V+W)/2s)], H(u) = u Phi(u) + phi(u).
    """
    if not jitter_ps:
        return min(first_ps, second_ps)
    reach = math.ceil(8 * jitter_ps / period_ps) + 1
    inside = 0.0
    for slot in range(-reach, reach + 1):
        for start, end, sign in ((-1, 1, 1), (-1, -1, -1), (1, 1, -1), (1, -1, 1)):
            edge_ps = slot * period_ps - start * first_ps / 2 + end * second_ps / 2
            inside += sign * jitter_ps * _ramp(edge_ps / jitter_ps)
    return min(inside, first_ps, second_ps)


def _ramp(u: float) -> float:
    """The integral of the normal distribution function up to u: u Phi(u) + phi(u)."""
    return u * (1 + math.erf(u / math.sqrt(2))) / 2 + math.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)


def _half_erf(distance_ps: float, spread_ps: float) -> float:
    """erf(distance / (sqrt2 s)), with its limit for s = 0."""
    if spread_ps == 0:
        return 0.0 if distance_ps == 0 else math.copysign(1.0, distance_ps)
    return math.erf(distance_ps / (math.sqrt(2) * spread_ps))
