"""BBM92: entangled pairs as pulse trains, both ends measuring in Z or X, up to the sifted key.

Bennett, Brassard, Mermin, PRL 68, 557 (1992). Gains and error rates to expect from down-conversion: Ma, Fung,
Lo, PRA 76, 012307 (2007).

Owns the exchange of one train, coincidences, sifting, and the comparison of bits. Does not own
reconciliation, privacy amplification or authentication: what comes out is a sifted key and what is known of
the channel, not a secret key.

Once Bob has said that he listens, Alice has the source send. Bob says which slots clicked, in which bases;
Alice finds the coincidences and says which of Bob's clicks they are, in which of them the bases agree, and
which of those are compared in public. The source may stand in the middle, or at Alice's.

Alice asks (talk.py), Bob and the source; her last word to Bob are her bits. With a `timeout`, at all the same
and longer than a message takes there and back, messages may be lost and nodes killed: a session that is
broken, or whose train did not come whole, is begun anew with a new train, and the results say what is
`confirmed`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....emulator.errors import ProgramError
from ....emulator.wire.bit_planes import packed, unpacked
from ...agent import Agent
from ...pulses.trains import Clicks
from ..session import (
    CONFIRMED,
    TRIES,
    Broken,
    Initiator,
    Patience,
    Responder,
    SessionMessage,
    follow,
    lead,
    nothing,
    within,
)

Bytes = NDArray[np.uint8]
KIND = "bbm92"


class Wanted(SessionMessage, tag="wanted"):
    """Alice -> source: she will want a train."""


class Train(SessionMessage, tag="train"):
    """Source -> Alice, and Alice -> Bob: how many slots will come, and how long that takes."""

    slots: int
    lasts_ns: int


class Ready(SessionMessage, tag="ready"):
    """Bob -> Alice: he listens."""


class Emit(SessionMessage, tag="emit"):
    """Alice -> source: both listen."""


class Emitting(SessionMessage, tag="emitting"):
    """Source -> Alice: the train leaves."""


class Detected(SessionMessage, tag="detected"):
    """Alice -> Bob: her train is over."""


class Clicked(SessionMessage, tag="clicked"):
    """Bob -> Alice: slots that clicked (uint32, little-endian), a plane of bases."""

    count: int
    slots: bytes
    bases: bytes


class Coincident(SessionMessage, tag="coincident"):
    """Alice -> Bob, for each of his clicks: is it a coincidence, do the bases agree, is it compared.

    `clicks` are hers, `slots` those of the train.
    """

    coincident: bytes
    agree: bytes
    compared: bytes
    clicks: int
    slots: int


class Compared(SessionMessage, tag="compared"):
    """Bob -> Alice, and back: a plane of the compared bits, in the order of the slots."""

    bits: bytes


class Done(SessionMessage, tag="done"):
    """Bob -> Alice: he has his result. Alice -> source, and back: no other train is wanted."""


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
    status: str
    session: str

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
            "status": self.status,
            "session": self.session,
        }

    def _errors(self, here: NDArray[np.bool_]) -> dict[str, int]:
        return {"compared": int(here.sum()), "errors": int(self.wrong[here].sum())}


class Source(Agent):
    """Sends `slots` slots of pairs to `alice` and `bob` when Alice says so. Returns their number."""

    async def run(
        self,
        alice: str,
        bob: str,
        slots: int = 1_000_000,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> int:
        part = partial(self._session, alice, bob, slots)
        return await follow(self, alice, KIND, Patience.of(timeout, tries), part) or 0

    async def _session(self, alice: str, bob: str, slots: int, talk: Responder) -> int:
        lasts_ns = slots * self.pulse_period_ps // 1000
        await talk.hear(Wanted)
        await talk.answer(Train(slots, lasts_ns))
        waits_s = talk.patience.limit_s() or 0.0
        await talk.hear(Emit, waits_s)  # she asks Bob first
        await talk.answer(Emitting())
        await self.pair_pulses(alice, bob, slots)
        await talk.hear(Done, lasts_ns / 1e9 + 4 * waits_s)  # and has four words for him then
        await talk.answer(Done())
        return slots


class Alice(Agent):
    """Detects what `source` sends, and sifts with `peer`; compares `sample` of the bits.

    Without a `source` it is here: she sends `slots` slots, one arm to `peer`, and keeps the other one.
    Returns `Exchange.summary()`.
    """

    async def run(
        self,
        peer: str,
        source: str | None = None,
        slots: int = 1_000_000,
        sample: float = 0.5,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        if not 0 <= sample <= 1:
            raise ProgramError(f"sample must be in [0, 1], not {sample}")
        found = await self.exchange(peer, source, slots, sample, Patience.of(timeout, tries))
        return nothing() if found is None else found.summary()

    async def exchange(
        self, peer: str, source: str | None, slots: int, sample: float, patience: Patience
    ) -> Exchange | None:
        """One train, sifted and compared; None if no session came to an end."""
        if source is None:
            part = partial(self._from_here, peer, slots, sample)
        else:
            part = partial(self._from_between, peer, source, sample)
        return await lead(self, peer, KIND, patience, part)

    async def _from_here(self, peer: str, slots: int, sample: float, talk: Initiator) -> Exchange:
        """A session with the source at this node."""
        train = Train(slots, slots * self.pulse_period_ps // 1000)
        await talk.ask(train, Ready)
        clicks, _ = await asyncio.gather(
            self.detect(self.name), self.pair_pulses(self.name, peer, slots)
        )
        return await self._sift(clicks, sample, talk)

    async def _from_between(
        self, peer: str, source: str, sample: float, talk: Initiator
    ) -> Exchange:
        """A session with the source at another node, and one with that node."""
        order = Initiator(self, source, KIND, talk.patience)
        train = await order.ask(Wanted(), Train)
        await talk.ask(Train(train.slots, train.lasts_ns), Ready)
        listening = asyncio.create_task(self.detect(source), name="detect")
        try:
            await order.ask(Emit(), Emitting)
            limit_s = talk.patience.limit_s(train.lasts_ns / 1e9)
            clicks = await within(limit_s, listening, "train")
        finally:
            listening.cancel()
        if clicks.seen != train.slots:
            raise Broken(f"{clicks.seen} slots came of {train.slots}")
        found = await self._sift(clicks, sample, talk)
        try:
            await order.conclude(Done(), Done)
        except Broken as broken:
            self.log.warning("%s: %s", source, broken)
        return found

    async def _sift(self, clicks: Clicks, sample: float, talk: Initiator) -> Exchange:
        heard = await talk.ask(Detected(), Clicked)
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
        answer = await talk.ask(told, Compared)
        wrong = unpacked(answer.bits, int(compared.sum())) != bits[compared]
        status = await talk.conclude(Compared(packed(bits[compared])), Done)
        singles = len(clicks), heard.count
        return Exchange(
            clicks.seen, singles, bits, bases, agree, compared, wrong, status, talk.session
        )


class Bob(Agent):
    """Detects what `source` (or `peer` herself) sends, and sifts with `peer`. Returns as Alice does."""

    async def run(
        self,
        peer: str,
        source: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        found = await self.exchange(peer, source, Patience.of(timeout, tries))
        return nothing() if found is None else found.summary()

    async def exchange(self, peer: str, source: str | None, patience: Patience) -> Exchange | None:
        """One train, sifted and compared; None if no session came to an end."""
        part = partial(self._session, peer if source is None else source)
        return await follow(self, peer, KIND, patience, part)

    async def _session(self, source: str, talk: Responder) -> Exchange:
        train: Train = await talk.hear(Train)
        await talk.answer(Ready())
        # Alice may take as long to reach the source as an answer may take
        more_s = train.lasts_ns / 1e9 + (talk.patience.limit_s() or 0.0)
        clicks = await within(talk.patience.limit_s(more_s), self.detect(source), "train")
        if clicks.seen != train.slots:
            raise Broken(f"{clicks.seen} slots came of {train.slots}")
        await talk.hear(Detected, more_s)
        count, raw = len(clicks), clicks.slots.astype("<u4").tobytes()
        await talk.answer(Clicked(count, raw, packed(clicks.bases)))
        heard: Coincident = await talk.hear(Coincident)
        here = unpacked(heard.coincident, count).astype(bool)
        agree, compared = (
            unpacked(column, count).astype(bool)[here] for column in (heard.agree, heard.compared)
        )
        bits, bases = clicks.bits[here], clicks.bases[here]
        await talk.answer(Compared(packed(bits[compared])))
        answer: Compared = await talk.hear(Compared)
        wrong = unpacked(answer.bits, int(compared.sum())) != bits[compared]
        await talk.answer(Done())
        singles = heard.clicks, count
        return Exchange(
            heard.slots,
            singles,
            bits,
            bases,
            agree,
            compared,
            wrong,
            CONFIRMED,
            talk.session,
        )


def _marks(count: int, places: NDArray[np.int64]) -> bytes:
    """A plane of `count` bits with those at `places` set."""
    marks = np.zeros(count, dtype=bool)
    marks[places] = True
    return packed(marks)
