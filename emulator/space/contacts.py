"""When two places see each other, how far they are apart, and how long light takes between them.

Owns the geometry of a link between two places, stations or satellites, and its contacts: computed once, a day
at a time, and kept. Does not own where places are (earth.py, orbits.py) nor what light suffers
(optics/free_space.py).

Theory of operation. A station sees a satellite from its least elevation on; two satellites see each other
past the Earth and its air; two stations always do, as far as the topology says. The margin of that is looked
at every `step` of a fraction of an orbit, and where it changes its sign or comes near to it the moment is
searched.

Rules. All depends on the places and the epoch alone. Light's time is that from where one end is when it
leaves to where the other one is when it comes, rounded up to a ns: it is a continuous function of time, light
that leaves later comes later, and nothing comes before it could.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from ..closed_forms import LIGHT_KM_PER_S
from .earth import EQUATOR_KM, Station
from .orbits import Orbit
from .vectors import dot, minus, norm

Place = Station | Orbit
#: Air below that height hides a satellite from another.
AIR_KM = 100.0
DAY_NS = 86_400 * 10**9
#: Looks a turn of the faster satellite: a pass of a quarter of a minute is found in a low orbit.
_LOOKS = 240
#: Contacts begin and end at whole us.
_STEP_NS = 1000


@dataclass(frozen=True, slots=True)
class Contact:
    """A stretch of time in which two places see each other (`open`), or do not.

    It may last beyond `until_ns`: a day's end ends it too.
    """

    open: bool
    since_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Pass:
    """One contact as a whole: its times, and where the satellite stands highest, or both are nearest."""

    since_ns: int
    until_ns: int
    highest_ns: int
    #: None between satellites.
    highest_deg: float | None
    range_km: float

    @property
    def duration_s(self) -> float:
        return (self.until_ns - self.since_ns) * 1e-9


class Geometry:
    """Two places. `epoch_s` is when virtual time is 0; elevations in degrees are each end's least."""

    def __init__(
        self,
        first: Place,
        second: Place,
        epoch_s: float = 0.0,
        least_elevations_deg: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.places = (first, second)
        self._epoch_s, self._least_deg = epoch_s, least_elevations_deg
        self.moves = first.moves or second.moves
        periods = [each.period_s for each in self.places if not isinstance(each, Station)]
        self._look_ns = round(min(periods, default=86_400.0) / _LOOKS * 1e9)
        self._days: dict[int, list[Contact]] = {}
        self._delays: dict[bool, tuple[int, int]] = {}

    def unix_s(self, t_ns: int) -> float:
        """A moment of virtual time, since 1970."""
        return self._epoch_s + t_ns * 1e-9

    def range_km(self, t_ns: int) -> float:
        """How far apart they are at one moment."""
        first, second = (place.position_km(self.unix_s(t_ns)) for place in self.places)
        return norm(minus(first, second))

    def range_rate_km_per_s(self, t_ns: int) -> float:
        """How fast they part."""
        return (self.range_km(t_ns + 50_000_000) - self.range_km(t_ns - 50_000_000)) * 10

    def elevation_deg(self, t_ns: int) -> float | None:
        """At which the station sees the satellite, the lower one of two; None between two satellites."""
        unix_s, found = self.unix_s(t_ns), []
        for place, other in (self.places, self.places[::-1]):
            if isinstance(place, Station):
                found.append(place.elevation_deg(other.position_km(unix_s), unix_s))
        return min(found) if found else None

    def delay_ns(self, t_ns: int, reverse: bool = False) -> int:
        """Light's time for what leaves the first place (`reverse`: the second one) at `t_ns`."""
        latest = self._delays.get(reverse)
        if latest is None or latest[0] != t_ns:
            latest = self._delays[reverse] = (t_ns, self._delay_ns(t_ns, reverse))
        return latest[1]

    def _delay_ns(self, t_ns: int, reverse: bool) -> int:
        source, target = self.places[::-1] if reverse else self.places
        unix_s = self.unix_s(t_ns)
        start = source.position_km(unix_s)
        delay_s = 0.0
        for _ in range(4):  # each step is better by v/c, 3e-5
            delay_s = norm(minus(target.position_km(unix_s + delay_s), start)) / LIGHT_KM_PER_S
        return math.ceil(delay_s * 1e9)

    def longest_km(self) -> float:
        """No contact is longer: at the least elevation and the highest point, or past the Earth's air."""
        if not self.moves:
            return self.range_km(0)
        stations = [
            (place, least)
            for place, least in zip(self.places, self._least_deg, strict=True)
            if isinstance(place, Station)
        ]
        orbits = [place for place in self.places if not isinstance(place, Station)]
        if stations:
            station, least_deg = stations[0]
            ground, high = norm(station.fixed_km), orbits[0].highest_km
            # the ellipsoid's zenith is off the centre's by 0.2 degrees at the most
            down = ground * math.sin(math.radians(least_deg - 0.2))
            return math.sqrt(max(0.0, down**2 + high**2 - ground**2)) - down
        grazing = EQUATOR_KM + AIR_KM
        return math.fsum(math.sqrt(max(0.0, o.highest_km**2 - grazing**2)) for o in orbits)

    # --- contacts ---

    def margin(self, t_ns: int) -> float:
        """Above 0 if they see each other: degrees over the least elevation, or km over the air."""
        if not self.moves:
            return 1.0
        unix_s = self.unix_s(t_ns)
        positions = [place.position_km(unix_s) for place in self.places]
        margins = [
            place.elevation_deg(positions[1 - index], unix_s) - self._least_deg[index]
            for index, place in enumerate(self.places)
            if isinstance(place, Station)
        ]
        if margins:
            return min(margins)
        first, second = positions
        way = minus(second, first)
        share = min(1.0, max(0.0, -dot(first, way) / dot(way, way)))
        nearest = (
            first[0] + share * way[0],
            first[1] + share * way[1],
            first[2] + share * way[2],
        )
        return norm(nearest) - EQUATOR_KM - AIR_KM

    def contact_at(self, t_ns: int) -> Contact:
        """The stretch that a moment lies in."""
        day = t_ns // DAY_NS
        stretches = self._stretches(day)
        return stretches[bisect_right(stretches, t_ns, key=lambda each: each.since_ns) - 1]

    def passes(self, from_ns: int, until_ns: int) -> list[Pass]:
        """The contacts that overlap a stretch of time, cut to it, in order."""
        found: list[tuple[int, int]] = []
        for day in range(from_ns // DAY_NS, -(-until_ns // DAY_NS)):
            for each in self._stretches(day):
                since, until = max(each.since_ns, from_ns), min(each.until_ns, until_ns)
                if not each.open or since >= until:
                    continue
                if found and found[-1][1] == since:
                    since = found.pop()[0]
                found.append((since, until))
        return [self._pass(since, until) for since, until in found]

    def _pass(self, since_ns: int, until_ns: int) -> Pass:
        highest_ns = self._highest(self.margin if self.moves else lambda _: 0.0, since_ns, until_ns)
        if self.elevation_deg(highest_ns) is None:
            highest_ns = self._highest(lambda t: -self.range_km(t), since_ns, until_ns)
        return Pass(
            since_ns,
            until_ns,
            highest_ns,
            self.elevation_deg(highest_ns),
            self.range_km(highest_ns),
        )

    def _stretches(self, day: int) -> list[Contact]:
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = self._search(day * DAY_NS, (day + 1) * DAY_NS)
        return found

    def _search(self, begin_ns: int, end_ns: int) -> list[Contact]:
        if not self.moves:
            return [Contact(True, begin_ns, end_ns)]
        times = [*range(begin_ns, end_ns, self._look_ns), end_ns]
        margins = [self.margin(t) for t in times]
        changes = []
        for index in range(1, len(times)):
            before, here = margins[index - 1] > 0, margins[index] > 0
            if before != here:
                changes.append(self._change(times[index - 1], times[index], before))
            elif index + 1 < len(times) and before == (margins[index + 1] > 0):
                changes += self._between_looks(times, margins, index)
        return _stretches_of(begin_ns, end_ns, margins[0] > 0, sorted(changes))

    def _between_looks(self, times: list[int], margins: list[float], index: int) -> list[int]:
        """A pass between looks, or a gap in one: where the margin turns without having changed its sign."""
        sign = -1.0 if margins[index] > 0 else 1.0
        left, here, right = (sign * margin for margin in margins[index - 1 : index + 2])
        bend = 2 * here - left - right
        if here < left or here < right or bend <= 0:
            return []
        # a parabola through the looks rises (right - left)^2/(8 bend) over the middle one; with room to spare
        if here + 4 * (right - left) ** 2 / (8 * bend) + bend < 0:
            return []
        low_ns, high_ns = times[index - 1], times[index + 1]
        turn_ns = self._highest(lambda t: sign * self.margin(t), low_ns, high_ns)
        was = sign < 0
        if (self.margin(turn_ns) > 0) == was:
            return []
        return [self._change(low_ns, turn_ns, was), self._change(turn_ns, high_ns, not was)]

    def _change(self, low_ns: int, high_ns: int, was_open: bool) -> int:
        """When it changes from `was_open`: the first whole step at which it has."""
        while high_ns - low_ns > _STEP_NS:
            middle = (low_ns + high_ns) // 2
            if (self.margin(middle) > 0) == was_open:
                low_ns = middle
            else:
                high_ns = middle
        return -(-high_ns // _STEP_NS) * _STEP_NS

    def _highest(self, value: Callable[[int], float], low_ns: int, high_ns: int) -> int:
        """Where a function is highest: of looks first, then by golden section round the best one."""
        looks = max(2, min(200, -(-(high_ns - low_ns) // self._look_ns)))
        times = [low_ns + (high_ns - low_ns) * i // looks for i in range(looks + 1)]
        best = max(range(len(times)), key=lambda i: value(times[i]))
        low, high = times[max(0, best - 1)], times[min(looks, best + 1)]
        golden = (math.sqrt(5) - 1) / 2
        while high - low > 1_000_000:
            left, right = high - round(golden * (high - low)), low + round(golden * (high - low))
            if value(left) < value(right):
                low = left
            else:
                high = right
        return (low + high) // 2

    def __repr__(self) -> str:
        return f"<Geometry of {self.places}>"


def _stretches_of(begin_ns: int, end_ns: int, is_open: bool, changes: list[int]) -> list[Contact]:
    found, since = [], begin_ns
    for change in changes:
        if since < change < end_ns:
            found.append(Contact(is_open, since, change))
            since = change
        is_open = not is_open
    found.append(Contact(is_open, since, end_ns))
    return found
