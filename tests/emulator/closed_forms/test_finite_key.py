"""Finite keys: bounds bound what is there, and large blocks come to the asymptotic key."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.closed_forms import finite_decoy
from qnetem.emulator.closed_forms import finite_key as finite
from qnetem.emulator.closed_forms.finite_decoy import DecoySystem
from qnetem.emulator.closed_forms.qkd import binary_entropy

INTENSITIES, PROBABILITIES = (0.45, 0.18, 2e-4), (0.6, 0.3, 0.1)


def key(x_size: float, eta: float = 0.1, eps_sec: float = 1e-10) -> finite_decoy.DecoyKey:
    block, _ = DecoySystem().block(eta, x_size, 0.9, INTENSITIES, PROBABILITIES)
    return finite_decoy.decoy_key(block, eps_sec, 1e-15)


def test_larger_blocks_give_more_of_each_click() -> None:
    parts = [key(size).length / size for size in (1e6, 1e7, 1e9, 1e11)]
    assert parts == sorted(parts)
    assert key(1e3).length == 0


def test_less_secrecy_more_key() -> None:
    assert key(1e7, eps_sec=1e-6).length > key(1e7, eps_sec=1e-12).length


def test_bounds_are_below_the_truth() -> None:
    """tau_1 Y_1 and tau_0 Y_0 of the pulses sent, less than 5 % away for a block of 1e12."""
    system, eta = DecoySystem(), 0.01
    block, pulses = system.block(0.1, 1e12, 0.9, INTENSITIES, PROBABILITIES)
    bounds = finite_decoy.decoy_key(block, 1e-10, 1e-15)
    sent = pulses * 0.81
    gain_of_vacuum = system.gain(0.0, eta)
    single = (1 + system.afterpulse) * (1 - (1 - 2 * system.dark) * (1 - eta))
    assert 0.5 < bounds.x_vacuum / (sent * block.sent_with(0) * gain_of_vacuum) <= 1
    assert 0.95 < bounds.x_single / (sent * block.sent_with(1) * single) <= 1


def test_a_block_has_the_size_that_was_asked_for() -> None:
    block, pulses = DecoySystem().block(0.1, 1e7, 0.9, INTENSITIES, PROBABILITIES)
    assert math.fsum(block.x_counts) == pytest.approx(1e7)
    assert math.fsum(block.z_counts) == pytest.approx(1e7 / 81)
    assert math.fsum(block.x_counts) / 0.81 < pulses
    assert math.fsum(block.z_errors) / math.fsum(block.z_counts) == pytest.approx(block.x_error)


def test_single_photons_without_end_give_the_threshold() -> None:
    size = 10**14
    leakage = size * binary_entropy(0.05)
    bits = finite.single_photon_length(size, size, 0.05, leakage, 1e-10, 1e-15)
    assert bits / size == pytest.approx(1 - 2 * binary_entropy(0.05), abs=1e-4)
    assert finite.single_photon_length(1000, 100, 0.02, 200, 1e-10, 1e-15) == 0
    assert finite.sampling_deviation(10**6, 10**5, 1e-10) > finite.sampling_deviation(
        10**6, 10**6, 1e-10
    )


# --- exact sampling -------------------------------------------------------------------------------


def exact_tail(errors: int, sampled: int, wrong: int, total: int) -> Fraction:
    """P(at most `errors` of the sample err), by counting samples."""
    good = total - wrong
    ways = sum(math.comb(wrong, m) * math.comb(good, sampled - m) for m in range(errors + 1))
    return Fraction(ways, math.comb(total, sampled))


@st.composite
def samples(draw: st.DrawFn) -> tuple[int, int, float]:
    """(kept, sampled, eps_sec), small enough to count."""
    kept, sampled = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    return kept, sampled, draw(st.sampled_from([1e-6, 1e-2, 0.4, 0.9]))


@settings(max_examples=30)
@given(samples(), st.data())
def test_the_tail_is_that_of_counted_samples(
    sample: tuple[int, int, float], data: st.DataObject
) -> None:
    kept, sampled, _ = sample
    wrong = data.draw(st.integers(0, kept + sampled))
    errors = data.draw(st.integers(0, sampled))
    tail = finite.hypergeometric_tail(errors, sampled, wrong, kept + sampled)
    exact = exact_tail(errors, sampled, wrong, kept + sampled)
    assert tail == pytest.approx(float(exact), rel=1e-11, abs=1e-300)


@settings(max_examples=30)
@given(samples())
def test_the_kept_bits_err_more_often_than_bounded_with_the_stated_probability_at_most(
    sample: tuple[int, int, float],
) -> None:
    """Whatever number of bits is wrong: summed over the outcomes of the sample for which the bound fails."""
    kept, sampled, eps_sec = sample
    limit = (Fraction(eps_sec) / 4) ** 2
    bounds = [
        errors / sampled + finite.hypergeometric_deviation(kept, sampled, errors / sampled, eps_sec)
        for errors in range(sampled + 1)
    ]
    assert all(b > a - 1e-12 for a, b in itertools.pairwise(bounds))
    for wrong in range(0, kept + sampled + 1, 3):
        failing = [m for m in range(sampled + 1) if (wrong - m) / kept > bounds[m] + 1e-12]
        if failing:
            assert failing == list(range(failing[-1] + 1))
            assert exact_tail(failing[-1], sampled, wrong, kept + sampled) <= limit


@settings(max_examples=30)
@given(samples(), st.data())
def test_the_bound_is_the_least_one_and_never_looser_than_serflings(
    sample: tuple[int, int, float], data: st.DataObject
) -> None:
    kept, sampled, eps_sec = sample
    errors = data.draw(st.integers(0, sampled))
    qber, total, limit = errors / sampled, kept + sampled, (Fraction(eps_sec) / 4) ** 2
    deviation = finite.hypergeometric_deviation(kept, sampled, qber, eps_sec)
    assert deviation <= finite.sampling_deviation(kept, sampled, eps_sec) + 1e-12
    wrong = round((qber + deviation) * kept) + errors
    assert exact_tail(errors, sampled, wrong, total) > limit
    if wrong < kept + errors:
        assert exact_tail(errors, sampled, wrong + 1, total) <= limit


@pytest.mark.parametrize("qber", [0.0, 0.02, 0.11, 0.4])
@pytest.mark.parametrize(("kept", "sampled"), [(1000, 100), (10**6, 10**5), (10**11, 10**11)])
def test_exact_sampling_gives_more_key_of_blocks_of_any_size(
    kept: int, sampled: int, qber: float
) -> None:
    deviations = [
        finite.hypergeometric_deviation(kept, sampled, qber, 1e-10),
        finite.sampling_deviation(kept, sampled, 1e-10),
    ]
    assert 0 < deviations[0] < deviations[1]
    lengths = [
        length(kept, sampled, qber, 0.0, 1e-10, 1e-15)
        for length in (finite.hypergeometric_length, finite.single_photon_length)
    ]
    assert lengths[0] >= lengths[1]
    if kept > 10**5 and qber:  # 9.6 standard deviations, as for a normal distribution
        sigma = math.sqrt(qber * (1 - qber) * (1 / kept + 1 / sampled))
        assert deviations[0] / sigma == pytest.approx(9.6, rel=0.1)
