"""The programs of the benchmarks: as small as what they measure allows."""

from __future__ import annotations

import asyncio

from qnetem import Agent
from qnetem.agents.protocols.swapping import LongPairs


class Ticker(Agent):
    """Nothing but time: `rounds` sleeps of a virtual millisecond."""

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            await asyncio.sleep(1e-3)


class Passes(Agent):
    """Each round: a message to one neighbour, one from the other."""

    async def run(self, to: str, source: str, rounds: int) -> None:
        for number in range(rounds):
            await self.send(to, {"number": number % 10})
            await self.receive(source)


class Neighbour(Agent):
    """Each round: a message to the next node of the chain, one from the node before."""

    async def run(self, rounds: int) -> None:
        nodes = sorted([self.name, *self.peers])
        place = nodes.index(self.name)
        for _ in range(rounds):
            if self.name != nodes[-1]:
                await self.send(nodes[place + 1], 1)
            if place:
                await self.receive(nodes[place - 1])
            await asyncio.sleep(1e-3)


class Partner(Agent):
    """Each round: a heralded pair, its half measured, one message each way."""

    async def run(self, peer: str, rounds: int) -> int:
        ones = 0
        for _ in range(rounds):
            pair = await self.entangle(peer)
            bit = await pair.measure("X")
            await self.send(peer, {"bit": bit})
            message = await self.receive(peer)
            ones += message.body["bit"]
        return ones


class Newborn(Agent):
    """Says in its log that it has been granted a second instant: all nodes have reported the first."""

    async def run(self) -> None:
        await asyncio.sleep(1e-3)
        print("past the first instant")


class Sleeper(Agent):
    """Gets past its first instant, and then is only there."""

    async def run(self) -> None:
        await asyncio.sleep(1e-3)
        await asyncio.sleep(3600.0)


class Asks(Agent):
    """Pairs with a far end from the network layer, each measured."""

    async def run(self, peer: str, pairs: int) -> None:
        async for pair in self.network.pairs(peer, pairs):
            await pair.measure("X")


class Takes(Agent):
    """The other halves."""

    async def run(self, peer: str, pairs: int) -> None:
        async for pair in self.network.arriving(peer, count=pairs):
            await pair.measure("X")


class Obtains(Agent):
    """Pairs with a far end by repeaters whose joins the topology says, each measured."""

    async def run(self, peer: str, pairs: int) -> None:
        source = LongPairs(self, peer)
        for _ in range(pairs):
            await (await source.obtain()).measure("X")
