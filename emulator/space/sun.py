"""The sun, to a hundredth of a degree: whether a station has night, and whether a satellite is lit.

Owns the low-precision formula of the Astronomical Almanac (0.01 degrees between 1950 and 2050) and the
Earth's shadow as a cylinder. Does not own what light or its lack does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .earth import EQUATOR_KM, Station, centuries
from .orbits import Orbit
from .vectors import Vector, dot, norm

AU_KM = 149_597_870.7
#: Below that height of the sun over a station it is night there.
NIGHT_DEG = -6.0
#: How far ahead a change of the light is looked for, and in which steps.
_AHEAD_NS, _STEP_NS = 3600 * 10**9, 60 * 10**9


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


def sun_elevation_deg(station: Station, unix_s: float) -> float:
    """How high the sun stands over a station, without refraction."""
    return station.elevation_deg(sun_km(unix_s), unix_s)


def in_shadow(position_km: Vector, unix_s: float) -> bool:
    """Whether the Earth stands before the sun, its penumbra left out."""
    sun = sun_km(unix_s)
    towards = dot(position_km, sun) / norm(sun)
    across = math.sqrt(max(0.0, dot(position_km, position_km) - towards**2))
    return towards < 0 and across < EQUATOR_KM


def is_night(station: Station, unix_s: float) -> bool:
    """Whether the sun is `NIGHT_DEG` below the horizon of a station, or deeper."""
    return station.elevation_deg(sun_km(unix_s), unix_s) < NIGHT_DEG


class Daylight:
    """Whether it is dark at two places. `light`: "night" of their stations, or "eclipse" of their orbits.

    `unix_s`: a moment of virtual time, since 1970.
    """

    def __init__(
        self, light: str, places: Sequence[Station | Orbit], unix_s: Callable[[int], float]
    ) -> None:
        self._stations = [each for each in places if isinstance(each, Station)]
        self._orbits = [each for each in places if not isinstance(each, Station)]
        self._is_dark = {"night": self._is_night, "eclipse": self._is_eclipsed}[light]
        self._unix_s = unix_s

    def at(self, t_ns: int) -> tuple[bool, int]:
        """Whether it is dark at a moment, and until when that stays: to a ms, an hour at most."""
        dark, low_ns = self._at(t_ns), t_ns
        for high_ns in range(t_ns + _STEP_NS, t_ns + _AHEAD_NS + 1, _STEP_NS):
            if self._at(high_ns) != dark:
                return dark, self._change(low_ns, high_ns, dark)
            low_ns = high_ns
        return dark, low_ns

    def _change(self, low_ns: int, high_ns: int, was: bool) -> int:
        while high_ns - low_ns > 10**6:
            middle_ns = (low_ns + high_ns) // 2
            if self._at(middle_ns) == was:
                low_ns = middle_ns
            else:
                high_ns = middle_ns
        return high_ns

    def _at(self, t_ns: int) -> bool:
        return self._is_dark(self._unix_s(t_ns))

    def _is_night(self, unix_s: float) -> bool:
        return all(is_night(each, unix_s) for each in self._stations)

    def _is_eclipsed(self, unix_s: float) -> bool:
        return all(in_shadow(each.position_km(unix_s), unix_s) for each in self._orbits)
