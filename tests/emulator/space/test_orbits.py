"""Orbits: Kepler's laws, and SGP4's own verification vectors."""

from __future__ import annotations

import math
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qnetem.emulator.errors import InputError
from qnetem.emulator.space.earth import EQUATOR_KM
from qnetem.emulator.space.mean_elements import (
    OMM_KEYS,
    checksum,
    orbit_of_omm,
    orbit_of_tle,
)
from qnetem.emulator.space.orbits import KeplerOrbit, eccentric_anomaly
from qnetem.emulator.space.vectors import dot, minus, norm

#: The space station on 9 December 2019.
STATION = (
    "1 25544U 98067A   19343.69339541  .00001764  00000-0  38792-4 0  9991",
    "2 25544  51.6439 211.2001 0007417  17.6667  85.6398 15.50103472202482",
)


# --- Kepler ---------------------------------------------------------------------------------------


@given(st.floats(0, 2 * math.pi), st.floats(0, 0.999))
@settings(max_examples=200)
def test_keplers_equation_is_solved_for_any_ellipse(mean: float, eccentricity: float) -> None:
    found = eccentric_anomaly(mean, eccentricity)
    wrong = found - eccentricity * math.sin(found) - mean
    assert abs(math.remainder(wrong, 2 * math.pi)) < 1e-11


def test_an_orbit_has_the_period_size_and_plane_of_its_elements() -> None:
    orbit = KeplerOrbit(8000.0, 0.1, 60.0, 30.0, 90.0, 0.0, epoch_s=1e9)
    perigee, apogee = orbit.position_km(1e9), orbit.position_km(1e9 + orbit.period_s / 2)
    assert norm(perigee) == pytest.approx(7200)
    assert norm(apogee) == pytest.approx(orbit.highest_km) == pytest.approx(8800)
    assert norm(minus(orbit.position_km(1e9 + orbit.period_s), perigee)) < 1e-2
    node, tilt = math.radians(30), math.radians(60)
    normal = (math.sin(node) * math.sin(tilt), -math.cos(node) * math.sin(tilt), math.cos(tilt))
    for share in (0.1, 0.3, 0.8):
        assert dot(orbit.position_km(1e9 + share * orbit.period_s), normal) == pytest.approx(
            0, abs=1e-6
        )
    # an argument of 90 degrees: the perigee is the northernmost point
    assert perigee[2] == pytest.approx(7200 * math.sin(tilt))


