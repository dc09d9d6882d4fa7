"""Privacy amplification: a shorter key of which an eavesdropper knows nothing, by a Toeplitz matrix.

Bennett, Brassard, Crepeau, Maurer, IEEE Trans. Inf. Theory 41, 1915 (1995); Toeplitz matrices as a universal
family: Krawczyk, CRYPTO '94, LNCS 839, 129 (1994).

Owns the hash. Does not own how long the result may be (estimation.py).

The matrix has `length` rows and as many columns as the key has bits; entry (i, j) is bit i - j + n - 1 of the
seed, which has n + length - 1 bits and may be public, if it is drawn after the key was measured. The product
is a convolution modulo 2, here by a fast Fourier transform of floats.

Rule: the result is exact. Each sum is an integer of at most n, and the rounding error of a transform of 2^k
points of unit size is below `_UNIT * k * n`, which must stay below 1/4: `LONGEST` keeps it 10^4 times
smaller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .....emulator.errors import InputError

Bits = NDArray[np.uint8]

#: Bits of a key that are hashed at once.
LONGEST = 1 << 26
#: Of a float, times a small constant for the three transforms (Higham, Accuracy and Stability, section 24.1).
_UNIT = 8 * 2.0**-53


def seed_bits(key_bits: int, length: int) -> int:
    """How many random bits name a matrix; 0 for an empty result."""
    return key_bits + length - 1 if length else 0


def amplified(key: Bits, seed: Bits, length: int) -> Bits:
    """The key hashed to `length` bits; arrays of 0 and 1, `seed` of `seed_bits(len(key), length)`.

    Raises InputError for a result longer than the key, a seed of another length, and keys above `LONGEST`.
    """
    count = len(key)
    if not 0 <= length <= count:
        raise InputError(f"privacy amplification: {length} bits from a key of {count}")
    if count > LONGEST:
        raise InputError(f"privacy amplification: {count} bits at once, at most {LONGEST}")
    if len(seed) != seed_bits(count, length):
        wanted = seed_bits(count, length)
        raise InputError(f"privacy amplification: a seed of {len(seed)} bits, expected {wanted}")
    if length == 0:
        return np.zeros(0, dtype=np.uint8)
    points = 1 << (count + length - 2).bit_length()
    # A circular convolution of at least n + length - 1 points: what wraps around lands before bit n - 1.
    spectrum = np.fft.rfft(key.astype(np.float64), points)
    spectrum *= np.fft.rfft(seed.astype(np.float64), points)
    sums = np.fft.irfft(spectrum, points)[count - 1 : count - 1 + length]
    return (np.rint(sums).astype(np.int64) & 1).astype(np.uint8)


def rounding_error(key_bits: int, length: int) -> float:
    """A bound on how far a sum is from its integer."""
    return _UNIT * (key_bits + length).bit_length() * key_bits
