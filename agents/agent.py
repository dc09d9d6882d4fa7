"""Agent: the class every program subclasses.

Owns the words of programs, but for pulse trains (pulses/words.py); the node does the work (node/node.py).
A program is plain asyncio: `asyncio.sleep`, `timeout`, `TaskGroup`, `Queue`, `gather` tick in virtual time.

    class Alice(Agent):
        async def run(self, rounds: int = 10):
            pair = await self.entangle("bob")
            bit = await pair.measure("X")
            await self.send("bob", {"bit": bit}, kind="outcome")
            return {"bit": bit}
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..emulator.errors import BellMeasurementFailed, LinkError, ServiceError
from ..emulator.units import parse_ns, to_ns
from ..emulator.wire import (
    Allocate,
    AnyOperation,
    BellMeasure,
    Entangle,
    Joined,
    LinkInfo,
    Transmit,
)
from ..emulator.wire import Join as JoinOperation
from . import probes
from .contacts import next_contact, planned
from .frames import Frame, has_happened
from .messages import Message, plain_name, plain_names
from .network_words import NetworkWords
from .outside import LARGEST_ITEM, MOST_UNANSWERED, Outside, OutsideHalf
from .ports import Port, of_body
from .pulses.words import PulseWords
from .qubits import Memory, Pair, Qubit, names_of

if TYPE_CHECKING:
    from .interface import NodeInterface

_Held = TypeVar("_Held", "Qubit", "Pair")
_Service = TypeVar("_Service", bound="Agent")

_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class Agent(PulseWords):
    """A program on a node. Subclass it and write `async def run(self, ...)`.

    The arguments of `run` are the YAML's `with`, checked against the annotations. What `run` returns
    (JSON) is the node's result. All times are virtual; Python itself costs none.
    """

    run: Callable[..., Awaitable[Any]]

    def __init__(self, node: NodeInterface) -> None:
        self._node = node
        #: This node's name.
        self.name: str = node.welcome.name
        #: 1, and one more with each restart.
        self.incarnation: int = node.welcome.incarnation
        #: "" for a program; a service's name.
        self.tenant: str = node.name
        #: A generator of its own; the only source of randomness it may use.
        self.rng: np.random.Generator = node.rng
        #: Its slots for qubits.
        self.memory = Memory(node, node.slots)
        #: A logger whose lines carry virtual time.
        self.log: logging.Logger = node.log

    # --- where and when ---

    @property
    def now_ns(self) -> int:
        """Virtual time in ns, since the run began."""
        return self._node.now_ns

    @property
    def epoch(self) -> datetime:
        """The calendar's time at which virtual time was 0, in UTC: `time: {epoch: ...}`, else 1970."""
        return _moment(self._node.welcome.epoch_ns)

    @property
    def utc(self) -> datetime:
        """The calendar's time by this node's clock, in UTC, to the microsecond below."""
        return _moment(self._node.welcome.epoch_ns + self._node.now_ns)

    @property
    def links(self) -> tuple[LinkInfo, ...]:
        """The links of this node, in the order of their names."""
        return tuple(self._node.welcome.links)

    @property
    def neighbours(self) -> tuple[str, ...]:
        """The nodes at the other end of a link, each once, in the order of their names."""
        return tuple(sorted({link.peer: None for link in self._node.welcome.links}))

    @property
    def peers(self) -> tuple[str, ...]:
        """All other nodes of the network, in the order of their names."""
        own = self._node.welcome.name
        return tuple(name for name in self._node.welcome.nodes if name != own)

    async def compute(self, duration: str | float) -> None:
        """Let virtual time pass as if something were computed: `"3 us"`, or seconds as a number."""
        ns = parse_ns(duration) if isinstance(duration, str) else to_ns(duration)
        await self._node.sleep_ns(ns)

    async def perform(self, program: type[Agent], **options: Any) -> Any:
        """Run another program's `run(**options)` here, as a part of this one; returns its result.

        It has this node's name, memory, generator, messages and records.
        """
        return await program(self._node).run(**options)

    # --- messages ---

    async def send(
        self, destination: str, body: Any = None, *, kind: str = "", port: str | None = None
    ) -> None:
        """Send a classical message; returns at once (the network decides when it arrives).

        `body`: a JSON value, a dataclass, a msgspec Struct, or numpy's numbers and small arrays. `port`: the
        mailbox it is for; None is the own one, "" for a program and its name for a service. Raises
        MessageError for other bodies, for a port that is another tenant's here and for a service's message to
        programs, LinkError for a destination that is no node of the network. A dead destination is no error.
        """
        self._node.send(destination, body, kind, port=port)

    async def broadcast(self, body: Any = None, *, kind: str = "") -> None:
        """One `send` per neighbour, in the order of their names."""
        for neighbour in self.neighbours:
            self._node.send(neighbour, body, kind)

    async def receive(
        self,
        source: str | None = None,
        *,
        kind: str | None = None,
        type: Any = None,
        where: Callable[[Any], bool] | None = None,
        damaged: bool = False,
        port: str | None = None,
    ) -> Message:
        """The next message (from `source`, of `kind`); waits for one, in virtual time.

        Only what came on the own port, or on `port`: a program never sees a service's messages.

        `type`: a type to decode the body to (MessageError if it does not fit). `where`: only messages
        for whose decoded body it is true; the others stay for other receivers. It is asked when this
        call begins, and when a message comes. Damaged messages are skipped unless `damaged=True`, which
        yields their raw bytes. Cancelling loses no message.
        """
        condition = None if where is None else of_body(where, type)
        message = await self._node.receive_message(source, kind, damaged, condition, port)
        return message.read(type)

    def port(
        self,
        name: str,
        *,
        type: Any = None,
        keys: Callable[[Any], Sequence[str]] | None = None,
    ) -> Port:
        """A mailbox apart, which both ends know by one name; a service's is called `<service>.<name>`.

        `keys`: what to file each body under, as `type`: a body is decoded once, when it comes, and
        `receive(key=)` looks at no others. Damaged bodies and others that are no `type` have no key. Raises
        MessageError for a service's port on a node that has the service.
        """
        name = plain_name(name, "a port")
        return Port(self._node, f"{self.tenant}.{name}" if self.tenant else name, type, keys)

    # --- the outside ---

    def outside(
        self,
        half: OutsideHalf,
        *args: Any,
        largest: int = LARGEST_ITEM,
        unanswered: int = MOST_UNANSWERED,
    ) -> Outside:
        """Open to the outside: run `half(inside, *args)` in real time, with sockets, and await its requests.

        `async with self.outside(serve) as requests`, then `async for request in requests`; the half calls
        `await inside.put(item)`, which gives the reply. An item is bytes or a JSON value of at most `largest`
        bytes; `put` waits while `unanswered` are unanswered. Needs `time: {mode: real}` and a process of the
        node's own; a replay feeds the requests again. Raises Refused elsewhere, InputError for a half that is
        a method of the program. See docs/outside.md.
        """
        return Outside(self._node, half, args, largest, unanswered)

    # --- services of this node ---

    @property
    def services(self) -> Any:
        """The services of this node by their names: `self.services.ticker.count()`.

        Raises ServiceError for one that is not there or has failed, and for a word that it does not offer.
        """
        return self._node.services

    def service(self, kind: type[_Service]) -> _Service:
        """The service of this node that is a `kind`, with its types; only its `offered` words can be called.

        Raises ServiceError if there is none, or several.
        """
        found: _Service = self._node.services.of(kind)
        return found

    @property
    def network(self) -> NetworkWords:
        """The network layer of this node: `self.network.pairs("bob", count=100, min_fidelity=0.9)`.

        Raises ServiceError on a node without that service (`services: {link: {}, network: {}}`).
        """
        try:
            found: NetworkWords = self._node.services.of(NetworkWords)
        except ServiceError as error:
            hint = "a topology gives nodes one by `services: {link: {}, network: {}}`"
            raise ServiceError(f"{self.name} has no network layer: {hint} ({error})") from error
        return found

    async def hand_over(self, held: _Held, to: str | None = None) -> _Held:
        """Give a qubit or a pair to another tenant of this node, with its frame; returns it.

        `to`: a service's name, or "" for the program; None in an offered method is who calls. Waits for a
        free slot of the receiver's pool. Raises InputError for a name that is no tenant of this node,
        QubitError.
        """
        if to is None:
            to = self._node.caller
        (name,) = names_of(held)
        async with self._node.frames.turn([name]):
            held.belong_to(await self._node.hand_over(name, to))
        return held

    # --- qubits ---

    async def qubit(self) -> Qubit:
        """A fresh qubit in |0>; waits for a free slot."""
        name = await self._node.obtain(Allocate)
        return Qubit(self._node, name)

    async def transmit(
        self, qubit: Qubit | Pair, to: str, *, link: str | None = None, port: str | None = None
    ) -> None:
        """Send a qubit over a link; its slot is free at once. It may be lost, without any sign.

        A service's is for the service of that name at the other end, a program's for the program; `port`
        names another. A frame that is open is applied first, by gates: the other end does not know it.
        Returns when it has left. Raises LinkError (no link, or several and no `link`), QubitError.
        """
        (name,) = names_of(qubit)
        to, link = plain_names(to, link)
        port = self.tenant if port is None else plain_name(port, "a port")
        async with self._node.frames.turn([name]):
            await Qubit(self._node, name)._apply_frame()
            await self._node.operate(lambda number: Transmit(number, name, to, link, port))

    async def receive_qubit(self, source: str | None = None) -> Qubit:
        """The next qubit that has arrived (from `source`), with `arrived_ns`; waits for one.

        A lost photon gives no event. An arrival that finds no free slot is lost.
        """
        arrival = await self._node.receive_arrival(source)
        return Qubit(self._node, arrival.qubit, arrival.source, arrival.t_ns, arrival.port)

    async def bell_measure(self, first: Qubit | Pair, second: Qubit | Pair) -> tuple[int, int]:
        """Bell measurement of two qubits held here, which are consumed: (z, x).

        (0, 0) Phi+, (0, 1) Psi+, (1, 0) Phi-, (1, 1) Psi-: the two are Phi+ after X^x Z^z on one of them.
        It makes no difference which one comes first. After a teleportation X^x Z^z on the far half undoes
        the outcome: `pair.shift(z, x)`. Frames of the two are accounted for in the outcome. Raises
        BellMeasurementFailed at a node whose `bell_measurement` has not succeeded; the two are consumed.
        """
        names = names_of(first) + names_of(second)
        found, frame = await self._consume(names, lambda number: BellMeasure(number, *names))
        if not found:
            raise BellMeasurementFailed(qubits=names, node=self.name)
        z, x = found
        return int(z) ^ frame[0], int(x) ^ frame[1]

    async def _consume(
        self, names: list[str], make: Callable[[int], AnyOperation]
    ) -> tuple[Any, Frame]:
        """The outcome of a Bell measurement of two qubits, and the frames it used up."""
        frames = self._node.frames
        async with frames.turn(names):
            try:
                outcome = await self._node.operate(make)
            except BaseException as error:
                if has_happened(error):
                    frames.take(names)
                raise
            return outcome, frames.take(names)

    # --- pairs ---

    async def entangle(
        self,
        peer: str,
        *,
        link: str | None = None,
        raw: bool = False,
        purpose: str | None = None,
        alpha: float | None = None,
    ) -> Pair:
        """A heralded pair with a neighbour; both ends must ask. Waits for slot, peer and success.

        Only requests of one `purpose` match: "" for programs, and the service's name for services, if it is
        not given. `alpha`: the bright population of a single-click link, the same at both ends; None is the
        link's own.

        The state is Phi+ (with the link's noise) after the herald's correction; with `raw=True` at either
        end it is as heralded, which `pair.bell` tells both. Each end has its half when its herald arrives.
        Cancelling withdraws the request: no slot stays taken, and no half is left over here. Raises
        LinkError (no such link, or several and no `link`), OperationError for a link without such an `alpha`.
        """
        peer, link = plain_names(peer, link)
        use = self.tenant if purpose is None else plain_name(purpose, "a purpose")
        herald = await self._node.obtain(
            lambda number: Entangle(
                number, peer, link, bool(raw), use, None if alpha is None else float(alpha)
            )
        )
        return Pair(
            self._node,
            herald.pair,
            herald.peer,
            herald.link,
            Qubit(self._node, herald.qubit),
            herald.emitted_ns,
            herald.goodness,
            herald.bell,
        )

    async def join(self, left: Pair, right: Pair) -> Joined:
        """Entanglement swapping: measure both halves here in the Bell basis; the far ends share a pair.

        The result names the pairs it consumed and the outcome (z, x), frames included.
        If both pairs were Phi+, the far halves are Phi+ after X^x Z^z on one of them. Not `ok`: the node's
        `bell_measurement` has not succeeded, and both pairs are lost.
        """
        first, second = left.qubit.name, right.qubit.name
        joined, (z, x) = await self._consume(
            [first, second], lambda number: JoinOperation(number, first, second)
        )
        if not joined.ok:
            return Joined(left.id, right.id, 0, 0, False)
        return Joined(left.id, right.id, joined.z ^ z, joined.x ^ x)

    # --- the record ---

    def record(self, name: str, value: Any) -> None:
        """Note a value (as for `send`) in the journal; numbers also become the metric `<node>.<name>`."""
        self._node.note(name, value)

    async def probe(
        self,
        name: str,
        held: Qubit | Pair | Sequence[Qubit | Pair],
        target: Sequence[complex] | str | None = None,
        *,
        parties: Sequence[str] | None = None,
        label: str = "",
    ) -> None:
        """Have the recorder note a fidelity as metric `<node>.<name>.fidelity`.

        The node itself learns nothing, and the state does not change. Frames that are open, here
        or at the other half's node, count as applied.
        `target`: a state by name ("phi+", "psi+", "phi-", "psi-", "0", "1", "+", "-", "+i", "-i", "ghz", "w")
        or its vector, 2**n amplitudes for n qubits; None: Phi+. Of a pair one half is enough for Bell states.

        `parties`: nodes that hold one qubit each, in the order of the target's factors; `pair.ends` for
        a pair. Each of them calls `probe` with the same name as soon as it has its qubit, and continues.
        Once all have, the fidelity of their joint state is noted for each: as it is then, or as it was
        when the first of them used its qubit. Calls belong together by the pair's id, by `label`, or
        (without) by their order. Raises OperationError for what does not fit.
        """
        await probes.probe(self._node, name, held, target, parties, label)

    async def contact(self, peer: str, *more: str, link: str | None = None) -> int | None:
        """Wait until links to `peer` and to each of `more` are in contact at once; when that ends, in ns.

        Contacts are what the link of a satellite has (`links`: `contacts`). A link that stays, and a peer
        without a link, limit nothing: None where there is nothing to wait for. `link` names one where there
        are several. Raises LinkError when no more such contacts are planned, and for nodes that are none.
        """
        peers = (peer, *more)
        for each in peers:
            if each not in self.peers:
                raise LinkError(node=self.name, peer=each, why="no such node")
        contacts = planned(self.links, peers, link)
        if contacts is None:
            return None
        since_ns, end_ns = next_contact(self.name, peers, contacts, self.now_ns)
        if since_ns > self.now_ns:
            await asyncio.sleep((since_ns - self.now_ns) / 1e9)
        return end_ns

    def link_to(self, peer: str) -> LinkInfo:
        """The only link to `peer`. Raises LinkError when there is none, or several."""
        found = [link for link in self.links if link.peer == peer]
        if len(found) != 1:
            why = "no link" if not found else f"several links: {[link.name for link in found]}"
            raise LinkError(node=self.name, peer=peer, why=why)
        return found[0]


def _moment(unix_ns: int) -> datetime:
    return _1970 + timedelta(microseconds=unix_ns // 1000)
