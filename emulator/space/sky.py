"""The light of the sky over a station as the sun rises and sets.

Owns its brightness between day and night. Does not own how bright either is (closed_forms/free_space.py) nor
the sun (sun.py).

Theory of operation. Day is while the sun is up, night while it is 18 degrees under the horizon or more (the
end of astronomical twilight); between, the logarithm of the brightness lies on a straight line over the sun's
elevation. The moon is not in it.

Rules. All depends on the time alone. In twilight the brightness is that of the middle of cells of `GRID_NS`.
"""

from __future__ import annotations

import math

from .earth import Station
from .sun import sun_elevation_deg

#: The sun's elevation where the day ends and the night begins.
DAY_DEG, NIGHT_DEG = 0.0, -18.0
GRID_NS = 10 * 10**9
#: The sun climbs no faster: a turn of the Earth in a sidereal day, and a little.
_DEG_PER_S = 360 / 86_164 + 1e-5


class FollowedSky:
    """Photons per second of a sky that follows the sun at `station`. `epoch_s` is when virtual time is 0."""

    def __init__(self, station: Station, epoch_s: float, day_hz: float, night_hz: float) -> None:
        self._station, self._epoch_s = station, epoch_s
        self._day_hz, self._night_hz = day_hz, night_hz

    @property
    def brightest_hz(self) -> float:
        """The day's."""
        return max(self._day_hz, self._night_hz)

    def at(self, t_ns: int) -> tuple[float, int]:
        """Photons per second at a moment, and until when they stay so many."""
        elevation_deg = self._elevation_deg(t_ns)
        beyond_deg = max(elevation_deg - DAY_DEG, NIGHT_DEG - elevation_deg)
        cell = t_ns // GRID_NS
        if beyond_deg > _DEG_PER_S * GRID_NS * 1e-9:  # neither line is reached within this cell
            cells = int(beyond_deg / _DEG_PER_S / (GRID_NS * 1e-9))
            rate_hz = self._day_hz if elevation_deg > DAY_DEG else self._night_hz
            return rate_hz, (cell + cells) * GRID_NS
        middle_deg = self._elevation_deg(cell * GRID_NS + GRID_NS // 2)
        return self._twilight_hz(middle_deg), (cell + 1) * GRID_NS

    def _twilight_hz(self, elevation_deg: float) -> float:
        day = (elevation_deg - NIGHT_DEG) / (DAY_DEG - NIGHT_DEG)
        if not 0 < day < 1:
            return self._day_hz if day > 0 else self._night_hz
        if not self._day_hz or not self._night_hz:
            return self._day_hz * day + self._night_hz * (1 - day)
        return math.exp(math.log(self._day_hz) * day + math.log(self._night_hz) * (1 - day))

    def _elevation_deg(self, t_ns: int) -> float:
        return sun_elevation_deg(self._station, self._epoch_s + t_ns * 1e-9)
