"""The network layer: pairs between any two nodes, as a service beside the program.

Owns the words for programs, who handles a message, and what follows when neighbours and links go and come.
Does not own paths (routes/), circuits (circuits/) nor requests (path_requests.py, serving.py, measuring.py).

    async for pair in self.network.pairs("bob", count=100, min_fidelity=0.9):
        bit = await pair.measure("X")

and at bob `async for pair in self.network.arriving("alice", count=100)`. Repeaters need no program.

Rules: a word is over when all that it held has been handed over or given back. What cannot be is refused at
once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextvars import copy_context
from typing import Any, Literal

from msgspec import Raw

from ...emulator.errors import InputError, QubitError
from ...emulator.units import to_ns
from ...emulator.wire import LinkInfo
from ..network_words import Duration, NetworkOutcomes, NetworkPair, NetworkWords
from ..options.values import Seconds
from ..protocols.cleanup import DiscardOnError, discard_held
from ..protocols.session import seconds
from ..protocols.swap_orders import SwapOrder
from ..qubits import Axis, Pair
from ..service import Service, offered
from .circuits.circuit import LEFT, RIGHT, Circuit
from .circuits.head import Head
from .circuits.relay import Relay
from .circuits.signalling import Signalling
from .circuits.stream import LinkShare
from .circuits.tail import Tail
from .control import (
    Adverts,
    Alive,
    Asks,
    Awaits,
    Datum,
    Done,
    Finished,
    Forgotten,
    Gone,
    Hello,
    PathAnswer,
    PathQuery,
    Reach,
    Refresh,
    Signal,
    Track,
    What,
)
from .exchange import Exchange
from .measuring import Measuring
from .path_requests import PathInbox, PathRequest, pair_of
from .routes.knowledge import Knowledge
from .routes.neighbours import Neighbours
from .routes.routing import Metric
from .serving import Serving, Want

Mode = Literal["distributed", "controller"]
_SHORTEST_S = 1e-3


class Network(Service, NetworkWords):
    """Pairs between any two nodes that have this service.

    `mode`: `distributed` floods what nodes know and each works out its own paths; `controller` has them all
    from the node `controller`. `metric`: paths by `rate` or by `hops`. `order`: in which repeaters join.
    `window`: halves of each side of a circuit at a repeater; `end_window`: at its ends. `cutoff`: repeaters
    join no half that is older. `processing`: what each message takes here, one after the other. `hello`: from
    one hello to the next, `misses`: so many may be missed. `refresh`: how often a source refreshes a circuit.
    `penalty`: for how long a silent link counts as down. `settle`: how long a request waits for paths to be
    known; `outage`: how long one that has lost its path waits for another, without a deadline. `store`:
    halves are moved to storage qubits (None: where a node tells the two apart).
    """

    async def run(
        self,
        mode: Mode = "distributed",
        controller: str = "",
        metric: Metric = "rate",
        order: SwapOrder = "asap",
        window: int = 2,
        end_window: int = 16,
        cutoff: Seconds | None = None,
        processing: Seconds = 0.0,
        hello: Seconds = 0.1,
        misses: int = 3,
        refresh: Seconds = 1.0,
        penalty: Seconds = 1.0,
        settle: Seconds = 1.0,
        outage: Seconds = 10.0,
        store: bool | None = None,
    ) -> None:
        self._check(mode, controller, window, end_window, misses)
        if min(hello, refresh) < _SHORTEST_S:
            raise InputError(f"expected {_SHORTEST_S * 1e3:g} ms or more for hello and refresh")
        memory = self.memory
        self.stores = memory.communication is not None if store is None else store
        self.node, self.metric, self.order, self.cutoff_s = self._node, metric, order, cutoff
        self.settle_s, self.outage_s, self.refresh_ns = settle, outage, to_ns(refresh)
        self.processing_s = processing
        self._penalty_s = penalty
        self.context = copy_context()
        self._exchange = Exchange(self, to_ns(processing), self._on_signal, self._on_datum)
        self._shares: dict[str, LinkShare] = {}
        self._inboxes: dict[tuple[str, str], PathInbox] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused = 0
        self.controller = controller
        self.knowledge = Knowledge(
            self._node.welcome, memory.slots, controller, self.post, self._call_soon
        )
        silence_ns = to_ns(hello * (misses + 0.5))
        self._neighbours = Neighbours(
            self.knowledge.neighbours, self.now_ns, silence_ns, self._neighbour_changed
        )
        self.knowledge.use(self._neighbours.is_there)
        has_pool = any(
            info.name == self.tenant and info.slots is not None
            for info in self._node.welcome.services
        )
        self.signalling = Signalling(
            self,
            memory.slots,
            (window, end_window),
            has_pool,
            self.post,
            self._deliver,
            self.record,
            self.context,
        )
        self._serving = Serving(self)
        self._measuring = Measuring(self)
        self._exchange.receive_data()
        self.background(self._exchange.receive_signals(), "signals")
        for peer in self.knowledge.neighbours:
            if self.name < peer or self.incarnation > 1:
                self._exchange.channel(peer).greet()
        self.knowledge.announce()
        reported_ns = self.now_ns
        try:
            while True:
                await asyncio.sleep(hello)
                for peer in self.knowledge.neighbours:
                    self.tell(peer, Hello())
                self._neighbours.look(self.now_ns)
                if self.now_ns >= reported_ns + self.refresh_ns:
                    self.knowledge.report()  # a controller may have forgotten all
                    reported_ns = self.now_ns
        finally:
            await self._close()

    def _check(
        self, mode: Mode, controller: str, window: int, end_window: int, misses: int
    ) -> None:
        if min(window, end_window, misses) < 1:
            raise InputError("expected 1 or more for window, end_window and misses")
        if (mode == "controller") != bool(controller):
            raise InputError("expected `controller` with mode: controller, and not without")
        if controller and controller != self.name and not self._node.knows(controller):
            raise InputError(f"controller is {controller!r}, which is no node of the network")

    async def _close(self) -> None:
        held = [pair for inbox in self._inboxes.values() for _, pair in inbox.pairs]
        self.signalling.close()
        for name, value in (
            ("refused_messages", self._refused),
            ("refused_set_ups", self.signalling.refused),
            ("joins", self.signalling.joins[True]),
            ("failed_joins", self.signalling.joins[False]),
        ):
            if value:
                self.record(name, value)
        await discard_held(*held)

    # --- words ---

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
        cutoff: Duration = None,
    ) -> AsyncGenerator[NetworkPair, None]:
        use = self.caller if purpose is None else purpose
        want = Want(min_fidelity, priority, use, seconds(cutoff))
        async for pair in self.stream(peer, count, want, seconds(deadline), self.caller):
            yield pair

    async def stream(
        self, peer: str, count: int, want: Want, limit_s: float | None, taker: str
    ) -> AsyncGenerator[NetworkPair, None]:
        """The pairs of a request, handed over to `taker`."""
        request = self._serving.begin(peer, count, want, limit_s)
        try:
            while request.handed < count:
                circuit, pair = await request.next()
                handed = await self._handed(circuit, RIGHT, pair, taker)
                if not handed:
                    request.unconfirmed.append(pair.id)
                    circuit.advance()
                    continue
                request.handed += 1
                request.figures.ages_ns.append(pair.age_ns)
                if request.handed == count:
                    self._serving.finish(request)
                yield pair
        finally:
            await self._serving.end(request)

    @offered
    async def arriving(
        self, peer: str, *, purpose: str | None = None, count: int | None = None
    ) -> AsyncGenerator[NetworkPair, None]:
        self.check_peer(peer)
        inbox = self._inbox(peer, self.caller if purpose is None else purpose)
        handed, taker = 0, self.caller
        while count is None or handed < count:
            circuit, pair = await inbox.next()
            if await self._handed(circuit, LEFT, pair, taker):
                handed += 1
                yield pair

    @offered
    async def outcomes(
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
    ) -> NetworkOutcomes:
        use = self.caller if purpose is None else purpose
        want = Want(min_fidelity, priority, use, None)
        return await self._measuring.ask(
            peer, count, want, seconds(deadline), axes, weights, bases, peer_bases
        )

    @offered
    async def outcomes_with(self, peer: str, *, purpose: str | None = None) -> NetworkOutcomes:
        self.check_peer(peer)
        return await self._measuring.next(peer, self.caller if purpose is None else purpose)

    async def _handed(self, circuit: Circuit, side: int, pair: NetworkPair, taker: str) -> bool:
        """Hand a pair over; False if its half here is past its memory's cut-off."""
        try:
            if pair.expired:
                return False
            async with DiscardOnError(pair):
                await self.hand_over(pair, to=taker)
        except QubitError:
            return False
        finally:
            circuit.stream(side).release()
        return True

    def check_peer(self, peer: str) -> None:
        """Refuse what is no other node."""
        self._serving.check_peer(peer)

    # --- for circuits (Hub in circuits/circuit.py) ---

    def tell(self, peer: str, datum: Datum) -> None:
        """Send a bare message."""
        self._exchange.tell(peer, datum)

    def share(self, link: str) -> LinkShare:
        """The circuits over a link of this node."""
        return self._shares.setdefault(link, LinkShare())

    def link(self, name: str) -> LinkInfo:
        """A link of this node that heralds pairs."""
        return self.knowledge.links[name]

    def count_refused(self) -> None:
        """A message named what is not known, or no more."""
        self._refused += 1

    def link_silent(self, link: str) -> None:
        """Both ends have awaited pairs of it in vain for long: it counts as down for a while."""
        if link in self.knowledge.down:
            return
        self.knowledge.down[link] = "silent"
        self.knowledge.announce()
        self.signalling.link_down(link)
        loop = asyncio.get_running_loop()
        loop.call_later(self._penalty_s, self._link_again, link, context=self.context)

    def _link_again(self, link: str) -> None:
        self.knowledge.down.pop(link, None)
        self.knowledge.announce()
        self._serving.news()

    def background(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Do this beside all else."""
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _call_soon(self, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(action, context=self.context)

    # --- messages ---

    def post(self, peer: str, signal: Signal | Raw) -> None:
        """Say something over a channel; `Raw`: a signal that is encoded already."""
        self._exchange.post(peer, signal)

    def _on_signal(self, peer: str, signal: Signal) -> None:
        if isinstance(signal, Adverts):
            if self.knowledge.learn(signal.adverts, peer):
                self._serving.news()
        elif isinstance(signal, PathQuery):
            self.post(peer, self._serving.answer(peer, signal))
        elif isinstance(signal, Finished):
            self._measuring.finished(peer, signal)
        elif isinstance(signal, PathAnswer):
            self._serving.on_answer(signal)
        else:
            self.signalling.on(peer, signal)

    def _on_datum(self, peer: str, datum: Any) -> None:
        """A `Datum` has come: anything but a Hello."""
        # By exact types, because nearly all are tracks: to be no instance of a Struct is dear.
        if type(datum) is Forgotten:
            self.signalling.on_forgotten(peer, datum.id)
            return
        circuit = self.signalling.circuits.get(datum.id)
        if circuit is None:
            self.signalling.unknown(peer, datum.id)
            return
        if type(datum) is Done or type(datum) is Alive:
            if isinstance(circuit, Head) and peer == circuit.path[-1]:
                if type(datum) is Done:
                    circuit.on_done(datum)
                else:
                    circuit.seen_ns = self.now_ns
            else:
                self._refused += 1
            return
        side = self.signalling.side_of(circuit, peer)
        if side is None:
            self._refused += 1
        elif type(datum) is Track:
            if side == LEFT:
                circuit.on_track(datum)
            else:
                self._refused += 1
        else:
            self._on_hop(circuit, side, datum)

    def _on_hop(self, circuit: Circuit, side: int, datum: Any) -> None:
        """A message about a pair of one hop."""
        if isinstance(datum, Gone):
            circuit.on_gone(side, datum.number)
        elif isinstance(datum, Asks):
            circuit.on_asks(side, datum.numbers)
        elif isinstance(datum, Awaits):
            circuit.on_awaits(side, datum.number, datum.waited_ns)
        elif isinstance(datum, What):
            circuit.on_what(datum.number)
        elif isinstance(datum, Reach):
            if isinstance(circuit, Relay):
                circuit.on_reach(side, datum)
        elif isinstance(datum, Refresh) and side == LEFT:
            self.signalling.on_refresh(circuit)

    # --- what comes and goes ---

    def heard(self, peer: str) -> None:
        """Something has come from a node."""
        self._neighbours.heard(peer, self.now_ns)

    def _neighbour_changed(self, peer: str, is_there: bool) -> None:
        self.knowledge.announce()
        if is_there:
            self.knowledge.greet(peer)
        else:
            self.signalling.neighbour_lost(peer, "it is silent")
        self._serving.news()

    def peer_lost(self, peer: str, why: str) -> None:
        """What was agreed with a peer is lost."""
        self.signalling.neighbour_lost(peer, why)
        if peer == self.controller:
            self.knowledge.report()
        if "does not answer" in why:
            self._neighbours.lost(peer)
        elif peer in self.knowledge.neighbours:
            self.knowledge.greet(peer)

    # --- the far ends of requests ---

    def _inbox(self, peer: str, purpose: str) -> PathInbox:
        return self._inboxes.setdefault((peer, purpose), PathInbox(peer))

    def _deliver(self, circuit: Tail, number: int, half: Pair, fidelity: float) -> None:
        setup = circuit.setup
        pair = pair_of(circuit, number, half, fidelity, setup.path[0])
        if setup.axes:
            self._measuring.measure(circuit, pair)
        else:
            self._inbox(setup.path[0], setup.purpose).add(circuit, pair)

    def expired(self, qubits: frozenset[str]) -> None:
        """Halves past the memory's cut-off are replaced at once."""
        for circuit in list(self.signalling.circuits.values()):
            circuit.expired(qubits)

    # --- for people ---

    def waits(self) -> list[tuple[str, str, int, str]]:
        """What each circuit waits for here: its name, what, since when, and the peer."""
        return [
            (
                f"circuit {each.id}",
                f"{' - '.join(each.path)}: {each.waits_for()}",
                each.begun_ns,
                "",
            )
            for each in self.signalling.circuits.values()
        ]

    def record_request(self, request: PathRequest) -> None:
        """The figures of a request that is over."""
        for name, value in request.summary().items():
            self.record(f"{request.peer}.{name}", value)
