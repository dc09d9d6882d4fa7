"""Pads: no bit serves twice, whatever is lost, and ends that differ come together again."""

from __future__ import annotations

import numpy as np
import pytest

from qnetem.agents.protocols.qkd.processing.pads import TAG_BITS, PadStock, SessionPads
from qnetem.agents.protocols.session_messages import SessionBroken

KEY = np.ones(5_000, dtype=np.uint8)


def both(first: int = 1, second: int = 1) -> tuple[PadStock, PadStock]:
    """The initiator's and the responder's."""
    return PadStock("alice", "bob", first, bits=10_000), PadStock(
        "alice", "bob", second, bits=10_000
    )


def session(alice: PadStock, bob: PadStock, name: str, lives: int = 1) -> SessionPads:
    """One that is opened, and whose opening is genuine."""
    pads, seal = alice.opened(name)
    tag = seal.tag("alice", 0, b"opening")
    accepted = bob.accepted(name, pads, lives)
    assert accepted is not None
    assert accepted.is_genuine("alice", 0, b"opening", tag)
    return accepted


def test_sessions_use_the_stock_one_after_the_other() -> None:
    alice, bob = both()
    session(alice, bob, "1")
    used = alice.page.used
    assert used == bob.page.used > 0
    session(alice, bob, "2")
    assert alice.page.used == bob.page.used == 2 * used


def test_an_opening_with_pads_that_were_used_is_not_accepted() -> None:
    alice, bob = both()
    pads, _ = alice.opened("1")
    session(alice, bob, "1")
    assert bob.accepted("2", pads, 1) is None


def test_a_forged_opening_uses_up_nothing() -> None:
    _, bob = both()
    seal = bob.accepted("1", "1//4000", 1)
    assert seal is not None
    assert not seal.is_genuine("alice", 3, b"opening", bytes(8))
    assert bob.page.used == 0
    assert bob.page.lives == (1, 1)


def test_a_restarted_end_has_another_page() -> None:
    """What was recorded of its former life is worth nothing, and the peer finds the page by its word."""
    alice, bob = both()
    pads, seal = alice.opened("1")
    tag = seal.tag("alice", 0, b"opening")
    restarted = PadStock("alice", "bob", 2, bits=10_000)
    assert restarted.accepted("1", pads, 1) is None
    alice.unknown(2)
    again = session(alice, restarted, "2")
    assert not again.is_genuine("alice", 0, b"opening", tag)
    del bob


def test_a_block_that_one_end_lacks_is_taken_back() -> None:
    alice, bob = both()
    session(alice, bob, "1")
    alice.replenish("1", KEY)
    before = alice.left
    pads, _ = alice.opened("2")
    assert bob.accepted("2", pads, 1) is None
    alice.unknown(1)
    assert alice.left == before - len(KEY)
    session(alice, bob, "3")
    assert alice.page.used == bob.page.used


def test_a_block_that_the_initiator_took_back_is_dropped() -> None:
    alice, bob = both()
    session(alice, bob, "1")
    alice.replenish("1", KEY)
    bob.replenish("1", KEY)
    alice.unknown(1)
    session(alice, bob, "2")
    assert alice.left == bob.left


@pytest.mark.parametrize(
    "pads", ["", "1", "x//0", "1//-3", "1//zwei", "2//0", "1/nowhere/0", "1//99999"]
)
def test_pads_that_are_not_there_are_refused(pads: str) -> None:
    _, bob = both()
    assert bob.accepted("1", pads, 1) is None


def test_a_stock_that_is_used_up_says_so() -> None:
    alice, _ = both()
    _, seal = alice.opened("1")
    last = (10_000 // TAG_BITS - 1) // 2
    seal.tag("alice", last - 1, b"")
    with pytest.raises(SessionBroken, match="no pad") as broken:
        seal.tag("alice", last, b"")
    assert broken.value.hopeless
    alice.page.used = 10_000
    with pytest.raises(SessionBroken, match="no pads are left"):
        alice.opened("2")
    alice.replenish("1", KEY)
    alice.opened("3")
