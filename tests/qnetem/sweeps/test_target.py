"""How many seeds a point needs: decided by the runs in the order of their seeds."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.errors import InputError
from qnetem.sweeps.target import FEWEST, Target, read_target, standard_error


def test_a_target_is_a_quantity_and_its_standard_error() -> None:
    assert read_target("bob.qber +- 0.001") == Target("bob.qber", 0.001, False)
    assert read_target(" bob.rate ± 2 % ") == Target("bob.rate", 0.02, True)
    for wrong in (
        "bob.qber",
        "bob.qber +- x",
        "bob.qber +- 0",
        "bob.qber +- -1",
        "+- 0.1",
        "a +- inf",
    ):
        with pytest.raises(InputError, match=r"such as 'bob.qber \+- 0.001'"):
            read_target(wrong)


@settings(max_examples=50)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=40), st.floats(0.01, 5))
def test_the_first_number_of_runs_that_reaches_it_is_enough(
    values: list[float], error: float
) -> None:
    found = Target("x", error, False).reached(values)
    expected = next(
        (
            n
            for n in range(FEWEST, len(values) + 1)
            if statistics.stdev(values[:n]) / math.sqrt(n) <= error * (1 + 1e-12)
        ),
        None,
    )
    assert found == expected


def test_what_is_not_measured_is_not_tried_for_ever() -> None:
    target = Target("x", 0.1, False)
    assert target.reached([None] * (FEWEST - 1)) is None
    assert target.reached([None] * FEWEST) == FEWEST
    assert target.reached([1.0] + [None] * 50) is None
    assert target.reached([1.0, None, 1.0, None, None]) == 5


def test_a_relative_target_is_in_parts_of_the_mean() -> None:
    values = [99.0, 101.0, 100.0, 98.0, 102.0]
    assert Target("x", 0.01, True).reached(values) == 5
    assert Target("x", 0.001, True).reached(values) is None


def test_more_is_asked_for_until_it_is_reached() -> None:
    target = Target("x", 0.1, False)
    assert target.enough([]) == FEWEST
    assert target.enough([0.0, 10.0] * 5) == 20  # at most twice as many as there are
    assert target.enough([0.0, 0.7] * 5) == 14
    assert standard_error([1.0]) is None
