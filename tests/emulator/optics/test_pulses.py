"""Pulse trains in flight: what is refused, what is kept, which photons are left."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.devices.sources import VACUUM, Fock, Pairs, SinglePhoton, Source, WeakCoherent
from qnetem.emulator.errors import InputError, InternalError
from qnetem.emulator.optics import polarisation, pulses
from qnetem.emulator.optics.pulses import CHUNK_SLOTS, PulseTrain, pulse_channel
from qnetem.emulator.states import noise
from qnetem.emulator.states.qutip_import import qutip


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def train_of(slots: int, *sources: Source, seed: int = 5) -> PulseTrain:
    rng = generator(seed)
    bases, bits = rng.integers(0, 2, (2, slots), dtype=np.uint8)
    return PulseTrain(bases, bits, rng.integers(0, len(sources), slots), sources, 1000)


# --- light is seen once ---------------------------------------------------------------------------


def test_light_is_seen_once() -> None:
    train = train_of(10, Fock(1))
    onward = pulses.transmit(train, 0.5)
    with pytest.raises(InternalError, match="seen once"):
        train.take()
    with pytest.raises(InternalError, match="seen once"):
        train.through(pulse_channel(0.5))
    with pytest.raises(InternalError, match="seen once"):
        train.blocks()
    assert len(onward) == len(onward.take().bits) == 10
    assert "spent" in repr(onward) and "spent" in repr(train)


def test_blocks_are_views_of_whole_chunks() -> None:
    bits = np.zeros(2 * CHUNK_SLOTS + 5, dtype=np.uint8)
    train = PulseTrain(bits, bits, bits, [VACUUM], 1000)
    blocks = list(train.blocks(CHUNK_SLOTS // 2 + 1))
    assert [block.first_slot for block in blocks] == [0, CHUNK_SLOTS, 2 * CHUNK_SLOTS]
    assert [len(block) for block in blocks] == [CHUNK_SLOTS, CHUNK_SLOTS, 5]
    assert np.shares_memory(blocks[1].take().bits, bits)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (([0, 1], [0], [0, 0]), "lengths"),
        (([0, 3], [0, 1], [0, 0]), "bases"),
        (([0, 1], [0, 2], [0, 0]), "bits"),
        (([0, 1], [0, 1], [0, 1]), "intensities"),
        (([[0, 1]], [0, 1], [0, 0]), "bases"),
        (([0, -1], [0, 1], [0, 0]), "bases"),
    ],
)
def test_an_impossible_train_is_refused(columns: tuple[list[int], ...], why: str) -> None:
    with pytest.raises(InputError, match=why):
        PulseTrain(*columns, [VACUUM], 1000)
    with pytest.raises(InputError, match="period_ps"):
        PulseTrain([0], [0], [0], [VACUUM], 0)


# --- channels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"eta": 1.2},
        {"eta": -0.1},
        {"eta": math.nan},
        {"eta": [0.1, 0.2]},
        {"starts": [1]},
        {"starts": [0, 5, 5]},
        {"noise": np.eye(2)},
        {"spread_ps": -1.0},
        {"gate_ps": -1.0},
    ],
)
def test_an_impossible_channel_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError, match="pulse channel"):
        pulse_channel(**values)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="misalignment"):
        pulses.misalignment(error=0.6)


def test_channels_in_a_row_multiply_on_the_steps_of_both() -> None:
    first = pulse_channel([0.5, 0.4], starts=[0, 10], spread_ps=3.0)
    turn = np.stack([pulses.misalignment(0.1), pulses.misalignment(0.2)])
    both = first.then(pulse_channel(0.5, turn, starts=[0, 7], spread_ps=4.0))
    assert both.starts.tolist() == [0, 7, 10]
    assert both.etas == pytest.approx([0.25, 0.25, 0.2])
    assert np.array_equal(both.maps, turn[[0, 1, 1]])
    assert both.spread_ps == 5.0
    assert both.within(8, 10).starts.tolist() == [7]
    assert both.within(8, 11).etas == pytest.approx([0.25, 0.2])


def test_misalignment_means_the_same_as_for_single_photons() -> None:
    angle = pulses.misalignment(0.3)
    assert angle == pytest.approx(polarisation.misalignment_map(0.3), abs=1e-12)
    depolarised = pulses.misalignment(error=0.05)
    assert depolarised == pytest.approx(noise.depolarising(0.1), abs=1e-12)


def test_what_a_detector_sees_of_a_state_is_what_qutip_says() -> None:
    """Six states, turned by 0.3 rad and depolarised to an error of 0.05, measured in three bases."""
    axes = [qutip.sigmaz(), qutip.sigmax(), qutip.sigmay()]
    states = [(1 + sign * axis) / 2 for axis in axes for sign in (1, -1)]
    turn = (-0.3j * qutip.sigmay()).expm()
    expected = [
        [
            qutip.expect(states[2 * basis], 0.9 * turn * state * turn.dag() + 0.05)
            for basis in range(3)
        ]
        for state in states
    ]
    noisy = pulses.misalignment(0.3, 0.05)
    got = np.einsum("bp,pq,sq->sb", pulses.EFFECTS, noisy, pulses.STATES)
    assert np.abs(got - np.array(expected)).max() < 1e-10


# --- photons --------------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [1.0, 0.3, 1e-3])
@pytest.mark.parametrize(
    "source", [WeakCoherent(0.8), SinglePhoton(0.6, 0.1), Pairs(0.5), Fock(3)], ids=str
)
def test_photon_numbers_come_out_as_thinning_says(source: Source, eta: float) -> None:
    """N = 250,000 pulses, both settings of a table in turn; each number within 3 sigma."""
    light = train_of(250_000, source, VACUUM).take()
    pulses_on = int((light.intensities == 0).sum())
    slots, numbers = pulses.photons(light, eta, generator(2))
    assert np.all(np.diff(slots) > 0)
    assert np.all(light.intensities[slots] == 0) and np.all(numbers >= 1)
    for number, probability in enumerate(source.surviving(eta)[1:5].tolist(), start=1):
        seen = int((numbers == number).sum())
        sigma = math.sqrt(pulses_on * probability * (1 - min(probability, 1.0)))
        assert seen == pytest.approx(pulses_on * probability, abs=3 * sigma + 1)


@pytest.mark.parametrize("mean", [0.5, 1e-3])
def test_no_slot_is_favoured(mean: float) -> None:
    """A chi-square of where photons are, over 64 parts of N = 250,000 slots."""
    light = train_of(CHUNK_SLOTS, WeakCoherent(mean)).take()
    slots, _ = pulses.photons(light, 1.0, generator(3))
    counts = np.bincount(slots // (CHUNK_SLOTS // 64), minlength=64)
    expected = len(slots) / 64
    chi_square = float(((counts - expected) ** 2).sum() / expected)
    assert chi_square == pytest.approx(63, abs=3 * math.sqrt(2 * 63))


def test_bright_and_dark_need_no_special_case() -> None:
    light = train_of(1000, Fock(2)).take()
    slots, numbers = pulses.photons(light, 1.0, generator())
    assert len(slots) == 1000 and np.all(numbers == 2)
    slots, numbers = pulses.photons(light, 0.0, generator())
    assert len(slots) == len(numbers) == 0
    slots, _ = pulses.photons(train_of(0, Fock(2)).take(), 1.0, generator())
    assert len(slots) == 0


def test_a_streams_numbers_depend_on_its_key_only() -> None:
    streams, again = pulses.Substreams(generator(4)), pulses.Substreams(generator(4))
    again.of(9, 0).random(100)
    assert streams.of(3, 1).random() == again.of(3, 1).random()
    assert streams.of(3, 1).random() != streams.of(3, 2).random()
    other = pulses.Substreams(generator(5))
    assert streams.of(3, 1).random() != other.of(3, 1).random()
