"""A beam in free space: what a telescope catches, by which angle it is told."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.closed_forms import free_space


def test_a_telescope_as_wide_as_the_beam_catches_most_of_it() -> None:
    """Radius of the aperture = w: 1 - e^-2."""
    assert free_space.gaussian_capture(10, 100, 2.0) == pytest.approx(1 - math.exp(-2))
    assert free_space.gaussian_capture(10, 100, 20.0) == pytest.approx(1.0)


def test_far_away_both_estimates_fall_with_the_square() -> None:
    for capture in (free_space.gaussian_capture, free_space.flat_top_capture):
        assert capture(10, 20_000, 1) / capture(10, 40_000, 1) == pytest.approx(4, rel=1e-3)
    gaussian = free_space.gaussian_capture(free_space.half_angle_of_full(10), 40_000, 1)
    assert gaussian / free_space.flat_top_capture(10, 40_000, 1) == pytest.approx(2, rel=1e-3)


def test_an_evenly_lit_disc_is_caught_whole_at_most() -> None:
    assert free_space.flat_top_capture(10, 1, 1) == 1.0


def test_angles_and_decibels() -> None:
    assert free_space.half_angle_of_full(10) == 5
    width = free_space.half_angle_of_fwhm(2.0)
    assert math.exp(-2 / width**2) == pytest.approx(0.5)
    assert free_space.loss_db(0.01) == pytest.approx(20)


# --- truncation, pointing, air, background --------------------------------------------------------


def test_an_evenly_lit_transmitter_gives_airys_rings() -> None:
    """Encircled energy 1 - J0^2 - J1^2; the first dark ring lies at 3.8317."""
    transmitter, distance_km, wavelength_nm = 0.3, 100.0, 810.0
    first_dark_m = 3.8317 / math.pi * wavelength_nm * 1e-9 * distance_km * 1e3 / transmitter
    caught = free_space.truncated_capture(
        1e3, wavelength_nm, distance_km, transmitter, 2 * first_dark_m
    )
    lit = 1e6 / 2 / (transmitter / 2) ** 2  # the laser's light by what passes the transmitter
    assert caught * lit == pytest.approx(0.8378, abs=1e-3)


def test_truncation_and_obscurations_only_lose_light() -> None:
    whole = free_space.truncated_capture(0.05, 850, 100, 0.3, 0.5)
    cut = free_space.truncated_capture(0.05, 850, 100, 0.1, 0.5)
    obscured = free_space.truncated_capture(0.05, 850, 100, 0.3, 0.5, 0.2)
    hole = free_space.truncated_capture(0.05, 850, 100, 0.3, 0.5, 0.0, 0.3)
    assert max(cut, obscured, hole) < whole
    assert whole - hole == pytest.approx(
        free_space.truncated_capture(0.05, 850, 100, 0.3, 0.15), rel=1e-3
    )
    ring = free_space.aperture_capture(1.0, 0.5) - free_space.aperture_capture(1.0, 0.15)
    assert free_space.aperture_capture(1.0, 0.5, 0.3) == pytest.approx(ring)


def test_a_beam_is_its_waist_at_its_start_and_its_divergence_far_away() -> None:
    assert free_space.beam_radius_m(0.1, 850, 0) == 0.1
    far = free_space.beam_radius_m(0.01, 850, 1000)
    assert far == pytest.approx(free_space.half_angle_of_waist(0.01, 850), rel=1e-3)


def test_pointing_without_errors_loses_nothing_and_a_bias_alone_is_the_beams_profile() -> None:
    assert free_space.pointing_transmittance(5, 0) == 1
    assert free_space.pointing_transmittance(5, 0, 5) == pytest.approx(math.exp(-2))
    # the mean of x^beta's density is beta/(beta + 1)
    beta = free_space.pointing_exponent(5, 1.2)
    assert free_space.pointing_transmittance(5, 1.2) == pytest.approx(beta / (beta + 1))


def test_air_grows_towards_the_horizon_and_has_an_end_there() -> None:
    assert free_space.relative_airmass(90) == pytest.approx(1, abs=1e-3)
    assert free_space.relative_airmass(30) == pytest.approx(2, rel=3e-3)
    assert free_space.relative_airmass(0) == pytest.approx(38, rel=0.02)


def test_haze_is_3_912_over_the_visibility_at_550_nm_and_steps_nowhere_but_where_kim_does() -> None:
    for visibility in (0.2, 0.8, 3.0, 23.0, 100.0):
        at_550 = free_space.haze_extinction_per_km(visibility, 550)
        assert at_550 == pytest.approx(3.912 / visibility)
        assert free_space.haze_transmittance(visibility, visibility, 550) == pytest.approx(
            0.02, rel=1e-3
        )
    assert free_space.haze_extinction_per_km(0.3, 1550) == free_space.haze_extinction_per_km(
        0.3, 550
    )


def test_skies_by_name() -> None:
    assert free_space.sky_radiance("normal_sun", 850) == pytest.approx(42.58)
    between = free_space.sky_radiance("normal_sun", 900)
    assert 25.12 < between < 42.58
    assert free_space.sky_radiance("bright_sun", 400) == free_space.sky_radiance("bright_sun", 530)
    assert free_space.sky_radiance("moonless", 850) == 1.5e-5
    with pytest.raises(ValueError, match="no sky is called 'dusk': expected one of bright_sun"):
        free_space.sky_radiance("dusk", 850)
