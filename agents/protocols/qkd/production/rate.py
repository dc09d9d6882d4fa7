"""Key blocks by rate: from counts of clicks, without a bit that was sent or found.

Owns the producer `rate`. Does not own the counts (`Agent.counted_pulses`, `count_clicks`), nor what they
allow (processing/estimation.py).

A block is one train or several. Both ends learn the counts of each, and work out the same length: what is
secret by estimation, with the key in Z and the check in X, less what correction and verification say in
public. What passes with single bits takes time and is not done: sifting, correction, amplification by
their throughputs, correction with efficiency f. The bits are made of the secret that both ends of a counted
train have, and that no message carries.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....emulator.closed_forms.qkd import binary_entropy
from ....pulses.settings import Intensity
from ....secret import Secret
from ...sealing import Seals
from ...session import Initiator, Responder, within
from ...session_messages import SessionBroken, SessionMessage
from ..processing.estimation import Counts, DecoyCounts, Estimate, of_decoys, of_pulses
from ..processing.key_block import KeyBlock
from ..processing.verification import BITS as VERIFICATION_BITS
from ..sifting import CHECK, KEY, Done, Ready
from .producer import Axes, Made, Place, Producer, Terms


class Begins(SessionMessage, tag="begins"):
    """Sender -> receiver: a train is about to leave."""

    slots: int
    lasts_ns: int


class Left(SessionMessage, tag="left", omit_defaults=True):
    """Sender -> receiver: it has left; the settings of its source (mean, probability, several photons).

    `tracked`: whether this end has tracked the other one all the time.
    """

    settings: list[tuple[float, float, float]]
    tracked: bool = True


class Counted(SessionMessage, tag="counted", omit_defaults=True):
    """Receiver -> sender: slots that came; clicks and errors by setting and bases. `tracked` as in `Left`."""

    slots: int
    clicks: list[list[list[int]]]
    errors: list[list[list[int]]]
    tracked: bool = True


class Closed(SessionMessage, tag="closed"):
    """Sender -> receiver: it has the block."""

    bits: int
    check: str


class RateSender:
    """The sending end."""

    seals: Seals | None = None

    def __init__(self, place: Place, terms: Terms) -> None:
        self._place, self._terms = place, terms

    async def produce(self, session: Initiator) -> tuple[Made, str]:
        place, terms = self._place, self._terms
        tally = Tally(terms)
        period_ps = place.agent.pulse_period_ps
        slots = max(1, round(terms.interval * 1e12) // period_ps)
        while not tally.full:
            if not await place.ready(slots * period_ps * 1e-12):
                raise SessionBroken("no more contacts are planned", hopeless=True)
            await session.request(Begins(slots, slots * period_ps // 1000), Ready)
            lock = place.lock()
            train = await place.agent.counted_pulses(
                place.peer, slots, link=place.link, weights=terms.weights
            )
            tracked = lock is not None and place.lock() == lock
            left = Left([(*each,) for each in place.agent.intensities], tracked)
            found = await session.request(left, Counted)
            check_whole(found.slots, train.slots)
            if tracked and found.tracked:
                tally.add(left.settings, found, slots * period_ps * 1e-12, train.secret)
        return await conclude(place, session, tally)


class RateReceiver:
    """The receiving end."""

    seals: Seals | None = None

    def __init__(self, place: Place) -> None:
        self._place = place

    async def produce(self, session: Responder, terms: Terms, axes: Axes | None) -> Made:
        place = self._place
        tally = Tally(terms)
        how: dict[str, Any] = {} if axes is None else {"axes": axes}
        if place.agent.detects == "active":
            how["weights"] = terms.weights
        while not tally.full:
            plan: Begins = await session.receive(
                Begins, more_s=None
            )  # after the next contact, maybe
            lock = place.lock()
            await session.reply(Ready())
            lasts_s = plan.lasts_ns / 1e9
            counting = place.agent.count_clicks(place.peer, link=place.link, **how)
            counts = await within(session.retry.limit_s(lasts_s), counting, "train")
            check_whole(counts.slots, plan.slots)
            left: Left = await session.receive(Left)
            tracked = lock is not None and place.lock() == lock
            found = Counted(counts.slots, counts.clicks.tolist(), counts.errors.tolist(), tracked)
            await session.reply(found)
            if tracked and left.tracked:
                tally.add(left.settings, found, lasts_s, counts.secret)
        return await concluded(place, session, tally)


RATE = Producer(RateSender, RateReceiver)


def check_whole(came: int, slots: int) -> None:
    """Raises SessionBroken for a train that did not come whole."""
    if came != slots:
        raise SessionBroken(f"{came} slots came of {slots}")


class Tally:
    """The counts of a block's trains, added up; the same at both ends."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.lasts_s, self.trains = 0.0, 0
        self.settings: list[Intensity] = []
        self.slots = 0
        self.clicks: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.errors = self.clicks
        #: What the trains' secrets come to.
        self.secret = hashlib.blake2b(digest_size=32)

    def add(
        self,
        settings: list[tuple[float, float, float]],
        found: Counted,
        lasts_s: float,
        secret: Secret,
    ) -> None:
        """One more train."""
        clicks, errors = np.array(found.clicks), np.array(found.errors)
        if self.trains:
            clicks, errors = clicks + self.clicks, errors + self.errors
        self.clicks, self.errors = clicks, errors
        self.settings = [Intensity(*each) for each in settings]
        self.note_train(found.slots, lasts_s, secret)

    def note_train(self, slots: int, lasts_s: float, secret: Secret) -> None:
        """How long it was, and its secret."""
        self.slots += slots
        self.lasts_s, self.trains = self.lasts_s + lasts_s, self.trains + 1
        self.secret.update(secret.reveal_bytes())

    @property
    def full(self) -> bool:
        """Whether these are a block."""
        wanted = self.terms.block_bits
        if not self.trains or wanted is None:
            return self.trains > 0
        return self.in_basis(KEY) >= wanted or self.lasts_s >= self.terms.longest

    def in_basis(self, basis: int, errors: bool = False) -> int:
        """Sifted bits of a basis, or those of them that differ."""
        return int((self.errors if errors else self.clicks)[:, basis, basis].sum())

    @property
    def leaked(self) -> int:
        """Bits that correction and verification say in public."""
        bits = self.in_basis(KEY)
        rate = self.in_basis(KEY, errors=True) / bits if bits else 0.0
        told = math.ceil(self.terms.efficiency * bits * binary_entropy(min(rate, 0.5)))
        return told + VERIFICATION_BITS

    def estimate(self) -> Estimate:
        """How many of the key's bits are secret."""
        terms, leaked = self.terms, self.leaked
        if len(self.settings) > 1:
            return of_decoys(self._decoy_counts(), leaked, terms.epsilons)
        counts = Counts(
            kept=self.in_basis(KEY),
            compared=self.in_basis(CHECK),
            errors=self.in_basis(CHECK, errors=True),
        )
        pulses = [round(self.slots * share) for share in terms.weights]
        return of_pulses(
            counts,
            leaked,
            terms.epsilons,
            key_pulses=max(pulses[KEY], counts.kept),
            check_pulses=max(pulses[CHECK], counts.compared),
            several=self.settings[0].several,
        )

    def _decoy_counts(self) -> DecoyCounts:
        order = sorted(range(len(self.settings)), key=lambda index: -self.settings[index].mean)
        settings = [self.settings[index] for index in order]

        def column(counts: NDArray[np.int64], basis: int) -> list[int]:
            return [int(counts[index, basis, basis]) for index in order]

        return DecoyCounts(
            intensities=[each.mean for each in settings],
            probabilities=[each.probability for each in settings],
            key_clicks=column(self.clicks, KEY),
            key_errors=column(self.errors, KEY),
            check_clicks=column(self.clicks, CHECK),
            check_errors=column(self.errors, CHECK),
        )


