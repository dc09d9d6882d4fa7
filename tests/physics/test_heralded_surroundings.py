"""Heralded links in drifting surroundings and beside classical channels, end to end, beside theory."""

from __future__ import annotations

import math

import pytest

from qnetem import Agent
from qnetem.emulator.errors import TopologyError
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.optics import raman
from qnetem.expect.predictions import functions

from .bench import Ran, assert_mean, attempt, play, program

NODES = """
nodes:
  alice: {{program: "{kind}", with: {{peer: bob, pairs: {pairs}, period: {period}}}}}
  bob: {{program: "{kind}", with: {{peer: alice, pairs: {pairs}, period: {period}}}}}
links:
  - {{between: [alice, bob], quantum: {{{quantum}}}}}
"""


class Punctual(Agent):
    """A pair at each half of a period: asked for at the same time after every multiple of it."""

    async def run(self, peer: str, pairs: int, period: float) -> float:
        for _ in range(pairs):
            period_ns = round(period * 1e9)
            due_ns = self.now_ns - self.now_ns % period_ns + period_ns + period_ns // 2
            await self.compute(f"{due_ns - self.now_ns} ns")
            pair = await self.entangle(peer)
            await self.probe("heard", pair)
            await self.compute("100 us")  # the other end has heard, and looked, too
            await pair.discard()
        return pair.goodness


def text(quantum: str, pairs: int, period_s: float) -> str:
    return NODES.format(kind=program(Punctual), pairs=pairs, period=period_s, quantum=quantum)


def run(quantum: str, pairs: int = 200, period_s: float = 0.01, seed: int = 1) -> Ran:
    return play(text(quantum, pairs, period_s), seed)


#: Half a dozen attempts of a microsecond to a pair.
SINGLE = "kind: single_click, alpha: 0.1, detection: {first: 0.9, second: 0.9}, preparation: 1 us"


def test_a_stabilised_phase_leaves_exp_minus_half_d_t_of_a_single_click_pairs_coherence() -> None:
    """300 pairs, each 5 ms after its phase was set: V = exp(-D t/2)."""
    drift, pairs = 80.0, 300
    quantum = (
        f"length: 100 m, environment: {{grid: 1 ms, phase_drift: {drift} rad2/s}}, "
        f"entangle: {{{SINGLE}, stabilisation: 10 ms}}"
    )
    ran = run(quantum, pairs, seed=2)
    aligned = float(ran.results["alice"])
    # F = p + c cos(phi), and without a phase all that is not coherent is the two bright states'.
    topology = parse_topology(f"name: bench\n{text(quantum, 1, 0.01)}")
    assert functions(topology)["goodness"]("alice-bob") == pytest.approx(aligned)
    swing = (
        aligned / 2
    )  # both populations of Phi+ are as large as their coherence: nothing else dephases
    variance = drift * 5e-3
    mean = aligned / 2 + swing * math.exp(-variance / 2)
    std = swing * math.sqrt((1 + math.exp(-2 * variance)) / 2 - math.exp(-variance))
    series = ran.series("alice.heard.fidelity")
    assert series["count"] == pairs
    assert_mean(series["mean"], pairs, mean, std)


def test_polarisation_drift_wears_down_the_interference_of_double_clicks() -> None:
    """One walk, so at one time one overlap: that of its seed, as the plane's own light sees it."""
    quantum = (
        "length: 100 m, attenuation: 0 dB/km, "
        "environment: {grid: 1 ms, polarisation_drift: 20 rad2/s}, "
        "entangle: {kind: double_click, detection: {first: 1, second: 1}, preparation: 1 us}"
    )
    network, outcome = attempt(text(quantum, 1, 0.2), seed=4)
    assert outcome.problem is None, outcome.problem
    turn = network.world.quantum.light_channel("alice-bob").at(300_000_000, "alice").noise
    assert turn is not None
    overlap = (1 + turn[3, 3]) / 2
    assert 0.05 < overlap < 0.95
    found = outcome.metrics["alice.heard.fidelity"]["mean"]
    assert found == pytest.approx((1 + overlap) / 2, abs=1e-9)


