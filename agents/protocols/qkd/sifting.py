"""Sifting: what the QKD programs do alike once the light has been detected.

Owns the messages and the steps of it: the receiving end announces its clicks and bases, the sending end
finds the clicks whose bases agree, samples those that are compared in public, and both ends compare. Does
not own what is prepared and detected, nor reconciliation, privacy amplification and authentication: what
comes out is a sifted key and what is known of the channel, not a secret key.

Single photons travel as lists of slots, pulse trains as bytes: slots by the way from one to the next, bases,
bits and marks as bit planes. In all arrays an entry belongs to a click, in
the order of time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....emulator.errors import ProgramError
from ....emulator.wire.bit_planes import packed, planes_for, unpacked
from ...pulses.trains import Clicks
from ..session import UNCONFIRMED, Initiator, Responder, within
from ..session_messages import SessionBroken, SessionMessage

BASES = "ZX"
#: Of the slots that clicked: as JSON a third more, with their bases within `LARGEST_VALUE` of messages.
MOST_BYTES = 10_500_000
#: Where a secret key is made of one basis, and the other one is compared.
KEY, CHECK = 0, 1
Bytes = NDArray[np.uint8]
Marks = NDArray[np.bool_]


class Ready(SessionMessage, tag="ready"):
    """Receiver -> sender: it listens."""


class Sent(SessionMessage, tag="sent"):
    """Sender -> receiver: the last slot has left."""


class Done(SessionMessage, tag="done"):
    """Receiver -> sender: it has its result. BBM92: Alice -> source, and back: no other train is wanted."""


# --- single photons -------------------------------------------------------------------------------


class ClickedSlots(SessionMessage, tag="clicks"):
    """Receiver -> sender: the slots that clicked, and a letter per click for its basis."""

    slots: list[int]
    bases: str


class SiftedSlots(SessionMessage, tag="sifted"):
    """Sender -> receiver: the slots whose bases agree, and those of them to be compared in public."""

    slots: list[int]
    compared: list[int]


class ComparedBits(SessionMessage, tag="compared"):
    """Receiver -> sender, and back: the bits of the compared slots, in their order."""

    bits: list[int]


def sift(clicks: ClickedSlots, bases: str, sample: float, rng: np.random.Generator) -> SiftedSlots:
    """The clicks whose basis is that of `bases` (a letter a slot), and a random `sample` of them."""
    pairs = zip(clicks.slots, clicks.bases, strict=True)
    sifted = [slot for slot, basis in pairs if bases[slot] == basis]
    chosen = rng.permutation(len(sifted))[: round(sample * len(sifted))]
    return SiftedSlots(sifted, sorted(sifted[int(index)] for index in chosen))


def errors_by_basis(compared: Iterable[tuple[str, bool]]) -> dict[str, dict[str, int]]:
    """How many bits were compared in each basis, and how many were wrong; from (basis, wrong) of each."""
    counts = {basis: {"compared": 0, "errors": 0} for basis in BASES}
    for basis, wrong in compared:
        counts[basis]["compared"] += 1
        counts[basis]["errors"] += wrong
    return counts


# --- pulse trains ---------------------------------------------------------------------------------


class Clicked(SessionMessage, tag="clicked"):
    """Receiver -> sender: the slots that clicked, and their bases in bit planes."""

    count: int
    slots: bytes
    bases: bytes


class Compared(SessionMessage, tag="compared"):
    """Receiver -> sender, and back: a plane of the compared bits."""

    bits: bytes


async def whole_train(detecting: Awaitable[Clicks], slots: int, limit_s: float | None) -> Clicks:
    """The clicks of a train of `slots`. Raises SessionBroken when it is late, or some slots are missing."""
    clicks = await within(limit_s, detecting, "train")
    if clicks.seen != slots:
        raise SessionBroken(f"{clicks.seen} slots came of {slots}")
    return clicks


def announced(clicks: Clicks, bases: int = 2) -> Clicked:
    """Clicks as the receiver announces them, who chose from so many bases.

    Raises ProgramError for more than a message has room for.
    """
    return Clicked(len(clicks), slots_as_bytes(clicks), packed(clicks.bases, planes_for(bases)))


def slots_as_bytes(clicks: Clicks) -> bytes:
    """The slots that clicked: the way from each to the next one, seven bits a byte, the lowest first.

    All bytes of a way but its last have the highest bit set (LEB128): a click costs what its way does. Raises
    ProgramError for more clicks than a message has room for.
    """
    ways = np.diff(clicks.slots, prepend=0).astype(np.uint64)
    limits = np.array([1 << 7 * size for size in range(1, 10)], dtype=np.uint64)
    sizes = 1 + np.searchsorted(limits, ways, side="right")
    ends = np.cumsum(sizes)
    data = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=np.uint8)
    for place in range(int(sizes.max(initial=0))):
        those = np.flatnonzero(sizes > place)
        digit = (ways[those] >> np.uint64(7 * place)) & np.uint64(0x7F)
        more = np.uint8(0x80) * (sizes[those] > place + 1)
        data[ends[those] - sizes[those] + place] = digit.astype(np.uint8) | more.astype(np.uint8)
    if len(data) > MOST_BYTES:
        raise ProgramError(
            f"{len(clicks):,} clicks in one train are more than a message announces: send shorter trains, or "
            "let a KeyLink make block after block (docs/qkd.md)"
        )
    return data.tobytes()


def slots_of(data: bytes, count: int) -> NDArray[np.int64]:
    """What `slots_as_bytes` made of `count` clicks. Raises SessionBroken for other data."""
    raw = np.frombuffer(data, dtype=np.uint8)
    last = np.flatnonzero(raw < 0x80)
    if len(last) != count or (count and last[-1] != len(raw) - 1):
        raise SessionBroken(f"{len(last)} clicks were announced, expected {count}")
    starts = np.concatenate([np.zeros(min(count, 1), dtype=np.int64), last[:-1] + 1])
    sizes = last - starts + 1
    ways = np.zeros(count, dtype=np.int64)
    for place in range(int(sizes.max(initial=0))):
        those = np.flatnonzero(sizes > place)
        ways[those] |= (raw[starts[those] + place] & np.int64(0x7F)) << np.int64(7 * place)
    return np.cumsum(ways)


def slots_and_bases(clicked: Clicked, bases: int = 2) -> tuple[NDArray[np.int64], Bytes]:
    """The slots and bases that were announced, as by `announced`."""
    slots = slots_of(clicked.slots, clicked.count)
    return slots, unpacked(clicked.bases, clicked.count, planes_for(bases))


def marks(plane: bytes, count: int) -> Marks:
    """A plane of marks, one for each of `count` clicks."""
    return unpacked(plane, count).astype(bool)


async def compare(
    session: Initiator, sifted: SessionMessage, bits: Bytes, last: bool = True
) -> tuple[Marks, str]:
    """The sending end's part: announce what was sifted, and exchange the compared bits.

    Returns which of them differ at the other end, and whether the result is confirmed; unless it is the
    `last` step of the session nothing is confirmed yet.
    """
    theirs = await session.request(sifted, Compared)
    wrong = unpacked(theirs.bits, len(bits)) != bits
    if last:
        return wrong, await session.conclude(Compared(packed(bits)), Done)
    await session.request(Compared(packed(bits)), Done)
    return wrong, UNCONFIRMED


async def compare_as_receiver(session: Responder, bits: Bytes) -> Marks:
    """The receiving end's part, once it knows which bits are compared; returns which of them differ."""
    await session.reply(Compared(packed(bits)))
    theirs: Compared = await session.receive(Compared)
    wrong: Marks = unpacked(theirs.bits, len(bits)) != bits
    await session.reply(Done())
    return wrong


@dataclass(frozen=True, kw_only=True)
class SiftedTrain:
    """What an end knows of a train after sifting. Arrays are over clicks; `bits` are its own."""

    bits: Bytes
    agree: Marks
    compared: Marks
    #: For each compared click, whether the peer's bit differs.
    wrong: Marks
    status: str
    session: str

    @property
    def sifted_bits(self) -> Bytes:
        """The bits whose bases agree and that were not compared in public."""
        kept: Bytes = self.bits[self.agree & ~self.compared]
        return kept

    def errors(self, among: Marks) -> dict[str, int]:
        """How many bits were compared, and how many were wrong, `among` these clicks."""
        here = among[self.compared]
        return {"compared": int(here.sum()), "errors": int(self.wrong[here].sum())}


def rate(errors: int, compared: int) -> float | None:
    """The QBER; None without compared bits."""
    return errors / compared if compared else None
