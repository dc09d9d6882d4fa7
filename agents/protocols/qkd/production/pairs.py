"""Key blocks of entangled pairs: from counts of coincidences, or bit by bit.

Owns the producers of links whose light is pairs, both ways to make a block. Does not own the counts
(`Agent.counted_pairs`), when a source that moves may send (pair_source.py), what counts allow
(processing/estimation.py), nor the exchange of a train (bbm92.py).

By rate a block is one train or several, which may lie in different contacts: the leading end says how long
the next train is away. The key is in Z and the check in X, as for trains that are looked at. From pulses a
block is one train, which goes through all steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import numpy as np

from .....emulator.errors import ProgramError
from ....pulses.counted import CoincidenceCounts, CountedArm
from ....secret import Secret
from ...sealing import Seals
from ...session import Initiator, Responder, within
from ...session_messages import SessionMessage
from .. import bbm92
from ..coincidences import Choice, width_of
from ..pair_source import SUBJECT, Ordered, Wanted
from ..processing.distillation import Distiller
from ..processing.estimation import Counts, Estimate, of_pairs
from ..sifting import CHECK, KEY, Ready
from .producer import Axes, Made, Place, Producer, Terms
from .pulses import DistillingAnswerer, DistillingAsker, made_of
from .rate import Tally, check_whole, conclude, concluded


class PairsBegin(SessionMessage, tag="pairs_begin"):
    """Leading end -> other end: a train is about to leave."""

    slots: int
    lasts_ns: int


class TrainOver(SessionMessage, tag="train_over"):
    """Leading end -> other end: the train has come."""


class ArmCame(SessionMessage, tag="arm_came"):
    """Other end -> leading end: how many slots came, and the name of its arm."""

    slots: int
    arm: str


class Coincided(SessionMessage, tag="coincided"):
    """Leading end -> other end: coincidences and errors by bases, the leading end's first.

    `more`: another train follows, in `in_ns`.
    """

    coincidences: list[list[int]]
    errors: list[list[int]]
    more: bool
    in_ns: int


class PairTally(Tally):
    """The coincidences of a block's trains, added up."""

    def add_counts(
        self, coincidences: Any, errors: Any, slots: int, lasts_s: float, secret: Secret
    ) -> None:
        """One more train."""
        clicks, wrong = np.array([coincidences]), np.array([errors])
        if self.trains:
            clicks, wrong = clicks + self.clicks, wrong + self.errors
        self.clicks, self.errors = clicks, wrong
        self.note_train(slots, lasts_s, secret)

    def estimate(self) -> Estimate:
        counts = Counts(
            kept=self.in_basis(KEY),
            compared=self.in_basis(CHECK),
            errors=self.in_basis(CHECK, errors=True),
        )
        return of_pairs(counts, self.leaked, self.terms.epsilons)


# --- by rate --------------------------------------------------------------------------------------


class PairRateLeader:
    """The end that asks for trains."""

    seals: Seals | None = None

    def __init__(self, place: Place, terms: Terms) -> None:
        self._place, self._terms = place, terms
        _check(terms)

    async def produce(self, session: Initiator) -> tuple[Made, str]:
        place, terms = self._place, self._terms
        tally = PairTally(terms)
        train: _Train | None = await ordered(place, terms, session)
        while train is not None:
            await train.begins()
            await session.request(PairsBegin(train.slots, train.lasts_ns), Ready)
            arm = await train.arm(place, terms)
            check_whole(arm.slots, train.slots)
            came = await session.request(TrainOver(), ArmCame)
            check_whole(came.slots, train.slots)
            width = width_of(terms.window_ps, arm.period_ps)
            found = await place.agent.count_coincidences(arm, came.arm, width=width)
            tally.add_counts(
                found.coincidences, found.errors, arm.slots, train.lasts_ns / 1e9, arm.secret
            )
            await train.done()
            train = None if tally.full else await ordered(place, terms, session)
            await session.request(_said(found, train), Ready)
        return await conclude(place, session, tally)


class PairRateFollower:
    """The other end."""

    seals: Seals | None = None

    def __init__(self, place: Place) -> None:
        self._place = place

    async def produce(self, session: Responder, terms: Terms, axes: Axes | None) -> Made:
        del axes
        place, tally = self._place, PairTally(terms)
        more, more_s = True, 0.0
        while more:
            plan: PairsBegin = await session.receive(PairsBegin, more_s)
            await session.reply(Ready())
            # the leading end may wait as long for the source as for this end
            lasts_s = plan.lasts_ns / 1e9 + (session.retry.limit_s() or 0.0)
            arm = await within(session.retry.limit_s(lasts_s), _arm(place, terms), "train")
            await session.receive(TrainOver, lasts_s)
            await session.reply(ArmCame(arm.slots, arm.name))
            check_whole(arm.slots, plan.slots)
            # it asks the source for the next train first
            said: Coincided = await session.receive(Coincided, lasts_s)
            await session.reply(Ready())
            counts = (np.transpose(said.coincidences), np.transpose(said.errors))
            tally.add_counts(*counts, arm.slots, plan.lasts_ns / 1e9, arm.secret)
            more, more_s = said.more, said.in_ns / 1e9
        return await concluded(place, session, tally)