async def conclude(place: Place, session: Initiator, tally: Tally) -> tuple[Made, str]:
    """The block of the end that asks, and what is known of the other end's."""
    made = _made(place, session.name, tally)
    closed = Closed(made.block.produced, made.block.check)
    return made, await session.conclude(closed, Done)


async def concluded(place: Place, session: Responder, tally: Tally) -> Made:
    """The other end's. Raises SessionBroken for a block that is not the same at both."""
    made = _made(place, session.name, tally)
    closed: Closed = await session.receive(Closed)
    if (closed.bits, closed.check) != (made.block.produced, made.block.check):
        raise SessionBroken(f"block {session.name} is another one at the other end")
    await session.reply(Done())
    return made


def _made(place: Place, name: str, tally: Tally) -> Made:
    """The block; its processing takes its time from now on."""
    terms = tally.terms
    estimate = tally.estimate()
    key_bits, speed = tally.in_basis(KEY), terms.throughput
    latency_s = {
        "sifting": int(tally.clicks.sum()) / speed.sifting,
        "correction": key_bits / speed.correction,
        "amplification": key_bits / speed.amplification if estimate.length else 0.0,
    }
    stream = hashlib.shake_256(tally.secret.digest() + name.encode())
    bits = Secret(stream.digest(-(-estimate.length // 8)), label="key", id=name)
    block = KeyBlock(
        place.peer,
        name,
        bits[: estimate.length].named(id=name),
        estimate.epsilons,
        spent=terms.authentication,
        made_s=place.agent.now_ns / 1e9,
    )
    block.take(min(block.spent, block.left))
    return Made(
        block=block,
        sifted=key_bits + tally.in_basis(CHECK),
        errors=tally.in_basis(KEY, errors=True) + tally.in_basis(CHECK, errors=True),
        leaked=tally.leaked,
        lasts_s=tally.lasts_s,
        latency_s=latency_s,
        to_do_s=sum(latency_s.values()),
    )