def test_equal_areas_are_swept_in_equal_times() -> None:
    orbit = KeplerOrbit(11_000.0, 0.3)
    areas = []
    for share in (0.0, 0.2, 0.5, 0.9):
        first, second = (orbit.position_km(orbit.period_s * share + t) for t in (0.0, 1.0))
        areas.append(first[0] * second[1] - first[1] * second[0])
    assert areas == pytest.approx([areas[0]] * 4, rel=1e-6)


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ((6400.0,), "the orbit comes down to 21.863 km"),
        ((7000.0, 0.2), "the orbit comes down to -778.137 km"),
        ((7000.0, 1.0), "an eccentricity of 1, expected 0 to less than 1"),
    ],
)
def test_what_is_no_orbit_is_refused(elements: tuple[float, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        KeplerOrbit(*elements)


# --- SGP4 -----------------------------------------------------------------------------------------


def verification() -> list[tuple[tuple[str, str], list[list[float]]]]:
    """The library's own file of elements, and positions over time: (minutes, x, y, z in km)."""
    folder = resources.files("sgp4")
    results: dict[str, list[list[float]]] = {}
    number = ""
    for line in (folder / "tcppver.out").read_text().splitlines():
        words = line.split()
        if words[-1] == "xx":
            number = words[0].zfill(5)
            results.setdefault(number, [])
        elif not any(len(row) and row[0] == float(words[0]) for row in results[number]):
            results[number].append([float(word) for word in words[:4]])
    found = []
    lines = (folder / "SGP4-VER.TLE").read_text().splitlines()
    elements = [line for line in lines if line[:2] in ("1 ", "2 ")]
    for first, second in zip(elements[::2], elements[1::2], strict=True):
        found.append(((first[:69], second[:69]), results[first[2:7].strip().zfill(5)]))
    return found


def test_sgp4s_verification_vectors_come_out() -> None:
    """All elements that are well formed and those of their times at which SGP4 has a position."""
    compared, refused = 0, 0
    for lines, rows in verification():
        try:
            orbit = orbit_of_tle(lines)
        except InputError:
            refused += 1  # malformed on purpose, or an orbit through the ground
            continue
        epoch_s = epoch_of(lines[0])
        for minutes, *expected in rows:
            try:
                position = orbit.position_km(epoch_s + minutes * 60)
            except InputError:
                continue
            assert norm(minus(position, tuple(expected))) < 1e-4, lines[0]  # 10 cm
            compared += 1
    assert compared > 400 and refused <= 6


def epoch_of(line: str) -> float:
    """The epoch of a first line, since 1970."""
    from datetime import UTC, datetime

    year = int(line[18:20])
    start = datetime(year + (1900 if year >= 57 else 2000), 1, 1, tzinfo=UTC).timestamp()
    return start + (float(line[20:32]) - 1) * 86_400


def test_two_lines_give_the_orbit_of_their_numbers() -> None:
    orbit = orbit_of_tle(STATION)
    assert orbit.period_s == pytest.approx(86_400 / 15.50103472, rel=1e-9)
    high = norm(orbit.position_km(epoch_of(STATION[0]))) - EQUATOR_KM
    assert 400 < high < 430
    assert orbit.name == "satellite 25544"
    assert orbit_of_tle(["0 ISS (ZARYA)", *STATION]).name == "ISS (ZARYA)"


def test_a_message_gives_the_orbit_of_the_same_two_lines() -> None:
    message = {
        "OBJECT_NAME": "ISS",
        "EPOCH": "2019-12-09T16:38:29.363424",
        "MEAN_MOTION": 15.50103472,
        "ECCENTRICITY": 0.0007417,
        "INCLINATION": 51.6439,
        "RA_OF_ASC_NODE": 211.2001,
        "ARG_OF_PERICENTER": 17.6667,
        "MEAN_ANOMALY": 85.6398,
        "BSTAR": 0.38792e-4,
        "MEAN_MOTION_DOT": 0.00001764,
    }
    first, second = orbit_of_omm(message), orbit_of_tle(STATION)
    for after_s in (0, 7200, 86_400):
        at = epoch_of(STATION[0]) + after_s
        assert norm(minus(first.position_km(at), second.position_km(at))) < 1e-2
    for key in OMM_KEYS:
        with pytest.raises(InputError, match=f"an OMM without {key}"):
            orbit_of_omm({name: value for name, value in message.items() if name != key})
    for wrong in ("never", "nan"):
        with pytest.raises(InputError, match=r"an OMM that cannot be read|are no numbers"):
            orbit_of_omm({**message, "MEAN_MOTION": wrong})


def with_checksum(line: str) -> str:
    return f"{line[:68]}{checksum(line)}"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((STATION[0],), "expected two lines, or three with a name, found 1"),
        ((STATION[0][:-1], STATION[1]), "line 1 has 68 characters, expected 69"),
        ((STATION[0][:-1] + "2", STATION[1]), "line 1 has the checksum '2', expected 1"),
        ((STATION[1], STATION[0]), "line 1 begins with '2 ', expected '1 '"),
        (
            (STATION[0], with_checksum(STATION[1].replace("25544", "25545", 1))),
            "line 1 is of satellite 25544, and line 2 of 25545",
        ),
        (
            (STATION[0], with_checksum(STATION[1].replace("51.6439", "51.x439"))),
            "line 2: the inclination is ' 51.x439', expected a number in columns 9 to 16",
        ),
        (
            (STATION[0], with_checksum(STATION[1].replace("15.50103472", "17.50103472"))),
            "the elements are no orbit: its perigee is",
        ),
        (
            (STATION[0], with_checksum(STATION[1].replace("15.50103472", " 0.00000000"))),
            "the elements are",
        ),
    ],
)
def test_malformed_elements_are_refused_by_their_place(lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        orbit_of_tle(lines)


def test_an_orbit_that_has_decayed_has_no_position() -> None:
    orbit = orbit_of_tle(STATION)
    with pytest.raises(InputError, match="satellite 25544: SGP4 has no position"):
        orbit.position_km(epoch_of(STATION[0]) + 30 * 3.15e7)
