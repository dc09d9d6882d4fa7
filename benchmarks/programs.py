"""The programs of the benchmarks: as small as what they measure allows."""

from __future__ import annotations

import asyncio

from qnetem import Agent


class Ticker(Agent):
    """Nothing but time: `rounds` sleeps of a virtual millisecond."""

    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
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