PAIRS_BY_RATE = Producer(PairRateLeader, PairRateFollower)


class _Train:
    """A train that may be sent: of a source between both ends, or of the leading end's own."""

    def __init__(self, slots: int, lasts_ns: int, ordered: Ordered | None = None) -> None:
        self.slots, self.lasts_ns, self._ordered = slots, lasts_ns, ordered

    @property
    def in_ns(self) -> int:
        """How long it is until it may begin."""
        return 0 if self._ordered is None else self._ordered.in_ns

    async def begins(self) -> None:
        """Wait until it may."""
        if self._ordered is not None:
            await self._ordered.begins()

    async def arm(self, place: Place, terms: Terms) -> CountedArm:
        """Have it sent, and take the arm that comes here."""
        if self._ordered is not None:
            return await self._ordered.taken(_arm(place, terms), "count_arm")
        agent = place.agent
        send = agent.counted_pairs(agent.name, place.peer, self.slots, links=(None, place.link))
        arm, _ = await asyncio.gather(_arm(place, terms), send)
        return arm

    async def done(self) -> None:
        """It is over."""
        if self._ordered is not None:
            await self._ordered.done()


async def ordered(place: Place, terms: Terms, session: Initiator) -> _Train | None:
    """The next train of the link's interval; None: no contact is planned any more. Raises SessionBroken."""
    lasts_ns, agent = round(terms.interval * 1e9), place.agent
    if place.source == agent.name:
        slots = max(1, lasts_ns * 1000 // agent.pulse_period_ps)
        return _Train(slots, slots * agent.pulse_period_ps // 1000)
    wanted = Wanted(lasts_ns, counted=True)
    found = await Ordered.of(agent, place.source, SUBJECT, session.retry, wanted)
    return _Train(found.slots, found.lasts_ns, found) if found.slots else None


def _arm(place: Place, terms: Terms) -> Awaitable[CountedArm]:
    agent = place.agent
    weights = terms.weights if agent.detects == "active" else None
    link = place.link if place.source == place.peer else None
    return agent.count_arm(place.source, link=link, weights=weights)


def _said(found: CoincidenceCounts, following: _Train | None) -> Coincided:
    more, in_ns = following is not None, 0 if following is None else following.in_ns
    return Coincided(found.coincidences.tolist(), found.errors.tolist(), more, in_ns)


def _check(terms: Terms) -> None:
    if terms.recalibrates:
        raise ProgramError("recalibrate goes with pulses of one end, not with pairs of a source")


# --- from pulses ----------------------------------------------------------------------------------


class _Alice(bbm92.Alice):
    """One train, in a session that is there."""

    async def run(  # type: ignore[override]  # a part of a program
        self, place: Place, terms: Terms, end: Distiller, session: Initiator
    ) -> bbm92.Exchange:
        self.weights, choice = terms.weights, Choice(0.0, terms.window_ps)
        if place.source == self.name:
            slots = max(1, round(terms.interval * 1e12) // self.pulse_period_ps)
            return await self._from_here(place.peer, slots, choice, end, session)
        wanted = Wanted(round(terms.interval * 1e9))
        return await self.from_between(place.source, choice, end, session, SUBJECT, wanted)


class _Bob(bbm92.Bob):
    """The other end of it."""

    async def run(  # type: ignore[override]  # a part of a program
        self, place: Place, terms: Terms, end: Distiller, session: Responder
    ) -> bbm92.Exchange:
        self.weights = terms.weights
        return await self._session(place.peer, place.source, end, session)


class PairPulseLeader(DistillingAsker):
    """The end that asks for trains."""

    def __init__(self, place: Place, terms: Terms) -> None:
        _check(terms)
        super().__init__(place, terms)

    async def produce(self, session: Initiator) -> tuple[Made, str]:
        place = self._place
        options = {"terms": self._terms, "end": self._end, "session": session}
        found = await place.agent.perform(_Alice, place=place, **options)
        return made_of(place, found, found.lasts_ns / 1e9), found.status


class PairPulseFollower(DistillingAnswerer):
    """The other end."""

    async def produce(self, session: Responder, terms: Terms, axes: Axes | None) -> Made:
        del axes
        options = {"terms": terms, "end": self._end, "session": session}
        found = await self._place.agent.perform(_Bob, place=self._place, **options)
        return made_of(self._place, found, found.lasts_ns / 1e9)


PAIRS_FROM_PULSES = Producer(PairPulseLeader, PairPulseFollower)
