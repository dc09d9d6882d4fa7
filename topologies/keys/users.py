"""Applications at sites of a key network: one asks for keys and tells their ids, the other fetches them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from qnetem import Agent, Seconds
from qnetem.agents.keys.denied import Denied
from qnetem.agents.keys.key_service import KeyService
from qnetem.agents.keys.relays.key_relay import KeyRelay


@dataclass
class Use:
    """`master` asks for `number` keys with `slave`, which is at `site`, each `every`."""

    master: str
    slave: str
    site: str
    every: Seconds
    number: int = 1


class User(Agent):
    """An application that asks (with `use`), one that fetches the keys of `fetches` others, or both.

    It asks from `begins` on, for as long as the run `lasts`. Returns how many keys it had with its slave, how
    many of them were others there, and how many requests were denied; how many keys it `fetched` as a slave;
    and what the relay of the site did.
    """

    async def run(
        self, use: Use | None = None, begins: Seconds = 0.0, lasts: Seconds = 0.0, fetches: int = 0
    ):
        asked, fetched = await asyncio.gather(self.ask(use, begins, lasts), self.fetch(fetches))
        return {**asked, "fetched": fetched, "relay": self.service(KeyRelay).summary()}

    async def ask(self, use: Use | None, begins: float, lasts: float):
        found = {"keys": 0, "differ": 0, "denied": 0}
        if use is None:
            return found
        await asyncio.sleep(begins)
        while self.now_ns < lasts * 1e9:
            try:
                keys = self.service(KeyService)
                for key in await keys.enc_keys(use.slave, use.number, sae=use.master):
                    await self.send(use.site, [use.slave, use.master, key.id], kind="key")
                    answer = (await self.receive(use.site, kind="check")).body
                    found["keys"] += 1
                    found["differ"] += answer != key.check
            except Denied as denied:
                found["denied"] += 1
                self.record("denied", denied.reason)
            await asyncio.sleep(use.every)
        await self.send(use.site, None, kind="key")
        return found

    async def fetch(self, masters: int):
        keys, count = self.service(KeyService), 0
        while masters:
            message = await self.receive(kind="key")
            if message.body is None:
                masters -= 1
                continue
            slave, master, id = message.body
            (key,) = await keys.dec_keys(master, [id], sae=slave)
            await self.send(message.source, key.check, kind="check")
            count += 1
        return count
