"""The sun, to a hundredth of a degree: whether a station has night, and whether a satellite is lit.

Owns the low-precision formula of the Astronomical Almanac (0.01 degrees between 1950 and 2050) and the
Earth's shadow as a cylinder. Does not own what light or its lack does.
"""

from __future__ import annotations

import math

from .earth import EQUATOR_KM, centuries
from .vectors import Vector, dot, norm

AU_KM = 149_597_870.7


def sun_km(unix_s: float) -> Vector:
    """Where the sun is."""
    days = centuries(unix_s) * 36_525
    mean = math.radians((357.528 + 0.985_600_3 * days) % 360)
    longitude = math.radians(
        (280.460 + 0.985_647_4 * days + 1.915 * math.sin(mean) + 0.020 * math.sin(2 * mean)) % 360
    )
    tilt = math.radians(23.439 - 4e-7 * days)
    distance_km = AU_KM * (1.00014 - 0.01671 * math.cos(mean) - 0.00014 * math.cos(2 * mean))
    return (
        distance_km * math.cos(longitude),
        distance_km * math.cos(tilt) * math.sin(longitude),
        distance_km * math.sin(tilt) * math.sin(longitude),
    )


def in_shadow(position_km: Vector, unix_s: float) -> bool:
    """Whether the Earth stands before the sun, its penumbra left out."""
    sun = sun_km(unix_s)
    towards = dot(position_km, sun) / norm(sun)
    across = math.sqrt(max(0.0, dot(position_km, position_km) - towards**2))
    return towards < 0 and across < EQUATOR_KM
