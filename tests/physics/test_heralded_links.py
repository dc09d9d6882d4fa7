"""Heralded links of every kind, end to end: programs, requests, attempts, states, beside theory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from qnetem import Agent
from qnetem.emulator.closed_forms import links as theory
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.wire import BELL_NAMES
from qnetem.expect.predictions import functions

from .bench import Ran, assert_mean, play, program

NODES = """
nodes:
  alice: {{program: "{kind}", with: {{peer: bob, pairs: {pairs}}}, memory: {{{alice}}}}}
  bob: {{program: "{kind}", with: {{peer: alice, pairs: {pairs}}}, memory: {{{bob}}}}}
links:
  - {{between: [alice, bob], quantum: {{{quantum}}}}}
"""


class End(Agent):
    """Pairs one after another: how long each took, and its fidelity when this end hears of it."""

    async def run(self, peer: str, pairs: int) -> float:
        for _ in range(pairs):
            asked_ns = self.now_ns
            pair = await self.entangle(peer)
            self.record("wait_s", (self.now_ns - asked_ns) * 1e-9)
            self.record("age_ns", pair.age_ns)
            await self.probe("heard", pair)
            await self.compute("20 ms")  # the other end has heard, and looked, too
            await pair.discard()
        return pair.goodness


def run(
    quantum: str,
    pairs: int = 20,
    seed: int = 1,
    kind: type[Agent] = End,
    memory: Mapping[str, str] | None = None,
) -> tuple[Ran, dict[str, Any]]:
    """Alice and bob joined by one link; and the predictions for it."""
    memories = {name: (memory or {}).get(name, "t2: none") for name in ("alice", "bob")}
    text = NODES.format(kind=program(kind), pairs=pairs, quantum=quantum, **memories)
    table: dict[str, Any] = dict(functions(parse_topology(f"name: bench\n{text}")))
    return play(text, seed), table


def assert_rate(ran: Ran, attempt_s: float, success: float) -> None:
    """Waits are geometric: their spread is sqrt(1 - p)/p attempts."""
    waits = ran.series("alice.wait_s")
    std = attempt_s * math.sqrt(1 - success) / success
    assert_mean(waits["mean"], waits["count"], attempt_s / success, std)


# --- single click ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alpha", "rate_hz", "fidelity"),
    [(0.05, 6.55, 0.8613), (0.1, 12.9, 0.8275), (0.2, 25.6, 0.7408), (0.3, 38.4, 0.6497)],
)
def test_nv_centres_entangle_at_the_rate_and_fidelity_of_the_delft_set(
    alpha: float, rate_hz: float, fidelity: float
) -> None:
    """400 pairs for each alpha. Humphreys et al., Nature 558, 268 (2018): 39 Hz at alpha = 0.3."""
    quantum = f"length: 2 m, entangle: {{preset: delft_nv_2019, alpha: {alpha}}}"
    ran, predicted = run(quantum, pairs=400, seed=3)
    success = theory.single_click_success(alpha, 2.8e-4, 4.2e-4, 5e-7, 0.9)
    assert_rate(ran, 5.5e-6, success)
    assert success / 5.5e-6 == pytest.approx(rate_hz, rel=3e-3)
    expected = theory.single_click_fidelity(
        alpha, 2.8e-4, 4.2e-4, 5e-7, 0.9, math.radians(15), 0.04
    )
    assert ran.exact("alice.heard.fidelity") == pytest.approx(expected, rel=1e-3)
    assert ran.exact("alice.heard.fidelity") == pytest.approx(fidelity, rel=1e-3)
    assert ran.results["alice"] == pytest.approx(expected, rel=1e-6)
    assert predicted["success"]("alice-bob") == pytest.approx(success, rel=1e-6)
    assert predicted["attempt"]("alice-bob") == pytest.approx(5.5e-6)


def test_a_brighter_link_is_faster_and_worse() -> None:
    rates, fidelities = [], []
    for alpha in (0.05, 0.15, 0.45):
        quantum = f"length: 2 m, entangle: {{preset: delft_nv_2019, alpha: {alpha}}}"
        ran, _ = run(quantum, pairs=60)
        rates.append(1 / ran.series("alice.wait_s")["mean"])
        fidelities.append(ran.exact("alice.heard.fidelity"))
    assert rates == sorted(rates)
    assert fidelities == sorted(fidelities, reverse=True)


def test_strontium_ions_entangle_at_the_rate_and_fidelity_that_were_published() -> None:
    """Stephenson et al., PRL 124, 110501 (2020): 182 a second, F = 0.940, a herald in 2.18e-4 attempts."""
    ran, predicted = run("length: 2 m, entangle: {preset: oxford_sr_2020}", pairs=300, seed=5)
    success, attempt_s = predicted["success"]("alice-bob"), predicted["attempt"]("alice-bob")
    assert success == pytest.approx(2.18e-4, rel=1e-3)
    assert success / attempt_s == pytest.approx(182, rel=1e-3)
    assert_rate(ran, attempt_s, success)
    assert ran.exact("alice.heard.fidelity") == pytest.approx(0.940, abs=1e-9)


# --- double click, midpoint source ----------------------------------------------------------------

DOUBLE = (
    "length: 20 km, entangle: {kind: double_click, detection: {first: 0.3, second: 0.2}, "
    "detector: {dark_count_rate: 100 kHz, window: 50 ns}, visibility: 0.9}"
)


def test_a_double_click_link_succeeds_and_errs_as_the_closed_forms_say() -> None:
    ran, predicted = run(DOUBLE, pairs=600)
    dark = theory.dark_probability(1e5, 50)
    success = theory.double_click_success(0.3, 0.2, dark)
    attempt_s = predicted["attempt"]("alice-bob")
    assert attempt_s == pytest.approx(20 * 1.468 / 299_792.458, rel=1e-4)
    assert_rate(ran, attempt_s, success)
    # A state that is right in Z and X: F = 1 - e_x/2 - e_z/2 - e_y/2, where here e_y = e_x.
    flips = theory.double_click_flips(0.3, 0.2, dark)
    errors = theory.double_click_error(0.3, 0.2, dark, 0.9)
    assert ran.exact("bob.heard.fidelity") == pytest.approx(1 - errors - flips / 2, rel=1e-3)


def test_without_darks_a_double_click_pair_is_as_good_as_the_interference() -> None:
    quantum = (
        "entangle: {kind: double_click, detection: {first: 0.5, second: 0.5}, "
        "preparation: 1 us, visibility: 0.88}"
    )
    ran, _ = run(quantum)
    assert ran.exact("alice.heard.fidelity") == pytest.approx(theory.double_click_limit(0.88))


def test_a_midpoint_source_heralds_on_its_own_clock() -> None:
    quantum = (
        "length: 50 km, attenuation: 0.2 dB/km, entangle: {kind: midpoint_source, clock: 1 us, "
        "pair_probability: 0.01, pair_fidelity: 0.98, latching: {first: 0.8, second: 0.5}}"
    )
    ran, predicted = run(quantum, pairs=600)
    success = theory.midpoint_success(0.01, 0.8 * 10**-0.5, 0.5 * 10**-0.5)
    assert predicted["success"]("alice-bob") == pytest.approx(success, rel=1e-9)
    assert predicted["attempt"]("alice-bob") == pytest.approx(1e-6)
    waits, herald_s = ran.series("alice.wait_s"), 1.5 * 50 * 1.468 / 299_792.458
    expected_s = (1 / success - 1) * 1e-6 + herald_s
    assert_mean(waits["mean"], waits["count"], expected_s, 1e-6 * math.sqrt(1 - success) / success)
    assert ran.exact("alice.heard.fidelity") == pytest.approx(0.98)


# --- a station that is not in the middle ----------------------------------------------------------

ASIDE = (
    "length: 100 km, attenuation: 0 dB/km, entangle: {kind: %s, station: 0.2, "
    "detection: {first: 0.5, second: 0.5}, visibility: 0.9}"
)
KINDS = {
    "double_click": ASIDE % "double_click",
    "single_click": (ASIDE % "single_click").replace("visibility", "alpha: 0.3, visibility"),
    "midpoint_source": "length: 100 km, attenuation: 0 dB/km, entangle: {kind: midpoint_source, "
    "clock: 1 us, pair_probability: 1, pair_fidelity: 0.95, station: 0.2}",
}
MEMORIES = {"alice": "t1: 40 ms, t2: 20 ms", "bob": "t1: 8 ms, t2: 5 ms"}


@pytest.mark.parametrize("kind", KINDS)
def test_prediction_and_plane_agree_where_the_halves_are_of_different_age(kind: str) -> None:
    """The end that hears last sees what `pair()` predicts: both halves' decay, T1 and T2 at each end."""
    ran, predicted = run(KINDS[kind], pairs=3, memory=MEMORIES)
    # Of a station near alice she hears first; of a source near her, bob does: his half came late.
    last = "alice" if kind == "midpoint_source" else "bob"
    first = "bob" if last == "alice" else "alice"
    expected = predicted["pair"]("alice-bob")
    assert ran.exact(f"{last}.heard.fidelity") == pytest.approx(expected, abs=1e-9)
    assert ran.exact(f"{first}.heard.fidelity") > expected
    assert predicted["goodness"]("alice-bob") > expected


