"""Repeater: joins pairs of its neighbours, so that nodes that share no link share entanglement.

Owns the program of nodes of kind `repeater`: which halves it holds, when it joins them, and what it
does when the other half of one is dropped. Its notices, and how ends use them, are in protocols/swapping.py.
"""

from __future__ import annotations

import asyncio

from ...emulator.errors import InputError, LinkError, QubitError
from ...emulator.wire import Joined
from ..agent import Agent
from ..protocols.cleanup import discard_held
from ..protocols.session import seconds
from ..protocols.swap_orders import SwapOrder, swap_rules
from ..protocols.swapping import KIND, JoinNotice, PairDropped, continues, extend, notice_port
from ..qubits import Pair

#: Joins along which a repeater can still forward a notice; the oldest are forgotten first.
REMEMBERED = 1024


class _Route:
    """Two neighbours, the half held with each, and the ends that get a notice of each join.

    `reach`: the nodes that the two pairs must reach before they are joined; then these get the notices.
    """

    def __init__(
        self, peers: tuple[str, str], ends: list[str], reach: tuple[str, str] | None = None
    ) -> None:
        self.peers, self.ends, self.reach = peers, ends, reach
        self.halves: list[Pair | None] = [None, None]
        self.joining = False
        #: Halves whose pair a neighbour has dropped during the join that is under way.
        self.dropped: list[str] = []

    def half(self, pair: str) -> Pair | None:
        """The half of that pair, if it is held here."""
        return next((half for half in self.halves if half and half.path[0] == pair), None)

    def ready(self) -> tuple[Pair, Pair] | None:
        """Both halves, if they can be joined now."""
        left, right = self.halves
        if self.joining or left is None or right is None or left.expired or right.expired:
            return None
        if self.reach is not None and self.reach != (left.peer, right.peer):
            return None
        return left, right

    def notice(self, left: Pair, right: Pair, joined: Joined) -> JoinNotice:
        """What those who need to know are told of a join here."""
        notice = JoinNotice(
            left.path[0], right.path[0], left.peer, right.peer, joined.z, joined.x,
            left.path[1:], right.path[1:],
        )  # fmt: skip
        if self.reach is not None:
            notice.corrects = max(self.reach)
        return notice


