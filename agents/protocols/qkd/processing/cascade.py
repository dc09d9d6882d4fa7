"""Cascade: error correction by parities that one end asks and the other answers.

Brassard and Salvail, EUROCRYPT '93, LNCS 765, 410 (1994); the variants: Martinez-Mateo, Pacher, Peev,
Ciurana, Martin, QIC 15, 453 (2015), arXiv:1407.3257.

Owns both ends of the exchange, without messages: `Corrector` says which parities it wants next, `Reference`
answers. Does not own how they travel, or whether the keys are equal in the end (verification.py).

Theory of operation. Each pass shuffles the key and cuts it into blocks. Two ends whose parities of a block
differ have an odd number of errors in it; halving finds one of them with log2(k) more parities. A bit that is
corrected makes odd blocks of other passes, which are halved in turn: the cascade. All that can be asked at
once is asked in one round: the blocks of a pass, then one level of halving for all blocks of all passes that
are odd.

A parity is of an interval of the shuffled key from the start of its block, so that each position whose parity
is known is a border, and of two borders the parity between them is known. What is known is never asked again.
Every parity asked is a bit that an eavesdropper learns: `leaked`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .....emulator.errors import InputError

Bits = NDArray[np.uint8]
Positions = NDArray[np.int64]

NOTHING: Positions = np.zeros(0, dtype=np.int64)
#: The best error rate that block sizes are made for: below it a pass would be one block.
LEAST_RATE = 1e-5
#: BICONF: so many random halves in a row without an error end it.
BICONF_STREAK = 10


class Variant(NamedTuple):
    """A published choice of how long the blocks of each pass are, the first in parts of `1 / rate`.

    `reuse`: parities within a block start searches too, not whole blocks alone. `biconf`: random halves of
    the key follow the passes.
    """

    name: str
    first: float
    growth: float
    passes: int
    #: After so many passes blocks are half a key long.
    halves_after: int
    powers_of_two: bool = False
    reuse: bool = False
    biconf: bool = False

    def block_sizes(self, rate: float, length: int) -> list[int]:
        """How long the blocks of each pass are, for an error rate and a key."""
        first = self.first / max(rate, LEAST_RATE)
        size = 2.0 ** math.ceil(math.log2(first)) if self.powers_of_two else math.ceil(first)
        grown = [size * self.growth**number for number in range(self.halves_after)]
        sizes = grown + [-(-length // 2)] * (self.passes - self.halves_after)
        return [max(1, min(int(each), length)) for each in sizes]


#: The published variants by name.
VARIANTS = {
    each.name: each
    for each in (
        Variant("original", 0.73, 2, 4, 4),
        Variant("biconf", 0.92, 3, 2, 2, biconf=True),
        Variant("yanetal", 0.80, 5, 10, 2),
        Variant("option3", 1.0, 2, 16, 2),
        Variant("option4", 1.0, 2, 16, 2, reuse=True),
        Variant("option7", 1.0, 4, 14, 2, powers_of_two=True, reuse=True),
    )
}


class Part(NamedTuple):
    """Parities of one pass: from the start of its block to before each position, which ascend.

    Pass numbers count from 0; BICONF's subsets follow the passes.
    """

    pass_number: int
    positions: Positions


#: All that is asked in one round, and the parities in that order.
Question = list[Part]


class _Layout:
    """How both ends cut the key in one pass: an order of the key's bits, and the starts of its blocks."""

    def __init__(self, order: Positions, size: int) -> None:
        self.order = order
        self.size = size
        self.starts = np.arange(0, len(order), size)

    def sums(self, key: Bits) -> Bits:
        """Parities of the key in this order, up to before each position: length n + 1."""
        sums = np.zeros(len(self.order) + 1, dtype=np.uint8)
        np.bitwise_xor.accumulate(key[self.order], out=sums[1:])
        return sums

    def from_start(self, sums: Bits, positions: Positions) -> Bits:
        """Parities from the start of the block to before each position; a block's end belongs to it."""
        return sums[positions] ^ sums[(positions - 1) // self.size * self.size]


class _Layouts:
    """The layouts of all passes, drawn from a seed that both ends know.

    They are made when they are needed.
    """

    def __init__(self, length: int, sizes: list[int], seed: int) -> None:
        self._length, self._sizes, self._seed = length, sizes, seed
        self._made: dict[int, _Layout] = {}

    def of(self, number: int) -> _Layout:
        """Of a pass, or of the random half that follows the passes."""
        if number not in self._made:
            rng = np.random.Generator(np.random.PCG64([self._seed, number]))
            if number == 0:  # errors come in any order anyway
                order = np.arange(self._length)
            else:
                order = rng.permutation(self._length)
            if number < len(self._sizes):
                self._made[number] = _Layout(order, self._sizes[number])
            else:
                half = order[: -(-self._length // 2)]
                self._made[number] = _Layout(half, len(half))
        return self._made[number]


class Reference:
    """The end whose key is right: it answers."""

    def __init__(self, key: Bits, sizes: list[int], seed: int) -> None:
        self._key = key
        self._layouts = _Layouts(len(key), sizes, seed)
        self._sums: dict[int, Bits] = {}

    def answer(self, question: Question) -> Bits:
        """The parities, in the order of the question. Raises InputError for positions outside of the key."""
        return np.concatenate([self._parities(*part) for part in question])

    def _parities(self, number: int, positions: Positions) -> Bits:
        layout = self._layouts.of(number)
        if len(positions) and not 0 < positions.min() <= positions.max() <= len(layout.order):
            raise InputError("cascade: a parity of bits that are not in the key was asked for")
        if number not in self._sums:
            self._sums[number] = layout.sums(self._key)
        return layout.from_start(self._sums[number], positions)


class _Pass:
    """What the corrector knows of one pass: borders, and the reference's parity up to each."""

    def __init__(self, layout: _Layout) -> None:
        self.layout = layout
        size = len(layout.order) + 1
        self.known = np.zeros(size, dtype=bool)
        self._parities = np.zeros(size, dtype=np.uint8)
        self._errors = np.zeros(size, dtype=np.uint8)
        #: How often the key had been changed when the errors were counted; -1: something was learned since.
        self._counted_at = -1
        self._asked = NOTHING

    @property
    def block_ends(self) -> Positions:
        """The borders that are asked for first."""
        return np.append(self.layout.starts[1:], len(self.layout.order))

    def learn(self, positions: Positions, parities: Bits) -> None:
        """The reference's parities from the start of the block to before each position."""
        self.known[positions] = True
        self._parities[positions] = parities
        self._counted_at = -1

    def look(self, key: Bits, changes: int, reuse: bool) -> tuple[Positions, Positions]:
        """(bits of the key that are wrong, borders to ask for): how far all searches come.

        Each block with an odd number of errors is followed through the halves whose parity is known, down to
        one bit or to a half that has to be asked for. `reuse`: odd parts of even blocks are followed too.
        `changes` says which key it is: for the same one there is nothing new to find.
        """
        if changes == self._counted_at:
            return NOTHING, self._asked
        layout, self._counted_at = self.layout, changes
        places = np.flatnonzero(self.known)
        self._errors[places] = layout.from_start(layout.sums(key), places) ^ self._parities[places]
        low, high = self._odd(places if reuse else self.block_ends)
        wrong, asked = [], []
        while len(low):
            middle = low + (high - low + 1) // 2
            single = high - low == 1
            open_ = self.known[middle] & ~single
            wrong.append(low[single])
            asked.append(middle[~open_ & ~single])
            low, middle, high = low[open_], middle[open_], high[open_]
            left = self._errors[middle] != self._before(low)
            low, high = np.where(left, low, middle), np.where(left, middle, high)
        self._asked = np.sort(np.concatenate(asked)) if asked else NOTHING
        return (layout.order[np.concatenate(wrong)] if wrong else NOTHING), self._asked

    def _odd(self, ends: Positions) -> tuple[Positions, Positions]:
        """Starts and ends of the intervals between these borders that have an odd number of errors."""
        starts = np.concatenate(([0], ends[:-1]))
        at = np.flatnonzero(self._errors[ends] != self._before(starts))
        return starts[at], ends[at]

    def _before(self, starts: Positions) -> Bits:
        """Errors from the start of the block to the start of each interval."""
        return np.where(starts % self.layout.size == 0, 0, self._errors[starts]).astype(np.uint8)


class Corrector:
    """The end whose key is made equal: it asks.

    `key` is corrected in place of a copy; `leaked` counts the parities that it has asked for, and `rounds`
    the questions. Use: send each `Question` of `questions()`, and hand what comes to `take`.
    """

    def __init__(self, key: Bits, variant: Variant, rate: float, seed: int) -> None:
        self.key = key.copy()
        self.sizes = variant.block_sizes(rate, len(key))
        self.leaked = self.rounds = 0
        self._variant = variant
        self._layouts = _Layouts(len(key), self.sizes, seed)
        self._passes: list[_Pass] = []
        #: The passes before this one are looked at no more.
        self._passes_done = 0
        self._changes = 0
        self._answer: Bits | None = None

    def take(self, parities: Bits) -> None:
        """The answer to the last question."""
        self._answer = parities

    def questions(self) -> Iterator[Question]:
        """What to ask, question by question; each is answered before the next is asked for."""
        for _ in self.sizes:
            yield from self._pass()
        if self._variant.biconf:
            yield from self._biconf()

    def _pass(self) -> Iterator[Question]:
        """Another pass: the parities of its blocks, and the cascade that they start."""
        number = len(self._passes)
        part = _Pass(self._layouts.of(number))
        self._passes.append(part)
        yield from self._ask([Part(number, part.block_ends)])
        while question := self._correct():
            yield from self._ask(question)

    def _biconf(self) -> Iterator[Question]:
        """Random halves of the key, until so many in a row had no error (Brassard and Salvail, section 6).

        An error is corrected in its half alone, as the published figures have it: the passes are not gone
        back to.
        """
        self._passes_done = len(self._passes)
        clean = 0
        while clean < BICONF_STREAK:
            before = self.key.copy()
            yield from self._pass()
            self._passes_done += 1
            clean = clean + 1 if np.array_equal(before, self.key) else 0

    def _correct(self) -> Question:
        """Turn all bits that are known to be wrong; what to ask then, nothing when all intervals are even."""
        asked: list[Positions] = []
        before = -1
        while before != self._changes:
            before, asked = self._changes, []
            for part in self._passes[self._passes_done :]:
                wrong, unknown = part.look(self.key, self._changes, self._variant.reuse)
                if len(wrong):
                    self.key[wrong] ^= 1
                    self._changes += 1
                asked.append(unknown)
        first = self._passes_done
        return [Part(first + at, new) for at, new in enumerate(asked) if len(new)]

    def _ask(self, question: Question) -> Iterator[Question]:
        yield question
        wanted = sum(len(part.positions) for part in question)
        if self._answer is None or len(self._answer) != wanted:
            raise InputError(f"cascade: {wanted} parities were asked for")
        self.leaked += wanted
        self.rounds += 1
        begin = 0
        for number, positions in question:
            end = begin + len(positions)
            self._passes[number].learn(positions, self._answer[begin:end])
            begin = end
        self._answer = None
