"""Photon-number splitting: no error and no key without decoys; with decoys their gains give it away."""

from __future__ import annotations

import pytest

from qnetem.agents.protocols.qkd.processing.estimation import (
    Counts,
    Epsilons,
    Estimate,
    of_decoys,
    of_pulses,
)
from qnetem.closed_forms import several_photons

from ..physics.bench import Ran, play, program
from .ends import Alice, Bob, decoy_counts

MEANS, SHARES = [0.5, 0.1, 0.0], [0.5, 0.3, 0.2]
EPSILONS = Epsilons(1e-6, 1e-12)
PULSES = 12_000_000


def trains(means: list[float], shares: list[float], attacked: bool, pulses: int) -> Ran:
    fault = "{at: 0 s, eavesdrop: alice-bob, by: eve, lossless: true}" if attacked else ""
    return play(f"""
nodes:
  alice:
    program: "{program(Alice)}"
    with: {{pulses: {pulses}}}
    source: {{rate: 1 GHz, intensities: {means}, probabilities: {shares}}}
  bob: {{program: "{program(Bob)}", detector: {{efficiency: 0.5}}}}
  eve:
    kind: eavesdropper
    program: "qnetem.agents.roles.eavesdroppers.photon_number_splitting:PhotonNumberSplitting"
    with: {{first: alice, second: bob, mean: 0.5, transmittance: 0.1, efficiency: 0.5}}
    service: true
links: [{{between: [alice, bob], quantum: {{length: 50 km, attenuation: 0.2 dB/km, depolarising: 0.02}}}}]
faults: [{fault}]
""")


def of_single_intensity(attacked: bool) -> Estimate:
    ran = trains([0.5], [1.0], attacked, 1_000_000)
    ((kept, _),) = ran.results["alice"]["Z"]
    ((compared, errors),) = ran.results["alice"]["X"]
    counts = Counts(kept=kept, compared=compared, errors=errors)
    # Only pulses that both ends prepared and measured in one basis are counted: the least there were.
    each = 1_000_000 // 4
    several = several_photons(0.5)
    return of_pulses(
        counts, 0.0, EPSILONS, key_pulses=each, check_pulses=each, several=several
    )  # fmt: skip


def test_without_decoys_the_qber_stays_and_accounting_leaves_no_key() -> None:
    honest, split = of_single_intensity(False), of_single_intensity(True)
    assert honest.qber == pytest.approx(0.01, abs=0.005)
    assert split.qber == pytest.approx(0.01, abs=0.005)
    assert (honest.length, split.length) == (0, 0)


def test_with_decoys_the_key_is_gone_when_and_only_when_pulses_are_split() -> None:
    lengths = {}
    for attacked in (False, True):
        ran = trains(MEANS, SHARES, attacked, PULSES)
        counts = decoy_counts(ran.results["alice"], MEANS, SHARES)
        found = of_decoys(counts, 0.0, EPSILONS)
        assert sum(counts.key_errors) / sum(counts.key_clicks) == pytest.approx(0.01, abs=0.005)
        lengths[attacked] = found.length
    assert lengths[False] > 1000
    assert lengths[True] == 0
