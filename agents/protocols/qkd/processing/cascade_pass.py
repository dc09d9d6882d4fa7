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
leaf, and these leaves or blocks are all that is looked at again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
Positions = NDArray[np.int64]
Marks = NDArray[np.bool_]
#: Places within frames, which are short enough.
Order = NDArray[np.uint16]

NOTHING: Positions = np.zeros(0, dtype=np.int64)
#: Bits of a frame at most.
FRAME = 65536

#: What is noted at a border: that it is known, the reference's parity from the start of the block, and whether
#: the interval that the border stands for has an odd number of errors.
_KNOWN, _PARITY, _ODD = np.uint8(1), np.uint8(2), np.uint8(4)


def frame_bits(key_bits: int) -> int:
    """Bits of each frame of a key; the last one may be shorter."""
    frames = max(1, -(-key_bits // FRAME))
    return max(1, -(-key_bits // frames))


class Blocks(NamedTuple):
    """How both ends cut the shuffled key in one pass: frames of `frame` bits, and those in blocks of `size`.

    `count` is the length of the key; the first `span` positions of each frame are in blocks.
    """

    count: int
    frame: int
    size: int
    span: int

    def starts(self, positions: Positions) -> Positions:
        """Where the blocks of these positions start."""
        return positions - positions % self.frame % self.size

    def around(self, positions: Positions) -> tuple[Positions, Positions]:
        """Starts and ends of the blocks of these positions."""
        starts = self.starts(positions)
        last = starts - starts % self.frame + self.span
        return starts, np.minimum(np.minimum(starts + self.size, last), self.count)

    def of(self, frames: Positions) -> tuple[Positions, Positions]:
        """Starts and ends of all blocks of these frames."""
        within = np.arange(0, self.span, self.size)
        starts = (frames[:, None] * self.frame + within).ravel()
        return self.around(starts[starts < self.count])

    def hold(self, positions: Positions) -> Marks:
        """Which positions are in blocks."""
        return (positions >= 0) & (positions < self.count) & (positions % self.frame < self.span)


def shuffled(key: Bits, order: Order, frame: int) -> Bits:
    """The key's bits in the order of positions; `order` has their places within frames."""
    starts = range(0, len(key), frame)
    return np.concatenate([key[at : at + frame][order[at : at + frame]] for at in starts])


class Pass:
    """What the corrector knows of one pass.

    `reuse`: an odd interval is searched wherever it is known to be; else the blocks that are odd are, one
    error each. Use: `begin` frames, `learn` what was asked, `turn` bits; `look` says what follows.
    """

    def __init__(self, order: Order, blocks: Blocks, reuse: bool) -> None:
        self._order, self._blocks, self._reuse = order, blocks, reuse
        self._places = _inverse(order, blocks.frame)
        self._borders = np.zeros(len(order) + 1, dtype=np.uint8)
        #: What is asked for: intervals by their starts and ends, with ends that ascend.
        self._starts = self._asked = NOTHING
        #: Positions in intervals that may have become odd, and those whose bits were turned.
        self._news: list[Positions] = []
        self._turned: list[Positions] = []

    def begin(self, frames: Positions) -> Positions:
        """Ask for the blocks of these frames, too; all that is asked for then."""
        starts, ends = self._blocks.of(frames)
        self._ask(np.concatenate([self._starts, starts]), np.concatenate([self._asked, ends]))
        return self._asked

    def end(self, frame: int) -> None:
        """Forget a frame: its bits are looked at no more."""
        start = frame * self._blocks.frame
        self._borders[start + 1 : start + self._blocks.frame + 1] = 0

    def turn(self, bits: Positions) -> None:
        """These bits of the key were turned."""
        positions = _in_frames(self._places, bits, self._blocks.frame)
        self._turned.append(positions[self._blocks.hold(positions)])

    def learn(self, key: Bits, parities: Bits) -> None:
        """The reference's parities of what was asked, from the start of the block on."""
        starts, ends, borders = self._starts, self._asked, self._borders
        inner = starts != self._blocks.starts(starts)
        before = np.where(inner, borders[starts] & _PARITY, 0) != 0
        odd = (parities != 0) ^ before ^ self._parities(key, starts, ends)
        borders[ends] = _KNOWN | np.where(parities, _PARITY, 0) | np.where(odd, _ODD, 0)
        _, block_ends = self._blocks.around(starts)
        self._news += [starts, ends[ends != block_ends]]
        self._starts = self._asked = NOTHING

    def look(self) -> tuple[Positions, Positions]:
        """(bits of the key that are wrong, borders to ask for): how far all searches come."""
        if not self._news and not self._turned:
            return NOTHING, self._asked
        news = [self._starts, *self._news, self._note_turned()]
        low, high = self._odd_leaves(np.concatenate(news))
        self._news = []
        single = high - low == 1
        low, wrong = low[~single], low[single]
        self._ask(low, _middle(low, high[~single]))
        return self._bits(wrong), self._asked

    def _bits(self, positions: Positions) -> Positions:
        return _in_frames(self._order, positions, self._blocks.frame)

    def _ask(self, starts: Positions, ends: Positions) -> None:
        order = np.argsort(ends)
        self._starts, self._asked = starts[order], ends[order]

    def _parities(self, key: Bits, starts: Positions, ends: Positions) -> Marks:
        """The key's own parities of intervals."""
        if not len(starts):
            return np.zeros(0, dtype=bool)
        if int((ends - starts).sum()) == len(key):
            return (
                np.bitwise_xor.reduceat(shuffled(key, self._order, self._blocks.frame), starts) != 0
            )
        lengths = ends - starts
        firsts = np.cumsum(lengths) - lengths
        positions = np.arange(int(lengths.sum())) + np.repeat(starts - firsts, lengths)
        return np.bitwise_xor.reduceat(key[self._bits(positions)], firsts) != 0

    def _note_turned(self) -> Positions:
        """Note what turned bits change in their blocks; their positions, in frames that are begun."""
        if not self._turned:
            return NOTHING
        borders = self._borders
        turned, self._turned = np.concatenate(self._turned), []
        low, high = self._blocks.around(turned)
        begun = borders[high] != 0
        turned, low, high = turned[begun], low[begun], high[begun]
        np.bitwise_xor.at(borders, high, _ODD)
        at = turned
        while len(at):
            middle = _middle(low, high)
            open_ = (high - low > 1) & (borders[middle] != 0)
            at, low, middle, high = at[open_], low[open_], middle[open_], high[open_]
            left = at < middle
            np.bitwise_xor.at(borders, middle[left], _ODD)
            low, high = np.where(left, low, middle), np.where(left, middle, high)
        return turned

    def _odd_leaves(self, positions: Positions) -> tuple[Positions, Positions]:
        """Starts and ends of the odd leaves that these positions lead to, each once.

        With `reuse` these are the leaves that they are in, else one in each of their blocks that is odd.
        """
        borders = self._borders
        low, high = self._blocks.around(positions)
        odd = borders[high] & _ODD
        going = np.flatnonzero(borders[high] if self._reuse else odd)
        while len(going):
            start, end = low[going], high[going]
            middle = _middle(start, end)
            open_ = (end - start > 1) & (borders[middle] != 0)
            going, middle = going[open_], middle[open_]
            inner = borders[middle] & _ODD
            left = positions[going] < middle if self._reuse else inner != 0
            odd[going] = np.where(left, inner, odd[going] ^ inner)
            high[going] = np.where(left, middle, high[going])
            low[going] = np.where(left, low[going], middle)
        starts, first = np.unique(low[odd != 0], return_index=True)
        return starts, high[odd != 0][first]


def _middle(low: Positions, high: Positions) -> Positions:
    return low + (high - low + 1) // 2


def _in_frames(places: Order, at: Positions, frame: int) -> Positions:
    """Places within frames as places in the key."""
    return places[at] + at // frame * frame


def _inverse(order: Order, frame: int) -> Order:
    places = np.empty_like(order)
    each = np.arange(frame, dtype=np.uint16)
    for start in range(0, len(order), frame):
        part = order[start : start + frame]
        places[start : start + frame][part] = each[: len(part)]
    return places
