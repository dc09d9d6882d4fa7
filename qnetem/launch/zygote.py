"""The zygote: one process with everything imported, which becomes any node's process by a fork.

Owns the nodes' processes: it alone forks, signals and reaps them. Does not own which should live: the
launcher orders it (orders.py). `main` takes CONTROL_FD SOCKET_FOLDER (child.py), in a fixed
environment (see `environment`), because a hash seed or a number of threads cannot be changed afterwards.

Rules. It has one thread and no event loop, so that a fork copies nothing half done. A signal goes only to a
child that has not been reaped, so never to a stranger with a recycled pid. The launcher's end of file, or
its death, ends all children and then the zygote, which removes the socket folder: of those that outlive a
launcher that is killed it is the one that never computes for long. Its own death ends the children too
(Linux; elsewhere they see the end of the emulator's socket). Children ignore SIGINT, and inherit no socket
of the zygote.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping

import msgspec

from ..agents.process.settings import FIXED_ENVIRONMENT
from ..emulator.wire import frame
from ..emulator.wire.control import Exited
from ..emulator.wire.framing import FrameSplitter
from ..runs.parent_death import hold
from .entry import PATH_VARIABLE, launchers_path
from .zygote_messages import Fork, Forked, Order, Signal, decode_order

#: What has no say in a result, made different: for the second run of `--twice` (twice.py). The hash seed
#: gives most sets of two short words another order than 0 does; the allocator gives objects other addresses.
OTHERWISE = {"PYTHONHASHSEED": "296", "PYTHONMALLOC": "malloc"}
#: With any value, in the launcher's environment: `OTHERWISE` counts.
OTHERWISE_VARIABLE = "QNETEM_OTHERWISE"
#: What a program may need of its user's environment; anything else would be an unrecorded input.
KEPT = (
    "PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX",
    "LD_LIBRARY_PATH", "QNETEM_SILENT_S", PATH_VARIABLE,
)  # fmt: skip
#: Everything a node needs, imported once. Each import that a child made itself would cost it, not us.
PRELOADED = (
    "asyncio",
    "concurrent.futures.thread",
    "encodings.idna",
    "aiomqtt",
    "msgspec",
    "numpy",
    "numpy.random",
    "qnetem.agents.agent",
    "qnetem.agents.guards.guards",
    "qnetem.agents.node.node",
    "qnetem.agents.process.process",
    "qnetem.agents.qubits",
)
READ_BYTES = 65536
#: The signal of the zygote's leash.
LAUNCHER_GONE = signal.SIGUSR2

RunNode = Callable[..., int]


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """The environment of zygote and emulator, from the launcher's own."""
    return {name: outer[name] for name in KEPT if name in outer} | fixed(outer)


def fixed(outer: Mapping[str, str]) -> dict[str, str]:
    """The part of it that is not the user's to say."""
    is_other = outer.get(OTHERWISE_VARIABLE)
    return FIXED_ENVIRONMENT | OTHERWISE if is_other else FIXED_ENVIRONMENT


class Zygote:
    """The loop that serves one launcher. `children` maps pid to (node, incarnation)."""

    def __init__(self, channel: socket.socket, run_node: RunNode) -> None:
        self.children: dict[int, tuple[str, int]] = {}
        self._channel, self._run_node = channel, run_node
        self._splitter = FrameSplitter()
        self._orphaned = False
        self._wake_reader, self._wake_writer = os.pipe()
        for end in (self._wake_reader, self._wake_writer):
            os.set_blocking(end, False)

    def serve(self) -> None:
        """Obey until the launcher hangs up, or is gone; then end all children."""
        signal.signal(signal.SIGCHLD, lambda number, current: None)
        signal.signal(LAUNCHER_GONE, self._on_launcher_gone)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        # A launcher that was killed may be noticed while writing to it.
        with contextlib.suppress(ConnectionError):
            self._obey_all()
        self.end_all()

    def _on_launcher_gone(self, number: int, current: object) -> None:
        # Its end of the channel may live on in a process that it has forked.
        self._orphaned = True

    def _obey_all(self) -> None:
        while not self._orphaned:
            channel = self._channel.fileno()
            readable, _, _ = select.select([channel, self._wake_reader], [], [])
            if self._wake_reader in readable:
                os.read(self._wake_reader, READ_BYTES)
                self._answer(self.reap())
            if channel in readable:
                data = self._channel.recv(READ_BYTES)
                if not data:
                    return
                for body in self._splitter.feed(data):
                    self._obey(decode_order(body))

    def reap(self) -> list[Exited]:
        """Every child that has ended since the last call; waits for none."""
        ended: list[Exited] = []
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            node, incarnation = self.children.pop(pid)
            ended.append(Exited(node, incarnation, os.waitstatus_to_exitcode(status)))
        return ended

    def end_all(self) -> None:
        """SIGKILL and reap every child."""
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
        while self.children:
            pid, _ = os.waitpid(-1, 0)
            del self.children[pid]

    def _obey(self, order: Order) -> None:
        if isinstance(order, Fork):
            settings = order.settings
            pid = self._fork(order)
            self.children[pid] = (settings.node, settings.incarnation)
            self._answer([Forked(settings.node, settings.incarnation, pid)])
        else:
            self._signal(order)

    def _signal(self, order: Signal) -> None:
        for pid, label in self.children.items():
            if label == (order.node, order.incarnation):
                os.kill(pid, order.number)

    def _fork(self, order: Fork) -> int:
        zygote = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            hold(zygote)
            self._become_child()
            status = self._run_node(order.settings)
        except BaseException:  # noqa: BLE001
            # The border of the process: nobody above may see it, so it is told here.
            traceback.print_exc()
        finally:
            # Never back into the zygote's loop, its buffers and its exit handlers.
            os._exit(status)

    def _become_child(self) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, LAUNCHER_GONE):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._channel.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _answer(self, answers: Iterable[msgspec.Struct]) -> None:
        data = b"".join(frame(answer) for answer in answers)
        if data:
            self._channel.sendall(data)


def _run_real_node(*arguments: object) -> int:
    from ..agents.process.process import run_node

    return run_node(*arguments)  # type: ignore[arg-type]


def main(arguments: list[str], run_node: RunNode = _run_real_node) -> int:
    """Serve the launcher at the inherited descriptor named first; then remove the folder named second."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel = socket.socket(fileno=int(arguments[0]))
    for name in PRELOADED:
        importlib.import_module(name)
    # Programs are found as the launcher has found them; what is ours has been imported by now.
    sys.path[:] = launchers_path(os.environ)
    # Once for all children: they would need it before their programs are imported.
    importlib.import_module("qnetem.agents.guards.guards").install()
    gc.collect()
    # What is frozen is not touched by a child's collections, so its pages stay shared.
    gc.freeze()
    sys.stdout.flush()
    Zygote(channel, run_node).serve()
    for folder in arguments[1:]:
        shutil.rmtree(folder, ignore_errors=True)
    return 0
