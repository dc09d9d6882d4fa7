"""One pass of Cascade: how it shuffles and cuts the key, and where its errors are known to be.

Owns the layout of a pass, which both ends draw alike, and what the corrector knows in it. Does not own which
passes there are, nor what is done with a bit that is wrong (cascade.py).

Theory of operation. Positions are places in the shuffled key; the bits of a frame stay in their frame. A
border lies before each position; parities that were asked go from the start of a block to a border. Halving
makes a tree of each block: its root is the block, and the middle of an interval is the border between its two
children. A middle belongs to one interval alone, so its border holds what is known of the left child: whether
it has an odd number of errors; the block's last border holds that of the block. An interval's parity is asked
for after that of the intervals around it: what is known is a tree without gaps, its leaves are searched.

Rule: work follows what changed. A bit that is turned changes the borders on its way from the block to its
leaf; searches are looked at where these leaves are, or these blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
Positions = NDArray[np.int64]
Marks = NDArray[np.bool_]

NOTHING: Positions = np.zeros(0, dtype=np.int64)
#: Bits of a frame at most: halving longer ones takes more rounds, and leaks little less.
FRAME = 100_000

#: What is noted at a border: that it is known; the reference's parity from the start of the block; whether
#: the interval that the border stands for has an odd number of errors.
_KNOWN, _PARITY, _ODD = np.uint8(1), np.uint8(2), np.uint8(4)


def frame_bits(key_bits: int) -> int:
    """Bits of each frame of a key; the last one may be shorter."""
    frames = max(1, -(-key_bits // FRAME))
    return max(1, -(-key_bits // frames))


class Intervals(NamedTuple):
    """Positions from each start to before its end."""

    starts: Positions
    ends: Positions


NO_INTERVALS = Intervals(NOTHING, NOTHING)


class Blocks(NamedTuple):
    """How both ends cut the shuffled key in one pass: frames of `frame` bits, and those in blocks of `size`.

    `key_bits` is the length of the key; the first `span` positions of each frame are in blocks.
    """

    key_bits: int
    frame: int
    size: int
    span: int

    def starts(self, positions: Positions) -> Positions:
        """Where the blocks of these positions start."""
        return positions - positions % self.frame % self.size

    def around(self, positions: Positions) -> Intervals:
        """The blocks of these positions."""
        starts = self.starts(positions)
        last = starts - starts % self.frame + self.span
        return Intervals(starts, np.minimum(np.minimum(starts + self.size, last), self.key_bits))

    def of(self, frames: Positions) -> Intervals:
        """All blocks of these frames."""
        within = np.arange(0, self.span, self.size)
        starts = (frames[:, None] * self.frame + within).ravel()
        return self.around(starts[starts < self.key_bits])

    def hold(self, positions: Positions) -> Marks:
        """Which positions are in blocks."""
        inside: Marks = (positions >= 0) & (positions < self.key_bits)
        inside &= positions % self.frame < self.span
        return inside


class Shuffle:
    """Where the bits of the key are in one pass; the bits of a frame stay in it.

    All frames have one order; a last frame that is shorter has those places of it that it has bits for. That
    does no harm: frames are corrected each for itself, and their errors know nothing of each other.
    """

    def __init__(self, order: Positions, key_bits: int) -> None:
        self._frame = len(order)
        self._last = (key_bits - 1) // self._frame * self._frame
        self._orders = order, order[order < key_bits - self._last]
        # One after the other: of the frames before the last one, and of that.
        self._bits = np.concatenate(self._orders)
        self._positions = np.concatenate([np.argsort(each) for each in self._orders])

    def bits(self, positions: Positions) -> Positions:
        """The bits of the key at these positions."""
        return self._within(self._bits, positions)

    def positions(self, bits: Positions) -> Positions:
        """Where these bits of the key are."""
        return self._within(self._positions, bits)

    def shuffled(self, key: Bits) -> Bits:
        """The bits of the key in the order of positions."""
        order, last = self._orders
        frames = key[: self._last].reshape(-1, self._frame)
        return np.concatenate([frames[:, order].ravel(), key[self._last :][last]])

    def _within(self, places: Positions, at: Positions) -> Positions:
        starts = np.minimum(at // self._frame * self._frame, self._last)
        here = at - starts + np.where(starts == self._last, self._frame, 0)
        found: Positions = places[here] + starts
        return found


class Pass:
    """What the corrector knows of one pass, in a byte for each bit of the key.

    `reuse`: a search begins wherever an interval is known to be odd; else in blocks, one in each that is odd.
    Use: `begin` frames, `learn` what was asked, `turn` bits; `look` says what follows.
    """

    def __init__(self, shuffle: Shuffle, blocks: Blocks, reuse: bool) -> None:
        self._shuffle, self._blocks, self._reuse = shuffle, blocks, reuse
        self._borders = np.zeros(blocks.key_bits + 1, dtype=np.uint8)
        #: The odd leaves that are searched.
        self._leaves = NO_INTERVALS
        #: What is asked for: borders, which ascend, and the intervals that they are in, or the end of.
        self._asked, self._within = NOTHING, NO_INTERVALS
        #: Positions whose bits were turned.
        self._turned: list[Positions] = []
        self._looked = True

    def begin(self, frames: Positions) -> Positions:
        """Ask for the blocks of these frames, too; all that is asked for then."""
        blocks = self._blocks.of(frames)
        asked = np.concatenate([self._asked, blocks.ends])
        self._ask(asked, _joined(self._within, blocks))
        return self._asked

    def end(self, frame: int) -> None:
        """Forget a frame: its bits are looked at no more."""
        start = frame * self._blocks.frame
        self._borders[start + 1 : start + self._blocks.frame + 1] = 0

    def turn(self, bits: Positions) -> None:
        """These bits of the key were turned."""
        positions = self._shuffle.positions(bits)
        self._turned.append(positions[self._blocks.hold(positions)])

    def learn(self, key: Bits, parities: Bits) -> None:
        """The reference's parities of what was asked, from the start of the block on."""
        (starts, ends), asked, borders = self._within, self._asked, self._borders
        inner = starts != self._blocks.starts(starts)
        before = inner & (borders[starts] & _PARITY != 0)
        odd = (parities != 0) ^ before ^ self._parities(key, Intervals(starts, asked))
        borders[asked] = _KNOWN | np.where(parities, _PARITY, 0) | np.where(odd, _ODD, 0)
        # An odd interval has one odd child; of blocks only the odd ones are searched.
        kept = odd | (asked != ends)
        leaves = Intervals(np.where(odd, starts, asked)[kept], np.where(odd, asked, ends)[kept])
        # All searches are asked for at once, so these leaves are all.
        self._leaves, self._asked, self._within = leaves, NOTHING, NO_INTERVALS
        self._looked = False

    def look(self) -> tuple[Positions, Positions]:
        """(bits of the key that are wrong, borders to ask for): how far all searches come."""
        if self._turned:
            turned, self._turned = np.concatenate(self._turned), []
            self._note(turned)
        elif self._looked:
            return NOTHING, self._asked
        self._looked = True
        starts, ends = self._leaves
        single = ends - starts == 1
        wrong, within = starts[single], Intervals(starts[~single], ends[~single])
        self._ask(_middle(*within), within)
        return self._shuffle.bits(wrong), self._asked

    def _ask(self, asked: Positions, within: Intervals) -> None:
        order = np.argsort(asked)
        self._asked, self._within = asked[order], Intervals(*(each[order] for each in within))

    def _parities(self, key: Bits, intervals: Intervals) -> Marks:
        """The key's own parities of intervals, which are apart from each other."""
        starts, ends = intervals
        if not len(starts):
            return np.zeros(0, dtype=bool)
        lengths = ends - starts
        total = int(lengths.sum())
        if total == len(key):  # all blocks
            firsts, bits = starts, self._shuffle.shuffled(key)
        else:
            firsts = np.cumsum(lengths) - lengths
            positions = np.arange(total) + np.repeat(starts - firsts, lengths)
            bits = key[self._shuffle.bits(positions)]
        return np.bitwise_xor.reduceat(bits, firsts).astype(bool)

    def _note(self, turned: Positions) -> None:
        """Note what bits at these positions change in their blocks, and which leaves are searched then."""
        borders, blocks = self._borders, self._blocks.around(turned)
        begun = borders[blocks.ends] != 0
        turned, blocks = turned[begun], Intervals(blocks.starts[begun], blocks.ends[begun])
        np.bitwise_xor.at(borders, blocks.ends, _ODD)
        leaves = self._descend(blocks, turned)
        if self._reuse:
            self._leaves = _odd_times(_joined(self._leaves, leaves))
            return
        blocks = _joined(self._blocks.around(self._leaves.starts), blocks)
        starts, first = np.unique(blocks.starts, return_index=True)
        ends = blocks.ends[first]
        odd = borders[ends] & _ODD != 0
        self._leaves = self._descend(Intervals(starts[odd], ends[odd]), None)

    def _descend(self, blocks: Intervals, turned: Positions | None) -> Intervals:
        """The leaves of blocks that hold the bits turned there, of each one; the way there is noted.

        Without such bits: a leaf in each block that makes it odd.
        """
        borders, starts, ends = self._borders, blocks.starts.copy(), blocks.ends.copy()
        going = np.arange(len(starts))
        while len(going):
            low, high = starts[going], ends[going]
            middle = _middle(low, high)
            open_ = (high - low > 1) & (borders[middle] != 0)
            going, low, middle, high = going[open_], low[open_], middle[open_], high[open_]
            if turned is None:
                left = borders[middle] & _ODD != 0
            else:
                left = turned[going] < middle
                np.bitwise_xor.at(borders, middle[left], _ODD)
            starts[going], ends[going] = np.where(left, low, middle), np.where(left, middle, high)
        return Intervals(starts, ends)


def _joined(first: Intervals, second: Intervals) -> Intervals:
    return Intervals(*(np.concatenate(each) for each in zip(first, second, strict=True)))


def _odd_times(intervals: Intervals) -> Intervals:
    """The intervals that are there an odd number of times, once each."""
    starts, first, counts = np.unique(intervals.starts, return_index=True, return_counts=True)
    odd = counts % 2 == 1
    return Intervals(starts[odd], intervals.ends[first[odd]])


def _middle(low: Positions, high: Positions) -> Positions:
    return (low + high + 1) // 2
