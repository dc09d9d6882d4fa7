"""KeyLink: a service that makes key with the service at the other end of a link, block after block.

    services:
      keys: {program: "qnetem.agents.protocols.qkd.key_link:KeyLink", with: {peer: bob}}

    key = await self.service(KeyLink).take(256)

Owns the sessions of a link's two ends, what of a block counts when, recalibration, and the words for
programs. Does not own how a block is made (production/), nor what is in stock (production/stock.py).

Each block is made in a session (protocols/session.py), whose initiator is the end that sends the light.
Rules. The receiving end has a block when it receives the last request, the sending end when that is replied
to. Without a reply the block is in doubt, and the next session says whether the other end has it. An end that
was restarted has no blocks; the other end then drops its own, which nothing shares any more. So blocks in
stock stand in the same order at both ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec

from ....emulator.errors import LinkError, ProgramError
from ...options.values import Seconds
from ...secret import Secret
from ...service import Service, offered
from ...space.reach import in_reach
from ..session import (
    CONFIRMED,
    TRIES,
    Initiator,
    Responder,
    RetryPolicy,
    initiate,
    respond,
)
from ..session_messages import SessionBroken, SessionMessage
from .coincidences import window_of
from .pair_source import SUBJECT as SOURCE
from .pair_source import Ordered, Wanted
from .processing.distillation import Throughput
from .processing.key_block import KeyBlock
from .production.alignment import MEASURED, find_axes, send_reference
from .production.pairs import PAIRS_BY_RATE, PAIRS_FROM_PULSES
from .production.producer import Axes, Made, Place, Producer, Receiving, Sending, Terms
from .production.pulses import PULSES
from .production.rate import RATE
from .production.stock import Stock

SUBJECT = "blocks"
DEFAULT = Throughput()
#: The ways to make blocks, by the option `producer`: of pulses of one end, and of a source's pairs.
PRODUCERS: dict[str, Producer] = {"rate": RATE, "pulses": PULSES}
PAIR_PRODUCERS: dict[str, Producer] = {"rate": PAIRS_BY_RATE, "pulses": PAIRS_FROM_PULSES}
#: After how long the sending end calls again at one that does not answer, in s: twice as long each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
#: After how many blocks without a bit of key it is said that they may be too short.
BARREN_BLOCKS = 3


class Plan(msgspec.Struct):
    """Each end -> the other, when it starts."""

    producer: str
    sends: bool
    source: str = ""


class Offer(SessionMessage, tag="offer"):
    """Sender -> receiver: another block. `doubtful`: the block before, if that was not confirmed."""

    incarnation: int
    terms: Terms
    due: bool
    doubtful: str


class Accepted(SessionMessage, tag="accepted"):
    """Receiver -> sender: whether it has the doubtful block, and how much reference light comes first."""

    incarnation: int
    has: bool
    references: int


class KeyLink(Service):
    """Makes key with the service of the same name at `peer`, for as long as the run lasts.

    The end with a source sends; where both have sources and detectors, `sends` says which does. Its
    options count for both ends, but for `peer`, `producer`, `source`, `sends`, `link`, `tracking`, `timeout`
    and `tries`. `producer`, at both ends the same: by "rate", from counts of clicks, or from "pulses", bit by
    bit. Where the node has the service `tracking`, light is sent while both ends track.

    With `source`, at both ends the same, the light is pairs: of that node between the ends, which has the
    service `pair_source:PairSource` under the same name, or of one of the ends. Then an end that "sends"
    asks for trains: the one with the source, else the first by name. Pairs without a clock have a `window`.

    A block is a train of `interval`, or with `block_bits` as many trains as bring so many sifted bits of
    the key's basis Z, which each end has in a share `z` of the slots; `longest` is the most light in one.
    `secrecy`, `correctness` and `unauthentic` are what it may fail with; correction has `efficiency` f,
    each step its `throughput`, and the block's first bits pay for the `authentication` of its messages.
    The receiving end turns its axes after the fibre's each time `recalibrate` is over, which takes
    `recalibration`. Nothing is made while more than `capacity` bits are in stock. Its words and options:
    docs/qkd.md.
    """

    other_end = "peer"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._stock, self._capacity = Stock(), 0
        #: The other end's incarnation; 0: not met yet.
        self._met = 0
        #: The block that is not confirmed yet, and the latest that is.
        self._doubtful: Made | None = None
        self._latest = ""
        #: Until when the processing of confirmed blocks takes, and the tasks that await it.
        self._busy_until_ns = 0
        self._processing: set[asyncio.Task[None]] = set()
        #: When this end was last recalibrated; the axes that came of it.
        self._calibrated_ns: int | None = None
        self._axes: Axes | None = None
        self._made: dict[str, Any] = {
            "blocks": 0,
            "without_key": 0,
            "produced": 0,
            "spent": 0,
            "sifted": 0,
            "errors": 0,
            "leaked": 0,
            "failure": 0.0,
            "light_s": 0.0,
            "recalibrations": 0,
            "latency_s": {},
        }

    async def run(  # type: ignore[override]  # with options
        self,
        peer: str,
        producer: str = "rate",
        source: str = "",
        sends: bool | None = None,
        link: str | None = None,
        interval: Seconds = 10.0,
        block_bits: int | None = None,
        longest: Seconds = 3600.0,
        z: float = 0.9,
        secrecy: float = 1e-9,
        correctness: float = 1e-15,
        unauthentic: float = 1e-12,
        efficiency: float = 1.16,
        throughput: Throughput = DEFAULT,
        authentication: int = 1000,
        recalibrate: Seconds | None = None,
        recalibration: Seconds = 1.0,
        window: str | None = None,
        capacity: int = 1 << 27,
        tracking: str = "tracking",
        timeout: Seconds = 0.1,
        tries: int = TRIES,
    ) -> None:
        terms = Terms(
            interval=interval,
            block_bits=block_bits,
            longest=longest,
            z=z,
            secrecy=secrecy,
            correctness=correctness,
            unauthentic=unauthentic,
            efficiency=efficiency,
            throughput=throughput,
            authentication=authentication,
            recalibrates=recalibrate is not None,
            recalibration=recalibration,
            window_ps=window_of(window),
        )
        _check(terms, producer, capacity)
        if window is not None and not source:
            raise ProgramError("window goes with pairs: expected a source")
        found = getattr(self.services, tracking) if tracking in [*self.services] else None
        if found is not None and not found.tracks(peer):
            found = None
        self._place = Place(agent=self, peer=peer, link=link, source=source, tracking=found)
        self._terms = terms
        self._retry = RetryPolicy.of(timeout, tries)
        self._recalibrate, self._capacity, self._producer = recalibrate, capacity, producer
        ends = (PAIR_PRODUCERS if source else PRODUCERS)[producer]
        is_sender = self._leads(source, sends) if source else self._is_sender(sends)
        if is_sender:
            work = self._send(ends.sends(self._place, terms))
        else:
            work = self._receive(ends.receives(self._place))
        await asyncio.gather(self._check_peer(Plan(producer, is_sender, source)), work)

    async def _check_peer(self, ours: Plan) -> None:
        """Both ends say once what they are about to do. Raises ProgramError for what does not go together."""
        peer = self._place.peer
        try:
            await in_reach(self, peer)
        except LinkError:
            return
        await self.send(peer, ours, kind="plan")
        while True:
            theirs: Plan = (await self.receive(peer, kind="plan", type=Plan)).body
            if theirs.producer != ours.producer:
                raise ProgramError(
                    f"{self.name} makes blocks by {ours.producer}, {peer} by {theirs.producer}: expected one "
                    "producer"
                )
            if theirs.source != ours.source:
                raise ProgramError(
                    f"{self.name} has source {ours.source!r}, {peer} {theirs.source!r}: expected one at both"
                )
            if theirs.sends == ours.sends:
                both = "send" if ours.sends else "receive"
                raise ProgramError(
                    f"{self.name} and {peer} both {both}: say `sends` at one of them"
                )

    # --- for programs ---

    @offered
    async def take(self, bits: int) -> Secret:
        """The next `bits` of key, once there are so many: the same at both ends, if both take alike.

        Raises ProgramError for more than the link's capacity, which would never be there.
        """
        if type(bits) is int and bits > self._capacity:
            raise ProgramError(
                f"take: {bits} bits of a key link whose capacity is {self._capacity}"
            )
        return await self._stock.take(bits)

    @offered
    async def next_block(self) -> KeyBlock:
        """The next confirmed block, with what is left of it, once there is one."""
        return await self._stock.next_block()

    @offered
    async def blocks(self) -> AsyncIterator[KeyBlock]:
        """The confirmed blocks, one after the other, for ever."""
        while True:
            yield await self._stock.next_block()

    @property
    @offered
    def stock(self) -> int:
        """Bits of key that are there."""
        return self._stock.bits

    @offered
    def summary(self) -> dict[str, Any]:
        """What came of all confirmed blocks so far, without a bit of key.

        `without_key`: blocks that brought no key; `failure`: bound on what any of the others may fail with;
        `light_s`: how long light was on; `latency_s`: of the latest block, by step.
        """
        made = self._made
        stock = self._stock
        return {
            **made,
            "qber": made["errors"] / made["sifted"] if made["sifted"] else None,
            "taken": stock.taken,
            "dropped": stock.dropped,
            "stock": stock.bits,
        }

    # --- the sending end ---

    def _is_sender(self, sends: bool | None) -> bool:
        able = bool(self.pulse_period_ps), bool(self.detects)
        if sends is None and all(able):
            raise ProgramError(f"{self.name} has a source and detectors: expected `sends`")
        sends = able[0] if sends is None else sends
        if not able[0 if sends else 1]:
            what = "a source to send with" if sends else "detectors to receive with"
            raise ProgramError(f"{self.name} has no {what}: give it one in the topology")
        return sends

    def _leads(self, source: str, sends: bool | None) -> bool:
        """Whether this end asks for trains of pairs."""
        if not self.detects:
            raise ProgramError(
                f"{self.name} has no detectors for pairs: give it some in the topology"
            )
        peer = self._place.peer
        own = source == self.name
        if own and (not self.pulse_period_ps or self.intensities):
            raise ProgramError(f"{self.name} has no source of pairs: give it one in the topology")
        if not own and source != peer and source not in self.neighbours:
            raise ProgramError(f"source {source!r} is no node with a link to {self.name}")
        if own or source == peer:
            if sends not in (None, own):
                raise ProgramError(f"sends: the end with the source, {source}, asks for trains")
            return own
        return self.name < peer if sends is None else sends

    async def _send(self, maker: Sending) -> None:
        pause_s, peer, lead = FIRST_PAUSE_S, self._place.peer, partial(self._lead, maker)
        while True:
            await self._stock.below(self._capacity)
            await self._not_behind()
            try:
                if not await self._ready():
                    return
            except SessionBroken as broken:
                self.log.warning("%s: %s", self._place.source, broken)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            if await initiate(self, peer, SUBJECT, self._retry, lead, maker.seals):
                pause_s = FIRST_PAUSE_S
                continue
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _ready(self) -> bool:
        """Wait until a train may begin; false once no more contacts are planned.

        Raises SessionBroken when a source between the ends does not say when it has a contact with both.
        """
        place, interval = self._place, self._terms.interval
        if place.source in ("", self.name, place.peer):
            return await place.ready(interval)
        wanted = Wanted(round(interval * 1e9), self._producer == "rate")
        try:
            train = await Ordered.of(self, place.source, SOURCE, self._retry, wanted)
        except LinkError:
            return False
        await train.begins()
        return train.slots > 0

    async def _lead(self, maker: Sending, session: Initiator) -> bool:
        """One block; true once it has come to its end."""
        doubtful = "" if self._doubtful is None else self._doubtful.block.id
        offer = Offer(self.incarnation, self._terms, self._is_due(), doubtful)
        accepted = await session.request(offer, Accepted)
        self._settle(accepted.has)
        self._meet(accepted.incarnation)
        if accepted.references:
            await send_reference(self._place, self._terms, session, accepted.references)
            self._note_calibration()
        made, status = await maker.produce(session)
        if status == CONFIRMED:
            self._confirm(made)
        else:
            self._doubtful = made
        return True

    def _is_due(self) -> bool:
        if self._recalibrate is None:
            return False
        since_ns = self._calibrated_ns
        return since_ns is None or (self.now_ns - since_ns) / 1e9 >= self._recalibrate

    def _settle(self, has: bool) -> None:
        """It is known whether the other end has the block that was in doubt."""
        made, self._doubtful = self._doubtful, None
        if made is not None and has:
            self._confirm(made)

    # --- the receiving end ---

    async def _receive(self, maker: Receiving) -> None:
        peer, follow = self._place.peer, partial(self._follow, maker)
        while True:
            await respond(self, peer, SUBJECT, self._retry, follow, maker.seals, patient=True)

    async def _follow(self, maker: Receiving, session: Responder) -> None:
        offer: Offer = await session.receive(Offer)
        if offer.incarnation < self._met:
            raise SessionBroken("an offer from before the restart of the other end")
        self._meet(offer.incarnation)
        aligned = self._calibrated_ns is not None and not offer.due
        aligns = offer.terms.recalibrates and not aligned
        has = bool(offer.doubtful) and offer.doubtful == self._latest
        references = len(MEASURED[self.detects]) if aligns else 0
        await session.reply(Accepted(self.incarnation, has, references))
        if aligns:
            self._axes = await find_axes(self._place, session) or self._axes
            self._note_calibration()
        made = await maker.produce(session, offer.terms, self._axes)
        self._latest = made.block.id
        self._confirm(made)

    # --- both ends ---

    def _meet(self, incarnation: int) -> None:
        """The other end is of this incarnation: one that was restarted has no blocks any more."""
        if self._met and incarnation != self._met:
            self._stock.drop()
        self._met = incarnation

    def _note_calibration(self) -> None:
        self._calibrated_ns = self.now_ns
        self._made["recalibrations"] += 1

    async def _not_behind(self) -> None:
        """No light is sent while processing is behind by more than an interval."""
        behind_s = (self._busy_until_ns - self.now_ns) / 1e9 - self._terms.interval
        if behind_s > 0:
            await asyncio.sleep(behind_s)

    def _confirm(self, made: Made) -> None:
        """A block is confirmed: it is processed when those before it have been."""
        lasts_ns = round(made.to_do_s * 1e9)
        self._busy_until_ns = max(self._busy_until_ns, self.now_ns) + lasts_ns
        task = asyncio.create_task(self._process(made, self._met, self._busy_until_ns))
        self._processing.add(task)
        task.add_done_callback(self._processing.discard)

    async def _process(self, made: Made, shared_with: int, until_ns: int) -> None:
        await asyncio.sleep((until_ns - self.now_ns) / 1e9)
        if shared_with == self._met:  # else the other end has lost it meanwhile
            made.block.made_s = self.now_ns / 1e9
            self._count(made)

    def _count(self, made: Made) -> None:
        """A confirmed block is ready."""
        block, total = made.block, self._made
        total["blocks"] += 1
        total["sifted"] += made.sifted
        total["errors"] += made.errors
        total["leaked"] += made.leaked
        total["light_s"] += made.lasts_s
        total["latency_s"] = dict(made.latency_s)
        if block.left:
            total["produced"] += block.produced
            total["spent"] += block.spent
            total["failure"] += block.epsilons.total
            self._stock.add(block)
        else:
            total["without_key"] += 1
            self._warn_if_barren()
        if made.qber is not None:
            self.record("qber", made.qber)
            self.record("visibility", 1 - 2 * made.qber)
        self.record("sifted_rate", made.sifted / made.lasts_s)
        self.record("secret_rate", block.left / made.lasts_s)
        self.record("stock", self._stock.bits)

    def _warn_if_barren(self) -> None:
        made = self._made
        if made["blocks"] != made["without_key"] or made["blocks"] != BARREN_BLOCKS:
            return
        bits = made["sifted"]
        self.log.warning(
            "the first %d blocks with %s hold no key: %d sifted bits, QBER %.3g; a finite key needs more "
            "bits in each (interval, block_bits), or fewer errors",
            BARREN_BLOCKS,
            self._place.peer,
            bits,
            made["errors"] / bits if bits else 0.0,
        )


def _check(terms: Terms, producer: str, capacity: int) -> None:
    """Raises ProgramError and InputError for options that cannot be."""
    if producer not in PRODUCERS:
        raise ProgramError(f"no producer {producer!r}; there is {', '.join(PRODUCERS)}")
    terms.epsilons  # noqa: B018 raises InputError for what are no probabilities
    if not 0 < terms.z < 1:
        raise ProgramError(f"z is {terms.z}, expected a probability above 0 and below 1")
    if terms.efficiency < 1:
        raise ProgramError(f"efficiency is {terms.efficiency}, expected at least 1")
    for name in ("interval", "longest", "recalibration"):
        if not 0 < getattr(terms, name) < float("inf"):
            raise ProgramError(f"{name} is {getattr(terms, name)}, expected more than 0")
    if terms.block_bits is not None and terms.block_bits < 1:
        raise ProgramError(f"block_bits is {terms.block_bits}, expected at least 1")
    if terms.authentication < 0 or capacity < 1:
        raise ProgramError("authentication and capacity: expected no negative numbers of bits")
