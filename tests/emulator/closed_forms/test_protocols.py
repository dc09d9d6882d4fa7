"""Protocols of single photons: rates against the entropy of an eavesdropper who holds the environment."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from qnetem.emulator.closed_forms import limits, protocols

_PAULIS = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]


def entropy(state: NDArray[np.complex128]) -> float:
    values = np.linalg.eigvalsh(state)
    values = values[values > 1e-14]
    return float(-(values * np.log2(values)).sum())


def key_of_a_depolarising_channel(overlap: float, p: float) -> tuple[float, float, float]:
    """(conclusive, error rate, H(X|E) - H(X|Y)) of two states; the environment is the eavesdropper's.

    Devetak and Winter's rate of one conclusive outcome, worked out from the four Kraus operators.
    """
    half = math.acos(overlap) / 2
    states = [np.array([math.cos(half), s * math.sin(half)]) for s in (1, -1)]
    others = [np.array([-s * math.sin(half), math.cos(half)]) for s in (1, -1)]
    kraus = [
        math.sqrt(w) * m for w, m in zip((1 - 3 * p / 4, p / 4, p / 4, p / 4), _PAULIS, strict=True)
    ]
    found = [np.outer(others[1], others[1]) / 2, np.outer(others[0], others[0]) / 2]
    held = np.array(
        [
            [[[s @ b.conj().T @ m @ a @ s / 2 for b in kraus] for a in kraus] for m in found]
            for s in states
        ]
    )
    chances = np.einsum("xyii->xy", held).real
    total = chances.sum()
    wrong = (chances[0, 1] + chances[1, 0]) / total
    unknown = sum(entropy(held[x].sum(axis=0) / total) for x in (0, 1)) - entropy(
        held.sum(axis=(0, 1)) / total
    )
    errors = -(wrong * np.log2(wrong) + (1 - wrong) * np.log2(1 - wrong)) if wrong > 0 else 0.0
    return float(total), float(wrong), float(unknown - errors)


@pytest.mark.parametrize("overlap", [0.3, math.sqrt(0.5), 0.9])
@pytest.mark.parametrize("p", [1e-4, 0.02, 0.05])
def test_gain_and_errors_of_b92_and_a_rate_below_devetak_and_winters(
    overlap: float, p: float
) -> None:
    conclusive, wrong, key = key_of_a_depolarising_channel(overlap, p)
    assert protocols.b92_gain(overlap, p) == pytest.approx(conclusive)
    assert protocols.b92_qber(overlap, p) == pytest.approx(wrong)
    rate = protocols.b92_rate(1.0, wrong, overlap, 1.0)
    assert rate <= key + 1e-9
    if p == 1e-4:
        assert rate == pytest.approx(key, abs=0.02)


@pytest.mark.parametrize("p", [1e-4, 0.03, 0.1])
def test_sarg04_is_below_devetak_and_winters_rate_and_above_b92s(p: float) -> None:
    _, wrong, key = key_of_a_depolarising_channel(math.sqrt(0.5), p)
    rate = protocols.sarg04_rate(1.0, wrong, 1.0, 1.0)
    assert protocols.b92_rate(1.0, wrong, math.sqrt(0.5), 1.0) <= rate <= key


def test_rates_without_noise_are_all_of_the_sifted_bits() -> None:
    assert protocols.six_state_rate(0.3, 0.0) == pytest.approx(0.1)
    assert protocols.sarg04_rate(0.4, 0.0) == pytest.approx(0.1)
    assert protocols.b92_rate(0.1, 0.0, 0.5) == pytest.approx(0.1)
    assert protocols.mismatch_rate(0.2, 0.0, 1.0) == pytest.approx(0.1)


def test_six_states_tolerate_more_than_four() -> None:
    threshold = limits.six_state_threshold()
    assert protocols.six_state_rate(1.0, threshold, 1.0) == pytest.approx(0.0, abs=1e-9)
    for qber in (0.01, 0.05, 0.1):
        six = protocols.six_state_rate(1.0, qber, 1.1, 1.0)
        assert six > limits.pair_rate(1.0, qber, 1.1, 1.0)


def test_discrimination_without_error_needs_the_loss_that_it_hides_in() -> None:
    assert protocols.b92_discrimination(0.0) == 1.0  # orthogonal states are told apart always
    assert protocols.b92_discrimination(math.sqrt(0.5)) == pytest.approx(0.2929, abs=1e-4)


def test_unequal_detectors_cost_what_is_dropped() -> None:
    """Of two detectors, 0.2 and 0.1: half of the better one's clicks stay, 2/3 of all."""
    assert protocols.mismatch_rate(1.0, 0.0, 0.5, sifting=1.0) == pytest.approx(2 / 3)
    assert protocols.mismatch_rate(1.0, 0.03, 1.0) == pytest.approx(limits.pair_rate(1.0, 0.03))
    assert protocols.mismatch_bias(0.5) == pytest.approx(2 / 3)
    assert protocols.mismatch_bias(1.0) == 0.5
