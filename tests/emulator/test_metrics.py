"""Counts, means and spreads."""

from __future__ import annotations

import math
import statistics

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
