"""Applications at two stations of a satellite: one asks for keys, the other fetches the same ones."""

from __future__ import annotations

import asyncio

from qnetem import Agent, Seconds
from qnetem.agents.keys.denied import Denied
from qnetem.agents.keys.key_service import KeyService
from qnetem.agents.keys.relays.key_broadcast import KeyBroadcast
from qnetem.agents.space.tracking import Tracking


class Caller(Agent):
    """Asks for `number` keys with `peer` each `every`, from `begins` on, for as long as the run `lasts`.

    Returns how many keys both had, how many of them differed, and how many requests were denied.
    """

    async def run(
        self, peer: str, begins: Seconds, lasts: Seconds, every: Seconds = 86_400.0, number: int = 8
    ):
        keys = self.service(KeyService)
        had = {"keys": 0, "differ": 0, "denied": 0}
        await asyncio.sleep(begins)
        while self.now_ns < lasts * 1e9:
            try:
                for key in await keys.enc_keys(f"app-{peer}", number, sae=f"app-{self.name}"):
                    await self.send(peer, key.id)
                    had["differ"] += (await self.receive(peer)).body != key.check
                    had["keys"] += 1
            except Denied:
                had["denied"] += 1
            await asyncio.sleep(every)
        await self.send(peer, None)
        return {**had, **self.service(KeyBroadcast).summary()}


class Called(Agent):
    """Fetches the keys whose ids it is told. Returns what came of its contacts with the satellite."""

    async def run(self, peer: str):
        keys = self.service(KeyService)
        while (id := (await self.receive(peer)).body) is not None:
            (key,) = await keys.dec_keys(f"app-{peer}", [id], sae=f"app-{self.name}")
            await self.send(peer, key.check)
        return self.service(Tracking).summary()
