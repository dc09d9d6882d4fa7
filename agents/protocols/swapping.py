"""Entanglement swapping: Zukowski et al., Phys. Rev. Lett. 71, 4287 (1993).

Owns `Repeater`, the program of a node between two neighbours, and `long_pair`, by which an end gets one
pair with a far end over any number of repeaters.

Each repeater makes a pair with either neighbour, joins them, and tells both ends which two pairs it
joined and with what outcome. Pair ids are the bookkeeping: an end starts at the id of its own pair and
follows the joins from id to id until they reach its peer. It needs no count, and a message about an
older pair can do no harm. The end that comes first by name owes no correction; the other one takes
the sum (mod 2) of all outcomes into its frame.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ...emulator.errors import LinkError
from ...emulator.wire import Joined
from ..agent import Agent

if TYPE_CHECKING:
    from ..qubits import Pair

KIND = "swapping.joined"


class JoinNotice(msgspec.Struct):
    """A repeater's word: these two pairs are one now. `left_peer`, `right_peer`: their other ends."""

    left: str
    right: str
    left_peer: str
    right_peer: str
    z: int
    x: int


class Repeater(Agent):
    """Joins pairs of its neighbours, two and two, for as long as the run goes on.

    `routes`: which two neighbours, for each route (default: its only two neighbours, in the order of
    their names); routes are served side by side. `ends`: the nodes that are told (default: the two).
    """

    async def run(
        self, routes: list[tuple[str, str]] | None = None, ends: list[str] | None = None
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for left, right in routes or [self._two_neighbours()]:
                group.create_task(self._serve(left, right, ends or [left, right]))

    async def _serve(self, left: str, right: str, ends: list[str]) -> None:
        while True:
            async with asyncio.TaskGroup() as group:
                to_left = group.create_task(self.entangle(left))
                to_right = group.create_task(self.entangle(right))
            await self._join(to_left.result(), to_right.result(), ends)

    async def _join(self, left: Pair, right: Pair, ends: list[str]) -> None:
        joined = await self.join(left, right)
        notice = JoinNotice(joined.left, joined.right, left.peer, right.peer, joined.z, joined.x)
        for end in ends:
            await self.send(end, notice, kind=KIND)

    def _two_neighbours(self) -> tuple[str, str]:
        linked = sorted({link.peer: None for link in self.links if link.entangle})
        if len(linked) != 2:
            why = f"entangling links to {linked}: say which `routes` to serve in `with`"
            raise LinkError(node=self.name, peer="", why=why)
        return linked[0], linked[1]


async def long_pair(agent: Agent, peer: str, *, via: str | None = None) -> Pair:
    """One pair with `peer`: over the direct link, or joined by repeaters on the way.

    `via`: the neighbour to start at (default: `peer` itself if it is a neighbour, else the only
    entangling neighbour). Cancelling gives the half back.
    """
    first = via or _first_hop(agent, peer)
    pair = await agent.entangle(first)
    try:
        notices: list[JoinNotice] = []
        while pair.peer != peer:
            notice = _next(notices, pair)
            if notice is None:
                message = await agent.receive(kind=KIND, type=JoinNotice)
                notices.append(message.body)
            else:
                _extend(pair, notice, correct=agent.name > peer)
        return pair
    except asyncio.CancelledError:
        await pair.discard()
        raise


def _first_hop(agent: Agent, peer: str) -> str:
    entangling = sorted({link.peer: None for link in agent.links if link.entangle})
    if peer in entangling:
        return peer
    if len(entangling) != 1:
        ways = f"several ways ({', '.join(entangling)}): say `via`" if entangling else "no way"
        raise LinkError(node=agent.name, peer=peer, why=f"{ways} over entangling links")
    return entangling[0]


def _next(notices: list[JoinNotice], pair: Pair) -> JoinNotice | None:
    """The notice that goes on where the pair ends now, if it has come."""
    for index, notice in enumerate(notices):
        if pair.reached in (notice.left, notice.right):
            return notices.pop(index)
    return None


def _extend(pair: Pair, notice: JoinNotice, *, correct: bool) -> None:
    forwards = notice.left == pair.reached
    joined = Joined(notice.left, notice.right, notice.z, notice.x)
    pair.extend(joined, notice.right_peer if forwards else notice.left_peer, correct=correct)
