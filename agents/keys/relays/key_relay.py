"""KeyRelay: brings keys to sites that share no link, over nodes that are trusted, as a service of its node.

    services:
      relay:
        program: "qnetem.agents.keys.relays.key_relay:KeyRelay"
        needs: [keys]
        with: {targets: {bob: {stock: 1_000_000, paths: 2}}}

Owns its options, blocks from end to end, and the words for programs. Does not own hops (hops.py), paths
(routing.py) and what is known of the network (neighbours.py), nor the keys of hops and the blocks that
arrive: those are in the key service of the node.

The source draws a block at random, one share for each path; the block is the XOR of its shares. Each share
goes from node to node under one-time pads. The destination deposits the block in its key service and says so
under a tag from the block's own first bits; then the source deposits it too. Rules. A block that does not
come to its end is given up, and its bits are used for nothing; the next attempt draws others. A key service
gives out of a block only what both ends have.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ....emulator.errors import MessageError, ProgramError
from ...messages import Message
from ...options.values import Seconds
from ...protocols.qkd.processing.estimation import Epsilons
from ...protocols.qkd.processing.key_block import KeyBlock
from ...secret import Secret
from ...service import Service, offered
from ..denied import BAD_REQUEST, UNAVAILABLE, Denied
from ..one_time_pad import TAG_BITS, OneTimePad
from .hops import HopFailed, Hops
from .neighbours import Neighbours
from .relay_messages import (
    Answer,
    AnyMessage,
    Carry,
    Confirmed,
    Failed,
    Hello,
    News,
    Order,
    Received,
)

_MOST_KNOWN = 1024
#: Of a block: a hop asks for its keys at once, and by default a request may name 128 keys of 8192 bits.
MOST_BITS = 1_000_000
#: After how long a source without a path looks for one again, in s: at the least, and at the most, if it
#: hears of no change; twice as long each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


@dataclass
class Target:
    """Keep so many bits in `stock` with a site, by blocks of `block` bits over so many disjoint `paths`."""

    stock: int
    block: int = 65_536
    paths: int = 1


class RelayedBlock(KeyBlock):
    """A block that came over relays: `path` of its only share, or of the longest; `paths` of all."""

    __slots__ = ("path", "paths")

    def __init__(
        self, peer: str, order: Order, bits: Secret, failure: float, made_s: float
    ) -> None:
        epsilons = Epsilons(max(failure, 1e-30), 1e-30)
        super().__init__(peer, order.block, bits, epsilons, spent=TAG_BITS, made_s=made_s)
        self.paths = order.paths
        self.path = max(order.paths, key=len)


@dataclass
class Sent:
    """A block at its source, until it is known what became of it."""

    order: Order
    pad: OneTimePad
    done: asyncio.Future[float]


@dataclass
class Coming:
    """A block at its destination: the shares that have come, and what they may fail with."""

    shares: dict[int, Secret] = field(default_factory=dict)
    failure: float = 0.0


class KeyRelay(Service):
    """Passes keys on, and makes keys with sites that share no link with this one.

    Options:
        hops: sites with which this one shares keys of a link; all neighbours, if it is not said.
        keys: the key service of the node; its applications include the relays of this site and of its hops,
            as its option `relays` has it.
        application: what the relay of a site is called among them.
        targets: sites to keep key in stock with; it is enough if one of the two ends says so.
        timeout, tries: after how long a message is repeated, and how often it is sent.
        patience: how long a block may be on its way. attempts: how many paths are tried for one.
        advertise: how often at most others are told of links whose stock has changed much.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._sent: dict[str, Sent] = {}
        #: What became of blocks that this node has sent: whether both ends have them.
        self._ended: OrderedDict[str, Confirmed] = OrderedDict()
        self._coming: OrderedDict[str, Coming] = OrderedDict()
        self._confirmed: dict[str, tuple[Order, OneTimePad, asyncio.Future[bool]]] = {}
        self._passed = {"shares": 0, "bits": 0}
        self._made: dict[str, dict[str, int]] = {}

    async def run(  # with options
        self,
        hops: list[str] | None = None,
        keys: str = "keys",
        application: str = "relay-{site}",
        targets: dict[str, Target] | None = None,
        timeout: Seconds = 0.25,
        tries: int = 4,
        patience: Seconds = 10.0,
        attempts: int = 4,
        advertise: Seconds = 1.0,
    ) -> None:
        targets, hops = targets or {}, [*self.neighbours] if hops is None else hops
        self._check(hops, targets, application)
        self._keys = getattr(self.services, keys)
        self._patience_s, self._attempts = patience, attempts
        self._timeout_s, self._tries = timeout, tries
        self._hops = Hops(
            self, self._keys, application.replace("{site}", "{}").format, timeout, tries
        )
        self._near = Neighbours(self, hops, self._keys, timeout, advertise)
        for hop in hops:
            self._spawn(self._near.meet(hop))
        self._spawn(self._near.watch())
        self._spawn(self._near.advertise())
        for site, target in targets.items():
            self._spawn(self._keep(site, target))
        await self._listen()

    def _check(self, hops: list[str], targets: dict[str, Target], application: str) -> None:
        """Raises ProgramError for options that cannot be."""
        for site in (*hops, *targets):
            if site == self.name or not self._node.knows(site):
                raise ProgramError(f"a key relay with {site!r}: expected another node")
        if application.count("{site}") != 1:
            raise ProgramError(f"application {application!r}: expected a name with {{site}} once")
        for site, target in targets.items():
            if target.stock < 1 or target.paths < 1 or not _is_block(target.block):
                raise ProgramError(
                    f"target {site}: expected stock and paths above 0, and a block of whole bytes, "
                    f"{MOST_BITS} bits at most"
                )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- for programs ---

    @offered
    async def deliver(self, site: str, bits: int = 65_536, paths: int = 1) -> dict[str, Any]:
        """Make a block of key with a site, in the key services of both; its id and paths.

        Raises Denied: 503 without a path that has enough key, or when all attempts fail.
        """
        known = site != self.name and self._node.knows(site)
        if not known or not _is_block(bits) or paths < 1:
            raise Denied(
                BAD_REQUEST,
                f"expected another site, a path, and whole bytes of {MOST_BITS} bits at most",
                "request",
            )
        why = "no path has enough key"
        for _ in range(self._attempts):
            need = bits + TAG_BITS + TAG_BITS  # the block's own tags, and those of a hop
            found = self._near.map.paths(self.name, site, need, paths, self.now_ns)
            if not found:
                await self._near.ask()
                break
            try:
                return await self._attempt(site, bits, found)
            except HopFailed as failed:
                why = failed.why
        raise Denied(UNAVAILABLE, "no relayed key", "relay", why)

    @offered
    def summary(self) -> dict[str, Any]:
        """What was passed on for others, and by site how many blocks and bits were made, and given up."""
        return {
            "passed": dict(self._passed),
            "made": {site: dict(made) for site, made in sorted(self._made.items())},
            "refused": self._hops.refused,
        }

    @offered
    def route(self, site: str, bits: int = 65_536, paths: int = 1) -> list[list[str]]:
        """The paths that the next block would take; [] without any."""
        return self._near.map.paths(self.name, site, bits, paths, self.now_ns)

    # --- the source ---

    async def _keep(self, site: str, target: Target) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            await self._keys.below(site, target.stock)
            heard = self._near.heard
            try:
                await self.deliver(site, target.block, target.paths)
                pause_s = FIRST_PAUSE_S
            except Denied as denied:
                self.record(f"shortage_{site}", {"why": denied.details})
                self.record(f"shortages_{site}", 1)
                await asyncio.sleep(FIRST_PAUSE_S)
                await self._near.hear_after(heard, pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _attempt(self, site: str, bits: int, paths: list[list[str]]) -> dict[str, Any]:
        self._count += 1
        begun_ns = self.now_ns
        block = f"{self.name}~{site}/{self.incarnation}.{self._count}"
        size = bits + TAG_BITS
        shares = [Secret(self.rng.bytes(size // 8)) for _ in paths]
        orders = [Order(block, number, size, paths) for number in range(len(paths))]
        key = _xor(shares)
        pad = OneTimePad(key, block, self.name, site)
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._sent[block] = Sent(orders[0], pad, done)
        made = self._made.setdefault(site, {"blocks": 0, "bits": 0, "given_up": 0})
        try:
            for share, order in zip(shares, orders, strict=True):
                self._spawn(self._pass_on(share, order, 0, 0.0))
            failure = await asyncio.wait_for(done, self._patience_s)
        except TimeoutError:
            made["given_up"] += 1
            self._end(block, None)
            for path in paths:  # it is not known where it was lost
                self._near.suspect_inner(path)
            raise HopFailed("lost on its way") from None
        except HopFailed:
            made["given_up"] += 1
            self._end(block, None)
            raise
        finally:
            del self._sent[block]
        await self._keys.deposit(RelayedBlock(site, orders[0], key[:bits], failure, self._now_s))
        self._end(block, pad)
        made["blocks"] += 1
        made["bits"] += bits
        self.record("relay_time", (self.now_ns - begun_ns) / 1e9)
        self.record("relayed", {"block": block, "bits": bits, "paths": paths})
        await self.send(site, self._ended[block])
        return {"block": block, "bits": bits, "paths": paths}

    @property
    def _now_s(self) -> float:
        return self.now_ns / 1e9

    def _end(self, block: str, pad: OneTimePad | None) -> None:
        """It is decided what the destination is to be told of a block."""
        found = Confirmed(block, pad is not None)
        if pad is not None:
            found = Confirmed(block, True, pad.tag(self.name, found.covered))
        self._ended[block] = found
        if len(self._ended) > _MOST_KNOWN:
            self._ended.popitem(last=False)

    async def _received(self, source: str, received: Received) -> None:
        """The destination has a block. It is told until it knows what became of it."""
        sent = self._sent.get(received.block)
        if sent is None:
            gone = Confirmed(received.block, False)
            await self.send(source, self._ended.get(received.block, gone))
        elif (
            source == sent.order.path[-1]
            and not sent.done.done()
            and sent.pad.is_genuine(source, received.covered, received.tag)
        ):
            sent.done.set_result(received.failure)

    def _failed(self, source: str, failed: Failed) -> None:
        sent = self._sent.get(failed.block)
        if sent is None or sent.done.done() or len(failed.ends) != 2:
            return
        one, other = failed.ends
        hops = [pair for path in sent.order.paths for pair in pairwise(path)]
        if source == one and (one, other) in hops:
            self._near.suspect(one, other)
            sent.done.set_exception(HopFailed(f"{one}-{other}: {failed.why}"))

    # --- every node of a path ---

    async def _pass_on(self, share: Secret, order: Order, at: int, failure: float) -> None:
        try:
            await self._hops.send(share, order, at, failure)
        except HopFailed as failed:
            hop = [self.name, order.path[at + 1]]
            if failed.down:
                self._near.lost(hop[1])
            report = Failed(order.block, hop, failed.why)
            if at == 0:
                self._failed(self.name, report)
            else:
                await self.send(order.path[0], report)
            return
        if at > 0:
            self._passed["shares"] += 1
            self._passed["bits"] += order.bits
            self.record("passed_bits", order.bits)

    async def _carried(self, source: str, carry: Carry) -> None:
        share = await self._hops.take(source, carry)
        if share is None:
            return
        order, at = carry.order, carry.at + 1
        self.record("passes", {"share": order.name, "block": order.block})
        if at < len(order.path) - 1:
            self._spawn(self._pass_on(share, order, at, carry.failure))
        else:
            await self._arrived(share, carry)

    # --- the destination ---

    async def _arrived(self, share: Secret, carry: Carry) -> None:
        order = carry.order
        coming = self._coming.setdefault(order.block, Coming())
        if order.share in coming.shares:
            return
        coming.shares[order.share] = share
        coming.failure += carry.failure
        if len(self._coming) > _MOST_KNOWN:
            self._coming.popitem(last=False)
        if len(coming.shares) < len(order.paths):
            return
        del self._coming[order.block]
        key = _xor([coming.shares[number] for number in range(len(order.paths))])
        pad = OneTimePad(key, order.block, order.path[0], self.name)
        bits = key[: len(key) - TAG_BITS]
        await self._keys.deposit(
            RelayedBlock(order.path[0], order, bits, coming.failure, self._now_s)
        )
        self._spawn(self._confirm(order, pad, coming.failure))

    async def _confirm(self, order: Order, pad: OneTimePad, failure: float) -> None:
        """Tell the source until it says whether it has the block; take it back if it has given it up."""
        received = Received(order.block, failure)
        received = Received(order.block, failure, pad.tag(self.name, received.covered))
        known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._confirmed[order.block] = order, pad, known
        try:
            for _ in range(self._tries):
                await self.send(order.path[0], received)
                await asyncio.wait((known,), timeout=self._timeout_s)
                if known.done():
                    break
        finally:
            del self._confirmed[order.block]
        if known.done() and not known.result():
            await self._keys.withdraw(order.path[0], order.block)

    def _is_confirmed(self, source: str, confirmed: Confirmed) -> None:
        order, pad, known = self._confirmed.get(confirmed.block, (None, None, None))
        if order is None or pad is None or known is None or known.done():
            return
        if source != order.path[0]:
            return
        if not confirmed.has or pad.is_genuine(source, confirmed.covered, confirmed.tag):
            known.set_result(confirmed.has)

    # --- messages ---

    async def _listen(self) -> None:
        while True:
            try:
                message: Message = await self.receive(type=AnyMessage)
            except MessageError:  # a forged one that is none of these
                continue
            source, body = message.source, message.body
            if isinstance(body, (Hello, News)):
                await self._near.told(source, body)
            elif isinstance(body, Carry):
                await self._carried(source, body)
            elif isinstance(body, Answer):
                self._hops.answered(source, body)
            elif isinstance(body, Received):
                await self._received(source, body)
            elif isinstance(body, Confirmed):
                self._is_confirmed(source, body)
            else:
                self._failed(source, body)


def _is_block(bits: int) -> bool:
    return 8 <= bits <= MOST_BITS and bits % 8 == 0


def _xor(shares: list[Secret]) -> Secret:
    key = shares[0]
    for share in shares[1:]:
        key = key ^ share
    return key
