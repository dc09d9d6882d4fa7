"""Short messages under one-time pads: secret and authentic whatever computers the eavesdropper has.

Owns how a message is closed and opened. Does not own keys: ask the key service for one of
`bits_for(message)` bits, send its id with the message, and use it for nothing else.
"""

from __future__ import annotations

from ...secret import Secret
from ..one_time_pad import FIELD, TAG_BITS, OneTimePad
from .session_key import NotOpened

_TAG_BYTES = -(-FIELD // 8)


def bits_for(message: bytes) -> int:
    """Bits of key that a message takes."""
    return 8 * len(message) + TAG_BITS


def seal(message: bytes, key: Secret, sender: str, receiver: str) -> bytes:
    """A message under a key of at least `bits_for(message)` bits, with its tag."""
    pad = _pad(key, len(message), sender, receiver)
    cipher = pad.cipher(Secret(message)) if message else b""
    return cipher + pad.tag(sender, cipher)


def unseal(sealed: bytes, key: Secret, sender: str, receiver: str) -> bytes:
    """The message. Raises NotOpened for one that is not what the sender has sealed under this key."""
    count = len(sealed) - _TAG_BYTES
    if count < 0 or 8 * count + TAG_BITS > len(key):
        raise NotOpened("a message of another length than its key is for")
    pad = _pad(key, count, sender, receiver)
    cipher, tag = sealed[:count], sealed[count:]
    if not pad.is_genuine(sender, cipher, tag):
        raise NotOpened("the message is not what was sealed under this key")
    return pad.plain(cipher).reveal_bytes() if count else b""


def _pad(key: Secret, count: int, sender: str, receiver: str) -> OneTimePad:
    return OneTimePad(key[: 8 * count + TAG_BITS], f"message under {key.id}", sender, receiver)
