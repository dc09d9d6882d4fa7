"""What the journal shows of values that may be key material: measured bits, settings, notes and results.

Owns the choice. Rule: with `record: full` they are shown as they are, because such a record has the keys
anyhow; with `record: hashes` a keyed hash stands for them, so that the digest, which is printed, cannot be
searched for a few bits either.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..kernel.streams import hash_key
from ..wire.keyed_hash import keyed_hash

_encode = msgspec.json.Encoder().encode


class PrivateFields:
    """The fields of an event that may be key material, as a run of this `record` and `seed` shows them."""

    __slots__ = ("_key", "hides")

    def __init__(self, record: str, seed: int) -> None:
        self._key = hash_key(seed) if record == "hashes" else None
        #: Whether it shows anything else than the fields themselves.
        self.hides = self._key is not None

    def __call__(self, *fields: Any) -> tuple[Any, ...]:
        """The fields, or one hash for all of them; none for none."""
        if self._key is None or not fields:
            return fields
        return (keyed_hash(self._key, "event", _encode(fields)),)
