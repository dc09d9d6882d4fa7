"""Repeater: joins pairs of its neighbours, so that nodes that share no link share entanglement.

Owns the program of nodes of kind `repeater`: which halves it holds, when it joins them, and what it
does when the other half of one is dropped. What it says, and how ends use it, is in protocols/swapping.py.
"""

from __future__ import annotations

import asyncio

from ...emulator.errors import LinkError, QubitError
from ..agent import Agent
from ..protocols.holding import give_back
from ..protocols.swapping import KIND, JoinNotice, Notice, PairDropped
from ..qubits import Pair

#: Joins a repeater can still pass the word along; the oldest are forgotten first.
REMEMBERED = 1024


class _Route:
    """Two neighbours, the half held with each, and who is told when they are joined."""

    def __init__(self, peers: tuple[str, str], ends: list[str]) -> None:
        self.peers, self.ends = peers, ends
        self.halves: list[Pair | None] = [None, None]
        #: Set when the side's half is gone and the next may be asked for.
        self.gone = (asyncio.Event(), asyncio.Event())

    def side_of(self, pair: str) -> int | None:
        """Which half has that id."""
        for side, half in enumerate(self.halves):
            if half is not None and half.id == pair:
                return side
        return None

    def keep(self, *halves: Pair | None) -> None:
        """After a join that failed: those of left and right that are still here."""
        for side, half in enumerate(halves):
            self.halves[side] = half
            if half is None:
                self.gone[side].set()

    def take(self) -> tuple[Pair, Pair] | None:
        """Both halves, to be joined; None while one is missing."""
        left, right = self.halves
        if left is None or right is None:
            return None
        self.halves = [None, None]
        return left, right


class Repeater(Agent):
    """Joins pairs of its neighbours, two and two, for as long as the run goes on.

    `routes`: which two neighbours, for each route (default: its only two neighbours, in the order of
    their names); routes are served side by side. `ends`: the nodes that are told (default: the two).
    A half that has reached its memory's cut-off is replaced by a new one, and the neighbour is told that
    the pair was dropped. At the end of the run, or when cancelled, what it holds is discarded.
    """

    async def run(
        self, routes: list[tuple[str, str]] | None = None, ends: list[str] | None = None
    ) -> None:
        pairs_of_peers = routes or [self._two_neighbours()]
        self._routes = [
            _Route((left, right), ends or [left, right]) for left, right in pairs_of_peers
        ]
        #: Pair joined here -> (the pair it was joined with, that one's other end).
        self._joined: dict[str, tuple[str, str]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for route in self._routes:
                    for side in (0, 1):
                        group.create_task(self._supply(route, side))
                group.create_task(self._heed())
        finally:
            await give_back(*(half for route in self._routes for half in route.halves if half))

    async def _supply(self, route: _Route, side: int) -> None:
        """Keep one half with the neighbour of this side; join as soon as both sides have one."""
        while True:
            route.halves[side] = await self.entangle(route.peers[side])
            halves = route.take()
            if halves is not None:
                try:
                    await self._join(*halves, route.ends)
                except QubitError as error:
                    await self._replace(route, halves, error.fields["qubit"])
                else:
                    route.keep(None, None)
            await route.gone[side].wait()
            route.gone[side].clear()

    async def _replace(self, route: _Route, halves: tuple[Pair, Pair], lost: str) -> None:
        """A half was past its cut-off: the other one waits for the next."""
        route.keep(*(None if half.qubit.name == lost else half for half in halves))
        for half in halves:
            self._joined.pop(half.id, None)
            if half.qubit.name == lost:
                await self.send(half.peer, PairDropped(half.id), kind=KIND)

    async def _join(self, left: Pair, right: Pair, ends: list[str]) -> None:
        self._joined[left.id] = (right.id, right.peer)
        self._joined[right.id] = (left.id, left.peer)
        while len(self._joined) > 2 * REMEMBERED:
            del self._joined[next(iter(self._joined))]
        joined = await self.join(left, right)
        notice = JoinNotice(joined.left, joined.right, left.peer, right.peer, joined.z, joined.x)
        for end in ends:
            await self.send(end, notice, kind=KIND)

    async def _heed(self) -> None:
        """Heed the word that a pair was dropped: discard its half here, or pass the word on."""
        while True:
            message = await self.receive(kind=KIND, type=Notice)
            if isinstance(message.body, PairDropped):
                await self._drop(message.body.pair)

    async def _drop(self, pair: str) -> None:
        for route in self._routes:
            side = route.side_of(pair)
            if side is not None:
                half, route.halves[side] = route.halves[side], None
                if half is not None:
                    await give_back(half)
                route.gone[side].set()
                return
        if pair in self._joined:
            other, peer = self._joined.pop(pair)
            self._joined.pop(other, None)
            await self.send(peer, PairDropped(other), kind=KIND)

    def _two_neighbours(self) -> tuple[str, str]:
        linked = sorted({link.peer: None for link in self.links if link.entangle})
        if len(linked) != 2:
            why = f"entangling links to {linked}: say which `routes` to serve in `with`"
            raise LinkError(node=self.name, peer="", why=why)
        return linked[0], linked[1]