def test_midpoint_pairs_are_turned_by_the_fibre_as_light_from_end_to_end_is() -> None:
    quantum = (
        "length: 100 m, attenuation: 0 dB/km, "
        "environment: {grid: 1 ms, polarisation_drift: 5 rad2/s}, "
        "entangle: {kind: midpoint_source, clock: 1 us, pair_probability: 1}"
    )
    network, outcome = attempt(text(quantum, 1, 0.2), seed=4)
    assert outcome.problem is None, outcome.problem
    turn = network.world.quantum.light_channel("alice-bob").at(300_000_000, "alice").noise
    assert turn is not None
    # F of (1 x U) Phi+ is |tr U|^2/4 = (1 + tr R)/4.
    expected = float(turn.trace()) / 4
    assert expected < 0.95
    found = outcome.metrics["alice.heard.fidelity"]["mean"]
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_simple_links_pairs_are_what_the_topology_says_in_any_weather() -> None:
    quantum = (
        "length: 100 m, environment: {grid: 1 ms, polarisation_drift: 50 rad2/s, "
        "phase_drift: 50 rad2/s}, entangle: {success: 0.5, fidelity: 0.9, attempt: 1 us}"
    )
    assert run(quantum, 20).exact("alice.heard.fidelity") == pytest.approx(0.9, abs=1e-9)


def test_classical_channels_beside_a_link_cost_fidelity_as_dark_counts_do() -> None:
    """Noise per gate and detector P lambda/(h c) t_gate eta_det / 2, at 1550 nm if nothing is said."""
    link = (
        "length: 20 km, attenuation: 0.2 dB/km, {more}entangle: {{kind: single_click, alpha: 0.05, "
        "emitter: {{collection: 0.5}}, detector: {{efficiency: 0.8, window: 10 ns{darks}}}}}"
    )
    # Forward from one arm, and backward from the other what light is left after the first: 10 km each.
    alpha = raman.attenuation_per_km(0.2)
    forward_km = 10 * math.exp(-alpha * 10)
    backward_km = math.exp(-alpha * 10) * (1 - math.exp(-2 * alpha * 10)) / (2 * alpha)
    noise_w = 1e-6 * 3e-9 * 0.2 * (forward_km + backward_km)
    rate_hz = noise_w * 1550e-9 / (6.62607015e-34 * 299_792_458) * 0.8 / 2
    assert 1e-5 < rate_hz * 10e-9 < 1e-3
    lit = "coexistence: {filter: 0.2 nm, channels: [{power: -30 dBm, rho: 3e-9 /km/nm}]}, "
    beside = run(link.format(more=lit, darks=""), pairs=5)
    darks = run(link.format(more="", darks=f", dark_count_rate: {rate_hz!r} Hz"), pairs=5)
    alone = run(link.format(more="", darks=""), pairs=5)
    heard = [ran.exact("alice.heard.fidelity") for ran in (beside, darks, alone)]
    assert heard[0] == pytest.approx(heard[1], abs=1e-9)
    assert heard[0] < heard[2] - 1e-5
    assert beside.series("alice.heard.fidelity") == pytest.approx(
        darks.series("alice.heard.fidelity")
    )


@pytest.mark.parametrize("formalism", ["bell_diagonal", "stabilizer"])
@pytest.mark.parametrize(
    "entangle",
    [
        f"{SINGLE}, stabilisation: 10 ms",
        "kind: double_click, detection: {first: 0.9, second: 0.9}, preparation: 1 us",
        "kind: midpoint_source, clock: 1 us, pair_probability: 1",
    ],
)
def test_formalisms_of_pauli_noise_carry_drifted_pairs_twirled_or_say_why_not(
    formalism: str, entangle: str
) -> None:
    quantum = (
        "length: 100 m, environment: {grid: 1 ms, phase_drift: 80 rad2/s, polarisation_drift: 5 rad2/s}, "
        f"entangle: {{{entangle}}}"
    )
    drifting = f"formalism: {formalism}\n{text(quantum, 10, 0.01)}"
    ran = play(f"approximate: twirl\n{drifting}")
    assert ran.count("links.alice-bob.pairs") == 10
    with pytest.raises(TopologyError, match=formalism):
        play(drifting)


# --- determinism ----------------------------------------------------------------------------------


def test_one_seed_has_one_digest_and_another_drift_another() -> None:
    quantum = (
        "length: 100 m, environment: {grid: 1 ms, phase_drift: 80 rad2/s}, "
        f"entangle: {{{SINGLE}, stabilisation: 10 ms}}"
    )
    first = run(quantum, 10)
    assert run(quantum, 10).digest == first.digest
    assert run(quantum, 10).outcome.metrics == first.outcome.metrics
    faster = run(quantum.replace("80 rad2", "90 rad2"), 10)
    assert faster.series("alice.heard.fidelity") != first.series("alice.heard.fidelity")