def test_at_each_herald_the_pair_has_dephased_for_as_long_as_its_photons_and_heralds_flew() -> None:
    """F = [1 + V exp(-t/T2 - t'/T2')]/2: alice hears 2 x 20 km after her emission, bob 2 x 80 km."""
    ran, _ = run(KINDS["double_click"], pairs=3, memory={"alice": "t2: 3 ms", "bob": "t2: 1 ms"})
    near_s, far_s = (length * 1.468 / 299_792.458 for length in (20, 80))
    assert ran.exact("alice.age_ns") == pytest.approx(2e9 * near_s, abs=2)
    assert ran.exact("bob.age_ns") == pytest.approx(2e9 * far_s, abs=2)
    for name, decay in (
        ("alice", 2 * near_s / 3e-3 + (near_s + far_s) / 1e-3),
        ("bob", (near_s + far_s) / 3e-3 + 2 * far_s / 1e-3),
    ):
        expected = (1 + 0.9 * math.exp(-decay)) / 2
        assert ran.exact(f"{name}.heard.fidelity") == pytest.approx(expected, rel=1e-4)


# --- raw pairs ------------------------------------------------------------------------------------


class RawEnd(Agent):
    """Pairs as they were heralded; alice corrects by hand. Returns the Bell states."""

    async def run(self, peer: str, pairs: int) -> list[int]:
        bells = []
        for _ in range(pairs):
            pair = await self.entangle(peer, raw=True)
            bells.append(pair.bell)
            if self.name == "alice":
                await self.probe("asis", pair)
                z, x = pair.bell >> 1, pair.bell & 1
                pair.shift(z, x)
                await pair.correct()
                await self.probe("byhand", pair)
            await self.compute("1 ms")
            await pair.discard()
        return bells


