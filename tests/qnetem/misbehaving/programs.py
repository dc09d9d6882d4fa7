"""A hundred programs that misbehave, ten to a network, and the one that they must not disturb.

Each coroutine of the other files is what one node does; `GROUPS` says which ten share a network. Only those
of fatal.py end the process they run in.
"""

from __future__ import annotations

import asyncio
from typing import Any

from qnetem import Agent

from . import failing, fatal, interpreter, output, values

GROUPS = {
    **failing.GROUPS,
    **values.GROUPS,
    **output.GROUPS,
    **interpreter.GROUPS,
    **fatal.GROUPS,
}
ENDS_ITS_PROCESS = GROUPS["process"]


class Misbehaves(Agent):
    """The program of all of them."""

    async def run(self, group: str, how: str) -> Any:
        return await GROUPS[group][how](self)


class Honest(Agent):
    """What the others must not disturb."""

    async def run(self) -> list[Any]:
        await asyncio.sleep(1)
        await self.send(self.name, {"draw": int(self.rng.integers(1000))}, kind="own")
        message = await self.receive(kind="own")
        await asyncio.sleep(4)
        return [message.body["draw"], self.now_ns]
