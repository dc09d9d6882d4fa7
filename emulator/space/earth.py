"""The Earth under satellites: its shape, its rotation, and where a station on it stands and looks.

Owns the ellipsoid (WGS 84), sidereal time, stations, and the way back from a position to latitude and
longitude. Does not own orbits (orbits.py) nor when two places see each other (contacts.py).

Conventions. Positions are in km, in the frame in which SGP4 states them (true equator, mean equinox of date):
it does not rotate, and the Earth turns in it by Greenwich mean sidereal time (IAU 1982). UT1 is taken for
UTC, which is 0.9 s at the most, and the motion of the poles is left out: 0.4 km at the equator together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .vectors import Vector, dot, minus, norm, turned

EQUATOR_KM = 6378.137
FLATTENING = 1 / 298.257_223_563
_ECCENTRICITY_2 = FLATTENING * (2 - FLATTENING)
#: Of the Earth, in km^3/s^2.
GRAVITY = 398_600.4418
DAY_S = 86_400.0
#: Julian date of 1970-01-01T00:00:00Z, and of J2000.
_JULIAN_1970, _JULIAN_2000 = 2_440_587.5, 2_451_545.0


def julian_days(unix_s: float) -> tuple[float, float]:
    """A moment as a Julian date: whole days (and a half), and the rest of a day."""
    day, rest_s = divmod(unix_s, DAY_S)
    return _JULIAN_1970 + day, rest_s / DAY_S


def centuries(unix_s: float) -> float:
    """Julian centuries since J2000."""
    day, rest = julian_days(unix_s)
    return (day - _JULIAN_2000 + rest) / 36_525


def sidereal_rad(unix_s: float) -> float:
    """Greenwich mean sidereal time (IAU 1982; Vallado, Fundamentals of Astrodynamics, eq. 3-47)."""
    t = centuries(unix_s)
    seconds = (
        67_310.54841 + (876_600 * 3600 + 8_640_184.812866) * t + 0.093104 * t * t - 6.2e-6 * t**3
    )
    return math.radians(seconds % DAY_S / 240)


@dataclass(frozen=True, slots=True)
class Station:
    """A place on the ground: geodetic latitude and longitude, altitude over the ellipsoid."""

    latitude_deg: float
    longitude_deg: float
    altitude_km: float = 0.0

    @property
    def moves(self) -> bool:
        return False

    @property
    def fixed_km(self) -> Vector:
        """Where it is in the frame that rotates with the Earth."""
        latitude, longitude = math.radians(self.latitude_deg), math.radians(self.longitude_deg)
        sine, cosine = math.sin(latitude), math.cos(latitude)
        prime = EQUATOR_KM / math.sqrt(1 - _ECCENTRICITY_2 * sine * sine)
        across = (prime + self.altitude_km) * cosine
        up = (prime * (1 - _ECCENTRICITY_2) + self.altitude_km) * sine
        return across * math.cos(longitude), across * math.sin(longitude), up

    @property
    def zenith(self) -> Vector:
        """The direction up, in the frame that rotates with the Earth."""
        latitude, longitude = math.radians(self.latitude_deg), math.radians(self.longitude_deg)
        cosine = math.cos(latitude)
        return cosine * math.cos(longitude), cosine * math.sin(longitude), math.sin(latitude)

    def position_km(self, unix_s: float) -> Vector:
        """Where it is at a moment."""
        return turned(self.fixed_km, sidereal_rad(unix_s))

    def elevation_deg(self, target_km: Vector, unix_s: float) -> float:
        """At which angle over the horizon it sees a position, without refraction."""
        angle = sidereal_rad(unix_s)
        way = minus(target_km, turned(self.fixed_km, angle))
        sine = dot(way, turned(self.zenith, angle)) / norm(way)
        return math.degrees(math.asin(max(-1.0, min(1.0, sine))))


def ground_point(position_km: Vector, unix_s: float) -> Station:
    """The latitude and longitude over which a position is, and its altitude (Bowring, one step more)."""
    x, y, z = turned(position_km, -sidereal_rad(unix_s))
    across = math.hypot(x, y)
    latitude = math.atan2(z, across * (1 - _ECCENTRICITY_2))
    for _ in range(5):
        sine = math.sin(latitude)
        prime = EQUATOR_KM / math.sqrt(1 - _ECCENTRICITY_2 * sine * sine)
        latitude = math.atan2(z + _ECCENTRICITY_2 * prime * sine, across)
    sine, cosine = math.sin(latitude), math.cos(latitude)
    prime = EQUATOR_KM / math.sqrt(1 - _ECCENTRICITY_2 * sine * sine)
    # the longer of both legs of the triangle: a pole has no across, the equator no up
    up = across / cosine - prime if cosine > 0.1 else z / sine - prime * (1 - _ECCENTRICITY_2)
    return Station(math.degrees(latitude), math.degrees(math.atan2(y, x)), up)
