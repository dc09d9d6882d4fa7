"""Privacy amplification is the product with a Toeplitz matrix over the integers modulo 2, exactly."""

from __future__ import annotations

import numpy as np
import pytest

from qnetem.agents.protocols.qkd.processing.amplification import (
    LONGEST,
    amplified,
    rounding_error,
    seed_bits,
)
from qnetem.emulator.errors import InputError


def bits(length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, length, dtype=np.uint8)


@pytest.mark.parametrize(("count", "length"), [(1, 1), (5, 3), (64, 64), (300, 77), (1_000, 999)])
def test_it_is_a_product_with_a_toeplitz_matrix(count: int, length: int) -> None:
    key, seed = bits(count), bits(seed_bits(count, length), 2)
    matrix = [[seed[row - column + count - 1] for column in range(count)] for row in range(length)]
    assert np.array_equal(amplified(key, seed, length), np.array(matrix) @ key % 2)


def test_a_long_key_is_hashed_exactly() -> None:
    """Ones alone give the largest sums: n in every row."""
    count, length = 300_001, 1_000
    ones = np.ones(count, dtype=np.uint8)
    assert amplified(ones, np.ones(seed_bits(count, length), dtype=np.uint8), length).all()
    key, seed = bits(count), bits(seed_bits(count, length), 2)
    found = amplified(key, seed, length)
    for row in (0, 17, length - 1):
        assert found[row] == int(seed[row : row + count][::-1] @ key.astype(np.int64)) % 2


def test_the_longest_key_stays_far_from_a_rounding_error() -> None:
    assert rounding_error(LONGEST, LONGEST) < 0.25 / 1e4 * 100


def test_two_keys_rarely_have_one_hash() -> None:
    """Universal: 2^-length over the seeds."""
    first, second, same = bits(40, 3), bits(40, 4), 0
    for seed in range(2_000):
        drawn = bits(seed_bits(40, 4), seed)
        same += np.array_equal(amplified(first, drawn, 4), amplified(second, drawn, 4))
    assert abs(same / 2_000 - 1 / 16) < 4 * (1 / 16 / 2_000) ** 0.5


def test_nothing_comes_of_nothing_and_misfits_are_refused() -> None:
    assert len(amplified(bits(10), bits(0), 0)) == 0
    with pytest.raises(InputError, match="11 bits from a key of 10"):
        amplified(bits(10), bits(20), 11)
    with pytest.raises(InputError, match="a seed of 5 bits, expected 13"):
        amplified(bits(10), bits(5), 4)
