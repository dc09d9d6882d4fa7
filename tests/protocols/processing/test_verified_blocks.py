"""Blocks that passed verification are equal, whatever correction made of them."""

from __future__ import annotations

import numpy as np
import pytest

from qnetem.agents.protocols.qkd.processing.cascade import VARIANTS, Corrector, Reference
from qnetem.agents.protocols.qkd.processing.verification import BITS, key_hash

from ...counts import count

LENGTH = 256


def corrected(number: int) -> tuple[np.ndarray, np.ndarray]:
    """(right key, corrected one) of a block with an error rate far from what its correction was told."""
    rng = np.random.default_rng([number, 0xB10C])
    key = rng.integers(0, 2, LENGTH, dtype=np.uint8)
    wrong = key ^ (rng.random(LENGTH) < rng.uniform(0, 0.15))
    variant = VARIANTS[("original", "option3")[number % 2]]._replace(passes=2, halves_after=2)
    guess = rng.uniform(0.005, 0.2)
    corrector = Corrector(wrong, variant, guess, number)
    reference = Reference(key, variant.block_sizes(guess, LENGTH), number)
    for question in corrector.questions():
        corrector.take(reference.answer(question))
    return key, corrector.key


@pytest.mark.campaign
def test_no_mismatch_is_undetected() -> None:
    """Two passes leave errors in a good part of the blocks: verification finds each of them."""
    equal = different = 0
    for number in range(count(10_000, 20)):
        key, found = corrected(number)
        point = int(np.random.default_rng([number, 1]).integers(2**BITS - 1))
        passes = key_hash(key, point) == key_hash(found, point)
        assert passes == bool(np.array_equal(key, found)), number
        equal, different = equal + passes, different + (not passes)
    assert min(equal, different) > count(10_000, 20) / 20
