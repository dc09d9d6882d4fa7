"""Error correction over a session: the initiator's key is made equal to the responder's.

Owns the messages of Cascade and LDPC, and which of the two corrects what. Does not own the algorithms
(cascade.py, ldpc.py), nor whether keys are equal in the end (verification.py).

With LDPC whole frames go first: the responder tells all their syndromes at once, then, as often as there are
frames that cannot be decoded yet, more punctured bits of these. What no frame has room for, and frames that
nothing helps, are corrected by Cascade together. With Cascade that is the whole key. Messages are
authenticated by the tag of the verification that follows.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .....emulator.errors import InputError
from .....emulator.wire.bit_planes import packed, unpacked
from ...session import Initiator
from ...session_messages import SessionBroken, SessionMessage
from . import cascade, ldpc

Bits = NDArray[np.uint8]
Positions = NDArray[np.int64]

#: Bits of a frame, the longest that the key fills at least once.
FRAMES = (100_000, 10_000)
#: Below this a rate is a guess: of few errors, or none.
LEAST_RATE = 0.002


class Frames(SessionMessage, tag="frames"):
    """Initiator -> responder: the key's first frames are corrected by LDPC; how they are made."""

    deferred: ClassVar[bool] = True
    error_rate: float
    frame_bits: int
    count: int
    seed: int


class Syndromes(SessionMessage, tag="syndromes"):
    """Responder -> initiator: of all frames, one after the other."""

    deferred: ClassVar[bool] = True
    syndromes: bytes


class Show(SessionMessage, tag="show"):
    """Initiator -> responder: frames that need more."""

    deferred: ClassVar[bool] = True
    frames: list[int]


class Shown(SessionMessage, tag="shown"):
    """Responder -> initiator: the next punctured bits of these frames, one after the other."""

    deferred: ClassVar[bool] = True
    bits: bytes


class Cascading(SessionMessage, tag="cascading"):
    """Initiator -> responder: these frames and what follows the last one are corrected by Cascade."""

    deferred: ClassVar[bool] = True
    variant: str
    error_rate: float
    seed: int
    frames: list[int]


class Agreed(SessionMessage, tag="agreed"):
    """Responder -> initiator."""

    deferred: ClassVar[bool] = True


class Asked(SessionMessage, tag="asked"):
    """Initiator -> responder: parities; positions of all passes as uint32, one pass after the other."""

    deferred: ClassVar[bool] = True
    passes: list[int]
    counts: list[int]
    positions: bytes


class Parities(SessionMessage, tag="parities"):
    """Responder -> initiator: in the order of the question."""

    deferred: ClassVar[bool] = True
    parities: bytes


@dataclass(frozen=True)
class Corrected:
    """The initiator's key once it is corrected, what that told an eavesdropper, and in how many rounds."""

    key: Bits
    leaked: int
    rounds: int


def _entries(key: Bits, layout: ldpc.Plan, count: int) -> list[Bits]:
    size = layout.key_bits
    return [key[at * size : (at + 1) * size] for at in range(count)]


def _rest(key_bits: int, frame_bits: int, count: int, frames: list[int]) -> Positions:
    """Where Cascade corrects: these frames, and what follows the last one."""
    spans = [np.arange(at * frame_bits, (at + 1) * frame_bits) for at in frames]
    return np.concatenate([*spans, np.arange(count * frame_bits, key_bits)]).astype(np.int64)


# --- the initiator --------------------------------------------------------------------------------


async def correct(
    session: Initiator,
    key: Bits,
    error_rate: float,
    rng: np.random.Generator,
    method: str,
    variant: str,
    bits_per_s: float,
) -> Corrected:
    """Correct `key`, of about that error rate, to the responder's.

    `method` is cascade or ldpc; `variant` names one of `cascade.VARIANTS`; `bits_per_s`: how fast the module
    works, in virtual time. Raises SessionBroken.
    """
    rate = min(max(error_rate, LEAST_RATE), 0.25)
    layout = _layout(len(key), rate) if method == "ldpc" else None
    fixed, leaked, rounds = key.copy(), 0, 0
    failed: list[int] = []
    frames = 0
    if layout is not None:
        frames = len(key) // layout.key_bits
        correctors, rounds = await _decode(
            session, key, layout, frames, rate, _seed(rng), layout.key_bits / bits_per_s
        )
        leaked = sum(each.leaked for each in correctors)
        for at, corrector in enumerate(correctors):
            if corrector.corrected is None:
                failed.append(at)
            else:
                fixed[at * layout.key_bits : (at + 1) * layout.key_bits] = corrector.corrected
    size = 0 if layout is None else layout.key_bits
    rest = _rest(len(key), size, frames, failed)
    if len(rest):
        found = await _cascade(session, fixed[rest], variant, rate, _seed(rng), failed)
        await asyncio.sleep(len(rest) / bits_per_s)
        fixed[rest] = found.key
        leaked, rounds = leaked + found.leaked, rounds + found.rounds
    return Corrected(fixed, leaked, rounds)


def _layout(key_bits: int, rate: float) -> ldpc.Plan | None:
    """How frames are made for a key; None where it fills none, or has more errors than codes are for."""
    for bits in FRAMES:
        try:
            layout = ldpc.plan(rate, bits)
        except InputError:
            return None
        if layout.key_bits <= key_bits:
            return layout
    return None


