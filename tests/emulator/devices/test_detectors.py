from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.devices.detectors import Counter, Detector
from qnetem.emulator.errors import InputError


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def counted(
    detector: Detector, events: list[int], period_ps: int = 1000, end: int = 10**9
) -> list[int]:
    counter = Counter(detector, period_ps)
    return counter.count(np.array(events, dtype=np.int64), end, generator).tolist()


# --- formulas -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate_hz", "dead_time_ps", "steady", "paralysable"),
    [(1e6, 1_000_000, 5.000e5, 3.679e5), (1e7, 50_000, 6.667e6, 6.065e6)],
)
def test_dead_time_formulas(
    rate_hz: float, dead_time_ps: int, steady: float, paralysable: float
) -> None:
    assert Detector(1, dead_time_ps=dead_time_ps).observed_rate_hz(rate_hz) == pytest.approx(
        steady, rel=1e-3
    )
    other = Detector(1, dead_time_ps=dead_time_ps, paralysable=True)
    assert other.observed_rate_hz(rate_hz) == pytest.approx(paralysable, rel=1e-3)


def test_a_detector_saturates() -> None:
    steady = Detector(1, dead_time_ps=50_000)
    assert steady.observed_rate_hz(1e15) == pytest.approx(steady.saturation_rate_hz, rel=1e-6)
    assert steady.saturation_rate_hz == pytest.approx(2e7)
    paralysable = Detector(1, dead_time_ps=50_000, paralysable=True)
    assert paralysable.observed_rate_hz(2e7) == pytest.approx(paralysable.saturation_rate_hz)
    assert paralysable.observed_rate_hz(1e9) < 1e-3 * paralysable.saturation_rate_hz
    assert Detector(1).saturation_rate_hz == math.inf


@pytest.mark.parametrize(
    ("jitter_ps", "window_ps", "expected"), [(50, 100, 0.98147), (350, 1000, 0.99923), (0, 1, 1.0)]
)
def test_jitter_leaves_a_part_in_the_window(
    jitter_ps: float, window_ps: float, expected: float
) -> None:
    detector = Detector(1, jitter_fwhm_ps=jitter_ps)
    assert detector.kept_in_window(window_ps) == pytest.approx(expected, abs=5e-6)


def test_dark_counts_come_while_the_gate_is_open() -> None:
    assert Detector(1, 1000.0, gate_ps=500).dark_mean(10_000) == pytest.approx(5e-7)
    assert Detector(1, 1000.0).dark_mean(10_000) == pytest.approx(1e-5)
    with pytest.raises(InputError, match="no more than the slot"):
        Detector(1, gate_ps=2000).dark_mean(1000)


def test_a_threshold_detector_does_not_count_photons() -> None:
    detector = Detector(0.3)
    assert detector.click_probability(0) == 0
    assert detector.click_probability(1) == pytest.approx(0.3)
    assert detector.click_probability(2, 0.1) == pytest.approx(1 - 0.9 * 0.49)


@pytest.mark.parametrize(
    "values",
    [
        {"efficiency": 1.2},
        {"efficiency": -0.1},
        {"efficiency": math.nan},
        {"efficiency": 0.5, "dark_count_rate_hz": -1.0},
        {"efficiency": 0.5, "dead_time_ps": -1},
        {"efficiency": 0.5, "jitter_fwhm_ps": math.inf},
        {"efficiency": 0.5, "afterpulse_probability": 1.0},
        {"efficiency": 0.5, "gate_ps": 0},
    ],
)
def test_an_impossible_detector_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"expected|never end"):
        Detector(**values)  # type: ignore[arg-type]


# --- dead time in time order ----------------------------------------------------------------------


def test_what_meets_a_dead_detector_is_lost() -> None:
    events = [0, 2, 4, 5, 9, 10, 14, 20]
    assert counted(Detector(1, dead_time_ps=5000), events) == [0, 5, 10, 20]
    assert counted(Detector(1, dead_time_ps=4999), events) == [0, 5, 10, 20]
    assert counted(Detector(1, dead_time_ps=5001), events) == [0, 9, 20]
    assert counted(Detector(1, dead_time_ps=1000), events) == events
    assert counted(Detector(1), events) == events


