"""Closed forms of a beam in free space: which part of it a telescope catches, and what else comes in.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no
draws. Turbulence is in turbulence.py. Conventions: the divergence of a Gaussian beam is its half angle, out
to 1/e^2 of the intensity on the axis; a full angle or a full width at half maximum must be converted first.
Apertures are diameters. A field of view is a full angle. Pointing errors are standard deviations for each
of two axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..errors import InputError

#: k a b/z of transmitter and receiver: beyond it they are no longer far away, and the integral has no end.
_MOST_TURNS = 100.0
#: h c, in J m.
_PHOTON_J_M = 6.626_070_15e-34 * 299_792_458.0

# --- diffraction ----------------------------------------------------------------------------------


def half_angle_of_full(full_angle: float) -> float:
    """A full angle's half."""
    return full_angle / 2


def half_angle_of_fwhm(full_width: float) -> float:
    """1/e^2 half angle of a Gaussian beam with that full angle at half maximum: w = FWHM/sqrt(2 ln 2)."""
    return full_width / math.sqrt(2 * math.log(2))


def half_angle_of_waist(waist_m: float, wavelength_nm: float) -> float:
    """1/e^2 half angle in microrad of a Gaussian beam that diffraction limits: lambda/(pi w0)."""
    return wavelength_nm * 1e-3 / (math.pi * waist_m)


def beam_radius_m(waist_m: float, wavelength_nm: float, distance_km: float) -> float:
    """1/e^2 radius of a Gaussian beam: w0 sqrt(1 + (z lambda/(pi w0^2))^2)."""
    spread = distance_km * 1e3 * wavelength_nm * 1e-9 / (math.pi * waist_m**2)
    return waist_m * math.hypot(1.0, spread)


def gaussian_capture(half_angle_urad: float, distance_km: float, aperture_m: float) -> float:
    """Part of a Gaussian beam in a telescope of that diameter, far away: 1 - exp(-2 a^2/w^2).

    w = half angle times distance (Siegman, Lasers, chapter 17); a is the radius of the aperture.
    """
    return aperture_capture(half_angle_urad * distance_km * 1e-3, aperture_m)


def aperture_capture(radius_m: float, aperture_m: float, obscuration: float = 0.0) -> float:
    """Part of a Gaussian beam of 1/e^2 radius w in a ring: exp(-2 (o a)^2/w^2) - exp(-2 a^2/w^2).

    a is the radius of the aperture; o the diameter of what stands in its middle, as a part of it.
    """
    exponent = 2 * (aperture_m / 2 / radius_m) ** 2
    return math.expm1(-exponent * obscuration**2) - math.expm1(-exponent)


def flat_top_capture(full_angle_urad: float, distance_km: float, aperture_m: float) -> float:
    """The estimate (D/(full angle times distance))^2 of an evenly lit disc, 1 at most."""
    return min(1.0, (aperture_m / (full_angle_urad * distance_km * 1e-3)) ** 2)


def truncated_capture(
    waist_m: float,
    wavelength_nm: float,
    distance_km: float,
    transmitter_m: float,
    aperture_m: float,
    transmitter_obscuration: float = 0.0,
    obscuration: float = 0.0,
) -> float:
    """Part of a laser's light that passes a transmitter's ring and falls into a receiver's, far away.

    Fraunhofer: U = k/z int exp(-r^2/w0^2) J0(k r rho/z) r dr over the transmitter; its square over the
    receiver, by the light before the transmitter, pi w0^2/2 (Goodman, Fourier Optics, chapter 4). Raises
    InputError where the telescopes are so near that the receiver has more than `_MOST_TURNS` radians of it.
    """
    k_per_z = 2 * math.pi / (wavelength_nm * 1e-9 * distance_km * 1e3)
    outer, inner = transmitter_m / 2, transmitter_m / 2 * transmitter_obscuration
    edge, hole = aperture_m / 2, aperture_m / 2 * obscuration
    turns = k_per_z * outer * edge
    if not turns <= _MOST_TURNS:
        raise InputError(
            f"telescopes of {transmitter_m:g} m and {aperture_m:g} m are not far from each other at "
            f"{distance_km:g} km, for light of {wavelength_nm:g} nm"
        )

    def field(rho: float) -> float:
        def lit(r: float) -> float:
            return math.exp(-((r / waist_m) ** 2)) * _bessel_j0(k_per_z * r * rho) * r

        return k_per_z * _integral(lit, inner, outer, turns)

    caught = _integral(lambda rho: field(rho) ** 2 * 2 * math.pi * rho, hole, edge, 2 * turns)
    return caught / (math.pi * waist_m**2 / 2)


def _bessel_j0(x: float) -> float:
    """J0 by the trapezoid rule on its integral over half a turn, which converges exponentially."""
    points = 16 + int(abs(x))
    return math.fsum(math.cos(x * math.sin(math.pi * i / points)) for i in range(points)) / points


def _integral(
    function: Callable[[float], float], low: float, high: float, turns: float = 0.0
) -> float:
    """Simpson's rule, with more points for what oscillates by so many radians."""
    steps = 2 * (24 + int(4 * turns))
    width = (high - low) / steps
    inner = math.fsum((4 if i % 2 else 2) * function(low + i * width) for i in range(1, steps))
    return (function(low) + inner + function(high)) * width / 3


