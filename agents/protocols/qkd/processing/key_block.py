"""Key blocks: distilled key, its price, and how much of it is left.

Owns what a block says of itself, and that no bit of it is taken twice. Does not own how the key was made,
nor where blocks are stored.

The bits are a `Secret`, and so is every part that is taken. Both ends of a key have blocks with the same
id, and take the same bits in the same order.

Rule: a block shows its counts and never its bits.
"""

from __future__ import annotations

from typing import Any

from .....emulator.errors import InputError
from ....secret import Secret
from .estimation import Epsilons


class OutOfKey(InputError):
    """The block has fewer bits left than were asked for."""

    code = "out_of_key"


class KeyBlock:
    """One block of key that is shared with `peer`.

    `id` is the same at both ends. `spent` counts the bits of shared secret that making the block took
    (authentication); `made_s` is the virtual time at which it was ready.
    """

    __slots__ = ("_bits", "_taken", "epsilons", "id", "made_s", "peer", "spent")

    def __init__(
        self, peer: str, id: str, bits: Secret, epsilons: Epsilons, *, spent: int, made_s: float
    ) -> None:
        if not isinstance(bits, Secret):
            raise InputError(
                f"key block {id!r}: its bits are a Secret, not a {type(bits).__name__}"
            )
        if spent < 0:
            raise InputError(f"key block {id!r}: {spent} bits of secret were spent")
        self.peer, self.id, self.epsilons = peer, id, epsilons
        self.spent, self.made_s = spent, made_s
        self._bits, self._taken = bits, 0

    @property
    def produced(self) -> int:
        """Bits of key that were distilled."""
        return len(self._bits)

    @property
    def check(self) -> str:
        """A keyed hash of all its bits, equal at both ends (secret.py)."""
        return self._bits.check

    @property
    def gain(self) -> int:
        """What the block brought: bits produced less those spent; negative for one that cost more."""
        return self.produced - self.spent

    @property
    def consumed(self) -> int:
        """Bits that were taken."""
        return self._taken

    @property
    def left(self) -> int:
        """Bits that may still be taken."""
        return self.produced - self._taken

    def take(self, count: int) -> Secret:
        """The next `count` bits, each given once. Raises OutOfKey, and takes nothing, if fewer are left."""
        if count < 0:
            raise InputError(f"key block {self.id!r}: {count} bits cannot be taken")
        if count > self.left:
            raise OutOfKey(f"key block {self.id!r}: {count} bits asked for, {self.left} left")
        start = self._taken
        self._taken += count
        return self._bits[start : self._taken]

    def summary(self) -> dict[str, Any]:
        """Plain values for results and metrics, without a bit of key."""
        return {
            "id": self.id,
            "peer": self.peer,
            "produced": self.produced,
            "spent": self.spent,
            "consumed": self.consumed,
            "left": self.left,
            "failure": self.epsilons.total,
            "made_s": self.made_s,
        }

    def __repr__(self) -> str:
        return f"<KeyBlock {self.id!r} with {self.peer}: {self.left} of {self.produced} bits left>"
