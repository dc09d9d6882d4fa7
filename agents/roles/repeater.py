"""Repeater: joins pairs of its neighbours, so that nodes that share no link share entanglement.

Owns the program of nodes of kind `repeater`: which halves it holds, when it joins them, and what it
does when the other half of one is dropped. Its notices, and how ends use them, are in protocols/swapping.py.
"""

from __future__ import annotations

import asyncio

from ...emulator.errors import LinkError, QubitError
from ..agent import Agent
from ..protocols.cleanup import discard_held
from ..protocols.swapping import KIND, JoinNotice, PairDropped, notice_port
from ..qubits import Pair

#: Joins along which a repeater can still forward a notice; the oldest are forgotten first.
REMEMBERED = 1024


class _Route:
    """Two neighbours, the half held with each, and the ends that get a notice of each join."""

    def __init__(self, peers: tuple[str, str], ends: list[str]) -> None:
        self.peers, self.ends = peers, ends
        self.halves: list[Pair | None] = [None, None]
        self.joining = False
        #: Halves whose pair a neighbour has dropped during the join that is under way.
        self.dropped: list[str] = []

    def half(self, pair: str) -> Pair | None:
        """The half of that pair, if it is held here."""
        return next((half for half in self.halves if half is not None and half.id == pair), None)

    def ready(self) -> tuple[Pair, Pair] | None:
        """Both halves, if they can be joined now."""
        left, right = self.halves
        if self.joining or left is None or right is None or left.expired or right.expired:
            return None
        return left, right


class Repeater(Agent):
    """Joins pairs of its neighbours, two and two, until the run ends.

    `routes`: which two neighbours, for each route (default: its only two neighbours, in the order of
    their names); routes are served side by side. `ends`: the nodes that get the notices (default: the
    two). A half that has reached its memory's cut-off is replaced at that instant, and the neighbour
    gets a notice that the pair was dropped; a join that is under way then fails, and its other half
    waits for the next one. At the end of the run, or when cancelled, what it holds is discarded.
    """

    async def run(
        self, routes: list[tuple[str, str]] | None = None, ends: list[str] | None = None
    ) -> None:
        self._notices = notice_port(self)
        pairs_of_peers = routes or [self._two_neighbours()]
        self._routes = [
            _Route((left, right), ends or [left, right]) for left, right in pairs_of_peers
        ]
        #: Pair joined here -> (the pair it was joined with, that one's other end).
        self._joined: dict[str, tuple[str, str]] = {}
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for route in self._routes:
                    for side in (0, 1):
                        self._tasks.create_task(self._supply(route, side))
                self._tasks.create_task(self._receive_notices())
        finally:
            idle = [route for route in self._routes if not route.joining]
            await discard_held(*(half for route in idle for half in route.halves if half))

    async def _supply(self, route: _Route, side: int) -> None:
        """Keep one half with the neighbour of this side: the next one as soon as the last has gone."""
        while True:
            half = route.halves[side] = await self.entangle(route.peers[side])
            self._match(route)
            if await half.wait_expired():
                await self._notices.send(half.peer, PairDropped(half.id), kind=KIND)
            route.halves[side] = None

    def _match(self, route: _Route) -> None:
        """Join the halves of both sides, if both are there."""
        halves = route.ready()
        if halves is not None:
            route.joining = True
            self._tasks.create_task(self._join(route, *halves))

    async def _join(self, route: _Route, left: Pair, right: Pair) -> None:
        try:
            joined = await self.join(left, right)
        except QubitError:  # at its end one of them was past its cut-off
            pass
        else:
            self._remember(left, right)
            notice = JoinNotice(
                joined.left, joined.right, left.peer, right.peer, joined.z, joined.x
            )
            for end in route.ends:
                await self._notices.send(end, notice, kind=KIND)
        route.joining = False
        dropped, route.dropped = route.dropped, []
        for pair in dropped:
            await self._drop(pair)
        self._match(route)

    def _remember(self, left: Pair, right: Pair) -> None:
        self._joined[left.id] = (right.id, right.peer)
        self._joined[right.id] = (left.id, left.peer)
        while len(self._joined) > 2 * REMEMBERED:
            del self._joined[next(iter(self._joined))]

    async def _receive_notices(self) -> None:
        """A notice that a pair was dropped: discard its half here, or forward the notice."""
        while True:
            message = await self._notices.receive()
            if isinstance(message.body, PairDropped):
                await self._drop(message.body.pair)

    async def _drop(self, pair: str) -> None:
        if pair in self._joined:
            other, peer = self._joined.pop(pair)
            self._joined.pop(other, None)
            await self._notices.send(peer, PairDropped(other), kind=KIND)
            return
        for route in self._routes:
            half = route.half(pair)
            if half is not None and route.joining:
                route.dropped.append(pair)  # what becomes of the half is not yet known
            elif half is not None:
                await discard_held(half)

    def _two_neighbours(self) -> tuple[str, str]:
        linked = sorted({link.peer: None for link in self.links if link.entangle})
        if len(linked) != 2:
            why = f"entangling links to {linked}: say which `routes` to serve in `with`"
            raise LinkError(node=self.name, peer="", why=why)
        return linked[0], linked[1]
