"""BBM92: entangled pairs as pulse trains, both ends measuring in Z or X, up to the sifted key.

Bennett, Brassard, Mermin, PRL 68, 557 (1992). Gains and error rates to expect from down-conversion: Ma, Fung,
Lo, PRA 76, 012307 (2007).

Owns the exchange of one train and its coincidences; e91.py shares it. Does not own sifting (sifting.py).

Once Bob has announced that he listens, Alice has the source send. Bob announces his clicks; Alice finds the
coincidences and announces which of Bob's clicks they are, in which of them the bases agree, and which of
those are compared in public. The source may stand in the middle, or at Alice's.

Alice is the initiator (session.py), towards Bob and the source; her last request to Bob are her bits. With
a `timeout`, at all the same and longer than a round trip of a message, messages may be lost and nodes
killed: a session that is broken, or whose train did not come whole, is begun anew with a new train, and the
results say what is `confirmed`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....emulator.errors import ProgramError
from ....emulator.wire.bit_planes import packed
from ...agent import Agent
from ...pulses.settings import DEFAULT_AXES, as_axes, count_of
from ...pulses.trains import Clicks
from ..session import (
    CONFIRMED,
    TRIES,
    Initiator,
    Responder,
    RetryPolicy,
    SessionBroken,
    SessionMessage,
    initiate,
    no_result,
    respond,
)
from .sifting import (
    BASES,
    Bytes,
    Clicked,
    Done,
    Marks,
    Ready,
    SiftedTrain,
    announced,
    compare,
    compare_as_receiver,
    marks,
    rate,
    slots_and_bases,
    whole_train,
)

KIND = "bbm92"


class Wanted(SessionMessage, tag="wanted"):
    """Alice -> source: she will want a train."""


class Train(SessionMessage, tag="train"):
    """Source -> Alice, and Alice -> Bob: how many slots will come, and how long that takes."""

    slots: int
    lasts_ns: int


class Emit(SessionMessage, tag="emit"):
    """Alice -> source: both listen."""


class Emitting(SessionMessage, tag="emitting"):
    """Source -> Alice: the train leaves."""


class Detected(SessionMessage, tag="detected"):
    """Alice -> Bob: her train is over."""


class Coincident(SessionMessage, tag="coincident"):
    """Alice -> Bob, for each of his clicks: is it a coincidence, do the bases agree, is it compared.

    `clicks` are hers, `slots` those of the train.
    """

    coincident: bytes
    agree: bytes
    compared: bytes
    clicks: int
    slots: int


@dataclass(frozen=True, kw_only=True)
class Exchange(SiftedTrain):
    """What an end knows after sifting; arrays are over coincidences only."""

    slots: int
    #: Clicks of Alice and Bob.
    singles: tuple[int, int]
    bases: Bytes

    def summary(self) -> dict[str, Any]:
        """Counts, gain, QBER and the ratio of coincidences to accidental ones; None without any."""
        coincidences, compared, errors = len(self.bits), len(self.wrong), int(self.wrong.sum())
        first, second = self.singles
        accidental = first * second / self.slots
        by_basis = {name: self.errors(self.bases == basis) for basis, name in enumerate(BASES)}
        return {
            "slots": self.slots,
            "singles": [first, second],
            "coincidences": coincidences,
            "gain": coincidences / self.slots,
            "car": coincidences / accidental if accidental else None,
            "sifted": int(self.agree.sum()),
            "compared": compared,
            "errors": errors,
            "qber": rate(errors, compared),
            "by_basis": by_basis,
            "kept": len(self.sifted_bits),
            "status": self.status,
            "session": self.session,
        }


class Source(Agent):
    """Sends `slots` slots of pairs to `alice` and `bob` when Alice requests it. Returns their number."""

    async def run(
        self,
        alice: str,
        bob: str,
        slots: int = 1_000_000,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> int:
        part = partial(self._session, alice, bob, slots)
        return await respond(self, alice, KIND, RetryPolicy.of(timeout, tries), part) or 0

    async def _session(self, alice: str, bob: str, slots: int, session: Responder) -> int:
        lasts_ns = slots * self.pulse_period_ps // 1000
        await session.receive(Wanted)
        await session.reply(Train(slots, lasts_ns))
        waits_s = session.retry.limit_s() or 0.0
        await session.receive(Emit, waits_s)  # her session with Bob opens first
        await session.reply(Emitting())
        await self.pair_pulses(alice, bob, slots)
        await session.receive(
            Done, lasts_ns / 1e9 + 4 * waits_s
        )  # she sends Bob four messages before that
        await session.reply(Done())
        return slots


class Alice(Agent):
    """Detects what `source` sends, and sifts with `peer`; compares `sample` of the bits.

    Without a `source` it is here: she sends `slots` slots, one arm to `peer`, and keeps the other one.
    Returns counts (`slots`, `singles`, `coincidences`, `sifted`, `compared`, `errors`, `kept`), `gain`,
    `qber`, `by_basis`, `car` (coincidences to accidental ones), `status`, `session`.
    """

    #: What she measures along.
    axes: ClassVar[str | ArrayLike] = DEFAULT_AXES

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
        found = await self.exchange(peer, source, slots, sample, RetryPolicy.of(timeout, tries))
        return no_result() if found is None else found.summary()

    async def exchange(
        self, peer: str, source: str | None, slots: int, sample: float, retry: RetryPolicy
    ) -> Exchange | None:
        """One train, sifted and compared; None if no session came to an end."""
        if source is None:
            part = partial(self._from_here, peer, slots, sample)
        else:
            part = partial(self._from_between, peer, source, sample)
        return await initiate(self, peer, KIND, retry, part)

    async def _from_here(
        self, peer: str, slots: int, sample: float, session: Initiator
    ) -> Exchange:
        """A session with the source at this node."""
        train = Train(slots, slots * self.pulse_period_ps // 1000)
        await session.request(train, Ready)
        clicks, _ = await asyncio.gather(
            self.detect(self.name, axes=self.axes), self.pair_pulses(self.name, peer, slots)
        )
        return await self._sift(clicks, sample, session)

    async def _from_between(
        self, peer: str, source: str, sample: float, session: Initiator
    ) -> Exchange:
        """A session with the source at another node, and one with that node."""
        with_source = Initiator(self, source, KIND, session.retry)
        train = await with_source.request(Wanted(), Train)
        await session.request(Train(train.slots, train.lasts_ns), Ready)
        listening = asyncio.create_task(self.detect(source, axes=self.axes), name="detect")
        try:
            await with_source.request(Emit(), Emitting)
            limit_s = session.retry.limit_s(train.lasts_ns / 1e9)
            clicks = await whole_train(listening, train.slots, limit_s)
        finally:
            listening.cancel()
        found = await self._sift(clicks, sample, session)
        try:
            await with_source.conclude(Done(), Done)
        except SessionBroken as broken:
            self.log.warning("%s: %s", source, broken)
        return found

    async def _sift(self, clicks: Clicks, sample: float, session: Initiator) -> Exchange:
        their_slots, their_bases = slots_and_bases(await session.request(Detected(), Clicked))
        ours, theirs = coincidences(clicks, their_slots)
        bits, bases = clicks.bits[ours], clicks.bases[ours]
        agree = their_bases[theirs] == bases
        compared = agree & (self.rng.random(len(ours)) < sample)
        count = len(their_slots)
        planes = [
            plane_of(count, theirs[among]) for among in (np.ones_like(agree), agree, compared)
        ]
        coincident = Coincident(planes[0], planes[1], planes[2], len(clicks), clicks.seen)
        wrong, status = await compare(session, coincident, bits[compared])
        return Exchange(
            slots=clicks.seen,
            singles=(len(clicks), count),
            bits=bits,
            bases=bases,
            agree=agree,
            compared=compared,
            wrong=wrong,
            status=status,
            session=session.name,
        )


class Bob(Agent):
    """Detects what `source` (or `peer` herself) sends, and sifts with `peer`. Returns as Alice does."""

    #: What he measures along.
    axes: ClassVar[str | ArrayLike] = DEFAULT_AXES

    async def run(
        self,
        peer: str,
        source: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        found = await self.exchange(peer, source, RetryPolicy.of(timeout, tries))
        return no_result() if found is None else found.summary()

    async def exchange(self, peer: str, source: str | None, retry: RetryPolicy) -> Exchange | None:
        """One train, sifted and compared; None if no session came to an end."""
        part = partial(self._session, peer if source is None else source)
        return await respond(self, peer, KIND, retry, part)

    async def _session(self, source: str, session: Responder) -> Exchange:
        train: Train = await session.receive(Train)
        await session.reply(Ready())
        # Alice may wait as long for the source as for Bob
        more_s = train.lasts_ns / 1e9 + (session.retry.limit_s() or 0.0)
        limit_s = session.retry.limit_s(more_s)
        clicks = await whole_train(self.detect(source, axes=self.axes), train.slots, limit_s)
        await session.receive(Detected, more_s)
        await session.reply(announced(clicks, count_of(as_axes(self.axes))))
        return await self._sift(clicks, session)

    async def _sift(self, clicks: Clicks, session: Responder) -> Exchange:
        sifted: Coincident = await session.receive(Coincident)
        count = len(clicks)
        coincident, agree, compared = (
            marks(plane, count) for plane in (sifted.coincident, sifted.agree, sifted.compared)
        )
        bits = clicks.bits[coincident]
        compared = compared[coincident]
        return Exchange(
            slots=sifted.slots,
            singles=(sifted.clicks, count),
            bits=bits,
            bases=clicks.bases[coincident],
            agree=agree[coincident],
            compared=compared,
            wrong=await compare_as_receiver(session, bits[compared]),
            status=CONFIRMED,
            session=session.name,
        )


def coincidences(
    clicks: Clicks, their_slots: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which clicks of each end have one at the other in their slot."""
    _, ours, theirs = np.intersect1d(
        clicks.slots, their_slots, assume_unique=True, return_indices=True
    )
    return ours, theirs


def plane_of(count: int, places: NDArray[np.int64]) -> bytes:
    """A plane of `count` marks, those at `places` set."""
    found: Marks = np.zeros(count, dtype=bool)
    found[places] = True
    return packed(found)
