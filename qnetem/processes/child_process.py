"""A child process of the launcher, at the other end of a stream: the emulator, the zygote.

Owns the process from start to reaping, and the frames in both directions. Does not own what the frames
mean. All times are real.

Rules: the child ends with its parent (parent_death.py; `at_death` is the signal), has a process group of its
own, out of the terminal's reach, an empty stdin, and logs to a file. The end of the stream asks it to leave;
if it does not, it is killed by its pid.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from ..emulator.errors import InfrastructureError
from ..emulator.wire import ANY_FRAME, frame
from ..emulator.wire.framing import FrameSplitter
from ..runs.files import log_tail, open_log, unwritable
from .parent_death import dies_with_parent


class ChildProcess(asyncio.Protocol):
    """One child process, `python <program> CHANNEL_FD ...`.

    `on_body(body)` is called for each frame it sends, `on_hangup()` once when its stream ends without
    `leave` having been called. Attributes: `name`, `role` (what it is for, in an exit report), `log_path`.
    """

    def __init__(
        self,
        name: str,
        program: Sequence[str],
        log_path: Path,
        on_body: Callable[[bytes], None],
        on_hangup: Callable[[], None],
        role: str = "",
        at_death: int = signal.SIGKILL,
    ) -> None:
        self.role, self._at_death = role, at_death
        self.name, self.log_path = name, log_path
        self._program = list(program)
        self._on_body, self._on_hangup = on_body, on_hangup
        self._splitter = FrameSplitter(ANY_FRAME)
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._leaving = False

    @property
    def pid(self) -> int | None:
        """Its pid, once it has been started."""
        return self._process.pid if self._process is not None else None

    async def start(
        self,
        outer: Mapping[str, str],
        inherited: Sequence[socket.socket] = (),
        words: Sequence[str] = (),
    ) -> None:
        """Start it with this environment; it inherits the sockets, named after the channel, before `words`.

        Raises InfrastructureError when it cannot be started.
        """
        try:
            log = open_log(self.log_path)
        except OSError as error:
            raise InfrastructureError(unwritable(self.log_path, error)) from error
        ours, theirs = socket.socketpair()
        numbers = [theirs.fileno(), *(one.fileno() for one in inherited)]
        command = [sys.executable, *self._program, *map(str, numbers), *words]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *dies_with_parent(command, self._at_death),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(outer),
                pass_fds=numbers,
                process_group=0,
            )
        except OSError as error:
            ours.close()
            raise InfrastructureError(f"the {self.name} cannot be started: {error}") from error
        finally:
            os.close(log)
            theirs.close()
        ours.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)

    def send(self, message: msgspec.Struct) -> None:
        """Send a frame; dropped when the stream has ended."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(message))

    async def leave(self, patience_s: float) -> None:
        """Close the stream and reap the process; after `patience_s` it is killed."""
        self._leaving = True
        if self._transport is not None:
            self._transport.close()
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(patience_s):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def exit_report(self) -> str:
        """How it ended, with the end of its log. Call it after `on_hangup`."""
        process = self._process
        if process is None:
            return f"the {self.name} was never started"
        try:
            async with asyncio.timeout(1.0):
                status: int | None = await process.wait()
        except TimeoutError:
            status = None
        if status is None:
            how = "closed its stream"
        else:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        role = f", {self.role}," if self.role else ""
        return f"the {self.name} (pid {process.pid}){role} {how}{log_tail(self.log_path)}"

    @property
    def killed(self) -> bool:
        """It was ended from outside (by a person, or by the kernel for want of memory)."""
        status = self._process.returncode if self._process is not None else None
        return status in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)

    # --- asyncio.Protocol -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for body in self._splitter.feed(data):
            self._on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._leaving:
            self._on_hangup()
