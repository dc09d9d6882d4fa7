"""A worker: one process in which several nodes live, each in the shell that it would have alone.

Owns what the nodes share: the ordinary loop, the emulator's socket with its rounds (emulator/wire/
worker_frames.py), the line to the broker, the modules of programs, the standard streams; and what the system
does for a node that has its own process, to begin and to end it. Does not own what a shell does (process.py).

Rules. What a round brings is done in its order, and what the nodes then have to say leaves in one. A round
that takes long is answered in parts: a worker is silent only while one node is. A killed node ends without a
word of its own, and the others do not see it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
from collections.abc import Sequence
from contextvars import Context
from typing import Any, cast

import msgspec

from ...emulator import wire
from ...emulator.errors import InfrastructureError
from ...emulator.program_modules import ProgramModules
from ...emulator.wire.framing import ANY_FRAME, FrameSplitter
from ...emulator.wire.worker_frames import Begin, End, Ended, Part, Round, decode_to_worker
from ..loop.finalizers import hooked
from ..node.node import Node
from .files import Log, answer_stack_signal, redirect_output
from .mqtt import Payload
from .output import NOWHERE, OwnStreams, beside, context_printing, printing, routed
from .process import NodeShell, Shell, live
from .settings import NodeSettings, WorkerSettings
from .shared_inbox import SharedInbox
from .step_marker import StepMarker

#: What a round has brought so far is answered after so long, in real time.
ANSWER_S = 0.5
#: Not the loop's time, which may stand for as long as a callback runs.
_monotonic = time.monotonic


class _Streams(asyncio.Transport):
    """One node's share of its worker's socket."""

    def __init__(self, worker: Worker, node: str) -> None:
        super().__init__()
        self._worker, self._node = worker, node
        self._closed = False

    def write(self, data: Any) -> None:
        """It leaves with the next round."""
        if not self._closed:
            self._worker.say(Part(self._node, data))

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        """From now on nothing leaves."""
        self._closed = True


class _Line:
    """One node's share of its worker's line to the broker; opened and closed by the worker."""

    def __init__(self, inbox: SharedInbox, node: str) -> None:
        self._inbox, self._node = inbox, node
        self.describe, self.listen = inbox.describe, inbox.listen

    async def open(self) -> None: ...
    async def close(self) -> None: ...

    def publish(self, messages: list[Payload]) -> None:
        """As of `Inbox`."""
        self._inbox.publish_from(self._node, messages)

    def look(self) -> list[Payload]:
        """As of `Inbox`."""
        return self._inbox.look_for(self._node)


class HostedNode:
    """A `Node` in a worker: it is marked while it is at work, and keeps the streams that it has replaced."""

    def __init__(self, worker: Worker, welcome: wire.Welcome, log: Log) -> None:
        self._marker, self._place = worker.marker, worker.place(welcome.name)
        self._own = OwnStreams()
        self._marker.write(self._place)
        try:
            self._node = node = Node(welcome, log, worker.modules)
        finally:
            self._marker.write()
        # The lists are the node's for its life: what the shell takes out of them is out.
        self.outbox, self.publishes = node.outbox, node.publishes
        self.outsides, self.storages = node.outsides, node.storages
        self.lacking, self.stacks = node.lacking, node.stacks

    @property
    def awaiting(self) -> bool:
        """As of `Node`."""
        return self._node.awaiting

    def receive(self, message: wire.ToNode) -> None:
        """As of `Node`."""
        self._begin()
        try:
            self._node.receive(message)
        finally:
            self._end()

    def arrive(self, payloads: Sequence[Payload]) -> None:
        """As of `Node`."""
        self._begin()
        try:
            self._node.arrive(payloads)
        finally:
            self._end()

    def kill(self) -> None:
        """Like a killed process it prints nothing more."""
        with printing(NOWHERE):
            self._node.kill()

    def _begin(self) -> None:
        self._marker.write(self._place)
        self._own.begin()

    def _end(self) -> None:
        self._own.end()
        self._marker.write()


class _Seat:
    """One incarnation of a node, and what the worker has for it."""

    def __init__(self, worker: Worker, settings: NodeSettings) -> None:
        self.log = Log(settings.log_path, settings.log_path, by_line=True)
        self.context: Context = context_printing(self.log)
        self.node: HostedNode | None = None
        self._worker = worker
        self.streams = _Streams(worker, settings.node)
        line = _Line(worker.inbox, settings.node)
        self.shell = NodeShell(settings, self._create, [self.log], line)

    def _create(self, welcome: wire.Welcome) -> HostedNode:
        self.node = HostedNode(self._worker, welcome, self.log)
        return self.node

    def kill(self) -> None:
        """End it as SIGKILL does. `close` then waits for its halves outside, which may clean up."""
        if self.node is not None:
            self.node.kill()
        self.shell.kill()

    async def close(self) -> None:
        """The run is over, or the node has been killed."""
        await self.shell.close()
        self.log.close()


class Worker(Shell):
    """The sockets around several nodes."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__()
        self._settings = settings
        self.modules = ProgramModules()
        self.marker = StepMarker(settings.step_path)
        self.inbox = SharedInbox(settings, self._on_payloads, self._on_reconnected, self._awaited)
        self._places = {node: place for place, node in enumerate(settings.nodes, 1)}
        self._seats: dict[str, _Seat] = {}
        self._ending: list[asyncio.Task[None]] = []
        self._splitter = FrameSplitter(ANY_FRAME)
        self._transport: asyncio.Transport | None = None
        self._unsaid: list[Part] = []
        self._will_say = False
        #: Why no node can continue, if so.
        self._trouble: InfrastructureError | None = None

    def place(self, node: str) -> int:
        """Which of the worker's nodes this is, from 1."""
        return self._places[node]

    async def open(self) -> None:
        """Subscribe, then connect to the emulator and say Hello.

        Raises InfrastructureError. If the broker cannot be reached, each node says so as soon as it begins.
        """
        self._loop.set_exception_handler(self.on_exception)
        try:
            await self.inbox.open()
        except InfrastructureError as error:
            self._trouble = error
        await self.reach_emulator(self._settings.socket_path)

    async def close(self) -> None:
        """Flush what is left and close everything."""
        self.leave()
        for seat in self._seats.values():
            await seat.close()
        await asyncio.gather(*self._ending)
        self._say_all()
        await self.inbox.close()
        if self._transport is not None:
            self._transport.close()
        self.marker.close()

    def stacks(self) -> str:
        """Where the nodes stand that a grant has reached."""
        return "".join(f"{name}:\n{seat.shell.stacks()}" for name, seat in self._standing())

    def _standing(self) -> list[tuple[str, _Seat]]:
        """The node at work; or else those that wait for payloads."""
        at_work = self.marker.place or self._half_at_work()
        found = [
            (name, self._seats[name]) for name, place in self._places.items() if place == at_work
        ]
        if found:
            return found
        seats = self._seats.items()
        return [(name, each) for name, each in seats if each.node and each.node.lacking()]

    def _half_at_work(self) -> int:
        """The place of the node whose outside half holds up the loop, if one does; it is marked, too."""
        for name, seat in self._seats.items():
            if seat.log is beside():
                self.marker.write(self.place(name))
                return self.place(name)
        return 0

    # --- the emulator's socket --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        settings = self._settings
        self._send(wire.WorkerHello(settings.number, settings.token, os.getpid()))

    def data_received(self, data: bytes) -> None:
        self._will_say = True  # below
        try:
            # Once for all steps: it costs as much as a small one.
            with hooked():
                for body in self._splitter.feed(data):
                    self._take(decode_to_worker(body))
                self.inbox.hand_out()
        finally:
            self._say_late()

    def _take(self, message: msgspec.Struct) -> None:
        if isinstance(message, Round):
            answer_at = _monotonic() + ANSWER_S
            for part in message.parts:
                self._have(part.node, "data_received", part.data)
                if _monotonic() >= answer_at:
                    self._say_all()
                    answer_at = _monotonic() + ANSWER_S
        elif isinstance(message, Begin):
            self._begin(message)
        elif isinstance(message, End):
            seat = self._seats.pop(message.node)
            seat.kill()
            self._ending.append(self._loop.create_task(seat.close()))
            gc.collect()  # with the process all that it had would be gone
            self._say_all()
            self._send(Ended(message.node, message.incarnation))
        else:
            self.leave()

    def _have(self, node: str, what: str, *arguments: Any) -> None:
        """Have a node's shell do something; what it says then tells how long it took."""
        seat, before, began_s = self._seats[node], len(self._unsaid), _monotonic()
        seat.context.run(getattr(seat.shell, what), *arguments)
        worked_s = _monotonic() - began_s
        for part in self._unsaid[before:]:
            part.worked_s = worked_s

    def _begin(self, order: Begin) -> None:
        settings = self._settings.of_node(order.node, order.incarnation, order.token)
        seat = self._seats[order.node] = _Seat(self, settings)
        seat.shell.connection_made(seat.streams)
        if self._trouble is not None:
            seat.shell.fail(self._trouble)

    def say(self, part: Part) -> None:
        """What a node has to say: all of it leaves together when this turn of the loop is over."""
        self._unsaid.append(part)
        if not self._will_say:
            self._will_say = True
            self._loop.call_soon(self._say_late)

    def _say_late(self) -> None:
        self._will_say = False
        self._say_all()

    def _say_all(self) -> None:
        if self._unsaid:
            unsaid, self._unsaid = self._unsaid, []
            self._send(Round(unsaid))

    def _send(self, message: msgspec.Struct) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(wire.frame(message))

    # --- the broker -------------------------------------------------------------------------------

    def _on_payloads(self, node: str, payloads: list[Payload]) -> None:
        if node in self._seats:
            self._have(node, "on_payloads", payloads)

    def _awaited(self) -> bool:
        return any(seat.node is not None and seat.node.awaiting for seat in self._seats.values())

    def _on_reconnected(self) -> None:
        for seat in self._seats.values():
            seat.shell.on_reconnected()


async def _live(settings: WorkerSettings) -> None:
    worker = Worker(settings)
    answer_stack_signal(settings.stacks_path, worker.stacks)
    try:
        await worker.open()
        await worker.left
    finally:
        await worker.close()


def run_worker(settings: WorkerSettings) -> int:
    """Host nodes until the emulator is done with them; the exit status, as of `run_node`."""
    redirect_output(settings.log_path)
    # Each node has a log and a record: as many open files as may be.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with routed():
        return live(settings.label, lambda: _live(settings))
