"""Entanglement swapping: Zukowski et al., Phys. Rev. Lett. 71, 4287 (1993).

Owns the notices of repeaters, and `LongPairs`, by which an end gets pairs with a far end over any number of
them. Does not own the repeaters (roles/repeater.py), the join itself (emulator/quantum/operations/) nor
what the ends do with the pairs.

Each repeater makes a pair with either neighbour, joins them, and sends the ends a notice: which two pairs it
joined and with what outcome. Pair ids are the bookkeeping: an end starts at the id of its own pair and
follows the joins from id to id until they reach its peer. It needs no count, takes only notices that name its
pair, and so a notice about an older pair, or about another task's, is ignored. The end that comes first by
name owes no correction; the other takes the sum (mod 2) of all outcomes into its frame.

Where repeaters join in an order (protocols/swap_orders.py) each must know what its pairs reach: then the
notice goes to the two nodes that share the pair it has made, repeaters or ends, and says which of them owes
the correction. A join that has failed is a pair dropped on either side.

A half that its memory has discarded at its cut-off is replaced at that instant: its node sends a notice to
the neighbour that holds (or held) the other half, and asks for a new pair. A repeater that still holds that
other half discards it and makes a new pair; one that has joined it forwards the notice along the join, so
that no half waits for a partner that is gone (the expiry rule of Kozlowski, Dahlberg and Wehner, CoNEXT 2020,
arXiv:2010.02575). A pair is handed over only if its half here is still there and no such notice has come.

When a repeater dies its halves die with it, and no notice is sent: the other halves wait for joins that will
never come. An end with a `timeout` gives such a half up in the same way. A repeater that has been restarted
knows nothing of older pairs, and ignores such notices.
"""

from __future__ import annotations

import asyncio

import msgspec

from ...emulator.errors import LinkError
from ...emulator.wire import Joined
from ..agent import Agent
from ..ports import Port
from ..qubits import Pair
from .cleanup import DiscardOnError, discard_held, first_of
from .session import seconds

KIND = "swapping"


class JoinNotice(msgspec.Struct, tag="joined", omit_defaults=True):
    """A repeater has made one pair of these two. `left_peer`, `right_peer`: their other ends.

    `beyond_left`, `beyond_right`: the link pairs behind `left` and `right`, outwards, if the repeater knows
    of joins that had made them longer. `corrects`: the end that owes the Pauli; "" for the ends' own rule.
    """

    left: str
    right: str
    left_peer: str
    right_peer: str
    z: int
    x: int
    beyond_left: list[str] = []
    beyond_right: list[str] = []
    corrects: str = ""


class PairDropped(msgspec.Struct, tag="dropped"):
    """The other half of this pair, which sender and receiver had shared, is lost."""

    pair: str


Notice = JoinNotice | PairDropped


def notice_port(agent: Agent) -> Port:
    """The port of notices, where they lie under the pairs that they name."""
    return agent.port(KIND, type=Notice, keys=_pairs_in)


