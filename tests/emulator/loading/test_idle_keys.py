"""Keys that act on nothing are named, and those that act are not."""

from __future__ import annotations

import pytest

from qnetem.checks import warnings
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.loading.idle_keys import idle_keys

SIMPLE = "entangle: {success: 0.1, fidelity: 0.9, attempt: 1 ms}"
TOTALS = "detection: {first: 0.1, second: 0.1}, detector: {window: 1 ns}"
PARTS = "emitter: {collection: 0.1}, detector: {window: 1 ns}"
SINGLE = f"entangle: {{kind: single_click, alpha: 0.1, {PARTS}}}"
DOUBLE = f"entangle: {{kind: double_click, {PARTS}}}"
MIDDLE = "entangle: {kind: midpoint_source, clock: 1 us, pair_probability: 0.1, latching: {window: 1 ns}}"
PHASE = "environment: {grid: 1 ms, phase_drift: 1 rad2/s}"
TURNS = "environment: {grid: 1 ms, polarisation_drift: 1 rad2/s}"
WARM = "environment: {grid: 1 ms, temperature: {swing: 1 K}}"
RAMAN = "coexistence: {filter: 0.2 nm, channels: [{power: 0 dBm, wavelength: 1530 nm}]}"


def idle(quantum: str, node: str = "") -> list[str]:
    """The warnings of one link of 10 km."""
    text = (
        f"name: x\nnodes: {{alice: {{{node}}}, bob: }}\nlinks:\n"
        f"  - between: [alice, bob]\n    quantum: {{length: 10 km, {quantum}}}\n"
    )
    return idle_keys(parse_topology(text))


@pytest.mark.parametrize(
    ("quantum", "keys"),
    [
        # light alone
        (PHASE, "environment.phase_drift"),
        (f"encoding: phase, {TURNS}", "environment.polarisation_drift"),
        ("pmd: 1 ps/sqrt(km), dispersion: 10 ps/nm/km", "dispersion, pmd"),
        ("thermal_delay: 40 ps/km/K", "thermal_delay"),
        (RAMAN, "coexistence"),
        # a simple link's pairs are what they are
        (f"{SIMPLE}, dephasing: 0.1, attenuation: 0.3 dB/km", "attenuation, dephasing"),
        (f"{SIMPLE}, {TURNS}", "environment.polarisation_drift"),
        (f"{SIMPLE}, pulse: {{duration: 1 ns}}, gate: 1 ns", "pulse, gate"),
        # pairs of the other kinds
        (f"{SINGLE}, pulse: {{duration: 1 ns}}, gate: 1 ns", "pulse, gate"),
        (f"{DOUBLE}, {PHASE}", "environment.phase_drift"),
        (f"{DOUBLE}, {WARM}", "environment.temperature"),
        (f"{MIDDLE}, {PHASE}", "environment.phase_drift"),
        (f"{MIDDLE}, encoding: phase, {TURNS}", "environment.polarisation_drift"),
        (f"entangle: {{kind: double_click, {TOTALS}}}, insertion_loss: 1 dB", "insertion_loss"),
        (SINGLE.replace("alpha", "stabilisation: 1 s, alpha"), "entangle.stabilisation"),
    ],
)
def test_a_key_that_acts_on_nothing_is_named_at_its_line(quantum: str, keys: str) -> None:
    (warning,) = idle(quantum)
    assert warning.startswith(f"line 5: links.alice-bob.quantum: {keys}: no effect")


@pytest.mark.parametrize(
    "quantum",
    [
        TURNS,
        WARM,
        f"encoding: phase, {PHASE}",
        f"encoding: phase, {WARM}",
        "pulse: {duration: 1 ns}, gate: 1 ns, pmd: 1 ps/sqrt(km)",
        "preset: standard",
        "attenuation: 0.3 dB/km, depolarising: 0.1, dephasing: 0.1, misalignment: 1 deg",
        SIMPLE,
        f"{SINGLE}, attenuation: 0.3 dB/km, dephasing: 0.1, {PHASE}",
        f"{SINGLE}, {TURNS}",
        f"{SINGLE}, {WARM}",
        f"{DOUBLE}, depolarising: 0.1, {TURNS}, {RAMAN}",
        f"{MIDDLE}, depolarising: 0.1, dephasing: 0.1, {TURNS}, {RAMAN}",
        f"{MIDDLE}, encoding: phase, {PHASE}",
    ],
)
def test_a_key_that_acts_is_not_named(quantum: str) -> None:
    assert idle(quantum) == []


def test_stray_light_meets_detectors_at_either_end() -> None:
    assert idle(RAMAN, "detector: {efficiency: 0.5}") == []


def test_a_gate_opens_in_slots_and_light_without_a_clock_has_none() -> None:
    gate = "gate: 1 ns, pulse: {duration: 50 ps}"
    (warning,) = idle(gate, "source: {kind: spdc_cw, pair_rate: 1 MHz}")
    assert "gate: no effect on pairs of kind: spdc_cw" in warning
    assert idle(gate, "source: {kind: spdc, mean_pairs: 0.1}") == []


def test_a_detectors_keys_need_each_other() -> None:
    found = idle("", "detector: {afterpulse_decay: 1 us, paralysable: true}")
    assert [warning.split(": ", 2)[2] for warning in found] == [
        "afterpulse_decay: no effect without 'afterpulse'",
        "paralysable: no effect without 'dead_time'",
    ]
    full = "detector: {afterpulse: 0.1, afterpulse_decay: 1 us, paralysable: true, dead_time: 1 us}"
    assert idle("", full) == []


def test_validate_warns_of_them() -> None:
    link = f"{{between: [a, b], quantum: {{{SIMPLE}, misalignment: 2 deg}}}}"
    topology = parse_topology(f"name: x\nnodes: {{a: , b: }}\nlinks: [{link}]")
    (warning,) = warnings(topology)
    assert "links.a-b.quantum: misalignment: no effect on the pairs of kind: simple" in warning
