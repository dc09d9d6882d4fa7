"""Codes: the formulas against counting every pattern."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms import codes

CHECKS = np.array([[0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 0, 0, 1, 1], [1, 0, 1, 0, 1, 0, 1]])


def patterns(qubits: int) -> list[tuple[int, ...]]:
    return list(itertools.product((0, 1), repeat=qubits))


def weighed(pattern: tuple[int, ...], error: float) -> float:
    return math.prod(error if flip else 1 - error for flip in pattern)


@pytest.mark.parametrize("error", [0.0, 0.03, 0.4, 1.0])
def test_three_qubits_fail_when_two_do(error: float) -> None:
    failed = math.fsum(weighed(p, error) for p in patterns(3) if sum(p) > 1)
    assert codes.repetition_logical_error(error) == pytest.approx(failed)


@pytest.mark.parametrize("qubits", [5, 7])
def test_distance_three_fails_from_two_errors_on(qubits: int) -> None:
    failed = math.fsum(weighed(p, 0.07) for p in patterns(qubits) if sum(p) > 1)
    assert codes.distance_three_logical_error(qubits, 0.07) == pytest.approx(failed)


def test_steane_fails_where_its_decoder_completes_a_logical_operator() -> None:
    for error in (0.01, 0.1, 0.3):
        failed = 0.0
        for pattern in patterns(7):
            syndrome = CHECKS @ np.array(pattern) % 2
            corrected = np.array(pattern)
            position = int(syndrome @ (4, 2, 1))
            if position:
                corrected[position - 1] ^= 1
            failed += weighed(pattern, error) * (int(corrected.sum()) % 2)
        assert codes.steane_logical_error(error) == pytest.approx(failed)
    assert codes.steane_logical_error(1e-4) == pytest.approx(21e-8, rel=1e-2)
    assert codes.steane_logical_error(0.01) < codes.distance_three_logical_error(7, 0.01)


def test_what_the_detection_code_accepts() -> None:
    assert codes.detection_code(0.0) == (1.0, 0.0)
    accepted, wrong = codes.detection_code(
        0.75
    )  # every Pauli string alike: 64 of 256, 4 of them good
    assert (accepted, wrong) == pytest.approx((0.25, 60 / 64))
    assert codes.detection_code(1e-3)[1] == pytest.approx(2.0e-6, rel=0.01)


@pytest.mark.parametrize(("blocks", "photons"), [(1, 1), (2, 3), (3, 2)])
def test_a_parity_code_needs_a_photon_of_every_block_and_a_whole_block(
    blocks: int, photons: int
) -> None:
    arrived = 0.0
    for pattern in patterns(blocks * photons):
        counts = [sum(pattern[k * photons : (k + 1) * photons]) for k in range(blocks)]
        arrived += weighed(pattern, 0.8) * (min(counts) > 0 and max(counts) == photons)
    assert codes.parity_code_success(blocks, photons, 0.8) == pytest.approx(arrived)


def test_no_code_beats_half_of_the_light_lost() -> None:
    for blocks, photons in ((1, 1), (3, 3), (6, 5), (13, 6), (40, 4)):
        assert codes.parity_code_success(blocks, photons, 0.5) <= 0.5


def test_flips_cancel_in_pairs() -> None:
    odd = math.fsum(weighed(p, 0.1) for p in patterns(5) if sum(p) % 2)
    assert codes.odd_flips(0.1, 5) == pytest.approx(odd)
