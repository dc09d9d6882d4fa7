"""Pairs without a clock: emission, dead time, jitter, dark counts and accidentals, each against theory."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy import stats

from qnetem.agents.protocols.qkd.coincidences import coincidences
from qnetem.emulator.closed_forms import qkd, transmittance
from qnetem.emulator.closed_forms.pair_streams import PairStream
from qnetem.emulator.devices.detectors import FWHM_PER_SIGMA, Detector
from qnetem.emulator.devices.sources import Pairs
from qnetem.emulator.optics.detection import Clicks, PulseReceiver, Receiver
from qnetem.emulator.optics.pairs import WHOLE, Caps, PairTrain, unclocked_chunk
from qnetem.emulator.optics.pulses import CHUNK_SLOTS, PulseTrain, pulse_channel

from ...counts import papers
from ...physics.bench import assert_frequency

#: As two bases behind a splitter: two detectors for each.
HALVES = (0.5, 0.5)
Pieces = list[tuple[int, int]]


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def poisson(found: float, expected: float) -> None:
    assert abs(found - expected) <= 3 * math.sqrt(expected), (found, expected)


class Stream:
    """A source at `rate_hz` for so many seconds, and what two receivers see of it."""

    def __init__(
        self,
        rate_hz: float,
        seconds: float,
        receivers: tuple[Receiver, ...],
        eta: float = 1.0,
        fidelity: float = 1.0,
        parts: int = 1,
        seed: int = 1,
        caps: Caps = WHOLE,
    ) -> None:
        pairs = Pairs(rate_hz * 1e-12, "poisson")
        self.train = PairTrain(pairs, fidelity, generator(seed), clocked=False, caps=caps)
        self.slots, self.seconds = round(seconds * 1e12), seconds
        channel = pulse_channel(eta)
        at_work = [
            PulseReceiver(each, 1, generator(seed + 10 + arm)) for arm, each in enumerate(receivers)
        ]
        found: list[list[Clicks]] = [[] for _ in receivers]
        for first, size in self._blocks():
            shared = self.train.block(lambda: caps)
            for arm, receiver in enumerate(at_work):
                for at, part in _cut(size, parts if arm else 1):
                    light = self.train.arm(shared, arm, first, size).part(at, part)
                    train = PulseTrain.of(light, 1).through(channel)
                    found[arm].append(receiver.detect(train))
        self.clicks = [Clicks.joined(each) for each in found]

    def _blocks(self) -> Pieces:
        step = self.train.chunk_slots
        return [(at, min(step, self.slots - at)) for at in range(0, self.slots, step)]

    def together(self, window_ps: int) -> tuple[int, int, int]:
        """(coincidences, those in one basis, errors among these)."""
        one, other = self.clicks
        mine, its = coincidences(one.slots, other.slots, window_ps)
        agree = one.bases[mine] == other.bases[its]
        return len(mine), int(agree.sum()), int((one.bits[mine] != other.bits[its])[agree].sum())


def _cut(size: int, parts: int) -> Pieces:
    """A block in parts, each beginning where a chunk of slots may."""
    step = -(-size // parts // CHUNK_SLOTS) * CHUNK_SLOTS
    return [(at, min(step, size - at)) for at in range(0, size, step)]


# --- emission -------------------------------------------------------------------------------------


def test_pairs_come_at_random_times() -> None:
    """1 MHz for 0.3 s: gaps are exponential, and what a millisecond holds is Poissonian."""
    stream = Stream(1e6, 0.3, (Receiver(Detector(1.0), splitting=HALVES),))
    slots = stream.clicks[0].slots
    poisson(len(slots), 3e5)
    gaps = np.diff(slots) * 1e-6
    assert stats.kstest(gaps, "expon").pvalue > 1e-3
    counts = np.bincount(slots // 10**9, minlength=300)
    dispersion = ((counts - counts.mean()) ** 2).sum() / counts.mean()
    assert 1e-3 < stats.chi2.cdf(dispersion, len(counts) - 1) < 1 - 1e-3


@pytest.mark.parametrize("rate_hz", [1.0, 1e3, 1.5e6, 1e9, 1e11])
def test_a_chunk_is_as_long_as_its_pairs_take(rate_hz: float) -> None:
    slots = unclocked_chunk(rate_hz * 1e-12)
    assert slots % CHUNK_SLOTS == 0
    assert slots in (1 << 45, 1 << 20) or 2**16 <= slots * rate_hz * 1e-12 <= 2**17


def test_an_hour_with_a_pair_a_second_costs_what_its_clicks_do() -> None:
    eyes = Receiver(Detector(1.0, dark_count_rate_hz=2.0), splitting=HALVES)
    begins = time.process_time()
    stream = Stream(1.0, 3600.0, (eyes, eyes))
    assert time.process_time() - begins < 2
    poisson(len(stream.clicks[0].slots), 3600 * (1 + 4 * 2))
    found, agree, errors = stream.together(1000)
    poisson(found, 3600)
    assert_frequency(agree, found, 0.5)
    assert errors == 0


def test_both_arms_hold_the_same_pairs_however_they_are_cut() -> None:
    """One in whole blocks, the other one in fifths of them: all clicks are coincidences."""
    eyes = Receiver(Detector(1.0), splitting=HALVES)
    whole, cut = (Stream(2e6, 0.2, (eyes, eyes), parts=parts) for parts in (1, 5))
    assert np.array_equal(whole.clicks[0].slots, cut.clicks[1].slots)
    assert np.array_equal(whole.clicks[0].slots, cut.clicks[0].slots)
    for stream in (whole, cut):
        found, agree, errors = stream.together(1)
        assert found == len(stream.clicks[0].slots) > 3.9e5
        assert_frequency(agree, found, 0.5)
        assert errors == 0


def test_errors_are_those_of_the_fidelity() -> None:
    eyes = Receiver(Detector(1.0), splitting=HALVES)
    _, agree, errors = Stream(1e5, 1.0, (eyes, eyes), fidelity=0.955).together(1)
    assert_frequency(errors, agree, 0.03)


def test_what_no_photon_is_left_of_is_not_drawn_and_changes_nothing() -> None:
    """5.9 million pairs a second, of whose photons one in 500 comes: clicks, coincidences and errors stay."""
    eyes, eta, seconds = Receiver(Detector(1.0), splitting=HALVES), 0.002, 60.0
    begins = time.process_time()
    few = Stream(5.9e6, seconds, (eyes, eyes), eta, 0.9, caps=(0.002, 0.004))
    assert time.process_time() - begins < 10  # 354 million pairs take a hundred times as long
    assert few.train.chunk_slots == 64 * unclocked_chunk(5.9e-6)
    for clicks in few.clicks:
        poisson(len(clicks.slots), 5.9e6 * seconds * eta)
        counts = np.bincount(clicks.slots // 10**11, minlength=600)
        dispersion = ((counts - counts.mean()) ** 2).sum() / counts.mean()
        assert 1e-3 < stats.chi2.cdf(dispersion, len(counts) - 1) < 1 - 1e-3
    found, agree, errors = few.together(1)
    poisson(found, 5.9e6 * seconds * eta**2)
    assert_frequency(agree, found, 0.5)
    assert_frequency(errors, agree, 0.2 / 3)


def test_all_pairs_are_drawn_where_many_are_seen() -> None:
    eyes = Receiver(Detector(1.0), splitting=HALVES)
    whole = Stream(1e6, 0.1, (eyes, eyes), 0.03)
    bright = Stream(1e6, 0.1, (eyes, eyes), 0.03, caps=(0.03, 0.04))
    assert np.array_equal(whole.clicks[0].slots, bright.clicks[0].slots)


# --- detectors ------------------------------------------------------------------------------------


def test_each_of_four_detectors_has_a_dead_time_of_its_own() -> None:
    """4 MHz on four detectors, 200 ns: each counts R/(1 + R tau) of its own megahertz."""
    eyes = Receiver(Detector(1.0, dead_time_ps=200_000), splitting=HALVES)
    clicks = Stream(4e6, 0.1, (eyes,)).clicks[0]
    which = 2 * clicks.bases + clicks.bits
    for index in range(4):
        slots = clicks.slots[which == index]
        poisson(len(slots), 0.1 * 1e6 / (1 + 1e6 * 200e-9))
        assert np.diff(slots).min() >= 200_000
    assert np.diff(clicks.slots).min() < 1000  # the others are awake meanwhile


def test_dark_counts_are_a_poisson_process_of_each_detector() -> None:
    eyes = Receiver(Detector(0.0, dark_count_rate_hz=20_000), splitting=HALVES)
    clicks = Stream(1e3, 2.0, (eyes,)).clicks[0]
    poisson(len(clicks.slots), 4 * 20_000 * 2)
    assert stats.kstest(np.diff(clicks.slots) * 80_000e-12, "expon").pvalue > 1e-3


def test_jitter_spreads_the_peak_and_the_window_keeps_a_part_of_it() -> None:
    """1.149 ns FWHM a detector: sigma 0.69 ns between two, of which 2 ns keep erf(T/(2 sqrt2 sigma))."""
    eyes = Receiver(Detector(1.0, jitter_fwhm_ps=1149.0), splitting=HALVES)
    stream = Stream(2e4, 2.0, (eyes, eyes))
    one, other = stream.clicks
    mine, its = coincidences(one.slots, other.slots, 10_000)
    delays = other.slots[its] - one.slots[mine]
    sigma = 1149.0 / FWHM_PER_SIGMA * math.sqrt(2)
    assert sigma == pytest.approx(690, abs=0.1)
    assert np.std(delays) == pytest.approx(sigma, rel=3 / math.sqrt(2 * len(delays)) + 0.01)
    assert abs(np.mean(delays)) < 3 * sigma / math.sqrt(len(delays)) + 1
    kept = len(coincidences(one.slots, other.slots, 2000)[0])
    share = math.erf(2000 / (2 * math.sqrt(2) * sigma))
    assert_frequency(kept, len(one.slots), share)


# --- coincidences ---------------------------------------------------------------------------------


def test_clicks_of_different_pairs_coincide_as_often_as_chance_says() -> None:
    """Two sources that know nothing of each other: S_a S_b tau, and half of them err."""
    eyes = Receiver(Detector(0.5), splitting=HALVES)
    stream, other = (Stream(rate, 2.0, (eyes,), seed=seed) for rate, seed in ((6e5, 1), (8e5, 5)))
    stream.clicks.append(other.clicks[0])
    found, agree, errors = stream.together(3000)
    poisson(found, 3e5 * 4e5 * 3e-9 * 2)
    assert_frequency(agree, found, 0.5)
    assert_frequency(errors, agree, 0.5)


def test_a_bright_source_errs_by_its_accidentals() -> None:
    """2e7 pairs a second, 5 ns, arms of 0.03: as PairStream says, but for the 6 % that have a partner."""
    eyes = Receiver(Detector(0.03), splitting=HALVES)
    theory = PairStream(2e7, 0.03, 0.03, 0, 0, 0.0, window_ns=5.0)
    found, agree, errors = Stream(2e7, 0.2, (eyes, eyes)).together(5000)
    poisson(found, 0.2 * (theory.true_hz() + theory.accidental_hz()))
    assert_frequency(agree, found, 0.5)
    assert_frequency(errors, agree, theory.qber())


# --- published systems ----------------------------------------------------------------------------


@pytest.mark.papers
@pytest.mark.parametrize("seconds", papers([1.0, 30.0]))
def test_the_key_of_a_continuous_wave_source_is_counted(seconds: float) -> None:
    """BBM92 of arXiv:2505.24851 at 1.50e6 pairs/s: singles, coincidences, sifted bits and QBER at 3 sigma."""
    ends = tuple(
        Receiver(
            Detector(0.6, darks / 4, dead_time_ps=45_000, jitter_fwhm_ps=1149.0), splitting=HALVES
        )
        for darks in (500.0, 1800.0)
    )
    eta = transmittance(12.0, 1.0)
    theory = PairStream(1.5e6, 0.6 * eta, 0.6 * eta, 500, 1800, 0.03, 2.0, 0.69, 45.0)
    assert theory.raw_hz() == pytest.approx(918.65, rel=0.01)
    assert theory.qber() == pytest.approx(0.03165, rel=0.01)
    stream = Stream(1.5e6, seconds, ends, eta, fidelity=0.955)
    for clicks, rate_hz in zip(stream.clicks, theory.singles_hz(), strict=True):
        poisson(len(clicks.slots), rate_hz * seconds)
    found, sifted, errors = stream.together(2000)
    poisson(found, (theory.true_hz() + theory.accidental_hz()) * seconds)
    poisson(sifted, theory.raw_hz() * seconds)
    assert_frequency(errors, sifted, theory.qber())
    # what was measured there: 894.3 bits/s, 0.0326, 505 bits/s of key
    spread = 0.05 + 3 / math.sqrt(sifted)
    assert sifted / seconds == pytest.approx(894.3, rel=spread)
    assert errors / sifted == pytest.approx(0.0326, rel=0.05 + 3 / math.sqrt(errors))
    key = sifted / seconds * (1 - 2.1 * qkd.binary_entropy(errors / sifted))
    assert key == pytest.approx(505, rel=spread + 1 / math.sqrt(errors))
