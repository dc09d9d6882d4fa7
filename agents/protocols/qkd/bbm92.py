"""BBM92: entangled pairs as pulse trains, both ends measuring in Z or X, up to the sifted key.

Bennett, Brassard, Mermin, PRL 68, 557 (1992). Gains and error rates to expect from down-conversion: Ma, Fung,
Lo, PRA 76, 012307 (2007).

Owns the exchange of one train, coincidences, sifting, and the comparison of bits. Does not own
reconciliation, privacy amplification or authentication: what comes out is a sifted key and what is known of
the channel, not a secret key.

The source waits until both ends say that they listen, then sends. Bob says which slots clicked, in which
bases; Alice finds the coincidences and says which of Bob's clicks they are, in which of them the bases agree,
and which of those are compared in public. The source may stand in the middle, or at Alice's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ....emulator.columns import packed, unpacked
from ....emulator.errors import ProgramError
from ...agent import Agent
from ...pulses import Clicks

Bytes = NDArray[np.uint8]
READY = "bbm92.ready"


class Clicked(msgspec.Struct):
    """Bob -> Alice: slots that clicked (uint32, little-endian), a plane of bases."""

    count: int
    slots: bytes
    bases: bytes


class Coincident(msgspec.Struct):
    """Alice -> Bob, for each of his clicks: is it a coincidence, do the bases agree, is it compared.

    `clicks` are hers, `slots` those of the train.
    """

    coincident: bytes
    agree: bytes
    compared: bytes
    clicks: int
    slots: int


class Compared(msgspec.Struct):
    """Bob -> Alice, and back: a plane of the compared bits, in the order of the slots."""

    bits: bytes


@dataclass(frozen=True)
class Exchange:
    """What an end knows after sifting. Arrays are over coincidences; `bits` and `bases` are its own."""

    slots: int
    #: Clicks of Alice and Bob.
    singles: tuple[int, int]
    bits: Bytes
    bases: Bytes
    agree: NDArray[np.bool_]
    compared: NDArray[np.bool_]
    #: For each compared coincidence, whether the peer's bit differs.
    wrong: NDArray[np.bool_]

    @property
    def sifted_bits(self) -> Bytes:
        """The bits that agree in basis and were not told in public."""
        kept: Bytes = self.bits[self.agree & ~self.compared]
        return kept

    def summary(self) -> dict[str, Any]:
        """Counts, gain, QBER and the ratio of coincidences to accidental ones; None without any."""
        coincidences, compared, errors = len(self.bits), len(self.wrong), int(self.wrong.sum())
        first, second = self.singles
        accidental = first * second / self.slots
        by_basis = {
            name: self._errors(self.bases[self.compared] == basis)
            for basis, name in enumerate("ZX")
        }
        return {
            "slots": self.slots,
            "singles": [first, second],
            "coincidences": coincidences,
            "gain": coincidences / self.slots,
            "car": coincidences / accidental if accidental else None,
            "sifted": int(self.agree.sum()),
            "compared": compared,
            "errors": errors,
            "qber": errors / compared if compared else None,
            "by_basis": by_basis,
            "kept": len(self.sifted_bits),
        }

    def _errors(self, here: NDArray[np.bool_]) -> dict[str, int]:
        return {"compared": int(here.sum()), "errors": int(self.wrong[here].sum())}


class Source(Agent):
    """Sends `slots` slots of pairs to `alice` and `bob`, once both listen. Returns their number."""

    async def run(self, alice: str, bob: str, slots: int = 1_000_000) -> int:
        for name in (alice, bob):
            await self.receive(name, kind=READY)
        return len(await self.pair_pulses(alice, bob, slots))


class Alice(Agent):
    """Detects what `source` sends, and sifts with `peer`; compares `sample` of the bits.

    Without a `source` it is here: she sends `slots` slots, one arm to `peer`, and keeps the other one.
    Returns `Exchange.summary()`.
    """

    async def run(
        self, peer: str, source: str | None = None, slots: int = 1_000_000, sample: float = 0.5
    ) -> dict[str, Any]:
        if not 0 <= sample <= 1:
            raise ProgramError(f"sample must be in [0, 1], not {sample}")
        return (await self.exchange(peer, source, slots, sample)).summary()

    async def exchange(self, peer: str, source: str | None, slots: int, sample: float) -> Exchange:
        """One train, sifted and compared."""
        clicks = await self._clicks(peer, source, slots)
        heard: Clicked = (await self.receive(peer, kind="bbm92.clicks", type=Clicked)).body
        theirs = np.frombuffer(heard.slots, dtype="<u4").astype(np.int64)
        _, ours, others = np.intersect1d(
            clicks.slots, theirs, assume_unique=True, return_indices=True
        )
        bits, bases = clicks.bits[ours], clicks.bases[ours]
        agree = unpacked(heard.bases, heard.count)[others] == bases
        compared = agree & (self.rng.random(len(ours)) < sample)
        marks = [
            _marks(heard.count, others[there]) for there in (np.ones_like(agree), agree, compared)
        ]
        told = Coincident(marks[0], marks[1], marks[2], len(clicks), clicks.seen)
        await self.send(peer, told, kind="bbm92.coincident")
        answer: Compared = (await self.receive(peer, kind="bbm92.compared", type=Compared)).body
        await self.send(peer, Compared(packed(bits[compared])), kind="bbm92.compared")
        wrong = unpacked(answer.bits, int(compared.sum())) != bits[compared]
        return Exchange(
            clicks.seen, (len(clicks), heard.count), bits, bases, agree, compared, wrong
        )

    async def _clicks(self, peer: str, source: str | None, slots: int) -> Clicks:
        if source is not None:
            await self.send(source, kind=READY)
            return await self.detect(source)
        await self.receive(peer, kind=READY)
        clicks, _ = await asyncio.gather(
            self.detect(self.name), self.pair_pulses(self.name, peer, slots)
        )
        return clicks


class Bob(Agent):
    """Detects what `source` (or `peer` herself) sends, and sifts with `peer`. Returns as Alice does."""

    async def run(self, peer: str, source: str | None = None) -> dict[str, Any]:
        return (await self.exchange(peer, source)).summary()

    async def exchange(self, peer: str, source: str | None) -> Exchange:
        """One train, sifted and compared."""
        sender = peer if source is None else source
        await self.send(sender, kind=READY)
        clicks: Clicks = await self.detect(sender)
        count, raw = len(clicks), clicks.slots.astype("<u4").tobytes()
        await self.send(peer, Clicked(count, raw, packed(clicks.bases)), kind="bbm92.clicks")
        heard = (await self.receive(peer, kind="bbm92.coincident", type=Coincident)).body
        here = unpacked(heard.coincident, count).astype(bool)
        agree, compared = (
            unpacked(column, count).astype(bool)[here] for column in (heard.agree, heard.compared)
        )
        bits, bases = clicks.bits[here], clicks.bases[here]
        await self.send(peer, Compared(packed(bits[compared])), kind="bbm92.compared")
        answer: Compared = (await self.receive(peer, kind="bbm92.compared", type=Compared)).body
        wrong = unpacked(answer.bits, int(compared.sum())) != bits[compared]
        return Exchange(heard.slots, (heard.clicks, count), bits, bases, agree, compared, wrong)


def _marks(count: int, places: NDArray[np.int64]) -> bytes:
    """A plane of `count` bits with those at `places` set."""
    marks = np.zeros(count, dtype=bool)
    marks[places] = True
    return packed(marks)
