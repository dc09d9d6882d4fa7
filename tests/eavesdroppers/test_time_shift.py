"""Pulses moved in their slots, at detectors that are not alike there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.closed_forms import mismatch_bias
from qnetem.emulator.devices.detectors import Detector
from qnetem.emulator.devices.sources import Fock
from qnetem.emulator.errors import InputError
from qnetem.emulator.optics.detection import PulseReceiver, Receiver
from qnetem.emulator.optics.pulses import PulseTrain

from ..physics.bench import assert_frequency, attempt

SLOTS = 100_000


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("mismatch", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("splitting", [None, (0.5, 0.5)])
def test_one_detector_of_a_basis_sees_only_its_share(
    mismatch: float, splitting: tuple[float, ...] | None
) -> None:
    bits, late = generator(5).integers(0, 2, (2, SLOTS), dtype=np.uint8)
    bases = np.zeros(SLOTS, dtype=np.uint8)
    train = PulseTrain(bases, bits, bases, [Fock(1)], 1000).shifted(late.astype(bool))
    receiver = Receiver(Detector(0.8), splitting=splitting, mismatch=mismatch)
    chosen = bases if splitting is None else None
    clicks = PulseReceiver(receiver, 1000, generator(3)).detect(train, chosen)
    clicks = clicks.those(clicks.bases == 0)
    assert np.array_equal(clicks.bits, bits[clicks.slots])
    better = late[clicks.slots] == clicks.bits
    share = 1.0 if splitting is None else 0.5
    for alike, part in ((True, 1.0), (False, mismatch)):
        there = int((late == bits).sum() if alike else (late != bits).sum())
        assert_frequency(int((better == alike).sum()), there, 0.8 * share * part)
    assert better.mean() == pytest.approx(
        mismatch_bias(mismatch), abs=3 * 0.5 / math.sqrt(len(better))
    )


def test_light_in_the_middle_of_its_slot_is_seen_alike() -> None:
    bits = generator(5).integers(0, 2, SLOTS, dtype=np.uint8)
    zero = np.zeros(SLOTS, dtype=np.uint8)
    train = PulseTrain(zero, bits, zero, [Fock(1)], 1000)
    clicks = PulseReceiver(Receiver(Detector(0.8), mismatch=0.1), 1000, generator(3)).detect(
        train, zero
    )
    assert_frequency(len(clicks.slots), SLOTS, 0.8)


def test_a_mismatch_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="mismatch"):
        Receiver(Detector(1.0), mismatch=1.5)


def test_an_arm_of_pairs_is_not_shifted() -> None:
    _, outcome = attempt("""
nodes:
  alice:
    program: "qnetem.agents.protocols.qkd.bbm92:Alice"
    with: {peer: bob, source: charlie, slots: 1000}
    detector: {}
  bob:
    program: "qnetem.agents.protocols.qkd.bbm92:Bob"
    with: {peer: alice, source: charlie}
    detector: {}
  charlie:
    program: "qnetem.agents.protocols.qkd.bbm92:Source"
    with: {alice: alice, bob: bob}
    source: {kind: spdc, mean_pairs: 0.1}
  eve:
    kind: eavesdropper
    program: "qnetem.agents.roles.eavesdroppers.time_shift:TimeShift"
    with: {first: charlie, second: bob}
    service: true
links:
  - {between: [charlie, alice], quantum: {length: 1 km}}
  - {between: [charlie, bob], quantum: {length: 1 km}}
  - {between: [alice, bob], classical: {latency: 1 ms}}
faults: [{at: 0 s, eavesdrop: charlie-bob, by: eve}]
""")
    assert "photons of pairs cannot be moved in their slots" in str(outcome.problem)
