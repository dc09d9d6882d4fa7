"""One-time pads: a share under the keys of a hop, and tags that only both ends of the hop can make.

Owns which bits of a key hide the share, and which are for tags. Does not own where keys are from.

The first bits hide the share; the last `TAG_BITS` are the point of a Wegman-Carter hash and a pad for one tag
of each end (protocols/qkd/processing/authentication.py). Rule: no bit is used for a second share.
"""

from __future__ import annotations

from ..protocols.qkd.processing.authentication import Authenticator
from ..secret import Secret

#: Of the field of the hash: a forged tag of a message of n bytes passes with probability below n / 2^123.
FIELD = 127
TAG_BITS = -(-3 * FIELD // 8) * 8


class OneTimePad:
    """Key of one hop, or of both ends of a path, for one share; `first` sends it to `second`."""

    def __init__(self, key: Secret, name: str, first: str, second: str) -> None:
        self._mask = key[: len(key) - TAG_BITS]
        self._tags = Authenticator(
            key[len(key) - TAG_BITS :].reveal_bits(), name, first, second, FIELD
        )

    def cipher(self, share: Secret) -> bytes:
        """The share, hidden."""
        return (share ^ self._mask[: len(share)]).reveal_bytes()

    def plain(self, cipher: bytes) -> Secret:
        """The share, found again."""
        hidden = Secret(cipher)
        return hidden ^ self._mask[: len(hidden)]

    def tag(self, sender: str, body: bytes) -> bytes:
        """Of the one message that an end sends."""
        return self._tags.tag(sender, 0, body)

    def is_genuine(self, sender: str, body: bytes, tag: bytes) -> bool:
        """Whether the tag is that of this message."""
        return self._tags.is_genuine(sender, 0, body, tag)


def joined(keys: list[Secret], bits: int) -> Secret:
    """The first `bits` of keys, one after the other."""
    return Secret(b"".join(key.reveal_bytes() for key in keys)[: bits // 8])
