"""Limits: each formula where another one says the same."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.closed_forms import limits
from qnetem.emulator.closed_forms.qkd import binary_entropy
from qnetem.emulator.errors import InputError


@pytest.mark.parametrize("fidelity", [0.25, 0.8, 0.97, 1.0])
def test_a_werner_pair_by_fidelity_visibility_and_qber(fidelity: float) -> None:
    qber = limits.werner_qber(fidelity)
    assert qber == pytest.approx((1 - limits.werner_visibility(fidelity)) / 2)
    assert limits.chsh_of_qber(qber) == pytest.approx(limits.werner_chsh(fidelity))
    assert limits.fidelity_of_qber(qber) == pytest.approx(fidelity)


def test_violation_needs_a_fidelity_of_078() -> None:
    assert limits.werner_chsh((1 + 3 / math.sqrt(2)) / 4) == pytest.approx(2.0)


def test_thresholds_are_where_the_rate_is_zero() -> None:
    for f in (1.0, 1.22):
        threshold = limits.bb84_threshold(f)
        assert limits.pair_rate(1.0, threshold, f) == pytest.approx(0.0, abs=1e-12)
        assert limits.pair_rate(1.0, threshold - 1e-3, f) > 0 > limits.pair_rate(1.0, 0.12, f)
    assert limits.six_state_threshold() > limits.bb84_threshold()
    assert limits.device_independent_threshold() < limits.bb84_threshold()
    assert limits.pair_rate(0.3, 0.0) == pytest.approx(0.15)
    assert binary_entropy(limits.bb84_threshold()) == pytest.approx(0.5)


def test_capacities_of_a_lossy_channel() -> None:
    assert limits.repeaterless_bound(0.5) == 1.0
    assert limits.repeaterless_bound(0.0) == 0.0
    assert limits.repeaterless_bound(1e-9) == pytest.approx(1e-9 / math.log(2))
    assert limits.takeoka_guha_wilde_bound(0.5) == pytest.approx(math.log2(3))
    assert limits.takeoka_guha_wilde_bound(1e-6) == pytest.approx(
        2 * limits.repeaterless_bound(1e-6), rel=1e-5
    )
    assert limits.repeater_bound(0.01, 0) == limits.repeaterless_bound(0.01)
    assert limits.repeater_bound(0.01, 1) == pytest.approx(limits.repeaterless_bound(0.1))
    for wrong in (-0.1, 1.0, math.nan):
        with pytest.raises(InputError, match="transmittance"):
            limits.repeaterless_bound(wrong)
