"""The emulator's process: the socket shell around `World`.

Owns what the connections of nodes, workers and the launcher lead to, the progress timer and the watchdog.
Does not own time, nodes or physics: it decodes a frame, calls the world, and sends what is in its
outbox. `main` takes CONTROL_FD LISTEN_FD LIVE_FD; all are inherited, the last two are
bound and listening already, so that nodes can connect while physics is still being imported. The last one
is served by live_socket.py.

Rules. The first frame on the control stream is `Supervise`. A connection that sends no valid Hello within
`HELLO_S` is closed, and so is one at its first frame that cannot be read. Each refusal is noted in
access.jsonl, and disturbs no node: the oldest connections without a Hello make room for new ones. The
launcher's end of file ends this process at once; after the outcome this process waits for it. Wall-clock time
is used here only, and only for what is not in the result.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from .. import wire
from ..errors import InfrastructureError, InternalError, QnetemError
from ..event_loops import new_event_loop
from ..kernel.conductor import Answer
from ..record.refusals import Refusals
from ..wire import control, run_files
from ..wire.framing import FrameSplitter
from ..wire.worker_frames import Worker
from .connections import READ_BYTES, ControlConnection, NodeConnection
from .live_socket import LiveCore, LiveSocket
from .watchdog import Label, Watchdog, silent_s
from .workers import WorkerConnection, Workers

#: So many connections may have sent no Hello, beside as many as there are nodes.
MOST_UNIDENTIFIED = 64
PROGRESS_S = 0.1
#: After the outcome the nodes have this long to hang up.
FAREWELL_S = 5.0
#: How long a broken connection waits to be explained by the exit of its process: on a busy machine too.
EXIT_S = 3.0
BACKLOG = 4096
#: How many characters of a refusal go into the log.
LONGEST_REASON = 200
#: A process that should start or exit may take so long: a start can take longer than a step.
MISSING_S = 60.0
_MISSING = {
    "hello": "its process should have been started, and has said no Hello",
    "exit": "its process has been killed, and its end is not known",
}


class WorldCore(Protocol):
    """What the shell needs of world.py."""

    outbox: list[tuple[str, msgspec.Struct]]
    resume_in_s: float | None
    settle_in_s: float | None

    @property
    def over(self) -> bool: ...
    @property
    def live(self) -> LiveCore: ...

    def start(self) -> None: ...
    def authenticate(self, hello: wire.Hello) -> str | None: ...
    def receive(self, node: str, incarnation: int, message: wire.ToEmulator) -> None: ...
    def worked(self, node: str, worked_s: float) -> None: ...
    def disconnected(self, node: str, incarnation: int, worker: Worker | None) -> None: ...
    def exited(
        self, node: str, incarnation: int, exit_status: int, worker: Worker | None
    ) -> None: ...
    def interrupt(self, reason: str, exit_code: int) -> None: ...
    def fail(self, error: QnetemError) -> None: ...
    def stalled(self, node: str, stacks: str) -> None: ...
    def silent(self) -> list[str]: ...
    def missing(self) -> list[tuple[Answer, str]]: ...
    def progress(self) -> control.Progress: ...
    def resume(self) -> None: ...
    def settle(self) -> None: ...


WorldFactory = Callable[[control.Supervise], WorldCore]


class Server:
    """Connections in, world's outbox out.

    Attributes: `world`, `connections` (all that stand), and two futures: `done` (the run is over and
    all nodes have hung up, or an exception of ours) and `control_closed` (the launcher's stream).
    """

    def __init__(
        self, world: WorldCore, run_folder: str, silent_s: float, workers: Workers | None = None
    ) -> None:
        """`workers`: None if every node has a process of its own."""
        self.world = world
        self._workers = workers or Workers(run_folder, "")
        self.connections: dict[NodeConnection, None] = {}
        self.control: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self.control_closed: asyncio.Future[None] = self._loop.create_future()
        self._nodes: dict[str, NodeConnection] = {}
        #: How processes have ended whose connections are still to be read to their ends.
        self._exits: dict[tuple[str, int], int] = {}
        #: Connections that have not said Hello yet, in the order in which they came.
        self._unidentified: dict[NodeConnection, None] = {}
        self._most_unidentified = len(world.progress().nodes) + MOST_UNIDENTIFIED
        self._watchdog = Watchdog(run_folder, silent_s)
        self._missing_s = max(silent_s, MISSING_S)
        #: Processes that should come or go, and since when nothing has changed about them.
        self._missing: list[tuple[Answer, str]] = []
        self._missing_since_s = 0.0
        self._refusals = Refusals(run_folder)
        self._reported = (-1, -1)
        self._farewell = False
        self._resume_timer: asyncio.TimerHandle | None = None
        self._settling = False
        self._live: LiveSocket | None = None

    async def serve(
        self,
        channel: socket.socket,
        listener: socket.socket,
        live_listener: socket.socket | None = None,
    ) -> None:
        """Serve until the run is over and the outcome has been handed to the launcher."""
        loop = self._loop
        loop.set_exception_handler(self._on_exception)
        await loop.create_connection(lambda: ControlConnection(self, FrameSplitter()), sock=channel)
        self.to_launcher(control.Ready())
        self.world.start()
        self.drain()
        # Not `create_unix_server`, which would look for the socket at the name it was bound by.
        server = await loop.create_server(
            lambda: NodeConnection(self), sock=listener, backlog=BACKLOG
        )
        if live_listener is not None:
            self._live = LiveSocket(self.world.live, self.hurry)
            await self._live.open(live_listener)
        self._tick()
        try:
            await self.done
        finally:
            server.close()
        await self._end_control()

    # --- what connections report ------------------------------------------------------------------

    def connected(self, connection: NodeConnection) -> None:
        """A connection has been made. All nodes may come at once; the oldest without a Hello makes room."""
        self._unidentified[connection] = None
        if len(self._unidentified) > self._most_unidentified:
            self.refuse(next(iter(self._unidentified)), "no Hello, and others wait at the door")

    def admit(self, connection: NodeConnection, hello: wire.Hello) -> None:
        """A Hello has been accepted: from now on this is the node's connection."""
        self._unidentified.pop(connection, None)
        if self.world.over:
            self._write(connection, wire.Stop())
            return
        self._nodes[connection.node] = connection
        self.world.receive(connection.node, connection.incarnation, hello)

    def admit_worker(self, connection: NodeConnection, hello: wire.WorkerHello) -> None:
        """The first frame of this connection is a worker's: it is no node's, but that of several."""
        why = self._workers.refusal(hello)
        if why is not None:
            self.refuse(connection, why)
            return
        assert connection.transport is not None
        self._unidentified.pop(connection, None)
        self.connections.pop(connection, None)
        if self.world.over:
            self._write(connection, wire.Stop())
        else:
            self._workers.admit(self, hello, connection.transport)

    def refuse(self, connection: NodeConnection, why: str, claim: wire.Hello | None = None) -> None:
        """Close a connection and say why; if it is a node's, the run ends with it."""
        if not self._refusals.full:
            sys.stderr.write(f"refused {connection.label}: {why[:LONGEST_REASON]}\n")
        self._unidentified.pop(connection, None)
        if connection.transport is not None:
            self._note_refusal(connection.transport, why, claim)
            connection.transport.abort()
        if connection.node:
            self.world.fail(InternalError(f"{connection.label} was refused: {why}"))
            self.drain()

    def _note_refusal(
        self, transport: asyncio.Transport, why: str, claim: wire.Hello | None
    ) -> None:
        try:
            self._refusals.add(transport.get_extra_info("socket"), claim, why)
        except OSError as error:  # a full disk: no refused connection shall end a run
            sys.stderr.write(f"access.jsonl cannot be written: {error}\n")

    def refuse_worker(self, worker: WorkerConnection, why: str) -> None:
        """A worker's frame cannot be read: the run ends."""
        worker.transport.abort()
        self.world.fail(InternalError(f"worker {worker.number} was refused: {why}"))
        self.drain()

    def killed_in_worker(self, connection: NodeConnection, status: int) -> None:
        """An incarnation has been killed in its worker, which lives on."""
        self._exits[connection.node, connection.incarnation] = status
        connection.connection_lost(None)

    def worker_hung_up(self, worker: WorkerConnection) -> None:
        """A worker's connection is gone, by whichever side; those of its nodes follow."""
        self._workers.connections.pop(worker.number, None)
        self._check_farewell()

    def hung_up(self, connection: NodeConnection) -> None:
        """A connection is gone, by whichever side."""
        self.connections.pop(connection, None)
        self._unidentified.pop(connection, None)
        if self._nodes.get(connection.node) is connection:
            del self._nodes[connection.node]
            label = (connection.node, connection.incarnation)
            if label in self._exits:
                self._report_exit(*label)
            else:
                # The launcher will soon say how the process ended; if it does not, the process lives.
                self._loop.call_later(EXIT_S, self._missed, *label)
        self._check_farewell()

    def _missed(self, node: str, incarnation: int) -> None:
        self.world.disconnected(node, incarnation, self._workers.of(node))
        self.drain()

    def _report_exit(self, node: str, incarnation: int) -> None:
        """The process has ended, and all its frames are read."""
        status = self._exits.pop((node, incarnation), None)
        if status is not None:
            self.world.exited(node, incarnation, status, self._workers.of(node))
            self.drain()

    def obey(self, message: control.FromLauncher) -> None:
        """A frame of the launcher."""
        match message:
            case control.Exited("", number, status):
                for exited in self._workers.exits(number, status):
                    self._note_exit(exited)
            case control.Exited():
                self._note_exit(message)
            case control.Interrupt(reason, exit_code):
                self.world.interrupt(reason, exit_code)
            case control.Supervise():
                raise InternalError("Supervise came twice")
        self.drain()

    def _note_exit(self, exited: control.Exited) -> None:
        """A process has ended: the world hears of it when all that it has sent is read."""
        node, incarnation = exited.node, exited.incarnation
        self._exits[node, incarnation] = exited.status
        connection = self._nodes.get(node)
        if connection is None or connection.incarnation != incarnation:
            self._report_exit(node, incarnation)
        else:
            # Its last frames may still be unread, with the reason of its end among them.
            self._loop.call_later(EXIT_S, self._report_exit, node, incarnation)

    # --- out --------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Carry out the world's outbox: one write for each connection, in order; then arm its timers.

        After every call of the world, also of one that leaves nothing in the outbox: in real time mode
        the timer of the next instant is armed here.
        """
        world = self.world
        if world.outbox:
            self._send(world.outbox)
        self._workers.flush()
        if world.over:
            self._say_farewell()
        elif world.resume_in_s is not None and self._resume_timer is None:
            self._resume_timer = self._loop.call_later(world.resume_in_s, self._resume)
        if world.settle_in_s is not None and not self._settling:
            self._settling = True
            self._loop.call_later(world.settle_in_s, self._settle)

    def _send(self, outbox: list[tuple[str, msgspec.Struct]]) -> None:
        # The launcher's frames are written at once, before those of nodes: a Thaw is on its way before
        # the Settle that the thawed process must answer.
        nodes, frame = self._nodes, wire.frame
        touched: list[NodeConnection] = []
        last: msgspec.Struct | None = None
        framed = b""
        for node, message in outbox:
            if not node:
                if not self._workers.obey(message):
                    self.to_launcher(message)
                continue
            connection = nodes.get(node)
            if connection is None:
                continue  # it has died; the world knows, or hears of it soon
            if not connection.pending:
                touched.append(connection)
            if message is not last:  # several nodes may get one grant
                last, framed = message, frame(message)
            connection.pending.append(framed)
        outbox.clear()
        # Only now, and once each: all frames for a node leave in one write, in the order of the outbox, so
        # that a node reads a Resend before the grant that follows it.
        for connection in touched:
            pending = connection.pending
            if connection.transport is not None:
                connection.transport.write(pending[0] if len(pending) == 1 else b"".join(pending))
            pending.clear()

    def _settle(self) -> None:
        """A node is lost, and no other one has been lost with it for long enough."""
        self.world.settle()
        self.drain()

    def hurry(self) -> None:
        """A request or something from outside was taken: the next instant may be due sooner."""
        if self._resume_timer is not None:
            self._resume_timer.cancel()
            self._resume()
        else:
            self.drain()

    def _resume(self) -> None:
        """Real time mode: the next instant is due."""
        self._resume_timer = None
        self.world.resume()
        self.drain()

    def to_launcher(self, message: msgspec.Struct) -> None:
        """Send a frame to the launcher."""
        if self.control is not None:
            self.control.write(wire.frame(message))

    def _write(self, connection: NodeConnection, message: wire.ToNode) -> None:
        if connection.transport is not None:
            connection.transport.write(wire.frame(message))

    # --- the end ----------------------------------------------------------------------------------

    def _say_farewell(self) -> None:
        if self._farewell:
            return
        self._farewell = True
        if self._live is not None:
            self._live.close()
        for connection in list(self.connections):
            if not connection.node and connection.transport is not None:
                connection.transport.close()
        self._workers.farewell()
        self._loop.call_later(FAREWELL_S, self._finish)
        self._check_farewell()

    def _check_farewell(self) -> None:
        if self._farewell and not self.connections and not self._workers.connections:
            self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    async def _end_control(self) -> None:
        """Send no more, and wait until the launcher has hung up.

        A busy launcher may still be sending. Had we closed, its next frame would break the stream at its
        end, and the outcome that it has not read yet would be lost.
        """
        if self.control is not None:
            self.control.write_eof()
            await self.control_closed

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception in a callback of ours ends the process: the world may have half an event."""
        error = context.get("exception")
        if error is None or "future" in context or self.done.done():
            loop.default_exception_handler(context)
        elif isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            problem = (
                f"the emulator can hold no more connections: {error.strerror}; see `ulimit -n`"
            )
            self.world.fail(InfrastructureError(problem))
            self.drain()
        else:
            self.done.set_exception(error)

    # --- wall-clock chores ------------------------------------------------------------------------

    def _tick(self) -> None:
        if self.world.over:
            return
        progress = self.world.progress()
        reported = (progress.t_ns, progress.instants)
        if reported != self._reported:
            self._reported = reported
            self.to_launcher(progress)
        now_s = time.monotonic()
        silent = self._silent()
        for label, nodes in silent.items():
            shell = self._workers.connections[label[1]] if not label[0] else self._nodes[nodes[0]]
            self._watchdog.observe(label, shell.pid, shell.frames, now_s)
        for label, stacks in self._watchdog.take_stalled(now_s):
            self._stalled(label, stacks, silent[label])
        self._look_for_missing(now_s)
        self._loop.call_later(PROGRESS_S, self._tick)

    def _silent(self) -> dict[Label, list[str]]:
        """The processes that are awaited, and the nodes for which each is."""
        found: dict[Label, list[str]] = {}
        for node in self.world.silent():
            connection = self._nodes.get(node)
            if connection is not None:
                number = connection.worker
                label = ("", number) if number else (node, connection.incarnation)
                found.setdefault(label, []).append(node)
        return found

    def _stalled(self, label: Label, stacks: str, awaited: list[str]) -> None:
        """A process is silent; in a worker the node at work is to blame."""
        node, number = label
        if not node:
            worker = self._workers.facts(number)
            node, stacks = worker.at_work or awaited[0], f"in {worker.words}:\n{stacks}"
        self.world.stalled(node, stacks)
        self.drain()

    def _look_for_missing(self, now_s: float) -> None:
        missing = self.world.missing()
        if missing != self._missing:
            self._missing, self._missing_since_s = missing, now_s
        elif missing and now_s - self._missing_since_s >= self._missing_s:
            kind, node = missing[0]
            self.world.stalled(node, f"{_MISSING[kind]} for {self._missing_s:g} s\n")
            self.drain()


def preload() -> None:
    """Import the physics, which `open_world` needs."""
    # Pydantic looks through all that is installed for plugins, which could change what is validated.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    from ..world import world  # noqa: F401


def open_world(settings: control.Supervise) -> WorldCore:
    """The real world of a run: the resolved topology, with a journal in the run folder.

    Raises QnetemError when the topology cannot be carried out.
    """
    from ..topology.model.topology import Topology
    from ..world.world import World

    data = msgspec.json.decode(Path(settings.topology_path).read_bytes())
    topology = Topology.from_data(data)
    return World(
        topology,
        journal_path=run_files.journal(settings.run_folder) if topology.record == "full" else None,
        secret=settings.secret,
        wall=time.monotonic,
        inputs=_inputs(run_files.inputs(settings.run_folder)),
    )


def _inputs(path: Path) -> list[wire.RecordedInput] | None:
    """What a replay feeds from outside; None for a run that is no replay."""
    if not path.exists():
        return None
    return msgspec.msgpack.decode(path.read_bytes(), type=list[wire.RecordedInput])


def receive_settings(channel: socket.socket) -> control.Supervise:
    """The launcher's first frame, read exactly, so that what follows it stays in the stream.

    Raises InternalError when it is something else, InfrastructureError at the end of file.
    """
    (size,) = wire.HEADER.unpack(_read_exactly(channel, wire.HEADER.size))
    message = control.decode_from_launcher(_read_exactly(channel, size))
    if not isinstance(message, control.Supervise):
        raise InternalError(f"{type(message).__name__} came before Supervise")
    return message


def _read_exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        portion = channel.recv(size - len(data))
        if not portion:
            raise InfrastructureError("the launcher has gone before the run began")
        data += portion
    return data


def _unbuilt(error: QnetemError) -> control.Outcome:
    """The outcome of a run whose world cannot be built."""
    problem = control.Problem(type(error).__name__, str(error), error.exit_code)
    return control.Outcome("", 0, "", 0, 0.0, 0, {}, {}, {}, problem)


async def _serve(
    world: WorldCore, settings: control.Supervise, channel: socket.socket, *listeners: socket.socket
) -> None:
    patience_s = silent_s(os.environ)
    workers = Workers(settings.run_folder, settings.secret, settings.workers)
    await Server(world, settings.run_folder, patience_s, workers).serve(channel, *listeners)


def _allow_files() -> None:
    """As many open files as may be: each node's connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a system whose own limit is lower says so
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(arguments: list[str], create_world: WorldFactory = open_world) -> int:
    """Serve one run; `arguments` are the numbers of the control and the listening descriptors."""
    channel, *listeners = (socket.socket(fileno=int(number)) for number in arguments)
    settings = receive_settings(channel)
    try:
        world = create_world(settings)
    except QnetemError as error:
        channel.sendall(wire.frame(_unbuilt(error)))
        channel.shutdown(socket.SHUT_WR)
        while channel.recv(READ_BYTES):  # as in Server: the launcher hangs up first
            pass
        return 0
    gc.freeze()
    _allow_files()
    channel.setblocking(False)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(world, settings, channel, *listeners))
    return 0
