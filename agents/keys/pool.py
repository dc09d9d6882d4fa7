"""Pool: the blocks that two sites share, and which of their bytes are still free.

Owns the order of blocks, which of them both sites have, and that no byte is given out twice. Does not own who
may have a key, nor how the two sites agree (agreement.py).

Blocks are cut into whole bytes. A block is `ready` once this site knows that the other one has it. Rules. The
site that allocates takes free bytes from ready blocks, oldest first; the other one is told which, and refuses
bytes that are gone. Bytes are taken in order at the site that allocates; at the other one news may come in
another order, so the bytes that are gone are kept as intervals.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..secret import Secret

#: Of the checks of all keys: those of one key are equal at both sites.
LABEL = "key"


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Bytes of a block, from `start` to before `stop`."""

    block: str
    start: int
    stop: int


class Intervals:
    """Numbers that are taken, as intervals that do not touch."""

    def __init__(self, taken: Iterable[tuple[int, int]] = ()) -> None:
        self.taken = [(int(start), int(stop)) for start, stop in taken]

    def is_free(self, start: int, stop: int) -> bool:
        """Whether nothing of it is taken."""
        at = bisect_left(self.taken, (start, start))
        before = at and self.taken[at - 1][1] > start
        return not before and (at == len(self.taken) or self.taken[at][0] >= stop)

    def add(self, start: int, stop: int) -> None:
        """It is taken now, whatever of it was before."""
        if start >= stop:
            return
        kept = []
        for low, high in self.taken:
            if high < start or low > stop:
                kept.append((low, high))
            else:
                start, stop = min(start, low), max(stop, high)
        self.taken = sorted([*kept, (start, stop)])

    @property
    def count(self) -> int:
        """How many numbers are taken."""
        return sum(high - low for low, high in self.taken)

    @property
    def beginning(self) -> int:
        """All before it are taken."""
        return self.taken[0][1] if self.taken and self.taken[0][0] == 0 else 0

    @property
    def end(self) -> int:
        """None from it on is taken."""
        return self.taken[-1][1] if self.taken else 0


@dataclass
class Block:
    """A block in a pool; `bits` fill whole bytes. `made_ns` is calendar time."""

    id: str
    peer: str
    bits: Secret
    made_ns: int
    origin: dict[str, Any]
    ready: bool = False
    gone: Intervals = field(default_factory=Intervals)

    @property
    def size(self) -> int:
        """Bytes of it."""
        return len(self.bits) // 8

    @property
    def free(self) -> int:
        """Bytes that may still be given out by the site that allocates."""
        return self.size - self.gone.end


class Pool:
    """The blocks shared with one other site, oldest first."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self._blocks: dict[str, Block] = {}

    def __iter__(self) -> Iterator[Block]:
        return iter(list(self._blocks.values()))

    def __contains__(self, block: str) -> bool:
        return block in self._blocks

    def __getitem__(self, block: str) -> Block:
        return self._blocks[block]

    def add(self, block: Block) -> None:
        """One more block, behind those that are there."""
        self._blocks[block.id] = block

    def drop(self, block: str) -> Block:
        """Take a block away."""
        return self._blocks.pop(block)

    @property
    def free(self) -> int:
        """Bytes in ready blocks that are free."""
        return sum(block.size - block.gone.count for block in self._blocks.values() if block.ready)

    @property
    def held(self) -> int:
        """Bytes that are free, in blocks that only this site has too."""
        return sum(block.size - block.gone.count for block in self._blocks.values())

    def allocate(self, sizes: Iterable[int]) -> list[list[Part]] | None:
        """Parts for keys of so many bytes, which are taken; None, and nothing is, where there are too few."""
        wanted = list(sizes)
        ready = [block for block in self._blocks.values() if block.ready and block.free]
        if sum(block.free for block in ready) < sum(wanted):
            return None
        found = []
        queue = iter(ready)
        block = next(queue, None)
        for size in wanted:
            parts = []
            while size:
                assert block is not None
                if not block.free:
                    block = next(queue, None)
                    continue
                start = block.gone.end
                count = min(size, block.size - start)
                block.gone.add(start, start + count)
                parts.append(Part(block.id, start, start + count))
                size -= count
            found.append(parts)
        return found

    def fits(self, keys: Iterable[list[Part]]) -> bool:
        """Whether all parts of these keys are here, are free, and stand in one key only."""
        gone: dict[str, Intervals] = {}
        for parts in keys:
            if not parts:
                return False
            for part in parts:
                block = self._blocks.get(part.block)
                if block is None or not 0 <= part.start < part.stop <= block.size:
                    return False
                taken = gone.setdefault(part.block, Intervals(block.gone.taken))
                if not taken.is_free(part.start, part.stop):
                    return False
                taken.add(part.start, part.stop)
        return True

    def take(self, parts: Iterable[Part]) -> None:
        """It is given out; ask `fits` before."""
        for part in parts:
            self._blocks[part.block].gone.add(part.start, part.stop)

    def bits(self, parts: Iterable[Part]) -> Secret:
        """The bits of these parts, one after the other."""
        data = b"".join(
            self._blocks[part.block].bits.reveal_bytes()[part.start : part.stop] for part in parts
        )
        return Secret(data, label=LABEL)
