"""Eavesdropping: the formulas at their ends, and against plain counting."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms import eavesdropping as attacks
from qnetem.emulator.closed_forms.qkd import binary_entropy, gain, several_photons


def test_measure_and_resend_from_nothing_to_everything() -> None:
    assert attacks.intercept_resend_qber(0.0, 0.03) == pytest.approx(0.03)
    assert attacks.intercept_resend_qber(1.0) == 0.25
    assert attacks.intercept_resend_qber(1.0, 0.5) == 0.5
    assert attacks.intercept_resend_known(0.4) == 0.2
    assert attacks.detection_probability(1) == pytest.approx(0.25)
    assert attacks.detection_probability(72) == pytest.approx(1 - 0.75**72)
    assert attacks.detection_probability(5, 0.0) == 0.0


def test_violation_ends_where_s_is_two() -> None:
    for visibility in (1.0, 0.9, 0.75):
        share = attacks.share_without_violation(visibility)
        assert attacks.intercepted_chsh(share, visibility) == pytest.approx(2.0)
    assert attacks.share_without_violation(0.7) == 0.0


def test_half_way_between_the_bases() -> None:
    assert attacks.breidbart_guess() == pytest.approx((1 + 1 / math.sqrt(2)) / 2)


def test_at_its_limit_the_attacker_knows_as_much_as_the_receiver() -> None:
    limit = attacks.individual_attack_limit()
    assert attacks.individual_attack_information(limit) == pytest.approx(1 - binary_entropy(limit))
    assert attacks.individual_attack_information(0.0) == 0.0
    assert attacks.individual_attack_information(0.5) == pytest.approx(1.0)
    assert attacks.individual_attack_information(0.1) < 1 - binary_entropy(0.1)


def test_light_that_comes_back_costs_nothing_if_there_is_none_and_all_if_much() -> None:
    assert attacks.trojan_phase_error(0.0, 0.1, 0.01) == pytest.approx(0.01)
    assert attacks.trojan_phase_error(0.5, 0.1, 0.01) == 0.5
    errors = [attacks.trojan_phase_error(m, 0.1, 0.01) for m in (1e-8, 1e-6, 1e-4, 1e-2)]
    assert errors == sorted(errors)


def test_a_cloner_shares_what_there_is() -> None:
    assert attacks.phase_covariant_fidelity(0.0) == (1.0, 0.5)
    assert attacks.phase_covariant_fidelity(45.0)[0] == pytest.approx(1 - 0.146447, abs=1e-6)
    for angle in (10.0, 30.0, 45.0):
        mine, theirs = attacks.phase_covariant_fidelity(angle)
        # The attacker's guess is right as often as her information says, at the QBER that she makes.
        known = attacks.individual_attack_information(1 - mine)
        assert 1 - binary_entropy(theirs) == pytest.approx(known)
    assert attacks.universal_cloner_qber() > 1 - attacks.phase_covariant_fidelity(45.0)[0]


def test_splitting_tells_all_up_to_its_limit_and_less_beyond() -> None:
    for mu in (0.1, 0.5, 1.0):
        limit = attacks.photon_number_splitting_limit(mu)
        assert gain(mu, limit, 0.0) == pytest.approx(several_photons(mu))
        assert attacks.photon_number_splitting_known(mu, gain(mu, limit / 2, 0.0)) == 1.0
        assert attacks.photon_number_splitting_known(mu, gain(mu, 2 * limit, 0.0)) < 1.0
    assert attacks.photon_number_splitting_limit(1e-3) == pytest.approx(5e-4, rel=1e-3)


def test_beam_splitting_is_what_poissonian_light_shares() -> None:
    """Drawn: each photon goes one way or the other; of the clicks, those of which both have one."""
    rng, mu, eta = np.random.default_rng(7), 0.6, 0.3
    photons = rng.poisson(mu, 400_000)
    passed = rng.binomial(photons, eta)
    both = ((passed > 0) & (photons > passed)).sum() / (passed > 0).sum()
    assert attacks.beam_splitting_known(mu, eta) == pytest.approx(both, abs=0.006)


def test_a_time_shift_tells_nothing_of_equal_detectors_and_all_of_a_blind_one() -> None:
    assert attacks.time_shift_information(1.0) == 0.0
    assert attacks.time_shift_information(0.0) == 1.0
    assert 0 < attacks.time_shift_information(0.5) < attacks.time_shift_information(0.2)


# --- splitting that keeps the gain ----------------------------------------------------------------


@pytest.mark.parametrize("efficiency", [0.2, 0.7, 1.0])
def test_the_gain_behind_a_splitter_is_the_sum_over_photon_numbers(efficiency: float) -> None:
    mu, singles, several = 0.6, 0.3, 0.8
    numbers = [math.exp(-mu) * mu**n / math.factorial(n) for n in range(40)]
    expected = singles * numbers[1] * efficiency + several * sum(
        numbers[n] * (1 - (1 - efficiency) ** (n - 1)) for n in range(2, 40)
    )
    found = attacks.photon_number_splitting_gain(mu, efficiency, singles, several)
    assert found == pytest.approx(expected)


def test_shares_of_a_splitter_block_single_photons_first() -> None:
    mu, efficiency = 0.5, 0.4
    limit = attacks.photon_number_splitting_gain(mu, efficiency)
    assert attacks.photon_number_splitting_shares(mu, efficiency, limit / 2) == (
        0.0,
        pytest.approx(0.5),
    )
    assert attacks.photon_number_splitting_shares(mu, efficiency, limit) == (0.0, 1.0)
    wanted = limit + 0.25 * mu * math.exp(-mu) * efficiency
    assert attacks.photon_number_splitting_shares(mu, efficiency, wanted) == (
        pytest.approx(0.25),
        1.0,
    )
    assert attacks.photon_number_splitting_shares(mu, efficiency, 1.0) == (1.0, 1.0)


def test_faked_states_click_in_half_of_what_was_seen() -> None:
    assert attacks.faked_states_gain(0.5) == pytest.approx(gain(0.5, 1.0, 0.0) / 2)
    assert attacks.faked_states_gain(0.5, 0.3) == pytest.approx(0.3 * gain(0.5, 1.0, 0.0) / 2)
