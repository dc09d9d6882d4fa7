"""BB84 with weak pulses and decoy states, up to the sifted key: gains and error rates by intensity.

Decoy states: Hwang, PRL 91, 057901 (2003); Lo, Ma, Chen, PRL 94, 230504 (2005); Wang, PRL 94, 230503
(2005). Gains and QBERs to expect: Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005).

Owns the exchange of one train, sifting, and the comparison of bits. Does not own the bounds that follow
from gains and errors, reconciliation, privacy amplification or authentication: what comes out is a sifted
key and what is known of the channel, not a secret key.

The receiver says that it listens; the sender sends its train; the receiver says which slots clicked, in
which bases; the sender says which bases agree, and with which intensity each of those was sent. The first
setting of the source is the signal. All sifted bits of the others are compared in public, and a part of
the signal's. Arrays travel as bytes inside the messages.

The sender asks (talk.py); its last word are its bits. With a `timeout`, at both ends the same and longer than
a message takes there and back, messages may be lost and ends killed: a session that is broken, or whose train
did not come whole, is begun anew with a new train, and the results say what is `confirmed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....emulator.errors import ProgramError
from ....emulator.wire.bit_planes import packed, planes_for, unpacked
from ...agent import Agent
from ...pulses.trains import PulseTrain
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
KIND = "decoy"
SIGNAL = 0


class Announcement(SessionMessage, tag="announcement"):
    """Sender -> receiver: how many slots will come, and how long their train is."""

    pulses: int
    lasts_ns: int


class Ready(SessionMessage, tag="ready"):
    """Receiver -> sender: it listens."""


class Sent(SessionMessage, tag="sent"):
    """Sender -> receiver: the train has left."""


class Clicked(SessionMessage, tag="clicked"):
    """Receiver -> sender: slots that clicked (uint32, little-endian), a plane of bases."""

    count: int
    slots: bytes
    bases: bytes


class Sifted(SessionMessage, tag="sifted"):
    """Sender -> receiver, for each click: do the bases agree, is the bit compared, which intensity.

    `means` are the mean photon numbers of the settings, `sent` how often each was sent.
    """

    agree: bytes
    compared: bytes
    intensities: bytes
    means: list[float]
    sent: list[int]


class Compared(SessionMessage, tag="compared"):
    """Receiver -> sender, and back: a plane of the compared bits, in the order of the clicks."""

    bits: bytes


class Done(SessionMessage, tag="done"):
    """Receiver -> sender: it has its result."""


@dataclass(frozen=True)
class Exchange:
    """What an end knows after sifting. Arrays are over clicks; `bits` are its own."""

    means: list[float]
    sent: list[int]
    intensities: Bytes
    bits: Bytes
    agree: NDArray[np.bool_]
    compared: NDArray[np.bool_]
    #: For each compared click, whether the peer's bit differs.
    wrong: NDArray[np.bool_]
    status: str
    session: str

    @property
    def sifted_bits(self) -> Bytes:
        """The signal's bits that agree in basis and were not told in public."""
        kept = self.agree & ~self.compared & (self.intensities == SIGNAL)
        bits: Bytes = self.bits[kept]
        return bits

    def setting(self, index: int) -> dict[str, Any]:
        """Gain and QBER of one setting; None where nothing was sent, or compared."""
        sent, clicks = self.sent[index], int((self.intensities == index).sum())
        here = self.intensities[self.compared] == index
        compared, errors = int(here.sum()), int(self.wrong[here].sum())
        return {
            "mean": self.means[index],
            "sent": sent,
            "clicks": clicks,
            "gain": clicks / sent if sent else None,
            "compared": compared,
            "errors": errors,
            "qber": errors / compared if compared else None,
        }

    def summary(self) -> dict[str, Any]:
        """Counts, and one entry for the signal and each decoy: `signal`, `decoy_1`, `decoy_2` ..."""
        settings = {
            "signal" if index == SIGNAL else f"decoy_{index}": self.setting(index)
            for index in range(len(self.means))
        }
        return {
            "pulses": sum(self.sent),
            "clicks": len(self.bits),
            "sifted": int(self.agree.sum()),
            "compared": int(self.compared.sum()),
            "kept": len(self.sifted_bits),
            **settings,
            "status": self.status,
            "session": self.session,
        }


