"""The sky of a station follows the sun."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from qnetem.emulator.space.earth import Station
from qnetem.emulator.space.sky import DAY_DEG, GRID_NS, NIGHT_DEG, FollowedSky
from qnetem.emulator.space.sun import sun_elevation_deg

S = 10**9
#: An equinox, at Greenwich: the sun rises at 6 and sets at 18.
DAY = datetime(2026, 3, 20, tzinfo=UTC).timestamp()
GREENWICH = Station(51.48, 0.0)
SKY = FollowedSky(GREENWICH, DAY, 1e9, 1e3)


def rates(step_s: int = 10) -> list[float]:
    return [SKY.at(t * S)[0] for t in range(0, 86_400, step_s)]


def test_noon_is_day_and_midnight_is_night() -> None:
    assert SKY.at(12 * 3600 * S)[0] == 1e9
    assert SKY.at(0)[0] == 1e3


def test_day_and_night_last_as_long_as_the_sun_stands_so() -> None:
    found = rates()
    heights = [sun_elevation_deg(GREENWICH, DAY + t) for t in range(0, 86_400, 10)]
    for rate, height in zip(found, heights, strict=True):
        if height > DAY_DEG + 0.1:
            assert rate == 1e9
        elif height < NIGHT_DEG - 0.1:
            assert rate == 1e3
        else:
            assert 1e3 <= rate <= 1e9
    twilight = sum(1e3 < rate < 1e9 for rate in found) * 10
    assert twilight == pytest.approx(2 * 1.9 * 3600, rel=0.05), "18 degrees, steeply at an equinox"


def test_dawn_brightens_and_dusk_darkens_without_a_jump() -> None:
    found = rates()
    noon = len(found) // 2
    assert found[:noon] == sorted(found[:noon])
    assert found[noon:] == sorted(found[noon:], reverse=True)
    assert max(b / a for a, b in pairwise(found[:noon])) < 1.05


def test_what_is_said_to_stay_does() -> None:
    t_ns, cells = 0, 0
    while t_ns < 86_400 * S:
        rate, until_ns = SKY.at(t_ns)
        assert until_ns > t_ns and until_ns % GRID_NS == 0
        for inside in (t_ns, (t_ns + until_ns) // 2, until_ns - 1):
            assert SKY.at(inside)[0] == rate
        t_ns, cells = until_ns, cells + 1
    assert cells < 86_400 / 10 / 5, "day and night are not looked at every 10 s"


def test_a_sky_without_light_by_night_fades_to_nothing() -> None:
    dark = FollowedSky(GREENWICH, DAY, 1e9, 0.0)
    assert [dark.at(hour * 3600 * S)[0] for hour in (0, 12)] == [0.0, 1e9]
    assert dark.brightest_hz == 1e9
