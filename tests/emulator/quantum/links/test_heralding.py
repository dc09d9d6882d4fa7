"""From the section `entangle:` to what heralds pairs: every kind, every key."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.heralding.attempts import Attempts, SimpleLink
from qnetem.emulator.heralding.double_click import DoubleClick
from qnetem.emulator.heralding.midpoint import Arm, MidpointSource, Station, split_fibre
from qnetem.emulator.heralding.single_click import SingleClick
from qnetem.emulator.optics.fibre import Fibre
from qnetem.emulator.quantum.links.heralding import heralding, multiplexing_of

from ...topology.topologies import linked

FIBRE = Fibre(length_km=20.0, attenuation_db_per_km=0.17, insertion_loss_db=1.0, dephasing=0.01)
QUANTUM = "length: 20 km, attenuation: 0.17 dB/km, insertion_loss: 1 dB, dephasing: 0.01"


def made(entangle: str, quantum: str = QUANTUM) -> Attempts:
    link = linked(f"quantum: {{{quantum}, entangle: {{{entangle}}}}}").links["alice-bob"]
    source = heralding(link)
    assert isinstance(source, Attempts)
    return source


def assert_same(got: Attempts, expected: Attempts) -> None:
    assert got.success == pytest.approx(expected.success, rel=1e-12)
    assert (got.timing, got.bells) == (expected.timing, expected.bells)
    np.testing.assert_allclose(got.density(), expected.density(), rtol=0, atol=1e-12)


EMITTERS = (
    "emitter: {emission: 0.9, zero_phonon: 0.03, collection: 0.5, conversion: 0.6, lifetime: 12 ns}, "
    "detector: {efficiency: 0.8, dark_count_rate: 20 Hz, window: 25 ns}"
)


def test_a_single_click_link_is_that_of_its_parts() -> None:
    got = made(
        f"kind: single_click, alpha: 0.1, station: 0.3, preparation: 5.5 us, visibility: 0.9, {EMITTERS}, "
        "phase_noise: 15 deg, double_excitation: 0.04, incoherent_darks: true"
    )
    near, far = (Arm(part, 0.9, 0.03, 0.5, 0.6, 12.0) for part in split_fibre(FIBRE, 0.3))
    link = SingleClick.between(
        near, far, Station(25.0, 0.8, 20.0), 0.1, 5_500, 0.9, math.radians(15), 0.04, True
    )
    assert_same(got, link.attempts())


def test_a_double_click_link_is_that_of_its_parts() -> None:
    got = made(
        f"kind: double_click, preparation: 1 ms, visibility: 0.95, depolarising: 0.02, {EMITTERS}, "
        "second: {zero_phonon: 0.46, lifetime: 6.48 ns}"
    )
    near, far = split_fibre(FIBRE)
    arms = (Arm(near, 0.9, 0.03, 0.5, 0.6, 12.0), Arm(far, 1.0, 0.46, 1.0, 1.0, 6.48))
    link = DoubleClick.between(*arms, Station(25.0, 0.8, 20.0), 1_000_000, 0.95, 0.02)
    assert_same(got, link.attempts())


def test_a_midpoint_source_is_that_of_its_parts() -> None:
    got = made(
        "kind: midpoint_source, clock: 1 us, pair_probability: 0.01, pair_fidelity: 0.98, station: 0.4, "
        "latching: {first: 0.5, second: 0.25}, dark_probability: 1e-5"
    )
    link = MidpointSource.between(*split_fibre(FIBRE, 0.4), 1_000, 0.01, 0.5, 0.25, 0.98, 1e-5)
    assert_same(got, link.attempts())


def test_total_detection_probabilities_hold_the_fibres_loss_but_not_its_delay_and_noise() -> None:
    got = made(
        "kind: single_click, alpha: 0.2, detection: {first: 2.8e-4, second: 4.2e-4}, "
        "detector: {dark_count_rate: 20 Hz, window: 25 ns}"
    )
    halves = split_fibre(FIBRE)
    assert got.timing.attempt_ns == 2 * max(half.delay_ns for half in halves)
    kept = math.prod(1 - 2 * half.dephasing for half in halves)
    dark = -math.expm1(-5e-7)
    link = SingleClick(0.2, 2.8e-4, 4.2e-4, got.timing, dark, path_coherence=kept)
    assert_same(got, link.attempts())


def test_the_delft_preset_is_the_published_set() -> None:
    got = made("preset: delft_nv_2019, alpha: 0.3", "length: 2 m")
    timing = got.timing
    assert timing.attempt_ns == 5_500
    link = SingleClick(0.3, 2.8e-4, 4.2e-4, timing, 5e-7, 0.9, math.radians(15), 0.04)
    assert got.success == pytest.approx(link.attempts().success, rel=1e-6)
    np.testing.assert_allclose(got.density(), link.attempts().density(), atol=1e-8)


def test_the_simple_link_is_what_it_was() -> None:
    text = "quantum: {length: 10 km, entangle: {success: 0.1, fidelity: 0.9, attempt: 1 ms%s}}"
    for more, side_by_side in (("", 1), (", kind: simple, multiplexing: 3", 3)):
        link = linked(text % more).links["alice-bob"]
        assert heralding(link) == SimpleLink(0.1, 0.9, 1_000_000, link.delay_ns)
        assert multiplexing_of(link) == side_by_side
    bare = linked("quantum: {}").links["alice-bob"]
    assert (heralding(bare), multiplexing_of(bare)) == (None, 1)
