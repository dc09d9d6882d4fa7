"""Finite keys of weak pulses: below what a linear program proves of the same counts, and below the truth."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.optimize import linprog

from qnetem.emulator.closed_forms.finite_decoy import DecoyBlock, DecoyKey, DecoySystem, decoy_key
from qnetem.emulator.closed_forms.qkd import binary_entropy
from qnetem.emulator.errors import InputError

ONE = ((0.49, 0.18), (0.7, 0.3))
TWO = ((0.45, 0.18, 2e-4), (0.6, 0.3, 0.1))
EPS = 1e-9


def block(
    settings: tuple[tuple[float, ...], tuple[float, ...]], size: float = 1e8, eta: float = 0.01
) -> tuple[DecoyBlock, float]:
    return DecoySystem(1.0, 1e-7, 0.0, 0.005, 0.01).block(eta, size, 0.9, *settings)


def single_photons_by_program(counts: tuple[float, ...], of: DecoyBlock) -> float:
    """The least number of clicks of single photons with which the counts can be explained.

    A linear program over the clicks of each photon number; each count may be off by Hoeffding's deviation.
    Half of the empty pulses err: with one decoy the errors in X limit them.
    """
    parts = {2: 19, 3: 21}[len(of.intensities)]
    deviation = math.sqrt(sum(counts) / 2 * math.log(parts / EPS))
    most = 12
    shares = np.array(
        [
            [p * math.exp(-k) * k**n / math.factorial(n) / of.sent_with(n) for n in range(most)]
            for k, p in zip(of.intensities, of.probabilities, strict=True)
        ]
    )
    observed, vacuum = np.array(counts), None
    if parts == 19:
        off = math.sqrt(sum(of.x_errors) / 2 * math.log(parts / EPS))
        errors = min(sum(of.x_errors), (of.x_errors[1] + off) / shares[1, 0])
        vacuum = 2 * (errors + deviation)
    found = linprog(
        np.eye(most)[1],
        A_ub=np.vstack([shares, -shares]),
        b_ub=np.concatenate([observed + deviation, -observed + deviation]),
        bounds=[(0, vacuum)] + [(0, None)] * (most - 1),
    )
    assert found.status == 0
    return float(found.fun)


@pytest.mark.parametrize("size", [1e6, 1e8, 1e10])
@pytest.mark.parametrize("settings", [ONE, TWO])
def test_no_bound_claims_more_than_a_linear_program_proves(
    settings: tuple[tuple[float, ...], tuple[float, ...]], size: float
) -> None:
    counts, _ = block(settings, size)
    key = decoy_key(counts, EPS, EPS)
    proved = single_photons_by_program(counts.x_counts, counts)
    assert 0.9 * proved <= key.x_single <= proved * (1 + 1e-6)


@pytest.mark.parametrize("settings", [ONE, TWO])
@pytest.mark.parametrize("size", [1e5, 1e7, 1e9, 1e12])
def test_bounds_are_below_the_truth_and_come_near_it(
    settings: tuple[tuple[float, ...], tuple[float, ...]], size: float
) -> None:
    system, eta = DecoySystem(1.0, 1e-7, 0.0, 0.005, 0.01), 0.01
    counts, pulses = block(settings, size, eta)
    single = 0.81 * pulses * counts.sent_with(1) * (1 - (1 - 2e-7) * (1 - eta))
    empty = 0.81 * pulses * counts.sent_with(0) * system.gain(0.0, eta)
    key = decoy_key(counts, EPS, EPS)
    assert 0 <= key.x_single <= single and 0 <= key.x_vacuum <= empty
    # With one decoy, for all that its counts tell, every error may be that of an empty pulse.
    assert size < 1e12 or key.x_single > (0.95 if settings is TWO else 0.9) * single


@pytest.mark.parametrize("settings", [ONE, TWO])
def test_a_finite_key_is_below_the_asymptotic_one(
    settings: tuple[tuple[float, ...], tuple[float, ...]],
) -> None:
    """Whose single photons and phase errors are what the system has."""
    eta, parts = 0.01, []
    for size in (1e4, 1e6, 1e8, 1e10, 1e12):
        counts, pulses = block(settings, size, eta)
        key = decoy_key(counts, EPS, EPS, 1.16)
        sent = 0.81 * pulses
        single = sent * counts.sent_with(1) * (2e-7 + eta)
        phase = (1e-7 + 0.01 * eta) / (2e-7 + eta)
        asymptotic = (
            sent * counts.sent_with(0) * 2e-7
            + single * (1 - binary_entropy(phase))
            - 1.16 * size * binary_entropy(counts.x_error)
        )
        assert key.length <= asymptotic
        parts.append(key.length / pulses)
    assert parts == sorted(parts) and parts[0] == 0 < parts[-1]


def test_photon_number_splitting_leaves_no_key() -> None:
    """Clicks of pulses with several photons alone, as many as the line lets through, and no error."""
    for intensities, probabilities in (ONE, TWO):
        several = [-math.expm1(-k) - k * math.exp(-k) for k in intensities]
        scale = 1e7 / sum(p * s for p, s in zip(probabilities, several, strict=True))
        clicks = tuple(scale * p * s for p, s in zip(probabilities, several, strict=True))
        none = tuple(0.0 for _ in clicks)
        attacked = DecoyBlock(intensities, probabilities, clicks, clicks, none, 0.0, none)
        key = decoy_key(attacked, EPS, EPS)
        assert key.x_single == 0 and key.length == 0


def test_the_leakage_that_was_counted_takes_the_place_of_the_expected_one() -> None:
    counts, _ = block(ONE)
    told = 1.16 * sum(counts.x_counts) * binary_entropy(counts.x_error)
    expected = decoy_key(counts, EPS, EPS, 1.16).length
    assert decoy_key(counts, EPS, EPS, leakage=told).length == expected
    assert decoy_key(counts, EPS, EPS, leakage=told + 1000).length == expected - 1000


def test_errors_by_intensity_make_the_bound_of_one_decoy_no_looser() -> None:
    counts, _ = block(ONE)
    without = dataclasses.replace(counts, x_errors=())
    keys: list[DecoyKey] = [decoy_key(each, EPS, EPS) for each in (without, counts)]
    assert keys[0].x_single < keys[1].x_single


def test_other_numbers_of_intensities_are_refused() -> None:
    counts, _ = block(((0.5,), (1.0,)))
    with pytest.raises(InputError, match="1 intensities: the bounds are for 2 or 3"):
        decoy_key(counts, EPS, EPS)


def test_a_signal_below_the_sum_of_its_decoys_is_refused() -> None:
    """The fraction of the bound changes its sign there, and would find photons that nothing proves."""
    with pytest.raises(InputError, match="no bound is for intensities"):
        decoy_key(block(((0.3, 0.2, 0.15), (0.6, 0.2, 0.2)))[0], EPS, 1e-15)


def test_without_an_error_there_is_a_key() -> None:
    counts, _ = block(TWO)
    clean = dataclasses.replace(counts, z_errors=(0.0, 0.0, 0.0))
    assert decoy_key(clean, EPS, EPS).length > decoy_key(counts, EPS, EPS).length


def test_a_single_decoy_without_light_is_refused() -> None:
    block, _ = DecoySystem().block(0.5, 1e6, 0.9, (0.5, 0.0), (0.7, 0.3))
    with pytest.raises(InputError, match="no light"):
        decoy_key(block, 1e-9, 1e-15)