class Repeater(Agent):
    """Joins pairs of its neighbours, two and two, until the run ends.

    `routes`: which two neighbours, for each route (default: its only two neighbours, in the order of
    their names); routes are served side by side. `ends`: the nodes that get the notices (default: the
    two). `path`: in place of both, all nodes from end to end, whose repeaters join in an `order` of
    protocols/swap_orders.py (`asap`, `sequential`, `nested`), the same for all of them. `timeout`: how long a
    half waits for its join ("20 ms"); then its pair is dropped, as at a cut-off. Without it, and without
    a cut-off, a half waits for ever in a fixed order, once a repeater between it and its peer has died.

    A half that has reached its memory's cut-off is replaced at that instant, and the neighbour gets a notice
    that the pair was dropped; a join that is under way then fails, and its other half waits for the next
    one. A Bell measurement that has not succeeded is a pair dropped on either side. At the end of the run, or
    when cancelled, what it holds is discarded.
    """

    async def run(
        self,
        routes: list[tuple[str, str]] | None = None,
        ends: list[str] | None = None,
        path: list[str] | None = None,
        order: SwapOrder = "asap",
        timeout: str | None = None,
    ) -> None:
        self._notices, self._timeout_s = notice_port(self), seconds(timeout)
        self._routes = self._served(routes, ends, path, order)
        #: Pair joined here -> (the pair it was joined with, that one's last link pair, its other end).
        self._joined: dict[str, tuple[str, str, str]] = {}
        #: Pair -> the notice that it was joined at its far end, while no half here is known to reach it.
        self._early: dict[str, JoinNotice] = {}
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
            self._extend(half)
            self._match(route)
            if await self._is_lost(route, half):
                await self._notices.send(half.peer, PairDropped(half.reached), kind=KIND)
            route.halves[side] = None

    async def _is_lost(self, route: _Route, half: Pair) -> bool:
        """Wait until the half has left; whether its pair is dropped: past the cut-off, or given up."""
        while True:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await half.wait_expired()
            except TimeoutError:
                if not route.joining:
                    break
        await discard_held(half)
        return True

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
            await self._tell(route, left, right, joined)
        route.joining = False
        dropped, route.dropped = route.dropped, []
        for pair in dropped:
            await self._drop(pair)
        self._match(route)

    async def _tell(self, route: _Route, left: Pair, right: Pair, joined: Joined) -> None:
        """Send the notices of a join that is over."""
        if not joined.ok:
            for half in (left, right):
                await self._notices.send(half.peer, PairDropped(half.reached), kind=KIND)
            return
        self._remember(left, right)
        notice = route.notice(left, right, joined)
        for end in route.ends if route.reach is None else route.reach:
            await self._notices.send(end, notice, kind=KIND)

    def _remember(self, left: Pair, right: Pair) -> None:
        self._joined[left.path[0]] = (right.path[0], right.reached, right.peer)
        self._joined[right.path[0]] = (left.path[0], left.reached, left.peer)
        while len(self._joined) > 2 * REMEMBERED:
            del self._joined[next(iter(self._joined))]

    async def _receive_notices(self) -> None:
        """A pair was dropped: discard its half here, or forward the notice. Or one is longer than before."""
        while True:
            notice = (await self._notices.receive()).body
            if isinstance(notice, PairDropped):
                await self._drop(notice.pair)
            elif notice.corrects:
                self._take(notice)

    def _take(self, notice: JoinNotice) -> None:
        """A repeater that joins in an order has made a pair which ends here."""
        ends_right = notice.right_peer == self.name
        self._early[notice.right if ends_right else notice.left] = notice
        for route in self._routes:
            for half in route.halves:
                if half is not None and self._extend(half):
                    self._match(route)
        while len(self._early) > REMEMBERED:
            del self._early[next(iter(self._early))]

    def _extend(self, half: Pair) -> bool:
        """Make the half as long as the notices say that have come; whether that is longer than before."""
        hops = len(half.path)
        while (notice := self._early.pop(half.reached, None)) and continues(half, notice):
            extend(half, notice, correct=notice.corrects == self.name)
        return len(half.path) > hops

    async def _drop(self, pair: str) -> None:
        if pair in self._joined:
            other, reached, peer = self._joined.pop(pair)
            self._joined.pop(other, None)
            await self._notices.send(peer, PairDropped(reached), kind=KIND)
            return
        for route in self._routes:
            half = route.half(pair)
            if half is not None and route.joining:
                route.dropped.append(pair)  # what becomes of the half is not yet known
            elif half is not None:
                await discard_held(half)

    def _served(
        self,
        routes: list[tuple[str, str]] | None,
        ends: list[str] | None,
        path: list[str] | None,
        order: SwapOrder,
    ) -> list[_Route]:
        if path is None:
            if order != "asap":
                raise InputError(f"an order of swapping needs a `path`; {order!r} came without one")
            return [
                _Route((left, right), ends or [left, right])
                for left, right in routes or [self._two_neighbours()]
            ]
        if routes or ends or self.name not in path[1:-1]:
            raise InputError(
                f"`path` stands alone and leads over this node, {self.name}: not {path}"
            )
        rule, at = swap_rules(path, order)[self.name], path.index(self.name)
        reach = None if order == "asap" else (rule.left, rule.right)
        return [_Route((path[at - 1], path[at + 1]), [path[0], path[-1]], reach)]

    def _two_neighbours(self) -> tuple[str, str]:
        linked = sorted({link.peer: None for link in self.links if link.entangle})
        if len(linked) != 2:
            why = f"entangling links to {linked}: say which `routes` to serve in `with`"
            raise LinkError(node=self.name, peer="", why=why)
        return linked[0], linked[1]
