"""Eavesdropping: the formulas at their ends, and against plain counting."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.closed_forms import eavesdropping as attacks
from qnetem.emulator.closed_forms.qkd import binary_entropy


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
