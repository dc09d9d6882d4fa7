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
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ....emulator.columns import packed, planes_for, unpacked
from ....emulator.errors import ProgramError
from ...agent import Agent
from ...pulses import Clicks, PulseTrain

Bytes = NDArray[np.uint8]
SIGNAL = 0


class Clicked(msgspec.Struct):
    """Receiver -> sender: slots that clicked (uint32, little-endian), a plane of bases."""

    count: int
    slots: bytes
    bases: bytes


class Sifted(msgspec.Struct):
    """Sender -> receiver, for each click: do the bases agree, is the bit compared, which intensity.

    `means` are the mean photon numbers of the settings, `sent` how often each was sent.
    """

    agree: bytes
    compared: bytes
    intensities: bytes
    means: list[float]
    sent: list[int]


class Compared(msgspec.Struct):
    """Receiver -> sender, and back: a plane of the compared bits, in the order of the clicks."""

    bits: bytes


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
        }


class Sender(Agent):
    """Sends `pulses` slots to `peer`; compares `sample` of the signal's sifted bits.

    Bases, bits and intensities are drawn; how often which intensity, is the source's `probabilities`.
    Returns `Exchange.summary()`.
    """

    async def run(
        self, peer: str, pulses: int = 1_000_000, sample: float = 0.5, link: str | None = None
    ) -> dict[str, Any]:
        if not 0 <= sample <= 1:
            raise ProgramError(f"sample must be in [0, 1], not {sample}")
        return (await self.exchange(peer, pulses, sample, link)).summary()

    async def exchange(self, peer: str, pulses: int, sample: float, link: str | None) -> Exchange:
        """One train, sifted and compared."""
        await self.receive(peer, kind="decoy.ready")
        train = await self.pulses(peer, pulses, link=link)
        heard: Clicked = (await self.receive(peer, kind="decoy.clicks", type=Clicked)).body
        slots = np.frombuffer(heard.slots, dtype="<u4").astype(np.int64)
        bases, bits, intensities = train.at(slots)
        agree = unpacked(heard.bases, heard.count) == bases
        chosen = self.rng.random(heard.count) < sample
        compared = agree & ((intensities != SIGNAL) | chosen)
        await self.send(peer, _sifted(train, agree, compared, intensities), kind="decoy.sifted")
        theirs: Compared = (await self.receive(peer, kind="decoy.compared", type=Compared)).body
        ours = bits[compared]
        await self.send(peer, Compared(packed(ours)), kind="decoy.compared")
        wrong = unpacked(theirs.bits, len(ours)) != ours
        sent = train.sent.tolist()
        return Exchange(train.means, sent, intensities, bits, agree, compared, wrong)


class Receiver(Agent):
    """Detects the train of `peer` in random bases. Returns `Exchange.summary()`."""

    async def run(self, peer: str, link: str | None = None) -> dict[str, Any]:
        return (await self.exchange(peer, link)).summary()

    async def exchange(self, peer: str, link: str | None) -> Exchange:
        """One train, sifted and compared."""
        await self.send(peer, kind="decoy.ready")
        clicks: Clicks = await self.detect(peer, link=link)
        slots = clicks.slots.astype("<u4").tobytes()
        told = Clicked(len(clicks), slots, packed(clicks.bases))
        await self.send(peer, told, kind="decoy.clicks")
        sifted: Sifted = (await self.receive(peer, kind="decoy.sifted", type=Sifted)).body
        count = len(clicks)
        agree = unpacked(sifted.agree, count).astype(bool)
        compared = unpacked(sifted.compared, count).astype(bool)
        planes = planes_for(len(sifted.means))
        intensities = unpacked(sifted.intensities, count, planes)
        ours = clicks.bits[compared]
        await self.send(peer, Compared(packed(ours)), kind="decoy.compared")
        theirs: Compared = (await self.receive(peer, kind="decoy.compared", type=Compared)).body
        wrong = unpacked(theirs.bits, len(ours)) != ours
        means, sent = sifted.means, sifted.sent
        return Exchange(means, sent, intensities, clicks.bits, agree, compared, wrong)


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
