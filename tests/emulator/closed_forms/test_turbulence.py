"""Closed forms of turbulent air: integrals by another way, limits, and a drawn beam that wanders.

The published vectors are in the reference report, section 7.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special

from qnetem.emulator.closed_forms import free_space, turbulence


@pytest.mark.parametrize("power", [0.0, 5 / 6, 5 / 3, 2.0])
def test_moments_are_the_integrals_of_the_profile(power: float) -> None:
    heights = np.linspace(0, 60_000, 240_001)
    values = [turbulence.structure_constant(h) * h**power for h in heights.tolist()]
    summed = float(np.sum((np.array(values)[1:] + np.array(values)[:-1]) / 2) * 0.25)
    assert turbulence.turbulence_moment(power) == pytest.approx(summed, rel=2e-3)


def test_turbulence_grows_towards_the_horizon_and_with_shorter_light() -> None:
    assert turbulence.fried_parameter_m(850, 30) < turbulence.fried_parameter_m(850)
    assert turbulence.fried_parameter_m(850) < turbulence.fried_parameter_m(1550)
    ratio = turbulence.rytov_variance(850, 30) / turbulence.rytov_variance(850)
    assert ratio == pytest.approx(2 ** (11 / 6))


def test_weak_scintillation_is_the_rytov_variance_and_strong_scintillation_saturates() -> None:
    assert turbulence.scintillation_index(1e-4) == pytest.approx(1e-4, rel=1e-2)
    assert 0.9 < turbulence.scintillation_index(1e4) < 2
    assert turbulence.scintillation_variance(math.e - 1) == pytest.approx(1)


def test_a_telescope_averages_scintillation() -> None:
    small, large = (turbulence.aperture_averaging(d, 850, 30) for d in (1e-4, 1.0))
    assert small == pytest.approx(1, abs=1e-3)
    assert large < 0.02


def test_an_uplink_spreads_and_wanders_with_the_transmitter_over_r0() -> None:
    assert turbulence.uplink_spread(0.0, 0.1) == 1
    assert turbulence.uplink_spread(0.1, 0.1) == pytest.approx(math.sqrt(2))
    wander = turbulence.uplink_wander_urad(0.1, 0.1, 850)
    assert wander == pytest.approx(8.5 * math.sqrt(0.54))


@pytest.mark.parametrize(("radius", "aperture"), [(0.1115, 0.4), (1.0, 0.1), (0.3, 0.6)])
def test_a_beam_off_the_centre_is_caught_as_the_integral_over_the_aperture_says(
    radius: float, aperture: float
) -> None:
    """Vasylyev's form is exact on the axis and within a few per cent of the integral beside it."""
    most, shape, scale = turbulence.wandering_beam(radius, aperture)
    side = np.linspace(-aperture / 2, aperture / 2, 401)
    x, y = np.meshgrid(side, side)
    inside = x**2 + y**2 <= (aperture / 2) ** 2
    for off in (0.0, radius / 4, radius / 2):
        lit = np.exp(-2 * ((x - off) ** 2 + y**2) / radius**2) * inside
        exact = float(lit.sum() * (side[1] - side[0]) ** 2 * 2 / (np.pi * radius**2))
        assert most * math.exp(-((off / scale) ** shape)) == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("bias", [0.0, 0.2])
def test_the_mean_over_a_wandering_beam_is_that_of_draws(bias: float) -> None:
    radius, aperture, wander = 0.11, 0.4, 0.18
    most, shape, scale = turbulence.wandering_beam(radius, aperture)
    rng = np.random.Generator(np.random.PCG64(5))
    off = np.hypot(rng.normal(bias, wander, 40_000), rng.normal(0, wander, 40_000))
    drawn = most * np.exp(-((off / scale) ** shape))
    mean = turbulence.wander_transmittance(radius, aperture, wander, bias)
    assert abs(drawn.mean() - mean) < 4 * drawn.std() / 200
    still = turbulence.wander_transmittance(radius, aperture, 0.0, bias)
    assert still == pytest.approx(
        turbulence.wander_transmittance(radius, aperture, 1e-4, bias), rel=1e-3
    )


def test_a_narrow_pointing_error_agrees_with_its_closed_form_far_away() -> None:
    wandering = turbulence.wander_transmittance(5.0, 0.1, 1.2, 0.7)
    still = free_space.aperture_capture(5.0, 0.1)
    expected = still * free_space.pointing_transmittance(5.0, 1.2, 0.7)
    assert wandering == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("x", [0.0, 0.1, 1.0, 30.0, 99.9, 100.1, 1e3, 1e9])
@pytest.mark.parametrize("order", [0, 1])
def test_the_scaled_bessel_function_is_scipys(order: int, x: float) -> None:
    expected = float(scipy.special.ive(order, x))
    found = turbulence._scaled_bessel_i(order, x)
    assert found == pytest.approx(expected, rel=1e-13, abs=1e-15)


def test_a_bias_far_beyond_the_beam_takes_as_many_terms_as_a_small_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pointing that is off by hundreds of its jitters, in every cell of a pass."""
    terms = 0
    cos = math.cos

    def counted(angle: float) -> float:
        nonlocal terms
        terms += 1
        return cos(angle)

    monkeypatch.setattr(math, "cos", counted)
    for bias in (0.2, 200.0):
        terms = 0
        turbulence.wander_transmittance(1.0, 0.4, 0.1, bias)
        assert terms < 100_000
