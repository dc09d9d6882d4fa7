"""Warm worker processes of this process, for whichever threads ask.

Owns the forkserver that is started, its workers, and the function that executors call (`run_tasks`). Does not
own what a worker does (worker.py). A run in a worker has the fixed environment of every run and modules,
streams and signals of its own, so an executor may be a pool of threads, a pool of processes or a cluster:
the rows are the same.

Rule: a worker has one request at a time. One that dies takes its request with it, and another takes its
place.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from ..emulator.errors import InfrastructureError
from ..emulator.wire.control import Problem
from ..processes.entry import PATH_VARIABLE, child_program, import_path
from ..processes.environment import environment
from .records import RunRecord
from .worker import Request, as_data, failed, read_frame, write_frame

_INFRASTRUCTURE = 3
_decode = msgspec.msgpack.Decoder(list[RunRecord]).decode


def run_tasks(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run the tasks of a request (plain data) in a warm worker: their records, as plain data.

    What executors call, in whatever process.
    """
    records = _records(as_data(request))
    return [msgspec.to_builtins(record) for record in records]


def warm() -> None:
    """Have this process's forkserver import what runs need: the first of them will not wait for it."""
    _shared().start()


def _records(request: Request) -> list[RunRecord]:
    try:
        return _shared().call(request)
    except WorkerLost:
        if len(request.tasks) > 1:  # one of them ended it; the others shall not suffer
            alone = (Request(request.job, [task]) for task in request.tasks)
            return [record for each in alone for record in _records(each)]
    text = "the worker process ended in the middle of the run: killed, or out of memory"
    problem = Problem("InfrastructureError", text, _INFRASTRUCTURE)
    return [failed(request.tasks[0], _INFRASTRUCTURE, problem)]


class WorkerLost(Exception):
    """A worker's process has ended before its answer."""


class Helpers:
    """A forkserver and the workers that it has forked."""

    def __init__(self) -> None:
        self._free: list[socket.socket] = []
        self._all: list[socket.socket] = []
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = self._answered = False

    def call(self, request: Request) -> list[RunRecord]:
        """Have a free worker, or a new one, answer. Raises WorkerLost, InfrastructureError."""
        worker = self._take()
        try:
            write_frame(worker, request)
            body = read_frame(worker)
        except OSError as error:
            self._forget(worker)
            raise WorkerLost from error
        except BaseException:
            self._forget(worker)
            raise
        if body is None:
            self._forget(worker)
            raise WorkerLost
        with self._lock:
            self._answered = True
            self._free.append(worker)
        return _decode(body)

    def start(self) -> None:
        """Start the forkserver, without waiting for it."""
        with self._lock:
            self._check()
            self._started()

    def close(self) -> None:
        """End the workers, whatever they are doing, and the forkserver."""
        with self._lock:
            self._closed = True
            for worker in self._all:
                with contextlib.suppress(OSError):  # wakes the thread that waits, which closes it
                    worker.shutdown(socket.SHUT_RDWR)
            for worker in self._free:
                worker.close()
            self._all.clear()
            self._free.clear()
            if self._control is not None:
                self._control.close()
            server, self._server = self._server, None
        if server is not None:
            server.kill()
            server.wait()

    def _take(self) -> socket.socket:
        with self._lock:
            self._check()
            if self._free:
                return self._free.pop()
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    socket.send_fds(self._started(), [b"w"], [theirs.fileno()])
                except OSError as error:
                    ours.close()
                    raise WorkerLost from error
            self._all.append(ours)
            return ours

    def _started(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                self._server = subprocess.Popen(
                    [
                        sys.executable,
                        *child_program("qnetem.sweeps.forkserver"),
                        str(theirs.fileno()),
                    ],
                    pass_fds=[theirs.fileno()],
                    env=environment({**os.environ, PATH_VARIABLE: import_path()}),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    process_group=0,
                )
        return self._control

    def _check(self) -> None:
        if self._closed:
            raise InfrastructureError("the workers have been ended")

    def _forget(self, worker: socket.socket) -> None:
        worker.close()
        with self._lock:
            if worker in self._all:
                self._all.remove(worker)
            self._check()
            status = None if self._server is None else self._server.poll()
            if status is None:
                return
            if not self._answered:
                raise InfrastructureError(f"no worker can be started: status {status}")
            self._server = self._control = None  # another one takes its place, too


class _Process:
    """The helpers of this process: those of a process that has forked it are not its own."""

    helpers: Helpers | None = None
    inherited: ClassVar[list[Helpers]] = []
    pid = 0
    users = 0


_guard = threading.Lock()


def _shared() -> Helpers:
    with _guard:
        if _Process.helpers is not None and _Process.pid != os.getpid():
            _Process.inherited.append(_Process.helpers)  # its owner ends it
            _Process.helpers, _Process.users = None, 0
        if _Process.helpers is None:
            _Process.helpers, _Process.pid = Helpers(), os.getpid()
            atexit.register(_Process.helpers.close)
        return _Process.helpers


@contextlib.contextmanager
def helpers_ended() -> Iterator[None]:
    """End this process's helpers with the block, if no other block in it has them."""
    with _guard:
        _Process.users += 1
    try:
        yield
    finally:
        with _guard:
            _Process.users -= 1
            helpers = None
            if _Process.users == 0 and _Process.pid == os.getpid():
                helpers, _Process.helpers = _Process.helpers, None
        if helpers is not None:
            helpers.close()
            atexit.unregister(helpers.close)
