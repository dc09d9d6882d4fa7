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
