"""Key blocks from pulses: each bit is sent, found, sifted, corrected, hashed; all messages are authenticated.

Owns the producer `pulses`. Does not own the exchange of a train (prepared.py, decoy.py) nor the steps to a
key (processing/distillation.py).

A block is one train of the link's interval: with decoys where the source has several intensities, else of
one. Both ends keep their pads over all blocks.
"""

from __future__ import annotations

from typing import Any

from .....emulator.errors import ProgramError
from ....secret import Secret
from ...sealing import Seals
from ...session import Initiator, Responder
from ...session_messages import SessionMessage
from .. import decoy, efficient_bb84, prepared
from ..processing.distillation import Distillation, Distiller
from ..processing.key_block import KeyBlock
from ..sifting import Ready
from .producer import Axes, Made, Place, Producer, Terms


class Begins(SessionMessage, tag="begins"):
    """Sender -> receiver: whether the train has decoys."""

    decoys: bool


class _DecoySender(decoy.Sender):
    """One train with decoys, in a session that is there."""

    async def run(  # type: ignore[override]  # a part of a program
        self, place: Place, pulses: int, z: float, end: Distiller, session: Initiator
    ) -> decoy.Exchange:
        shares = decoy.shares_of(z)
        return await self.one_train(place.peer, pulses, 0.0, place.link, True, shares, end, session)


class _DecoyReceiver(decoy.Receiver):
    """The other end of it."""

    async def run(  # type: ignore[override]  # a part of a program
        self, place: Place, z: float, end: Distiller, session: Responder
    ) -> decoy.Exchange:
        shares = decoy.shares_of(z)
        return await self.one_train(place.peer, place.link, True, shares, end, session)


class _PlainSender(efficient_bb84.Sender):
    """One train of one intensity, in a session that is there."""

    async def run(  # type: ignore[override]  # a part of a program
        self, place: Place, pulses: int, z: float, end: Distiller, session: Initiator
    ) -> prepared.Exchange:
        self.scheme = efficient_bb84.EfficientBB84(z)
        return await self.one_train(place.peer, pulses, 0.0, place.link, True, end, session)


class _PlainReceiver(efficient_bb84.Receiver):
    """The other end of it."""

    async def run(  # type: ignore[override]  # a part of a program
        self, place: Place, z: float, end: Distiller, session: Responder
    ) -> prepared.Exchange:
        self.scheme = efficient_bb84.EfficientBB84(z)
        return await self.one_train(place.peer, place.link, True, end, session)


class DistillingAsker:
    """The end that asks in sessions, with the pads of its distillation."""

    def __init__(self, place: Place, terms: Terms) -> None:
        if terms.recalibrates or terms.block_bits is not None:
            what = "recalibrate" if terms.recalibrates else "block_bits"
            raise ProgramError(f"{what} goes with blocks by rate, not with blocks from pulses")
        self._place, self._terms = place, terms
        options = Distillation(secrecy=terms.secrecy, throughput=terms.throughput)
        self._end = Distiller(place.agent, place.agent.name, place.peer, options)
        self.seals: Seals | None = self._end.pads


class DistillingAnswerer:
    """The end that answers."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._end = Distiller(place.agent, place.peer, place.agent.name, Distillation())
        self.seals: Seals | None = self._end.pads


class PulseSender(DistillingAsker):
    """The sending end."""

    async def produce(self, session: Initiator) -> tuple[Made, str]:
        place, terms = self._place, self._terms
        pulses = max(1, round(terms.interval * 1e12) // place.agent.pulse_period_ps)
        decoys = len(place.agent.intensities) > 1
        await session.request(Begins(decoys), Ready)
        kind = _DecoySender if decoys else _PlainSender
        options = {"pulses": pulses, "z": terms.z, "end": self._end, "session": session}
        found = await place.under_lock(place.agent.perform(kind, place=place, **options))
        return made_of(place, found, pulses * place.agent.pulse_period_ps * 1e-12), found.status


class PulseReceiver(DistillingAnswerer):
    """The receiving end."""

    async def produce(self, session: Responder, terms: Terms, axes: Axes | None) -> Made:
        del axes
        begins: Begins = await session.receive(Begins)
        await session.reply(Ready())
        kind = _DecoyReceiver if begins.decoys else _PlainReceiver
        options = {"z": terms.z, "end": self._end, "session": session}
        place = self._place
        found = await place.under_lock(place.agent.perform(kind, place=place, **options))
        return made_of(place, found, terms.interval)


PULSES = Producer(PulseSender, PulseReceiver)


def made_of(place: Place, found: Any, lasts_s: float) -> Made:
    """The block of an exchange; an empty one where nothing was secret."""
    account = found.account
    assert account is not None, "an exchange with a distiller has an account"
    block = account.block
    if block is None:
        nothing, now_s = Secret(b"", id=found.session), place.agent.now_ns / 1e9
        block = KeyBlock(
            place.peer, found.session, nothing, account.epsilons, spent=account.spent, made_s=now_s
        )
    compared, wrong = len(found.wrong), int(found.wrong.sum())
    corrected = 0 if account.errors is None else account.sifted
    return Made(
        block=block,
        sifted=compared + corrected,
        errors=wrong + (account.errors or 0),
        leaked=account.leaked,
        lasts_s=lasts_s,
        latency_s=account.latency,
    )
