"""Finite keys: bounds bound what is there, and large blocks come to the asymptotic key."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.closed_forms import finite_key as finite
from qnetem.emulator.closed_forms.finite_key import DecoySystem
from qnetem.emulator.closed_forms.qkd import binary_entropy

INTENSITIES, PROBABILITIES = (0.45, 0.18, 2e-4), (0.6, 0.3, 0.1)


def key(x_size: float, eta: float = 0.1, eps_sec: float = 1e-10) -> finite.DecoyKey:
    block, _ = DecoySystem().block(eta, x_size, 0.9, INTENSITIES, PROBABILITIES)
    return finite.decoy_key(block, eps_sec, 1e-15)


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
    bounds = finite.decoy_key(block, 1e-10, 1e-15)
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