def test_a_paralysable_detector_is_kept_dead_by_what_it_misses() -> None:
    events = [0, 2, 4, 5, 9, 10, 14, 20]
    assert counted(Detector(1, dead_time_ps=5000, paralysable=True), events) == [0, 20]
    assert counted(Detector(1, dead_time_ps=4000, paralysable=True), events) == [0, 9, 14, 20]


@pytest.mark.parametrize("paralysable", [False, True])
@pytest.mark.parametrize("density", [0.002, 0.05, 0.7])
def test_dead_time_is_what_a_plain_walk_through_time_says(
    density: float, paralysable: bool
) -> None:
    events = np.flatnonzero(generator(7).random(20_000) < density)
    detector = Detector(1, dead_time_ps=23_500, paralysable=paralysable)
    expected, ready = [], 0
    for slot in events.tolist():
        if slot >= ready:
            expected.append(slot)
        if slot >= ready or paralysable:
            ready = slot + 24
    assert counted(detector, events.tolist()) == expected
    counter, pieces = Counter(detector, 1000), []
    for start in range(0, 20_000, 37):
        part = events[(events >= start) & (events < start + 37)]
        pieces += counter.count(part, start + 37, generator).tolist()
    assert pieces == expected


@pytest.mark.parametrize("paralysable", [False, True])
def test_counts_of_poissonian_light_follow_the_dead_time_formula(paralysable: bool) -> None:
    """N = 1e8 slots of 1 ns at 1e6/s and a dead time of 1 us; within 3 sigma of some 5e4 counts."""
    detector = Detector(1, dead_time_ps=1_000_000, paralysable=paralysable)
    rng, counter, total = generator(11), Counter(detector, 1000), 0
    for block in range(10):
        times = np.unique(rng.integers(0, 10**7, rng.poisson(1e4)))
        total += len(counter.count(times + block * 10**7, (block + 1) * 10**7, generator))
    assert total == pytest.approx(detector.observed_rate_hz(1e6) * 0.1, abs=3 * math.sqrt(total))


# --- afterpulses ----------------------------------------------------------------------------------

TRAPPING = Detector(1, dead_time_ps=3000, afterpulse_probability=0.4, afterpulse_decay_ps=20_000.0)


def test_each_count_causes_a_later_one_with_its_probability() -> None:
    """Afterpulses cause others, so each of N = 1e5 lone events makes 1/(1-p) counts in all."""
    events = np.arange(100_000, dtype=np.int64) * 10_000
    counts = Counter(TRAPPING, 1000).count(events, 10**9, generator)
    # counts per event are geometric: variance p/(1-p)^2
    sigma = math.sqrt(100_000 * 0.4) / 0.6
    assert len(counts) == pytest.approx(100_000 / 0.6, abs=3 * sigma)
    assert np.all(np.diff(counts) >= 3)


def test_an_afterpulse_comes_after_the_dead_time_and_decays() -> None:
    events = np.arange(50_000, dtype=np.int64) * 10_000
    counts = Counter(TRAPPING, 1000).count(events, 10**9, generator)
    first = counts[1:][(counts[:-1] % 10_000 == 0) & (counts[1:] % 10_000 != 0)] % 10_000
    assert first.min() >= 3
    # in whole slots from 3 on, released after an exponential time of mean 20 slots: rounded up
    mean = 3 + 1 / (1 - math.exp(-1 / 20))
    assert first.mean() == pytest.approx(mean, abs=3 * 20 / math.sqrt(len(first)))


def test_afterpulses_cross_the_ends_of_stretches() -> None:
    detector = Detector(1, afterpulse_probability=0.999, afterpulse_decay_ps=2000.0)
    counter = Counter(detector, 1000)
    rng = generator(3)
    first = counter.count(np.array([9], dtype=np.int64), 10, lambda: rng)
    later = counter.count(np.empty(0, dtype=np.int64), 100, lambda: rng)
    assert first.tolist() == [9]
    assert len(later) > 5 and later.min() >= 10


def test_no_afterpulses_no_numbers_drawn() -> None:
    def refuse() -> np.random.Generator:
        raise AssertionError

    assert Counter(Detector(1, dead_time_ps=5000), 1000).count(np.array([1, 2]), 9, refuse)[0] == 1
    assert len(Counter(TRAPPING, 1000).count(np.empty(0, dtype=np.int64), 9, refuse)) == 0
