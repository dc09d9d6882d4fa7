"""Closed forms of satellites: limits, and each against an independent way to the same number.

The published vectors are in the reference report, section 7.
"""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.closed_forms import orbits


def test_a_satellite_at_the_zenith_is_its_altitude_away() -> None:
    assert orbits.slant_range_km(500, 90) == pytest.approx(500)
    assert orbits.earth_angle_deg(500, 90) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("elevation", [1.0, 20.0, 75.0])
def test_range_elevation_and_angle_at_the_centre_are_of_one_triangle(elevation: float) -> None:
    radius, high = orbits.EARTH_RADIUS_KM, orbits.EARTH_RADIUS_KM + 500
    angle = math.radians(orbits.earth_angle_deg(500, elevation))
    by_cosine = math.sqrt(radius**2 + high**2 - 2 * radius * high * math.cos(angle))
    assert orbits.slant_range_km(500, elevation) == pytest.approx(by_cosine)
    assert orbits.elevation_of_range_deg(500, by_cosine) == pytest.approx(elevation)


def test_a_distance_at_which_no_satellite_is_has_no_elevation() -> None:
    with pytest.raises(ValueError, match=r"math domain error|expected a number in range"):
        orbits.elevation_of_range_deg(500, 300)


def test_the_elevation_falls_to_the_edge_of_the_pass_when_half_of_it_is_over() -> None:
    half = orbits.pass_duration_s(500, 10) / 2
    assert orbits.elevation_in_pass_deg(500, half) == pytest.approx(10)
    assert orbits.elevation_in_pass_deg(500, 0) == pytest.approx(90)


def test_a_pass_that_stays_below_lasts_no_time() -> None:
    assert orbits.pass_duration_s(500, 30, 20) == 0
    low, high = orbits.pass_duration_s(500, 10, 20), orbits.pass_duration_s(500, 10, 80)
    assert 0 < low < high < orbits.pass_duration_s(500, 10)


def test_what_comes_nearer_is_bluer() -> None:
    assert orbits.doppler_shift_ghz(-7.0, 850) == pytest.approx(7e3 / 850e-9 * 1e-9)
