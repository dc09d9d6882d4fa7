"""Keyed hashes: what stands in a record for bytes that must not stand there.

Owns their making, for emulator and nodes alike. Rule: without the key a hash tells whether two values are
equal, and no search finds the value, however short it is. The key of a run follows from its seed
(kernel/streams.py): who has the seed can search.
"""

from __future__ import annotations

import hashlib

#: Bytes of a key that is derived, and of a hash.
_KEY_BYTES, _HASH_BYTES = 32, 16


def keyed_hash(key: bytes, purpose: str, data: bytes) -> str:
    """BLAKE2b of `data` in hex, keyed from `key` and `purpose`: those of two purposes are unrelated."""
    derived = hashlib.blake2b(purpose.encode(), key=key, digest_size=_KEY_BYTES).digest()
    return hashlib.blake2b(data, key=derived, digest_size=_HASH_BYTES).hexdigest()
