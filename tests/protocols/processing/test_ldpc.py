"""LDPC codes: made as their distributions say, decoded near the limit, adapted, never wrong in silence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.agents.protocols.qkd.processing import ldpc_codes
from qnetem.agents.protocols.qkd.processing.ldpc import (
    Corrector,
    Plan,
    Reference,
    decoded,
    plan,
)
from qnetem.agents.protocols.qkd.processing.ldpc_codes import COLUMNS, DISTRIBUTIONS, FILE, code
from qnetem.emulator.errors import InputError

from ...counts import count, papers

BITS = 10_000


def entropy(rate: float) -> float:
    return -rate * math.log2(rate) - (1 - rate) * math.log2(1 - rate)


def ends(layout: Plan, rate: float, seed: int) -> tuple[Reference, Corrector, np.ndarray]:
    rng = np.random.default_rng(seed)
    key = rng.integers(0, 2, layout.key_bits, dtype=np.uint8)
    wrong = key.copy()
    wrong[rng.permutation(len(key))[: round(rate * len(key))]] ^= 1
    filling = rng.integers(0, 2, layout.punctured, dtype=np.uint8)
    return Reference(key, layout, seed, filling), Corrector(wrong, layout, seed, rate), key


@pytest.mark.parametrize("rate", [0.01, 0.03, 0.05, 0.1])
def test_a_frame_is_corrected_near_the_limit(rate: float) -> None:
    """f of 1.1 to 1.3 with 10,000 bits, whatever code the rate is adapted from."""
    layout = plan(rate, BITS)
    reference, corrector, key = ends(layout, rate, 1)
    syndrome = reference.syndrome()
    while not corrector.decode(syndrome):
        corrector.learn(reference.show())
    assert corrector.corrected is not None
    assert np.array_equal(corrector.corrected, key)
    assert 1.0 < corrector.leaked / (layout.key_bits * entropy(rate)) < 1.3
    assert corrector.leaked == reference.leaked


def test_a_key_with_far_more_errors_is_given_up_and_told() -> None:
    layout = plan(0.02, BITS)
    reference, corrector, _ = ends(layout, 0.2, 1)
    assert not corrector.decode(reference.syndrome(), iterations=10)
    assert corrector.corrected is None


@pytest.mark.parametrize("rate", DISTRIBUTIONS)
def test_codes_have_the_published_degrees(rate: float) -> None:
    found = code(rate, COLUMNS)
    assert (found.bits, found.checks) == (COLUMNS, round(COLUMNS * (1 - rate)))
    of_bits = np.bincount(found.bit_of, minlength=COLUMNS)
    assert sorted(of_bits) == ldpc_codes.degrees(DISTRIBUTIONS[rate], COLUMNS)
    shares = {
        degree: float(of_bits[of_bits == degree].sum() / of_bits.sum()) for degree in set(of_bits)
    }
    for degree, share in DISTRIBUTIONS[rate].items():
        assert shares.get(degree, 0.0) == pytest.approx(share, abs=0.015)
    of_checks = np.bincount(found.check_of, minlength=found.checks)
    assert of_checks.max() - of_checks.min() <= 2


def test_a_protograph_grows_alike_every_time() -> None:
    first, again = ldpc_codes.grown(0.8, 200), ldpc_codes.grown(0.8, 200)
    assert np.array_equal(first, again)


@pytest.mark.campaign
def test_the_file_is_what_its_script_writes() -> None:
    """The one with the fewest checks at least, which is grown in a moment."""
    with np.load(FILE) as file:
        for rate in list(DISTRIBUTIONS)[: count(len(DISTRIBUTIONS))]:
            assert np.array_equal(file[f"rate{round(100 * rate)}"], ldpc_codes.grown(rate))


def test_no_two_bits_of_a_long_code_meet_in_two_checks() -> None:
    """Lifted by 50, nearly every cycle of length four is gone."""
    found = code(0.5, 50 * COLUMNS)
    rng, shared = np.random.default_rng(1), 0
    by_bit = np.argsort(found.bit_of, kind="stable")
    checks_of = np.split(found.check_of[by_bit], np.cumsum(np.bincount(found.bit_of))[:-1])
    seen: dict[int, list[int]] = {}
    for bit in rng.permutation(found.bits)[:2_000]:
        for check in checks_of[bit]:
            seen.setdefault(int(check), []).append(int(bit))
    pairs: set[tuple[int, int]] = set()
    for bits in seen.values():
        for pair in ((a, b) for at, a in enumerate(bits) for b in bits[at + 1 :]):
            shared += pair in pairs
            pairs.add(pair)
    assert shared <= len(pairs) // 500


def test_the_decoder_finds_what_one_bit_says() -> None:
    """On a code so short that every word is tried: the likeliest word with the syndrome."""
    short = ldpc_codes.Code(
        4, 2, np.array([0, 0, 0, 1, 1], np.int32), np.array([0, 1, 2, 2, 3], np.int32)
    )
    beliefs = np.array([60, 400, -150, 800])
    words = [np.array([w >> i & 1 for i in range(4)], np.uint8) for w in range(16)]
    for syndrome in ([0, 0], [0, 1], [1, 0], [1, 1]):
        fit = [word for word in words if list(short.syndrome(word)) == syndrome]
        best = max(fit, key=lambda word: float(((1 - 2.0 * word) * beliefs).sum()))
        found = decoded(short, beliefs, np.array(syndrome, np.uint8), 50)
        assert found is not None
        assert list(found) == list(best)


def test_what_no_code_is_for_is_refused() -> None:
    with pytest.raises(InputError, match="beyond the codes' reach"):
        plan(0.2, BITS)
    with pytest.raises(InputError, match=r"no code of rate 0\.33"):
        code(0.33, BITS)
    with pytest.raises(InputError, match="with 2001 bits"):
        code(0.5, 2001)


#: (bits of a frame, error rate, most of f on average).
PUBLISHED = [
    (10_000, 0.03, 1.32), (10_000, 0.01, 1.35), (10_000, 0.05, 1.3), (10_000, 0.08, 1.3),
    (100_000, 0.01, 1.2), (100_000, 0.03, 1.18), (100_000, 0.05, 1.16), (100_000, 0.08, 1.16),
]  # fmt: skip


@pytest.mark.papers
@pytest.mark.parametrize(("bits", "rate", "most"), papers(PUBLISHED))
def test_frames_fail_at_first_and_end_near_the_limit(bits: int, rate: float, most: float) -> None:
    """Blind reconciliation: how many frames need more than the first message, and f of all of them."""
    layout, used, again = plan(rate, bits), [], 0
    for seed in papers(range(20)):
        reference, corrector, key = ends(layout, rate, seed)
        syndrome = reference.syndrome()
        while not corrector.decode(syndrome):
            again += not corrector.shown
            corrector.learn(reference.show())
        assert corrector.corrected is not None
        assert np.array_equal(corrector.corrected, key)
        used.append(corrector.leaked / (layout.key_bits * entropy(rate)))
    assert 1.0 < np.mean(used) < most
    assert again <= len(used)
