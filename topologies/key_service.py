"""Applications at two sites: one asks its site for keys and tells their ids, the other one fetches them."""

from __future__ import annotations

import asyncio

from qnetem import Agent, Seconds
from qnetem.agents.keys.denied import Denied
from qnetem.agents.keys.key_service import KeyService


class Master(Agent):
    """Asks for `count` keys with the application `slave` at `peer`, each `every`, until `lasts`."""

    async def run(
        self,
        name: str,
        slave: str,
        peer: str,
        lasts: Seconds,
        every: Seconds = 1.0,
        count: int = 1,
        bits: int = 256,
    ):
        keys, had, short = self.service(KeyService), 0, 0
        while self.now_ns / 1e9 < lasts:
            try:
                made = await keys.enc_keys(slave, count, bits, sae=name)
            except Denied as denied:
                short += denied.status == 503
            else:
                had += count
                await self.send(peer, {key.id: key.check for key in made})
            await asyncio.sleep(every)
        await self.send(peer, None)
        return {"keys": had, "short": short, **keys.summary()}


class Slave(Agent):
    """Fetches each key by its id, and looks whether it is the same one."""

    async def run(self, name: str, master: str):
        keys, same, other = self.service(KeyService), 0, 0
        while (told := (await self.receive()).body) is not None:
            for key in await keys.dec_keys(master, list(told), sae=name):
                same += key.check == told[key.id]
                other += key.check != told[key.id]
        return {"same": same, "other": other, **keys.summary()}
