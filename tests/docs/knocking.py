"""Two programs that wait out a link that is cut, for as long as it takes."""

from __future__ import annotations

import asyncio

from qnetem import Agent


class Knocks(Agent):
    """Sends until there is an answer."""

    async def run(self) -> None:
        answer = asyncio.create_task(self.receive("bob"))
        while not answer.done():
            await self.send("bob", "knock")
            await asyncio.sleep(1e-2)


class Opens(Agent):
    """Answers the first."""

    async def run(self) -> None:
        await self.send((await self.receive()).source, "come in")
