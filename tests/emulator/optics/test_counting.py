"""Trains that are only counted: the same clicks and errors as slot by slot."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.closed_forms import qkd
from qnetem.emulator.devices.detectors import Detector
from qnetem.emulator.devices.sources import SinglePhoton, Source, WeakCoherent, decoy_table
from qnetem.emulator.optics.counting import ClickCounter, ClickCounts, CountedLight
from qnetem.emulator.optics.detection import PulseReceiver, Receiver, Trouble
from qnetem.emulator.optics.pulses import (
    NO_CHANNEL,
    Light,
    PulseChannel,
    PulseTrain,
    misalignment,
    pulse_channel,
)

SLOTS = 1 << 21
SHARES = (0.6, 0.3, 0.1)
BASES, CHOICES = (0.7, 0.3), (0.55, 0.45)


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def slot_by_slot(
    receiver: Receiver,
    period_ps: int,
    table: tuple[Source, ...],
    channel: PulseChannel,
    troubles: list[Trouble],
    seed: int = 3,
) -> ClickCounts:
    rng = generator(seed)
    shares = SHARES if len(table) > 1 else (1.0,)
    bases = (rng.random(SLOTS) >= BASES[0]).astype(np.uint8)
    bits = rng.integers(0, 2, SLOTS, dtype=np.uint8)
    settings = rng.choice(len(table), SLOTS, p=shares).astype(np.uint8)
    chosen = None
    if receiver.splitting is None:
        chosen = (rng.random(SLOTS) >= CHOICES[0]).astype(np.uint8)
    train = PulseTrain.of(Light(0, bases, bits, settings, table, NO_CHANNEL), period_ps)
    clicks = PulseReceiver(receiver, period_ps, rng).detect(
        train.through(channel), chosen, (), troubles
    )
    at = clicks.slots
    cell = (settings[at] * 2 + bases[at]) * 2 + clicks.bases
    wrong = clicks.bits != bits[at]
    shape = (len(table), 2, 2)
    return ClickCounts(
        np.bincount(cell, minlength=len(table) * 4).reshape(shape),
        np.bincount(cell[wrong], minlength=len(table) * 4).reshape(shape),
    )


def counted(
    receiver: Receiver,
    period_ps: int,
    table: tuple[Source, ...],
    channel: PulseChannel,
    troubles: list[Trouble],
    slots: int = SLOTS,
) -> ClickCounts:
    shares = SHARES if len(table) > 1 else (1.0,)
    light = CountedLight(0, slots, channel, BASES, shares, table)
    choices = CHOICES if receiver.splitting is None else None
    return ClickCounter(receiver, period_ps, generator(8), choices).count(light, troubles)


DECOYS = decoy_table(0.48, 0.1, 0.0)
CHANNEL = pulse_channel(0.6, misalignment(0.2, 0.01))
DRIFT = pulse_channel(
    [0.6, 0.2, 0.5],
    np.stack([misalignment(angle) for angle in (0.0, 0.7, 0.2)]),
    starts=[0, 300_000, 1_200_000],
)
FAULT = [
    Trouble(400_000, 900_000, dark_count_rate_hz=3e6),
    Trouble(1_000_000, 1_300_000, blind=True),
]
CASES: dict[str, tuple[Any, ...]] = {
    "gys": (Receiver(Detector(0.045, 850, gate_ps=1000)), 500_000, DECOYS, CHANNEL, []),
    "faults and drift": (Receiver(Detector(0.3, 1e4)), 1000, DECOYS, DRIFT, FAULT),
    "dead time": (Receiver(Detector(0.5, 1e4, dead_time_ps=25_300)), 1000, DECOYS, DRIFT, FAULT),
    "paralysable": (
        Receiver(Detector(0.4, dead_time_ps=9_000, paralysable=True)),
        1000,
        DECOYS,
        CHANNEL,
        [],
    ),
    "lim_2014": (
        Receiver(Detector(0.1, 600, 50_000, afterpulse_probability=0.04, gate_ps=1000)),
        1000,
        DECOYS,
        CHANNEL,
        [],
    ),
    "afterpulses": (
        Receiver(Detector(0.4, 0, 7_500, False, 0.2, 12_000)),
        1000,
        DECOYS,
        CHANNEL,
        [],
    ),
    "afterpulses that paralyse": (
        Receiver(Detector(0.3, 0, 7_500, True, 0.2, 12_000)),
        1000,
        DECOYS,
        CHANNEL,
        [],
    ),
    "beam splitter": (
        Receiver(Detector(0.5, 1e6), 0.8, 0.001, (0.7, 0.3)),
        1000,
        DECOYS,
        CHANNEL,
        [],
    ),
    "bright": (Receiver(Detector(0.9)), 1000, (WeakCoherent(3.0),), CHANNEL, []),
    "single photons": (Receiver(Detector(0.5)), 1000, (SinglePhoton(0.7, 0.1),), CHANNEL, []),
    "late photons": (
        Receiver(Detector(0.5, gate_ps=700, jitter_fwhm_ps=500)),
        1000,
        DECOYS,
        pulse_channel(0.6, misalignment(0.2), spread_ps=250.0, gate_ps=800.0),
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_counts_are_those_of_a_train_that_is_detected_slot_by_slot(case: str) -> None:
    """Every cell within 4 sigma of the difference, and all of them by chi-square."""
    seen, drawn = slot_by_slot(*CASES[case]), counted(*CASES[case])
    square = cells = 0.0
    for ours, theirs in (
        (drawn.errors, seen.errors),
        (drawn.clicks - drawn.errors, seen.clicks - seen.errors),
    ):
        both = ours + theirs
        enough = both > 50
        difference = (ours - theirs)[enough] / np.sqrt(both[enough])
        assert np.abs(difference).max() < 4, (ours, theirs)
        square, cells = square + float((difference**2).sum()), cells + int(enough.sum())
    assert cells >= 4
    # afterpulses scatter a little more than a binomial
    assert square < cells + 4 * math.sqrt(2 * cells), (square, cells)


def test_means_are_exact_where_samples_are_large() -> None:
    """10^13 slots at once: gains of a decoy system to four digits, in no time."""
    eta = 10 ** (-10 / 10)
    receiver = Receiver(Detector(0.045, 850, gate_ps=1000))
    slots = 10**13
    channel = pulse_channel(eta, misalignment(error=0.033))
    found = counted(receiver, 500_000, DECOYS, channel, [], slots)
    for index, (mu, share) in enumerate(zip((0.48, 0.1, 0.0), SHARES, strict=True)):
        sent = slots * share * BASES[0] * CHOICES[0]
        gain = qkd.gain(mu, 0.045 * eta, 1.7e-6)
        assert found.clicks[index, 0, 0] / sent == pytest.approx(gain, rel=1e-3)
        if mu:
            error = found.errors[index, 0, 0] / found.clicks[index, 0, 0]
            assert error == pytest.approx(qkd.qber(mu, 0.045 * eta, 1.7e-6, 0.033), rel=1e-3)


def test_ideal_devices_err_never() -> None:
    found = counted(Receiver(Detector(1.0)), 1000, DECOYS, pulse_channel(0.37), [], 10**12)
    assert found.clicks[0, 0, 0] > 10**9
    assert found.errors[:, 0, 0].tolist() == found.errors[:, 1, 1].tolist() == [0, 0, 0]
    assert found.clicks[2].tolist() == [[0, 0], [0, 0]]


def test_shares_of_late_photons_are_those_that_are_drawn() -> None:
    channel = pulse_channel(1.0, spread_ps=300.0, gate_ps=900.0)
    shares = channel.landing(1000, 150.0, 800.0)
    draws = 400_000
    offsets, kept = channel.arrivals(draws, 1000, generator(1), 150.0) or (np.zeros(0), np.zeros(0))
    late = np.rint(offsets)
    kept = kept & (np.abs(offsets - late) <= 0.4)
    for slot in (-1, 0, 1):
        found = float(np.mean(kept & (late == slot)))
        assert shares[slot] == pytest.approx(found, abs=4 * math.sqrt(found / draws))
    assert NO_CHANNEL.landing(1000, 0.0, 1000.0) == {0: 1.0}