class Sender(Agent):
    """Sends `pulses` slots to `peer`; compares `sample` of the signal's sifted bits.

    Bases, bits and intensities are drawn; how often which intensity, is the source's `probabilities`.
    Returns `Exchange.summary()`.
    """

    async def run(
        self,
        peer: str,
        pulses: int = 1_000_000,
        sample: float = 0.5,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        if not 0 <= sample <= 1:
            raise ProgramError(f"sample must be in [0, 1], not {sample}")
        patience = Patience.of(timeout, tries)
        found = await self.exchange(peer, pulses, sample, link, patience)
        return nothing() if found is None else found.summary()

    async def exchange(
        self, peer: str, pulses: int, sample: float, link: str | None, patience: Patience
    ) -> Exchange | None:
        """One train, sifted and compared; None if no session came to an end."""
        part = partial(self._session, peer, pulses, sample, link)
        return await lead(self, peer, KIND, patience, part)

    async def _session(
        self, peer: str, pulses: int, sample: float, link: str | None, talk: Initiator
    ) -> Exchange:
        lasts_ns = pulses * self.pulse_period_ps // 1000
        await talk.ask(Announcement(pulses, lasts_ns), Ready)
        train = await self.pulses(peer, pulses, link=link)
        heard = await talk.ask(Sent(), Clicked)
        slots = np.frombuffer(heard.slots, dtype="<u4").astype(np.int64)
        bases, bits, intensities = train.at(slots)
        agree = unpacked(heard.bases, heard.count) == bases
        chosen = self.rng.random(heard.count) < sample
        compared = agree & ((intensities != SIGNAL) | chosen)
        theirs = await talk.ask(_sifted(train, agree, compared, intensities), Compared)
        ours = bits[compared]
        wrong = unpacked(theirs.bits, len(ours)) != ours
        status = await talk.conclude(Compared(packed(ours)), Done)
        means, sent = train.means, train.sent.tolist()
        return Exchange(
            means, sent, intensities, bits, agree, compared, wrong, status, talk.session
        )


class Receiver(Agent):
    """Detects the train of `peer` in random bases. Returns `Exchange.summary()`."""

    async def run(
        self,
        peer: str,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        found = await self.exchange(peer, link, Patience.of(timeout, tries))
        return nothing() if found is None else found.summary()

    async def exchange(self, peer: str, link: str | None, patience: Patience) -> Exchange | None:
        """One train, sifted and compared; None if no session came to an end."""
        return await follow(self, peer, KIND, patience, partial(self._session, peer, link))

    async def _session(self, peer: str, link: str | None, talk: Responder) -> Exchange:
        plan: Announcement = await talk.hear(Announcement)
        await talk.answer(Ready())
        lasts_s = plan.lasts_ns / 1e9
        limit_s = talk.patience.limit_s(lasts_s)
        clicks = await within(limit_s, self.detect(peer, link=link), "train")
        if clicks.seen != plan.pulses:
            raise Broken(f"{clicks.seen} slots came of {plan.pulses}")
        await talk.hear(Sent, lasts_s)
        count, slots = len(clicks), clicks.slots.astype("<u4").tobytes()
        await talk.answer(Clicked(count, slots, packed(clicks.bases)))
        sifted: Sifted = await talk.hear(Sifted)
        agree = unpacked(sifted.agree, count).astype(bool)
        compared = unpacked(sifted.compared, count).astype(bool)
        intensities = unpacked(sifted.intensities, count, planes_for(len(sifted.means)))
        ours = clicks.bits[compared]
        await talk.answer(Compared(packed(ours)))
        theirs: Compared = await talk.hear(Compared)
        wrong = unpacked(theirs.bits, len(ours)) != ours
        await talk.answer(Done())
        return Exchange(
            sifted.means,
            sifted.sent,
            intensities,
            clicks.bits,
            agree,
            compared,
            wrong,
            CONFIRMED,
            talk.session,
        )


def _sifted(
    train: PulseTrain, agree: NDArray[np.bool_], compared: NDArray[np.bool_], intensities: Bytes
) -> Sifted:
    planes = planes_for(len(train.means))
    return Sifted(
        packed(agree),
        packed(compared),
        packed(intensities, planes),
        train.means,
        train.sent.tolist(),
    )
