"""The forkserver: one process with everything imported, which becomes any worker by a fork.

Owns the workers' processes. `main` takes CONTROL_FD (processes/entry.py), in the fixed environment of runs:
each descriptor that comes through it is the channel of a new worker.

Rules. It has one thread, so that a fork copies nothing half done. The end of its control channel, or its
death, ends all workers. Ctrl-C is for the process that asked for it.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
import traceback

from ..processes.entry import launchers_path
from ..processes.parent_death import bind_to_parent

#: What a run in one process needs, imported once for all workers.
PRELOADED = ("qnetem.api", "qnetem.checks", "qnetem.inprocess.network", "qnetem.sweeps.worker")


def main(arguments: list[str]) -> int:
    """Fork workers until the control channel ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    control = socket.socket(fileno=int(arguments[0]))
    for name in PRELOADED:
        importlib.import_module(name)
    sys.path[:] = launchers_path(os.environ)
    gc.collect()
    gc.freeze()  # so that a worker's collections leave the pages shared
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not order:
            return 0
        for descriptor in descriptors:
            _fork(control, descriptor)


def _fork(control: socket.socket, descriptor: int) -> None:
    server = os.getpid()
    if os.fork():
        os.close(descriptor)
        return
    status = 1
    try:
        bind_to_parent(server)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        importlib.import_module("qnetem.sweeps.worker").serve(socket.socket(fileno=descriptor))
        status = 0
    except BaseException:  # noqa: BLE001  # the border of the process: it is printed here
        traceback.print_exc()
    finally:
        os._exit(status)  # never back into the server's loop