async def _decode(
    session: Initiator,
    key: Bits,
    layout: ldpc.Plan,
    count: int,
    rate: float,
    seed: int,
    frame_s: float,
) -> tuple[list[ldpc.Corrector], int]:
    """All frames, as far as they can be decoded, and the number of rounds; a decoding takes `frame_s`."""
    asked = Frames(rate, layout.bits, count, seed)
    told = await session.request(asked, Syndromes)
    parts = _entries(key, layout, count)
    frames = [ldpc.Corrector(part, layout, seed + at, rate) for at, part in enumerate(parts)]
    checks = frames[0].code.checks
    rows = unpacked(told.syndromes, checks * count).reshape(count, checks)
    waiting, rounds = await _undecoded(frames, [*range(count)], rows, frame_s), 1
    while waiting := [at for at in waiting if len(frames[at].next_shown())]:
        shown = await session.request(Show(waiting), Shown)
        sizes = [len(frames[at].next_shown()) for at in waiting]
        bits = unpacked(shown.bits, sum(sizes))
        for at, part in zip(waiting, np.split(bits, np.cumsum(sizes)[:-1]), strict=True):
            frames[at].learn(part)
        waiting, rounds = await _undecoded(frames, waiting, rows, frame_s), rounds + 1
    return frames, rounds


async def _undecoded(
    frames: list[ldpc.Corrector], waiting: list[int], rows: Bits, frame_s: float
) -> list[int]:
    """Decode those that wait, one in each step of the node; those for which it fails."""
    failed = []
    for at in waiting:
        await asyncio.sleep(frame_s)
        if not frames[at].decode(rows[at]):
            failed.append(at)
    return failed


async def _cascade(
    session: Initiator, key: Bits, variant: str, rate: float, seed: int, frames: list[int]
) -> Corrected:
    await session.request(Cascading(variant, rate, seed, frames), Agreed)
    corrector = cascade.Corrector(key, cascade.VARIANTS[variant], rate, seed)
    for question in corrector.questions():
        asked = Asked(
            [part.pass_number for part in question],
            [len(part.positions) for part in question],
            np.concatenate([part.positions for part in question]).astype("<u4").tobytes(),
        )
        told = await session.request(asked, Parities)
        corrector.take(unpacked(told.parities, sum(asked.counts)))
    return Corrected(corrector.key, corrector.leaked, corrector.rounds + 1)


def _seed(rng: np.random.Generator) -> int:
    """Of what both ends draw alike."""
    return int(rng.integers(1 << 31))


# --- the responder --------------------------------------------------------------------------------

#: What the initiator may ask.
Question = Frames | Show | Cascading | Asked


class Reference:
    """The responder's part: its answers, and what they told of its key so far (`leaked`)."""

    def __init__(self, key: Bits, rng: np.random.Generator) -> None:
        self._key, self._rng = key, rng
        self._frames: list[ldpc.Reference] = []
        self._cascade: cascade.Reference | None = None
        self._parities = 0

    @property
    def leaked(self) -> int:
        """Bits that an eavesdropper has learned."""
        return sum(frame.leaked for frame in self._frames) + self._parities

    def answer(self, question: Any) -> SessionMessage:
        """Raises SessionBroken for a question that does not fit."""
        try:
            match question:
                case Frames():
                    return self._begin(question)
                case Show():
                    shown = [self._frames[at].show() for at in question.frames]
                    return Shown(packed(np.concatenate(shown)))
                case Cascading():
                    return self._begin_cascade(question)
            return self._answer(question)
        except (InputError, IndexError, KeyError, ValueError) as error:
            raise SessionBroken(f"error correction: {error}") from error

    def _begin(self, asked: Frames) -> Syndromes:
        layout = ldpc.plan(asked.error_rate, asked.frame_bits)
        if asked.count * layout.key_bits > len(self._key):
            raise InputError(f"{asked.count} frames of a key of {len(self._key)} bits")
        for at, part in enumerate(_entries(self._key, layout, asked.count)):
            filling = self._rng.integers(0, 2, layout.punctured, dtype=np.uint8)
            self._frames.append(ldpc.Reference(part, layout, asked.seed + at, filling))
        return Syndromes(packed(np.concatenate([frame.syndrome() for frame in self._frames])))

    def _begin_cascade(self, asked: Cascading) -> Agreed:
        size = self._frames[0].plan.key_bits if self._frames else 0
        key = self._key[_rest(len(self._key), size, len(self._frames), asked.frames)]
        sizes = cascade.VARIANTS[asked.variant].block_sizes(asked.error_rate, len(key))
        self._cascade = cascade.Reference(key, sizes, asked.seed)
        return Agreed()

    def _answer(self, asked: Asked) -> Parities:
        total = sum(asked.counts)
        if self._cascade is None or len(asked.positions) != 4 * total:
            raise InputError("parities were asked for out of turn")
        positions = np.frombuffer(asked.positions, dtype="<u4").astype(np.int64)
        parts = np.split(positions, np.cumsum(asked.counts)[:-1])
        question = [cascade.Part(*each) for each in zip(asked.passes, parts, strict=True)]
        self._parities += total
        return Parities(packed(self._cascade.answer(question)))
