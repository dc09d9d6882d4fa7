"""A tenant of a node: its program, or one of its services, and what it owns.

Owns what an Agent asks of its node (interface.py), its mail, its generator, its log, and which operations,
qubits and records are its own. Does not own when a tenant starts and ends (tenants.py), nor what is sent and
kept (node.py, payloads.py, outgoing.py).

Rules. What a tenant does is its own, in whichever task it is called: the object that is asked says whose.
Whatever a cancelled await can no longer take is given back: an operation is withdrawn, a qubit discarded, a
message put back.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ....emulator.errors import InputError, LinkError, MessageError
from ....emulator.wire import (
    Allocate,
    AnyOperation,
    Arrival,
    Discard,
    Entangle,
    HandOver,
    Herald,
    Note,
    Send,
)
from ...loop.owners import PROGRAM, Owner, context_of, current
from ...mailbox import Mailbox
from ...messages import Message, body_hash, encode_body, plain_name, unseal
from ..held_qubits import ACCOUNTS, QUBITS_OF
from ..limits import COLUMNS, EACH_BYTES
from ..waiting import NamedFuture, OperationFuture

if TYPE_CHECKING:
    from ...agent import Agent
    from ..node import Node
    from ..outsides import Outsides
    from ..storages import Storages
    from .handles import Call, Services


#: Ports that a tenant has used and need not be looked at again.
_MOST_PORTS = 256


class Tenant:
    """A program (`name` "") or a service, in one incarnation of its node. It is a `NodeInterface`."""

    def __init__(
        self, node: Node, name: str, rng: np.random.Generator, log: logging.Logger, slots: int
    ) -> None:
        self.node, self.name, self.rng, self.log, self.slots = node, name, rng, log, slots
        self.welcome, self.loop, self.frames = node.welcome, node.loop, node.frames
        #: Every task that starts from here is this tenant's.
        self.context = node.loop.context
        if name:
            self.context = context_of(Owner(name), node.loop.context)
        #: Its mail by port; its own port has the tenant's name.
        self.mail: dict[str, Mailbox[Message]] = {name: Mailbox()}
        self.landed: Mailbox[Arrival] = Mailbox()
        #: Ports that it has been found to be allowed to send to.
        self._sends_to: dict[str, None] = {}
        self.agent: Agent | None = None
        self.main: asyncio.Task[Any] | None = None
        #: It has ended: nothing is handed to it any more. `failed`: by an exception.
        self.over = self.failed = False
        #: Calls of other tenants that are under way.
        self.calls: dict[Call, None] = {}
        #: How many blocks say that they work for a program.
        self.at_work = 0
        self._out, self._held = node.out, node.held
        self._services: Services | None = None

    @property
    def where(self) -> str:
        """The tenant in words: `alice`, or `service ticker of alice`."""
        node = self.welcome.name
        return f"service {self.name} of {node}" if self.name else node

    #: Virtual time in ns, as this node's clock shows it. Asked so often that a frame of Python would show.
    now_ns: int = property(attrgetter("loop.now_ns"))  # type: ignore[assignment]

    def knows(self, node: str) -> bool:
        """Whether there is a node of that name in the network."""
        return node in self.node.names

    @property
    def outsides(self) -> Outsides:
        """The node's openings to the outside."""
        return self.node.outsides

    @property
    def storages(self) -> Storages:
        """The node's stores."""
        return self.node.storages

    # --- operations ---

    def operate(self, make: Callable[[int], AnyOperation]) -> OperationFuture:
        """Issue an operation; await its end. Cancelled: it is withdrawn.

        The await raises what the emulator answers (OperationError and its kin).
        """
        out = self._out
        number = out.number = out.number + 1
        if self.name:
            out.owners[number] = self.name
        operation = make(number)
        allowance = out.allowance
        if allowance.left < EACH_BYTES or COLUMNS.get(type(operation)):
            allowance.operation(operation)
        else:
            allowance.left -= EACH_BYTES
        named = QUBITS_OF.get(type(operation))
        if named is not None:
            for qubit in named(operation):
                if qubit not in self._held.names:  # a handle that the program has made or changed
                    plain_name(qubit, "a qubit")
        future = OperationFuture(self.loop, self, operation)
        if not self.node.dead:
            self.node.operations[number] = future
            out.operations.append(operation)
        return future

    async def obtain(self, make: Callable[[int], AnyOperation]) -> Any:
        """As `operate`, for operations that yield a qubit: a result that no await takes is discarded."""
        future = self.operate(make)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self.discard_result(future.operation, future.result())
            raise

    def withdraw(self, operation: AnyOperation) -> None:
        """The await of this operation was cancelled: no result will come.

        One that uses a qubit up runs to its end all the same, so the qubit counts as gone.
        """
        if self.node.operations.pop(operation.number, None) is None:
            return
        self._out.cancels.append(operation.number)
        if not isinstance(operation, (Allocate, Entangle, HandOver)):
            account = ACCOUNTS.get(type(operation))
            if account is not None:
                account(self._held, operation, None, self.name)

    def discard_result(self, operation: AnyOperation, value: Any) -> None:
        """No await took this result: its qubit is discarded."""
        if isinstance(operation, (Allocate, Entangle)):
            qubit = value.qubit if isinstance(value, Herald) else str(value)
            self._held.release(qubit)
            number = self._out.next_number(self.name)
            self._out.operations.append(Discard(number, [qubit]))

    def has_expired(self, qubit: str) -> bool:
        """Whether the memory has discarded the qubit at its cut-off."""
        return qubit in self._held.expired

    async def departure(self, qubit: str) -> bool:
        """Wait until the qubit has left its slot; whether the memory has discarded it."""
        return await self._held.departure(qubit)

    @property
    def slots_in_use(self) -> int:
        """Qubits held, and slots promised to open requests, in the pool of this tenant."""
        return self.node.tenants.slots_in_use(self.name)

    async def hand_over(self, qubit: str, to: str) -> Tenant:
        """Give a qubit to another tenant; waits for a slot of its pool. Raises InputError, QubitError."""
        taker = self.node.tenants.named(to)
        if taker is None:
            raise InputError(f"{self.where} hands over to {to!r}, which is no tenant of this node")
        if taker is self:
            return taker
        if self.node.tenants.share_slots(self.name, to) and qubit in self._held.names:
            # There is no slot to wait for: the qubit is the taker's from now on.
            self._held.names[qubit] = self._out.handed[qubit] = to
        else:
            await self.operate(lambda number: HandOver(number, qubit, to))
        return taker

    # --- messages ---

    def send(
        self, destination: str, body: Any, kind: str, claims: str = "", port: str | None = None
    ) -> None:
        """Publish a message and report it. Raises MessageError, LinkError.

        `claims`: a forgery, which shall pass as that node's. `port`: the mailbox at the destination.
        """
        node, out = self.node, self._out
        if type(destination) is not str or destination not in node.names:
            destination = self._peer(destination)
        if type(kind) is not str or kind:
            kind = plain_name(kind, "a kind")
        if type(claims) is not str or claims:
            claims = plain_name(claims, "a node")
        if port is None:
            port = self.name
        elif type(port) is not str or port not in self._sends_to:
            port = self._checked(port)
        encoded = encode_body(body)
        out.allowance.message(len(destination) + len(kind) + len(port))
        if node.dead:
            return
        seq, payload = node.payloads.sent(kind, encoded, port)
        digest = body_hash(encoded)
        out.sends.append(Send(destination, seq, kind, len(encoded), digest, claims, port))
        if destination == self.welcome.name:
            node.payloads.arrived(destination, unseal(payload))
        else:
            node.publishes.append((destination, payload))

    def _peer(self, destination: object) -> str:
        """The name of a node of the network. Raises MessageError, LinkError."""
        name = plain_name(destination, "a node")
        if name not in self.node.names:
            raise LinkError(node=self.welcome.name, peer=name, why=f"no node is called {name!r}")
        return name

    def _checked(self, port: str) -> str:
        """A port that this tenant may send to. Raises MessageError for another's, and for programs'."""
        port = plain_name(port, "a port")
        owner = self.node.tenants.owner_of(port)
        if owner != self.name and (owner or not port):
            raise MessageError(f"{self.where} cannot use the port {port!r}, which is {_of(owner)}")
        if len(self._sends_to) < _MOST_PORTS:
            self._sends_to[port] = None
        return port

    def _own(self, port: str) -> str:
        """A port that this tenant may receive on. Raises MessageError for another tenant's."""
        if type(port) is str and port in self.mail:
            return port
        port = plain_name(port, "a port")
        owner = self.node.tenants.owner_of(port)
        if owner != self.name:
            raise MessageError(f"{self.where} cannot use the port {port!r}, which is {_of(owner)}")
        return port

    def open_port(self, port: str, type: Any, keys: Callable[[Any], Sequence[str]] | None) -> None:
        """Keep a mailbox for a port, with bodies of `type` under their keys. Raises MessageError."""
        box = self.mailbox(self._own(port))
        if keys is None or box.is_indexed:
            return

        def of(message: Message) -> Sequence[str]:
            try:
                return () if message.damaged else keys(message.decoded(type))
            except MessageError:
                return ()
            except Exception as error:  # noqa: BLE001 the tenant's own, as what a callback raises
                self.loop.note_unhandled("the keys of a port raised", error, self.name)
                return ()

        box.index(of)

    def mailbox(self, port: str) -> Mailbox[Message]:
        """The mailbox of a port of this tenant."""
        box = self.mail.get(port)
        if box is None:
            box = self.mail[port] = Mailbox()
        return box

    def receive_message(
        self,
        source: str | None,
        kind: str | None,
        damaged: bool,
        where: Callable[[Message], bool] | None = None,
        port: str | None = None,
        keys: Sequence[str] = (),
    ) -> Awaitable[Message]:
        """The next message that fits."""

        def fits(message: Message) -> bool:
            return (
                (source is None or message.source == source)
                and (kind is None or message.kind == kind)
                and (damaged or not message.damaged)
                and (where is None or where(message))
            )

        port = self.name if port is None else self._own(port)
        shown = "" if port == self.name else port
        plain = source is None and kind is None and where is None and not damaged
        return self.mailbox(port).take(
            _is_whole if plain else fits,
            lambda: NamedFuture(self.loop, "a message", source, kind, shown),
            keys,
        )

    def handle_messages(self, port: str, type: Any, handle: Callable[[str, Any], None]) -> None:
        """Have `handle(source, body)` called with what comes on the port and is a `type`, from now on.

        In this context, message after message, at the turn at which a task that awaits them would run, and
        without that task, its futures and its turns. Damaged messages are skipped.
        """
        box, context = self.mailbox(self._own(port)), copy_context()

        def drain() -> None:
            for message in box.take_all():
                if message.damaged:
                    continue
                try:
                    body = message.decoded(type)
                except MessageError:
                    continue
                handle(message.source, body)

        box.notify = lambda: self.loop.call_soon(drain, context=context)
        if box:
            box.notify()

    def receive_arrival(self, source: str | None) -> Awaitable[Arrival]:
        """The next qubit that has landed."""
        return self.landed.take(
            lambda arrival: source is None or arrival.source == source,
            lambda: NamedFuture(self.loop, "a qubit", source),
        )

    # --- time, and the record ---

    async def sleep_ns(self, duration_ns: int) -> None:
        """Wait for exactly this many virtual ns."""
        future = self.loop.create_future()
        handle = self.loop.call_later_ns(duration_ns, _wake, future)
        try:
            await future
        finally:
            handle.cancel()

    def note(self, name: str, value: Any) -> None:
        """Report a value for the record.

        Raises MessageError when it is not JSON or too much, InputError when its metric is another's.
        """
        name = self._recorded(plain_name(name, "a record's name"))
        encoded = encode_body(value, self.welcome.hash_key)
        self._out.allowance.record(name, len(encoded))
        note = Note(name, msgspec.json.decode(encoded))
        if isinstance(note.value, (int, float)):
            self.node.metric_names.record(note.name, self.name)
        self._out.notes.append(note)

    def name_probe(self, name: str) -> str:
        """Reserve the metrics of a probe; returns its name in the record.

        Raises InputError when another metric has one of their names.
        """
        name = self._recorded(name)
        self.node.metric_names.probe(name, self.name)
        return name

    def _recorded(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name

    # --- tenants to each other ---

    @property
    def services(self) -> Services:
        """The handles of the node's services, as this tenant may call them."""
        if self._services is None:
            self._services = self.node.tenants.handles(self)
        return self._services

    @property
    def caller(self) -> str:
        """In a call of another tenant: its name."""
        return current().caller or ""

    @contextmanager
    def working(self) -> Iterator[None]:
        """While the block lasts the tenant's timers count as those of a program."""
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1

    def owner_for(self, caller: Tenant) -> Owner:
        """Who does what `caller` has this tenant do."""
        foreground = current().foreground if caller.name else PROGRAM.foreground
        return Owner(self.name, caller.name, foreground)

    def __repr__(self) -> str:
        return f"<Tenant {self.where}>"


def generator_of(entropy: list[int], service: str) -> np.random.Generator:
    """A tenant's generator: the node's own for the program, for a service one spawned by its name."""
    key: tuple[int, ...] = ()
    if service:
        digest = hashlib.blake2b(service.encode(), digest_size=16).digest()
        key = tuple(int.from_bytes(digest[at : at + 4], "big") for at in range(0, 16, 4))
    seed = np.random.SeedSequence(entropy, spawn_key=key)
    return np.random.Generator(np.random.PCG64(seed))


def _is_whole(message: Message) -> bool:
    return not message.damaged


def _of(owner: str) -> str:
    return f"service {owner}'s" if owner else "the program's"


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
