"""Polynomial hashes over prime fields: what authentication and verification are built on.

Carter and Wegman, JCSS 18, 143 (1979); Wegman and Carter, JCSS 22, 265 (1981).

Owns the hash and its collision bound. Does not own keys, nor which messages are hashed.

A message is cut into blocks that are digits c_1 .. c_L of the field, after its length in bits as c_0; its
hash at the point r is c_0 r^(L+1) + c_1 r^L + ... + c_L r modulo p. Two messages have the same difference of
hashes at no more than L + 1 of the p points.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .....emulator.errors import InputError

Digits = NDArray[np.uint64]

#: The field whose long messages are hashed by arrays, how many digits at a time, and from how many on.
_FAST, _AT_ONCE, _MANY = 61, 1024, 4096
_PRIME = np.uint64((1 << _FAST) - 1)


class Field(NamedTuple):
    """The integers modulo the Mersenne prime 2^bits - 1."""

    bits: int

    @property
    def prime(self) -> int:
        """Its size."""
        return (1 << self.bits) - 1

    @property
    def block_bytes(self) -> int:
        """Bytes of a message in one digit."""
        return (self.bits - 1) // 8

    def hashed(self, message: bytes, point: int) -> int:
        """The hash of a message at a point below 2^bits. Raises InputError for another point."""
        if not 0 <= point <= self.prime:
            raise InputError("universal hash: the point is not in the field")
        prime, size = self.prime, self.block_bytes
        value, begin = 8 * len(message) % prime, 0
        if self.bits == _FAST and len(message) >= _MANY * size:
            begin = len(message) // (_AT_ONCE * size) * _AT_ONCE * size
            value = _hashed(value, message[:begin], point)
        for start in range(begin, len(message), size):
            digit = int.from_bytes(message[start : start + size], "big")
            value = (value * point + digit) % prime
        return value * point % prime

    def collision(self, message_bytes: int) -> float:
        """An upper bound on the probability, over the points, that two messages so long collide."""
        blocks = -(-message_bytes // self.block_bytes)
        # One point, 0 = p, is drawn from 2^bits values twice as often as others.
        return float((blocks + 2) / self.prime)


def _hashed(value: int, message: bytes, point: int) -> int:
    """What a message of whole rows makes of a value, digit by digit: value * point + digit.

    A row has `_AT_ONCE` digits; each column is a polynomial in point^_AT_ONCE, the last one after the value.
    """
    prime = int(_PRIME)
    padded = np.zeros((len(message) // 7, 8), dtype=np.uint8)
    padded[:, 1:] = np.frombuffer(message, dtype=np.uint8).reshape(-1, 7)
    rows = padded.view(">u8").astype(np.uint64).reshape(-1, _AT_ONCE)
    sums = np.zeros(_AT_ONCE, dtype=np.uint64)
    sums[-1] = value
    step = pow(point, _AT_ONCE, prime)
    for row in rows:
        sums = _times(sums, step) + row
    value = 0
    for column in sums.tolist():
        value = (value * point + column) % prime
    return value


def _times(values: Digits, factor: int) -> Digits:
    """values * factor modulo 2^61 - 1, both below 2^62 and 2^61; the result is below 2^61 + 8.

    Halves of 32 bits; 2^61 is 1.
    """
    half, low_bits = np.uint64(32), np.uint64(0xFFFFFFFF)
    high, low = values >> half, values & low_bits
    factor_high, factor_low = np.uint64(factor >> 32), np.uint64(factor & 0xFFFFFFFF)
    middle = high * factor_low + low * factor_high
    lowest = low * factor_low
    total = (high * factor_high << np.uint64(3)) + (middle >> np.uint64(29))
    total += (middle & np.uint64((1 << 29) - 1)) << half
    total += (lowest >> np.uint64(_FAST)) + (lowest & _PRIME)
    return (total & _PRIME) + (total >> np.uint64(_FAST))


#: By the bits of a hash.
FIELDS = {bits: Field(bits) for bits in (31, 61, 89, 127)}
