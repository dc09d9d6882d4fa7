"""Numbers and times for people."""

from __future__ import annotations

import math

import pytest

from qnetem.text.quantities import brief, quantity, wall_time, with_error


@pytest.mark.parametrize(
    ("value", "sigma", "text"),
    [
        (0.8983, 0.0024, "0.8983 ± 0.0024"),
        (12.3456, 0.5, "12.35 ± 0.50"),
        (1234.0, 56.0, "1234 ± 56"),
        (0.5, None, "0.5"),
        (0.5, 0.0, "0.5"),
        (3.0, None, "3"),
        (1e-12, 1e-13, "1e-12 ± 1e-13"),
        (0.5, math.nan, "0.5"),
    ],
)
def test_digits_follow_the_standard_error(value: float, sigma: float | None, text: str) -> None:
    assert with_error(value, sigma) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ({}, "{}"),
        ("done", "done"),
        (0.1 + 0.2, "0.3"),
        ([1, 2], "[1, 2]"),
        ({"a": 0.1 + 0.2, "b": {"c": True, "d": [1 / 3]}}, "a 0.3, b {c true, d [0.333333]}"),
    ],
)
def test_a_result_in_short(value: object, text: str) -> None:
    assert brief(value) == text


@pytest.mark.parametrize(
    ("name", "value", "sigma", "text"),
    [
        ("bob.latency_s", 9.7934e-05, None, "97.934 us"),
        ("bob.latency_s", 1.086e-4, 1.8e-6, "108.6 ± 1.8 us"),
        ("bob.round_trip_s", 0.614699182, None, "614.699 ms"),
        ("bob.waited_s", 1.66, None, "1.66 s"),
        ("bob.early_s", -2e-9, None, "-2 ns"),
        ("bob.waited_s", 0.0, None, "0 s"),
        ("bob.qber", 0.0001, None, "0.0001"),
    ],
)
def test_a_time_is_in_the_unit_a_person_would_choose(
    name: str, value: float, sigma: float | None, text: str
) -> None:
    assert quantity(name, value, sigma) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0422, "42.2 ms"), (1.6612, "1.66 s"), (0.0, "0 s"), (4321.9, "4,322 s")],
)
def test_real_time_has_three_digits(seconds: float, text: str) -> None:
    assert wall_time(seconds) == text


def test_a_time_among_results_has_its_unit() -> None:
    assert brief({"took_s": 0.00125, "count": 3.0}) == "took_s 1.25 ms, count 3"
