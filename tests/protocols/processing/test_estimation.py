"""Estimation: lengths that hold for photon numbers that were drawn, and never more than rates allow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.agents.protocols.qkd.processing.estimation import (
    Counts,
    DecoyCounts,
    Epsilons,
    most_of,
    of_decoys,
    of_pairs,
    of_pulses,
)
from qnetem.emulator.closed_forms import finite_decoy, qkd
from qnetem.emulator.closed_forms.qkd import binary_entropy
from qnetem.emulator.errors import InputError

EPSILONS = Epsilons(1e-10, 1e-15)
ONE = ((0.5, 0.15), (0.7, 0.3))
TWO = ((0.5, 0.15, 1e-3), (0.7, 0.2, 0.1))
ERROR, DARK = 0.01, 1e-6


def drawn(
    of: tuple[tuple[float, ...], tuple[float, ...]], pulses: int, seed: int, eta: float = 0.02
) -> tuple[DecoyCounts, int]:
    """(counts, clicks of single photons in the key) for drawn photon numbers; 4/5 in one basis."""
    rng = np.random.default_rng(seed)
    bases: dict[str, list[list[int]]] = {"key": [], "check": []}
    single = 0
    for k, p in zip(*of, strict=True):
        for name, share in (("key", 0.64), ("check", 0.04)):
            clicks = errors = 0
            for photons in range(8):
                chance = p * math.exp(-k) * k**photons / math.factorial(photons)
                sent = rng.binomial(pulses, share * chance)
                seen = 1 - (1 - 2 * DARK) * (1 - eta) ** photons
                wrong = (DARK + ERROR * (1 - (1 - eta) ** photons)) / seen
                here = int(rng.binomial(sent, seen))
                clicks, errors = clicks + here, errors + int(rng.binomial(here, wrong))
                single += here if photons == 1 and name == "key" else 0
            bases[name].append([clicks, errors])
    columns: dict[str, Any] = {
        f"{name}_{what}": [row[place] for row in rows]
        for name, rows in bases.items()
        for place, what in enumerate(("clicks", "errors"))
    }
    return DecoyCounts(intensities=of[0], probabilities=of[1], **columns), single


def leak(counts: DecoyCounts) -> float:
    clicks = sum(counts.key_clicks)
    return 1.16 * clicks * binary_entropy(sum(counts.key_errors) / clicks)


@pytest.mark.parametrize("of", [ONE, TWO])
@pytest.mark.parametrize("pulses", [10**6, 10**8, 10**10])
def test_single_photons_and_phase_errors_are_bounded_for_drawn_photon_numbers(
    of: tuple[tuple[float, ...], tuple[float, ...]], pulses: int
) -> None:
    true_error = (DARK + ERROR * 0.02) / (1 - (1 - 2 * DARK) * 0.98)
    for seed in range(10):
        counts, single = drawn(of, pulses, seed)
        found = of_decoys(counts, leak(counts), EPSILONS)
        assert found.single <= single and found.phase_error > true_error
        assert found.length < single * (1 - binary_entropy(true_error))
    assert found.length == 0 if pulses == 10**6 else pulses < 10**10 or found.length > 0
    assert found.method == ("one decoy" if of is ONE else "two decoys")


@pytest.mark.parametrize("of", [ONE, TWO])
def test_a_key_of_counts_is_below_the_asymptotic_key_of_the_same_system(
    of: tuple[tuple[float, ...], tuple[float, ...]],
) -> None:
    link = qkd.DecoyLink(0.2, 0.02, 2 * DARK, ERROR, f=1.16, sifting=1.0)
    for pulses in (10**7, 10**9, 10**11):
        counts, _ = drawn(of, pulses, 3)
        rates = zip(*of, strict=True)
        empty = math.fsum(p * math.exp(-k) for k, p in zip(*of, strict=True)) * 2 * DARK
        most = 0.64 * (math.fsum(p * link.rate(k, 0.0) for k, p in rates) + empty)
        assert of_decoys(counts, leak(counts), EPSILONS).length < most * pulses


def test_the_length_is_that_of_the_closed_form_with_what_was_really_leaked() -> None:
    counts, _ = drawn(TWO, 10**9, 1)
    block = finite_decoy.DecoyBlock(
        *TWO,
        tuple(counts.key_clicks),
        tuple(counts.check_clicks),
        tuple(counts.check_errors),
        sum(counts.key_errors) / sum(counts.key_clicks),
    )
    key = finite_decoy.decoy_key(block, 1e-10, 1e-15, 1.16)
    assert of_decoys(counts, leak(counts), EPSILONS).length == key.length > 0


def test_the_published_block_of_single_photons() -> None:
    counts = Counts(kept=10**6, compared=10**5, errors=2000)
    told = 1.1 * 10**6 * binary_entropy(0.02)
    found = of_pairs(counts, told, EPSILONS, bound="serfling")
    assert found.length == pytest.approx(618_856, rel=1e-3)
    assert found.phase_error == pytest.approx(0.02 + 0.016387, rel=1e-3)
    assert of_pairs(counts, told, EPSILONS).length > found.length


@settings(max_examples=60)
@given(st.integers(0, 10**7), st.integers(0, 10**6), st.floats(0, 0.6), st.floats(0, 1e6))
def test_no_sample_gives_more_than_its_error_rate_allows(
    kept: int, compared: int, rate: float, told: float
) -> None:
    counts = Counts(kept=kept, compared=compared, errors=int(rate * compared))
    lengths = []
    for bound in ("serfling", "hypergeometric"):
        found = of_pairs(counts, told, EPSILONS, bound=bound)  # type: ignore[arg-type]
        qber = min(0.5, found.qber)
        assert 0 <= found.length <= max(0.0, kept * (1 - binary_entropy(qber)) - told)
        lengths.append(found.length)
    assert lengths[0] <= lengths[1]


def test_a_laser_without_decoys_gives_a_key_over_a_short_line_only() -> None:
    """1e9 pulses a basis: with a transmittance of 0.3 the key of GLLP is near, with 0.02 none is left."""
    mu, pulses = 0.1, 10**9
    several = qkd.several_photons(mu)
    keys = []
    for eta in (0.9, 0.3, 0.02):
        clicks = int(pulses * qkd.gain(mu, eta, 0.0))
        counts = Counts(kept=clicks, compared=clicks, errors=clicks // 100)
        told = 1.16 * clicks * binary_entropy(0.01)
        pulsed = {"key_pulses": pulses, "check_pulses": pulses}
        found = of_pulses(counts, told, EPSILONS, several=several, **pulsed)
        asymptotic = pulses * qkd.gllp_rate(mu, qkd.gain(mu, eta, 0.0), 0.01, f=1.16, sifting=1.0)
        assert found.length <= max(0.0, asymptotic)
        assert found.length < of_pulses(counts, told, EPSILONS, several=0.0, **pulsed).length
        keys.append(found.length / max(1.0, asymptotic))
    assert keys[0] > 0.95 and keys[1] > 0.9 and keys[2] == 0


def test_single_photons_are_counted_as_pairs_are() -> None:
    counts = Counts(kept=10**5, compared=10**4, errors=100)
    pulsed = of_pulses(counts, 0, EPSILONS, several=0.0, key_pulses=10**6, check_pulses=10**5)
    assert pulsed == of_pairs(counts, 0, EPSILONS)


def test_pulses_need_a_number_for_their_photons() -> None:
    counts = Counts(kept=10, compared=10, errors=0)
    with pytest.raises(TypeError, match="several"):
        of_pulses(counts, 0, EPSILONS, key_pulses=10, check_pulses=10)  # type: ignore[call-arg]


@settings(max_examples=40)
@given(st.integers(1, 300), st.floats(1e-4, 0.9), st.sampled_from([1e-2, 1e-6, 1e-20]))
def test_a_number_is_exceeded_as_seldom_as_stated(trials: int, chance: float, limit: float) -> None:
    most = most_of(trials, chance, limit)
    above = math.fsum(
        math.comb(trials, n) * chance**n * (1 - chance) ** (trials - n)
        for n in range(most + 1, trials + 1)
    )
    assert above <= limit * (1 + 1e-9)


@pytest.mark.parametrize("errors", [0.12, 0.25, 0.5])
def test_too_many_errors_leave_nothing(errors: float) -> None:
    counts = Counts(kept=10**6, compared=10**5, errors=int(errors * 10**5))
    assert of_pairs(counts, 10**6 * binary_entropy(errors), EPSILONS).length == 0


def test_nothing_counted_is_no_key() -> None:
    assert of_pairs(Counts(kept=0, compared=0, errors=0), 0, EPSILONS).length == 0
    zeros: dict[str, Any] = dict.fromkeys(
        ("key_clicks", "key_errors", "check_clicks", "check_errors"), (0, 0, 0)
    )
    nothing = DecoyCounts(intensities=TWO[0], probabilities=TWO[1], **zeros)
    assert of_decoys(nothing, 0, EPSILONS).length == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"key_errors": (2, 0, 0)}, "more errors than bits"),
        ({"check_clicks": (1, 1)}, "another number of intensities"),
        ({"intensities": (0.1, 0.5, 0.0)}, "must fall"),
        ({"probabilities": (0.5, 0.3, 0.1)}, "must sum to 1"),
    ],
)
def test_counts_that_cannot_be_are_refused(changed: dict[str, Any], message: str) -> None:
    counts: dict[str, Any] = {
        "intensities": TWO[0],
        "probabilities": TWO[1],
        "key_clicks": (1, 1, 1),
        "key_errors": (1, 0, 0),
        "check_clicks": (1, 1, 1),
        "check_errors": (0, 0, 0),
    }
    with pytest.raises(InputError, match=message):
        DecoyCounts(**(counts | changed))


def test_other_arguments_that_cannot_be_are_refused() -> None:
    counts = Counts(kept=10, compared=10, errors=0)
    with pytest.raises(InputError, match="more errors than bits"):
        Counts(kept=10, compared=10, errors=11)
    with pytest.raises(InputError, match="-1 bits were kept"):
        Counts(kept=-1, compared=10, errors=0)
    with pytest.raises(InputError, match="-1 bits were leaked"):
        of_pairs(counts, -1, EPSILONS)
    with pytest.raises(InputError, match="fewer pulses were sent"):
        of_pulses(counts, 0, EPSILONS, several=0.0, key_pulses=9, check_pulses=10)
    with pytest.raises(InputError, match="must be a probability"):
        of_pulses(counts, 0, EPSILONS, several=1.0, key_pulses=10, check_pulses=10)
    with pytest.raises(InputError, match="probabilities of failure"):
        Epsilons(0.0, 1e-15)
