"""Agreement: what key services of two sites tell each other, so that a key id means the same bits at both.

Owns the messages and their repetition, which blocks both sites have, and which site allocates. Does not own
blocks and keys (vault.py), nor what applications ask (key_service.py).

Of two sites the first by name allocates. Where its own application asks, it cuts keys, has the other site
keep them (`Assign`), and answers when that has. Where the other site's application asks, that site asks it
(`Ask`), and keeps what is granted before it answers. So a key that an application has got is at the other
site already.

Rules. Messages name blocks and bytes and never hold bits. Each is repeated until it is answered, and a
repeated one is answered as before. A block counts when each site knows that the other one has it; a site
that begins tells all that it has, and both drop what only one has left, and count as gone what either has
given out. Bytes that were cut for an answer that never came are lost, and are given to no other key.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from ...emulator.errors import LinkError
from ..messages import Message
from ..service import Service
from ..space.reach import in_reach
from .denied import UNAVAILABLE, Denied
from .pool import Part, Pool
from .vault import Vault

#: After how long at most a site that does not answer is told again of blocks.
LONGEST_PAUSE_S = 5.0
#: Answers that are kept for requests that come again.
_MOST_ANSWERS = 4096


class SiteMessage(msgspec.Struct, frozen=True, tag_field="what"):
    """`number` is that of the request, also in its answer."""

    number: str


class State(SiteMessage, frozen=True, tag="state"):
    """The blocks here that the other site is not known to have; and all others, if `ready` is not None.

    `t_ns`: calendar time.
    """

    t_ns: int
    fresh: list[str]
    ready: dict[str, list[tuple[int, int]]] | None


class Seen(SiteMessage, frozen=True, tag="seen"):
    """Answer: which of these are here as well; all others, if they were told."""

    have: list[str]
    ready: dict[str, list[tuple[int, int]]] | None


class Assign(SiteMessage, frozen=True, tag="assign"):
    """The site that allocates -> the other: keep these keys for your applications."""

    master: str
    slaves: list[str]
    keys: list[list[Part]]


class Assigned(SiteMessage, frozen=True, tag="assigned"):
    """Answer: whether they are kept."""

    kept: bool


class Ask(SiteMessage, frozen=True, tag="ask"):
    """The other site -> the one that allocates: cut keys of so many bytes."""

    master: str
    slaves: list[str]
    sizes: list[int]


class Granted(SiteMessage, frozen=True, tag="granted"):
    """Answer: the keys; none where there is too little."""

    keys: list[list[Part]]


AnyMessage = State | Seen | Assign | Assigned | Ask | Granted
R = TypeVar("R", Seen, Assigned, Granted)
SHORTAGE = "not enough key is available"
NO_ANSWER = "the other site does not answer"


class Agreement:
    """Of one site with all others. A message is sent again after `timeout_s`, `tries` times at most.

    `on_change`: called when the other site has changed what is here.
    """

    def __init__(
        self,
        service: Service,
        vault: Vault,
        timeout_s: float,
        tries: int,
        on_change: Callable[[], None],
    ) -> None:
        self._service, self._vault, self._on_change = service, vault, on_change
        self._timeout_s, self._tries = timeout_s, tries
        self._count = 0
        self._awaited: dict[str, asyncio.Future[Any]] = {}
        self._answers: OrderedDict[tuple[str, str], SiteMessage] = OrderedDict()
        self._news: dict[str, asyncio.Event] = {}

    # --- which blocks both sites have ---

    def news(self, peer: str) -> None:
        """A block has come: tell the other site."""
        self._news.setdefault(peer, asyncio.Event()).set()

    async def keep_told(self, peer: str) -> None:
        """Tell the other site of all blocks first, then of new ones; for as long as contacts are planned."""
        pool, full = self._vault.pools[peer], True
        pause_s = self._timeout_s
        while True:
            try:
                await in_reach(self._service, peer, self._timeout_s)
            except LinkError:
                return
            news = self._news.setdefault(peer, asyncio.Event())
            news.clear()
            try:
                state = self._state(pool, full)
                seen = await self._request(peer, state, Seen)
            except Denied:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            full, pause_s = False, self._timeout_s
            self._merge(pool, seen.have, seen.ready, set(state.ready or ()))
            await news.wait()

    def _state(self, pool: Pool, full: bool) -> State:
        fresh = [block.id for block in pool if not block.ready]
        ready = self._ready(pool) if full else None
        return State(self._number(), self._vault.now_ns, fresh, ready)

    @staticmethod
    def _ready(pool: Pool) -> dict[str, list[tuple[int, int]]]:
        return {block.id: list(block.gone.taken) for block in pool if block.ready}

    def _seen(self, peer: str, state: State) -> Seen:
        vault, pool = self._vault, self._vault.pools[peer]
        have = [block for block in state.fresh if block in pool]
        for block in have:
            vault.ready(pool, block)
        if state.ready is None:
            return Seen(state.number, have, None)
        self._lost(pool, {*state.fresh, *state.ready}, state.t_ns)
        mine = self._ready(pool)
        self._merge(pool, [], state.ready, set(mine) - {*state.fresh})
        return Seen(state.number, have, mine)

    def _lost(self, pool: Pool, theirs: set[str], t_ns: int) -> None:
        """The other site has begun anew: a block from before that it has not stored never comes there.

        Unless a third one brings it to each, when it can.
        """
        for block in pool:
            if block.ready or block.origin.get("apart"):
                continue
            if block.id not in theirs and block.made_ns < t_ns:
                self._vault.drop_block(pool, block.id, "the other site has lost it")

    def _merge(
        self,
        pool: Pool,
        have: Sequence[str],
        ready: dict[str, list[tuple[int, int]]] | None,
        told: set[str],
    ) -> None:
        """What the other site has; of `told` it has none that it does not name."""
        vault = self._vault
        for block in have:
            if block in pool:
                vault.ready(pool, block)
        if ready is None:
            return
        for held in pool:
            if held.id in ready:
                vault.ready(pool, held.id)
                vault.gone(pool, held.id, ready[held.id])
            elif held.id in told:
                vault.drop_block(pool, held.id, "the other site has none of it")

    # --- keys ---

    def allocates(self, peer: str) -> bool:
        """Whether this site cuts the keys that it shares with that one."""
        return self._service.name < peer

    async def keys(
        self, peer: str, sizes: list[int], master: str, slaves: list[str], due: list[str]
    ) -> list[str]:
        """The ids of new keys, which both sites have when this returns. Raises Denied.

        `due`: applications of this site that may fetch them by their ids.
        """
        get = self._cut if self.allocates(peer) else self._asked
        for last in (False, True):
            found = await get(peer, sizes, master, slaves, due)
            if found is not None:
                return found
            if last:  # twice in a row it named bytes that the other one has not got
                raise Denied(UNAVAILABLE, SHORTAGE, "disagreement")
        raise AssertionError

    async def _cut(
        self, peer: str, sizes: list[int], master: str, slaves: list[str], due: list[str]
    ) -> list[str] | None:
        vault, pool = self._vault, self._vault.pools[peer]
        parts = vault.cut(pool, sizes)
        if parts is None:
            raise Denied(UNAVAILABLE, SHORTAGE, "shortage")
        made = vault.keep(pool, parts, master, slaves, due, shared=False)
        ids = [key.id for key in made]
        try:
            answer = await self._request(
                peer, Assign(self._number(), master, slaves, parts), Assigned
            )
        except BaseException:  # a caller that has left, too
            self._give_up(ids, "the other site has not answered")
            raise
        if not answer.kept:
            self._give_up(ids, "the other site has not got these bytes")
            return None
        for key in made:
            vault.share(key)
        return ids

    def _give_up(self, ids: list[str], why: str) -> None:
        for id in ids:
            if id in self._vault.keys:
                self._vault.drop_key(self._vault.keys[id], why)

    async def _asked(
        self, peer: str, sizes: list[int], master: str, slaves: list[str], due: list[str]
    ) -> list[str] | None:
        vault, pool = self._vault, self._vault.pools[peer]
        granted = await self._request(peer, Ask(self._number(), master, slaves, sizes), Granted)
        if not granted.keys:
            raise Denied(UNAVAILABLE, SHORTAGE, "shortage")
        if [_bytes_of(parts) for parts in granted.keys] != sizes or not pool.fits(granted.keys):
            return None
        made = vault.keep(pool, granted.keys, master, slaves, due, shared=True)
        return [key.id for key in made]

    def _kept(self, peer: str, assign: Assign) -> Assigned:
        pool = self._vault.pools[peer]
        if not pool.fits(assign.keys):
            return Assigned(assign.number, False)
        self._vault.keep(pool, assign.keys, assign.master, assign.slaves, assign.slaves, True)
        return Assigned(assign.number, True)

    def _granted(self, peer: str, ask: Ask) -> Granted:
        vault, pool = self._vault, self._vault.pools[peer]
        parts = vault.cut(pool, ask.sizes) if all(size > 0 for size in ask.sizes) else None
        if parts is None:
            return Granted(ask.number, [])
        vault.keep(pool, parts, ask.master, ask.slaves, ask.slaves, shared=True)
        return Granted(ask.number, parts)

    # --- messages ---

    def _number(self) -> str:
        self._count += 1
        return f"{self._service.incarnation}.{self._count}"

    async def _request(self, peer: str, message: SiteMessage, answer: type[R]) -> R:
        """Send a request until it is answered. Raises Denied where it is not."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._awaited[message.number] = future
        try:
            for _ in range(self._tries):
                await self._service.send(peer, message)
                await asyncio.wait((future,), timeout=self._timeout_s)
                if future.done():
                    return future.result()
        finally:
            del self._awaited[message.number]
        raise Denied(UNAVAILABLE, NO_ANSWER, "no answer")

    async def serve(self) -> None:
        """Take what other sites say, for ever."""
        while True:
            message: Message = await self._service.receive(type=AnyMessage)
            if message.source not in self._vault.pools:
                continue
            body = message.body
            if isinstance(body, (Seen, Assigned, Granted)):
                future = self._awaited.get(body.number)
                if future is not None and not future.done():
                    future.set_result(body)
            else:
                await self._service.send(message.source, self._answer(message.source, body))
                self._on_change()

    def _answer(self, peer: str, request: State | Assign | Ask) -> SiteMessage:
        known = self._answers.get((peer, request.number))
        if known is not None:
            return known
        if isinstance(request, State):
            answer: SiteMessage = self._seen(peer, request)
        elif isinstance(request, Assign):
            answer = self._kept(peer, request)
        else:
            answer = self._granted(peer, request)
        self._answers[peer, request.number] = answer
        if len(self._answers) > _MOST_ANSWERS:
            self._answers.popitem(last=False)
        return answer


def _bytes_of(parts: Sequence[Part]) -> int:
    return sum(part.stop - part.start for part in parts)
