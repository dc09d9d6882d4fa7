"""The link layer: pairs with a neighbour, as a service beside the program.

Owns the words for programs and services, the checks of what they ask, and the way of messages to the ends of
links. Does not own how pairs are made and agreed on (link_end.py), nor paths over several links.

The service of Dahlberg et al., SIGCOMM 2019 (arXiv:1903.09778): a number of pairs of a fidelity, by a
deadline, with a priority and for a purpose, to keep or to be measured at once.

    link = self.service(LinkLayer)
    async for pair in link.pairs("bob", count=10, min_fidelity=0.9, deadline="1 s"):
        bit = await pair.measure("X")

and at bob `async for pair in self.service(LinkLayer).arriving("alice", count=10)`.

Rules: a word is over when all that it held has been handed over or given back. What cannot be is refused at
once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextvars import copy_context
from typing import Any

from ...emulator.errors import InputError, MessageError, QubitError
from ...emulator.units import to_ns
from ...emulator.wire import LinkInfo
from ..options.values import Seconds
from ..protocols.cleanup import DiscardOnError, discard_held
from ..protocols.session import seconds
from ..qubits import Axis, bloch
from ..service import Service, offered
from .array_requests import ArrayRequest, block_of
from .channel import Channel, Life
from .errors import DeadlinePassed, Unreachable, Withdrawn
from .inbox import Inbox
from .link_end import LinkEnd
from .link_facts import LinkFacts, setting_for
from .link_messages import KEEP, MEASURE, OUTCOMES, Asked, Item, Packet, indices_of, shares_of
from .requests import LinkOutcomes, LinkPair, Request
from .scheduling import Policy

#: The mailbox of the link layer: `<service>.control`.
_CONTROL = "control"
#: Repetitions of a message without an answer, before the peer is given up.
_TRIES = 10
#: Beside four latencies, before a message is repeated.
_REPEAT_S = 1e-3
_MEASURED_TURN = 64
Duration = str | float | None


class LinkLayer(Service):
    """Pairs over the links of this node.

    `policy`: `weighted` serves the purposes on a link in turns, in proportion to `weights` (1 for those not
    named), `first_come` request by request; both serve higher priorities first. `store`: halves are moved to
    storage qubits as soon as they are heard of. `repeat`: after how long a
    message of the link layer is repeated (None: 1 ms and four latencies of the link), at most `tries` times.
    """

    async def run(
        self,
        policy: Policy = "weighted",
        weights: dict[str, float] | None = None,
        store: bool = False,
        repeat: Seconds | None = None,
        tries: int = _TRIES,
    ) -> None:
        #: Whether halves are moved to storage qubits.
        self.stores = store
        self._start(policy, weights or {}, repeat, tries)
        try:
            while True:
                try:
                    message = await self._control.receive()
                except MessageError:
                    continue  # no message of a link layer
                if message.source in self._channels:
                    self._receive(message.source, message.incarnation, message.body)
        finally:
            held = [half for end in self._ends.values() for half in end.close()]
            held += [half for inbox in self._inboxes.values() for half in inbox.held()]
            await discard_held(*held)

    def _start(
        self, policy: Policy, weights: Mapping[str, float], repeat_s: float | None, tries: int
    ) -> None:
        if any(not weight > 0 for weight in weights.values()):
            raise InputError(f"weights are more than 0, found {dict(weights)}")
        #: What it does by itself is background, in whichever call it was begun.
        self.own_context = copy_context()
        self._control = self.port(_CONTROL, type=Packet)
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._inboxes: dict[tuple[str, str], Inbox] = {}
        self._channels: dict[str, Channel] = {}
        self._ends: dict[str, LinkEnd] = {}
        for info in self.links:
            if info.heralding is None:
                continue
            channel = self._channels.get(info.peer)
            if channel is None:
                wait_s = 4e-9 * info.latency_ns + _REPEAT_S if repeat_s is None else repeat_s
                channel = self._channels[info.peer] = self._channel_to(info.peer, wait_s, tries)
            self._ends[info.name] = LinkEnd(self, info, channel, policy, dict(weights))
        for peer, channel in self._channels.items():
            if self.name < peer or self.incarnation > 1:
                channel.greet()

    # --- what links promise ---

    @offered
    def facts(
        self,
        peer: str,
        *,
        alpha: float | None = None,
        min_fidelity: float = 0.0,
        storage: Duration = None,
        link: str | None = None,
    ) -> LinkFacts:
        """What the link to a neighbour promises, without faults: rate and fidelity.

        At `alpha`, or at the setting that a request for `min_fidelity` would get; `storage`: for pairs that
        are kept so long. Raises Unreachable, FidelityImpossible, InputError.
        """
        info = self._end(peer, link).info
        kept_ns = _ns(storage)
        return setting_for(info, min_fidelity, alpha, kept_ns)

    # --- requests of this node ---

    @offered
    async def pairs(
        self,
        peer: str,
        count: int = 1,
        *,
        min_fidelity: float = 0.0,
        deadline: Duration = None,
        priority: int = 0,
        purpose: str | None = None,
        confirmed: bool = False,
        storage: Duration = None,
        cutoff: Duration = None,
        alpha: float | None = None,
        link: str | None = None,
        to: str | None = None,
    ) -> AsyncIterator[LinkPair]:
        """Ask for pairs with a neighbour, whose program takes the other halves by `arriving`.

        `min_fidelity`: of each when both ends have heard of it and it was kept for `storage`; a single-click
        link is set to the largest alpha that reaches it, or to `alpha`. `deadline`: for all of them, from
        now. `priority`: higher ones are served first. `purpose`: both ends' word for the use, by default ""
        for programs, and the service's name for a service. `confirmed`: hand a pair over only when the other
        end has said that it has its half; without, a lost herald may leave this end a half without a partner.
        `cutoff`: a pair that is older when it could be handed over is dropped, and replaced. `to`: the tenant
        of this node that gets the pairs; None: which calls.

        Raises Unreachable, FidelityImpossible and InputError at once; DeadlinePassed and Withdrawn later.
        Leaving the loop withdraws the rest.
        """
        end, kept_ns = self._end(peer, link), _ns(storage)
        if confirmed:
            kept_ns += end.info.latency_ns
        facts = setting_for(end.info, min_fidelity, alpha, kept_ns)
        asked = self._asked(end.info, KEEP, count, priority, purpose, facts)
        asked.confirmed = confirmed
        request = Request(asked, True, self._limit, self.rng)
        timer = self._ask(end, request, deadline)
        cutoff_s, taker = seconds(cutoff), self.caller if to is None else to
        try:
            while request.handed < count:
                half = request.next_half()
                if half is None:
                    await request.change()
                elif await self._handed(end, request, half, cutoff_s, taker):
                    if request.handed == count:
                        end.finish(request)
                    end.advance()
                    yield half
        finally:
            if timer is not None:
                timer.cancel()
            end.fail(request, Withdrawn(f"{self.name} takes no more pairs of it", peer))

    @offered
    async def measured(
        self,
        peer: str,
        count: int,
        *,
        axes: Sequence[Axis] = ("Z",),
        weights: Sequence[float] | None = None,
        bases: Sequence[int] | None = None,
        peer_bases: Sequence[int] | None = None,
        min_fidelity: float = 0.0,
        deadline: Duration = None,
        priority: int = 0,
        purpose: str | None = None,
        alpha: float | None = None,
        link: str | None = None,
    ) -> LinkOutcomes:
        """Ask for pairs that both ends measure as soon as they hear of them; returns the outcomes here.

        Each end draws a basis for each pair, among `axes` with `weights`, from a generator of its own;
        `bases` and `peer_bases` give indices of axes for the pairs by their numbers instead. The other end
        has its outcomes by `measured_by`. Only pairs that both ends have measured count. Raises as `pairs`.
        """
        end = self._end(peer, link)
        facts = setting_for(end.info, min_fidelity, alpha)
        asked = self._asked(end.info, MEASURE, count, priority, purpose, facts)
        asked.axes = [bloch(axis) for axis in axes]
        asked.weights = shares_of(weights, len(asked.axes))
        asked.bases = indices_of(peer_bases, len(asked.axes))
        own = indices_of(bases, len(asked.axes))
        request = Request(asked, True, _MEASURED_TURN, self.rng, own)
        timer = self._ask(end, request, deadline)
        try:
            return await self._complete(end, request)
        finally:
            if timer is not None:
                timer.cancel()
            end.fail(request, Withdrawn(f"{self.name} takes no outcomes of it", peer))

    @offered
    async def outcomes(
        self,
        peer: str,
        count: int,
        *,
        axes: Sequence[Axis] = ("Z",),
        weights: Sequence[float] | None = None,
        min_fidelity: float = 0.0,
        deadline: Duration = None,
        priority: int = 0,
        purpose: str | None = None,
        alpha: float | None = None,
        link: str | None = None,
    ) -> LinkOutcomes:
        """As `measured`, for many pairs: a block of them is one operation, and one number of the request.

        Equal in distribution, and some hundred times faster to emulate; `numbers` count the rows. Needs
        `formalism: auto` or `density_matrix`, without `approximate`. Raises as `pairs`.
        """
        end = self._end(peer, link)
        facts = setting_for(end.info, min_fidelity, alpha)
        asked = self._asked(end.info, OUTCOMES, count, priority, purpose, facts)
        asked.axes = [bloch(axis) for axis in axes]
        asked.weights = shares_of(weights, len(asked.axes))
        asked.block, asked.longest_ns = block_of(count, facts.rate_hz, seconds(deadline))
        request = ArrayRequest(asked, True, _MEASURED_TURN, self.rng)
        timer = self._ask(end, request, deadline)
        try:
            return await self._complete(end, request)
        finally:
            if timer is not None:
                timer.cancel()
            end.fail(request, Withdrawn(f"{self.name} takes no outcomes of it", peer))

    # --- requests of the neighbours ---

    @offered
    async def arriving(
        self,
        peer: str,
        *,
        purpose: str | None = None,
        count: int | None = None,
        to: str | None = None,
    ) -> AsyncIterator[LinkPair]:
        """The pairs that a neighbour asks for, with this purpose: all of them, or `count`.

        As long as none takes them, no more are made than a few that lie here. `to` as for `pairs`. Raises
        Unreachable.
        """
        self._end(peer, None, several=True)
        inbox = self._inbox(peer, purpose)
        taker, handed = self.caller if to is None else to, 0
        with inbox.opened():
            self._advance(peer)
            while count is None or handed < count:
                request, half = await inbox.next()
                end = self._ends[half.link]
                if await self._handed(end, request, half, None, taker):
                    handed += 1
                    end.advance()
                    yield half
        self._advance(peer)

    @offered
    async def measured_by(self, peer: str, *, purpose: str | None = None) -> LinkOutcomes:
        """The outcomes here of the next request of a neighbour that is measured. Raises Unreachable."""
        self._end(peer, None, several=True)
        return await self._inbox(peer, purpose).next_outcomes()

    @offered
    def withdraw(self, request: str) -> None:
        """End a request of either end by its id: its source gets `Withdrawn`; harmless if it is over."""
        for end in self._ends.values():
            found, peer = end.requests.get(request), end.info.peer
            if found is not None:
                end.fail(found, Withdrawn(f"request {request}: withdrawn by {self.name}", peer))

    # --- for the ends of links ---

    def takes(self, request: Request) -> bool:
        """Whether more pairs of the request may come: there is room, and a program that takes them."""
        if request.own or request.measures:
            return request.has_room
        return request.has_room and self._inbox_of(request).is_open

    def accepted(self, asked: Asked, info: LinkInfo) -> Request:
        """A request of the other end."""
        if asked.kind == OUTCOMES:
            return ArrayRequest(asked, False, _MEASURED_TURN, self.rng)
        limit = self._limit if asked.kind == KEEP else _MEASURED_TURN
        return Request(asked, False, limit, self.rng, asked.bases)

    def arrived(self, request: Request) -> None:
        """The other end has asked for pairs."""
        if not request.measures:
            self._inbox_of(request).add(request)

    def came(self, request: Request) -> None:
        """A half has come, or an outcome."""
        if not request.own:
            self._inbox_of(request).wake()

    def ended(self, request: Request) -> None:
        """A request of the other end is over."""
        inbox = self._inbox_of(request)
        if not request.measures:
            inbox.end(request)
        elif request.finished:
            inbox.add_outcomes(request.table())

    def background(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Do this beside all else."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- messages ---

    def _channel_to(self, peer: str, repeat_s: float, tries: int) -> Channel:
        def send(number: int, acknowledged: int, life: int, to: Life, item: Any) -> None:
            packet = Packet(number, acknowledged, life, to, item)
            self._node.send(peer, packet, "link", port=self._control.name)

        def lost(why: str) -> None:
            for end in self._ends.values():
                if end.info.peer == peer:
                    end.lost_state(why)

        own = self.own_context
        return Channel(self.incarnation, send, self._deliver, lost, repeat_s, tries, own)

    def _receive(self, source: str, incarnation: int, packet: Packet) -> None:
        self._channels[source].receive(
            incarnation,
            packet.life,
            packet.number,
            packet.acknowledged,
            (packet.to[0], packet.to[1]),
            packet.item,
        )

    def _deliver(self, item: Item) -> None:
        end = self._ends.get(item.link)
        if end is not None:
            end.on(item)

    # --- helpers ---

    async def _complete(self, end: LinkEnd, request: Request) -> LinkOutcomes:
        """Wait until both ends have measured all pairs of the request."""
        while request.rows < request.asked.count or request.checked < request.scheduled:
            if request.rows >= request.asked.count:
                end.check(request)
            await request.change()
        end.finish(request)
        return request.table()

    @property
    def _limit(self) -> int:
        """Halves of one request that may lie here: half of the slots, for other requests want some too."""
        return max(1, self.memory.slots // 2)

    def _end(self, peer: str, link: str | None, several: bool = False) -> LinkEnd:
        found = [
            end
            for end in self._ends.values()
            if end.info.peer == peer and link in (None, end.info.name)
        ]
        if not found:
            which = "no link" if link is None else f"no link {link!r}"
            raise Unreachable(f"{self.name} has {which} to {peer!r} that heralds pairs", peer)
        if len(found) > 1 and not several:
            names = ", ".join(end.info.name for end in found)
            raise InputError(f"several links lead to {peer}: expected `link`, one of {names}")
        return found[0]

    def _advance(self, peer: str) -> None:
        for end in self._ends.values():
            if end.info.peer == peer:
                end.advance()

    def _inbox(self, peer: str, purpose: str | None) -> Inbox:
        use = self.caller if purpose is None else purpose
        return self._inboxes.setdefault((peer, use), Inbox())

    def _inbox_of(self, request: Request) -> Inbox:
        peer = request.id.partition(".")[0]
        return self._inboxes.setdefault((peer, request.asked.purpose), Inbox())

    def _asked(
        self, info: LinkInfo, kind: str, count: int, priority: int, purpose: str | None,
        facts: LinkFacts,
    ) -> Asked:  # fmt: skip
        if count < 1:
            raise InputError(f"count is {count}, expected at least 1")
        self._count += 1
        use = self.caller if purpose is None else purpose
        return Asked(
            id=f"{self.name}.{self.incarnation}.{self._count}",
            link=info.name,
            count=count,
            kind=kind,
            purpose=use,
            priority=priority,
            alpha=facts.alpha,
            fidelity=facts.fidelity,
        )

    def _ask(
        self, end: LinkEnd, request: Request, deadline: Duration
    ) -> asyncio.TimerHandle | None:
        limit_s = seconds(deadline)
        if limit_s is not None and limit_s <= 0:
            raise DeadlinePassed(end.info.peer, 0, request.asked.count)
        end.ask(request)
        if limit_s is None:
            return None

        def pass_deadline() -> None:
            had = request.rows if request.measures else request.handed
            end.fail(request, DeadlinePassed(end.info.peer, had, request.asked.count))

        return asyncio.get_running_loop().call_later(limit_s, pass_deadline)

    async def _handed(
        self, end: LinkEnd, request: Request, half: LinkPair, cutoff_s: float | None, taker: str
    ) -> bool:
        """Hand a half over; False if it had become too old, of which the other end learns."""
        if cutoff_s is not None and half.age_ns > cutoff_s * 1e9:
            await discard_held(half)
        elif not half.expired:
            try:
                async with DiscardOnError(half):
                    await self.hand_over(half, to=taker)
            except QubitError:
                pass  # discarded at its cut-off while it waited for a slot
            else:
                request.handed += 1
                return True
        end.expired(request, half)
        return False


def _ns(duration: Duration) -> int:
    length_s = seconds(duration)
    return 0 if length_s is None else to_ns(length_s)
