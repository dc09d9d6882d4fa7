"""Pairs that are counted: the numbers of arms that are looked at slot by slot, and those of theory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.agents.protocols.qkd.coincidences import coincidences
from qnetem.agents.protocols.qkd.e91 import ALICE_DEG, BOB_DEG, axes_of
from qnetem.emulator.closed_forms.pair_streams import PairStream
from qnetem.emulator.devices.detectors import FWHM_PER_SIGMA, Detector
from qnetem.emulator.devices.sources import Pairs
from qnetem.emulator.errors import InputError
from qnetem.emulator.optics.detection import PulseReceiver, Receiver, Trouble
from qnetem.emulator.optics.pair_counting import (
    CountedPairs,
    PairCounts,
    SeenArm,
    count_pairs,
    seen_arm,
)
from qnetem.emulator.optics.pairs import PairTrain
from qnetem.emulator.optics.pulses import PulseChannel, PulseTrain, effects_along, pulse_channel

SLOTS = 1 << 21
TROUBLES = (Trouble(300_000, 700_000, 2e6, False), Trouble(1_500_000, 1_700_000, 0.0, True))
#: Half of the train loses more, and turns.
CHANNELS = (
    pulse_channel([0.5, 0.2], [np.eye(4), np.diag([1, 0.9, 0.9, 0.9])], starts=[0, 900_000]),
    pulse_channel(0.3, np.diag([1, 0.95, 0.93, 0.9]), spread_ps=150.0, gate_ps=800.0),
)


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def receivers(splitting: tuple[float, float] | None) -> tuple[Receiver, Receiver]:
    near = Detector(
        0.6, 2e5, dead_time_ps=5000, afterpulse_probability=0.02, afterpulse_decay_ps=3000
    )
    far = Detector(0.8, 1e5, jitter_fwhm_ps=600)
    return Receiver(near, splitting=splitting), Receiver(far, splitting=splitting)


def looked_at(pairs: Pairs, splitting: tuple[float, float] | None) -> PairCounts:
    train, seed = PairTrain(pairs, 0.95, generator(1)), 10
    block, clicks = train.block(), []
    for arm, (receiver, channel) in enumerate(zip(receivers(splitting), CHANNELS, strict=True)):
        bases = None if splitting else generator(seed + arm).integers(0, 2, SLOTS)
        light = PulseTrain.of(train.arm(block, arm, 0, SLOTS), 1000).through(channel)
        at_work = PulseReceiver(receiver, 1000, generator(seed + 5 + arm))
        clicks.append(at_work.detect(light, bases, troubles=TROUBLES if arm else ()))
    one, other = clicks
    mine, its = coincidences(one.slots, other.slots)
    found = np.zeros((2, 2, 2), dtype=np.int64)
    np.add.at(found, (one.bases[mine], other.bases[its], one.bits[mine] ^ other.bits[its]), 1)
    singles = (np.bincount(one.bases, minlength=2), np.bincount(other.bases, minlength=2))
    return PairCounts(singles, found.sum(axis=-1), found[..., 1])


def arms(
    pairs: CountedPairs, size: int, seen: tuple[Receiver, Receiver], channels: tuple[PulseChannel, ...],
    shares: tuple[float, ...] | None, troubles: tuple[Trouble, ...] = (),
) -> tuple[SeenArm, SeenArm]:  # fmt: skip
    lights = [pairs.arm(0, size).with_channel(pairs.sent.then(each)) for each in channels]
    first = seen_arm(lights[0], seen[0], shares)
    return first, seen_arm(lights[1], seen[1], shares, troubles=troubles)


@pytest.mark.parametrize("splitting", [None, (0.5, 0.5)], ids=["active", "passive"])
@pytest.mark.parametrize("statistics", ["poisson", "thermal", "polarisation"])
def test_counts_are_those_of_arms_slot_by_slot(
    statistics: str, splitting: tuple[float, float] | None
) -> None:
    """Bright light, so that several pairs of a slot count; gates, dead times, afterpulses, faults."""
    source = Pairs(0.2, statistics)
    pairs = CountedPairs(source, 0.95, 1000, True, generator(5))
    shares = None if splitting else (0.5, 0.5)
    drawn = count_pairs(*arms(pairs, SLOTS, receivers(splitting), CHANNELS, shares, TROUBLES))
    seen = looked_at(source, splitting)
    assert seen.coincidences.min() > 1500
    counts = [(*each.singles, each.coincidences, each.errors) for each in (drawn, seen)]
    for ours, theirs in zip(*counts, strict=True):
        assert (np.abs(ours - theirs) <= 4 * np.sqrt(ours + theirs)).all(), (ours, theirs)


def test_without_a_clock_they_are_those_of_theory() -> None:
    """A thousand seconds of a source of time tags: rate, errors and accidentals of a window."""
    rate_hz, eta, dark_hz, jitter_ns = 2e6, (0.02, 0.05), (400.0, 900.0), (0.3, 0.4)
    detectors = [
        Detector(1.0, dark / 2, dead_time_ps=50_000, jitter_fwhm_ps=sigma * 1000 * FWHM_PER_SIGMA)
        for dark, sigma in zip(dark_hz, jitter_ns, strict=True)
    ]
    pairs = CountedPairs(Pairs(rate_hz * 1e-12, "poisson"), 0.94, 1, False, generator(3))
    both = Receiver(detectors[0]), Receiver(detectors[1])
    channels = tuple(map(pulse_channel, eta))
    found = count_pairs(*arms(pairs, 10**15, both, channels, (0.5, 0.5)), width=2000)
    theory = PairStream(rate_hz, *eta, *dark_hz, (1 - (4 * 0.94 - 1) / 3) / 2, 2.0,
                        math.hypot(*jitter_ns), 50.0, detectors=2)  # fmt: skip
    for counts, rate in zip(found.singles, theory.singles_hz(), strict=True):
        assert counts.sum() == pytest.approx(1000 * rate, rel=2e-3)
    sifted, errors = np.trace(found.coincidences), np.trace(found.errors)
    assert sifted == pytest.approx(
        1000 * theory.raw_hz(), abs=3 * math.sqrt(1000 * theory.raw_hz())
    )
    wrong = sifted * theory.qber()
    assert errors == pytest.approx(wrong, abs=3 * math.sqrt(wrong))


def test_angles_give_bells_inequality() -> None:
    """S = 2 sqrt(2) V of Werner pairs of fidelity 0.907, from counts at E91's angles."""
    pairs = CountedPairs(Pairs(1e-5, "poisson"), 0.907, 1, False, generator(8))
    ideal, channel, shares = Receiver(Detector(1.0)), pulse_channel(1e-2), (0.5, 0.0, 0.5)
    one, other = (
        seen_arm(pairs.arm(0, 10**15).with_channel(pairs.sent.then(channel)), ideal, shares,
                 effects_along(axes_of(degrees)))
        for degrees in (ALICE_DEG, BOB_DEG)
    )  # fmt: skip
    found = count_pairs(one, other)
    assert found.coincidences[1].sum() == found.coincidences[:, 1].sum() == 0
    kept = np.ix_([0, 2], [0, 2])
    correlations = 1 - 2 * found.errors[kept] / found.coincidences[kept]
    s = correlations[0, 0] - correlations[0, 1] + correlations[1, 0] + correlations[1, 1]
    assert s == pytest.approx(2 * math.sqrt(2) * (4 * 0.907 - 1) / 3, abs=0.02)


