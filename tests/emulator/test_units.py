"""Quantities at their edges: one pass over the text, exact times, any compatible letters, no silent zero."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.emulator.errors import UnitError
from qnetem.emulator.units import LAST_NS, parse_ns, parse_quantity

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9}


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("3 \N{GREEK SMALL LETTER MU}s", 3000),
        ("3 \N{MICRO SIGN}s", 3000),
        ("3 \N{SQUARE MU S}", 3000),
        ("3\N{THIN SPACE}us", 3000),
        ("3\N{NO-BREAK SPACE}us", 3000),
        ("1e\N{MINUS SIGN}3 s", 1_000_000),
        (".5 us", 500),
        ("1_000 ns", 1000),
        ("9007199254740993 ns", 2**53 + 1),
        ("9223372036854775807 ns", LAST_NS),
        ("0.1 ns", 1),
        ("0 ns", 0),
        ("-0 ns", 0),
        ("0e999999999 s", 0),
    ],
)
def test_a_time_is_read_exactly_in_any_compatible_letters(value: str, ns: int) -> None:
    assert parse_ns(value) == ns


@given(st.integers(0, 2 * 10**6), st.integers(0, 10**6 - 1), st.sampled_from(sorted(_NS)))
def test_a_time_is_the_nearest_nanosecond_of_its_digits(whole: int, part: int, unit: str) -> None:
    exact = Fraction(f"{whole}.{part:06d}") * _NS[unit]
    found = parse_ns(f"{whole}.{part:06d} {unit}")
    assert found == (1 if 0 < exact < 1 else round(exact))


@pytest.mark.parametrize(
    ("value", "dimension", "number"),
    [
        ("\N{MINUS SIGN}3 dBm", "power", -3.0),
        ("0.1 rad\N{SUPERSCRIPT TWO}/s", "drift", 0.1),
        ("0.058 ps/nm\N{SUPERSCRIPT TWO}/km", "dispersion slope", 0.058),
        ("5 \N{FULLWIDTH PERCENT SIGN}", "probability", 0.05),
        ("3 \N{SQUARE KM}", "length", 3.0),
    ],
)
def test_a_unit_may_be_written_in_compatible_letters(
    value: str, dimension: str, number: float
) -> None:
    assert parse_quantity(value, dimension) == pytest.approx(number)


@pytest.mark.parametrize(
    ("value", "dimension"),
    [
        ("10\N{SUPERSCRIPT THREE} km", "length"),  # not 103 km
        ("\N{VULGAR FRACTION ONE HALF} km", "length"),
        ("1\N{ARABIC-INDIC DIGIT THREE} km", "length"),
        ("\N{EN DASH}3 dBm", "power"),
        ("1.5.5 s", "time"),
        ("1 s s", "time"),
        ("inf s", "time"),
        ("nan", "number"),
        ("1e400", "number"),
        ("1e-400 s", "time"),  # a silent 0
        ("1e-400", "number"),
        (10**400, "number"),
        ("1e999999999 s", "time"),
        (True, "number"),
        (None, "time"),
    ],
)
def test_what_is_no_finite_quantity_is_refused(value: object, dimension: str) -> None:
    with pytest.raises(UnitError):
        parse_quantity(value, dimension)


@pytest.mark.parametrize("value", [-0.0, "-0", "-0.0"])
def test_there_is_one_zero(value: object) -> None:
    assert str(parse_quantity(value, "number")) == "0.0"


@pytest.mark.parametrize("end", ["", " x y", ".", "e", " km", "_"])
def test_the_time_to_read_a_number_does_not_explode_with_its_digits(end: str) -> None:
    began = time.process_time()
    with pytest.raises(UnitError):
        parse_quantity("1" * 100_000 + end, "length")
    assert time.process_time() - began < 1.0
