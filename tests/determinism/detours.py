"""Lines that are bad on purpose: proxies between nodes and emulator, and between nodes and broker.

Owns `Detour`, `Detoured` and `slow_run`. Bytes of one connection keep their order, as on any stream; those
of different connections overtake each other. All times are real; every delay is drawn from a seed, but
what the delays meet with is up to the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import socket
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qnetem.emulator.loading import Topology
from qnetem.emulator.wire.control import Outcome
from qnetem.emulator.wire.framing import short_path
from qnetem.launcher.launcher import Launcher, RunOptions
from tests.accounts import LOGIN, open_broker

from .lab import PATIENCE_S

READ_BYTES = 65536
NARROW_BYTES = 8192
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Delays:
    """Longest time that a portion of bytes is held back on its way from a node, and to it.

    `loses`: what a node has written and is still held back when it hangs up is lost with it.
    `passes`: after so many portions on their way to a node a connection swallows the rest.
    `stalls_s`: longest time that nothing is read for a node after each portion, so that it piles up there.
    `lives_s`: longest time after its first answer until a connection is reset, towards both sides.
    """

    seed: int
    from_node_s: float = 0.0
    to_node_s: float = 0.0
    loses: bool = False
    passes: int = sys.maxsize
    stalls_s: float = 0.0
    lives_s: float = math.inf


class Detour:
    """A proxy. Counts the `portions` of bytes it has held back for 1 ms or more, and its `resets`."""

    def __init__(self, delays: Delays, onward: Callable[[], Awaitable[Ends]]) -> None:
        self.portions = self.resets = 0
        self._delays, self._onward = delays, onward
        self._rng = random.Random(delays.seed)
        self._tasks: dict[asyncio.Task[None], None] = {}

    @contextlib.asynccontextmanager
    async def at_port(self) -> AsyncIterator[int]:
        """Serve at a free port of this machine."""
        server = await asyncio.start_server(self._serve, "127.0.0.1")
        async with self._serving(server):
            yield server.sockets[0].getsockname()[1]

    @contextlib.asynccontextmanager
    async def at_path(self, path: str) -> AsyncIterator[None]:
        """Serve at a Unix socket."""
        async with self._serving(await asyncio.start_unix_server(self._serve, path)):
            yield

    @contextlib.asynccontextmanager
    async def _serving(self, server: asyncio.Server) -> AsyncIterator[None]:
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = None
        delays = self._delays
        try:
            far_reader, far_writer = await self._onward()
            for end in (writer, far_writer):
                _at_once(end)
            answered = asyncio.Event()
            resetting = asyncio.create_task(self._reset_some_time(answered, writer, far_writer))
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(
                        self._pass(reader, far_writer, delays.from_node_s, delays.loses)
                    )
                    both.create_task(self._answer(answered, far_reader, writer))
            finally:
                resetting.cancel()
        except asyncio.CancelledError:
            pass  # the end of the test; nothing awaits a connection's task
        except OSError:
            writer.close()
        finally:
            del self._tasks[task]

    async def _answer(
        self, answered: asyncio.Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The way back to the node."""
        delays = self._delays
        await self._pass(
            reader, writer, delays.to_node_s, False, delays.passes, delays.stalls_s, answered
        )

    async def _reset_some_time(
        self, answered: asyncio.Event, *writers: asyncio.StreamWriter
    ) -> None:
        lives_s = self._delays.lives_s
        if lives_s < math.inf:
            await answered.wait()
            await asyncio.sleep(self._rng.uniform(0, lives_s))
            self.resets += 1
            for writer in writers:
                reset(writer)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        longest_s: float,
        loses: bool = False,
        passes: int = sys.maxsize,
        stalls_s: float = 0.0,
        began: asyncio.Event | None = None,
    ) -> None:
        """Write what is read a while later, in order, and then the end."""
        loop = asyncio.get_running_loop()
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(self._write(held, writer))
                async for data in _portions(reader):
                    if began is not None:
                        began.set()
                    if passes > 0:
                        held.put_nowait((loop.time() + self._rng.uniform(0, longest_s), data))
                    passes -= 1
                    if stalls_s:
                        await asyncio.sleep(self._rng.uniform(0, stalls_s))
                if loses:
                    writing.cancel()
                held.put_nowait((0.0, b""))
        finally:
            writer.close()

    async def _write(
        self, held: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await held.get()
            if not data:
                return
            pause_s = due - loop.time()
            self.portions += pause_s >= 0.001
            await asyncio.sleep(max(pause_s, 0))
            writer.write(data)


async def _portions(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """What comes, until the other side hangs up or is killed."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(READ_BYTES):
            yield data


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection at once: what is under way is lost, and over TCP the other side gets a reset."""
    end = writer.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _at_once(writer: asyncio.StreamWriter) -> None:
    """A TCP connection shall not wait for more to send: the delays are ours alone."""
    end = writer.get_extra_info("socket")
    if end.family == socket.AF_INET:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Detoured(Launcher):
    """A launcher whose nodes get another address of the emulator than its own.

    `front` is that address, and `only` the one node that gets it (None: all do).
    """

    front = ""
    only: str | None = None
    _spawning = ""

    def _path(self, name: str) -> str:
        there = name == "emulator" and self._spawning and self.only in (None, self._spawning)
        return self.front if there else super()._path(name)

    async def to_emulator(self) -> Ends:
        """A connection to where the emulator really is."""
        with short_path(super()._path("emulator")) as reachable:
            return await asyncio.open_unix_connection(reachable)

    def _spawn(self, node: str, incarnation: int) -> None:
        self._spawning = node
        super()._spawn(node, incarnation)
        self._spawning = ""


async def slow_run(
    topology: Topology,
    folder: Path,
    *,
    reports: Delays,
    messages: Delays,
    broker: str = "mosquitto",
) -> tuple[Outcome, int, int]:
    """A run whose nodes have slow lines to emulator (`reports`) and broker (`messages`).

    The outcome, and how many portions of bytes were held back on the two.
    """
    outcome, to_emulator, to_broker = await detoured_run(
        topology, folder, reports=reports, messages=messages, broker=broker
    )
    return outcome, to_emulator.portions, to_broker.portions


async def detoured_run(
    topology: Topology, folder: Path, *, reports: Delays, messages: Delays, broker: str
) -> tuple[Outcome, Detour, Detour]:
    """A run with such lines; the outcome, and the proxies before emulator and broker."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(PATIENCE_S))
        real = await stack.enter_async_context(open_broker(broker, folder / "broker"))
        to_broker = Detour(messages, lambda: _narrow_connection(real.host, real.port))
        port = await stack.enter_async_context(to_broker.at_port())
        options = RunOptions(f"127.0.0.1:{port}", runs_folder=folder, broker_login=LOGIN)
        launcher = Detoured(topology, options)
        launcher.front = stack.enter_context(front())
        to_emulator = Detour(reports, launcher.to_emulator)
        await stack.enter_async_context(to_emulator.at_path(launcher.front))
        await stack.enter_async_context(launcher)
        outcome = await launcher.wait()
    return outcome, to_emulator, to_broker


@contextlib.contextmanager
def front() -> Iterator[str]:
    """A path for a socket; not in pytest's folder, because such a path is short."""
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        yield f"{folder}/front"


async def _narrow_connection(host: str, port: int) -> Ends:
    """A connection whose buffer holds little, so that a sender soon feels that its peer does not read."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BYTES)
    end.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(end, (host, port))
        return await asyncio.open_connection(sock=end, limit=NARROW_BYTES)
    except BaseException:
        end.close()
        raise
