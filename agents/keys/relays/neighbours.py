"""Neighbours: which hops of a relay work, and what relays tell each other of links.

Owns greetings, adverts and their spread through the network. Does not own what follows for paths
(routing.py).

An advert of a node's links goes to all others, from neighbour to neighbour, when a link comes or goes, and
when a stock has become twice or half of what was said, at most once in a period. Rule: what is lost of it
costs a detour and no key; who finds no path asks its neighbours for all they know.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import pairwise
from typing import Any

from ...service import Service
from .relay_messages import Hello, News
from .routing import Advert, Map

#: How often a neighbour that does not answer is greeted, in s: twice as long each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
#: How long a link that has failed is avoided.
SUSPICION_S = 60.0


class Neighbours:
    """Of one relay. `keys`: its key service, which says what is in stock."""

    def __init__(
        self, service: Service, hops: list[str], keys: Any, timeout_s: float, period_s: float
    ) -> None:
        self._service, self._hops, self._keys = service, hops, keys
        self._timeout_s, self._period_s = timeout_s, period_s
        self.map = Map()
        self._up: set[str] = set()
        self._changed = {hop: asyncio.Event() for hop in hops}
        self._number = 0
        self._news = asyncio.Event()
        #: How many adverts of others have come.
        self.heard = 0
        self._hearing = asyncio.Event()
        self._told: dict[str, tuple[int, int]] = {}

    # --- greetings ---

    async def meet(self, hop: str) -> None:
        """Greet a neighbour until it answers, and again whenever it was lost."""
        pause_s = max(FIRST_PAUSE_S, 2 * self._timeout_s)
        while True:
            changed = self._changed[hop]
            if hop in self._up:
                pause_s = max(FIRST_PAUSE_S, 2 * self._timeout_s)
                changed.clear()
                await changed.wait()
                continue
            await self._service.send(hop, Hello(self.map.adverts))
            changed.clear()
            try:
                await asyncio.wait_for(changed.wait(), pause_s)
            except TimeoutError:
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def told(self, source: str, body: Hello | News) -> None:
        """A neighbour has greeted, or says what is new."""
        if source not in self._hops:
            return
        new = [advert for advert in body.adverts if self._learn(advert)]
        if isinstance(body, Hello):
            if not body.answer:
                await self._service.send(source, Hello(self.map.adverts, answer=True))
            if source not in self._up:
                self._up.add(source)
                self._changed[source].set()
                self._news.set()
        if new:
            self.heard += len(new)
            self._hearing.set()
            self._hearing = asyncio.Event()
        await self._spread(new, source)

    async def hear_after(self, heard: int, timeout_s: float) -> None:
        """Wait until more than `heard` adverts of others have come, or so long."""
        if self.heard == heard:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hearing.wait(), timeout_s)

    def _learn(self, advert: Advert) -> bool:
        return advert.node != self._service.name and self.map.learn(advert)

    async def ask(self) -> None:
        """Have all neighbours say all that they know."""
        for hop in self._hops:
            await self._service.send(hop, Hello(self.map.adverts))

    # --- links that fail ---

    def lost(self, hop: str) -> None:
        """It does not answer."""
        if hop in self._up:
            self._up.discard(hop)
            self._changed[hop].set()
            self._news.set()

    def suspect(self, one: str, other: str) -> None:
        """A link has failed: avoid it for a while."""
        self.map.suspect(one, other, self._service.now_ns + round(SUSPICION_S * 1e9))

    def suspect_inner(self, path: list[str]) -> None:
        """Somewhere on the path something was lost: avoid its relays if there are others."""
        for one, other in pairwise(path[1:]):
            self.map.suspect(one, other, self._service.now_ns + round(self._timeout_s * 4e9))

    # --- adverts ---

    async def advertise(self) -> None:
        """Tell all others of this node's links when they have changed, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            links = self._links()
            if self._differs(links):
                self._number += 1
                self._told = links
                advert = Advert(self._service.name, self._service.incarnation, self._number, links)
                self.map.learn(advert)
                await self._spread([advert], "")
                await asyncio.sleep(self._period_s)

    async def watch(self) -> None:
        """See stocks change, for ever."""
        while True:
            await self._keys.change()
            self._news.set()

    def _links(self) -> dict[str, tuple[int, int]]:
        stocks = self._keys.summary()["stock"]
        made = self._keys.deposited()
        lasts_s = max(1.0, self._service.now_ns / 1e9)
        return {
            hop: (stocks.get(hop, 0), round(made.get(hop, 0) / lasts_s)) for hop in sorted(self._up)
        }

    def _differs(self, links: dict[str, tuple[int, int]]) -> bool:
        if links.keys() != self._told.keys():
            return True
        return any(
            bits.bit_length() != self._told[hop][0].bit_length() for hop, (bits, _) in links.items()
        )

    async def _spread(self, adverts: list[Advert], source: str) -> None:
        if adverts:
            for hop in sorted(self._up - {source}):
                await self._service.send(hop, News(adverts))
