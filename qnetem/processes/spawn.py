"""A child process, from the first moment on: started, bound to this one, with a stream to it.

Owns how a child is started, and the frame `Begin` for one that was started before it was known what it shall
do. Does not own what goes over the stream then (child_process.py). It imports only the standard library, and
little of that: a command starts its children before its own imports.

Rule: a child leaves this process's terminal and group, and ends with it (parent_death.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .parent_death import dies_with_parent

#: Bytes of the length before a `Begin`; no more descriptors come with one.
LENGTH_BYTES = 4
MOST_DESCRIPTORS = 8


@dataclass
class Spawned:
    """A process and our end of the stream to it. Belongs to the thread that started it."""

    process: subprocess.Popen[bytes]
    stream: socket.socket

    def end(self) -> None:
        """Kill and reap it; for a child that is not needed after all."""
        self.stream.close()
        self.process.kill()
        self.process.wait()


def spawn(
    program: Sequence[str],
    environment: Mapping[str, str],
    at_death: int = signal.SIGKILL,
    log: int | None = None,
    inherited: Sequence[socket.socket] = (),
    words: Sequence[str] = (),
) -> Spawned:
    """`python <program> CHANNEL_FD INHERITED_FD... WORD...`, bound to this thread by the signal `at_death`.

    `log`: the descriptor that it prints to; without one, our standard error. Raises OSError.
    """
    ours, theirs = socket.socketpair()
    numbers = [theirs.fileno(), *(one.fileno() for one in inherited)]
    command = [sys.executable, *program, *map(str, numbers), *words]
    printed = 2 if log is None else log
    try:
        process = subprocess.Popen(
            dies_with_parent(command, at_death),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env=dict(environment),
            pass_fds=numbers,
            process_group=0,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Spawned(process, ours)


def send_begin(
    stream: socket.socket, path: str, log: int, inherited: Sequence[socket.socket], words: list[str]
) -> None:
    """Let a child that waits begin: what it finds modules along, where it prints, its arguments."""
    body = json.dumps({"path": path, "words": words}).encode()
    data = len(body).to_bytes(LENGTH_BYTES, "big") + body
    sent = socket.send_fds(stream, [data], [log, *(one.fileno() for one in inherited)])
    stream.sendall(data[sent:])


def receive_begin(stream: socket.socket) -> tuple[str, list[str]] | None:
    """Wait for `Begin`: the path, and the arguments with the descriptors first; None if the parent left.

    Standard output and error go to the log from now on. What follows in the stream stays in it.
    """
    with contextlib.suppress(ConnectionError):
        head, descriptors, _, _ = socket.recv_fds(stream, LENGTH_BYTES, MOST_DESCRIPTORS)
        if head:
            log, *inherited = descriptors
            sys.stdout.flush()
            for printed in (1, 2):
                os.dup2(log, printed)
            os.close(log)
            head += _exactly(stream, LENGTH_BYTES - len(head))
            begin = json.loads(_exactly(stream, int.from_bytes(head, "big")))
            return begin["path"], [*map(str, inherited), *begin["words"]]
    return None


def _exactly(stream: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        portion = stream.recv(size - len(data))
        if not portion:
            raise ConnectionResetError("the parent has gone in the middle of a frame")
        data += portion
    return data
