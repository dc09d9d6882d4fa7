"""Entangled pairs as pulse trains: what two receivers see of them together."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms import qkd
from qnetem.emulator.devices.detectors import Detector
from qnetem.emulator.devices.sources import Pairs
from qnetem.emulator.errors import InputError, InternalError
from qnetem.emulator.optics import pulses
from qnetem.emulator.optics.detection import Clicks, PulseReceiver, Receiver
from qnetem.emulator.optics.interception import InterceptResend, PhotonNumberSplitter, divided
from qnetem.emulator.optics.pairs import PairChunk, PairTrain
from qnetem.emulator.optics.pulses import CHUNK_SLOTS, PulseTrain, pulse_channel

PERIOD_PS = 1000
BLOCK = 4 * CHUNK_SLOTS
STATISTICS = ["thermal", "polarisation", "poisson"]


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def bases_of(slots: int, seed: int) -> np.ndarray:
    return generator(seed).integers(0, 2, slots, dtype=np.uint8)


class Both:
    """Two receivers of `efficiencies` and what they saw of `slots` slots of pairs."""

    def __init__(
        self,
        source: Pairs,
        efficiencies: tuple[float, float],
        slots: int,
        fidelity: float = 1.0,
        block: int = BLOCK,
        first: int = 0,
        error: float = 0.0,
        splitting: tuple[float, ...] | None = None,
        jitter_ps: float = 0.0,
    ) -> None:
        train = PairTrain(source, fidelity, generator(1))
        at_work = [
            PulseReceiver(
                Receiver(Detector(efficiency, jitter_fwhm_ps=jitter_ps), splitting=splitting),
                PERIOD_PS,
                generator(10 + arm),
            )
            for arm, efficiency in enumerate(efficiencies)
        ]
        self.slots = slots
        self.bases = [bases_of(slots, 20 + arm) for arm in (0, 1)]
        channel = pulse_channel(1.0, pulses.misalignment(error=error))
        parts: list[list[Clicks]] = [[], []]
        for at in range(0, slots, block):
            shared, size = train.block(), min(block, slots - at)
            for arm in (first, 1 - first):
                light = PulseTrain.of(train.arm(shared, arm, at, size), PERIOD_PS)
                chosen = None if splitting else self.bases[arm][at : at + size]
                parts[arm].append(
                    at_work[arm].detect(light.through(channel) if arm else light, chosen)
                )
        self.clicks = [Clicks.joined(each) for each in parts]
        self.together()

    def together(self) -> None:
        """Coincidences: in which of them the bases agree, and in which the bits do not."""
        one, other = self.clicks
        _, mine, its = np.intersect1d(one.slots, other.slots, return_indices=True)
        self.coincidences = len(mine)
        self.agree = one.bases[mine] == other.bases[its]
        self.differ = one.bits[mine] != other.bits[its]

    def errors(self) -> tuple[int, int]:
        return int(self.differ[self.agree].sum()), int(self.agree.sum())


def assert_share(hits: int, trials: int, probability: float) -> None:
    sigma = math.sqrt(trials * probability * (1 - probability))
    assert hits == pytest.approx(trials * probability, abs=3 * sigma), (hits, trials, probability)


# --- gains and errors -----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("mu", "efficiencies", "slots"),
    [(0.1, (0.5, 0.2), 2_000_000), (0.3, (0.5, 0.4), 1_000_000), (1.0, (1.0, 0.8), 300_000)],
)
def test_gain_and_errors_are_those_of_ma_fung_and_lo_whichever_end_looks_first(
    mu: float, efficiencies: tuple[float, float], slots: int, first: int
) -> None:
    """Bright pairs at high efficiency: the several photons of a slot are not pairs by themselves."""
    seen = Both(Pairs(mu), efficiencies, slots, first=first)
    expected = qkd.pair_gain(mu, efficiencies, (0, 0))
    assert_share(seen.coincidences, slots, expected)
    assert_share(*seen.errors(), qkd.pair_qber(mu, efficiencies, (0, 0), 0.0))
    unmatched = ~seen.agree
    assert_share(int(seen.differ[unmatched].sum()), int(unmatched.sum()), 0.5)


def test_independent_pairs_err_more_than_pairs_of_one_mode_each() -> None:
    """Poisson statistics, N = 2e6, mu = 0.2: from the generating function."""
    mu, eta, slots = 0.2, 0.2, 2_000_000
    seen = Both(Pairs(mu, "poisson"), (eta, eta), slots)
    gain = 1 - 2 * math.exp(-mu * eta) + math.exp(-mu * (2 * eta - eta**2))
    assert_share(seen.coincidences, slots, gain)
    # the bit of a double click is a coin, so only clicks of one detector more than of the other tell
    alone = math.exp(-mu * eta / 2)
    same = 1 - 2 * alone + math.exp(-mu / 2 * (2 * eta - eta**2))
    unlike = (1 - alone) ** 2
    expected = 0.5 - (same - unlike) / gain
    assert_share(*seen.errors(), expected)
    bosonic = qkd.pair_qber(mu, (eta, eta), (0, 0), 0.0)
    assert expected > bosonic


def test_a_pair_alone_has_the_visibility_of_its_fidelity() -> None:
    """N = 4e6, mu = 0.004: E = (1-V)/2 with V = (4F-1)/3, and e_d of one arm on top."""
    for fidelity, error in ((0.85, 0.0), (0.925, 0.04)):
        seen = Both(Pairs(0.004), (1.0, 1.0), 4_000_000, fidelity, error=error)
        visibility = (4 * fidelity - 1) / 3 * (1 - 2 * error)
        accidental = qkd.pair_qber(0.004, (1, 1), (0, 0), 0.0)
        expected = (1 - visibility * (1 - 2 * accidental)) / 2
        assert_share(*seen.errors(), expected)


@pytest.mark.parametrize("statistics", STATISTICS)
def test_coincidences_exceed_accidental_ones_as_the_modes_say(statistics: str) -> None:
    """N = 4e6, mu = 0.1, eta = 0.1: CAR = 1 + 1/modes + 1/mu; efficiency and saturation shift it by 2 %."""
    source, slots, eta = Pairs(0.1, statistics), 4_000_000, 0.1
    seen = Both(source, (eta, eta), slots)
    singles = [len(clicks.slots) for clicks in seen.clicks]
    ratio = seen.coincidences * slots / (singles[0] * singles[1])
    sigma = 1 / math.sqrt(seen.coincidences)
    photons = source.photons()
    clicks = 1 - (1 - eta) ** np.arange(len(photons))
    exact = float(photons @ clicks**2 / (photons @ clicks) ** 2)
    assert ratio == pytest.approx(exact, rel=3 * sigma)
    assert exact == pytest.approx(source.coincidence_to_accidental, rel=0.02)


@pytest.mark.parametrize(
    ("statistics", "g2"), [("thermal", 2.0), ("polarisation", 1.0), ("poisson", 1.0)]
)
def test_two_detectors_of_one_arm_see_how_its_light_bunches(statistics: str, g2: float) -> None:
    """N = 2e6, mu = 0.2: horizontal and vertical light of polarisation pairs are two thermal modes."""
    source, slots, eta = Pairs(0.2, statistics), 2_000_000, 0.3
    clicks = Both(source, (eta, 0.0), slots).clicks[0]
    doubles = int(clicks.doubles.sum())
    each = (len(clicks.slots) + doubles) / 2
    if statistics == "polarisation":
        dark = 1 / (1 + source.mean_pairs / 2 * eta)
        expected = (1 - dark) ** 2
    else:
        numbers = np.arange(len(source.photons()))
        none, one = (float(source.photons() @ (1 - x) ** numbers) for x in (eta, eta / 2))
        expected = 1 - 2 * one + none
    assert_share(doubles, slots, expected)
    assert doubles * slots / each**2 == pytest.approx(g2, rel=3 / math.sqrt(doubles) + 0.06)


# --- several photons in one state -----------------------------------------------------------------


def spinor(direction: np.ndarray) -> np.ndarray:
    x, y, z = direction
    _, vectors = np.linalg.eigh(np.array([[z, x - 1j * y], [x + 1j * y, -z]]))
    return vectors[:, 1]  # type: ignore[no-any-return]


def symmetric(count: int) -> np.ndarray:
    """The projector on what is symmetric in `count` qubits."""
    size = 2**count
    weight = np.array([index.bit_count() for index in range(size)])
    return np.array(
        [[(a == b) / math.comb(count, a) for b in weight.tolist()] for a in weight.tolist()]
    )


@pytest.mark.parametrize("count", [2, 3, 4])
def test_photons_of_two_arms_are_found_as_the_symmetric_state_has_it(count: int) -> None:
    """All outcomes of n photons each along arbitrary axes, beside n qubits a side: N = 200,000."""
    slots = 200_000
    axes = generator(3).standard_normal((2, count, 3))
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    chunk = PairChunk(np.arange(slots), np.full(slots, count), symmetric=True)
    photons, which = np.arange(slots * count), np.tile(np.arange(count), slots)
    rng = generator(4)
    found = [chunk.find(arm, photons, which, axes[arm], rng) for arm in (0, 1)]
    outcomes = np.concatenate([each.reshape(slots, count) for each in found], axis=1)
    seen = np.bincount(outcomes @ (1 << np.arange(2 * count)[::-1]), minlength=4**count)

    # <a|<b| (P_sym x 1) |Phi+>^n = <b| P_sym |a*> up to the norm
    def bras(arm: int) -> list[np.ndarray]:
        ends = [(spinor(axis), spinor(-axis)) for axis in axes[arm]]
        return [
            functools.reduce(np.kron, [ends[k][index >> (count - 1 - k) & 1] for k in range(count)])
            for index in range(2**count)
        ]

    firsts, seconds = np.array(bras(0)), np.array(bras(1))
    amplitudes = firsts.conj() @ symmetric(count) @ seconds.conj().T
    expected = (np.abs(amplitudes) ** 2).ravel() / (count + 1)
    assert expected.sum() == pytest.approx(1)
    rare = expected * slots < 5
    chi_square = (((seen - expected * slots) ** 2)[~rare] / (expected * slots)[~rare]).sum()
    freedom = int((~rare).sum()) - 1
    assert chi_square == pytest.approx(freedom, abs=3 * math.sqrt(2 * freedom))
    assert seen[rare].sum() <= 5 * rare.sum()


def test_two_photons_alike_leave_two_that_always_part_in_pairs() -> None:
    """Hong, Ou and Mandel: one photon each way in Z is two the same way in X, never one each."""
    chunk = PairChunk(np.arange(10_000), np.full(10_000, 2), symmetric=True)
    photons, along = np.arange(20_000), np.zeros(20_000, dtype=np.int64)
    rng = generator()
    in_z = chunk.find(0, photons, along, np.array([[0.0, 0.0, 1.0]]), rng).reshape(-1, 2)
    in_x = chunk.find(1, photons, along, np.array([[1.0, 0.0, 0.0]]), rng).reshape(-1, 2)
    apart = in_z[:, 0] != in_z[:, 1]
    assert_share(int(apart.sum()), 10_000, 1 / 3)  # each number from 0 to 2 alike
    assert np.array_equal(in_x[apart, 0], in_x[apart, 1])
    assert_share(int((in_x[~apart, 0] != in_x[~apart, 1]).sum()), int((~apart).sum()), 0.5)


# --- trains ---------------------------------------------------------------------------------------


def test_blocks_chunks_and_the_order_of_looking_change_no_pairs() -> None:
    slots = 2 * CHUNK_SLOTS + 1234
    whole = Both(Pairs(0.05), (1.0, 1.0), slots)
    cut = Both(Pairs(0.05), (1.0, 1.0), slots, block=CHUNK_SLOTS)
    turned = Both(Pairs(0.05), (1.0, 1.0), slots, first=1)
    for one, other in zip(whole.clicks, cut.clicks, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    for one, other in zip(whole.clicks, turned.clicks, strict=True):
        assert np.array_equal(one.slots, other.slots)


def test_what_one_arm_sees_does_not_depend_on_a_look_at_the_other() -> None:
    both = Both(Pairs(0.1), (0.5, 0.5), CHUNK_SLOTS)
    train = PairTrain(Pairs(0.1), 1.0, generator(1))
    alone = PulseTrain.of(train.arm(train.block(), 0, 0, CHUNK_SLOTS), PERIOD_PS)
    at_work = PulseReceiver(Receiver(Detector(0.5)), PERIOD_PS, generator(10))
    clicks = at_work.detect(alone, both.bases[0])
    assert all(np.array_equal(a, b) for a, b in zip(clicks, both.clicks[0], strict=True))
    ones = int(clicks.bits.sum())
    assert_share(ones, len(clicks.bits), 0.5)


def test_a_beam_splitter_may_choose_the_basis_of_each_photon_of_a_slot() -> None:
    seen = Both(Pairs(0.02), (1.0, 1.0), 1_000_000, splitting=(0.7, 0.3))
    assert_share(int(seen.agree.sum()), seen.coincidences, 0.7**2 + 0.3**2)
    wrong, sifted = seen.errors()
    assert wrong / sifted < 0.005  # pairs alone never err, and two in a slot are 1.5 % of them


def test_photons_that_jitter_into_the_next_slot_are_measured_there() -> None:
    """FWHM of a slot: both of a pair stay in theirs less often, and the bits of those that do agree."""
    sharp, blurred = (
        Both(Pairs(0.01), (1.0, 1.0), 1_000_000, jitter_ps=jitter) for jitter in (0.0, 1000.0)
    )
    stays = math.erf(0.5 / (1 / 2.3548) / math.sqrt(2))
    same_slot = stays**2 + 2 * ((1 - stays) / 2) ** 2
    expected = sharp.coincidences * same_slot
    assert blurred.coincidences == pytest.approx(expected, abs=4 * math.sqrt(expected))
    assert blurred.errors()[0] / blurred.errors()[1] < 0.03


def test_a_train_of_no_pairs_is_dark() -> None:
    seen = Both(Pairs(0.0), (1.0, 1.0), 1000)
    assert [len(clicks.slots) for clicks in seen.clicks] == [0, 0]


def test_an_arm_is_seen_once_and_in_no_state_of_its_own() -> None:
    train = PairTrain(Pairs(0.1), 1.0, generator())
    light = PulseTrain.of(train.arm(train.block(), 0, 0, 10), PERIOD_PS)
    assert len(light) == 10
    onward = light.through(pulse_channel(0.5))
    with pytest.raises(InternalError, match="seen once"):
        light.take_layer()
    with pytest.raises(InternalError, match="no state of its own"):
        PhotonNumberSplitter(generator()).split(onward)


@pytest.mark.parametrize("fidelity", [0.2, 1.1])
def test_a_fidelity_that_no_werner_state_has_is_refused(fidelity: float) -> None:
    with pytest.raises(InputError, match="1/4 to 1"):
        PairTrain(Pairs(0.1), fidelity, generator())


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_measuring_and_resending_one_arm_breaks_its_correlations(fraction: float) -> None:
    """N = 2e6, mu = 0.005: a quarter of the seized coincidences err, the others do not."""
    slots, source = 2_000_000, Pairs(0.005)
    ideal = Receiver(Detector(1.0))
    train = PairTrain(source, 1.0, generator(1))
    eve = InterceptResend(ideal, PERIOD_PS, generator(2))
    at_work = [PulseReceiver(ideal, PERIOD_PS, generator(10 + arm)) for arm in (0, 1)]
    parts: list[list[Clicks]] = [[], []]
    both = Both(source, (0.0, 0.0), 1)
    for at in range(0, slots, BLOCK):
        shared, size = train.block(), min(BLOCK, slots - at)
        arms = [PulseTrain.of(train.arm(shared, arm, at, size), PERIOD_PS) for arm in (0, 1)]
        here = generator(at + 7).random(size) < fraction
        seized, passing = divided(arms[1], here)
        resent, _ = eve.seize(seized, bases_of(size, at + 3), (), here)
        parts[1].append(at_work[1].detect(resent, bases_of(size, at + 4), [passing]))
        parts[0].append(at_work[0].detect(arms[0], bases_of(size, at + 5)))
    both.clicks = [Clicks.joined(each) for each in parts]
    both.together()
    wrong, sifted = both.errors()
    expected = fraction / 4
    assert wrong / sifted == pytest.approx(expected, abs=3 * math.sqrt(expected / sifted) + 0.005)
