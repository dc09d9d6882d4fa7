"""Satellites: where one is at a moment.

Owns orbits by their elements, after Kepler, and by SGP4 from mean elements (mean_elements.py reads them).
Does not own the Earth (earth.py). Raises InputError for elements that are no orbit, or one through the
ground.

Conventions: angles in the frame of earth.py; elements by numbers are those at the orbit's epoch. Kepler's
orbits feel a round Earth alone: nodes do not turn. What needs that is given as mean elements.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import InputError
from .earth import EQUATOR_KM, GRAVITY, julian_days
from .vectors import Vector

#: Below that height there is too much air for an orbit.
LOWEST_KM = 80.0


class Orbit(Protocol):
    """Where a satellite is, at moments counted since 1970 in UTC."""

    @property
    def moves(self) -> bool:
        """It does."""

    @property
    def highest_km(self) -> float:
        """The greatest distance from the Earth's centre."""

    @property
    def period_s(self) -> float:
        """Of one turn."""

    def position_km(self, unix_s: float) -> Vector:
        """Where it is."""

    def __hash__(self) -> int:
        """Orbits are told apart, for what is kept of them."""


@dataclass(frozen=True, slots=True)
class KeplerOrbit:
    """An ellipse. The node is the ascending one's right ascension, the perigee its argument.

    `anomaly_deg` is the mean anomaly at `epoch_s`.
    """

    semi_major_axis_km: float
    eccentricity: float = 0.0
    inclination_deg: float = 0.0
    node_deg: float = 0.0
    perigee_deg: float = 0.0
    anomaly_deg: float = 0.0
    epoch_s: float = 0.0
    _axes: tuple[Vector, Vector] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.eccentricity < 1:
            raise InputError(f"an eccentricity of {self.eccentricity:g}, expected 0 to less than 1")
        lowest_km = self.semi_major_axis_km * (1 - self.eccentricity) - EQUATOR_KM
        if lowest_km < LOWEST_KM:
            raise InputError(
                f"the orbit comes down to {lowest_km:.6g} km over the equator's radius, expected at least "
                f"{LOWEST_KM:g} km"
            )
        node, tilt, perigee = map(
            math.radians, (self.node_deg, self.inclination_deg, self.perigee_deg)
        )
        object.__setattr__(self, "_axes", _axes(node, tilt, perigee))

    @property
    def moves(self) -> bool:
        return True

    @property
    def highest_km(self) -> float:
        return self.semi_major_axis_km * (1 + self.eccentricity)

    @property
    def period_s(self) -> float:
        return 2 * math.pi * math.sqrt(self.semi_major_axis_km**3 / GRAVITY)

    def position_km(self, unix_s: float) -> Vector:
        turns = (unix_s - self.epoch_s) / self.period_s
        mean = math.radians(self.anomaly_deg) + 2 * math.pi * (turns - math.floor(turns))
        anomaly = eccentric_anomaly(mean, self.eccentricity)
        along = self.semi_major_axis_km * (math.cos(anomaly) - self.eccentricity)
        beside = self.semi_major_axis_km * math.sqrt(1 - self.eccentricity**2) * math.sin(anomaly)
        p, q = self._axes
        return (
            along * p[0] + beside * q[0],
            along * p[1] + beside * q[1],
            along * p[2] + beside * q[2],
        )


def _axes(node: float, tilt: float, perigee: float) -> tuple[Vector, Vector]:
    """Towards the perigee, and where the satellite goes from there."""
    cn, sn, ct, st = math.cos(node), math.sin(node), math.cos(tilt), math.sin(tilt)
    cp, sp = math.cos(perigee), math.sin(perigee)
    return (
        (cn * cp - sn * sp * ct, sn * cp + cn * sp * ct, sp * st),
        (-cn * sp - sn * cp * ct, -sn * sp + cn * cp * ct, cp * st),
    )


def eccentric_anomaly(mean_rad: float, eccentricity: float) -> float:
    """E of E - e sin E = M: Newton's steps inside a bracket, which cannot fail to converge."""
    mean = math.remainder(mean_rad, 2 * math.pi)
    low, high = mean - eccentricity, mean + eccentricity
    guess = mean + eccentricity * math.sin(mean)
    for _ in range(60):
        wrong = guess - eccentricity * math.sin(guess) - mean
        if wrong > 0:
            high = guess
        else:
            low = guess
        step = guess - wrong / (1 - eccentricity * math.cos(guess))
        following = step if low <= step <= high else (low + high) / 2
        if abs(following - guess) < 1e-15:
            break
        guess = following
    return guess


class MeanElementsOrbit:
    """An orbit by SGP4 from mean elements. `satellite`: the library's record, checked by mean_elements.py."""

    moves = True

    def __init__(self, satellite: Any, name: str) -> None:
        self._satellite, self.name = satellite, name
        self.period_s = 2 * math.pi / (satellite.no_kozai / 60)
        #: Mean elements wander by some km about the ellipse.
        self.highest_km = satellite.a * EQUATOR_KM * (1 + satellite.ecco) + 50

    def position_km(self, unix_s: float) -> Vector:
        """Raises InputError where the elements lead nowhere: decayed, or too far from their epoch."""
        day, rest = julian_days(unix_s)
        code, position, _ = self._satellite.sgp4(day, rest)
        x, y, z = position
        if code or not math.isfinite(x + y + z):
            raise InputError(f"{self.name}: SGP4 has no position: {_ERRORS.get(code, 'no number')}")
        return x, y, z


_ERRORS = {
    1: "the mean eccentricity left 0 to 1",
    2: "the mean motion is below 0",
    3: "the perturbed eccentricity left 0 to 1",
    4: "the semilatus rectum is below 0",
    6: "the satellite has decayed",
}
