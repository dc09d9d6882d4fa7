"""A source of pairs between two ends: how one of them has it send a train, and when.

Owns what that end and the source say to each other, when a source that moves may send, and the service that
sends for key links. Does not own the ends' exchange (bbm92.py, production/pairs.py).

One end leads. It asks for a train (`Ordered`); the source says how long the train will be and in how much
time it may begin; the end waits, has the other end listen, listens itself, and has the train sent.

Rule: a source that moves sends while it sees both ends. A train begins in the first common contact with room
for all of it; one that is longer than all of them begins in the next contact and ends with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from ....emulator.errors import LinkError
from ...agent import Agent
from ...contacts import Contacts, next_contact, planned
from ...options.values import Seconds
from ...service import Service
from ..session import TRIES, Initiator, Responder, RetryPolicy, respond
from ..session_messages import SessionBroken, SessionMessage
from .sifting import Done

SUBJECT = "pairs"
#: A train ends so long before its contact, for what is said before it.
CONTACT_ROOM_NS = 10**9

R = TypeVar("R")
Part = Callable[[Responder], Coroutine[Any, Any, int]]


class Wanted(SessionMessage, tag="wanted"):
    """End -> source: it will want a train, of `lasts_ns` (0: as the source has it), perhaps only counted."""

    lasts_ns: int = 0
    counted: bool = False


class Planned(SessionMessage, tag="planned"):
    """Source -> end: how many slots will come, how long that takes, and how long it is until they may.

    No slots: no contact with both ends is planned any more.
    """

    slots: int
    lasts_ns: int
    in_ns: int = 0


class Emit(SessionMessage, tag="emit"):
    """End -> source: both listen."""


class Emitting(SessionMessage, tag="emitting"):
    """Source -> end: the train leaves."""


class Ordered:
    """A train that an end has asked for. `subject`: of its messages with the source."""

    def __init__(self, with_source: Initiator, source: str, plan: Planned, agent: Agent) -> None:
        self._with_source, self._source, self._agent = with_source, source, agent
        self.slots, self.lasts_ns = plan.slots, plan.lasts_ns
        self._begins_ns = agent.now_ns + plan.in_ns

    @classmethod
    async def of(
        cls, agent: Agent, source: str, subject: str, retry: RetryPolicy, wanted: Wanted
    ) -> Ordered:
        """Ask for it, once the source is there. Raises SessionBroken, LinkError."""
        await agent.contact(source)
        with_source = Initiator(agent, source, subject, retry)
        return cls(with_source, source, await with_source.request(wanted, Planned), agent)

    @property
    def in_ns(self) -> int:
        """How long it is until it may begin."""
        return max(0, self._begins_ns - self._agent.now_ns)

    async def begins(self) -> None:
        """Wait until it may."""
        if self.in_ns:
            await asyncio.sleep(self.in_ns / 1e9)

    async def taken(self, detecting: Awaitable[R], what: str) -> R:
        """Listen, have it sent, and await what `detecting` finds. Raises SessionBroken when it is late."""
        listening = asyncio.ensure_future(detecting)
        if isinstance(listening, asyncio.Task):
            listening.set_name(what)
        try:
            await self._with_source.request(Emit(), Emitting)
            limit_s = self._with_source.retry.limit_s(self.lasts_ns / 1e9)
            async with asyncio.timeout(limit_s):
                return await listening
        except TimeoutError:
            raise SessionBroken(f"no train within {limit_s} s") from None
        finally:
            listening.cancel()

    async def done(self) -> None:
        """No more trains are wanted."""
        try:
            await self._with_source.conclude(Done(), Done)
        except SessionBroken as broken:
            self._agent.log.warning("%s: %s", self._source, broken)


async def serve_train(agent: Agent, alice: str, bob: str, slots: int, session: Responder) -> int:
    """The source's part: one train, of `slots` unless another length is wanted."""
    wanted: Wanted = await session.receive(Wanted)
    if wanted.lasts_ns:
        slots = max(1, wanted.lasts_ns * 1000 // agent.pulse_period_ps)
    try:
        in_ns, slots = plan(agent, (alice, bob), slots)
    except LinkError as none:
        if session.retry.timeout_s is None:  # the other end would wait for ever
            raise
        agent.log.info("%s", none)
        await session.reply(Planned(0, 0))
        return 0
    lasts_ns = slots * agent.pulse_period_ps // 1000
    await session.reply(Planned(slots, lasts_ns, in_ns))
    waits_s = session.retry.limit_s() or 0.0
    await session.receive(Emit, waits_s + in_ns / 1e9)  # the ends' session opens first
    await session.reply(Emitting())
    send = agent.counted_pairs if wanted.counted else agent.pair_pulses
    await send(alice, bob, slots)
    # the leading end says four messages to the other one before that
    await session.receive(Done, lasts_ns / 1e9 + 4 * waits_s)
    await session.reply(Done())
    return slots


def plan(agent: Agent, ends: tuple[str, str], slots: int) -> tuple[int, int]:
    """In how many ns a train of `slots` may begin, and how many of them the contact has room for.

    Raises LinkError when no contact with both ends is planned any more.
    """
    contacts, period_ps = planned(agent.links, ends, None), agent.pulse_period_ps
    if contacts is None:
        return 0, slots
    room_ns = slots * period_ps // 1000 + CONTACT_ROOM_NS
    now_ns = agent.now_ns
    try:
        since_ns, _ = next_contact(agent.name, ends, contacts, now_ns, room_ns)
    except LinkError:  # none has room for all of it
        since_ns, end_ns = next_contact(agent.name, ends, contacts, now_ns, 2 * CONTACT_ROOM_NS)
        slots = (end_ns - since_ns - CONTACT_ROOM_NS) * 1000 // period_ps
    return since_ns - now_ns, slots


async def while_planned(
    agent: Agent, contacts: Contacts | None, retry: RetryPolicy, served: Awaitable[R | None]
) -> R | None:
    """Await what may begin in any contact, until no more of them are planned."""
    if contacts is None or retry.timeout_s is None:
        return await served
    left_ns = max(0, contacts[-1][1] - agent.now_ns) if contacts else 0
    try:
        async with asyncio.timeout(retry.limit_s(left_ns / 1e9)):
            return await served
    except TimeoutError:
        return None


class PairSource(Service):
    """Sends trains of pairs to `alice` and `bob` whenever the key link between them asks for one.

    The service of the key link has the same name at both ends. `timeout` and `tries` as there.
    """

    async def run(  # type: ignore[override]  # with options
        self, alice: str, bob: str, timeout: Seconds = 0.1, tries: int = TRIES
    ) -> None:
        contacts = planned(self.links, (alice, bob), None)
        if contacts is not None:
            next_contact(self.name, (alice, bob), contacts, 0)
        retry = RetryPolicy.of(timeout, tries)
        part = partial(serve_train, self, alice, bob, 1)
        await asyncio.gather(*(self._serve(end, retry, part) for end in (alice, bob)))

    async def _serve(
        self, end: str, retry: RetryPolicy, part: Callable[[Responder], Coroutine[Any, Any, int]]
    ) -> None:
        while True:
            await respond(self, end, SUBJECT, retry, part, patient=True)
