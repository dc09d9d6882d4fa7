"""A run in one process: the same cores, called directly, without broker and sockets; the same digest.

Owns the loop that carries frames between World and Nodes. Does not own what a frame causes: the cores do.
Like a run in processes it encodes and decodes messages, and ends a killed node before the next incarnation is
made.

Rule: the order in which this loop carries frames is as irrelevant as the real order of arrival between
processes.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from ..agents.guards import guards
from ..agents.guards.patches import plain
from ..agents.guards.running_program import aside
from ..agents.loop.finalizers import hooked
from ..agents.node.node import Node
from ..agents.node.storages import Shelf
from ..agents.process.files import Gathered, Log, NodeJournal, Payload, UnheldLogFile
from ..agents.process.output import ERR, NOWHERE, OUT, OwnStreams, printing, unrouted
from ..emulator.errors import InfrastructureError, InternalError
from ..emulator.program_modules import ProgramModules
from ..emulator.service.live_socket import PolledLiveSocket
from ..emulator.topology.model.topology import Topology
from ..emulator.wire import (
    RECORDED_INPUT,
    RECORDED_OUTPUT,
    Hello,
    RecordedInput,
    Welcome,
)
from ..emulator.wire.control import Kill, Outcome, Spawn
from ..emulator.world.world import World
from ..live.address import live_listener
from ..processes.signals import RunSignals, because_of
from ..runs.files import unwritable
from ..runs.fingerprints import hash_seed
from ..runs.run_folder import RunFolder, RunResult
from .collector import collector_paused, patient, start_kept
from .turns import Share, alone
from .watchdog import watched

if TYPE_CHECKING:
    from ..launcher.launcher import OnProgress

_PROGRESS_S = 0.1
#: A signal's handler does not end a sleep (PEP 475): real time mode wakes up to look.
_LONGEST_NAP_S = 0.1
#: A turn takes so long where something else waits.
_SLICE_S = 0.01
#: Bytes of nodes' records that are kept in memory until they are written.
_MOST_GATHERED = 64 * 1024 * 1024
#: Without the guards, which may be there already: asked at every instant, and never by a program.
_monotonic = plain(time.monotonic)


class Seat:
    """One incarnation of a node: where its lines go, and its journal (None: it keeps none)."""

    __slots__ = ("incarnation", "journal", "name", "node", "own", "stream")

    def __init__(self, name: str, node: Node, stream: IO[str]) -> None:
        self.name, self.node, self.stream = name, node, stream
        self.incarnation = node.welcome.incarnation
        #: What its program has put in place of the standard streams; None: nothing so far.
        self.own: OwnStreams | None = None
        self.journal: NodeJournal | None = None


class InProcessNetwork:
    """A whole network in this process. `run()` runs it to its end, in this thread.

    `log_stream(node, incarnation)` gives the stream for a node's log lines and prints; None: stderr.
    `record_path(node, incarnation)` is where its process would write its record; None: no node keeps one.
    `share`: with what importing the programs has changed about the process, if that was its turn, too.
    `inputs`: what came from outside in the run that this one repeats (None: it repeats none).
    `stores`: the folder of what services store; None: they store it in memory.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        journal_path: Path | None = None,
        record_path: Callable[[str, int], Path] | None = None,
        log_stream: Callable[[str, int], IO[str]] | None = None,
        on_progress: OnProgress | None = None,
        share: Share | None = None,
        inputs: list[RecordedInput] | None = None,
        stores: Path | None = None,
    ) -> None:
        self._share = share or Share()
        with self._share.turn():
            guards.install()
            self.world = World(topology, journal_path=journal_path, wall=_monotonic, inputs=inputs)
        #: All nodes of the network, for each of them.
        self._names = dict.fromkeys(sorted(topology.nodes))
        #: The nodes that are alive, by name.
        self.seats: dict[str, Seat] = {}
        self._log_stream, self._on_progress = log_stream, on_progress
        self._record_path = record_path
        self._gathered = Gathered()
        #: Why something is missing in a node's log, if something is.
        self._troubles: list[InfrastructureError] = []
        self._stores, self._shelves = stores, dict[str, Shelf]()
        self._modules = ProgramModules()
        self._next_progress = 0.0
        #: The run's live socket; None: it answers no requests.
        self.live_socket: PolledLiveSocket | None = None
        #: Something was asked for there, at which the run has not looked.
        self._asked = False
        #: The node that is being called at this moment, and how many calls there have been.
        self.inside: Node | None = None
        self.calls = 0

    def run(self) -> Outcome:
        """Run to the end. Raises InternalError when the cores stop short of one."""
        batches = self.batches()
        pause_s = self.carry(batches, polite=False)
        while pause_s is not None:
            if self.live_socket is not None:
                self.live_socket.poll(pause_s)
            elif pause_s:
                time.sleep(pause_s)
            pause_s = self.carry(batches, polite=False)
        return self.ended()

    def ended(self) -> Outcome:
        """The outcome, when there are no more batches. Raises InternalError if there is none."""
        if self.world.outcome is None:
            raise InternalError("the network stands still without an outcome")
        return self.world.outcome

    def carry(self, batches: Iterator[float], *, polite: bool = True) -> float | None:
        """One turn: carry batches; how long to wait then (s), or None at the end.

        It ends after a slice of real time: in any case, or (not `polite`) when another run waits. What was
        asked for within a turn is looked at before any wait, which nothing would cut short.
        """
        ends = _monotonic() + _SLICE_S
        door = self.live_socket
        if door is not None and door.poll():
            self._asked = True
        try:
            with self._share.turn(), hooked():
                for pause_s in batches:
                    if pause_s:
                        if not self._asked:
                            return pause_s
                        self._asked = False
                        continue
                    now_s = _monotonic()
                    if door is not None and now_s >= door.next_poll_s and door.poll():
                        self._asked = True
                    if now_s >= ends:
                        if polite or self._share.wanted:
                            return 0.0
                        ends = now_s + _SLICE_S
        except KeyboardInterrupt:  # a program that did not come back was broken off
            if self.world.outcome is None:
                raise
        return None

    def batches(self) -> Iterator[float]:
        """Carry frames, batch by batch, to the end; after each: how long to wait in real time (s).

        For `carry`, and as a whole or not at all: a new iterator starts the run. A node's journal that
        cannot be written ends the run.
        """
        try:
            with self._journals_closed(), patient(len(self._names)), start_kept():
                yield from self._batches()
        except InfrastructureError as error:
            if self.world.over:
                raise
            self.world.fail(error)
        finally:
            self._modules.close()
            if self.live_socket is not None:
                self.live_socket.close()

    def _batches(self) -> Iterator[float]:
        world = self.world
        outbox = world.outbox
        with collector_paused():
            world.start()
            for name in world.nodes.statuses:
                self._hello(name, 1)
            self._welcome_all()
        while outbox or world.resume_in_s is not None:
            if world.resume_in_s is not None:
                yield min(world.resume_in_s, _LONGEST_NAP_S)
                world.resume()
            batch = outbox[:]
            outbox.clear()
            for destination, message in batch:
                if destination:
                    self._to_node(destination, message)
                else:
                    self._from_world(message)
            if self._gathered.size > _MOST_GATHERED:
                self._write_records()
            if self._on_progress is not None:
                self._progress()
            yield 0.0

    def _welcome_all(self) -> None:
        """Make the nodes. The frames behind their Welcomes, the first grants, stay in the outbox."""
        outbox = self.world.outbox
        welcomes = [each for each in outbox if type(each[1]) is Welcome]
        outbox[:] = [each for each in outbox if type(each[1]) is not Welcome]
        for name, welcome in welcomes:
            self._to_node(name, welcome)

    def interrupt(self, reason: str, exit_code: int = 130) -> None:
        """Stop after the present instant; safe from a signal handler."""
        self.world.interrupt(reason, exit_code)

    def stalled(self, node: str, place: str) -> None:
        """A program does not return (watchdog.py): the run ends with it."""
        self.world.stalled(node, place)

    @contextlib.contextmanager
    def _journals_closed(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                yield
            finally:
                for seat in self.seats.values():
                    if seat.journal is not None:
                        stack.callback(seat.journal.close)

    def _hello(self, name: str, incarnation: int) -> None:
        hello = Hello(name, incarnation, "", os.getpid())
        refusal = self.world.authenticate(hello)
        if refusal is not None:
            raise InternalError(refusal)
        self.world.receive(name, incarnation, hello)

    def _to_node(self, name: str, message: msgspec.Struct) -> None:
        """Carry a frame to a node, and what it makes of it: payloads to other nodes, frames to the world."""
        if type(message) is Welcome:
            seat = self.seats[name] = self._seat(name, message)
        else:
            seat = self.seats[name]
            self._hand_over(seat, message)
        node, journal = seat.node, seat.journal
        if node.stopped:
            _kill(node)  # ends what still waits now, not when its memory is freed
        if node.storages.changes:
            node.storages.commit()
        if node.publishes:
            self._publish(seat)
        outbox, receive, incarnation = node.outbox, self.world.receive, seat.incarnation
        for frame in outbox:
            if journal is not None and type(frame) in RECORDED_OUTPUT:
                journal.record(frame)  # type: ignore[arg-type]
            receive(name, incarnation, frame)
        outbox.clear()

    def _seat(self, name: str, welcome: Welcome) -> Seat:
        """The first message makes the node, and what goes with it."""
        stream = (
            self._log_stream(name, welcome.incarnation)
            if self._log_stream
            else unrouted(sys.stderr)
        )
        welcome = _own(welcome)
        with printing(stream):  # importing the program may print
            seat = Seat(name, Node(welcome, stream, self._modules, self._names), stream)
        if isinstance(stream, Log) and isinstance(stream.file, UnheldLogFile):
            stream.file.troubles = self._troubles
        seat.node.storages.shelf = self._shelves.setdefault(name, Shelf(self._stores))
        if self._record_path is not None:
            path = self._record_path(name, welcome.incarnation)
            seat.journal = NodeJournal(path, self._gathered)
            seat.journal.record(msgspec.structs.replace(welcome, nodes=[]))
        return seat

    def _hand_over(self, seat: Seat, message: Any) -> None:
        """Hand the node a message."""
        node, journal, own = seat.node, seat.journal, seat.own
        if journal is not None and type(message) in RECORDED_INPUT:
            journal.record(message)
        self.calls += 1
        self.inside = node
        if own is not None:
            own.begin()
        try:
            node.receive(message)
        finally:
            self.inside = None
            if own is not None or sys.stdout is not OUT or sys.stderr is not ERR:
                if own is None:
                    own = seat.own = OwnStreams()
                own.end()
        if self._troubles:
            raise self._troubles[0]

    def _publish(self, seat: Seat) -> None:
        """Payloads straight into the other nodes' buffers."""
        publishes = seat.node.publishes
        for destination, payload in publishes:
            receiver = self.seats.get(destination)
            if receiver is not None and not receiver.node.dead:
                if receiver.journal is not None:
                    receiver.journal.record(Payload(seat.name, payload))
                receiver.node.payload(seat.name, payload)
        publishes.clear()

    def _write_records(self) -> None:
        """Have the nodes' records written that are gathered in memory."""
        for seat in self.seats.values():
            if seat.journal is not None:
                seat.journal.flush()

    def _from_world(self, message: msgspec.Struct) -> None:
        if isinstance(message, Kill):
            seat = self.seats.pop(message.node)
            _kill(seat.node)
            if seat.journal is not None:
                seat.journal.close()
            gc.collect()
            self.world.exited(message.node, message.incarnation, -9)
        elif isinstance(message, Spawn):
            self._hello(message.node, message.incarnation)

    def _progress(self) -> None:
        now = _monotonic()
        if now >= self._next_progress and self._on_progress is not None:
            self._next_progress = now + _PROGRESS_S
            self._on_progress(self.world.progress())


def _kill(node: Node) -> None:
    """End a node; like a killed process it prints nothing more."""
    with printing(NOWHERE):
        node.kill()


def _own(welcome: Welcome) -> Welcome:
    """A copy, as a process gets it, so that no program can write to the topology's `with`.

    There is no ordinary loop here on which a node could be open to the outside.
    """
    # All but the names of the nodes, which are the same for each of them.
    bare = msgspec.structs.replace(welcome, nodes=[])
    copied = msgspec.msgpack.decode(msgspec.msgpack.encode(bare), type=Welcome)
    copied.nodes = welcome.nodes
    if copied.outside == "live":
        copied.outside = "in process"
    return copied


def run_in_process(
    topology: Topology,
    runs_folder: Path,
    on_progress: OnProgress | None = None,
    share: Share | None = None,
    inputs: list[RecordedInput] | None = None,
) -> RunResult:
    """Run a topology in this process, recorded like any other run. Raises as `run_processes` does."""
    folder = RunFolder.create(runs_folder, topology.name)
    with folder.in_errors():
        with (
            alone(),
            recorded(folder, topology, on_progress, share, inputs) as network,
            _ending_signals(network) as signals,
            watched(network),
        ):
            outcome = network.run()
        return folder.conclude(outcome, signals.came)


@contextlib.contextmanager
def recorded(
    folder: RunFolder,
    topology: Topology,
    on_progress: OnProgress | None = None,
    share: Share | None = None,
    inputs: list[RecordedInput] | None = None,
) -> Iterator[InProcessNetwork]:
    """A network that is recorded in a run folder. Raises InputError when the disk refuses."""
    facts: dict[str, object] = {
        "name": topology.name,
        "seed": topology.seed,
        "source": str(topology.source or ""),
        "broker": "none (in-process)",
        "in_process": True,
        "overrides": list(topology.overrides),
        "hash_seed": hash_seed(),
    }
    folder.describe(topology.to_data(), facts, inputs)
    opened: list[Log] = []
    with contextlib.ExitStack() as logs:

        def log_stream(node: str, incarnation: int) -> IO[str]:
            path = folder.node_log(node, incarnation)
            try:
                opened.append(logs.enter_context(Log(path, path)))
                return opened[-1]
            except OSError as error:
                raise InfrastructureError(unwritable(path, error), node) from error

        is_full = topology.record == "full"
        network = InProcessNetwork(
            topology,
            journal_path=folder.journal if is_full else None,
            record_path=folder.record if is_full else None,
            log_stream=log_stream,
            on_progress=on_progress,
            share=share,
            inputs=inputs,
            stores=folder.stores,
        )
        with live_listener(folder) as listener:
            network.live_socket = PolledLiveSocket(network.world.live, listener, _monotonic)
            try:
                yield network
            finally:
                network.live_socket.close()
    outcome = network.world.outcome
    if outcome is not None and outcome.problem is None:  # the last lines are written only now
        for log in opened:
            if log.trouble is not None:
                raise log.trouble


def _ending_signals(network: InProcessNetwork) -> RunSignals:
    """The first SIGINT or SIGTERM stops the run after the present step, a second one at once."""

    @aside()
    def stop(number: signal.Signals) -> None:
        signals.put_back()
        network.interrupt(because_of(number))

    signals = RunSignals(stop, (signal.SIGINT, signal.SIGTERM))
    return signals
