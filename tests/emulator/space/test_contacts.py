"""When places see each other: against closed forms, against another library, and causality."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.closed_forms import LIGHT_KM_PER_S, orbits
from qnetem.emulator.space.contacts import DAY_NS, Geometry
from qnetem.emulator.space.earth import (
    EQUATOR_KM,
    Station,
    ground_point,
    sidereal_rad,
)
from qnetem.emulator.space.mean_elements import orbit_of_tle
from qnetem.emulator.space.orbits import KeplerOrbit
from qnetem.emulator.space.sun import AU_KM, in_shadow, sun_km
from qnetem.emulator.space.vectors import minus, norm, turned

from .test_orbits import STATION

TENERIFE = Station(28.3, -16.51, 2.4)
_DAY = datetime(2019, 12, 10, tzinfo=UTC).timestamp()


# --- the Earth and the sun ------------------------------------------------------------------------


def test_sidereal_time_is_that_of_the_textbook() -> None:
    """Vallado, example 3-5: 20 August 1992, 12:14 UT1: 152.578788 degrees."""
    moment = datetime(1992, 8, 20, 12, 14, tzinfo=UTC).timestamp()
    assert math.degrees(sidereal_rad(moment)) % 360 == pytest.approx(152.578788, abs=1e-5)


@given(st.floats(-89.9, 89.9), st.floats(-179, 179), st.floats(-0.4, 2000))
@settings(max_examples=100)
def test_a_position_leads_back_to_its_place(latitude: float, longitude: float, high: float) -> None:
    station = Station(latitude, longitude, high)
    found = ground_point(station.position_km(1e9), 1e9)
    assert found.latitude_deg == pytest.approx(latitude, abs=1e-7)
    assert found.longitude_deg == pytest.approx(longitude, abs=1e-6)
    assert found.altitude_km == pytest.approx(high, abs=1e-5)


def test_what_is_over_a_station_is_at_its_zenith() -> None:
    high = Station(TENERIFE.latitude_deg, TENERIFE.longitude_deg, 500.0)
    assert TENERIFE.elevation_deg(high.position_km(_DAY), _DAY) == pytest.approx(90, abs=1e-3)


def test_the_sun_is_where_the_almanac_has_it() -> None:
    """Equinox of March 2026 at 20 March, 14:46 UTC: right ascension 0, declination 0; 0.996 AU away."""
    x, y, z = sun_km(datetime(2026, 3, 20, 14, 46, tzinfo=UTC).timestamp())
    assert math.degrees(math.atan2(y, x)) == pytest.approx(0, abs=0.012)
    assert math.degrees(math.asin(z / norm((x, y, z)))) == pytest.approx(0, abs=0.006)
    assert norm((x, y, z)) / AU_KM == pytest.approx(0.99605, abs=2e-4)


def test_a_satellite_is_in_shadow_behind_the_earth_and_a_low_one_for_most_of_half_its_turn() -> (
    None
):
    towards = sun_km(_DAY)
    scale = (EQUATOR_KM + 500) / norm(towards)
    before = (towards[0] * scale, towards[1] * scale, towards[2] * scale)
    behind = (-before[0], -before[1], -before[2])
    assert in_shadow(behind, _DAY) and not in_shadow(before, _DAY)
    orbit = KeplerOrbit(
        EQUATOR_KM + 500, epoch_s=_DAY
    )  # over the equator, the sun 23 degrees off it
    looks = [in_shadow(orbit.position_km(_DAY + t), _DAY + t) for t in range(0, 5677, 20)]
    assert sum(looks) / len(looks) == pytest.approx(0.36, abs=0.02)


# --- passes ---------------------------------------------------------------------------------------


def still(latitude_deg: float = 0.0) -> tuple[Station, KeplerOrbit]:
    """A station, and an orbit that is over it at time 0 and goes north."""
    longitude = -math.degrees(sidereal_rad(_DAY))
    return Station(latitude_deg, longitude), KeplerOrbit(
        EQUATOR_KM + 500, inclination_deg=90, node_deg=0, anomaly_deg=latitude_deg, epoch_s=_DAY
    )


def test_an_overhead_pass_lasts_as_long_as_its_closed_form_says() -> None:
    station, orbit = still()
    geometry = Geometry(station, orbit, _DAY - 600, (10.0, 0.0))
    (found,) = geometry.passes(0, 1200 * 10**9)
    # on a sphere of 6371 km, that does not rotate and is not flat
    assert found.duration_s == pytest.approx(orbits.pass_duration_s(500, 10), rel=0.02)
    assert found.highest_deg == pytest.approx(90, abs=0.3)
    assert found.range_km == pytest.approx(500, abs=1)
    assert found.highest_ns / 1e9 == pytest.approx(600, abs=1)
    low, high = found.since_ns, found.until_ns
    for t_ns, is_open in ((low - 1000, False), (low, True), (high - 1000, True), (high, False)):
        contact = geometry.contact_at(t_ns)
        assert contact.open is is_open
        assert contact.since_ns <= t_ns < contact.until_ns


def test_passes_of_a_real_satellite_are_those_of_another_library_to_a_second() -> None:
    """Three days of the space station over Tenerife, with elements of the day before: skyfield."""
    from skyfield.api import EarthSatellite, load, wgs84

    timescale = load.timescale(builtin=True)
    satellite = EarthSatellite(*STATION, "ISS", timescale)
    where = wgs84.latlon(28.3, -16.51, elevation_m=2400)
    begin, end = timescale.utc(2019, 12, 10), timescale.utc(2019, 12, 13)
    times, kinds = satellite.find_events(where, begin, end, altitude_degrees=10.0)
    expected = [
        (time.utc_datetime().timestamp(), int(kind))
        for time, kind in zip(times, kinds, strict=True)
    ]
    geometry = Geometry(TENERIFE, orbit_of_tle(STATION), _DAY, (10.0, 0.0))
    passes = geometry.passes(0, 3 * DAY_NS)
    found = [
        (geometry.unix_s(t_ns), kind)
        for each in passes
        for kind, t_ns in enumerate((each.since_ns, each.highest_ns, each.until_ns))
    ]
    assert [kind for _, kind in found] == [kind for _, kind in expected]
    assert len(passes) >= 9
    worst = max(abs(a - b) for (a, _), (b, _) in zip(found, expected, strict=True))
    assert worst < 1.0
    difference = satellite - where
    for each in passes:
        altitude, _, distance = difference.at(
            timescale.from_datetime(datetime.fromtimestamp(geometry.unix_s(each.highest_ns), UTC))
        ).altaz()
        assert each.highest_deg == pytest.approx(altitude.degrees, abs=0.02)
        assert each.range_km == pytest.approx(distance.km, abs=1)


def test_a_short_pass_between_two_looks_is_found() -> None:
    """The least elevation just under the highest one: a pass of a few seconds."""
    station, orbit = still(20.0)
    moved = Station(station.latitude_deg, station.longitude_deg + 5)
    geometry = Geometry(moved, orbit, _DAY - 600)
    (whole,) = geometry.passes(0, 1200 * 10**9)
    assert whole.highest_deg is not None
    narrow = Geometry(moved, orbit, _DAY - 600, (whole.highest_deg - 0.003, 0.0))
    (short,) = narrow.passes(0, 1200 * 10**9)
    assert 0 < short.duration_s < 6
    assert (
        Geometry(moved, orbit, _DAY - 600, (whole.highest_deg + 0.01, 0.0)).passes(0, 1200 * 10**9)
        == []
    )


def test_what_is_asked_first_changes_nothing() -> None:
    station, orbit = still()
    forwards, backwards = (Geometry(station, orbit, _DAY, (10.0, 0.0)) for _ in range(2))
    times = [t * 977 * 10**9 for t in range(180)]
    assert [forwards.contact_at(t) for t in times] == [
        backwards.contact_at(t) for t in times[::-1]
    ][::-1]


def test_satellites_see_each_other_past_the_air_and_stations_always() -> None:
    first = KeplerOrbit(EQUATOR_KM + 500, epoch_s=_DAY)
    near = KeplerOrbit(EQUATOR_KM + 500, anomaly_deg=20, epoch_s=_DAY)
    far = KeplerOrbit(EQUATOR_KM + 500, anomaly_deg=60, epoch_s=_DAY)
    assert Geometry(first, near, _DAY).passes(0, DAY_NS)[0].duration_s == 86_400
    assert Geometry(first, far, _DAY).passes(0, DAY_NS) == []
    stations = Geometry(TENERIFE, Station(28.76, -17.88, 2.4), _DAY)
    assert not stations.moves and stations.contact_at(5).open
    assert stations.range_km(0) == pytest.approx(143, abs=1.5)


def test_a_station_that_is_too_far_north_never_sees_a_satellite_over_the_equator() -> None:
    low = KeplerOrbit(EQUATOR_KM + 500, epoch_s=_DAY)
    geometry = Geometry(Station(80, 0), low, _DAY)
    assert geometry.passes(0, 2 * DAY_NS) == []
    geostationary = KeplerOrbit(42_164.17, epoch_s=_DAY)
    (always,) = Geometry(
        Station(10, -math.degrees(sidereal_rad(_DAY))), geostationary, _DAY
    ).passes(0, 2 * DAY_NS)
    assert always.duration_s == 2 * 86_400


# --- light ----------------------------------------------------------------------------------------

OVER = Geometry(*still(), _DAY - 400, (5.0, 0.0))


@given(st.integers(0, 800 * 10**9), st.booleans())
@settings(max_examples=150)
def test_light_is_as_late_as_from_where_it_left_to_where_it_comes(t_ns: int, reverse: bool) -> None:
    source, target = OVER.places[::-1] if reverse else OVER.places
    delay_ns = OVER.delay_ns(t_ns, reverse)
    start = source.position_km(OVER.unix_s(t_ns))
    way_km = norm(minus(target.position_km(OVER.unix_s(t_ns + delay_ns)), start))
    late_ns = delay_ns - way_km / LIGHT_KM_PER_S * 1e9
    assert -0.01 < late_ns < 1.01  # and 6 ps of the clock's own rounding


@given(st.integers(0, 800 * 10**9), st.integers(1, 10**9), st.booleans())
@settings(max_examples=150)
def test_light_that_leaves_later_comes_later(t_ns: int, later_ns: int, reverse: bool) -> None:
    first, second = (t + OVER.delay_ns(t, reverse) for t in (t_ns, t_ns + later_ns))
    assert first <= second
    assert abs(second - first - later_ns) <= later_ns * 3e-5 + 1  # continuous


def test_light_that_leaves_in_neighbouring_ns_never_changes_places() -> None:
    comes = [t + OVER.delay_ns(t) for t in range(10**9, 10**9 + 400)]
    assert all(a <= b for a, b in pairwise(comes))


def test_the_longest_way_bounds_every_contact() -> None:
    for geometry in (OVER, Geometry(TENERIFE, orbit_of_tle(STATION), _DAY, (10.0, 0.0))):
        for each in geometry.passes(0, DAY_NS):
            ends = (each.since_ns, each.until_ns)
            longest = max(geometry.range_km(t) for t in ends)
            assert longest <= geometry.longest_km() <= 1.2 * longest


def test_a_turned_vector_keeps_its_length() -> None:
    assert turned((1.0, 0.0, 2.0), math.pi / 2) == pytest.approx((0.0, 1.0, 2.0))
