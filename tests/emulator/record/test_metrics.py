"""Counts, means and spreads."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.emulator.record.metrics import Metrics


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_what_was_observed_is_summed_up_as_statistics_does(values: list[float]) -> None:
    metrics = Metrics()
    for value in values:
        metrics.observe("x", value)
    found = metrics.summary()["x"]
    assert found["count"] == len(values)
    assert math.isclose(found["mean"], statistics.mean(values), rel_tol=1e-9, abs_tol=1e-6)
    assert math.isclose(found["std"], statistics.stdev(values), rel_tol=1e-6, abs_tol=1e-5)
    assert (found["min"], found["max"], found["last"]) == (min(values), max(values), values[-1])


def test_one_value_has_no_spread() -> None:
    metrics = Metrics()
    metrics.observe("x", 3.0)
    assert metrics.summary()["x"]["std"] == 0.0


def test_a_large_offset_does_not_eat_the_spread() -> None:
    metrics = Metrics()
    for value in (1e9 + 1, 1e9 + 2, 1e9 + 3):
        metrics.observe("x", value)
    assert metrics.summary()["x"]["std"] == pytest.approx(1.0)


def test_a_counter_has_a_count_alone_and_metrics_are_sorted_by_name() -> None:
    metrics = Metrics()
    metrics.count("b")
    metrics.count("b", 4)
    metrics.observe("a", 1.0)
    assert metrics.summary()["b"] == {"count": 5}
    assert list(metrics.summary()) == ["a", "b"]


@pytest.mark.parametrize(
    "values",
    [
        [1e308, -1e308],
        [3.0, 1e200, -1e200, 4.0],
        [1e160, 1e-300, -1e307],
        [1e308] * 3,
        [2.0**501, 1],
    ],
)
def test_values_as_large_as_a_float_are_summed_up_without_overflow(values: list[float]) -> None:
    metrics = Metrics()
    for value in values:
        metrics.observe("x", value)
    found = metrics.summary()["x"]
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)
    scale = 2**1000
    largest = max(map(abs, values))
    assert found["mean"] == pytest.approx(float(mean), rel=1e-9, abs=largest * 1e-12)
    std = math.sqrt(variance / scale**2) * float(scale) if variance else 0.0
    assert found["std"] == pytest.approx(std, rel=1e-9, abs=largest * 1e-12)


def test_a_spread_that_no_float_holds_is_infinite() -> None:
    metrics = Metrics()
    for value in (1.7e308, -1.7e308):
        metrics.observe("x", value)
    assert metrics.summary()["x"]["std"] == math.inf
