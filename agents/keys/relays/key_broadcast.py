"""KeyBroadcast: gives stations under one satellite the same key, though they are never in sight together.

    services:
      cast:
        program: "qnetem.agents.keys.relays.key_broadcast:KeyBroadcast"
        needs: [keys]
        with: {pairs: [[graz, xinglong]]}

The satellite shares keys with each station, made in the passes over it, and broadcasts the XOR of both: so
the second station has the key of the first. Owns its options, which keys go together, and that each station
gets each broadcast. Does not own keys: they lie in the key service of each node, which agrees on them with
the others (key_service.py); nor the messages and their store (casts.py).

Rules. A key stands in one broadcast. The step that makes a broadcast deletes both keys and stores it; from
then on the satellite has no key of it, and repeats it word for word until each station has answered under
its own tag. A station looks at its keys, checks the tag, and deposits the block in the same step in which
its keys are used up. The last bits of a station's keys are for the tags, the others for the block.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from ....emulator.errors import LinkError, MessageError, ProgramError
from ...messages import Message
from ...options.values import Seconds
from ...service import Service, offered
from ...space.reach import in_reach
from ..denied import Denied
from ..one_time_pad import TAG_BITS, OneTimePad, joined
from .casts import Answered, AnyMessage, Cast, Got, Over, Sent, open_casts
from .key_relay import RelayedBlock
from .relay_messages import Order

#: Bits of one key of a key service, and how many a request may name, by default.
KEY_BITS, MOST_KEYS = 8192, 128
#: How long a contact has to last for an exchange, and after how long one that failed is tried again, in s.
ROOM_S, PAUSE_S = 1.0, 1.0


class CastBlock(RelayedBlock):
    """A block that each station gets when the satellite comes by: days apart, maybe."""

    __slots__ = ()
    apart = True


@dataclass
class Open:
    """A broadcast that not both stations have yet."""

    sent: Sent
    missing: list[str]


class KeyBroadcast(Service):
    """At a satellite with `pairs`, broadcasts; at a station, takes part. The same name at all of them.

    Options:
        pairs: of stations that are to share keys.
        block: bits of key of each station in one broadcast, in keys of 8192; 384 of them are for tags.
        keys: the key service of the node; its applications include the relays, as its option `relays` has it.
        application: what the relay of a site is called among them.
        lifetime: after how long a broadcast is given up that a station does not answer.
        timeout, tries: after how long a message is repeated, and how often it is sent in a row.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[str, Open] = {}
        self._count = 0
        self._answers: dict[str, bytes] = {}
        self._changed = asyncio.Event()
        self._counts: Counter[str] = Counter()

    async def run(  # with options
        self,
        pairs: list[tuple[str, str]] | None = None,
        block: int = 65_536,
        keys: str = "keys",
        application: str = "relay-{site}",
        lifetime: Seconds = 30 * 86_400.0,
        timeout: Seconds = 0.25,
        tries: int = 4,
    ) -> None:
        self._pairs = pairs or []
        self._check(block)
        self._number, self._bits = block // KEY_BITS, block - TAG_BITS
        self._keys = getattr(self.services, keys)
        self._relay_of = application.replace("{site}", "{}").format
        self._timeout_s, self._tries, self._lifetime_s = timeout, tries, lifetime
        self._storage = self.storage(open_casts)
        self._restore()
        stations = sorted({station for pair in self._pairs for station in pair})
        for station in stations:
            self._spawn(self._serve(station))
        await self._listen()

    def _check(self, block: int) -> None:
        """Raises ProgramError for options that cannot be."""
        if block % KEY_BITS or not 0 < block <= KEY_BITS * MOST_KEYS:
            most = KEY_BITS * MOST_KEYS
            raise ProgramError(f"block is {block}, expected a multiple of {KEY_BITS} up to {most}")
        for pair in self._pairs:
            if len(set(pair)) != 2 or not {*pair} <= {*self.peers}:
                raise ProgramError(f"a pair {list(pair)}: expected two other nodes")

    def _restore(self) -> None:
        """What was stored before a restart."""
        for entry in self._storage.content:
            if isinstance(entry, Sent):
                self._open[entry.cast.block] = Open(entry, [*entry.cast.stations])
            elif isinstance(entry, Answered):
                self._open[entry.block].missing.remove(entry.station)
            elif isinstance(entry, Over):
                self._open.pop(entry.block)
            else:
                self._answers[entry.block] = entry.tag

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @offered
    def summary(self) -> dict[str, Any]:
        """Broadcasts made, over, given up and open here; blocks and bits that came; messages refused."""
        names = ("made", "over", "given_up", "blocks", "bits", "refused")
        return {**{name: self._counts[name] for name in names}, "open": len(self._open)}

    # --- the satellite ---

    async def _serve(self, station: str) -> None:
        """In each contact with a station: bring it what is open, set keys aside, pair them."""
        while True:
            try:
                ends_ns = await in_reach(self, station, ROOM_S)
            except LinkError:
                return
            changed = self._changed
            opened = [each for each in self._open.values() if station in each.missing]
            if opened:
                for each in opened:
                    if not await self._bring(station, each):
                        await asyncio.sleep(PAUSE_S)
                        break
            elif not await self._set_aside(station):
                await self._change(changed, ends_ns)

    async def _change(self, changed: asyncio.Event, ends_ns: int | None) -> None:
        """Wait for a change of the stock or of what is open; to the end of the contact, at most."""
        left_s = None if ends_ns is None else max(0.0, (ends_ns - self.now_ns) / 1e9)
        waits = [asyncio.ensure_future(each) for each in (changed.wait(), self._keys.change())]
        try:
            await asyncio.wait(waits, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _set_aside(self, station: str) -> bool:
        """Have keys with the station that are for the next broadcast; false if there is too little."""
        stock = self._keys.summary()["stock"].get(station, 0)
        if stock < self._number * KEY_BITS:
            return False
        mine, theirs = self._relay_of(self.name), self._relay_of(station)
        try:
            await self._keys.reserve(theirs, self._number, KEY_BITS, sae=mine)
        except Denied as denied:
            self.record("denied", denied.reason)
            await asyncio.sleep(PAUSE_S)
            return True
        await self._pair_up()
        return True

    async def _pair_up(self) -> None:
        """Make a broadcast of each two sets of keys that wait for one."""
        for first, second in self._pairs:
            while True:
                waiting = self._keys.awaiting(self._relay_of(self.name))
                ids = [
                    [id for id, site in waiting if site == station][: self._number]
                    for station in (first, second)
                ]
                if min(map(len, ids)) < self._number:
                    break
                await self._make((first, second), (ids[0], ids[1]))

    async def _make(self, stations: tuple[str, str], ids: tuple[list[str], list[str]]) -> None:
        """In one step: both keys are taken and deleted, and the broadcast is stored."""
        me = self.name
        self._count += 1
        block = f"{me}~{stations[0]}~{stations[1]}/{self.incarnation}.{self._count}"
        pads, failure = [], 0.0
        for station, wanted in zip(stations, ids, strict=True):
            got = await self._keys.dec_keys(self._relay_of(station), wanted, sae=self._relay_of(me))
            failure += sum(self._keys.origin(key.id)["failure"] for key in got)
            pads.append(OneTimePad(joined(got, self._bits + TAG_BITS), block, me, station))
        cipher = pads[0].cipher(pads[1].plain(bytes(self._bits // 8)))
        bare = Cast(block, stations, ids, cipher, failure)
        tags = (pad.tag(me, bare.covered) for pad in pads)
        cast = Cast(block, stations, ids, cipher, failure, *tags)
        body = Got(block).covered
        answers = (pads[0].tag(stations[0], body), pads[1].tag(stations[1], body))
        sent = Sent(cast, answers, self._node.welcome.epoch_ns + self.now_ns)
        self._storage.change(sent)
        self._open[block] = Open(sent, [*stations])
        self._counts["made"] += 1
        paths = [[stations[0], me, stations[1]]]
        self.record("passes", {"share": f"{block}#0", "block": block})
        self.record("relayed", {"block": block, "bits": self._bits, "paths": paths})
        self._tell()

    async def _bring(self, station: str, opened: Open) -> bool:
        """Send a broadcast until the station has it; false if it does not answer, or is given up."""
        block = opened.sent.cast.block
        age_s = (self._node.welcome.epoch_ns + self.now_ns - opened.sent.made_ns) / 1e9
        if age_s > self._lifetime_s:
            self._end(block, "given_up")
            return True
        for _ in range(self._tries):
            await self.send(station, opened.sent.cast)
            try:
                async with asyncio.timeout(self._timeout_s):
                    while station in opened.missing:
                        await self._changed.wait()
                return True
            except TimeoutError:
                continue
        return False

    def _got(self, station: str, got: Got) -> None:
        opened = self._open.get(got.block)
        if opened is None or station not in opened.missing:
            return
        cast = opened.sent.cast
        if got.tag != opened.sent.answers[cast.stations.index(station)]:
            self._counts["refused"] += 1
            return
        opened.missing.remove(station)
        self._storage.change(Answered(got.block, station))
        if not opened.missing:
            self.record(
                "relay_time",
                (self._node.welcome.epoch_ns + self.now_ns - opened.sent.made_ns) / 1e9,
            )
            self._end(got.block, "over")
        self._tell()

    def _end(self, block: str, how: str) -> None:
        del self._open[block]
        self._storage.change(Over(block))
        self._counts[how] += 1
        self._tell()

    def _tell(self) -> None:
        """Wake all who wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    # --- a station ---

    async def _came(self, source: str, cast: Cast) -> None:
        """A broadcast: under the tag of this station's own keys, or it is none."""
        if cast.block in self._answers:
            await self.send(source, Got(cast.block, self._answers[cast.block]))
            return
        if self.name not in cast.stations or len(set(cast.stations)) != 2:
            self._counts["refused"] += 1
            return
        at = cast.stations.index(self.name)
        mine, theirs, ids = self._relay_of(self.name), self._relay_of(source), cast.ids[at]
        bits = 8 * len(cast.cipher)
        try:
            keys = await self._keys.peek(theirs, ids, sae=mine)
        except Denied:
            self._counts["refused"] += 1
            return
        if sum(map(len, keys)) < bits + TAG_BITS or not bits:
            self._counts["refused"] += 1
            return
        pad = OneTimePad(joined(keys, bits + TAG_BITS), cast.block, source, self.name)
        if not pad.is_genuine(source, cast.covered, cast.tag_of(self.name)):
            self._counts["refused"] += 1
            return
        # In this step: the keys are used up, the block is there, and so is the answer to the next copy.
        await self._keys.dec_keys(theirs, ids, sae=mine)
        other = cast.stations[1 - at]
        order = Order(
            cast.block, 0, bits + TAG_BITS, [[cast.stations[0], source, cast.stations[1]]]
        )
        secret = pad.plain(bytes(bits // 8) if at == 0 else cast.cipher)
        await self._keys.deposit(CastBlock(other, order, secret, cast.failure, self.now_ns / 1e9))
        got = Got(cast.block)
        got = Got(cast.block, pad.tag(self.name, got.covered))
        self._answers[cast.block] = got.tag
        self._storage.change(got)
        self._counts["blocks"] += 1
        self._counts["bits"] += bits
        self.record("relayed_bits", bits)
        await self.send(source, got)

    async def _listen(self) -> None:
        while True:
            try:
                message: Message = await self.receive(type=AnyMessage)
            except MessageError:  # a forged one that is none of these
                continue
            if isinstance(message.body, Cast):
                await self._came(message.source, message.body)
            else:
                self._got(message.source, message.body)
