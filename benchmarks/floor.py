"""What lock-step costs with nothing in it: `python benchmarks/floor.py NODES ROUNDS` prints seconds.

One process grants, `NODES` forked ones report; each side is a bare `asyncio.Protocol` on a Unix socket
that encodes and decodes the very structs of the emulator plane. No clock, no program, no journal, and
not even a splitter: in lock-step one read is one frame. The event loop is that of our processes. Nothing
with these structs in Python can be faster, so the ratio to this tells what time, programs and records cost.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import cast

from qnetem.emulator import wire
from qnetem.emulator.event_loops import new_event_loop

_HEADER = wire.HEADER.size
_STEP_NS = 1_000_000
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class _Reporter(asyncio.Protocol):
    """A node: answers each grant."""

    def __init__(self) -> None:
        self.left: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        grant = wire.decode_to_node(data[_HEADER:])
        assert isinstance(grant, wire.Grant)
        report = wire.Report(grant.t_ns, grant.m, grant.t_ns + _STEP_NS)
        self._transport.write(wire.frame(report))

    def connection_lost(self, exc: Exception | None) -> None:
        self.left.set_result(None)


class _Granter:
    """The emulator: grants all, waits for all."""

    def __init__(self, rounds: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.connections: list[_Connection] = []
        self._left, self._t_ns, self._missing = rounds, 0, 0

    def grant(self) -> None:
        if not self._left:
            self.done.set_result(None)
            return
        self._left -= 1
        self._t_ns += _STEP_NS
        self._missing = len(self.connections)
        for connection in self.connections:
            connection.transport.write(wire.frame(wire.Grant(self._t_ns, 0)))

    def reported(self) -> None:
        self._missing -= 1
        if not self._missing:
            self.grant()


class _Connection(asyncio.Protocol):
    """The emulator's end of one socket."""

    transport: asyncio.Transport

    def __init__(self, granter: _Granter) -> None:
        self._granter = granter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._granter.connections.append(self)

    def data_received(self, data: bytes) -> None:
        wire.decode_to_emulator(data[_HEADER:])
        self._granter.reported()


async def _report(stream: socket.socket) -> None:
    _, reporter = await asyncio.get_running_loop().create_connection(_Reporter, sock=stream)
    await reporter.left


async def _grant(streams: list[socket.socket], rounds: int) -> float:
    granter = _Granter(rounds)
    loop = asyncio.get_running_loop()
    for stream in streams:
        await loop.create_connection(lambda: _Connection(granter), sock=stream)
    began = time.perf_counter()
    granter.grant()
    await granter.done
    seconds = time.perf_counter() - began
    for connection in granter.connections:
        connection.transport.close()
    return seconds


def _fork(streams: list[socket.socket], loop_factory: LoopFactory) -> int:
    """A child at the other end of the last stream; it has none of the others open."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        for stream in (*streams, ours):
            stream.close()
        theirs.setblocking(False)
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_report(theirs))
        os._exit(0)
    theirs.close()
    ours.setblocking(False)
    streams.append(ours)
    return pid


def main(nodes: int, rounds: int, loop: str = "") -> None:
    """Fork, measure, reap. `loop`: `asyncio` for that module's own event loop."""
    loop_factory = asyncio.new_event_loop if loop == "asyncio" else new_event_loop
    gc.freeze()
    streams: list[socket.socket] = []
    pids = [_fork(streams, loop_factory) for _ in range(nodes)]
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        print(runner.run(_grant(streams, rounds)))
    for pid in pids:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
