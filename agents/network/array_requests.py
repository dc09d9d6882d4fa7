"""Requests for outcomes in arrays, at one end: a number of such a request is a block of pairs.

Owns how large blocks are, what this end asks the emulator for, and which rows count. Does not own requests in
general (requests.py), nor the outcomes, which are the emulator's.

Rules. Both ends have the same blocks under the same numbers, and of each block the same pairs in one order. A
pair counts that neither end has missed. The table is that of the first `count` such pairs in the order of the
blocks, hence alike at both ends.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...emulator.wire import LinkInfo, MeasurePairs
from ...emulator.wire.bit_planes import packed, planes_for, unpacked
from .link_messages import LARGEST_BLOCK
from .requests import LinkOutcomes, LinkPair, Request

if TYPE_CHECKING:
    from .link_layer import LinkLayer

#: A block takes no longer than this, in seconds, or than so many mean waits for a pair.
_LONGEST_S, _LONGEST_WAITS = 0.1, 10
#: A block takes at most this part of the time until the deadline.
_OF_DEADLINE = 10
#: More than may be expected in that time.
_SPREAD, _SPARE = 1.5, 16


def block_of(count: int, rate_hz: float, deadline_s: float | None = None) -> tuple[int, int]:
    """Pairs in a block of a request for `count`, at most, and its longest time in ns."""
    longest_s = max(_LONGEST_S, _LONGEST_WAITS / rate_hz if rate_hz > 0 else 0.0)
    if deadline_s is not None:
        longest_s = min(longest_s, deadline_s / _OF_DEADLINE)
    expected = math.ceil(_SPREAD * min(longest_s * rate_hz, LARGEST_BLOCK)) + _SPARE
    return min(count, LARGEST_BLOCK, expected), max(1, round(longest_s * 1e9))


class _Block:
    """The outcomes of one block at this end; `counts`: pairs that no end is known to have missed."""

    def __init__(self, bases: NDArray[np.uint8], bits: NDArray[np.uint8]) -> None:
        self.bases, self.bits = bases, bits
        self.counts = np.ones(len(bits), dtype=np.bool_)


class ArrayRequest(Request):
    """What one end knows of a request for outcomes in arrays."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._blocks: dict[int, _Block] = {}
        #: Rows that the other end has missed of blocks that have not come here yet.
        self._gaps: dict[int, list[int]] = {}

    @property
    def rows(self) -> int:
        """How many pairs count so far."""
        return sum(int(block.counts.sum()) for block in self._blocks.values())

    @property
    def lacking(self) -> int:
        """How many blocks are still to be scheduled."""
        outstanding = self.scheduled - len(self.lost) - len(self._blocks)
        pairs = self.asked.count - self.rows - outstanding * self.asked.block
        return max(0, math.ceil(pairs / self.asked.block))

    async def measure(self, service: LinkLayer, info: LinkInfo, number: int) -> list[int]:
        """Await the block of this number; returns the pairs of it that this end has missed."""
        asked, kinds = self.asked, len(self.asked.axes)
        size = min(asked.block, max(1, asked.count - self.rows))
        bases = np.zeros(size, dtype=np.uint8)
        if kinds > 1:
            bases = self._rng.choice(kinds, size, p=asked.weights).astype(np.uint8)
        column = packed(bases, planes_for(kinds))
        found = await service._node.operate(
            lambda operation: MeasurePairs(
                operation,
                info.peer,
                info.name,
                f"{self.id}#{number}",
                asked.alpha,
                size,
                asked.axes,
                column,
                asked.longest_ns,
            )
        )
        gaps: list[int] = np.frombuffer(found.missed, dtype="<u4").tolist()
        block = _Block(bases[: found.count], unpacked(found.bits, found.count))
        self._blocks[number] = block
        self.add_gaps(number, [*gaps, *self._gaps.pop(number, ())])
        return gaps

    def add_gaps(self, number: int, rows: list[int]) -> None:
        """These pairs of a block do not count: one of the ends has missed them."""
        block = self._blocks.get(number)
        if block is None:
            self._gaps.setdefault(number, []).extend(rows)
        elif rows:
            inside = [row for row in rows if 0 <= row < len(block.counts)]
            block.counts[inside] = False

    def lose(self, numbers: list[int]) -> list[LinkPair]:
        """These blocks have come to nothing."""
        self.lost.update(numbers)
        for number in numbers:
            self._blocks.pop(number, None)
        return []

    def table(self) -> LinkOutcomes:
        """The outcomes of the first pairs that count."""
        blocks = [self._blocks[number] for number in sorted(self._blocks)]
        bases = np.concatenate([block.bases[block.counts] for block in blocks])[: self.asked.count]
        bits = np.concatenate([block.bits[block.counts] for block in blocks])[: self.asked.count]
        numbers = np.arange(1, len(bits) + 1, dtype=np.int64)
        return LinkOutcomes(self.id, self.asked.purpose, numbers, bases, bits)
