"""Closed forms of a beam in free space: which part of it a telescope catches.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no
draws. Conventions: the divergence of a Gaussian beam is its half angle, out to 1/e^2 of the intensity on
the axis; a full angle or a full width at half maximum must be converted first.
"""

from __future__ import annotations

import math


def half_angle_of_full(full_angle: float) -> float:
    """A full angle's half."""
    return full_angle / 2


def half_angle_of_fwhm(full_width: float) -> float:
    """1/e^2 half angle of a Gaussian beam with that full angle at half maximum: w = FWHM/sqrt(2 ln 2)."""
    return full_width / math.sqrt(2 * math.log(2))


def gaussian_capture(half_angle_urad: float, distance_km: float, aperture_m: float) -> float:
    """Part of a Gaussian beam in a telescope of that diameter, far away: 1 - exp(-2 a^2/w^2).

    w = half angle times distance (Siegman, Lasers, chapter 17); a is the radius of the aperture.
    """
    width_m = half_angle_urad * distance_km * 1e-3
    return -math.expm1(-2 * (aperture_m / 2 / width_m) ** 2)


def flat_top_capture(full_angle_urad: float, distance_km: float, aperture_m: float) -> float:
    """The estimate (D/(full angle times distance))^2 of an evenly lit disc, 1 at most."""
    return min(1.0, (aperture_m / (full_angle_urad * distance_km * 1e-3)) ** 2)


def loss_db(transmittance: float) -> float:
    """-10 log10(eta)."""
    return -10 * math.log10(transmittance)
