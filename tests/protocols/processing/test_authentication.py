"""Tags bind a message to its session, sender and number, and use each bit of the secret once."""

from __future__ import annotations

import numpy as np
import pytest

from qnetem.agents.protocols.qkd.processing.authentication import Authenticator, OutOfPads
from qnetem.agents.protocols.qkd.processing.universal_hash import FIELDS
from qnetem.agents.protocols.qkd.processing.verification import key_hash, undetected
from qnetem.emulator.errors import InputError


def secret(length: int = 61 * 9, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, length, dtype=np.uint8)


def ends(session: str = "one") -> tuple[Authenticator, Authenticator]:
    return tuple(Authenticator(secret(), session, "alice", "bob") for _ in range(2))  # type: ignore[return-value]


def test_both_ends_agree_whatever_was_lost_or_came_late() -> None:
    alice, bob = ends()
    tags = [alice.tag("alice", number, b"body") for number in range(4)]
    assert len(set(tags)) == 4
    for number in (3, 0, 3, 1):
        assert bob.is_genuine("alice", number, b"body", tags[number])
    assert alice.is_genuine("bob", 0, b"answer", bob.tag("bob", 0, b"answer"))


def test_no_message_passes_for_another_one() -> None:
    alice, bob = ends()
    tag = alice.tag("alice", 1, b"body")
    assert not bob.is_genuine("alice", 1, b"bodY", tag)
    assert not bob.is_genuine("alice", 2, b"body", tag)
    assert not bob.is_genuine("bob", 1, b"body", tag)
    assert not ends("two")[0].is_genuine("alice", 1, b"body", tag)
    swapped = Authenticator(secret(), "one", "bob", "alice")
    assert not swapped.is_genuine("alice", 1, b"body", tag)


def test_bodies_of_zeros_and_other_lengths_differ() -> None:
    alice, _ = ends()
    tags = {alice.tag("alice", 0, bytes(length)) for length in range(20)}
    assert len(tags) == 20


def test_the_secret_is_used_up_and_replenished_alike() -> None:
    alice, bob = ends()
    assert alice.messages_left == 4
    with pytest.raises(OutOfPads, match="message 4 of alice"):
        alice.tag("alice", 4, b"")
    for end in (alice, bob):
        end.replenish(secret(61 * 2, 5))
    assert bob.is_genuine("alice", 4, b"", alice.tag("alice", 4, b""))
    assert (alice.spent, bob.spent) == (61 * 10, 61 * 10)


def test_who_is_no_end_and_a_short_secret_are_refused() -> None:
    alice, _ = ends()
    with pytest.raises(InputError, match="'eve' is no end"):
        alice.tag("eve", 0, b"")
    with pytest.raises(InputError, match="a secret of 60 bits, at least 61"):
        Authenticator(secret(60), "one", "alice", "bob")


@pytest.mark.parametrize("bits", FIELDS)
def test_a_hash_is_the_polynomial_of_its_blocks(bits: int) -> None:
    field, message = FIELDS[bits], bytes(range(40))
    prime, size = 2**bits - 1, (bits - 1) // 8
    digits = [320] + [int.from_bytes(message[at : at + size], "big") for at in range(0, 40, size)]
    point = 0x1234567
    expected = sum(digit * pow(point, len(digits) - at, prime) for at, digit in enumerate(digits))
    assert field.hashed(message, point) == expected % prime


@pytest.mark.parametrize("count", [4_095 * 7, 4_096 * 7, 5_119 * 7 + 3, 6_144 * 7])
@pytest.mark.parametrize("point", [0, 1, 0x123456789ABCDEF, 2**61 - 2, 2**61 - 1])
def test_a_long_message_has_the_hash_of_its_blocks(count: int, point: int) -> None:
    """Long enough for arrays; ones alone give the largest digits."""
    for message in (b"\xff" * count, np.random.default_rng(1).bytes(count)):
        value = 8 * count
        for at in range(0, count, 7):
            value = (value * point + int.from_bytes(message[at : at + 7], "big")) % (2**61 - 1)
        assert FIELDS[61].hashed(message, point) == value * point % (2**61 - 1)


def test_collisions_are_as_rare_as_the_bound() -> None:
    """In the smallest field, counted over points: two messages of L blocks meet at L + 1 points at most."""
    field = FIELDS[31]
    meet = sum(
        field.hashed(b"abc", point) == field.hashed(b"abd", point) for point in range(1, 5_000)
    )
    assert meet == 0
    assert field.collision(30) == pytest.approx((10 + 2) / 2**31)


def test_keys_that_differ_anywhere_are_told_apart() -> None:
    key = secret(1_000)
    hashes = {key_hash(key, 12345)}
    for at in range(0, 1_000, 50):
        other = key.copy()
        other[at] ^= 1
        hashes.add(key_hash(other, 12345))
    hashes |= {key_hash(key[:-1], 12345), key_hash(np.append(key, 0).astype(np.uint8), 12345)}
    assert len(hashes) == 23
    assert undetected(10**6) < 1e-13
