"""Polynomial hashes over prime fields: what authentication and verification are built on.

Carter and Wegman, JCSS 18, 143 (1979); Wegman and Carter, JCSS 22, 265 (1981).

Owns the hash and its collision bound. Does not own keys, nor which messages are hashed.

A message is cut into blocks that are digits c_1 .. c_L of the field, after its length in bits as c_0; its
hash at the point r is c_0 r^(L+1) + c_1 r^L + ... + c_L r modulo p. Two messages have the same difference of
hashes at no more than L + 1 of the p points.
"""

from __future__ import annotations

from typing import NamedTuple

from .....emulator.errors import InputError


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
        value = 8 * len(message) % prime
        for start in range(0, len(message), size):
            digit = int.from_bytes(message[start : start + size], "big")
            value = (value * point + digit) % prime
        return value * point % prime

    def collision(self, message_bytes: int) -> float:
        """An upper bound on the probability, over the points, that two messages so long collide."""
        blocks = -(-message_bytes // self.block_bytes)
        # One point, 0 = p, is drawn from 2^bits values twice as often as others.
        return float((blocks + 2) / self.prime)


#: By the bits of a hash.
FIELDS = {bits: Field(bits) for bits in (31, 61, 89, 127)}
