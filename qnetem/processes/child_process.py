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
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from ..emulator.errors import InfrastructureError
from ..emulator.wire import ANY_FRAME, frame
from ..emulator.wire.framing import FrameSplitter
from ..runs.files import log_tail, open_log, unwritable
from .entry import PATH_VARIABLE
from .spawn import Spawned, send_begin, spawn


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
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: asyncio.Future[None] | None = None
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
        early: Spawned | None = None,
    ) -> None:
        """Start it with this environment; it inherits the sockets, named after the channel, before `words`.

        `early` was started before in such an environment, and begins now. Raises InfrastructureError when it
        cannot be started.
        """
        try:
            log = open_log(self.log_path)
        except OSError as error:
            if early is not None:
                early.end()
            raise InfrastructureError(unwritable(self.log_path, error)) from error
        try:
            if early is None:
                child = spawn(self._program, outer, self._at_death, log, inherited, words)
            else:
                child = early
            self._take(child)
            if early is not None:
                with contextlib.suppress(
                    ConnectionError
                ):  # it has ended, which is seen as any end is
                    send_begin(child.stream, outer[PATH_VARIABLE], log, inherited, list(words))
        except OSError as error:
            raise InfrastructureError(f"the {self.name} cannot be started: {error}") from error
        finally:
            os.close(log)
        child.stream.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=child.stream)

    def _take(self, child: Spawned) -> None:
        """This is the process; a thread waits for its end."""
        loop, process = asyncio.get_running_loop(), child.process
        self._process, self._ended = process, loop.create_future()

        def wait() -> None:
            process.wait()
            with contextlib.suppress(
                RuntimeError
            ):  # the loop has been closed without this child's end
                loop.call_soon_threadsafe(self._on_end)

        threading.Thread(target=wait, name=f"end of the {self.name}", daemon=True).start()

    def _on_end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def _wait(self, patience_s: float) -> bool:
        """Whether it has ended within this time."""
        assert self._ended is not None
        done, _ = await asyncio.wait([self._ended], timeout=patience_s)
        return bool(done)

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
        if not await self._wait(patience_s):
            process.kill()
            assert self._ended is not None
            await self._ended

    async def exit_report(self) -> str:
        """How it ended, with the end of its log. Call it after `on_hangup`."""
        process = self._process
        if process is None:
            return f"the {self.name} was never started"
        status = process.returncode if await self._wait(1.0) else None
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
