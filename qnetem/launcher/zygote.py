"""The zygote: one process with everything imported, which becomes any node's process by a fork.

Owns the processes of nodes and workers: it alone forks, signals and reaps them; and the messages between it
and the launcher, framed as in emulator/wire. Does not own which should live: the launcher orders it. `main`
takes CONTROL_FD SOCKET_FOLDER (processes/entry.py), in a fixed environment (processes/environment.py): a
hash seed or a number of threads cannot be changed afterwards.

Rules. It has one thread and no event loop, so that a fork copies nothing half done. A signal goes only to a
child that has not been reaped, so never to another process with a recycled pid. The launcher's end of file,
or its death, ends all children and then the zygote, which removes the socket folder: of the processes that
outlive a launcher that is killed it is the one that never computes for long. Its own death ends the children
too (Linux; elsewhere they see the end of the emulator's socket). Children ignore SIGINT, and inherit no
socket of the zygote.
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
from collections.abc import Callable, Iterable

import msgspec

from ..agents.process.settings import NodeSettings, WorkerSettings
from ..emulator.program_modules import compile_ahead
from ..emulator.wire import frame
from ..emulator.wire.control import Exited
from ..emulator.wire.framing import FrameSplitter
from ..processes.entry import launchers_path
from ..processes.parent_death import bind_to_parent
from .programs import LAUNCHER_GONE

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

RunNode = Callable[..., int]
#: Of a process: its node and incarnation.
Label = tuple[str, int]


class Fork(msgspec.Struct, array_like=True, tag=True):
    """Launcher -> zygote: start this incarnation. Answer: `Forked`, and `Exited` when it ends."""

    settings: NodeSettings

    @property
    def label(self) -> Label:
        """What orders and answers call it."""
        return self.settings.node, self.settings.incarnation


class ForkWorker(msgspec.Struct, array_like=True, tag=True):
    """Launcher -> zygote: start this worker, whose node is "" and whose incarnation is its number."""

    settings: WorkerSettings

    @property
    def label(self) -> Label:
        """What orders and answers call it."""
        return "", self.settings.number


class Signal(msgspec.Struct, array_like=True, tag=True):
    """Launcher -> zygote: send a signal to an incarnation; nothing happens if it has ended."""

    node: str
    incarnation: int
    number: int


class Preload(msgspec.Struct, array_like=True, tag=True):
    """Launcher -> zygote: import these modules of ours and compile these program files, before the next fork.

    No answer.
    """

    modules: list[str]
    files: list[str]


class Forked(msgspec.Struct, array_like=True, tag=True):
    """Zygote -> launcher: the incarnation has this pid."""

    node: str
    incarnation: int
    pid: int


Order = Fork | ForkWorker | Signal | Preload
Answer = Forked | Exited

decode_order: Callable[[bytes], Order] = msgspec.msgpack.Decoder(Order).decode
decode_answer: Callable[[bytes], Answer] = msgspec.msgpack.Decoder(Answer).decode


class Zygote:
    """The loop that serves one launcher. `children` maps pid to (node, incarnation), or ("", worker)."""

    def __init__(self, channel: socket.socket, run_node: RunNode) -> None:
        self.children: dict[int, Label] = {}
        self._channel, self._run_node = channel, run_node
        self._splitter = FrameSplitter()
        self._orphaned = False
        self._wake_reader, self._wake_writer = os.pipe()
        for end in (self._wake_reader, self._wake_writer):
            os.set_blocking(end, False)

    def serve(self) -> None:
        """Carry out orders until the launcher closes the channel, or is gone; then end all children."""
        signal.signal(signal.SIGCHLD, lambda number, current: None)
        signal.signal(LAUNCHER_GONE, self._on_launcher_gone)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        # The first sign of a launcher's death may be that writing to it fails.
        with contextlib.suppress(ConnectionError):
            self._serve_orders()
        self.end_all()

    def _on_launcher_gone(self, number: int, current: object) -> None:
        # Its end of the channel may live on in a process that it has forked.
        self._orphaned = True

    def _serve_orders(self) -> None:
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
                    self._carry_out(decode_order(body))

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

    def _carry_out(self, order: Order) -> None:
        if isinstance(order, Preload):
            compile_ahead(order.files)
            import_for_all(order.modules)
            return
        if isinstance(order, Signal):
            self._signal(order)
            return
        pid = self._fork(order)
        self.children[pid] = order.label
        self._answer([Forked(*order.label, pid)])

    def _signal(self, order: Signal) -> None:
        for pid, label in self.children.items():
            if label == (order.node, order.incarnation):
                os.kill(pid, order.number)

    def _fork(self, order: Fork | ForkWorker) -> int:
        zygote = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        status = 1
        try:
            bind_to_parent(zygote)
            self._become_child()
            status = self._run_node(order.settings)
        except BaseException:  # noqa: BLE001
            # The border of the process: nothing above may see it, so it is printed here.
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


def _run_real_node(settings: NodeSettings | WorkerSettings) -> int:
    if isinstance(settings, WorkerSettings):
        from ..agents.process.worker import run_worker

        return run_worker(settings)
    from ..agents.process.process import run_node

    return run_node(settings)


def import_for_all(modules: Iterable[str]) -> None:
    """Import once what every child would; its pages are shared for as long as no child writes to them."""
    for name in modules:
        with contextlib.suppress(ImportError):  # the program that needs it says so
            importlib.import_module(name)
    gc.collect()
    # What is frozen is not touched by a child's collections.
    gc.freeze()


def preload() -> None:
    """Import what nodes need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PRELOADED:
        importlib.import_module(name)


def main(arguments: list[str], run_node: RunNode = _run_real_node) -> int:
    """Serve the launcher at the inherited descriptor named first; then remove the folder named second."""
    preload()
    channel = socket.socket(fileno=int(arguments[0]))
    # Programs are found as the launcher has found them; what is ours has been imported by now.
    sys.path[:] = launchers_path(os.environ)
    # Once for all children: they would need it before their programs are imported.
    importlib.import_module("qnetem.agents.guards.guards").install()
    import_for_all(())
    sys.stdout.flush()
    Zygote(channel, run_node).serve()
    for folder in arguments[1:]:
        shutil.rmtree(folder, ignore_errors=True)
    return 0