def _pairs_in(notice: Notice) -> tuple[str, ...]:
    return (notice.pair,) if isinstance(notice, PairDropped) else (notice.left, notice.right)


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
        self._port = notice_port(agent)
        self._first = via or _first_hop(agent, peer)
        self._timeout_s = seconds(timeout)
        #: The half held now: from its herald until it is given up or `forget`.
        self.half: Pair | None = None
        #: The first pair of the half before it: notices about that may still come, and are ignored.
        self._previous = ""
        #: Set while no half waits for its joins.
        self.settled = asyncio.Event()
        self.settled.set()

    async def obtain(self) -> Pair:
        """The next pair; waits for it. Cancelling gives the half back."""
        while True:
            pair = self.half = await self._agent.entangle(self._first)
            self.settled.clear()
            try:
                async with DiscardOnError(pair):
                    if await self._in_time(pair):
                        return pair
            except BaseException:
                self.half = None
                raise
            finally:
                self._previous = pair.path[0]
                self.settled.set()
            await self._give_up(pair)

    async def give_up(self) -> None:
        """Drop the half held now; its other end gets a notice."""
        if self.half is not None:
            await self._give_up(self.half)

    async def lost(self, pair: Pair) -> None:
        """Wait until a pair that was handed over is lost.

        That is when its half here is past its cut-off, or has been used, or a notice comes that the half
        at the other end was dropped.
        """
        await first_of(self._receive_drop(pair), pair.wait_expired())

    def forget(self) -> None:
        """The half held now has been used."""
        self.half = None

    def names(self, pair: str) -> bool:
        """Whether `pair`, a name as both ends write it, is made of the half held now."""
        return self.half is not None and self.half.path[0] in pair.split("+")

    async def _in_time(self, pair: Pair) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                followed, _ = await first_of(self._follow_joins(pair), pair.wait_expired())
        except TimeoutError:
            return False
        return bool(followed) and not pair.expired

    async def _follow_joins(self, pair: Pair) -> bool:
        """Follow the joins until they reach the peer; False if the pair was dropped on the way."""

        def concerns(notice: Notice) -> bool:
            if self._is_stale(notice):
                return True
            if isinstance(notice, PairDropped):
                return notice.pair == pair.path[0]
            return continues(pair, notice)

        while pair.peer != self._peer:
            # The third: notices about the half before this one are taken out of the way.
            keys = [pair.reached, pair.path[0], self._previous]
            message = await self._port.receive(keys=keys, where=concerns)
            if self._is_stale(message.body):
                continue
            if isinstance(message.body, PairDropped):
                return False
            owing = message.body.corrects or max(self._agent.name, self._peer)
            extend(pair, message.body, correct=owing == self._agent.name)
        return not await self._has_been_dropped(pair)

    def _is_stale(self, notice: Notice) -> bool:
        """Whether the notice is about the half before this one."""
        if isinstance(notice, PairDropped):
            return notice.pair == self._previous
        return self._previous in (notice.left, notice.right)

    async def _receive_drop(self, pair: Pair) -> None:
        """Wait for the notice that the half at the other end was dropped."""

        def concerns(notice: Notice) -> bool:
            return isinstance(notice, PairDropped) and notice.pair == pair.path[0]

        await self._port.receive(key=pair.path[0], where=concerns)

    async def _has_been_dropped(self, pair: Pair) -> bool:
        """Whether that notice has come."""
        try:
            async with asyncio.timeout(0):
                await self._receive_drop(pair)
        except TimeoutError:
            return False
        return True

    async def _give_up(self, pair: Pair) -> None:
        self.half = None
        await self._port.send(self._first, PairDropped(pair.path[0]), kind=KIND)
        await discard_held(pair)  # it may be past its memory's cut-off


async def long_pair(
    agent: Agent, peer: str, *, via: str | None = None, timeout: str | float | None = None
) -> Pair:
    """One pair with `peer`; arguments as for `LongPairs`. Cancelling gives the half back."""
    return await LongPairs(agent, peer, via=via, timeout=timeout).obtain()


def _first_hop(agent: Agent, peer: str) -> str:
    entangling = sorted({link.peer: None for link in agent.links if link.entangle})
    if peer in entangling:
        return peer
    if len(entangling) != 1:
        ways = f"several ways ({', '.join(entangling)}): say `via`" if entangling else "no way"
        raise LinkError(node=agent.name, peer=peer, why=f"{ways} over entangling links")
    return entangling[0]


def continues(pair: Pair, notice: JoinNotice) -> bool:
    """Whether the notice is of the join that has made this pair longer, and has not come before."""
    joined = {notice.left, notice.right}
    return pair.reached in joined and not joined <= set(pair.path)


def extend(pair: Pair, notice: JoinNotice, *, correct: bool) -> None:
    """Make the pair as long as the notice says. `correct`: this end owes the Pauli."""
    forwards = notice.left == pair.reached
    joined = Joined(notice.left, notice.right, notice.z, notice.x)
    peer = notice.right_peer if forwards else notice.left_peer
    beyond = notice.beyond_right if forwards else notice.beyond_left
    pair.extend(joined, peer, correct=correct, beyond=beyond)
