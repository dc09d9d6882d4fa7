"""Quantities with units: `"3 us"` to 3000 ns, `"25 km"` to 25.0.

Owns the table of units and the one rounding rule for time. Holds no state; imports nothing but errors
and suggestions, so that a node's process can use it.

A unit may be written in any letters that are compatible (Unicode's NFKC): `μs` is `µs`, `rad²/s` is
`rad2/s`. A minus may be U+2212. Digits are ASCII.

Rule: virtual time is an integer number of nanoseconds. `to_ns` rounds a duration to the nearest
nanosecond, and a positive one never to zero.
"""

from __future__ import annotations

import math
import re
import unicodedata
from decimal import Decimal

from .errors import UnitError
from .suggestions import did_you_mean

#: dimension -> an example for errors, and unit -> factor to the dimension's base unit.
_DIMENSIONS: dict[str, tuple[str, dict[str, float]]] = {
    "time": (
        "10 ms",
        {
            "ns": 1.0,
            "us": 1e3,
            "µs": 1e3,
            "ms": 1e6,
            "s": 1e9,
            "min": 60e9,
            "h": 3600e9,
        },
    ),
    "length": (
        "25 km",
        {"m": 1e-3, "km": 1.0},
    ),
    "frequency": (
        "50 Hz",
        {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9, "per s": 1.0},
    ),
    "bandwidth": (
        "1 Mbit/s",
        {"bit/s": 1.0, "kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9},
    ),
    "attenuation": (
        "0.2 dB/km",
        {"dB/km": 1.0},
    ),
    "loss": (
        "1.5 dB",
        {"dB": 1.0},
    ),
    "probability": (
        "0.01",
        {"": 1.0, "%": 1e-2},
    ),
    "number": (
        "1.468",
        {"": 1.0},
    ),
    "angle": (
        "10 deg",
        {"rad": 1.0, "mrad": 1e-3, "deg": math.pi / 180},
    ),
    "direction": (
        "28.3 deg",
        {"deg": 1.0},
    ),
    "small angle": (
        "5 urad",
        {"urad": 1.0, "µrad": 1.0, "mrad": 1e3},
    ),
    "size": (
        "150 mm",
        {"mm": 1e-3, "cm": 1e-2, "m": 1.0},
    ),
    "wind": (
        "21 m/s",
        {"m/s": 1.0},
    ),
    "short time": (
        "50 ps",
        {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6},
    ),
    "wavelength": (
        "1550 nm",
        {"pm": 1e-3, "nm": 1.0, "um": 1e3, "µm": 1e3},
    ),
    "temperature difference": (
        "5 K",
        {"mK": 1e-3, "K": 1.0},
    ),
    "power": (
        "0 dBm",
        {"dBm": 1.0},
    ),
    "drift": (
        "0.1 rad2/s",
        {"mrad2/s": 1e-6, "rad2/s": 1.0, "rad^2/s": 1.0},
    ),
    "dispersion": (
        "17 ps/nm/km",
        {"ps/nm/km": 1.0},
    ),
    "dispersion slope": (
        "0.058 ps/nm2/km",
        {"ps/nm2/km": 1.0, "ps/nm^2/km": 1.0},
    ),
    "polarisation-mode dispersion": (
        "0.2 ps/sqrt(km)",
        {"fs/sqrt(km)": 1e-3, "ps/sqrt(km)": 1.0},
    ),
    "thermal delay": (
        "38 ps/km/K",
        {"ps/km/K": 1.0},
    ),
    "Raman coefficient": (
        "3e-9 /km/nm",
        {"/km/nm": 1.0},
    ),
}
EXAMPLES = {dimension: example for dimension, (example, _) in _DIMENSIONS.items()}
UNITS = {dimension: units for dimension, (_, units) in _DIMENSIONS.items()}
#: dimension -> the unit a parsed quantity is in: the first one with factor 1.
BASE = {
    dimension: next(unit for unit, factor in units.items() if factor == 1)
    for dimension, units in UNITS.items()
}

#: The last instant of virtual time, in ns: times are 64-bit integers, which is 292 years.
LAST_NS = 2**63 - 1
#: So many characters of a value an error quotes.
_LONGEST_QUOTED = 60
#: A number at the beginning; unambiguous, so that it is found in one pass.
_NUMBER = re.compile(r"\s*([-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?)")
#: No honest number has more characters.
_LONGEST_NUMBER = 100
#: A unit is shorter.
_LONGEST_UNIT = 60
#: Times below this many ns are read digit by digit; all that fit 64 bits are.
_EXACT = 1e20
_MINUS = "\N{MINUS SIGN}"


def to_ns(seconds: float) -> int:
    """Seconds to integer nanoseconds: nearest, but a positive duration is at least 1 ns.

    Raises UnitError for NaN and infinities.
    """
    if not math.isfinite(seconds):
        raise UnitError(f"a duration must be finite, not {seconds!r}")
    ns = round(seconds * 1e9)
    return 1 if ns == 0 and seconds > 0 else ns


def unsigned_zero(value: float) -> float:
    """The number, and 0.0 for -0.0: what is equal is one number to caches, maps and the journal."""
    return value + 0.0


def parse_quantity(value: object, dimension: str) -> float:
    """A quantity such as `"3 us"` in its dimension's base unit (see BASE).

    A bare number is accepted only where the dimension has a unit-less form (probability, number).
    Raises UnitError, which says what stands there and what was expected.
    """
    units = UNITS[dimension]
    if isinstance(value, bool):
        raise UnitError(f"expected {_expected(dimension)}, found {quoted(value)}")
    if isinstance(value, (int, float)):
        if "" in units:
            return _finite(_float(value), value)
        raise UnitError(f"{quoted(value)} has no unit: expected {_expected(dimension)}")
    number, unit = _parts(value, dimension)
    found = _finite(float(number) * units[unit], value)
    if found == 0 and is_not_zero(number):
        raise UnitError(f"{quoted(value)} cannot be told from 0: expected 0, or more than 1e-300")
    return found


def parse_ns(value: object) -> int:
    """A time such as `"3 us"` in integer nanoseconds (rule of `to_ns`), exactly. Raises UnitError."""
    ns = parse_quantity(value, "time")
    number, unit = _parts(value, "time")
    rounded = round(Decimal(number) * int(UNITS["time"][unit])) if abs(ns) < _EXACT else round(ns)
    return 1 if rounded == 0 and ns > 0 else rounded


def _parts(value: object, dimension: str) -> tuple[str, str]:
    """The number and the unit of a quantity that is text."""
    match = _NUMBER.match(value.replace(_MINUS, "-")) if isinstance(value, str) else None
    if match is None:
        raise UnitError(f"expected {_expected(dimension)}, found {quoted(value)}")
    number = match[1].replace("_", "")
    if len(number) > _LONGEST_NUMBER:
        problem = f"expected a number of at most {_LONGEST_NUMBER} characters"
        raise UnitError(f"{problem}, found {quoted(value)}")
    unit = _plain_unit(match.string[match.end() :].strip())
    if unit not in UNITS[dimension]:
        raise UnitError(_wrong_unit(str(value), unit, dimension))
    return number, unit


def _plain_unit(unit: str) -> str:
    """A unit in the letters of the table: `μs` with a Greek mu as `µs`, `rad²/s` as `rad2/s`."""
    plain = unicodedata.normalize("NFKC", unit[:_LONGEST_UNIT])
    return plain.replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")


def is_not_zero(number: str) -> bool:
    """Whether a number has a digit other than 0, however small its exponent makes it."""
    return any(digit in "123456789" for digit in number.lower().partition("e")[0])


def format_ns(time_ns: int) -> str:
    """Virtual time for people: `format_ns(1_500_000)` is `"1.5 ms"`."""
    for unit, factor in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if abs(time_ns) >= factor:
            return f"{time_ns / factor:.9g} {unit}"
    return f"{time_ns} ns"


def is_time(name: str) -> bool:
    """Whether a quantity of that name is in seconds: `waiting_s`, and not `success_per_s`."""
    return name.endswith("_s") and not name.endswith("_per_s")


def scale_of(seconds: float) -> tuple[float, str]:
    """What to multiply a time in seconds with for people, and the unit it is in then: (1e3, "ms")."""
    if not seconds:
        return 1.0, "s"
    known = ((1.0, 1.0, "s"), (1e-3, 1e3, "ms"), (1e-6, 1e6, "us"))
    return next(((by, unit) for least, by, unit in known if abs(seconds) >= least), (1e9, "ns"))


def quoted(value: object) -> str:
    """A value as an error quotes it: the beginning, if it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_QUOTED else f"{text[: _LONGEST_QUOTED - 4]}..."


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number of any size
        return math.inf


def _finite(number: float, value: object) -> float:
    if not math.isfinite(number):
        raise UnitError(f"expected a finite quantity, found {quoted(value)}")
    return unsigned_zero(number)


def _expected(dimension: str) -> str:
    units = [unit for unit in UNITS[dimension] if unit]
    if not units:
        return "a number"
    bare = " or a bare number" if "" in UNITS[dimension] else ""
    return f"{_one(dimension)} ({', '.join(units)}){bare}"


def _one(dimension: str) -> str:
    return f"{'an' if dimension[0] in 'aeiou' else 'a'} {dimension}"


def _wrong_unit(value: str, unit: str, dimension: str) -> str:
    for other, units in UNITS.items():
        if unit in units and unit:
            return f"{quoted(value)} is {_one(other)}: expected {_expected(dimension)}"
    if not unit:
        return f"{quoted(value)} has no unit: expected {_expected(dimension)}"
    hint = did_you_mean(unit, [known for known in UNITS[dimension] if known])
    return f"{quoted(value)}: unknown unit {quoted(unit)}, expected {_expected(dimension)}{hint}"
