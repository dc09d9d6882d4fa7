"""Settings that are a hash of the slot's number."""

from __future__ import annotations

import numpy as np
import pytest

from qnetem.emulator.wire.hashed_settings import (
    BASES,
    BITS,
    INTENSITIES,
    KEY_BYTES,
    HashedColumn,
    hashed,
    philox,
)

KEY = bytes(range(KEY_BYTES))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_philox_gives_the_known_answers_of_its_authors(
    counter: str, key: str, expected: str
) -> None:
    first, second, third, fourth = (
        np.array([int(word, 16)], np.uint64) for word in counter.split()
    )
    low, high = (int(word, 16) for word in key.split())
    found = philox((first, second, third, fourth), (low, high))
    assert [f"{int(word[0]):08x}" for word in found] == expected.split()


def test_a_slot_has_its_settings_whatever_else_is_read() -> None:
    column = HashedColumn(KEY, BASES, [0.5, 0.3, 0.2], 10**13, 1 << 20)
    places = np.array([0, 5, 77, 40_000, (1 << 20) - 1])
    assert np.array_equal(column[places], column.whole()[places])
    part = column[70:50_000]
    assert len(part) == 49_930
    assert part[np.array([7])] == column[np.array([77])]
    assert np.array_equal(part.whole(), column.whole()[70:50_000])


def test_columns_have_their_shares_and_do_not_follow_each_other() -> None:
    size = 400_000
    shares = {BASES: [0.5, 0.5], BITS: [0.9, 0.1], INTENSITIES: [0.25, 0.75]}
    columns = {
        word: HashedColumn(KEY, word, each, 0, size).whole() for word, each in shares.items()
    }
    for word, each in shares.items():
        spread = np.sqrt(each[0] * each[1] / size)
        assert abs(columns[word].mean() - each[1]) < 4 * spread
    together = np.corrcoef(np.stack(list(columns.values())))
    neighbours = np.corrcoef(columns[BASES][1:], columns[BASES][:-1])[0, 1]
    assert np.abs([*together[np.triu_indices(3, 1)], neighbours]).max() < 4 / np.sqrt(size)


def test_every_byte_of_the_key_matters() -> None:
    slots = np.arange(64)
    seen = {np.stack(hashed(KEY, slots)).tobytes()}
    for index in range(KEY_BYTES):
        other = bytearray(KEY)
        other[index] ^= 1
        seen.add(np.stack(hashed(bytes(other), slots)).tobytes())
    assert len(seen) == KEY_BYTES + 1


def test_a_share_of_nothing_is_never_drawn() -> None:
    column = HashedColumn(KEY, BITS, [0.0, 1.0, 0.0], 0, 100_000).whole()
    assert column.min() == column.max() == 1


def test_a_key_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a key of 3 bytes, expected 16"):
        hashed(b"abc", np.arange(3))
