"""The launcher: starts, watches and ends every process of a run.

Owns the run folder, the socket folder and the processes: broker, emulator, zygote, and through the
zygote the nodes. Does not own the run: the emulator decides what is spawned, killed and over; the
launcher does it, and reports what it sees (exits, a dead broker, Ctrl-C).

Rules. Every process that was started is ended, by pid, however the run ends. If the launcher itself is
killed, its children end with it (processes/parent_death.py) or at the end of a file, and the zygote removes
the socket folder. If the broker hangs, the error names the broker, not the node that waits for it. Emulator,
zygote and broker start side by side (the first two before the launcher's own imports, if the command line did
so: early.py), and nodes are ordered at once: a process that is not up yet reads its orders when it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..agents.process.settings import NodeSettings, WorkerSettings
from ..broker.access import Access, Login
from ..broker.broker import Broker
from ..broker.upkeep import Upkeep
from ..emulator.errors import (
    InfrastructureError,
    InternalError,
    Interrupted,
    NodeLost,
    NodeSilent,
    QnetemError,
)
from ..emulator.loading import Topology
from ..emulator.wire import RecordedInput, control
from ..emulator.wire.worker_frames import Worker
from ..live.address import LIVE, announce, withdraw
from ..processes.child_process import ChildProcess
from ..processes.entry import PATH_VARIABLE, child_program, import_path
from ..processes.environment import environment
from ..processes.signals import RunSignals, because_of
from ..runs.run_folder import RunFolder, RunResult
from ..runs.sockets import open_sockets
from .early import EarlyProcesses
from .imports import files_of_programs, modules_of_programs
from .limits import check_limits
from .programs import EMULATOR, LAUNCHER_GONE, ZYGOTE
from .zygote import Fork, Forked, ForkWorker, Preload, Signal, decode_answer

EXIT_INTERRUPTED = 130
#: After Ctrl-C the emulator has this long to hand over the outcome.
OUTCOME_S = 15.0
#: After the outcome the nodes have this long to leave by themselves, and then emulator and zygote.
LEAVE_S = 5.0
#: Nodes that are killed before the emulator listens are gathered for so long; the first by name is named.
EARLY_S = 0.5
BACKLOG = 4096
EMULATOR_PROGRAM = child_program(EMULATOR)
ZYGOTE_PROGRAM = child_program(ZYGOTE)

OnProgress = Callable[[control.Progress], None]


@dataclass(frozen=True)
class RunOptions:
    """How to run a topology. `broker_login` is for a broker that runs already.

    `inputs`: what came from outside in the run that this one repeats; None: it repeats none. `workers`: so
    many processes share the nodes; None: every node has its own.
    """

    broker: str = "auto"
    broker_port: int | None = None
    runs_folder: Path = Path("runs")
    broker_login: Login | None = None
    inputs: list[RecordedInput] | None = None
    workers: int | None = None


def deal(nodes: Iterable[str], workers: int | None) -> list[list[str]]:
    """The nodes of each worker: dealt out like cards, in the order of the file; no worker is without one."""
    names = list(nodes)
    count = min(workers or 0, len(names))
    return [names[first::count] for first in range(count)]


class Launcher:
    """The processes of one run; `async with` starts and ends them, `wait()` gives the outcome.

    Attributes: `folder` (of the run), `broker`, `pids` (of the process of every living node, by node name),
    `workers` (the nodes of each).
    Belongs to one event loop, whose thread must outlive the run.
    """

    emulator_program = EMULATOR_PROGRAM
    zygote_program = ZYGOTE_PROGRAM

    def __init__(
        self,
        topology: Topology,
        options: RunOptions,
        on_progress: OnProgress | None = None,
        early: EarlyProcesses | None = None,
    ) -> None:
        """Raises InputError when no run folder can be made or `options.broker` is not a choice.

        InfrastructureError, when the system allows too few files or processes for so many nodes.
        """
        self.topology = topology
        self.workers = deal(topology.nodes, options.workers)
        check_limits(len(self.workers) or len(topology.nodes))
        self._early_processes = early or EarlyProcesses()
        self.pids: dict[str, int] = {}
        self._options, self._on_progress = options, on_progress
        self.folder = RunFolder.create(options.runs_folder, topology.name)
        self.broker = Broker(
            options.broker,
            self.folder.broker,
            Access.of_run(self.folder.name, self.topology.nodes, self.workers),
            options.broker_port,
            options.broker_login,
        )
        self._upkeep = Upkeep(self.broker, self.run_folder)
        self._emulator = ChildProcess(
            "emulator",
            self.emulator_program,
            self.folder.emulator_log,
            self._on_emulator,
            lambda: self._on_death(self._emulator, InternalError),
        )
        self._zygote = ChildProcess(
            "zygote",
            self.zygote_program,
            self.folder.zygote_log,
            self._on_zygote,
            lambda: self._on_death(self._zygote, InfrastructureError),
            role="which starts the nodes",
            at_death=LAUNCHER_GONE,
        )
        self._secret = os.urandom(32).hex()
        self._socket_folder: str | None = None
        self._over: asyncio.Future[control.Outcome] = asyncio.get_running_loop().create_future()
        self._living: dict[tuple[str, int], None] = {}
        self._all_left = asyncio.Event()
        self._all_left.set()
        self._chores: list[asyncio.Task[None]] = []
        self._deadline: asyncio.TimerHandle | None = None
        self._has_settings = False
        #: Whether the emulator listens; and the nodes that a signal has killed before it did: who and which.
        self._ready = False
        self._killed_early: dict[str, tuple[str, int]] = {}
        #: The emulator's last message, from which `_over` comes.
        self._outcome: control.Outcome | None = None
        self._early: control.Interrupt | None = None

    @property
    def run_folder(self) -> Path:
        """Where the run is recorded."""
        return self.folder.path

    async def __aenter__(self) -> Launcher:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything and order the first incarnation of every node.

        Raises InfrastructureError or InputError; call `stop` then too.
        """
        self.folder.describe(self.topology.to_data(), self._facts(), self._options.inputs)
        # What this process can import, the nodes can: it has imported their programs already.
        outer = environment({**os.environ, PATH_VARIABLE: import_path()})
        early = self._early_processes
        with self._listeners() as listeners:
            await self._emulator.start(outer, listeners, early=early.take_emulator())
        announce(self.run_folder, self._path(LIVE))
        self._emulator.send(
            control.Supervise(
                str(self.folder.topology), str(self.run_folder), self._secret, self.workers
            )
        )
        self._has_settings = True
        if self._early is not None:
            self._emulator.send(self._early)
        assert self._socket_folder is not None
        await self._zygote.start(outer, words=[self._socket_folder], early=early.take_zygote())
        files = [str(path) for path in files_of_programs(self.topology)]
        self._zygote.send(Preload(modules_of_programs(self.topology), files))
        self.broker.socket_path = self._path("broker")
        await self._upkeep.start()
        self._chores.append(asyncio.create_task(self._keep_broker()))
        for number in range(1, len(self.workers) + 1):
            self._spawn_worker(number)
        for node in [] if self.workers else sorted(self.topology.nodes):
            self._spawn(node, 1)

    async def wait(self) -> control.Outcome:
        """The outcome, once the run is over.

        Raises InternalError when the emulator failed, InfrastructureError when the zygote ended or
        one of them was killed, Interrupted after a second Ctrl-C.
        """
        return await asyncio.shield(self._over)

    def interrupt(self, reason: str, exit_code: int) -> None:
        """Have the emulator end the run after this instant; a second time, end it at once."""
        if self._over.done():
            return
        if self._deadline is not None:
            self._fail(Interrupted(f"{reason}, twice: ended without an outcome"))
            return
        order = control.Interrupt(reason, exit_code)
        if self._has_settings:
            self._emulator.send(order)
        self._early = order
        kind = Interrupted if exit_code == EXIT_INTERRUPTED else InfrastructureError
        late = kind(f"{reason}; the emulator gave no outcome in {OUTCOME_S:g} s")
        self._deadline = asyncio.get_running_loop().call_later(OUTCOME_S, self._fail, late)

    async def stop(self) -> None:
        """End every process and remove the socket folder. May be called again."""
        if not self._over.done():
            self._over.cancel()
        if self._deadline is not None:
            self._deadline.cancel()
        for chore in self._chores:
            chore.cancel()
        for chore in self._chores:
            with contextlib.suppress(asyncio.CancelledError, QnetemError):
                await chore
        if self._over.cancelled() or self._over.exception() is not None:
            # There is no outcome, so no node was asked to stop: the emulator's end stops them.
            await self._emulator.leave(0.0)
        else:
            self._end_silent(self._over.result())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._all_left.wait()
        await self._zygote.leave(LEAVE_S)
        await self._emulator.leave(LEAVE_S)
        await self._upkeep.stop()
        withdraw(self.run_folder)
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    def _end_silent(self, outcome: control.Outcome) -> None:
        """Kill a node that does not react: it would not leave by itself."""
        problem = outcome.problem
        if problem is not None and _is_silence(outcome):
            label = problem.node, outcome.nodes[problem.node].incarnation
            for number, nodes in enumerate(self.workers, 1):
                if problem.node in nodes:
                    label = "", number
            self._zygote.send(Signal(*label, int(signal.SIGKILL)))

    # --- what the processes report -----------------------------------------------------------------

    def _on_emulator(self, body: bytes) -> None:
        match control.decode_from_emulator(body):
            case control.Progress() as progress:
                if self._on_progress is not None:
                    self._on_progress(progress)
            case control.Spawn(node, incarnation):
                self._spawn(node, incarnation)
            case control.Kill(node, incarnation):
                self._zygote.send(Signal(node, incarnation, int(signal.SIGKILL)))
            case control.Freeze(node, incarnation):
                self._zygote.send(Signal(node, incarnation, int(signal.SIGSTOP)))
            case control.Thaw(node, incarnation):
                self._zygote.send(Signal(node, incarnation, int(signal.SIGCONT)))
            case control.Outcome() as outcome:
                self._outcome = outcome
                if _is_silence(outcome):
                    self._chores.append(asyncio.create_task(self._find_silent(outcome)))
                else:
                    self._conclude(outcome)
            case control.Ready():
                self._ready = True

    def _conclude(self, outcome: control.Outcome) -> None:
        if not self._over.done():
            self._over.set_result(outcome)

    async def _find_silent(self, outcome: control.Outcome) -> None:
        """A node does not report: it may wait for a message that a broker that hangs has not carried."""
        problem = outcome.problem
        if problem is not None and not await self.broker.answers():
            pid = f", pid {self.broker.pid}" if self.broker.pid else ""
            outcome.problem = msgspec.structs.replace(
                problem,
                kind=InfrastructureError.__name__,
                exit_code=InfrastructureError.exit_code,
                node="",
                text=f"the broker ({self.broker.kind}{pid}) at {self.broker.where} does not answer, "
                f"and {problem.text}",
            )
        self._conclude(outcome)

    def _on_zygote(self, body: bytes) -> None:
        answer = decode_answer(body)
        nodes = [answer.node] if answer.node else self.workers[answer.incarnation - 1]
        if isinstance(answer, Forked):
            self.pids.update(dict.fromkeys(nodes, answer.pid))
            return
        self._living.pop((answer.node, answer.incarnation), None)
        if not self._living:
            self._all_left.set()
        for node in nodes:
            self.pids.pop(node, None)
        self._emulator.send(answer)
        if answer.status < 0 and not self._ready:
            if not self._killed_early:
                asyncio.get_running_loop().call_later(EARLY_S, self._lose_early)
            who = f"node {nodes[0]}" if answer.node else Worker(answer.incarnation, nodes).words
            self._killed_early[nodes[0]] = who, -answer.status

    def _lose_early(self) -> None:
        """Nodes were killed before the emulator listens, so it cannot report them soon."""
        if not self._ready:
            node, (who, number) = min(self._killed_early.items())
            how = f"{'its' if not self.workers else 'the'} process was killed by signal {number}"
            self._fail(NodeLost(f"{who} was lost before time began: {how}", node, 0))

    def _on_death(self, child: ChildProcess, kind: type[QnetemError]) -> None:
        """Emulator or zygote has ended by itself."""
        if child is self._zygote:
            self._living.clear()
            self._all_left.set()
        if not self._over.done() and self._outcome is None:
            self._chores.append(asyncio.create_task(self._report_death(child, kind)))

    async def _report_death(self, child: ChildProcess, kind: type[QnetemError]) -> None:
        text = await child.exit_report()
        self._fail(InfrastructureError(text) if child.killed else kind(text))

    def _fail(self, error: QnetemError) -> None:
        if not self._over.done():
            self._over.set_exception(error)

    # --- what the launcher does -------------------------------------------------------------------

    def _spawn(self, node: str, incarnation: int) -> None:
        self._living[node, incarnation] = None
        self._all_left.clear()
        settings = NodeSettings(
            run_id=self.folder.name,
            node=node,
            incarnation=incarnation,
            token=control.token(self._secret, node, incarnation),
            socket_path=self._path("emulator"),
            broker=self.broker.address_of(node),
            run_folder=str(self.run_folder),
        )
        self._zygote.send(Fork(settings))

    def _spawn_worker(self, number: int) -> None:
        self._living["", number] = None
        self._all_left.clear()
        settings = WorkerSettings(
            run_id=self.folder.name,
            number=number,
            nodes=self.workers[number - 1],
            token=control.token(self._secret, "", number),
            socket_path=self._path("emulator"),
            broker=self.broker.address_of_worker(number),
            run_folder=str(self.run_folder),
        )
        self._zygote.send(ForkWorker(settings))

    async def _keep_broker(self) -> None:
        self.interrupt(await self._upkeep.keep(), InfrastructureError.exit_code)

    def _path(self, name: str) -> str:
        assert self._socket_folder is not None
        return f"{self._socket_folder}/{name}"

    @contextlib.contextmanager
    def _listeners(self) -> Iterator[list[socket.socket]]:
        """The emulator's sockets, for as long as it takes to hand them over."""
        self._socket_folder, listeners = open_sockets(self.folder, ["emulator", LIVE], BACKLOG)
        with contextlib.ExitStack() as stack:
            for listener in listeners:
                stack.enter_context(listener)
            yield listeners

    def _facts(self) -> dict[str, object]:
        source = self.topology.source
        return {
            "name": self.topology.name,
            "seed": self.topology.seed,
            "record": self.topology.record,
            "source": str(source) if source is not None else None,
            "broker": self.broker.kind,
            "in_process": False,
            "overrides": list(self.topology.overrides),
            "hash_seed": environment(os.environ)["PYTHONHASHSEED"],
        } | ({"workers": len(self.workers)} if self.workers else {})


