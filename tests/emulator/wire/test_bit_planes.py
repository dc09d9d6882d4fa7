from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qnetem.emulator.wire.bit_planes import packed, packed_size, picked, planes_for, unpacked


@given(st.lists(st.integers(0, 15), max_size=70), st.integers(0, 2**32 - 1))
def test_what_is_packed_comes_out_again_whole_or_picked(values: list[int], seed: int) -> None:
    column = np.array(values, dtype=np.uint8)
    data = packed(column, 4)
    assert len(data) == packed_size(len(values), 4)
    assert unpacked(data, len(values), 4).tolist() == values
    places = np.random.default_rng(seed).permutation(len(values))
    assert picked(data, len(values), places, 4).tolist() == column[places].tolist()


@pytest.mark.parametrize(("kinds", "planes"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (16, 4)])
def test_as_many_planes_as_the_numbers_need(kinds: int, planes: int) -> None:
    assert planes_for(kinds) == planes
    column = np.arange(kinds, dtype=np.uint8)
    assert unpacked(packed(column, planes), kinds, planes).tolist() == column.tolist()


def test_a_column_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="2 bytes, expected 1"):
        unpacked(b"ab", 8)
