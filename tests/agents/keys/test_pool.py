from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from qnetem import Secret
from qnetem.agents.keys.pool import Block, Intervals, Part, Pool
from qnetem.agents.keys.vault import key_id


def pool_of(*sizes: int) -> Pool:
    pool = Pool("bob")
    for number, size in enumerate(sizes):
        bits = Secret(bytes((number * 50 + at) % 256 for at in range(size)))
        pool.add(Block(f"b{number}", "bob", bits, 0, {}, ready=True))
    return pool


@given(st.lists(st.integers(1, 40), max_size=8), st.lists(st.integers(1, 30), max_size=20))
@settings(max_examples=60, deadline=None)
def test_no_byte_is_cut_twice_and_the_other_site_takes_the_same_ones_in_any_order(
    sizes: list[int], keys: list[int]
) -> None:
    ours, theirs, seen, cut = pool_of(*sizes), pool_of(*sizes), set[tuple[str, int]](), []
    for size in keys:
        found = ours.allocate([size])
        if found is None:
            assert ours.free < size
            continue
        (parts,) = found
        assert sum(part.stop - part.start for part in parts) == size
        bytes_of = {(part.block, at) for part in parts for at in range(part.start, part.stop)}
        assert not bytes_of & seen
        seen |= bytes_of
        cut.append(parts)
    for parts in reversed(cut):
        assert (
            theirs.fits([parts])
            and not theirs.fits([parts, parts])
            and ours.bits(parts) == theirs.bits(parts)
        )
        theirs.take(parts)
        assert not theirs.fits([parts]), "a repeated one is refused"
    assert ours.free == theirs.free == sum(sizes) - len(seen)
    assert len({key_id(parts[0]) for parts in cut}) == len(cut)


def test_nothing_is_cut_where_there_is_too_little_for_all_and_from_no_block_that_is_not_ready() -> (
    None
):
    pool = pool_of(10, 10)
    pool["b1"].ready = False
    assert pool.allocate([8, 8]) is None and pool.free == 10 and pool.held == 20
    assert pool.allocate([8]) == [[Part("b0", 0, 8)]]


def test_parts_that_are_none_of_a_block_fit_nowhere() -> None:
    pool = pool_of(10)
    for parts in (
        [],
        [Part("b9", 0, 1)],
        [Part("b0", -1, 2)],
        [Part("b0", 3, 3)],
        [Part("b0", 9, 11)],
    ):
        assert not pool.fits([parts])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12))
@settings(max_examples=60, deadline=None)
def test_intervals_are_what_a_set_of_numbers_is(added: list[tuple[int, int]]) -> None:
    intervals, numbers = Intervals(), set[int]()
    for start, stop in added:
        intervals.add(start, stop)
        numbers |= set(range(start, stop))
    assert intervals.count == len(numbers)
    for start in range(40):
        assert intervals.is_free(start, start + 3) == (not numbers & {start, start + 1, start + 2})
    assert intervals.end == max(numbers, default=-1) + 1
    assert set(range(intervals.beginning)) <= numbers and intervals.beginning not in numbers
