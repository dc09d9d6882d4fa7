"""Authentication of classical messages, unconditionally secure, with keys that are used up.

Wegman and Carter, JCSS 22, 265 (1981); its keys in key distribution: Kiktenko et al., arXiv:1603.08387.

Owns tags, and which bits of the shared secret each costs. Does not own messages, nor where the secret is
from: a pre-shared one at first, then part of what has been distributed (`replenish`).

The tag of a message is hash(message) + pad modulo p: the point of the hash is a secret that all messages
share, the pad a secret of this message alone. What is hashed names the session, the sender, the receiver and
the number of the message before its body, so that no message passes for another one's, nor for one of the
other direction. A forger who has seen any number of tags succeeds with probability `Field.collision` a try.

Rule: the n-th message of a direction always takes the same bits, whatever was lost, doubled or came late; so
both ends agree on what is used up without a word. Directions take pads in turn: 0 from the first pair of
pads, then 1, and so on.
"""

from __future__ import annotations

from hmac import compare_digest

import numpy as np
from numpy.typing import NDArray

from .....emulator.errors import InputError
from .universal_hash import FIELDS, Field

Bits = NDArray[np.uint8]


class OutOfPads(InputError):
    """The shared secret has no bits left for this message."""

    code = "out_of_pads"


class Authenticator:
    """Tags of one session between two ends.

    `secret`: bits that both ends share and use for nothing else, of at least `point_bits`; `first` is the end
    whose messages have direction 0, and is the same at both. `spent` counts bits that tags have taken so far.
    """

    def __init__(self, secret: Bits, session: str, first: str, second: str, bits: int = 61) -> None:
        if bits not in FIELDS:
            raise InputError(f"authentication: tags of {bits} bits; there are {sorted(FIELDS)}")
        if len(secret) < bits:
            raise InputError(f"authentication: a secret of {len(secret)} bits, at least {bits}")
        self._field: Field = FIELDS[bits]
        self._point = _number(secret[:bits])
        self._pads = secret[bits:].copy()
        self._session = session
        self._directions = {first: 0, second: 1}
        if len(self._directions) != 2:
            raise InputError("authentication: two ends of the same name")
        self.spent = bits

    @property
    def messages_left(self) -> int:
        """How many messages of each direction there are pads for."""
        return len(self._pads) // (2 * self._field.bits)

    def replenish(self, key: Bits) -> None:
        """Add distributed key for pads: both ends the same bits, in the same order."""
        self._pads = np.concatenate([self._pads, key])

    def tag(self, sender: str, number: int, body: bytes) -> bytes:
        """Of the sender's message of that number, counted from 0.

        Raises OutOfPads, and InputError for others' names.
        """
        found, end = self._tag(sender, number, body)
        self.spent = max(self.spent, end)
        return found

    def is_genuine(self, sender: str, number: int, body: bytes, tag: bytes) -> bool:
        """Whether the tag is that of this message; a forged one spends nothing. Raises as `tag`."""
        found, end = self._tag(sender, number, body)
        good = compare_digest(found, tag)
        if good:
            self.spent = max(self.spent, end)
        return good

    def forgery(self, message_bytes: int) -> float:
        """An upper bound on the probability that a forged message of this length passes."""
        return self._field.collision(
            message_bytes + len(self._bound(next(iter(self._directions)), 0, b""))
        )

    def _tag(self, sender: str, number: int, body: bytes) -> tuple[bytes, int]:
        """The tag, and how many bits are spent once it has been used."""
        pad, end = self._pad(sender, number)
        value = self._field.hashed(self._bound(sender, number, body), self._point) + pad
        return (value % self._field.prime).to_bytes(-(-self._field.bits // 8), "big"), end

    def _pad(self, sender: str, number: int) -> tuple[int, int]:
        if sender not in self._directions:
            raise InputError(f"authentication: {sender!r} is no end of this session")
        bits = self._field.bits
        start = (2 * number + self._directions[sender]) * bits
        if number < 0 or start + bits > len(self._pads):
            raise OutOfPads(
                f"authentication: no pad for message {number} of {sender}: "
                f"{len(self._pads)} bits, {bits} for each message of each direction"
            )
        return _number(self._pads[start : start + bits]), bits + start + bits

    def _bound(self, sender: str, number: int, body: bytes) -> bytes:
        """Fields with their lengths: no two messages have the same bytes."""
        direction = self._directions[sender]
        head = [self._session.encode(), *(name.encode() for name in self._directions)]
        lengths = b"".join(len(each).to_bytes(4, "big") for each in head)
        return b"".join((lengths, *head, bytes([direction]), number.to_bytes(8, "big"), body))


def _number(bits: Bits) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big") >> (-len(bits) % 8)