def test_where_one_end_sees_nothing_there_are_no_coincidences_but_by_chance() -> None:
    pairs = CountedPairs(Pairs(0.01, "poisson"), 1.0, 1000, True, generator(2))
    noisy = Receiver(Detector(1.0, 1e4)), Receiver(Detector(1.0, 1e4))
    dark = (pulse_channel(0.1), pulse_channel(0.0))
    found = count_pairs(*arms(pairs, 10**9, noisy, dark, (1.0,)))
    by_chance = found.singles[0].sum() * found.singles[1].sum() / 10**9
    assert found.coincidences.sum() == pytest.approx(by_chance, abs=4 * math.sqrt(by_chance))
    blind = (Trouble(0, 10**9, 0.0, True),)
    seen = count_pairs(*arms(pairs, 10**9, noisy, dark, (1.0,), blind))
    assert seen.coincidences.sum() == seen.singles[1].sum() == 0 < seen.singles[0].sum()


def test_arms_that_do_not_belong_together_are_refused() -> None:
    one, other = (CountedPairs(Pairs(0.1, "poisson"), 1.0, 1000, True, generator(2)) for _ in "12")
    ideal = Receiver(Detector(1.0))
    first, second = (
        seen_arm(one.arm(0, 10), ideal, (1.0,)),
        seen_arm(other.arm(0, 10), ideal, (1.0,)),
    )
    with pytest.raises(InputError, match="different trains"):
        count_pairs(first, second)
    with pytest.raises(InputError, match="a window of 5 slots"):
        count_pairs(first, seen_arm(one.arm(0, 10), ideal, (1.0,)), width=5)
