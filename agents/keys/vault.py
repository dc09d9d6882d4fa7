"""Vault: the blocks and keys of a site, as its key service holds them in virtual time.

Owns what is there and what becomes of it: blocks that come, bytes that are cut into keys, keys that are
delivered or dropped, and an audit entry for each. Does not own when that happens (key_service.py), nor how
the two sites agree (agreement.py). Rule: whatever changes here is a change for the store, in the same step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Any

from ..protocols.qkd.processing.key_block import KeyBlock
from ..secret import Secret
from .applications import Usage
from .audit import Trail
from .changes import (
    Change,
    Content,
    DropBlock,
    DropKey,
    Gone,
    Key,
    KeyState,
    Noted,
    PutBlock,
    PutKey,
    Ready,
    Used,
)
from .pool import LABEL, Block, Part, Pool


def key_id(part: Part) -> str:
    """The id of the key that begins with these bytes, as a UUID: no other key ever begins there."""
    digest = bytearray(
        hashlib.blake2b(f"{part.block}@{part.start}".encode(), digest_size=16).digest()
    )
    digest[6] = digest[6] & 0x0F | 0x40
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class Vault:
    """Of one site. `now_ns`: calendar time; `change`: hands a change to the store."""

    def __init__(
        self,
        site: str,
        peers: Iterable[str],
        content: Content,
        now_ns: Callable[[], int],
        change: Callable[[Change], None],
    ) -> None:
        self._site, self._now_ns, self._change = site, now_ns, change
        self.pools = {peer: Pool(peer) for peer in peers}
        self._known = set(content.known)
        for block in content.blocks:
            self.pools.setdefault(block.peer, Pool(block.peer)).add(block)
        self.keys = {key.id: key for key in content.keys}
        self._usage = dict(content.usage)
        self._trail = Trail(content.audited, content.head)

    @property
    def now_ns(self) -> int:
        """Calendar time."""
        return self._now_ns()

    def note(self, what: str, **facts: Any) -> None:
        """An entry of the audit trail."""
        self._change(Noted(self._trail.entry(self.now_ns, what, facts)))

    # --- blocks ---

    def deposit(self, block: KeyBlock, run: str, source: str) -> Block | None:
        """A block has come: what is left of it. None if the store has had it before, or it fills no byte.

        `run` tells runs with other seeds apart, whose blocks may have the same ids.
        """
        count = block.left // 8
        id = f"{run}/{block.id}"
        if not count:
            return None
        if id in self._known:
            self.note("repeated", block=id, peer=block.peer)
            return None
        bits = Secret(block.take(8 * count).reveal_bytes(), label=LABEL, id=id)
        path = getattr(block, "path", None) or [self._site, block.peer]
        origin = {"source": source, "path": list(path), "failure": block.epsilons.total}
        if getattr(block, "apart", False):
            origin["apart"] = True
        made = Block(id, block.peer, bits, self.now_ns, origin)
        self._known.add(id)
        self.pools.setdefault(block.peer, Pool(block.peer)).add(made)
        self._change(PutBlock(made))
        self.note("block", block=id, peer=block.peer, bits=8 * count, **origin)
        return made

    def ready(self, pool: Pool, block: str) -> None:
        """Both sites have the block."""
        if not pool[block].ready:
            pool[block].ready = True
            self._change(Ready(block))

    def gone(self, pool: Pool, block: str, taken: Iterable[tuple[int, int]]) -> None:
        """The other site says that these bytes are given out."""
        found = pool[block]
        before = list(found.gone.taken)
        for start, stop in taken:
            found.gone.add(max(0, start), min(stop, found.size))
        if found.gone.taken != before:
            self._store_gone(pool, found)

    def drop_block(self, pool: Pool, block: str, why: str) -> None:
        """Give up what is left of a block."""
        left = pool[block].size - pool[block].gone.count
        pool.drop(block)
        self._change(DropBlock(block))
        self.note("dropped", block=block, peer=pool.peer, bits=8 * left, why=why)

    def _store_gone(self, pool: Pool, block: Block) -> None:
        if block.gone.count == block.size:
            pool.drop(block.id)
            self._change(DropBlock(block.id))
        else:
            self._change(Gone(block.id, list(block.gone.taken)))

    # --- keys ---

    def cut(self, pool: Pool, sizes: Iterable[int]) -> list[list[Part]] | None:
        """Parts for keys of so many bytes; None where there is too little. Then `keep` makes the keys."""
        return pool.allocate(sizes)

    def keep(
        self,
        pool: Pool,
        parts: list[list[Part]],
        master: str,
        slaves: list[str],
        due: list[str],
        shared: bool,
    ) -> list[Key]:
        """Make keys of parts that were cut, here or at the other site."""
        made, touched = [], dict[str, Block]()
        for each in parts:
            bits = pool.bits(each)
            blocks = {part.block: pool[part.block] for part in each}
            touched.update(blocks)
            origin = {
                "source": sorted({str(block.origin["source"]) for block in blocks.values()}),
                "path": max((block.origin["path"] for block in blocks.values()), key=len),
                "failure": sum(block.origin["failure"] for block in blocks.values()),
            }
            id = key_id(each[0])
            key = Key(
                id, pool.peer, bits.named(id=id), each, master, slaves, list(due), self.now_ns,
                origin, shared,
            )  # fmt: skip
            pool.take(each)
            self.keys[id] = key
            self._change(PutKey(key))
            made.append(key)
        for block in touched.values():
            self._store_gone(pool, block)
        return made

    def share(self, key: Key) -> None:
        """Both sites have the key."""
        key.shared = True
        self._change(KeyState(key.id, key.due, True))

    def deliver(self, key: Key, to: str, as_master: bool) -> None:
        """An application gets the key, in this step; when no other one may fetch it here it is deleted."""
        if not as_master:
            key.due.remove(to)
        others = [each for each in (key.master, *key.slaves) if each != to]
        self.note(
            "delivered",
            key=key.id,
            bits=len(key.bits),
            to=to,
            role="master" if as_master else "by id",
            shared_with=others,
            peer=key.peer,
            blocks=[[part.block, part.start, part.stop] for part in key.parts],
            age_s=(self.now_ns - key.made_ns) / 1e9,
            **key.origin,
        )
        if key.due:
            self._change(KeyState(key.id, key.due, key.shared))
        else:
            del self.keys[key.id]
            self._change(DropKey(key.id))

    def drop_key(self, key: Key, why: str) -> None:
        """No application gets it any more."""
        del self.keys[key.id]
        self._change(DropKey(key.id))
        self.note("dropped", key=key.id, peer=key.peer, bits=len(key.bits), due=key.due, why=why)

    def expire(self, block_age_ns: int, key_age_ns: int) -> None:
        """Drop what is too old: the oldest stand first, so this costs as much as there is to drop."""
        blocks_before, keys_before = self.now_ns - block_age_ns, self.now_ns - key_age_ns
        for pool in self.pools.values():
            for block in list(takewhile(lambda each: each.made_ns < blocks_before, pool)):
                self.drop_block(pool, block.id, "age")
        for key in list(takewhile(lambda each: each.made_ns < keys_before, self.keys.values())):
            self.drop_key(key, "age")

    # --- quotas ---

    def usage(self, application: str) -> Usage:
        """What an application has had."""
        return self._usage.setdefault(application, Usage())

    def used(self, application: str) -> None:
        """It has had more."""
        usage = self._usage[application]
        self._change(Used(application, Usage(usage.window, usage.bits)))