def _is_silence(outcome: control.Outcome) -> bool:
    return outcome.problem is not None and outcome.problem.kind == NodeSilent.__name__


async def run_processes(
    topology: Topology,
    options: RunOptions,
    on_progress: OnProgress | None = None,
    on_launcher: Callable[[Launcher], None] | None = None,
    early: EarlyProcesses | None = None,
) -> RunResult:
    """Run a topology with every node in a process of its own; Ctrl-C ends it with exit code 130.

    `on_launcher` gets the launcher before it starts anything. Raises InputError (no run folder, no such
    broker), InfrastructureError (broker, sockets, zygote) and InternalError (the emulator died), with
    `run_folder`. A run that went wrong by itself is no exception: its outcome holds the problem.
    """
    launcher = Launcher(topology, options, on_progress, early)
    if on_launcher is not None:
        on_launcher(launcher)
    loop = asyncio.get_running_loop()

    def interrupt(number: signal.Signals) -> None:
        # Between two callbacks of the loop, not in the middle of one.
        loop.call_soon_threadsafe(launcher.interrupt, because_of(number), EXIT_INTERRUPTED)

    with launcher.folder.in_errors():
        # From before the first process is started until the last one has ended, so that none is left.
        with RunSignals(interrupt) as signals:
            if early is not None and early.stopped_by:
                # Python drops what is raised in a callback of its own, such as one of an import's locks.
                loop.call_soon(launcher.interrupt, early.stopped_by, EXIT_INTERRUPTED)
            async with launcher:
                outcome = await launcher.wait()
        return launcher.folder.conclude(outcome, signals.came)
