"""One node's process: the shell around `Node`.

Owns the ordinary asyncio loop, the emulator's socket, the line to the broker (mqtt.py), the signals,
and the files of this incarnation. Does not own what a grant means: that is Node's. In a worker (worker.py)
each node has a shell of its own, which gets a share of the worker's socket and of its line.

Rules. `Node` is stepped from plain callbacks of the loop only, never inside a task. After each call what it
stores is committed, then its outbox goes to the emulator and its publishes to the broker; either may be
there first. Hello is said only after the subscription stands. `Stop` ends the process with status 0, because
how a run ended is not for a node to judge. If the emulator's socket ends without it, the process is alive and
of no use: it ends with a status of its own, by which the emulator tells this from a death. An exception of
ours ends it with status 70 and a traceback in its log. SIGINT is ignored (the launcher decides); SIGUSR1
writes the stacks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, cast

from ...emulator import wire
from ...emulator.errors import InfrastructureError
from ...emulator.event_loops import new_event_loop
from ...emulator.wire.framing import FrameSplitter, short_path
from ..guards import guards
from ..node.storages import Shelf
from ..outside import Order
from .files import Log, NodeJournal, answer_stack_signal, redirect_output
from .mqtt import Inbox, Payload
from .outside import OutsideHalves, is_of_outside
from .settings import EXIT_INTERNAL, EXIT_LEFT, EXIT_UNREACHABLE, NodeSettings

#: The first `Resend` after a grant has waited this long for payloads, and the longest pause between two.
FIRST_RESEND_S, LONGEST_RESEND_S = 0.05, 1.0
CONNECT_S = 10.0
CONNECT_PAUSE_S = 0.05


class OutsideOrders(Protocol):
    """The orders of a node's openings to the outside."""

    orders: list[Order]


class StepStorages(Protocol):
    """What a node's services store."""

    shelf: Shelf | None

    def commit(self) -> None: ...
    def close(self) -> None: ...


class NodeCore(Protocol):
    """What the shell needs of agents/node/node.py."""

    outbox: list[Any]
    publishes: list[tuple[str, bytes]]

    @property
    def awaiting(self) -> bool: ...
    @property
    def outsides(self) -> OutsideOrders: ...
    @property
    def storages(self) -> StepStorages: ...

    def receive(self, message: wire.ToNode) -> None: ...
    def arrive(self, payloads: Sequence[Payload]) -> None: ...
    def lacking(self) -> list[wire.Resend]: ...
    def stacks(self) -> str: ...


NodeFactory = Callable[[wire.Welcome], NodeCore]


class Line(Protocol):
    """The way to the broker and back: an `Inbox`, or a node's share of one."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    def publish(self, messages: list[Payload]) -> None: ...
    def look(self) -> list[Payload]: ...
    def listen(self) -> None: ...
    def describe(self) -> str: ...


class CutOff(InfrastructureError):
    """The emulator's socket has ended without a `Stop`."""


class Shell(asyncio.Protocol):
    """A process at the emulator's socket: how it gets there, and how it leaves.

    Attributes: `left` (a future: None once the emulator is done with us, an exception of ours, or that the
    emulator's socket has ended before).
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.left: asyncio.Future[None] = self._loop.create_future()

    async def reach_emulator(self, path: str, node: str = "") -> None:
        """Connect. Raises InfrastructureError, which names the node."""
        deadline = self._loop.time() + CONNECT_S
        while True:
            try:
                with short_path(path) as reachable:
                    await self._loop.create_unix_connection(lambda: self, reachable)
                return
            except OSError as error:
                # It listens before the first node is started: what refuses will never listen again.
                gone = isinstance(error, ConnectionRefusedError) or not os.path.exists(path)
                if gone or self._loop.time() >= deadline:
                    raise InfrastructureError(
                        f"the emulator could not be reached: {error}", node
                    ) from error
            # A full queue of waiting connections, when many nodes start at once.
            await asyncio.sleep(CONNECT_PAUSE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.left.done():
            why = f": {exc}" if exc is not None else ""
            self.left.set_exception(CutOff(f"the connection to the emulator broke{why}"))

    def leave(self) -> None:
        """The emulator is done with us."""
        if not self.left.done():
            self.left.set_result(None)

    def on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception in a callback of ours ends the process; one that no await retrieved is noted.

        So is one in a callback of an outside half: as on any loop it ends nothing but the callback.
        """
        error = context.get("exception")
        foreign = context.get("protocol", self) is not self or is_of_outside(context)
        if error is None or "future" in context or foreign or self.left.done():
            loop.default_exception_handler(context)
        else:
            self.left.set_exception(error)


