"""Producers: what makes the key blocks of a link, one in each session of its two ends.

Owns what both ends agree on (`Terms`), what a producer answers with (`Made`), and what it has to do. Does not
own the sessions, nor what becomes of the blocks (key_link.py).

Rule: the sending end's terms hold for both. A producer draws nothing from the generators of programs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from .....emulator.errors import LinkError
from ....agent import Agent
from ...sealing import Seals
from ...session import Initiator, Responder
from ...session_messages import SessionBroken
from ..processing.distillation import Throughput
from ..processing.estimation import Epsilons
from ..processing.key_block import KeyBlock

#: A train begins if its contact lasts so much longer, for what is said about it.
CONTACT_ROOM_S = 1.0
T = TypeVar("T")
#: Directions of two axes, Z and X of the sender.
Axes = list[list[float]]


class Terms(msgspec.Struct, frozen=True):
    """How the blocks of a link are made; as the options of `KeyLink`, times in seconds."""

    interval: float
    block_bits: int | None
    longest: float
    z: float
    secrecy: float
    correctness: float
    unauthentic: float
    efficiency: float
    throughput: Throughput
    authentication: int
    recalibrates: bool
    recalibration: float
    #: Of a coincidence, where pairs come without a clock, in ps.
    window_ps: float | None = None

    @property
    def epsilons(self) -> Epsilons:
        """What a block may fail with."""
        return Epsilons(self.secrecy, self.correctness, self.unauthentic)

    @property
    def weights(self) -> tuple[float, float]:
        """How often an end has the basis of the key, Z, and that of the check, X."""
        return self.z, 1 - self.z


@dataclass(frozen=True, kw_only=True)
class Made:
    """A block, and what was found on the way.

    `sifted` bits had equal bases at both ends, `errors` of them differed; `leaked` bits were said in public;
    light was on for `lasts_s`. `latency_s` is what each step of the processing takes; `to_do_s` of it are
    still to pass, and the next block's light is under way meanwhile.
    """

    block: KeyBlock
    sifted: int
    errors: int
    leaked: int
    lasts_s: float
    latency_s: dict[str, float] = field(default_factory=dict)
    to_do_s: float = 0.0

    @property
    def qber(self) -> float | None:
        """Of all sifted bits; None without one."""
        return self.errors / self.sifted if self.sifted else None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a producer works: for which tenant, with which node, over which link (None: the only one).

    `source`: the node that sends pairs, one of the ends or one between; "" where one end sends pulses.
    `tracking`: the service that finds the other end of a beam; None: there is nothing to find.
    """

    agent: Agent
    peer: str
    link: str | None
    source: str = ""
    tracking: Any = None

    async def ready(self, lasts_s: float) -> bool:
        """Wait until a train that lasts so long may begin; false once no more contacts are planned.

        That is in a contact with room for it, while both ends track.
        """
        agent, room_ns = self.agent, round((lasts_s + CONTACT_ROOM_S) * 1e9)
        try:
            while True:
                ends_ns = await agent.contact(self.peer, link=self.link)
                if self.tracking is not None:
                    ends_ns = await self.tracking.locked(self.peer)
                if ends_ns is None or agent.now_ns + room_ns <= ends_ns:
                    return True
                await asyncio.sleep((ends_ns - agent.now_ns) / 1e9)
        except LinkError:
            return False

    async def under_lock(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it for as long as both ends track. Raises SessionBroken when they do no more."""
        if self.tracking is None:
            return await work
        task = asyncio.ensure_future(work)
        lost = asyncio.ensure_future(self.tracking.lost(self.peer))
        try:
            await asyncio.wait((task, lost), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise SessionBroken(f"{self.peer} is not tracked any more")
        finally:
            for each in (task, lost):
                each.cancel()

    def lock(self) -> int | None:
        """The stretch of time in which both ends track, by its number; None: they do not."""
        return 0 if self.tracking is None else self.tracking.lock(self.peer)


class Sending(Protocol):
    """The end that sends the light. `seals`: those of its sessions, if they are authenticated."""

    seals: Seals | None

    def __init__(self, place: Place, terms: Terms) -> None: ...

    async def produce(self, session: Initiator) -> tuple[Made, str]:
        """Make a block with the other end, by requests of this session, and conclude it with the last one.

        Returns the block, whose id is the session's name, and whether it is confirmed. Its first bits are
        taken, as many as were spent: they are for the authentication of later messages. Raises SessionBroken.
        """
        ...


class Receiving(Protocol):
    """The end that receives the light. `seals` as at the other end."""

    seals: Seals | None

    def __init__(self, place: Place) -> None: ...

    async def produce(self, session: Responder, terms: Terms, axes: Axes | None) -> Made:
        """The same block, with the same bits, once the last request has come. Raises SessionBroken.

        `axes`: along which Z and X are measured; None where they are.
        """
        ...


@dataclass(frozen=True)
class Producer:
    """Both ends of one way to make blocks."""

    sends: type[Sending]
    receives: type[Receiving]
