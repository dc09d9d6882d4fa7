"""Audit trail: what happened to each key, in a chain of hashes, without a bit of key.

Owns the entries and the chain. Does not own where it is stored (database.py).

Each entry has the hash of the entry before it, so that none can be taken away or changed without all that
follow. Rule: an entry names keys and blocks, ages, origins, paths and epsilons, and holds no bits and no
check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

FIRST = "0" * 64
_encode = msgspec.json.Encoder(order="sorted").encode


class Entry(msgspec.Struct, frozen=True):
    """One thing that happened. `t_ns` is calendar time, `hash` that of the entry and of the one before it."""

    number: int
    t_ns: int
    what: str
    facts: dict[str, Any]
    hash: str


class Trail:
    """The end of a chain: what the next entry continues."""

    def __init__(self, number: int = 0, head: str = FIRST) -> None:
        self.number, self.head = number, head

    def entry(self, t_ns: int, what: str, facts: dict[str, Any]) -> Entry:
        """The next entry."""
        self.number += 1
        self.head = hashed(self.head, self.number, t_ns, what, facts)
        return Entry(self.number, t_ns, what, facts, self.head)


def hashed(before: str, number: int, t_ns: int, what: str, facts: dict[str, Any]) -> str:
    """The hash of an entry behind another one's."""
    return hashlib.sha256(before.encode() + _encode([number, t_ns, what, facts])).hexdigest()


def first_broken(entries: Iterable[Entry]) -> int | None:
    """The number of the first entry that does not follow from those before it; None where all do."""
    before = FIRST
    for number, entry in enumerate(entries, 1):
        expected = hashed(before, number, entry.t_ns, entry.what, entry.facts)
        if entry.number != number or entry.hash != expected:
            return number
        before = entry.hash
    return None
