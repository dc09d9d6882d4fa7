"""Cascade: error correction by parities that one end asks and the other answers.

Brassard and Salvail, EUROCRYPT '93, LNCS 765, 410 (1994); the variants: Martinez-Mateo, Pacher, Peev,
Ciurana, Martin, QIC 15, 453 (2015), arXiv:1407.3257.

Owns both ends of the exchange, without messages: `Corrector` says which parities it wants next, `Reference`
answers. Does not own how they travel, whether the keys are equal in the end (verification.py), nor what is
known of one pass (cascade_pass.py).

Theory of operation. Each pass shuffles the key and cuts it into blocks. Two ends whose parities of a block
differ have an odd number of errors in it; halving finds one of them with log2(k) more parities. A bit that is
corrected makes odd blocks of other passes, which are halved in turn: the cascade. All that can be asked at
once is asked in one round: the blocks of a pass, then one level of halving for all blocks of all passes that
are odd. Every parity asked is a bit that an eavesdropper learns: `leaked`. Nothing known is asked again.

A long key is cut into frames. Each is corrected for itself, with passes of its own, but all in the same
rounds: a frame that has nothing left to ask in a pass begins the next one. So a long key takes as many rounds
as the slowest of its frames. About one frame in a thousand keeps errors that no pass sees, and would spoil a
key of many; so these end with the random halves of BICONF, whatever the variant.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .....emulator.errors import InputError
from .cascade_pass import Bits, Blocks, Marks, Pass, Positions, Shuffle, frame_bits

#: The best error rate that block sizes are made for: below it a pass would be one block.
LEAST_RATE = 1e-5
#: How many of its halves the reference keeps.
HALVES_KEPT = 20
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

    def block_sizes(self, rate: float, key_bits: int) -> list[int]:
        """How long the blocks of each pass are, for an error rate and a key."""
        length = frame_bits(key_bits)
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


class _Layouts:
    """The layouts of all passes, drawn from a seed that both ends know."""

    def __init__(self, key_bits: int, sizes: list[int], seed: int) -> None:
        self._bits, self._sizes, self._seed = key_bits, sizes, seed
        self._frame = frame_bits(key_bits)

    def of(self, number: int) -> tuple[Shuffle, Blocks]:
        """Of a pass, or of the random half that follows the passes."""
        rng = np.random.Generator(np.random.PCG64([self._seed, number]))
        # In the first pass errors come in any order anyway.
        order = rng.permutation(self._frame) if number else np.arange(self._frame)
        half = -(-self._frame // 2)
        size, span = (
            (self._sizes[number], self._frame) if number < len(self._sizes) else (half, half)
        )
        return Shuffle(order, self._bits), Blocks(self._bits, self._frame, size, span)


class Reference:
    """The end whose key is right: it answers."""

    def __init__(self, key: Bits, sizes: list[int], seed: int) -> None:
        self._key = key
        self._layouts = _Layouts(len(key), sizes, seed)
        self._kept = len(sizes) + HALVES_KEPT
        self._passes: dict[int, tuple[Blocks, Bits]] = {}

    def answer(self, question: Question) -> Bits:
        """The parities, in the order of the question. Raises InputError for positions outside of the key."""
        return np.concatenate([self._parities(*part) for part in question])

    def _parities(self, number: int, positions: Positions) -> Bits:
        blocks, sums = self._pass(number)
        last = positions - 1
        if not blocks.hold(last).all():
            raise InputError("cascade: a parity of bits that are not in the key was asked for")
        return sums[positions] ^ sums[blocks.starts(last)]

    def _pass(self, number: int) -> tuple[Blocks, Bits]:
        """The blocks of a pass, and the parities of the shuffled key up to before each position."""
        if number not in self._passes:
            shuffle, blocks = self._layouts.of(number)
            sums = np.zeros(len(self._key) + 1, dtype=np.uint8)
            np.bitwise_xor.accumulate(shuffle.shuffled(self._key), out=sums[1:])
        else:
            blocks, sums = self._passes.pop(number)
        self._passes[number] = blocks, sums  # the last one that was used
        if len(self._passes) > self._kept:
            del self._passes[next(iter(self._passes))]
        return blocks, sums


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
        self._passes: dict[int, Pass] = {}
        self._frame = frame_bits(len(key))
        frames = -(-len(key) // self._frame)
        self._halves = variant.biconf or frames > 1
        #: For each frame: how many passes it has begun, whether it wants no more, how many bits were turned
        #: since it began the last one, and how many of BICONF's halves in a row had no error.
        self._begun = np.zeros(frames, dtype=np.int64)
        self._done = np.zeros(frames, dtype=bool)
        self._turned = np.zeros(frames, dtype=np.int64)
        self._clean = np.zeros(frames, dtype=np.int64)
        self._answer: Bits | None = None

    def take(self, parities: Bits) -> None:
        """The answer to the last question."""
        self._answer = parities

    def questions(self) -> Iterator[Question]:
        """What to ask, question by question; each is answered before the next is asked for."""
        while not self._done.all():
            asked = self._correct()
            self._begin(asked)
            question = [Part(number, asked[number]) for number in sorted(asked)]
            if question:
                yield question
                self._learn(question)

    def _correct(self) -> dict[int, Positions]:
        """Turn all bits that are known to be wrong; what to ask then, by pass."""
        turned = True
        asked: dict[int, Positions] = {}
        while turned:
            turned = False
            for number, part in self._passes.items():
                wrong, asked[number] = part.look()
                if len(wrong):
                    self._turn(wrong)
                    turned = True
        return {number: new for number, new in asked.items() if len(new)}

    def _turn(self, bits: Positions) -> None:
        self.key[bits] ^= 1
        np.add.at(self._turned, bits // self._frame, 1)
        for part in self._passes.values():
            part.turn(bits)

    def _begin(self, asked: dict[int, Positions]) -> None:
        """The next pass of all frames that have nothing to ask: what to ask for it is added."""
        idle = ~self._done
        for positions in asked.values():
            idle[(positions - 1) // self._frame] = False
        self._settle(idle)
        idle &= ~self._done
        for number in np.unique(self._begun[idle]).tolist():
            if number not in self._passes:
                self._passes[number] = Pass(*self._layouts.of(number), self._variant.reuse)
            frames = np.flatnonzero(idle & (self._begun == number))
            asked[number] = self._passes[number].begin(frames)
        self._begun[idle] += 1
        self._turned[idle] = 0

    def _settle(self, idle: Marks) -> None:
        """Note which of these frames, at the end of a pass, are done.

        BICONF's random halves follow the passes, until so many in a row had no error (Brassard and Salvail,
        section 6). An error is corrected in its half alone, as the published figures have it: the passes are
        not gone back to.
        """
        ended = idle & (self._begun >= len(self.sizes))
        if not self._halves:
            self._done |= ended
            return
        halves = ended & (self._begun > len(self.sizes))
        self._clean[halves] = np.where(self._turned[halves] == 0, self._clean[halves] + 1, 0)
        self._done |= halves & (self._clean >= BICONF_STREAK)
        for frame in np.flatnonzero(ended).tolist():
            for part in self._passes.values():
                part.end(frame)
        self._drop()

    def _drop(self) -> None:
        """Drop the passes that no frame goes back to."""
        begun = self._begun[~self._done]
        oldest = int(begun.min()) - 1 if len(begun) else 0
        if oldest >= len(self.sizes):
            self._passes = {each: part for each, part in self._passes.items() if each >= oldest}

    def _learn(self, question: Question) -> None:
        """Hand the answer to the passes that asked."""
        wanted = sum(len(part.positions) for part in question)
        if self._answer is None or len(self._answer) != wanted:
            raise InputError(f"cascade: {wanted} parities were asked for")
        self.leaked += wanted
        self.rounds += 1
        begin = 0
        for number, positions in question:
            end = begin + len(positions)
            self._passes[number].learn(self.key, self._answer[begin:end])
            begin = end
        self._answer = None
