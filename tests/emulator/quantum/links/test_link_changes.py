"""What a link comes to with light of classical channels beside it, and with what faults change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.faults.changes import Changes
from qnetem.emulator.heralding.attempts import Attempts, HeraldedSource
from qnetem.emulator.heralding.pair_drift import on_half
from qnetem.emulator.optics import raman
from qnetem.emulator.optics.polarisation import misalignment_map
from qnetem.emulator.optics.raman import ClassicalChannels, RamanNoise
from qnetem.emulator.quantum.links.heralding import heralding

from ...topology.topologies import linked

LENGTH = "length: 20 km, attenuation: 0.2 dB/km"
COEXISTENCE = "coexistence: {filter: 0.2 nm, channels: [{power: -20 dBm, rho: 3e-9 /km/nm}]}"
DETECTOR = "detector: {efficiency: 0.6, dark_count_rate: 100 Hz, window: 10 ns}"
SINGLE = f"kind: single_click, alpha: 0.1, station: 0.3, emitter: {{collection: 0.2}}, {DETECTOR}"
DOUBLE = (
    f"kind: double_click, station: 0.3, visibility: 0.9, emitter: {{collection: 0.2}}, {DETECTOR}"
)
MIDPOINT = (
    "kind: midpoint_source, clock: 1 us, pair_probability: 0.1, station: 0.3, dark_probability: 1e-3, "
    "latching: {first: 0.5, second: 0.4, window: 10 ns}"
)
SIMPLE = "success: 0.2, fidelity: 0.9, attempt: 1 ms"
KINDS = [SINGLE, DOUBLE, MIDPOINT]


def link(entangle: str, more: str = "") -> Any:
    return linked(f"quantum: {{{LENGTH}, {more}entangle: {{{entangle}}}}}").links["alice-bob"]


def made(entangle: str, more: str = "", **changes: Any) -> HeraldedSource:
    source = heralding(link(entangle, more), Changes(**changes))
    assert source is not None
    return source


def assert_same(got: HeraldedSource, expected: HeraldedSource) -> None:
    assert got.success == pytest.approx(expected.success, rel=1e-12)
    assert got.timing == expected.timing
    np.testing.assert_allclose(got.density(), expected.density(), rtol=0, atol=1e-12)


# --- light of classical channels ------------------------------------------------------------------


def raman_noise() -> RamanNoise:
    channel = ClassicalChannels(-20.0, rho_per_km_nm=3e-9)
    return RamanNoise((channel,), 0.2, 1550.0)


@pytest.mark.parametrize("entangle", [SINGLE, DOUBLE])
def test_stray_light_is_so_many_more_dark_counts_of_the_stations_detectors(entangle: str) -> None:
    """Per gate and detector P lambda/(h c) t_gate eta_det / 2, of what both arms bring to the station."""
    rate_hz = raman_noise().station_rate_hz(6.0, 14.0, 0.2)
    per_gate = raman.photons_per_gate(rate_hz, 10.0, efficiency=0.6, detectors=2)
    assert per_gate > 1e-6
    as_darks = entangle.replace("100 Hz", f"{100 + per_gate / 10e-9!r} Hz")
    got = made(entangle, COEXISTENCE + ", ")
    assert_same(got, made(as_darks))
    assert got.fidelity < made(entangle).fidelity


def test_stray_light_latches_in_the_open_memories_of_a_midpoint_source() -> None:
    first_hz, second_hz = raman_noise().end_rates_hz(6.0, 14.0, 0.2)
    got, quiet = made(MIDPOINT, COEXISTENCE + ", "), made(MIDPOINT)
    false = [
        1e-3 + (1 - 1e-3) * -math.expm1(-rate_hz * 10e-9 * efficiency)
        for rate_hz, efficiency in ((first_hz, 0.5), (second_hz, 0.4))
    ]
    latched = [0.5 * 10**-0.12, 0.4 * 10**-0.28]
    both = math.prod(eta + (1 - eta) * dark for eta, dark in zip(latched, false, strict=True))
    assert got.success == pytest.approx(0.1 * both + 0.9 * math.prod(false), rel=1e-12)
    assert got.success > quiet.success and got.fidelity < quiet.fidelity


def test_the_other_light_s_wavelength_is_the_pulse_s_or_1550_nm() -> None:
    at_1550 = made(SINGLE, COEXISTENCE + ", ")
    assert_same(made(SINGLE, f"pulse: {{wavelength: 1550 nm}}, {COEXISTENCE}, "), at_1550)
    red = made(SINGLE, f"pulse: {{wavelength: 1600 nm}}, {COEXISTENCE}, ")
    assert red.success > at_1550.success, "more photons to the watt"


def test_a_simple_link_is_what_the_topology_says_whatever_shines_beside_it() -> None:
    assert_same(made(SIMPLE, COEXISTENCE + ", "), made(SIMPLE))


# --- what faults change ---------------------------------------------------------------------------


@pytest.mark.parametrize("entangle", [*KINDS, SIMPLE])
def test_no_change_changes_nothing_and_no_change_touches_the_rhythm(entangle: str) -> None:
    assert_same(made(entangle), made(entangle, visibility=1.0))
    changed = made(entangle, loss_db=3.0, light=(0.5, 0.0), heralds=0.1, misalignment_rad=0.3)
    assert changed.timing == made(entangle).timing


@pytest.mark.parametrize("entangle", KINDS)
def test_more_loss_is_that_of_a_lossier_fibre(entangle: str) -> None:
    assert_same(made(entangle, loss_db=2.5), made(entangle, "insertion_loss: 2.5 dB, "))


def test_more_loss_reaches_links_whose_detection_is_stated_as_a_whole() -> None:
    entangle = "kind: double_click, station: 0.25, detection: {first: 0.1, second: 0.2}"
    changed = made(entangle, loss_db=4.0)
    assert changed.success == pytest.approx(0.1 * 0.2 * 10**-0.4 / 2, rel=1e-12)


@pytest.mark.parametrize("entangle", [SINGLE, DOUBLE])
def test_more_dark_counts_are_those_of_noisier_detectors(entangle: str) -> None:
    noisier = entangle.replace("100 Hz", "5100 Hz")
    assert_same(made(entangle, dark_count_rate_hz=5000.0), made(noisier))


def test_more_dark_counts_make_an_open_memory_latch_nothing() -> None:
    more = 1 - (1 - 1e-3) * math.exp(-1e6 * 10e-9)
    expected = made(MIDPOINT.replace("dark_probability: 1e-3", f"dark_probability: {more!r}"))
    assert_same(made(MIDPOINT, dark_count_rate_hz=1e6), expected)


@pytest.mark.parametrize("entangle", [SINGLE + ", visibility: 0.9", DOUBLE])
def test_less_visibility_and_crossed_polarisations_spoil_interference(entangle: str) -> None:
    dimmer = entangle.replace("visibility: 0.9", "visibility: 0.63")
    assert_same(made(entangle, visibility=0.7), made(dimmer))
    angle = math.acos(math.sqrt(0.7))
    assert_same(made(entangle, misalignment_rad=angle), made(dimmer))


@pytest.mark.parametrize("entangle", [MIDPOINT, SIMPLE])
def test_misaligned_ends_turn_the_pairs_that_are_sent_to_them(entangle: str) -> None:
    aligned, changed = made(entangle), made(entangle, misalignment_rad=0.2)
    turned = on_half(misalignment_map(0.2), 1, aligned.density())
    np.testing.assert_allclose(changed.density(), turned, rtol=0, atol=1e-12)
    assert changed.success == pytest.approx(aligned.success, rel=1e-12)
    simple = made(SIMPLE, misalignment_rad=0.2)
    cos, sin = math.cos(0.2), math.sin(0.2)
    assert simple.fidelity == pytest.approx(0.9 * cos**2 + 0.1 / 3 * sin**2, rel=1e-12)


def test_an_end_without_light_leaves_the_other_s_photons_and_the_dark_counts() -> None:
    blind = made(SINGLE.replace("emitter:", "first: {collection: 0}, second:"))
    assert_same(made(SINGLE, light=(0.0, 1.0)), blind)
    dark = made(SINGLE, light=(0.0, 0.0))
    no_click = (1 + math.expm1(-100 * 10e-9)) ** 2
    assert dark.success == pytest.approx(1 - no_click, rel=1e-9)
    assert made(MIDPOINT, light=(0.0, 0.0)).success == pytest.approx(1e-6, rel=1e-9)
    assert made(SIMPLE, light=(1.0, 0.0)).success == 0


@pytest.mark.parametrize("entangle", [*KINDS, SIMPLE])
def test_lost_heralds_cost_pairs_and_spoil_none(entangle: str) -> None:
    changed, before = made(entangle, heralds=0.25), made(entangle)
    assert changed.success == pytest.approx(before.success / 4, rel=1e-12)
    np.testing.assert_allclose(changed.density(1), before.density(1), rtol=0, atol=1e-12)
    if isinstance(before, Attempts):
        assert isinstance(changed, Attempts) and changed.bells == before.bells


def test_a_simple_link_loses_pairs_as_one_photon_would_be_lost() -> None:
    assert made(SIMPLE, loss_db=10.0).success == pytest.approx(0.02, rel=1e-12)


@pytest.mark.parametrize(
    ("entangle", "changes", "said"),
    [
        (SIMPLE, {"dark_count_rate_hz": 1.0}, "neither detectors nor interference"),
        (SIMPLE, {"visibility": 0.5}, "neither detectors nor interference"),
        (MIDPOINT, {"visibility": 0.5}, "no interference whose visibility"),
        (MIDPOINT.replace(", window: 10 ns", ""), {"dark_count_rate_hz": 1.0}, "expected 'window'"),
        (
            "kind: double_click, detection: {first: 0.1, second: 0.1}",
            {"dark_count_rate_hz": 1.0},
            "dark counts of no detector",
        ),
    ],
)
def test_a_change_that_means_nothing_to_a_link_is_refused(
    entangle: str, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        made(entangle, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss_db": -1.0}, "loss_db is -1.0"),
        ({"dark_count_rate_hz": math.inf}, "dark_count_rate_hz is inf"),
        ({"misalignment_rad": math.nan}, "misalignment_rad is nan"),
        ({"visibility": 1.1}, "visibility"),
        ({"heralds": -0.1}, "heralds"),
        ({"light": (0.5, 2.0)}, "light"),
    ],
)
def test_impossible_changes_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Changes(**changes)


def test_changes_add_up() -> None:
    one = Changes(1.0, 10.0, 0.5, 0.1, (0.5, 1.0), 0.5)
    other = Changes(2.0, 5.0, 0.5, -0.3, (0.5, 0.25), 0.2)
    both = one.beside(other)
    assert (both.loss_db, both.dark_count_rate_hz, both.visibility) == (3.0, 15.0, 0.25)
    assert both.misalignment_rad == pytest.approx(-0.2)
    assert (both.light, both.heralds) == ((0.25, 0.25), 0.1)
    assert one.beside(Changes()) == one
