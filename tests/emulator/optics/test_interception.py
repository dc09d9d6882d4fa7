"""Eavesdroppers on pulse trains: the signatures that the literature derives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms import eavesdropping, qkd
from qnetem.emulator.devices.detectors import Detector
from qnetem.emulator.devices.sources import VACUUM, Fock, WeakCoherent, decoy_table
from qnetem.emulator.errors import InputError, InternalError
from qnetem.emulator.optics import detection, interception, pulses
from qnetem.emulator.optics.detection import Clicks, PulseReceiver, Receiver
from qnetem.emulator.optics.interception import (
    BeamSplitter,
    InterceptResend,
    PhotonNumberSplitter,
)
from qnetem.emulator.optics.pulses import CHUNK_SLOTS, PulseTrain, pulse_channel

PERIOD_PS = 1000
IDEAL = Receiver(Detector(1.0))


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def bits_of(slots: int, columns: int, seed: int = 5) -> np.ndarray:
    return generator(seed).integers(0, 2, (columns, slots), dtype=np.uint8)


def test_measure_and_resend_errs_in_a_quarter_and_tells_half() -> None:
    """N = 200,000 single photons, bases of all three at random."""
    bases, bits, hers, chosen = bits_of(200_000, 4)
    train = PulseTrain(bases, bits, np.zeros_like(bits), [Fock(1)], PERIOD_PS)
    onward, seen = interception.intercept_resend(train, IDEAL, generator(2), hers)
    clicks = detection.detect(onward, IDEAL, generator(3), chosen)
    sifted = bases == chosen
    error = float((bits != clicks.bits)[sifted].mean())
    assert error == pytest.approx(0.25, abs=3 * math.sqrt(0.1875 / sifted.sum()))
    certain = float((hers == bases)[sifted].mean())
    assert certain == pytest.approx(0.5, abs=3 * 0.5 / math.sqrt(sifted.sum()))
    assert np.array_equal(seen.bits[hers == bases], bits[hers == bases])
    with pytest.raises(InternalError, match="seen once"):
        train.take()


def test_who_sees_nothing_sends_nothing() -> None:
    bases, bits, hers, chosen = bits_of(100_000, 4)
    train = PulseTrain(bases, bits, np.zeros_like(bits), [WeakCoherent(0.3)], PERIOD_PS)
    onward, seen = interception.intercept_resend(train, Receiver(Detector(0.2)), generator(2), hers)
    clicks = detection.detect(onward, IDEAL, generator(3), chosen)
    assert 0 < len(seen.slots) < 100_000 * 0.08
    assert np.array_equal(clicks.slots, seen.slots)


def test_resending_brighter_hides_the_loss_not_the_errors() -> None:
    """N = 200,000 weak pulses over eta 0.1, seized at the sender, resent with two photons each."""
    bases, bits, hers, chosen = bits_of(200_000, 4)
    train = PulseTrain(bases, bits, np.zeros_like(bits), [WeakCoherent(0.2)], PERIOD_PS)
    onward, _ = interception.intercept_resend(train, IDEAL, generator(2), hers, Fock(2))
    clicks = detection.detect(pulses.transmit(onward, 0.1), IDEAL, generator(3), chosen)
    expected = 200_000 * -math.expm1(-0.2) * (1 - 0.9**2)
    assert len(clicks.slots) == pytest.approx(expected, abs=3 * math.sqrt(expected))
    sifted = bases[clicks.slots] == clicks.bases
    error = float((bits[clicks.slots] != clicks.bits)[sifted].mean())
    assert error == pytest.approx(0.25, abs=0.03)


# --- photon-number splitting ----------------------------------------------------------------------


def _split(slots: int, *mus: float, eta: float = 1.0, **options: float) -> tuple[object, ...]:
    bases, bits = bits_of(slots, 2)
    intensities = generator(6).integers(0, len(mus), slots, dtype=np.uint8)
    train = PulseTrain(bases, bits, intensities, decoy_table(*mus), PERIOD_PS)
    splitter = PhotonNumberSplitter(generator(7), **options)
    onward, kept = splitter.split(train.through(pulse_channel(eta)))
    return bases, bits, intensities, onward, kept


def test_a_splitter_keeps_one_photon_and_sends_on_the_rest() -> None:
    """N = 400,000 pulses of mean 1.2: every photon is kept, sent on or blocked, none is made."""
    bases, bits, _, onward, kept = _split(400_000, 1.2)
    light = onward.take()
    sent_on = np.array(light.intensities)
    assert np.array_equal(kept.slots, np.flatnonzero(sent_on))
    for number in (2, 3, 4):
        probability = math.exp(-1.2) * 1.2**number / math.factorial(number)
        sigma = math.sqrt(400_000 * probability)
        assert int((sent_on == number - 1).sum()) == pytest.approx(
            400_000 * probability, abs=3 * sigma
        )
    assert list(light.sources[:3]) == [Fock(0), Fock(1), Fock(2)]
    known = kept.measure(bases[kept.slots], generator())
    assert np.array_equal(known, bits[kept.slots])
    with pytest.raises(InternalError, match="seen once"):
        kept.measure(bases[kept.slots], generator())


def test_splitting_makes_no_errors_but_starves_the_decoy() -> None:
    """N = 1e6 pulses, (mu, nu) = (0.5, 0.1): no error, Q_nu/Q_mu 0.0519 where honesty gives 0.2."""
    bases, bits, intensities, onward, _ = _split(10**6, 0.5, 0.1)
    clicks = detection.detect(onward, IDEAL, generator(3), bases)
    assert np.array_equal(clicks.bits, bits[clicks.slots])
    per_setting = np.bincount(intensities[clicks.slots], minlength=2) / np.bincount(intensities)
    ratio = per_setting[1] / per_setting[0]
    expected = qkd.photon_number_splitting_ratio(0.5, 0.1)
    decoys = int((intensities[clicks.slots] == 1).sum())
    assert expected == pytest.approx(0.0519, abs=5e-5)
    assert ratio == pytest.approx(expected, rel=3.2 / math.sqrt(decoys))
    with pytest.raises(AssertionError):
        assert ratio == pytest.approx(0.2, rel=3.2 / math.sqrt(decoys))


def test_a_share_of_the_single_photons_may_pass() -> None:
    """N = 400,000 pulses of mean 0.4, after a channel of 0.5: forwarded singles are not kept."""
    _, _, _, onward, kept = _split(400_000, 0.4, eta=0.5, forward_singles=0.25)
    sent_on = onward.take().intensities
    singles = np.setdiff1d(np.flatnonzero(sent_on == 1), kept.slots)
    expected = 400_000 * 0.25 * 0.2 * math.exp(-0.2)
    assert len(singles) == pytest.approx(expected, abs=3 * math.sqrt(expected))


def test_a_splitter_behind_a_gated_link_counts_what_the_gate_let_pass() -> None:
    """N = 200,000 pulses of two photons: each passes with erf(60/(2 sqrt2 40)), and by itself."""
    bases, bits = bits_of(200_000, 2)
    train = PulseTrain(bases, bits, np.zeros_like(bits), [Fock(2)], PERIOD_PS)
    channel = pulse_channel(spread_ps=40.0, gate_ps=60.0)
    onward, kept = PhotonNumberSplitter(generator(7)).split(train.through(channel))
    passing = math.erf(60 / (2 * math.sqrt(2) * 40))
    expected = 200_000 * passing**2
    assert len(kept.slots) == pytest.approx(expected, abs=3 * math.sqrt(expected))
    clicks = detection.detect(onward, IDEAL, generator(3), bases)
    assert np.array_equal(clicks.slots, kept.slots)  # and no gate is passed twice


def test_what_happened_before_the_splitter_happened_to_both_photons() -> None:
    """N = 100,000 pulses of two photons, turned by 45 degrees: Z states are X states by then."""
    bases, bits = bits_of(100_000, 2)
    bases[:] = 0
    train = PulseTrain(bases, bits, np.zeros_like(bits), [Fock(2)], PERIOD_PS)
    turned = pulses.transmit(train, 1.0, math.pi / 4)
    onward, kept = PhotonNumberSplitter(generator(7)).split(turned)
    x_basis = np.ones(100_000, dtype=np.uint8)
    assert np.array_equal(kept.measure(x_basis, generator()), bits)
    clicks = detection.detect(onward, IDEAL, generator(3), x_basis)
    assert np.array_equal(clicks.bits, bits)


def test_a_splitter_on_a_drifting_line_counts_what_is_there() -> None:
    """N = 200,000 pulses of two photons; none arrive in the second half, half in the first."""
    bases, bits = bits_of(200_000, 2)
    train = PulseTrain(bases, bits, np.zeros_like(bits), [Fock(2)], PERIOD_PS)
    sent = train.through(pulse_channel([0.5, 0.0, 1.0], starts=[0, 100_000, 190_000]))
    onward, kept = PhotonNumberSplitter(generator(7)).split(sent)
    counts, _ = np.histogram(kept.slots, [0, 100_000, 190_000, 200_000])
    assert counts[0] == pytest.approx(25_000, abs=3 * math.sqrt(100_000 * 0.25 * 0.75))
    assert counts[1:].tolist() == [0, 10_000]
    assert np.array_equal(np.flatnonzero(onward.take().intensities), kept.slots)


# --- streams --------------------------------------------------------------------------------------


def _attacked(chunks_each: int) -> tuple[Clicks, list[int]]:
    slots = 2 * CHUNK_SLOTS + 777
    bases, bits, hers, chosen = bits_of(slots, 4)
    table = [WeakCoherent(0.5), VACUUM]
    train = PulseTrain(bases, bits, generator(6).integers(0, 2, slots), table, PERIOD_PS)
    splitter = PhotonNumberSplitter(generator(7), 0.1)
    mallory = InterceptResend(Receiver(Detector(0.5, 1e5)), PERIOD_PS, generator(8))
    bob = PulseReceiver(IDEAL, PERIOD_PS, generator(9))
    parts, kept_slots, at = [], [], 0
    for block in train.blocks(chunks_each * CHUNK_SLOTS):
        end = at + len(block)
        onward, kept = splitter.split(block)
        resent, _ = mallory.seize(onward, hers[at:end])
        parts.append(bob.detect(pulses.transmit(resent, 0.5), chosen[at:end]))
        kept_slots += kept.slots.tolist()
        at = end
    return Clicks.joined(parts), kept_slots


def test_attacks_do_not_depend_on_the_size_of_blocks() -> None:
    whole, kept = _attacked(3)
    assert len(whole.slots) > 1000
    for chunks_each in (1, 2):
        cut, kept_again = _attacked(chunks_each)
        assert all(np.array_equal(a, b) for a, b in zip(cut, whole, strict=True))
        assert kept_again == kept


def test_impossible_attacks_are_refused() -> None:
    with pytest.raises(InputError, match="forward_singles"):
        PhotonNumberSplitter(generator(), 1.5)
    _, _, _, _, kept = _split(1000, 1.0)
    with pytest.raises(InputError, match="photons"):
        kept.measure([0], generator())


def test_a_block_divided_is_all_there_and_nothing_twice() -> None:
    size = 50_000
    bases, bits = generator(5).integers(0, 2, (2, size), dtype=np.uint8)
    where = generator(6).random(size) < 0.3

    def halves() -> tuple[PulseTrain, PulseTrain]:
        zeros = np.zeros(size, dtype=np.uint8)
        train = PulseTrain(bases, bits, zeros, [Fock(1)], PERIOD_PS)
        parts = interception.divided(train, where)
        with pytest.raises(InternalError, match="seen once"):
            train.take()
        return parts

    here, elsewhere = halves()
    seen = detection.detect(here, IDEAL, generator(7), bases)
    assert np.array_equal(seen.slots, np.flatnonzero(where))
    seen = detection.detect(elsewhere, IDEAL, generator(7), bases)
    assert np.array_equal(seen.slots, np.flatnonzero(~where))
    here, elsewhere = halves()
    both = PulseReceiver(IDEAL, PERIOD_PS, generator(7)).detect(here, bases, [elsewhere])
    assert np.array_equal(both.slots, np.arange(size))
    assert np.array_equal(both.bits, bits)
    assert not both.doubles.any()


def test_light_beside_a_block_is_as_long_as_it() -> None:
    zeros = np.zeros(9, dtype=np.uint8)
    long, short = (
        PulseTrain(zeros[:n], zeros[:n], zeros[:n], [Fock(1)], PERIOD_PS) for n in (9, 8)
    )
    with pytest.raises(InternalError, match="expected 9"):
        PulseReceiver(IDEAL, PERIOD_PS, generator()).detect(long, zeros, [short])


def test_what_clicks_where_nothing_is_taken_is_not_sent_on() -> None:
    size = 20_000
    zeros = np.zeros(size, dtype=np.uint8)
    where = np.arange(size) < size // 2
    train = PulseTrain(zeros, zeros, zeros, [Fock(0)], PERIOD_PS)
    noisy = Receiver(Detector(1.0, dark_count_rate_hz=1e8))
    eve = InterceptResend(noisy, PERIOD_PS, generator(8))
    onward, clicks = eve.seize(train, zeros, where=where)
    assert len(clicks.slots) > 0 and clicks.slots.max() < size // 2
    assert np.array_equal(detection.detect(onward, IDEAL, generator(9), zeros).slots, clicks.slots)


def test_a_share_of_the_pulses_with_several_photons_may_be_blocked() -> None:
    """N = 400,000 pulses of mean 0.5: all with several are kept of, 30 % of them are sent on."""
    _, _, _, onward, kept = _split(400_000, 0.5, forward_several=0.3)
    passed = int((np.array(onward.take().intensities) > 0).sum())
    assert len(kept.slots) == pytest.approx(400_000 * qkd.several_photons(0.5), rel=0.016)
    expected = 0.3 * len(kept.slots)
    assert passed == pytest.approx(expected, abs=3 * math.sqrt(expected * 0.7))


@pytest.mark.parametrize("detector_efficiency", [0.3, 1.0])
def test_gains_behind_a_splitter_are_those_of_its_closed_form(detector_efficiency: float) -> None:
    """N = 400,000 pulses of mean 0.5, on which a splitter imitates a fibre of 10 or 3 dB."""
    for transmittance in (0.1, 0.5):
        wanted = qkd.gain(0.5, transmittance * detector_efficiency, 0.0)
        singles, several = eavesdropping.photon_number_splitting_shares(
            0.5, detector_efficiency, wanted
        )
        assert (singles == 0) == (several < 1)
        expected = eavesdropping.photon_number_splitting_gain(
            0.5, detector_efficiency, singles, several
        )
        assert expected == pytest.approx(wanted)
        shares = {"forward_singles": singles, "forward_several": several}
        bases, _, _, onward, _ = _split(400_000, 0.5, **shares)
        receiver = Receiver(Detector(detector_efficiency))
        clicks = detection.detect(onward, receiver, generator(3), bases)
        sigma = math.sqrt(400_000 * wanted)
        assert len(clicks.slots) == pytest.approx(400_000 * wanted, abs=3 * sigma)


# --- beam splitting -------------------------------------------------------------------------------


def test_a_beam_splitter_leaves_what_a_fibre_of_its_loss_would_and_has_the_rest() -> None:
    """N = 600,000 pulses of 0.5 and 0.1: gains of a fibre of 10 dB, photons of both sides independent."""
    bases, bits = bits_of(600_000, 2)
    intensities = generator(6).integers(0, 2, 600_000, dtype=np.uint8)
    train = PulseTrain(bases, bits, intensities, decoy_table(0.5, 0.1), PERIOD_PS)
    onward, kept = BeamSplitter(generator(7), 0.9).split(train)
    clicks = detection.detect(onward, IDEAL, generator(3), bases)
    assert np.array_equal(clicks.bits, bits[clicks.slots])
    for setting, mean in enumerate((0.5, 0.1)):
        sent = int((intensities == setting).sum())
        here = clicks.slots[intensities[clicks.slots] == setting]
        gain = qkd.gain(mean, 0.1, 0.0)
        assert len(here) == pytest.approx(sent * gain, abs=3 * math.sqrt(sent * gain))
        known = eavesdropping.beam_splitting_known(mean, 0.1)
        both = len(np.intersect1d(here, kept.slots))
        sigma = math.sqrt(len(here) * known * (1 - known))
        assert both == pytest.approx(len(here) * known, abs=3 * sigma)
    found = kept.measure(bases[kept.slots], generator())
    assert np.array_equal(found, bits[kept.slots])


def test_a_share_of_no_beam_splitter_is_refused() -> None:
    with pytest.raises(InputError, match="beam splitter: share"):
        BeamSplitter(generator(), -0.1)
