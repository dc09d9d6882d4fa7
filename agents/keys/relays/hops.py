"""Hops: how a share gets from a node to the next one of its path.

Owns the exchange over one hop: keys of the hop, the message, its repetition, its answer. Does not own paths
(routing.py) nor what becomes of a share at its ends (key_relay.py).

The keys are those of the key service, which a relay gets as an application does: at the sending node by
asking for them, at the next one by their ids. So the two services see to it that both nodes have the same
keys, that each is delivered once, and that no loss, repetition or restart changes that.

Rules. A share is in clear only within a step, and in a task of a relay that awaits the next hop; it is in no
message, record or store. What was answered is answered alike when it comes again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ...secret import Secret
from ...service import Service
from ..denied import BAD_REQUEST, NOT_FOUND, Denied
from ..one_time_pad import TAG_BITS, OneTimePad, joined
from .relay_messages import Answer, Carry, Order

#: Shares whose answers, and whose keys, are kept for messages that come again.
_MOST_KEPT = 1024


class HopFailed(Exception):
    """A share did not get to the next node; `down`: that node does not answer."""

    def __init__(self, why: str, down: bool = False) -> None:
        super().__init__(why)
        self.why, self.down = why, down


class Hops:
    """The hops of one relay. `keys`: its key service; `sae_of`: a site's relay as an application."""

    def __init__(
        self,
        service: Service,
        keys: Any,
        sae_of: Callable[[str], str],
        timeout_s: float,
        tries: int,
    ) -> None:
        self._service, self._keys, self._sae_of = service, keys, sae_of
        self._timeout_s, self._tries = timeout_s, tries
        self._awaited: dict[tuple[str, int], tuple[Carry, OneTimePad, asyncio.Future[bool]]] = {}
        self._answers: OrderedDict[tuple[str, str, tuple[str, ...]], Answer] = OrderedDict()
        self._fetched: OrderedDict[tuple[str, tuple[str, ...]], list[Secret]] = OrderedDict()
        #: Messages whose tag was wrong.
        self.refused = 0

    def cost(self, bits: int, status: dict[str, Any]) -> tuple[int, int]:
        """How many keys of which size a share of so many bits takes at a service with that status."""
        most = status["max_key_size"] // 8 * 8
        number = -(-(bits + TAG_BITS) // most)
        size = -(-(bits + TAG_BITS) // number // 8) * 8
        return number, max(size, status["min_key_size"])

    # --- the sending node ---

    async def send(self, share: Secret, order: Order, at: int, failure: float) -> None:
        """Bring a share to the node behind `order.path[at]`, this one. Raises HopFailed."""
        to = order.path[at + 1]
        for _ in range(2):
            pads, pad, adds = await self._new_keys(to, order)
            unsigned = Carry(order, at, pads, failure + adds, pad.cipher(share), b"")
            carry = Carry(
                order, at, pads, failure + adds, unsigned.cipher,
                pad.tag(self._service.name, unsigned.covered),
            )  # fmt: skip
            if await self._request(to, carry, pad):
                return
        raise HopFailed(f"{to} has not got the keys of the hop")

    async def _new_keys(self, to: str, order: Order) -> tuple[list[str], OneTimePad, float]:
        me = self._service.name
        mine, theirs = self._sae_of(me), self._sae_of(to)
        try:
            number, size = self.cost(order.bits, await self._keys.status(theirs, sae=mine))
            got: list[Secret] = await self._keys.enc_keys(theirs, number, size, sae=mine)
        except Denied as denied:
            raise HopFailed(denied.reason, denied.reason == "no answer") from denied
        failure = sum(self._keys.origin(key.id)["failure"] for key in got)
        pad = OneTimePad(joined(got, order.bits + TAG_BITS), order.name, me, to)
        return [key.id for key in got], pad, failure

    async def _request(self, to: str, carry: Carry, pad: OneTimePad) -> bool:
        """Whether it was taken; false if the next node has not got its keys. Raises HopFailed."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        place = carry.order.name, carry.at
        self._awaited[place] = carry, pad, future
        try:
            for _ in range(self._tries):
                await self._service.send(to, carry)
                await asyncio.wait((future,), timeout=self._timeout_s)
                if future.done():
                    return future.result()
        finally:
            del self._awaited[place]
        raise HopFailed("no answer", down=True)

    def answered(self, source: str, answer: Answer) -> None:
        """The next node has answered."""
        carry, pad, future = self._awaited.get((answer.name, answer.at), (None, None, None))
        if carry is None or pad is None or future is None or future.done():
            return
        if source != carry.order.path[carry.at + 1] or answer.pads != carry.pads:
            return
        if answer.ok and not pad.is_genuine(source, answer.covered, answer.tag):
            self.refused += 1
            return
        future.set_result(answer.ok)

    # --- the next node ---

    async def take(self, source: str, carry: Carry) -> Secret | None:
        """The share that came; None if it came before, or is not genuine, or its keys are not here."""
        me, order, at = self._service.name, carry.order, carry.at
        path = order.path
        if not 0 <= at < len(path) - 1 or path[at] != source or path[at + 1] != me:
            self.refused += 1
            return None
        place = source, order.name, tuple(carry.pads)
        if place in self._answers:
            await self._service.send(source, self._answers[place])
            return None
        try:
            pad = await self._pad(source, carry)
        except Denied as denied:
            if denied.message == NOT_FOUND:
                await self._service.send(source, Answer(order.name, at, False, carry.pads))
            return None
        if len(carry.cipher) * 8 != order.bits or not pad.is_genuine(
            source, carry.covered, carry.tag
        ):
            self.refused += 1
            return None
        answer = Answer(order.name, at, True, carry.pads)
        answer = Answer(order.name, at, True, carry.pads, pad.tag(me, answer.covered))
        _keep(self._answers, place, answer)
        del self._fetched[source, tuple(carry.pads)]
        await self._service.send(source, answer)
        return pad.plain(carry.cipher)

    async def _pad(self, source: str, carry: Carry) -> OneTimePad:
        """Of keys that are fetched once, and kept until a message with them is genuine. Raises Denied."""
        place = source, tuple(carry.pads)
        me, order = self._service.name, carry.order
        got = self._fetched.get(place)
        if got is None:
            got = await self._keys.dec_keys(self._sae_of(source), carry.pads, sae=self._sae_of(me))
            _keep(self._fetched, place, got)
        if order.bits % 8 or sum(map(len, got)) < order.bits + TAG_BITS:
            raise Denied(BAD_REQUEST, "keys of another size", "request")
        return OneTimePad(joined(got, order.bits + TAG_BITS), order.name, source, me)


def _keep(table: OrderedDict[Any, Any], place: Any, value: Any) -> None:
    table[place] = value
    if len(table) > _MOST_KEPT:
        table.popitem(last=False)
