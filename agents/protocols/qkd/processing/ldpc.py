"""Error correction by LDPC codes: one message with a syndrome, and a decoder that finds the errors.

Rate adaptation by puncturing and shortening: Elkouss, Martinez-Mateo, Martin, QIC 11, 226 (2011); bits that
are shown after a failure (blind reconciliation): Martinez-Mateo, Elkouss, Martin, QIC 12, 791 (2012).
Decoder: the sum-product algorithm, Gallager, IRE Trans. Inf. Theory 8, 21 (1962); normalised min-sum needs 20
% more leaked bits with these degrees.

Owns frames, syndromes, decoding. Does not own the codes (ldpc_codes.py), how messages travel, or whether keys
are equal in the end (verification.py).

A frame is a word of the code: key bits, bits that are punctured (random ones that the reference alone knows)
and bits that are shortened (known to both), at places that both ends draw from a seed. The syndrome tells as
many bits of the key as it has, less the punctured ones. When decoding fails the reference shows some
punctured bits, which tells as many bits more, and the corrector tries again.

Rule: messages of the decoder are whole numbers of `1 / STEPS`, and its two functions are tables, so that it
comes to the same on every machine.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .....emulator.errors import InputError
from .ldpc_codes import DISTRIBUTIONS, Code, code

Bits = NDArray[np.uint8]
Positions = NDArray[np.int64]
Beliefs = NDArray[np.int64]

#: The share of a frame that is punctured or shortened, at least: the range of rates that one code covers.
ADAPTED = 0.12
#: What a frame leaks at first, and at most, in parts of n h(Q): the rest is shown after failures.
FIRST, LAST = 1.10, 1.40
#: The share of the frame that is shown after a failure.
_SHOWN = 0.01
ITERATIONS = 60
#: A belief, log P(0) / P(1), is a whole number of parts; `_CERTAIN` is the largest.
STEPS = 32
_CERTAIN = 25 * STEPS
#: -log tanh(x / 2) of each belief above 0, in parts of 2^-40: it turns the product of a check into a sum.
_PHI = np.rint(-np.log(np.tanh(np.arange(1, _CERTAIN + 1) / (2 * STEPS))) * 2.0**40).astype(
    np.int64
)
_ASCENDING = _PHI[::-1].copy()


class Plan(NamedTuple):
    """How a frame is made: of which code, and how many bits of each kind. Both ends compute the same."""

    rate: float
    bits: int
    punctured: int
    shortened: int

    @property
    def key_bits(self) -> int:
        """How many bits of the key it carries."""
        return self.bits - self.punctured - self.shortened


def plan(error_rate: float, bits: int) -> Plan:
    """The frame of `bits` bits for an error rate: the code of the highest rate that can leak `LAST` n h(Q).

    Raises InputError for an error rate that no code here is for.
    """
    if not 0 <= error_rate < 0.5:
        raise InputError(f"ldpc: an error rate of {error_rate}")
    adapted = round(ADAPTED * bits)
    limit = _entropy(max(error_rate, 1e-3)) * (bits - adapted)
    rates = sorted(DISTRIBUTIONS, reverse=True)
    rate = next((each for each in rates if (1 - each) * bits >= LAST * limit), rates[-1])
    checks = round((1 - rate) * bits)
    if checks < limit:
        raise InputError(f"ldpc: an error rate of {error_rate} is beyond the codes' reach")
    punctured = min(adapted, max(0, math.floor(checks - FIRST * limit)))
    return Plan(rate, bits, punctured, adapted - punctured)


class Frame:
    """One frame at either end: where its bits of each kind are."""

    def __init__(self, layout: Plan, seed: int) -> None:
        self.plan = layout
        self.code: Code = code(layout.rate, layout.bits)
        places = np.random.Generator(np.random.PCG64([seed])).permutation(layout.bits)
        self.punctured, rest = places[: layout.punctured], places[layout.punctured :]
        self.shortened, self.key = rest[: layout.shortened], np.sort(rest[layout.shortened :])
        self.shown = 0

    @property
    def leaked(self) -> int:
        """Bits of the key that the messages so far have told, at most."""
        return self.code.checks - self.plan.punctured + self.shown

    def next_shown(self) -> Positions:
        """The punctured places that are shown next; none when all have been."""
        step = max(1, round(_SHOWN * self.plan.bits))
        return self.punctured[self.shown : self.shown + step]


class Reference(Frame):
    """The end whose key is right. `filling`: its random bits, one for each punctured place."""

    def __init__(self, key: Bits, layout: Plan, seed: int, filling: Bits) -> None:
        super().__init__(layout, seed)
        if len(key) != layout.key_bits or len(filling) != layout.punctured:
            raise InputError(f"ldpc: a frame of {layout.key_bits} key bits, found {len(key)}")
        self._word = np.zeros(layout.bits, dtype=np.uint8)
        self._word[self.key], self._word[self.punctured] = key, filling

    def syndrome(self) -> Bits:
        """What the first message says."""
        return self.code.syndrome(self._word)

    def show(self) -> Bits:
        """The next punctured bits, after a failure."""
        places = self.next_shown()
        self.shown += len(places)
        return self._word[places]


class Corrector(Frame):
    """The end whose key is made equal; `corrected` is None until decoding succeeds."""

    def __init__(self, key: Bits, layout: Plan, seed: int, error_rate: float) -> None:
        super().__init__(layout, seed)
        if len(key) != layout.key_bits:
            raise InputError(f"ldpc: a frame of {layout.key_bits} key bits, found {len(key)}")
        share = max(error_rate, 1e-6)
        certainty = min(_CERTAIN, round(STEPS * math.log((1 - share) / share)))
        self._beliefs = np.zeros(layout.bits, dtype=np.int64)
        self._beliefs[self.shortened] = _CERTAIN
        self._beliefs[self.key] = np.where(key == 0, certainty, -certainty)
        self.corrected: Bits | None = None

    def learn(self, shown: Bits) -> None:
        """Punctured bits that the reference has shown."""
        places = self.next_shown()
        if len(places) != len(shown):
            raise InputError(f"ldpc: {len(shown)} bits were shown, expected {len(places)}")
        self._beliefs[places] = np.where(shown == 0, _CERTAIN, -_CERTAIN)
        self.shown += len(places)

    def decode(self, syndrome: Bits, iterations: int = ITERATIONS) -> bool:
        """Try to find the word with that syndrome; whether there is one now in `corrected`."""
        word = decoded(self.code, self._beliefs, syndrome, iterations)
        self.corrected = None if word is None else word[self.key]
        return word is not None


def decoded(code: Code, beliefs: Beliefs, syndrome: Bits, iterations: int) -> Bits | None:
    """The likeliest word with that syndrome, or None if the decoder does not come to one.

    `beliefs`: of each bit, in parts of `1 / STEPS`. Messages are arrays over edges, sorted by check.
    """
    if len(syndrome) != code.checks:
        raise InputError(f"ldpc: a syndrome of {len(syndrome)} bits, expected {code.checks}")
    starts = np.searchsorted(code.check_of, np.arange(code.checks))
    odd = syndrome.astype(bool)
    from_checks = np.zeros(len(code.bit_of), dtype=np.int64)
    for _ in range(iterations):
        # Whole numbers: the sums of floats are exact in any order.
        sums = np.bincount(code.bit_of, from_checks, minlength=code.bits)
        totals = beliefs + sums.astype(np.int64)
        word = (totals < 0).astype(np.uint8)
        if np.array_equal(code.syndrome(word), syndrome):
            return word
        to_checks = totals[code.bit_of] - from_checks
        from_checks = _from_checks(to_checks, starts, code.check_of, odd)
    return None


def _from_checks(
    to_checks: Beliefs, starts: Positions, check_of: NDArray[np.int32], odd: NDArray[np.bool_]
) -> Beliefs:
    """What each check says to each of its bits: tanh(x/2) is the product of the others'."""
    negative = to_checks < 0
    signs = np.logical_xor.reduceat(negative, starts) ^ odd
    terms = _PHI[np.clip(np.abs(to_checks), 1, _CERTAIN) - 1]
    others = np.add.reduceat(terms, starts)[check_of] - terms
    sizes = np.clip(_CERTAIN - np.searchsorted(_ASCENDING, others), 0, _CERTAIN)
    signed: Beliefs = np.where(negative ^ signs[check_of], -sizes, sizes)
    return signed


def _entropy(rate: float) -> float:
    return -rate * math.log2(rate) - (1 - rate) * math.log2(1 - rate) if 0 < rate < 1 else 0.0
