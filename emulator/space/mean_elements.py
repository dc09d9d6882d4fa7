"""Mean elements of satellites, as catalogues give them: two lines (TLE) or a message (OMM).

Owns their checks, and the one import of the library `sgp4`, which takes malformed lines without a word:
lengths, checksums, line numbers, catalogue numbers and what is no number are refused here. Does not own
orbits (orbits.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InputError
from .earth import EQUATOR_KM
from .orbits import LOWEST_KM, MeanElementsOrbit

_LENGTH = 69
#: Columns of each line that hold numbers, by what they are.
_NUMBERS = {
    1: {"the epoch's year": (18, 20), "the epoch's day": (20, 32)},
    2: {
        "the inclination": (8, 16),
        "the ascending node": (17, 25),
        "the eccentricity": (26, 33),
        "the perigee": (34, 42),
        "the mean anomaly": (43, 51),
        "the mean motion": (52, 63),
    },
}
_NUMBER = re.compile(r" *[0-9]*\.?[0-9]+ *")
#: What an OMM must have.
OMM_KEYS = (
    "EPOCH",
    "MEAN_MOTION",
    "ECCENTRICITY",
    "INCLINATION",
    "RA_OF_ASC_NODE",
    "ARG_OF_PERICENTER",
    "MEAN_ANOMALY",
    "BSTAR",
)
#: What it may leave out, as the library wants to have it.
_OMM_OTHERS: Mapping[str, Any] = {
    "NORAD_CAT_ID": 0,
    "OBJECT_ID": "",
    "CLASSIFICATION_TYPE": "U",
    "EPHEMERIS_TYPE": 0,
    "ELEMENT_SET_NO": 0,
    "REV_AT_EPOCH": 0,
    "MEAN_MOTION_DOT": 0.0,
    "MEAN_MOTION_DDOT": 0.0,
}


def orbit_of_tle(lines: Sequence[str]) -> MeanElementsOrbit:
    """The orbit of two lines, or of three with a name before them. Raises InputError."""
    name, (first, second) = _split(lines)
    for number, line in ((1, first), (2, second)):
        _check_line(number, line)
    if first[2:7] != second[2:7]:
        raise InputError(f"line 1 is of satellite {first[2:7]}, and line 2 of {second[2:7]}")
    return _orbit(_library().Satrec.twoline2rv(first, second), name or f"satellite {first[2:7]}")


def orbit_of_omm(fields: Mapping[str, Any]) -> MeanElementsOrbit:
    """The orbit of an OMM's fields by their names. Raises InputError."""
    lacking = [key for key in OMM_KEYS if key not in fields]
    if lacking:
        raise InputError(f"an OMM without {lacking[0]}: expected {', '.join(OMM_KEYS)}")
    complete = {**_OMM_OTHERS, **fields}
    satellite = _library().Satrec()
    from sgp4 import omm

    try:
        omm.initialize(satellite, {key: str(value) for key, value in complete.items()})
    except (ValueError, KeyError, OverflowError) as error:
        raise InputError(f"an OMM that cannot be read: {error}") from error
    return _orbit(satellite, str(fields.get("OBJECT_NAME", "satellite")))


def _library() -> Any:
    try:
        from sgp4 import api
    except ImportError as error:
        raise InputError(
            "orbits by tle or omm need the package sgp4: expected it installed, such as by "
            "pip install 'qnetem[space]'"
        ) from error
    return api


def _split(lines: Sequence[str]) -> tuple[str, Sequence[str]]:
    lines = [line.rstrip() for line in lines if line.strip()]
    if len(lines) == 3:
        return lines[0].removeprefix("0 ").strip(), lines[1:]
    if len(lines) != 2:
        raise InputError(f"expected two lines, or three with a name, found {len(lines)}")
    return "", lines


def _check_line(number: int, line: str) -> None:
    if len(line) != _LENGTH:
        raise InputError(f"line {number} has {len(line)} characters, expected {_LENGTH}")
    if not line.isascii() or line[:2] != f"{number} ":
        raise InputError(f"line {number} begins with {line[:2]!r}, expected '{number} '")
    for name, (low, high) in _NUMBERS[number].items():
        if _NUMBER.fullmatch(line[low:high]) is None:
            raise InputError(
                f"line {number}: {name} is {line[low:high]!r}, expected a number in columns {low + 1} to "
                f"{high}"
            )
    expected = checksum(line)
    if line[-1] != str(expected):
        raise InputError(f"line {number} has the checksum {line[-1]!r}, expected {expected}")


def checksum(line: str) -> int:
    """Of the first 68 characters: digits as they are, a minus as 1, modulo 10."""
    return sum(int(c) if c.isdigit() else c == "-" for c in line[: _LENGTH - 1]) % 10


def _orbit(satellite: Any, name: str) -> MeanElementsOrbit:
    """What the library made of it, if that is an orbit."""
    numbers = (satellite.no_kozai, satellite.ecco, satellite.inclo, satellite.jdsatepoch)
    if not all(math.isfinite(number) for number in numbers) or satellite.no_kozai <= 0:
        raise InputError(f"{name}: the elements are no numbers")
    code, position, _ = satellite.sgp4(satellite.jdsatepoch, satellite.jdsatepochF)
    lowest_km = satellite.a * EQUATOR_KM * (1 - satellite.ecco) - EQUATOR_KM
    if code or not all(math.isfinite(x) for x in position) or lowest_km < LOWEST_KM:
        raise InputError(
            f"{name}: the elements are no orbit: its perigee is {lowest_km:.6g} km high"
        )
    return MeanElementsOrbit(satellite, name)
