"""Bright light on detectors: what answers, and what is gone, by its published signatures."""

from __future__ import annotations

import numpy as np
import pytest

from qnetem.emulator.devices.detectors import Detector
from qnetem.emulator.devices.sources import Fock, WeakCoherent
from qnetem.emulator.optics import blinding, detection, pulses
from qnetem.emulator.optics.detection import Clicks, PulseReceiver, Receiver, Trouble
from qnetem.emulator.optics.interception import (
    ONE_PHOTON,
    BeamSplitter,
    InterceptResend,
    PhotonNumberSplitter,
)
from qnetem.emulator.optics.pulses import PulseTrain, pulse_channel

PERIOD_PS = 1000
SLOTS = 20_000
NOISY = Detector(
    0.2, dark_count_rate_hz=1e7, dead_time_ps=5000, afterpulse_probability=0.1
)  # a count in each hundredth gate, all by itself


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


BASES, BITS, HERS, CHOSEN = generator(5).integers(0, 2, (4, SLOTS), dtype=np.uint8)


def faked(source: Fock | WeakCoherent = ONE_PHOTON) -> tuple[PulseTrain, Clicks]:
    train = PulseTrain(BASES, BITS, np.zeros_like(BITS), [source], PERIOD_PS)
    ideal = Receiver(Detector(1.0))
    return InterceptResend(ideal, PERIOD_PS, generator(2), faked=True).seize(train, HERS)


def seen_of(light: PulseTrain, receiver: Receiver, troubles: list[Trouble] | None = None) -> Clicks:
    bases = CHOSEN if receiver.splitting is None else None
    return PulseReceiver(receiver, PERIOD_PS, generator(3)).detect(
        light, bases, troubles=troubles or []
    )


def test_detectors_click_in_her_basis_alone_and_count_nothing_by_themselves() -> None:
    light, hers = faked()
    assert blinding.is_blinding(light.layer)
    clicks = seen_of(light, Receiver(NOISY, noise_photons=0.01))
    assert np.array_equal(clicks.slots, np.flatnonzero(CHOSEN == HERS))
    assert np.array_equal(clicks.bits, hers.bits[clicks.slots])
    assert not clicks.doubles.any()


def test_behind_a_beam_splitter_every_state_clicks() -> None:
    light, hers = faked()
    clicks = seen_of(light, Receiver(NOISY, splitting=(0.5, 0.5)))
    assert np.array_equal(clicks.slots, hers.slots)
    assert np.array_equal(clicks.bases, HERS)
    assert np.array_equal(clicks.bits, hers.bits)


def test_behind_an_uneven_one_only_the_basis_with_the_most_light_clicks() -> None:
    light, _ = faked()
    clicks = seen_of(light, Receiver(NOISY, splitting=(0.8, 0.2)))
    assert np.array_equal(clicks.slots, np.flatnonzero(HERS == 0))


def test_where_she_saw_nothing_detectors_are_blinded_all_the_same() -> None:
    light, hers = faked(WeakCoherent(0.1))
    assert 0 < len(hers.slots) < 0.12 * SLOTS
    clicks = seen_of(light, Receiver(NOISY))
    assert set(clicks.slots) < set(hers.slots)


@pytest.mark.parametrize(("error", "answer"), [(0.0, True), (0.2, True), (0.3, False)])
def test_noise_of_the_line_matters_where_power_falls_below_the_threshold(
    error: float, answer: bool
) -> None:
    light, hers = faked()
    through = light.through(pulse_channel(1e-4, pulses.misalignment(error=error)))
    clicks = seen_of(through, Receiver(NOISY))
    assert len(clicks.slots) == ((CHOSEN == HERS).sum() if answer else 0)
    assert np.array_equal(clicks.bits, hers.bits[clicks.slots])


def test_other_light_beside_it_is_not_seen() -> None:
    light, _ = faked()
    beside = PulseTrain(BASES, BITS, np.zeros_like(BITS), [Fock(3)], PERIOD_PS)
    bases = CHOSEN
    clicks = PulseReceiver(Receiver(Detector(1.0)), PERIOD_PS, generator(3)).detect(
        beside, bases, [light]
    )
    assert np.array_equal(clicks.slots, np.flatnonzero(CHOSEN == HERS))


def test_a_dark_line_blinds_nothing() -> None:
    light, _ = faked()
    dark = light.through(pulse_channel(0.0))
    assert not blinding.is_blinding(dark.layer)
    assert len(seen_of(dark, Receiver(NOISY)).slots) > 0.01 * SLOTS
    light, _ = faked()
    late = light.through(pulse_channel([1.0, 0.0], [np.eye(4)] * 2, starts=[0, 100]))
    assert seen_of(late, Receiver(NOISY)).slots.max() < 100


def test_detectors_that_are_off_do_not_answer() -> None:
    light, _ = faked()
    clicks = seen_of(light, Receiver(NOISY), [Trouble(100, SLOTS, blind=True)])
    assert 0 < clicks.slots.max() < 100


def test_a_second_eavesdropper_is_blinded_as_well() -> None:
    light, first = faked()
    ideal = Receiver(Detector(1.0))
    onward, second = InterceptResend(ideal, PERIOD_PS, generator(4)).seize(light, CHOSEN)
    assert np.array_equal(second.slots, np.flatnonzero(CHOSEN == HERS))
    assert not blinding.is_blinding(onward.layer)
    assert len(first.slots) == SLOTS


def test_splitters_let_it_pass_and_store_nothing() -> None:
    for splitter in (PhotonNumberSplitter(generator(6)), BeamSplitter(generator(6), 0.5)):
        light, _ = faked()
        onward, stored = splitter.split(light)
        assert len(stored.slots) == 0
        clicks = detection.detect(onward, Receiver(NOISY), generator(3), CHOSEN)
        assert np.array_equal(clicks.slots, np.flatnonzero(CHOSEN == HERS))
