"""Settings that are a hash of the slot's number: columns of any length that cost nothing until they are read.

Owns the hash and what becomes of its words. Imports numpy only, so that nodes and emulator can share it.

Theory of operation. Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC '11) maps a counter and a key to four
words. The slot's number is the low half of the counter; 16 bytes of key are its high half and Philox's own
key. Each column has a word of its own, compared with the cumulative shares of what it may hold.

Rules. A slot's settings depend on nothing but key, shares and number: not on blocks, nor on what else was
read. Who has the key has all settings: it is a secret of its node. Shares are rounded to 2**-32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Slots = NDArray[np.int64]
Words = NDArray[np.uint64]

KEY_BYTES = 16
#: Which word of the hash is whose.
BASES, BITS, INTENSITIES = 0, 1, 2

#: Philox's multipliers, and what is added to its key after each round.
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_BUMPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
#: Slots that are hashed at once: what the processor's cache holds.
_AT_ONCE = 1 << 14


def philox(counter: Sequence[Words], key: tuple[int, int]) -> list[Words]:
    """Four words of 32 bits for each counter of four words."""
    first, second, third, fourth = (word.copy() for word in counter)
    one, other = np.empty_like(first), np.empty_like(first)
    for number in range(_ROUNDS):
        mine, its = (
            np.uint64((word + number * bump) & 0xFFFFFFFF)
            for word, bump in zip(key, _BUMPS, strict=True)
        )
        np.multiply(first, _MULTIPLIERS[0], out=one)
        np.multiply(third, _MULTIPLIERS[1], out=other)
        np.right_shift(other, _HALF, out=first)
        first ^= second
        first ^= mine
        np.bitwise_and(other, _LOW, out=second)
        np.right_shift(one, _HALF, out=third)
        third ^= fourth
        third ^= its
        np.bitwise_and(one, _LOW, out=fourth)
    return [first, second, third, fourth]


def hashed(key: bytes, slots: Slots) -> list[Words]:
    """Four words of 32 bits for each slot."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key of {len(key)} bytes, expected {KEY_BYTES}")
    low, high, mine, more = (int(word) for word in np.frombuffer(key, dtype="<u4"))
    numbers = slots.astype(np.uint64)
    found = [np.empty(len(slots), dtype=np.uint64) for _ in range(4)]
    for at in range(0, len(slots), _AT_ONCE):
        part = numbers[at : at + _AT_ONCE]
        same = np.ones_like(part)
        counter = (part & _LOW, part >> _HALF, same * np.uint64(low), same * np.uint64(high))
        for column, words in zip(found, philox(counter, (mine, more)), strict=True):
            column[at : at + _AT_ONCE] = words
    return found


def chosen(words: Words, shares: Sequence[float]) -> Bytes:
    """Which of `shares` each word falls into."""
    limits = np.rint(np.cumsum(shares)[:-1] * 2.0**32).astype(np.uint64)
    return np.searchsorted(limits, words, side="right").astype(np.uint8)


class HashedColumn:
    """One column of consecutive slots, read like an array: `column[places]` hashes those places only.

    `first_slot` is the slot of place 0. A slice is a column again.
    """

    __slots__ = ("_shares", "_size", "_word", "first_slot", "key")

    def __init__(
        self, key: bytes, word: int, shares: Sequence[float], first_slot: int, size: int
    ) -> None:
        self.key, self._word, self._shares = key, word, tuple(shares)
        self.first_slot, self._size = first_slot, size

    @overload
    def __getitem__(self, places: slice) -> HashedColumn: ...

    @overload
    def __getitem__(self, places: Slots) -> Bytes: ...

    def __getitem__(self, places: slice | Slots) -> HashedColumn | Bytes:
        if isinstance(places, slice):
            low, high, _ = places.indices(self._size)
            first = self.first_slot + low
            return HashedColumn(self.key, self._word, self._shares, first, high - low)
        if len(self._shares) == 1:
            return np.zeros(len(places), dtype=np.uint8)
        return self.of(hashed(self.key, places + self.first_slot))

    def of(self, words: Sequence[Words]) -> Bytes:
        """What the four words of each slot come to here."""
        return chosen(words[self._word], self._shares)

    def whole(self) -> Bytes:
        """All its values."""
        return self[np.arange(self._size)]

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"<HashedColumn of {self._size} slots from slot {self.first_slot}>"


def read_together(columns: Sequence[HashedColumn], places: Slots) -> list[Bytes]:
    """`column[places]` of each, of columns with one key that begin at one slot: hashed once."""
    words = hashed(columns[0].key, places + columns[0].first_slot)
    return [column.of(words) for column in columns]
