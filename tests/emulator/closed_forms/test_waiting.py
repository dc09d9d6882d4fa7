"""Waiting: the formulas against plain sums, and against counting by hand."""

from __future__ import annotations

import itertools
import math

import pytest

from qnetem.emulator import closed_forms
from qnetem.emulator.closed_forms import waiting


@pytest.mark.parametrize("success", [0.1, 0.5, 0.9])
def test_lags_are_a_distribution_with_that_mean(success: float) -> None:
    masses = [waiting.lag_probability(success, k) for k in range(600)]
    assert math.fsum(masses) == pytest.approx(1.0)
    mean = math.fsum(k * mass for k, mass in enumerate(masses))
    assert waiting.mean_lag(success) == pytest.approx(mean)
    kept = math.fsum(math.exp(-0.3 * k) * mass for k, mass in enumerate(masses))
    assert waiting.mean_decay_of_lag(success, 0.3) == pytest.approx(kept)
    assert waiting.within_cutoff(success, 4) == pytest.approx(math.fsum(masses[:5]))


def test_the_later_of_two_links_is_the_first_and_a_lag() -> None:
    first = 1 / (1 - 0.9**2)
    assert first + waiting.mean_lag(0.1) == pytest.approx(closed_forms.mean_attempts_of_all(0.1, 2))


def test_a_long_cutoff_is_none_and_a_cutoff_of_nothing_asks_for_both_at_once() -> None:
    both = closed_forms.mean_attempts_of_all(0.1, 2)
    assert waiting.mean_attempts_with_cutoff(0.1, 400) == pytest.approx(both)
    assert waiting.mean_storage_with_cutoff(0.1, 400) == pytest.approx(waiting.mean_lag(0.1))
    assert waiting.mean_attempts_with_cutoff(0.1, 0) == pytest.approx(1 / 0.1**2)
    assert waiting.mean_storage_with_cutoff(0.1, 0) == 0.0


def test_shorter_cutoffs_take_longer_and_store_less() -> None:
    cutoffs = (0, 2, 5, 10, 50)
    times = [waiting.mean_attempts_with_cutoff(0.1, cutoff) for cutoff in cutoffs]
    stored = [waiting.mean_storage_with_cutoff(0.1, cutoff) for cutoff in cutoffs]
    assert times == sorted(times, reverse=True) and stored == sorted(stored)


def test_chains_by_halves() -> None:
    assert waiting.mean_attempts_of_chain(0.1, 0.5, 0) == pytest.approx(10)
    assert waiting.mean_attempts_of_chain(0.1, 0.5, 1) == pytest.approx(2.8 / (0.1 * 1.9 * 0.5))
    # swaps that never fail make a chain wait for all of its links, no longer
    assert waiting.mean_attempts_of_chain(0.1, 1.0, 2) == pytest.approx(
        closed_forms.mean_attempts_of_all(0.1, 4)
    )
    rough = 1.5**2 / (0.1 * 0.5**2)
    assert waiting.mean_attempts_of_chain(0.1, 0.5, 2) == pytest.approx(rough, rel=0.07)


def test_the_throughput_of_a_path_is_its_narrowest_hop_counted() -> None:
    for width, hops in ((1, [0.3]), (2, [0.3, 0.8]), (2, [0.5, 0.6, 0.7])):
        expected = 0.0
        for links in itertools.product((0, 1), repeat=width * len(hops)):
            up = [links[k * width : (k + 1) * width] for k in range(len(hops))]
            chance = math.prod(
                p if link else 1 - p for p, hop in zip(hops, up, strict=True) for link in hop
            )
            expected += chance * min(map(sum, up)) * 0.9 ** (len(hops) - 1)
        assert waiting.expected_throughput(width, hops, 0.9) == pytest.approx(expected)
