"""What is swept, from Python and as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.sweeps.axes import axes_of, axis_of_text, seeds_of_text, value_text


def test_the_first_parameter_changes_slowest() -> None:
    axes = axes_of({"a": [1, 2], "seed": range(3), "b": ["x", "y"]})
    assert axes.seeds == [0, 1, 2]
    assert axes.points() == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_a_single_value_is_an_axis_of_one_and_numpy_gives_plain_numbers() -> None:
    axes = axes_of(
        {"a": "40 km", "b": np.array([0.5, 1.0]), "c": [np.int64(3)], "seed": np.arange(2)}
    )
    assert axes.values == {"a": ["40 km"], "b": [0.5, 1.0], "c": [3]}
    assert axes.seeds == [0, 1]
    assert all(type(each) is int for each in (*axes.values["c"], *axes.seeds))
    assert axes_of({}).points() == [{}]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"a": []}, "a: there are no values"),
        ({"a": [1, 2, 1]}, "a: 1 stands twice"),
        ({"seed": [0.5]}, "seed: expected whole numbers"),
        ({"seed": [-1]}, "found -1"),
        ({"seed": [True]}, "found True"),
        ({"a": range(2000), "b": range(2000)}, "4,000,000 points"),
    ],
)
def test_what_is_no_axis_is_refused(parameters: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        axes_of(parameters)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=10 km,20 km", ["10 km", "20 km"]),
        ("a=1,2.5,true,x", [1, 2.5, True, "x"]),
        ("a=[1, 2],[3]", [[1, 2], [3]]),
        (
            "a={at: 1 s, cut: x},{at: 2 s, cut: x}",
            [{"at": "1 s", "cut": "x"}, {"at": "2 s", "cut": "x"}],
        ),
        ("a='1,2',3", ["1,2", 3]),
        ("a=", [None]),
        ("a=10..40 km/4", ["10 km", "20 km", "30 km", "40 km"]),
        ("a=0..1/3", [0, 0.5, 1]),
        ("a=.2..0.4 dB/km/2", ["0.2 dB/km", "0.4 dB/km"]),
        ("a=1..0.1/2", [1, 0.1]),
        ("a=~ 3 .. 4", ["~ 3 .. 4"]),
    ],
)
def test_values_on_the_command_line(text: str, values: list[Any]) -> None:
    assert axis_of_text(text) == ("a", values)


@pytest.mark.parametrize("text", ["a", "=1", "a=[", "a=1..2/1"])
def test_what_is_no_axis_on_the_command_line_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--set"):
        axis_of_text(text)


def test_seeds_on_the_command_line() -> None:
    assert seeds_of_text("0..3") == [0, 1, 2, 3]
    assert seeds_of_text("5, 1..2 ,9") == [5, 1, 2, 9]
    for wrong in ("", "3..1", "a", "-1", "0..99999999999"):
        with pytest.raises(InputError, match="--seeds"):
            seeds_of_text(wrong)


def test_a_value_is_shown_as_it_is_typed() -> None:
    shown = [value_text(each) for each in ("40 km", 3, 0.5, None, True, "3", [1, "a b"])]
    assert shown == ["40 km", "3", "0.5", "", "true", '"3"', '[1, "a b"]']
