"""Changes: what a step of a key service has stored, and what a store holds.

Owns these records, which the service makes and the database carries out. Rule: bits stand in `Secret`s only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..secret import Secret
from .applications import Usage
from .audit import FIRST, Entry
from .pool import Block, Part


@dataclass
class Key:
    """A key: its bits, what it was made of, and who may still fetch it.

    `master` has it by asking for it, `slaves` by its id. `due`: those who may still fetch it by its id.
    `shared`: both sites have it. `made_ns` is calendar time, when it was cut. `origin`: what made its blocks,
    along which path, and what they may fail with.
    """

    id: str
    peer: str
    bits: Secret
    parts: list[Part]
    master: str
    slaves: list[str]
    due: list[str]
    made_ns: int
    origin: dict[str, Any]
    shared: bool = False


@dataclass(frozen=True)
class PutBlock:
    """A block has come."""

    block: Block


@dataclass(frozen=True)
class Ready:
    """Both sites have the block."""

    block: str


@dataclass(frozen=True)
class Gone:
    """These bytes of a block are given out: its taken intervals now."""

    block: str
    taken: list[tuple[int, int]]


@dataclass(frozen=True)
class DropBlock:
    """The block is spent, or has been dropped; its id stays known."""

    block: str


@dataclass(frozen=True)
class PutKey:
    """A key was cut."""

    key: Key


@dataclass(frozen=True)
class KeyState:
    """Who may still fetch a key, and whether both sites have it."""

    key: str
    due: list[str]
    shared: bool


@dataclass(frozen=True)
class DropKey:
    """A key that no application may fetch any more."""

    key: str


@dataclass(frozen=True)
class Used:
    """What an application has had of its quota."""

    application: str
    usage: Usage


@dataclass(frozen=True)
class Noted:
    """An entry of the audit trail."""

    entry: Entry


Change = PutBlock | Ready | Gone | DropBlock | PutKey | KeyState | DropKey | Used | Noted


@dataclass
class Content:
    """What a store holds. `known`: the ids of all blocks that it ever had. `report`: by application."""

    blocks: list[Block] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    keys: list[Key] = field(default_factory=list)
    usage: dict[str, Usage] = field(default_factory=dict)
    audited: int = 0
    head: str = FIRST

    def summary(self) -> dict[str, Any]:
        """Plain values that say which content it is, without a bit: the head of the trail says the rest."""
        return {
            "blocks": len(self.blocks),
            "keys": len(self.keys),
            "audited": self.audited,
            "head": self.head,
        }
