"""Users of the keys that a link makes: each takes one now and then."""

from __future__ import annotations

import asyncio

from qnetem import Agent, Seconds
from qnetem.agents.protocols.qkd.key_link import KeyLink


class Encryptor(Agent):
    """Takes a new key of `bits` each `every`, for as long as `lasts`; waits for it where there is none.

    Returns how many it has had, the latest of them, and what came of the link's blocks.
    """

    async def run(self, lasts: Seconds, every: Seconds = 60.0, bits: int = 256):
        keys, count, latest = self.service(KeyLink), 0, None
        try:
            async with asyncio.timeout(lasts - self.now_ns / 1e9):
                while True:
                    latest = await keys.take(bits)
                    count += 1
                    await asyncio.sleep(every)
        except TimeoutError:
            return {"keys": count, "latest": latest, **keys.summary()}
