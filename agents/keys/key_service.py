"""KeyService: the key management entity (KME) of a site, as a service of its node.

    services:
      link: {program: "qnetem.agents.protocols.qkd.key_link:KeyLink", with: {peer: bob}}
      keys:
        program: "qnetem.agents.keys.key_service:KeyService"
        needs: [link]
        with: {sources: [link], applications: {app-a: {site: alice}, app-b: {site: bob}}}

Owns its options, who may have which key, and the words for programs. Does not own blocks and keys (vault.py),
how two sites agree (agreement.py), the store on disk (database.py), nor HTTP (facades/, server.py).

Rule: every decision is made here, in virtual time: for a program of the node or a client outside.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...emulator.errors import OutsideError, ProgramError
from ...emulator.wire.keyed_hash import keyed_hash
from ..options.values import Seconds
from ..outside import Request
from ..protocols.qkd.processing.key_block import KeyBlock
from ..secret import Secret
from ..service import Service, offered
from .agreement import SHORTAGE, Agreement
from .applications import Application
from .changes import Change, Content, DropBlock, Gone, PutBlock, Ready
from .database import open_database
from .denied import BAD_REQUEST, NOT_FOUND, NOT_MULTIPLE, UNAUTHORIZED, UNAVAILABLE, Denied
from .facades.paths import FACADES
from .pool import Pool
from .server import Serving, serve_keys
from .vault import Vault

R = TypeVar("R")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: The most that may lie in wait of its application: requests that are being served side by side.
_SIDE_BY_SIDE = 256
#: Keys that were delivered, whose origins are kept.
_MOST_ORIGINS = 1024


@dataclass
class Serve:
    """Where the site answers clients: a port on loopback, and the folder that `qnetem keys certs` made."""

    port: int
    certificates: Path


@dataclass(frozen=True)
class Sizes:
    """Bits of a key, and how many keys a request may name."""

    default: int
    least: int
    most: int
    per_request: int


class KeyService(Service):
    """Stores the keys of a site, shares them out to applications, serves them by ETSI GS QKD 014 and SKIP.

    Options:
        applications: the applications (SAEs) of all sites, by name; the same at every site.
        sources: services of this node that have `blocks()`, as `KeyLink` does.
        relays: serve the relays of this site and of its neighbours too, as applications `relay-<site>`.
        key_size, min_key_size, max_key_size: bits of a key.
        max_keys: how many keys a request may ask for.
        high: bits in stock from which on a source's next block waits; low: below which an alarm is recorded.
        max_age: of a block; it is dropped at both sites. key_lifetime: of a key that was not fetched.
        read_back: whether the master may fetch its own key once more by its id, as testers of servers do.
        store: a folder that outlives the run; kek: the file of its key-encryption key.
        serve: answer clients outside of the run.
        timeout, tries: after how long a message to another site is repeated, and how often it is sent.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._begun = asyncio.Event()
        self._eased = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reports: dict[str, Counter[str]] = {}
        #: Pools whose stock is low, of which an alarm was recorded.
        self._low: set[str] = set()
        #: Set, and replaced, with each change of a stock.
        self._changed = asyncio.Event()
        #: By site: bits that were deposited in this incarnation; by key: what made those delivered lately.
        self._deposited: Counter[str] = Counter()
        self._origins: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def run(  # with options
        self,
        applications: dict[str, Application] | None = None,
        sources: Sequence[str] = (),
        relays: bool = False,
        key_size: int = 256,
        min_key_size: int = 64,
        max_key_size: int = 8192,
        max_keys: int = 128,
        high: int = 1 << 24,
        low: int = 1 << 12,
        max_age: Seconds = 86400.0,
        key_lifetime: Seconds = 3600.0,
        read_back: bool = False,
        store: Path | None = None,
        kek: Path | None = None,
        serve: Serve | None = None,
        timeout: Seconds = 0.25,
        tries: int = 8,
    ) -> None:
        self._sizes = Sizes(key_size, min_key_size, max_key_size, max_keys)
        applications = dict(applications or {})
        if relays:
            near = (self.name, *self.neighbours)
            applications |= {f"relay-{each}": Application(each) for each in near}
        self._check(applications, high, low, tries)
        self._applications, self._read_back = applications, read_back
        self._high, self._low_mark = high, low
        self._ages_ns = round(max_age * 1e9), round(key_lifetime * 1e9)
        sites = {each.site for each in applications.values()} - {self.name}
        self._vault = self._open(sorted(sites), store, kek)
        self._agreement = Agreement(self, self._vault, timeout, tries, self._watch)
        self._run_tag = keyed_hash(self._node.welcome.hash_key, "key blocks", b"")[:12]
        self._begin(sources, max_age, key_lifetime)
        if serve is not None:
            await self._answer_clients(serve)

    def _check(self, applications: dict[str, Application], high: int, low: int, tries: int) -> None:
        """Raises ProgramError for options that cannot be."""
        sizes = self._sizes
        for name, bits in vars(sizes).items():
            if bits < 1 or (name != "per_request" and bits % 8):
                raise ProgramError(
                    f"a key service with {name} {bits}: expected a multiple of 8 above 0"
                )
        if not sizes.least <= sizes.default <= sizes.most:
            raise ProgramError("key_size: expected it between min_key_size and max_key_size")
        if not 0 <= low < high or tries < 1:
            raise ProgramError("expected low below high, and at least one try")
        for name, each in applications.items():
            if not self._node.knows(each.site):
                raise ProgramError(f"application {name!r} is at {each.site!r}, which is no node")
            if not name or len(name) > 64 or "/" in name:
                raise ProgramError(f"application {name!r}: expected 1 to 64 characters without /")

    def _open(self, sites: list[str], store: Path | None, kek: Path | None) -> Vault:
        self._storage = self.storage(open_database, store, kek)
        content: Content = self._storage.content
        self.record("store", content.summary())
        epoch_ns = self._node.welcome.epoch_ns
        vault = Vault(self.name, sites, content, lambda: epoch_ns + self.now_ns, self._store)
        for key in list(vault.keys.values()):
            if not key.shared:  # cut, and never answered: the master has not got it
                vault.drop_key(key, "the site was restarted")
        return vault

    def _begin(self, sources: Sequence[str], max_age: float, key_lifetime: float) -> None:
        self._spawn(self._agreement.serve())
        for peer in self._vault.pools:
            self._spawn(self._agreement.keep_told(peer))
        for source in sources:
            self._spawn(self._fill(source))
        self._spawn(self._expire(max(1.0, min(max_age, key_lifetime) / 20)))
        self._begun.set()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- blocks ---

    async def _fill(self, source: str) -> None:
        """Take the blocks of a source, for as long as there is room."""
        blocks: AsyncIterator[KeyBlock] = getattr(self.services, source).blocks()
        async for block in blocks:
            self._deposit(block, source)
            while self._vault.pools[block.peer].held * 8 >= self._high:
                self._eased.clear()
                await self._eased.wait()

    @offered
    async def deposit(self, block: KeyBlock) -> None:
        """Put a block into the store; the other site gets the one with the same id and bits."""
        await self._begun.wait()
        self._deposit(block, self.caller or "program")

    def _deposit(self, block: KeyBlock, source: str) -> None:
        if block.peer not in self._vault.pools:
            raise ProgramError(f"a key block with {block.peer}, where no application is")
        made = self._vault.deposit(block, self._run_tag, source)
        if made is not None:
            self._agreement.news(block.peer)
            self._deposited[block.peer] += len(made.bits)
            self.record(f"stock_{block.peer}", 8 * self._vault.pools[block.peer].held)

    @offered
    async def withdraw(self, peer: str, block: str) -> None:
        """Give up a block that was deposited, unless both sites are known to have it."""
        pool, id = self._vault.pools[peer], f"{self._run_tag}/{block}"
        if id in pool and not pool[id].ready:
            self._vault.drop_block(pool, id, "the other site has given it up")

    @offered
    async def below(self, peer: str, bits: int) -> None:
        """Wait until less than `bits` are in stock with a site. Raises ProgramError for one without any."""
        await self._begun.wait()
        if peer not in self._vault.pools:
            raise ProgramError(f"key in stock with {peer}, where no application is")
        while 8 * self._vault.pools[peer].held >= bits:
            await self._changed.wait()

    @offered
    async def change(self) -> None:
        """Wait until a stock has changed."""
        await self._changed.wait()

    @offered
    def deposited(self) -> dict[str, int]:
        """By site: bits that were deposited since this node was started."""
        return dict(sorted(self._deposited.items()))

    @offered
    def origin(self, key: str) -> dict[str, Any]:
        """Of a key that was delivered lately: what made its blocks, its path, and a bound on failure."""
        return self._origins[key]

    def _store(self, change: Change) -> None:
        """Have a change stored; wake all who wait for one of a stock."""
        self._storage.change(change)
        if isinstance(change, (PutBlock, Ready, Gone, DropBlock)):
            self._changed.set()
            self._changed = asyncio.Event()

    async def _expire(self, pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            self._vault.expire(*self._ages_ns)
            self._watch()

    def _watch(self) -> None:
        """Let sources continue where there is room; record an alarm where stock runs low."""
        self._eased.set()
        for peer, pool in self._vault.pools.items():
            is_low = pool.free * 8 < self._low_mark
            if is_low and peer not in self._low:
                self._low.add(peer)
                self._vault.note("low", peer=peer, bits=8 * pool.free)
                self.record(f"low_{peer}", 8 * pool.free)
            elif not is_low:
                self._low.discard(peer)

    # --- words for programs, and what clients ask ---

    @offered
    async def status(self, slave: str, *, sae: str) -> dict[str, Any]:
        """What this site has for the pair of applications, by ETSI GS QKD 014. Raises Denied."""
        await self._begun.wait()
        return self._judged(sae, lambda: self._status(sae, slave))

    @offered
    async def enc_keys(
        self,
        slave: str,
        number: int = 1,
        size: int | None = None,
        *,
        sae: str,
        additional: Sequence[str] = (),
    ) -> list[Secret]:
        """New keys for the application `sae` of this site to share with `slave`; their ids are `key.id`.

        Raises Denied: 400 for what cannot be, 401 for an application that may not, 503 for too little key.
        """
        await self._begun.wait()
        return await self._judged_later(
            sae, lambda: self._enc_keys(sae, slave, number, size, list(additional))
        )

    @offered
    async def dec_keys(self, master: str, ids: Sequence[str], *, sae: str) -> list[Secret]:
        """The keys with these ids, for the application `sae` of this site: each once, and all or none.

        Raises Denied: 400 for an id that is not there, or not there any more, 401 for one of others' keys.
        """
        await self._begun.wait()
        return self._judged(sae, lambda: self._dec_keys(sae, master, list(ids)))

    @offered
    async def reserve(self, slave: str, number: int, size: int, *, sae: str) -> list[str]:
        """As `enc_keys`, but no key is delivered: each awaits both applications here and there, by its id.

        Raises Denied.
        """
        await self._begun.wait()
        return await self._judged_later(sae, lambda: self._new(sae, slave, number, size, [], [sae]))

    @offered
    def awaiting(self, sae: str) -> list[tuple[str, str]]:
        """The keys that await an application that reserved them, oldest first: id, and the other site."""
        if not self._begun.is_set():
            return []
        keys = self._vault.keys.values()
        return [
            (key.id, key.peer)
            for key in keys
            if key.shared and key.master == sae and sae in key.due
        ]

    @offered
    async def peek(self, master: str, ids: Sequence[str], *, sae: str) -> list[Secret]:
        """As `dec_keys`, but the keys stay. For what has to be checked under them first."""
        await self._begun.wait()
        ids = self._checked(sae, master, list(ids))
        return [self._vault.keys[id].bits for id in ids]

    @offered
    def summary(self) -> dict[str, Any]:
        """Stock by site, and what each application of this site has had, without a bit of key."""
        if not self._begun.is_set():
            return {"stock": {}, "keys": 0, "applications": {}}
        return {
            "stock": {peer: 8 * pool.free for peer, pool in self._vault.pools.items()},
            "keys": len(self._vault.keys),
            "applications": {
                name: dict(sorted(self._reports.get(name, Counter()).items()))
                for name, each in sorted(self._applications.items())
                if each.site == self.name
            },
        }

    @offered
    def pool(self, peer: str) -> list[dict[str, Any]]:
        """The blocks shared with a site: id, ready or not, which bytes are gone, the check of the bits."""
        return [
            {
                "id": block.id,
                "ready": block.ready,
                "gone": [list(each) for each in block.gone.taken],
                "check": block.bits.check,
            }
            for block in self._vault.pools[peer]
        ]

    # --- decisions ---

    def _judged(self, sae: str, decide: Callable[[], R]) -> R:
        self._vault.expire(*self._ages_ns)
        try:
            return decide()
        except Denied as denied:
            self._count(sae, denied)
            raise
        finally:
            self._watch()

    async def _judged_later(self, sae: str, decide: Callable[[], Awaitable[R]]) -> R:
        self._vault.expire(*self._ages_ns)
        try:
            return await decide()
        except Denied as denied:
            self._count(sae, denied)
            raise
        finally:
            self._watch()

    def _count(self, sae: str, denied: Denied) -> None:
        if sae in self._applications:
            self._reports.setdefault(sae, Counter())[f"denied: {denied.reason}"] += 1

    def _local(self, sae: str) -> Application:
        """An application of this site. Raises Denied."""
        found = self._applications.get(sae)
        if found is None or found.site != self.name:
            raise Denied(UNAUTHORIZED, "the SAE is not authorised at this KME", "unauthorised")
        return found

    def _pool(self, slave: str) -> Pool:
        """What this site shares with that of another application. Raises Denied."""
        found = self._applications.get(slave)
        if found is None:
            raise Denied(BAD_REQUEST, "the SAE in the path is not known", "unknown SAE")
        if found.site == self.name:
            raise Denied(BAD_REQUEST, "the SAE in the path is at this KME as well", "unknown SAE")
        return self._vault.pools[found.site]

    def _status(self, sae: str, slave: str) -> dict[str, Any]:
        self._local(sae)
        pool, sizes = self._pool(slave), self._sizes
        others = [name for name, each in self._applications.items() if each.site == pool.peer]
        return {
            "source_KME_ID": self.name,
            "target_KME_ID": pool.peer,
            "master_SAE_ID": sae,
            "slave_SAE_ID": slave,
            "key_size": sizes.default,
            "stored_key_count": pool.free * 8 // sizes.default,
            "max_key_count": self._high // sizes.default,
            "max_key_per_request": sizes.per_request,
            "max_key_size": sizes.most,
            "min_key_size": sizes.least,
            "max_SAE_ID_count": len(others) - 1,
        }

    async def _peers(self, *, sae: str) -> dict[str, Any]:
        """With which applications this one may share keys."""
        self._local(sae)
        others = [name for name, each in self._applications.items() if each.site != self.name]
        return {"local": sae, "remote": sorted(others)}

    async def _enc_keys(
        self, sae: str, slave: str, number: int, size: int | None, additional: list[Any]
    ) -> list[Secret]:
        due = [sae] if self._read_back else []
        ids = await self._new(sae, slave, number, size, additional, due)
        return self._deliver(ids, sae, as_master=True)

    async def _new(
        self,
        sae: str,
        slave: str,
        number: int,
        size: int | None,
        additional: list[Any],
        due: list[str],
    ) -> list[str]:
        """Have new keys at both sites: their ids. Raises Denied."""
        application = self._local(sae)
        pool = self._pool(slave)
        size = self._sizes.default if size is None else size
        self._check_request(number, size)
        self._check_additional(sae, slave, pool.peer, additional)
        usage = self._vault.usage(sae)
        left = usage.left(application, self._vault.now_ns)
        if left is not None and left < number * size:
            raise Denied(UNAVAILABLE, SHORTAGE, "quota", "the quota of the SAE is used up")
        usage.add(application, self._vault.now_ns, number * size)  # others ask meanwhile
        try:
            ids = await self._agreement.keys(
                pool.peer, [size // 8] * number, sae, [slave, *additional], due
            )
        except BaseException:
            usage.give_back(application, self._vault.now_ns, number * size)
            raise
        self._vault.used(sae)
        return ids

    def _check_request(self, number: Any, size: Any) -> None:
        sizes = self._sizes
        if type(number) is not int or not 1 <= number <= sizes.per_request:
            details = f"number is 1 to {sizes.per_request}"
            raise Denied(BAD_REQUEST, "the number of keys is out of range", "request", details)
        if type(size) is not int or size % 8:
            raise Denied(BAD_REQUEST, NOT_MULTIPLE, "request")
        if not sizes.least <= size <= sizes.most:
            details = f"size is {sizes.least} to {sizes.most}"
            raise Denied(BAD_REQUEST, "the size of the keys is out of range", "request", details)

    def _check_additional(self, sae: str, slave: str, peer: str, additional: list[Any]) -> None:
        for each in additional:
            if not isinstance(each, str) or each in ("", sae, slave) or additional.count(each) > 1:
                details = "additional_slave_SAE_IDs: each one once, and no party of the request"
                raise Denied(BAD_REQUEST, "an additional SAE does not fit", "request", details)
            found = self._applications.get(each)
            if found is None or found.site != peer:
                details = "additional_slave_SAE_IDs: expected SAEs at the KME of the slave SAE"
                raise Denied(BAD_REQUEST, "an additional SAE does not fit", "request", details)

    def _dec_keys(self, sae: str, master: str, ids: list[Any]) -> list[Secret]:
        return self._deliver(self._checked(sae, master, ids), sae, as_master=False)

    def _checked(self, sae: str, master: str, ids: list[Any]) -> list[str]:
        """The ids of keys that this application may fetch. Raises Denied."""
        self._local(sae)
        if not 1 <= len(ids) <= self._sizes.per_request:
            details = f"key_IDs: 1 to {self._sizes.per_request}"
            raise Denied(BAD_REQUEST, "the number of key_IDs is out of range", "request", details)
        if not all(isinstance(id, str) and _UUID.fullmatch(id) for id in ids):
            raise Denied(BAD_REQUEST, "a key_ID is no UUID", "request")
        ids = [id.lower() for id in ids]
        if len(set(ids)) < len(ids):
            raise Denied(BAD_REQUEST, "a key_ID is named twice", "request")
        for id in ids:
            key = self._vault.keys.get(id)
            if key is None or not key.shared:
                raise Denied(BAD_REQUEST, NOT_FOUND, "not found")
            parties = {key.master, *key.slaves}
            if sae not in parties:
                raise Denied(UNAUTHORIZED, "the SAE is not authorised for this key", "unauthorised")
            if master not in parties - {sae} or sae not in key.due:
                raise Denied(BAD_REQUEST, NOT_FOUND, "not found")
        return ids

    def _deliver(self, ids: list[str], sae: str, as_master: bool) -> list[Secret]:
        report = self._reports.setdefault(sae, Counter())
        keys = [self._vault.keys[id] for id in ids]
        for key in keys:
            self._vault.deliver(key, sae, as_master)
            report["keys as master" if as_master else "keys by id"] += 1
            report["bits"] += len(key.bits)
            self._origins[key.id] = key.origin
        while len(self._origins) > _MOST_ORIGINS:
            self._origins.popitem(last=False)
        return [key.bits for key in keys]

    # --- clients outside ---

    async def _answer_clients(self, serve: Serve) -> None:
        serving = Serving(self.name, serve.port, str(serve.certificates))
        async with self.outside(serve_keys, serving, unanswered=_SIDE_BY_SIDE) as requests:
            async for request in requests:
                self._spawn(self._answer(request))

    async def _answer(self, request: Request) -> None:
        facade = FACADES[request.body["facade"]]
        asked: dict[str, Callable[..., Awaitable[Any]]] = {
            "status": self.status,
            "peers": self._peers,
            "enc_keys": self.enc_keys,
            "dec_keys": self.dec_keys,
        }
        ask = asked[request.body["call"]]
        try:
            reply = facade.answered(await ask(sae=request.body["sae"], **request.body["arguments"]))
        except Denied as denied:
            reply = facade.refused(denied)
        try:
            request.reply(reply)
        except OutsideError:  # answered when the node was about to leave
            return