class NodeShell(Shell):
    """The sockets around one `Node`.

    `line`: to the broker, where it is not the node's alone.
    """

    def __init__(
        self,
        settings: NodeSettings,
        create_node: NodeFactory,
        logs: Sequence[Log] = (),
        line: Line | None = None,
    ) -> None:
        super().__init__()
        self._settings, self._create_node, self._logs = settings, create_node, logs
        self._node: NodeCore | None = None
        self._t_ns = 0
        self._failed = False
        self._journal: NodeJournal | None = None
        self._splitter = FrameSplitter()
        self._transport: asyncio.Transport | None = None
        self._waiting_since: float | None = None
        self._resend_timer: asyncio.TimerHandle | None = None
        self._resend_pause_s = FIRST_RESEND_S
        self._outside = OutsideHalves(settings.node, self._poke)
        self._inbox = line or Inbox(
            settings.broker,
            settings.run_id,
            settings.node,
            settings.client_id,
            self.on_payloads,
            self.on_reconnected,
            self._awaits_payloads,
        )

    async def open(self) -> None:
        """Subscribe, then connect to the emulator and say Hello.

        Raises InfrastructureError. If the broker cannot be reached, the emulator gets a `Failed`.
        """
        self._loop.set_exception_handler(self.on_exception)
        try:
            await self._inbox.open()
        except InfrastructureError as error:
            await self.reach_emulator(self._settings.socket_path, self._settings.node)
            self.fail(error)
            raise
        await self.reach_emulator(self._settings.socket_path, self._settings.node)

    def fail(self, error: Exception) -> None:
        """Report to the emulator that this process cannot continue."""
        if self._failed or self._transport is None or self._transport.is_closing():
            return
        self._failed = True
        kind = "infrastructure" if isinstance(error, InfrastructureError) else "internal"
        text = "".join(traceback.format_exception(error)) if kind == "internal" else ""
        problem = f"{self._settings.label}: {error if kind == 'infrastructure' else repr(error)}"
        self._transport.write(wire.frame(wire.Failed(kind, problem, text, self._t_ns)))

    async def close(self) -> None:
        """Flush what is left and close everything."""
        self.leave()  # from now on the end of the emulator's socket is our own doing
        await self._outside.close()
        await self._inbox.close()
        self.put_down()

    def kill(self) -> None:
        """End as SIGKILL ends a process, where it is shared with other nodes."""
        self._outside.abandon()
        self.put_down()

    def put_down(self) -> None:
        """Close all that needs no wait."""
        self.leave()
        if self._resend_timer is not None:
            self._resend_timer.cancel()
        if self._transport is not None:
            self._transport.close()
        if self._node is not None:
            self._node.storages.close()
        if self._journal is not None:
            self._journal.close()

    def stacks(self) -> str:
        """Where the program's tasks stand, and which payloads a grant waits for."""
        if self._node is None:
            return "the node waits for its Welcome\n"
        lines = [
            f"a grant waits for payloads {lack.seqs} of {lack.src} (incarnation {lack.inc})\n"
            for lack in self._node.lacking()
        ]
        return f"{self._inbox.describe()}\n{''.join(lines)}{self._outside.describe()}{self._node.stacks()}"

    # --- the emulator's socket --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        settings = self._settings
        hello = wire.Hello(settings.node, settings.incarnation, settings.token, os.getpid())
        self._transport.write(wire.frame(hello))

    def data_received(self, data: bytes) -> None:
        try:
            self._take(data)
        except Exception as error:
            # asyncio drops the connection before it hands the exception on: tell it now.
            self.fail(error)
            raise

    def _take(self, data: bytes) -> None:
        for body in self._splitter.feed(data):
            message = wire.decode_to_node(body)
            node = self._node
            if node is None:
                self._be_born(message, body)
            else:
                if type(message) is wire.Grant:
                    self._t_ns = message.t_ns
                if self._journal is not None and type(message) in wire.RECORDED_INPUT:
                    self._journal.body(body)
                node.receive(message)
                if node.awaiting:
                    self._fetch(node)
                self._settle(node)
                if type(message) is wire.Stop:
                    self.leave()
                    return

    def _be_born(self, message: wire.ToNode, body: bytes) -> None:
        """The first message: Welcome makes the node; Stop means that the run is over already."""
        if type(message) is wire.Stop:
            self.leave()
            return
        if not isinstance(message, wire.Welcome):
            raise InfrastructureError(f"{type(message).__name__} came before Welcome")
        if message.record == "full":
            self._journal = NodeJournal(self._settings.journal_path)
            self._journal.body(body)
        self._node = self._create_node(message)
        self._node.storages.shelf = Shelf(self._settings.stores_path)
        self._settle(self._node)

    # --- the broker -------------------------------------------------------------------------------

    def _awaits_payloads(self) -> bool:
        return self._node is not None and self._node.awaiting

    def _fetch(self, node: NodeCore) -> None:
        """Payloads that a grant names may be here already, unread; if not, they are taken when they come."""
        if payloads := self._inbox.look():
            self._hear(node, payloads)
        if node.awaiting:
            self._inbox.listen()

    def on_payloads(self, payloads: list[Payload]) -> None:
        """Something has come from the broker."""
        node = self._node
        if node is None:
            return  # before Welcome no node of the run can have sent anything
        self._hear(node, payloads)
        if node.outbox or node.publishes:
            self._settle(node)

    def _hear(self, node: NodeCore, payloads: list[Payload]) -> None:
        if self._journal is not None:
            for source, payload in payloads:
                self._journal.payload(source, payload)
        node.arrive(payloads)

    def on_reconnected(self) -> None:
        """The broker is back: what got lost with the line is asked for at once."""
        if self._waiting_since is not None:
            self._resend_pause_s = FIRST_RESEND_S
            self._ask_again()

    # --- after each call of the core --------------------------------------------------------------

    def _settle(self, node: NodeCore) -> None:
        """Send what the core has put out, or note that it waits for payloads.

        What the step stores is committed before all of it.
        """
        node.storages.commit()
        for log in self._logs:
            if log.trouble is not None:
                raise log.trouble
        outbox = node.outbox
        if outbox:
            assert self._transport is not None
            frames = [wire.frame(message) for message in outbox]
            if self._journal is not None:
                self._keep(self._journal, frames)
            self._transport.write(b"".join(frames))
            outbox.clear()
            if self._waiting_since is not None and not node.lacking():
                self._waiting_since = None
        elif self._waiting_since is None:
            # No answer: the core is waiting for payloads, or has nothing to say (it will tell).
            self._waiting_since = self._loop.time()
            self._resend_pause_s = FIRST_RESEND_S
            if self._resend_timer is None:
                self._resend_timer = self._loop.call_later(FIRST_RESEND_S, self._on_resend_timer)
        if node.publishes:
            publishes = list(node.publishes)
            node.publishes.clear()
            self._inbox.publish(publishes)
        if node.outsides.orders:
            orders = list(node.outsides.orders)
            node.outsides.orders.clear()
            self._outside.carry_out(orders)

    def _poke(self, item: wire.Input) -> None:
        """Something has come from outside: the emulator says when it is due."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(wire.frame(wire.Poke(item)))

    def _keep(self, journal: NodeJournal, frames: list[bytes]) -> None:
        """Record what the core did; before the emulator learns of it, as it may then have us killed."""
        assert self._node is not None
        for message, framed in zip(self._node.outbox, frames, strict=True):
            if type(message) in wire.RECORDED_OUTPUT:
                journal.frame(framed)
        journal.flush()

    def _on_resend_timer(self) -> None:
        """One lazy timer: it is not touched by payloads that come in time, which is nearly all."""
        self._resend_timer = None
        if self._waiting_since is None:
            return
        waited_s = self._loop.time() - self._waiting_since
        if waited_s < self._resend_pause_s:
            pause_s = self._resend_pause_s - waited_s
            self._resend_timer = self._loop.call_later(pause_s, self._on_resend_timer)
            return
        self._ask_again()

    def _ask_again(self) -> None:
        """Ask for what is lacking, over the emulator plane, and again after twice the pause."""
        lacking = self._node.lacking() if self._node is not None else []
        if not lacking or self._transport is None:
            self._waiting_since = None
            return
        self._transport.write(b"".join([wire.frame(resend) for resend in lacking]))
        self._waiting_since = self._loop.time()
        self._resend_pause_s = min(2 * self._resend_pause_s, LONGEST_RESEND_S)
        if self._resend_timer is not None:
            self._resend_timer.cancel()
        self._resend_timer = self._loop.call_later(self._resend_pause_s, self._on_resend_timer)


def _create_real_node(welcome: wire.Welcome) -> NodeCore:
    from ..node.node import Node

    return Node(welcome)


async def _live(settings: NodeSettings, create_node: NodeFactory, logs: Sequence[Log]) -> None:
    shell = NodeShell(settings, create_node, logs)
    answer_stack_signal(settings.stacks_path, shell.stacks)
    try:
        await shell.open()
        try:
            await shell.left
        except Exception as error:
            shell.fail(error)
            raise
    finally:
        await shell.close()


def run_node(settings: NodeSettings, create_node: NodeFactory = _create_real_node) -> int:
    """Live as one incarnation of a node until the emulator is done with it; the exit status.

    Takes over stdout, stderr, stdin and the signals of the calling process, which should be a fresh
    fork. Returns EXIT_LEFT, EXIT_UNREACHABLE, EXIT_INTERNAL (agents/process/settings.py) or EXIT_CUT_OFF
    (wire/messages.py).
    """
    logs = redirect_output(settings.log_path)
    return live(settings.label, lambda: _live(settings, create_node, logs))


def live(label: str, life: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Live a process's life on an ordinary loop; the exit status, as of `run_node`."""
    guards.install()
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(life())
    except InfrastructureError as error:
        sys.stderr.write(f"{label}: {error}\n")
        return wire.EXIT_CUT_OFF if isinstance(error, CutOff) else EXIT_UNREACHABLE
    except BaseException:  # noqa: BLE001 - the border of the process: it ends here, and says why
        traceback.print_exc()
        return EXIT_INTERNAL
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
    return EXIT_LEFT
