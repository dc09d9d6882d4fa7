"""Closed forms of satellites: where a circular orbit is seen from the ground, how far, and for how long.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no
draws. Conventions: the Earth is a sphere of `EARTH_RADIUS_KM` that does not rotate, and altitudes are over
it. The emulator's own orbits (emulator/space/) have an ellipsoid that rotates.
"""

from __future__ import annotations

import math

from .basics import LIGHT_KM_PER_S

EARTH_RADIUS_KM = 6371.0
#: Gravity of the Earth, in km^3/s^2.
EARTH_GRAVITY = 398_600.4418


def slant_range_km(altitude_km: float, elevation_deg: float) -> float:
    """Distance to a satellite seen at that elevation: sqrt((R sin e)^2 + 2 R h + h^2) - R sin e."""
    down = EARTH_RADIUS_KM * math.sin(math.radians(elevation_deg))
    return math.sqrt(down**2 + 2 * EARTH_RADIUS_KM * altitude_km + altitude_km**2) - down


def elevation_of_range_deg(altitude_km: float, range_km: float) -> float:
    """Elevation of a satellite at that distance: sin e = (h^2 + 2 R h - d^2)/(2 R d).

    Raises ValueError for a distance at which no such satellite is.
    """
    climb = altitude_km**2 + 2 * EARTH_RADIUS_KM * altitude_km - range_km**2
    return math.degrees(math.asin(climb / (2 * EARTH_RADIUS_KM * range_km)))


def orbital_period_s(altitude_km: float) -> float:
    """Time of one turn: 2 pi sqrt((R + h)^3/mu)."""
    return 2 * math.pi * math.sqrt((EARTH_RADIUS_KM + altitude_km) ** 3 / EARTH_GRAVITY)


def earth_angle_deg(altitude_km: float, elevation_deg: float) -> float:
    """Angle at the Earth's centre between station and satellite: arccos(R cos e/(R + h)) - e."""
    ratio = EARTH_RADIUS_KM / (EARTH_RADIUS_KM + altitude_km)
    elevation = math.radians(elevation_deg)
    return math.degrees(math.acos(ratio * math.cos(elevation)) - elevation)


def pass_duration_s(
    altitude_km: float, elevation_deg: float, highest_elevation_deg: float = 90.0
) -> float:
    """How long a satellite is above an elevation, in a pass that culminates at the highest one.

    2 arccos(cos psi(e)/cos psi(e_max))/omega; 0 for a pass that stays below.
    """
    if highest_elevation_deg <= elevation_deg:
        return 0.0
    edge = math.radians(earth_angle_deg(altitude_km, elevation_deg))
    nearest = math.radians(earth_angle_deg(altitude_km, highest_elevation_deg))
    half_turn = math.acos(min(1.0, math.cos(edge) / math.cos(nearest)))
    return half_turn / math.pi * orbital_period_s(altitude_km)


def elevation_in_pass_deg(altitude_km: float, time_s: float) -> float:
    """Elevation so long from the zenith of an overhead pass: tan e = (cos psi - R/(R + h))/sin psi."""
    psi = 2 * math.pi * abs(time_s) / orbital_period_s(altitude_km)
    ratio = EARTH_RADIUS_KM / (EARTH_RADIUS_KM + altitude_km)
    return math.degrees(math.atan2(math.cos(psi) - ratio, math.sin(psi)))


def doppler_shift_ghz(range_rate_km_per_s: float, wavelength_nm: float) -> float:
    """First order: -v/lambda, positive for a satellite that comes nearer."""
    frequency_ghz = LIGHT_KM_PER_S * 1e3 / wavelength_nm
    return -range_rate_km_per_s / LIGHT_KM_PER_S * frequency_ghz
