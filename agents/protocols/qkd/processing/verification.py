"""Verification: whether both ends have the same key, by a hash at a point that is drawn afterwards.

Owns the hash of a key and what it proves. Does not own the exchange, nor the correction before.

The point is public but drawn after correction, so that keys that differ have equal hashes with probability
`undetected` at most. The hash is `bits` of the key that an eavesdropper learns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .universal_hash import FIELDS

Bits = NDArray[np.uint8]
#: The field whose hashes keys are compared by.
BITS = 61


def key_hash(key: Bits, point: int) -> int:
    """The hash of a key, an array of 0 and 1, at a point of `BITS` bits."""
    return FIELDS[BITS].hashed(np.packbits(key).tobytes() + len(key).to_bytes(8, "big"), point)


def undetected(key_bits: int) -> float:
    """An upper bound on the probability that two keys that differ have the same hash."""
    return FIELDS[BITS].collision(-(-key_bits // 8) + 8)
