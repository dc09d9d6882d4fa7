"""The formulas against published vectors; what the channels make of them is tested beside those."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.closed_forms import links as theory


@pytest.mark.parametrize(
    ("efficiency", "best"), [(1, 0.5259), (2, 0.625), (5, 0.7516), (8, 0.8072)]
)
def test_the_best_delivered_fidelity(efficiency: float, best: float) -> None:
    assert theory.best_delivered_fidelity(efficiency) == pytest.approx(best, abs=5e-5)


def test_delivery_beats_one_half_from_083_on() -> None:
    assert theory.best_delivered_fidelity(0.82) < 0.5 < theory.best_delivered_fidelity(0.84)
    assert theory.link_efficiency(39, 5) == pytest.approx(7.8)
    assert theory.best_delivered_fidelity(0) == 0.25


@pytest.mark.parametrize("efficiency", [1 - 1e-7, 1 - 1e-10, 1 + 1e-10, 1 + 1e-7])
def test_the_best_delivered_fidelity_is_smooth_at_one(efficiency: float) -> None:
    assert theory.best_delivered_fidelity(efficiency) == pytest.approx(
        (1 + 3 / math.e) / 4, abs=1e-7
    )


@pytest.mark.parametrize("efficiency", [0.5, 2.0, 8.0])
def test_the_best_delivered_fidelity_is_the_best_of_all_clocks(efficiency: float) -> None:
    """A pair that came at time s of a clock t and decays since: maximised over t on a grid.

    With decay rate 1 and entangling rate eta, F_det = 1/4 + 3/4 eta (e^-t - e^(-eta t))/(eta - 1).
    """
    clocks = [t / 2000 for t in range(1, 20_000)]
    delivered = max(
        0.25 + 0.75 * efficiency * (math.exp(-t) - math.exp(-efficiency * t)) / (efficiency - 1)
        for t in clocks
    )
    assert theory.best_delivered_fidelity(efficiency) == pytest.approx(delivered, rel=1e-6)


def test_a_pair_delivered_without_a_herald_is_a_guess() -> None:
    assert theory.delivered_fidelity(1, 0.8) == 0.8
    assert theory.delivered_fidelity(0, 0.8) == 0.25
    assert theory.delivered_fidelity(0.5, 0.8) == pytest.approx(0.525)


def test_single_click_by_the_reference_table() -> None:
    success = theory.single_click_success(0.1, 2.8e-4, 4.2e-4, 5e-7, published=True)
    assert success == pytest.approx(7.100e-5, rel=1e-3)
    fidelity = theory.single_click_fidelity(0.1, 2.8e-4, 4.2e-4, 5e-7, 0.9, published=True)
    assert fidelity == pytest.approx(0.8586, rel=1e-3)
    noisy = theory.single_click_fidelity(
        0.1, 2.8e-4, 4.2e-4, 5e-7, 0.9, math.radians(15), double_excitation=0.04, published=True
    )
    assert noisy == pytest.approx(0.829, rel=1e-3)


def test_double_click_by_its_limits() -> None:
    assert theory.double_click_success(0.02, 0.03) == pytest.approx(0.02 * 0.03 / 2)
    assert theory.double_click_success(0, 0, 0.1) == pytest.approx(4 * 0.01 * 0.81)
    assert theory.double_click_error(0.1, 0.1) == 0
    assert theory.double_click_error(0.1, 0.1, 0.0, 0.8) == pytest.approx(0.1)
    assert theory.double_click_error(0, 0, 0.1) == pytest.approx(0.5)
    assert theory.double_click_flips(0, 0, 0.1) == pytest.approx(0.5)
    assert theory.double_click_flips(0.1, 0.2) == 0


def test_attempts_wait_for_the_farther_end() -> None:
    assert theory.attempt_time(5, 1, 1) == 5
    assert theory.attempt_time(5, 4, 4) == 8
    assert theory.attempt_time(0, 8, 0) == 16


def test_light_at_the_station() -> None:
    assert theory.window_fraction(25, 12) == pytest.approx(0.8755, abs=1e-4)
    assert theory.dark_probability(20, 25) == pytest.approx(5e-7, rel=1e-6)
    assert theory.midpoint_success(0.1, 0.5, 0.2) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("attempt", "light"), [(1.0, 0.3), (1.0, 1.0), (1.0, 50.0), (1e-6, 4.9e-3)]
)
def test_the_wait_is_the_mean_over_which_attempt_succeeds(attempt: float, light: float) -> None:
    """Attempt k begins (k-1) T after the later request, whatever is still on its way."""
    success = 0.1
    heard = ((k - 1) * attempt + max(attempt, light) for k in range(1, 400))
    chances = (success * (1 - success) ** (k - 1) for k in range(1, 400))
    mean = sum(chance * time for chance, time in zip(chances, heard, strict=True))
    assert theory.waiting_time(success, attempt, light) == pytest.approx(mean, rel=1e-9)
