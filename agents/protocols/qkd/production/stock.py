"""The stock of a key link: confirmed blocks, in the order in which both ends have them.

Owns what is there and who gets it. Does not own which blocks are confirmed (key_link.py).

Rule: bits leave in the order of the blocks, and those who wait for some get them in the order in which they
asked. So two ends that take the same amounts in the same order have the same keys, with the same ids.
"""

from __future__ import annotations

import asyncio
from collections import deque

from .....emulator.errors import ProgramError
from ....secret import Secret
from ..processing.key_block import KeyBlock


class Stock:
    """Blocks of one key link."""

    def __init__(self) -> None:
        self._blocks: deque[KeyBlock] = deque()
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        #: Bits that were taken, and that were dropped, so far.
        self.taken = self.dropped = 0

    @property
    def bits(self) -> int:
        """How many there are."""
        return sum(block.left for block in self._blocks)

    def add(self, block: KeyBlock) -> None:
        """One more block."""
        self._blocks.append(block)
        self._note()

    def drop(self) -> None:
        """The other end has lost what is here."""
        self.dropped += self.bits
        self._blocks.clear()
        self._note()

    async def take(self, count: int) -> Secret:
        """The next `count` bits, once there are so many."""
        if type(count) is not int or count < 1:  # True is an int too
            raise ProgramError(f"take: {count!r} bits, expected a whole number, at least 1")
        async with self._turn:
            while self.bits < count:
                await self._change()
            first = self._blocks[0]
            at, parts = first.consumed, []
            left = count
            while left:
                block = self._blocks[0]
                part = block.take(min(left, block.left))
                left -= len(part)
                parts.append(part)
                if not block.left:
                    self._blocks.popleft()
        self.taken += count
        self._note()
        key = parts[0]
        for part in parts[1:]:
            key += part
        return key.named(id=f"{first.id}[{at}:{at + count}]")

    async def next_block(self) -> KeyBlock:
        """The next block as it is, once there is one: with what is left of it."""
        async with self._turn:
            while not self._blocks:
                await self._change()
            block = self._blocks.popleft()
        self.taken += block.left
        self._note()
        return block

    async def below(self, bits: int) -> None:
        """Wait until there are fewer than so many."""
        while self.bits >= bits:
            await self._change()

    async def _change(self) -> None:
        await self._changed.wait()

    def _note(self) -> None:
        """Wake all who wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()