@pytest.mark.parametrize("kind", ["single_click", "double_click"])
def test_both_ends_hear_of_the_same_bell_state_and_correcting_by_hand_gives_phi_plus(
    kind: str,
) -> None:
    quantum = KINDS[kind].replace("length: 100 km", "length: 1 km").replace("station: 0.2, ", "")
    ran, predicted = run(quantum, pairs=40, kind=RawEnd)
    assert ran.results["alice"] == ran.results["bob"]
    assert {BELL_NAMES[bell] for bell in ran.results["alice"]} == {"Psi+", "Psi-"}
    expected = predicted["pair"]("alice-bob")
    assert ran.exact("alice.byhand.fidelity") == pytest.approx(expected, abs=1e-9)
    assert ran.series("alice.asis.fidelity")["max"] < expected - 0.3


def test_correlations_of_a_raw_pair_are_those_of_its_bell_state() -> None:
    quantum = KINDS["double_click"].replace("visibility: 0.9", "visibility: 1")
    ran, _ = run(quantum, pairs=30, kind=Measuring)
    for (bell, axis, mine), (_, _, yours) in zip(
        ran.results["alice"], ran.results["bob"], strict=True
    ):
        flips = {"Z": bell & 1, "X": bell >> 1}
        assert mine ^ yours == flips[axis]


class Measuring(Agent):
    """Raw pairs measured by turns in Z and in X."""

    async def run(self, peer: str, pairs: int) -> list[tuple[int, str, int]]:
        outcomes = []
        for number in range(pairs):
            pair = await self.entangle(peer, raw=True)
            axis = "ZX"[number % 2]
            outcomes.append((pair.bell, axis, await pair.measure(axis)))
        return outcomes
