"""Purification: the formulas against circuits of four qubits, and against each other."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator import closed_forms
from qnetem.emulator.closed_forms import purification, werner_weights
from qnetem.emulator.errors import InputError
from qnetem.physics.emulated import circuits


@pytest.mark.parametrize("fidelity", [0.3, 0.6, 0.85, 1.0])
def test_a_round_of_bennett_is_its_circuit(fidelity: float) -> None:
    assert purification.bbpssw(fidelity) == pytest.approx(circuits.werner_purified(fidelity))


@pytest.mark.parametrize(("gate", "measurement"), [(1.0, 0.97), (0.97, 1.0), (0.95, 0.9), (0.5, 1)])
def test_a_noisy_round_is_its_circuit(gate: float, measurement: float) -> None:
    for fidelity in (0.55, 0.8, 0.97):
        formula = purification.noisy_bbpssw(fidelity, gate, measurement)
        assert formula == pytest.approx(circuits.werner_purified(fidelity, gate, measurement))


def test_a_round_of_deutsch_is_its_circuit_with_pairs_that_differ() -> None:
    first, second = (0.6, 0.25, 0.1, 0.05), (0.7, 0.02, 0.2, 0.08)
    weights, success = purification.dejmps(first, second)
    pair, accepted = circuits.purified(
        circuits.bell_diagonal(first), circuits.bell_diagonal(second), rotated=True
    )
    assert weights == pytest.approx(circuits.weights_of(pair))
    assert success == pytest.approx(accepted)
    assert math.fsum(weights) == pytest.approx(1.0)


@pytest.mark.parametrize(("gate", "measurement"), [(1.0, 0.97), (0.97, 1.0), (0.95, 0.9), (0.5, 1)])
def test_a_noisy_round_of_deutsch_is_its_circuit(gate: float, measurement: float) -> None:
    first, second = (0.6, 0.25, 0.1, 0.05), (0.7, 0.02, 0.2, 0.08)
    weights, success = purification.noisy_dejmps(first, second, gate, measurement)
    pair, accepted = circuits.purified(
        circuits.bell_diagonal(first),
        circuits.bell_diagonal(second),
        rotated=True,
        gate=gate,
        measurement=measurement,
    )
    assert weights == pytest.approx(circuits.weights_of(pair))
    assert success == pytest.approx(accepted)


def test_noisy_rounds_agree_on_werner_pairs_too() -> None:
    for fidelity in (0.55, 0.8, 0.97):
        pair = werner_weights(fidelity)
        weights, success = purification.noisy_dejmps(pair, pair, 0.97, 0.95)
        assert (weights[0], success) == pytest.approx(
            purification.noisy_bbpssw(fidelity, 0.97, 0.95)
        )


def test_levels_and_pumping_are_rounds_of_deutsch() -> None:
    pair = werner_weights(0.7)
    levels = [purification.nested_dejmps(pair, level)[0] for level in range(6)]
    published = [0.7, 0.735294, 0.845946, 0.934395, 0.972004, 0.996964]
    assert levels == pytest.approx(published, abs=5.1e-7)
    once, _ = purification.dejmps(pair, pair)
    assert purification.pumped_dejmps(pair, 1) == pytest.approx(once)
    assert purification.pumped_dejmps(pair, 2) == pytest.approx(purification.dejmps(once, pair)[0])
    assert purification.pumped_dejmps(pair, 0) == pair


def test_on_werner_pairs_both_protocols_agree_once() -> None:
    weights, success = purification.dejmps(werner_weights(0.7), werner_weights(0.7))
    assert (weights[0], success) == pytest.approx(purification.bbpssw(0.7))


def test_perfect_operations_raise_everything_above_one_half() -> None:
    low, high = purification.purification_range(1.0, 1.0)
    assert (low, high) == pytest.approx((0.5, 1.0), abs=1e-6)
    assert purification.bbpssw(0.5)[0] == pytest.approx(0.5)
    assert purification.noisy_bbpssw(0.8, 1.0, 1.0) == pytest.approx(purification.bbpssw(0.8))


def test_between_the_fixed_points_a_round_helps_and_beyond_it_harms() -> None:
    low, high = purification.purification_range(0.99, 0.99)
    for fidelity, helps in ((low - 0.01, False), (low + 0.01, True), (high - 0.01, True)):
        assert (purification.noisy_bbpssw(fidelity, 0.99, 0.99)[0] > fidelity) is helps
    assert purification.noisy_bbpssw(high + 0.01, 0.99, 0.99)[0] < high + 0.01
    with pytest.raises(InputError, match="raises no fidelity"):
        purification.purification_range(0.8, 0.9)


def test_rounds_until_a_fidelity_is_reached() -> None:
    start = closed_forms.werner_chain(0.96, 2, 0.99, 0.99)
    fidelity = start
    for _ in range(6):
        fidelity, _ = purification.noisy_bbpssw(fidelity, 0.99, 0.99)
    assert fidelity == pytest.approx(0.95982, abs=5e-6)
    assert purification.rounds_to_reach(fidelity, start, 0.99, 0.99) == 6
    assert purification.rounds_to_reach(start, start, 0.99, 0.99) == 0
    assert purification.rounds_to_reach(0.98, start, 0.99, 0.99) is None


def test_resources_of_the_nested_repeater() -> None:
    """Six rounds end 0.0002 below 0.96, so that a seventh is due; 0.95 needs less."""
    assert purification.nested_pairs_per_level(0.96, 2, 0.99, 0.99) == 2**7
    assert purification.nested_pairs_per_level(0.99, 2, 0.99, 0.99) is None
    assert purification.nested_resources(2, 2, 64) == pytest.approx(2 * 64)
    assert purification.nested_resources(8, 2, 64) == pytest.approx(8 * 64**3)
