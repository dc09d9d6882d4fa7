"""Clouds: how often, how long, and that a path is one path."""

from __future__ import annotations

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.space.weather import Cover, Record

S = 10**9


def cover(share: float = 0.3, seed: int = 4) -> Cover:
    return Cover(np.random.Generator(np.random.PCG64(seed)), share, 100 * S, 40.0)


def test_clouds_cover_their_share_and_pass_in_their_time() -> None:
    sky, t_ns, cloudy = cover(), 0, []
    clear = []
    while len(cloudy) < 3000:
        loss_db, until_ns = sky.at(t_ns)
        (cloudy if loss_db else clear).append(until_ns - t_ns)
        t_ns = until_ns
    spread = 4 / np.sqrt(3000)  # of exponential stretches
    assert np.mean(cloudy) == pytest.approx(100 * S, rel=spread)
    assert sum(cloudy) / t_ns == pytest.approx(0.3, rel=2 * spread)


def test_half_the_skies_are_cloudy_at_the_beginning_with_a_cover_of_half() -> None:
    cloudy = [cover(0.5, seed).at(0)[0] > 0 for seed in range(400)]
    assert abs(sum(cloudy) - 200) < 4 * 10


def test_what_is_asked_first_changes_nothing() -> None:
    times = [t * 37 * S for t in range(300)]
    forwards, backwards = cover(), cover()
    assert [forwards.at(t) for t in times] == [backwards.at(t) for t in times[::-1]][::-1]


@pytest.mark.parametrize(("share", "loss_db"), [(0.0, 0.0), (1.0, 40.0)])
def test_a_sky_may_always_be_clear_or_never(share: float, loss_db: float) -> None:
    assert {cover(share).at(t * S)[0] for t in range(0, 10_000, 500)} == {loss_db}


def test_a_record_holds_from_each_row_to_the_next() -> None:
    record = Record([(0, 1.0), (10 * S, 5.0), (20 * S, 0.0)])
    assert record.at(0) == (1.0, 10 * S)
    assert record.at(10 * S) == (5.0, 20 * S)
    assert record.at(10**15)[0] == 0.0


@pytest.mark.parametrize("rows", [[], [(1, 0.0)], [(0, 1.0), (0, 2.0)]])
def test_a_record_that_is_none_is_refused(rows: list[tuple[int, float]]) -> None:
    with pytest.raises(InputError):
        Record(rows)