def loss_db(transmittance: float) -> float:
    """-10 log10(eta); infinite where nothing is transmitted. Raises ValueError below 0."""
    return -10 * math.log10(transmittance) if transmittance else math.inf


# --- pointing -------------------------------------------------------------------------------------


def pointing_transmittance(
    half_angle_urad: float, jitter_urad: float, bias_urad: float = 0.0
) -> float:
    """Mean part left by a pointing that errs: theta^2/s exp(-2 b^2/s), s = theta^2 + 4 sigma^2.

    Far away and for a telescope that is small in the beam: the mean of exp(-2 r^2/theta^2).
    """
    spread = half_angle_urad**2 + 4 * jitter_urad**2
    return half_angle_urad**2 / spread * math.exp(-2 * bias_urad**2 / spread)


def pointing_exponent(half_angle_urad: float, jitter_urad: float) -> float:
    """beta = theta^2/(4 sigma^2): of light left by jitter, P(eta <= x) = x^beta."""
    return half_angle_urad**2 / (4 * jitter_urad**2)


# --- extinction -----------------------------------------------------------------------------------


def relative_airmass(elevation_deg: float) -> float:
    """Air on the way by the zenith's: 1/(sin e + 0.50572 (e + 6.07995)^-1.6364), e in degrees.

    Kasten, Young, Appl. Opt. 28, 4735 (1989); 1/sin e to 0.1 % above 30 degrees.
    """
    bent: float = 0.50572 * (elevation_deg + 6.07995) ** -1.6364
    return 1 / (math.sin(math.radians(elevation_deg)) + bent)


def slant_transmittance(zenith_transmittance: float, elevation_deg: float) -> float:
    """Part that the atmosphere leaves at an elevation: T_z^airmass."""
    return float(zenith_transmittance ** relative_airmass(elevation_deg))


def haze_extinction_per_km(visibility_km: float, wavelength_nm: float) -> float:
    """Beer-Lambert's coefficient near the ground: 3.912/V (lambda/550 nm)^-q, q by visibility.

    Kim, McArthur, Korevaar, Proc. SPIE 4214, 26 (2001): q is 1.6 above 50 km, 1.3 from 6 km, 0.16 V + 0.34
    from 1 km, V - 0.5 from 0.5 km, else 0.
    """
    if visibility_km > 50:
        q = 1.6
    elif visibility_km > 6:
        q = 1.3
    elif visibility_km > 1:
        q = 0.16 * visibility_km + 0.34
    else:
        q = max(0.0, visibility_km - 0.5)
    return float(3.912 / visibility_km * (wavelength_nm / 550) ** -q)


def haze_transmittance(distance_km: float, visibility_km: float, wavelength_nm: float) -> float:
    """Part that so much air near the ground leaves: exp(-sigma L)."""
    return math.exp(-haze_extinction_per_km(visibility_km, wavelength_nm) * distance_km)


# --- background -----------------------------------------------------------------------------------

_ITU_NM = (530.0, 850.0, 965.0, 1060.0, 1500.0)
#: Radiance of the sky at the zenith by day, W/(m^2 sr um), at the wavelengths above.
_ITU_DAY = {
    "bright_sun": (303.4, 122.3, 64.62, 54.45, 13.01),
    "normal_sun": (101.6, 42.58, 25.12, 25.32, 6.00),
    "overcast": (71.75, 30.3, 18.63, 17.99, 4.44),
}
#: By night, at all wavelengths: stated for 1550 nm.
_NIGHT = {"full_moon": 1.5e-3, "night": 1.5e-4, "moonless": 1.5e-5}
SKIES = (*_ITU_DAY, *_NIGHT)


def sky_radiance(sky: str, wavelength_nm: float) -> float:
    """Radiance of a sky: bright_sun, normal_sun, overcast, full_moon, night or moonless.

    By day ITU-R P.1621-2, table 1, on straight lines between its logarithms and its ends' values beyond; by
    night Ntanos et al., Photonics 8, 544 (2021). ITU states (1 to 2)e-6 for the night: sources differ.
    """
    if sky in _NIGHT:
        return _NIGHT[sky]
    if sky not in _ITU_DAY:
        raise ValueError(f"no sky is called {sky!r}: expected one of {', '.join(SKIES)}")
    values = _ITU_DAY[sky]
    at = min(max(wavelength_nm, _ITU_NM[0]), _ITU_NM[-1])
    index = next(i for i in range(len(_ITU_NM) - 1) if at <= _ITU_NM[i + 1])
    low, high = _ITU_NM[index], _ITU_NM[index + 1]
    share = (at - low) / (high - low)
    return float(values[index] ** (1 - share) * values[index + 1] ** share)


def background_rate_hz(
    radiance: float,
    field_of_view_urad: float,
    aperture_m: float,
    filter_width_nm: float,
    wavelength_nm: float,
) -> float:
    """Photons of the sky in a telescope: H Omega A dlambda lambda/(h c), Omega = pi (FOV/2)^2."""
    solid_angle = math.pi * (field_of_view_urad * 1e-6 / 2) ** 2
    area_m2 = math.pi * (aperture_m / 2) ** 2
    power_w = radiance * solid_angle * area_m2 * filter_width_nm * 1e-3
    return power_w * wavelength_nm * 1e-9 / _PHOTON_J_M
