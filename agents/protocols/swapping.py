"""Entanglement swapping: Zukowski et al., Phys. Rev. Lett. 71, 4287 (1993).

Owns `Repeater`, the program of a node between two neighbours, and `LongPairs`, by which an end gets
pairs with a far end over any number of repeaters. Does not own what the ends do with them.

Each repeater makes a pair with either neighbour, joins them, and tells the ends which two pairs it
joined and with what outcome. Pair ids are the bookkeeping: an end starts at the id of its own pair and
follows the joins from id to id until they reach its peer. It needs no count, takes only notices that
name its pair, and so a notice about an older pair, or about another task's, does no harm. The end that
comes first by name owes no correction; the other takes the sum (mod 2) of all outcomes into its frame.

When a repeater dies its halves die with it, and the other halves wait for joins that will never come.
An end with a `timeout` gives such a half up, says so to the neighbour that holds (or held) the other
half, and asks again. A repeater that still holds that other half discards it and makes a new pair; one
that has joined it passes the word on along the join, so that no half waits for a partner that is gone
(the expiry rule of Kozlowski, Dahlberg and Wehner, CoNEXT 2020, arXiv:2010.02575). A repeater that has
been restarted knows nothing of older pairs, and ignores such words.
"""

from __future__ import annotations

import asyncio

import msgspec

from ...emulator.errors import LinkError
from ...emulator.units import parse_ns
from ...emulator.wire import Joined
from ..agent import Agent
from ..qubits import Pair
from .holding import Holding, give_back

KIND = "swapping"
#: Joins a repeater can still pass the word along; the oldest are forgotten first.
REMEMBERED = 1024


class JoinNotice(msgspec.Struct, tag="joined"):
    """A repeater's word: these two pairs are one now. `left_peer`, `right_peer`: their other ends."""

    left: str
    right: str
    left_peer: str
    right_peer: str
    z: int
    x: int


class PairDropped(msgspec.Struct, tag="dropped"):
    """The other half of this pair, which sender and receiver had shared, is worth nothing any more."""

    pair: str


Notice = JoinNotice | PairDropped


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
    At the end of the run, or when cancelled, what it holds is discarded.
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
                await self._join(*halves, route.ends)
                for gone in route.gone:
                    gone.set()
            await route.gone[side].wait()
            route.gone[side].clear()

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


class LongPairs:
    """Pairs with `peer`, one after the other: over the direct link, or joined by repeaters.

    `via`: the neighbour to start at (default: `peer` itself if it is a neighbour, else the only
    entangling neighbour). `timeout`: how long a half is kept while its joins have not reached `peer`,
    in seconds or as "20 ms" (virtual time); then it is dropped and another one asked for. Without it a
    dead repeater leaves both ends waiting. Raises LinkError when there is no way to `peer`.
    """

    def __init__(
        self,
        agent: Agent,
        peer: str,
        *,
        via: str | None = None,
        timeout: str | float | None = None,
    ) -> None:
        self._agent, self._peer = agent, peer
        self._first = via or _first_hop(agent, peer)
        self._patience_s = seconds(timeout)
        #: The half held now: from its herald until it is given up or `forget`.
        self.half: Pair | None = None

    async def obtain(self) -> Pair:
        """The next pair; waits for it. Cancelling gives the half back."""
        while True:
            pair = self.half = await self._agent.entangle(self._first)
            try:
                async with Holding(pair):
                    if await self._in_time(pair):
                        return pair
            except BaseException:
                self.half = None
                raise
            await self._give_up(pair)

    async def give_up(self) -> None:
        """Drop the half held now; whoever holds the other one is told."""
        if self.half is not None:
            await self._give_up(self.half)

    def forget(self) -> None:
        """The half held now has been used."""
        self.half = None

    def names(self, pair: str) -> bool:
        """Whether `pair`, a name as both ends write it, is made of the half held now."""
        return self.half is not None and _head(self.half) in pair.split("+")

    async def _in_time(self, pair: Pair) -> bool:
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._follow(pair)
        except TimeoutError:
            return False

    async def _follow(self, pair: Pair) -> bool:
        """Follow the joins until they reach the peer; False if the pair was dropped on the way."""

        def concerns(notice: Notice) -> bool:
            if isinstance(notice, PairDropped):
                return notice.pair == _head(pair)
            return pair.reached in (notice.left, notice.right)

        while pair.peer != self._peer:
            message = await self._agent.receive(kind=KIND, type=Notice, where=concerns)
            if isinstance(message.body, PairDropped):
                return False
            _extend(pair, message.body, correct=self._agent.name > self._peer)
        return True

    async def _give_up(self, pair: Pair) -> None:
        self.half = None
        async with Holding(pair):
            if self._first != self._peer:
                await self._agent.send(self._first, PairDropped(_head(pair)), kind=KIND)
            await pair.discard()


async def long_pair(
    agent: Agent, peer: str, *, via: str | None = None, timeout: str | float | None = None
) -> Pair:
    """One pair with `peer`; arguments as for `LongPairs`. Cancelling gives the half back."""
    return await LongPairs(agent, peer, via=via, timeout=timeout).obtain()


def common_name(pair: Pair) -> str:
    """The pair's id as both ends write it: they have followed the same joins, from opposite sides."""
    return "+".join(sorted(pair.id.split("+")))


def seconds(duration: str | float | None) -> float | None:
    """A duration given as "20 ms" or in seconds, in seconds. Raises UnitError."""
    return parse_ns(duration) / 1e9 if isinstance(duration, str) else duration


def _first_hop(agent: Agent, peer: str) -> str:
    entangling = sorted({link.peer: None for link in agent.links if link.entangle})
    if peer in entangling:
        return peer
    if len(entangling) != 1:
        ways = f"several ways ({', '.join(entangling)}): say `via`" if entangling else "no way"
        raise LinkError(node=agent.name, peer=peer, why=f"{ways} over entangling links")
    return entangling[0]


def _head(pair: Pair) -> str:
    """The id of the pair made with the first neighbour."""
    return pair.id.partition("+")[0]


def _extend(pair: Pair, notice: JoinNotice, *, correct: bool) -> None:
    forwards = notice.left == pair.reached
    joined = Joined(notice.left, notice.right, notice.z, notice.x)
    pair.extend(joined, notice.right_peer if forwards else notice.left_peer, correct=correct)
