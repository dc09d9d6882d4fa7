"""Pairs without a clock: the formulas against clicks that were drawn, and at their ends."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms.pair_streams import PairStream


def test_accidentals_are_the_product_of_the_singles_and_the_window() -> None:
    stream = PairStream(1e6, 0.1, 0.2, 1e3, 2e3, 0.01, 1.0)
    first, second = stream.singles_hz()
    assert (first, second) == pytest.approx((1.01e5, 2.02e5))
    assert stream.accidental_hz() == pytest.approx(first * second * 1e-9, rel=1e-3)
    assert stream.car() == pytest.approx(1e6 * 0.02 / (first * second * 1e-9), rel=1e-3)


def test_a_perfect_pair_source_errs_as_its_optics() -> None:
    stream = PairStream(1e3, 1.0, 1.0, 0.0, 0.0, 0.02, 1e-3)
    assert stream.raw_hz() == pytest.approx(500.0)
    assert stream.qber() == pytest.approx(0.02, abs=1e-6)


def test_the_window_holds_what_a_normal_distribution_has_there() -> None:
    stream = PairStream(1e6, 0.1, 0.1, 0, 0, 0.0, window_ns=2.0, jitter_ns=0.69)
    offsets = np.random.default_rng(5).normal(0, 0.69, 200_000)
    assert stream.in_window() == pytest.approx((abs(offsets) < 1.0).mean(), abs=0.004)


def test_dead_time_takes_the_clicks_that_fall_into_it() -> None:
    """Against a detector that was walked through: after a click it is blind."""
    rate, dead = 2e6, 100.0
    times = np.random.default_rng(3).exponential(1e9 / rate, 100_000).cumsum()
    seen, awake = 0, -math.inf
    for time in times:
        if time >= awake:
            seen, awake = seen + 1, time + dead
    stream = PairStream(rate, 1.0, 1.0, 0, 0, 0, 1.0, dead_time_ns=dead, detectors=1)
    assert stream.singles_hz()[0] / rate == pytest.approx(seen / len(times), rel=0.01)


def test_a_wider_window_brings_more_bits_and_more_errors() -> None:
    streams = [PairStream(1.5e6, 0.04, 0.04, 500, 1800, 0.03, w, 0.69, 45) for w in (1.0, 2.0, 5.0)]
    assert [s.raw_hz() for s in streams] == sorted(s.raw_hz() for s in streams)
    assert [s.qber() for s in streams] == sorted(s.qber() for s in streams)
