"""Coincidences in a window: against every pair of clicks, one by one, and a maximum matching."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from qnetem.agents.protocols.qkd.coincidences import coincidences, width_of, window_of
from qnetem.emulator.errors import ProgramError, UnitError


def clicks(seed: int, count: int, span: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(span, count, replace=False)).astype(np.int64)


def one_by_one(ours: list[int], theirs: list[int], width: int) -> list[tuple[int, int]]:
    """Each click takes the earliest free one in its window, by looking at all of them."""
    found, free = [], set(range(len(theirs)))
    for mine, slot in enumerate(ours):
        for its, other in enumerate(theirs):
            if its in free and -(width // 2) <= other - slot < width - width // 2:
                found.append((mine, its))
                free.remove(its)
                break
    return found


@pytest.mark.parametrize("width", [1, 2, 3, 10, 25, 400])
@pytest.mark.parametrize("span", [400, 4000])
def test_each_click_takes_the_earliest_that_is_free_in_its_window(width: int, span: int) -> None:
    for seed in range(5):
        ours, theirs = clicks(seed, 150, span), clicks(seed + 100, 180, span)
        mine, its = coincidences(ours, theirs, width)
        expected = one_by_one(ours.tolist(), theirs.tolist(), width)
        assert list(zip(mine.tolist(), its.tolist(), strict=True)) == expected
        assert len(set(mine.tolist())) == len(set(its.tolist())) == len(mine)


@pytest.mark.parametrize("width", [1, 7, 60])
def test_there_are_as_many_coincidences_as_there_can_be(width: int) -> None:
    for seed in range(5):
        ours, theirs = clicks(seed, 200, 3000), clicks(seed + 50, 170, 3000)
        delay = theirs[None, :] - ours[:, None]
        near = (delay >= -(width // 2)) & (delay < width - width // 2)
        most = (maximum_bipartite_matching(csr_matrix(near)) >= 0).sum()
        assert len(coincidences(ours, theirs, width)[0]) == most


def test_a_window_of_one_slot_is_the_same_slot() -> None:
    ours, theirs = clicks(1, 3000, 9000), clicks(2, 3000, 9000)
    _, mine, its = np.intersect1d(ours, theirs, return_indices=True)
    found = coincidences(ours, theirs)
    assert np.array_equal(found[0], mine) and np.array_equal(found[1], its)


def test_a_window_is_full_width_around_zero_delay() -> None:
    here = np.array([10_000])
    delays = [d for d in range(-1100, 1100) if len(coincidences(here, here + d, 2000)[0])]
    assert (delays[0], delays[-1], len(delays)) == (-1000, 999, 2000)


def test_numbers_out_of_order_come_in_the_order_of_the_other_end() -> None:
    """Heralded pairs, which the ends may have measured in different orders."""
    mine, its = coincidences(np.arange(4), np.array([2, 9, 0, 3]))
    assert mine.tolist() == [2, 0, 3] and its.tolist() == [0, 2, 3]


def test_nothing_coincides_with_nothing() -> None:
    nothing = np.empty(0, dtype=np.int64)
    for ours, theirs in ((nothing, nothing), (nothing, np.arange(3)), (np.arange(3), nothing)):
        assert [len(each) for each in coincidences(ours, theirs, 5)] == [0, 0]


def test_by_chance_there_are_as_many_as_rates_and_window_say() -> None:
    """S_a S_b tau: two Poisson processes of 2e5 and 3e5 a second, 2 ns, over 5 s."""
    rng, span = np.random.default_rng(3), 5 * 10**12
    ours, theirs = (np.unique(rng.integers(0, span, rng.poisson(rate * 5))) for rate in (2e5, 3e5))
    expected = 2e5 * 3e5 * 2e-9 * 5
    found = len(coincidences(ours, theirs, 2000)[0])
    assert abs(found - expected) < 3 * np.sqrt(expected)


def test_a_window_is_a_time_above_zero() -> None:
    assert window_of(None) is None
    assert window_of("2 ns") == 2000
    assert window_of("350 ps") == 350
    with pytest.raises(ProgramError, match="above 0"):
        window_of("0 ns")
    with pytest.raises(UnitError, match="expected a short time"):
        window_of("2 km")


def test_time_tags_need_a_window_and_slots_do_not() -> None:
    assert width_of(None, 1000) == 1
    assert width_of(2000.0, 1) == 2000
    assert width_of(100.0, 1000) == 1
    assert width_of(3000.0, 1000) == 3
    with pytest.raises(ProgramError, match="expected a `window`"):
        width_of(None, 1)
