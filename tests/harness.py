"""Whole networks without sockets, for tests of the cores.

Owns three things: building a topology from plain coroutine functions, running it the ordinary way
(`run`, which is qnetem/inprocess/network.py with its journal kept in memory), and running it the hard way
(`Carrier`), where everything that the real world may shuffle is shuffled.

Rule of the carrier: it may do to frames and payloads whatever sockets, a broker and a scheduler may do,
and nothing else. Each stream is first-in first-out in either direction; anything else is drawn.
"""

from __future__ import annotations

import io
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

import qnetem
from qnetem import Agent
from qnetem.agents.guards import guards
from qnetem.agents.node.node import Node
from qnetem.emulator import wire
from qnetem.emulator.loading import load_topology
from qnetem.emulator.topology.model.entangle import EntangleSpec
from qnetem.emulator.topology.model.faults import FaultSpec
from qnetem.emulator.topology.model.topology import (
    Classical,
    LinkSpec,
    Memory,
    NodeSpec,
    Quantum,
    Time,
    Topology,
)
from qnetem.emulator.wire.compressed import open_stream
from qnetem.emulator.wire.control import Freeze, Kill, Outcome, Spawn, Thaw
from qnetem.emulator.world.world import World
from qnetem.inprocess.network import InProcessNetwork

Script = Callable[[Any], Awaitable[Any]]
_SCRIPTS: list[Script] = []
HEADER_BYTES = wire.HEADER.size


class Scripted(Agent):
    """A node whose program is a coroutine function of a test."""

    async def run(self, script: int) -> Any:
        return await _SCRIPTS[script](self)


# --- topologies -----------------------------------------------------------------------------------


def node(name: str, program: Script | str, **settings: Any) -> NodeSpec:
    """A node that runs a coroutine function, or a program by name (then `with_` are its options)."""
    options = settings.pop("with_", {})
    if not isinstance(program, str):
        _SCRIPTS.append(program)
        program, options = f"{__name__}:{Scripted.__name__}", {"script": len(_SCRIPTS) - 1}
    slots = settings.pop("slots", None)
    if slots is not None:
        settings["memory"] = Memory(slots=slots)
    return NodeSpec(name=name, program=program, options=options, **settings)


def link(
    first: str,
    second: str,
    latency_ns: int | None = 1000,
    *,
    name: str | None = None,
    bandwidth_bps: float | None = None,
    entangle: EntangleSpec | None = None,
    length_km: float | None = None,
) -> LinkSpec:
    """A link; `latency_ns` None: no classical side; a quantum side when there is something for it."""
    classical = quantum = None
    if latency_ns is not None:
        classical = Classical(latency_ns=latency_ns, bandwidth_bps=bandwidth_bps)
    if entangle is not None or length_km is not None:
        quantum = Quantum(length_km=length_km or 0.0, entangle=entangle)
    return LinkSpec(
        name=name or f"{first}-{second}", ends=(first, second), classical=classical, quantum=quantum
    )


def heralding(success: float = 1.0, attempt_ns: int = 1000, **rest: Any) -> EntangleSpec:
    """A simple link's source of pairs."""
    return EntangleSpec(success=success, fidelity=1.0, attempt_ns=attempt_ns, **rest)


def fault(
    verb: str, target: str, at_ns: int, for_ns: int | None = None, **parameters: Any
) -> FaultSpec:
    """One entry of the schedule."""
    return FaultSpec(verb=verb, target=target, at_ns=at_ns, for_ns=for_ns, parameters=parameters)


def network(
    nodes: Mapping[str, Script | NodeSpec],
    links: Sequence[LinkSpec] = (),
    faults: Sequence[FaultSpec] = (),
    *,
    until_ns: int | None = None,
    **settings: Any,
) -> Topology:
    """A topology of coroutine functions (or of nodes made by `node`)."""
    specs = {
        name: spec if isinstance(spec, NodeSpec) else node(name, spec)
        for name, spec in nodes.items()
    }
    return Topology(
        name="bench",
        nodes=specs,
        links={spec.name: spec for spec in links},
        faults=list(faults),
        time=Time(until_ns=until_ns),
        **settings,
    )


def pair(alice: Script, bob: Script, latency_ns: int = 1000, **settings: Any) -> Topology:
    """Two nodes and a link between them."""
    links = [link("alice", "bob", latency_ns)]
    return network({"alice": alice, "bob": bob}, links, **settings)


async def idle(me: Agent) -> None:
    """A program that has nothing to do."""


# --- what came of it ------------------------------------------------------------------------------


@dataclass
class Run:
    """A run that is over. `events`: (t_ns, m, entity, kind, *fields) as in the journal."""

    outcome: Outcome
    world: World
    nodes: dict[str, Node]
    events: list[tuple[Any, ...]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)

    @property
    def results(self) -> dict[str, Any]:
        """What the programs returned. Raises AssertionError when the run had a problem."""
        assert self.outcome.problem is None, self.outcome.problem
        return self.outcome.results

    @property
    def problem(self) -> Any:
        """Why the run did not end well. Raises AssertionError when it did."""
        assert self.outcome.problem is not None
        return self.outcome.problem

    def of(self, entity: str, *kinds: str) -> list[tuple[Any, ...]]:
        """One entity's events, of these kinds (all of them when none is named)."""
        return [e for e in self.events if e[2] == entity and (not kinds or e[3] in kinds)]

    def observable(self) -> dict[str, Any]:
        """Everything that must not depend on how the run was carried."""
        outcome = self.outcome
        metrics = {k: v for k, v in outcome.metrics.items() if k != "messages.resent"}
        states = {name: (s.incarnation, s.state) for name, s in outcome.nodes.items()}
        problem = outcome.problem
        told = None if problem is None else (problem.kind, problem.text, problem.node)
        return {
            "events": self.events,
            "digest": outcome.digest,
            "results": outcome.results,
            "t_ns": outcome.t_ns,
            "instants": outcome.instants,
            "nodes": states,
            "problem": told,
            "metrics": metrics,
            "logs": self.logs,
        }


def content(path: Path) -> bytes:
    """All that is in a file, decompressed if it is compressed."""
    with open_stream(path) as stream:
        return stream.read()


def recorded(world: World) -> list[tuple[Any, ...]]:
    """The journal's events from now on, as they would be read back from its file."""
    events: list[tuple[Any, ...]] = []
    journal, plain = world.journal, world.journal.event

    def event(entity: str, kind: str, *fields: Any) -> None:
        plain(entity, kind, *fields)
        clock = world.conductor
        line = (clock.now_ns, clock.m, entity, kind, *fields)
        events.append(tuple(msgspec.json.decode(msgspec.json.encode(line))))

    journal.event = event  # type: ignore[method-assign]
    return events


class _Logs:
    """Streams for the nodes' logs and prints, in memory."""

    def __init__(self) -> None:
        self._streams: dict[str, io.StringIO] = {}

    def open(self, name: str, incarnation: int) -> io.StringIO:
        return self._streams.setdefault(f"{name}.{incarnation}", io.StringIO())

    def texts(self) -> dict[str, str]:
        """What was written; one that was killed before its Welcome has nothing to show either way."""
        texts = {name: stream.getvalue() for name, stream in sorted(self._streams.items())}
        return {name: text for name, text in texts.items() if text}


def run(topology: Topology) -> Run:
    """The ordinary run in one process."""
    logs = _Logs()
    carried = InProcessNetwork(topology, log_stream=logs.open)
    events = recorded(carried.world)
    outcome = carried.run()
    nodes = {name: seat.node for name, seat in carried.seats.items()}
    return Run(outcome, carried.world, nodes, events, logs.texts())


def run_results(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """`run(network(...)).results`."""
    return run(network(*args, **kwargs)).results


# --- the hard way ---------------------------------------------------------------------------------


class _Process:
    """One incarnation's process: a core, and its two streams. `node` is None before Welcome."""

    def __init__(self, name: str, incarnation: int) -> None:
        self.name, self.incarnation = name, incarnation
        self.node: Node | None = None
        #: Stopped by SIGSTOP: it reads nothing.
        self.frozen = False
        self.to_node: deque[bytes] = deque()
        self.to_world: deque[bytes] = deque()


class Carrier:
    """A run whose frames and payloads are carried in an order drawn from `seed`.

    Frames travel encoded. Payloads between nodes are delayed, overtake each other, are duplicated with
    probability `duplicates` and dropped with `drops`; a node that lacks one asks for it again. What a
    killed process had written to its stream still comes; what it had published may be lost.
    """

    STEPS = 200_000

    def __init__(
        self, topology: Topology, seed: int, *, drops: float = 0.2, duplicates: float = 0.2
    ) -> None:
        guards.install()
        self.world = World(topology)
        self.events = recorded(self.world)
        self.processes: dict[str, _Process] = {}
        self._rng = random.Random(seed)
        self._drops, self._duplicates = drops, duplicates
        self._logs = _Logs()
        self._payloads: list[tuple[str, str, bytes]] = []
        self._launcher: deque[msgspec.Struct] = deque()
        self._exits: list[Kill] = []
        self._spawns: list[Spawn] = [Spawn(name, 1) for name in topology.nodes]

    def run(self) -> Run:
        """Carry until the outcome is out and nothing is left to carry to a living node."""
        world = self.world
        world.start()
        for _ in range(self.STEPS):
            self._drain_world()
            moves = self._moves()
            if not moves:
                break
            self._rng.choice(moves)()
        else:
            raise AssertionError(f"no end after {self.STEPS} moves")
        assert world.outcome is not None, "the network stands still without an outcome"
        nodes = {p.name: p.node for p in self.processes.values() if p.node is not None}
        return Run(world.outcome, world, nodes, self.events, self._logs.texts())

    # --- what may happen next ---

    def _moves(self) -> list[Callable[[], None]]:
        """Everything that could happen now, in a fixed order; lines of waiting things count once."""
        moves: list[Callable[[], None]] = []
        for spawn in self._spawns:
            moves.append(lambda spawn=spawn: self._spawn(spawn))  # type: ignore[misc]
        for kill in self._exits:
            moves.append(lambda kill=kill: self._exit(kill))  # type: ignore[misc]
        if self._launcher:
            moves.append(self._launch)
        for process in self.processes.values():
            if process.to_world:
                moves.append(lambda p=process: self._frame_to_world(p))  # type: ignore[misc]
            if process.to_node and not process.frozen:
                moves.append(lambda p=process: self._frame_to_node(p))  # type: ignore[misc]
        if self._payloads:
            moves += [self._payload] * min(len(self._payloads), 4)
        if not moves or self._rng.random() < 0.1:
            for process in self.processes.values():
                if process.node is not None and process.node.lacking():
                    moves.append(lambda p=process: self._ask_again(p))  # type: ignore[misc]
        return moves

    def _drain_world(self) -> None:
        """The world's outbox goes onto the streams; no order is lost on any one of them."""
        for destination, message in self.world.outbox:
            if not destination:
                self._launcher.append(message)
            elif destination in self.processes:
                self.processes[destination].to_node.append(wire.frame(message)[HEADER_BYTES:])
        self.world.outbox.clear()

    def _launch(self) -> None:
        message = self._launcher.popleft()
        if isinstance(message, Kill):
            self._kill(message)
        elif isinstance(message, Spawn):
            self._spawns.append(message)
        elif isinstance(message, (Freeze, Thaw)):
            self.processes[message.node].frozen = isinstance(message, Freeze)

    def _spawn(self, spawn: Spawn) -> None:
        """The process has subscribed, and says Hello."""
        self._spawns.remove(spawn)
        name, incarnation = spawn.node, spawn.incarnation
        process = self.processes[name] = _Process(name, incarnation)
        process.to_world.append(wire.frame(wire.Hello(name, incarnation, "", 1))[HEADER_BYTES:])

    def _kill(self, kill: Kill) -> None:
        """SIGKILL. Whatever it had published and the broker has not got is gone."""
        process = self.processes[kill.node]
        assert process.incarnation == kill.incarnation
        if process.node is not None:
            process.node.kill()
            process.node = None
        process.to_node.clear()
        self._payloads = [
            entry
            for entry in self._payloads
            if entry[1] != kill.node and (entry[0] != kill.node or self._rng.random() < 0.5)
        ]
        self._exits.append(kill)

    def _exit(self, kill: Kill) -> None:
        """The process is reaped; what its stream still holds may come before or after."""
        self._exits.remove(kill)
        self.world.exited(kill.node, kill.incarnation, -9)

    # --- carrying ---

    def _frame_to_world(self, process: _Process) -> None:
        message = wire.decode_to_emulator(process.to_world.popleft())
        if isinstance(message, wire.Hello):
            refusal = self.world.authenticate(message)
            assert refusal is None, refusal
        self.world.receive(process.name, process.incarnation, message)

    def _frame_to_node(self, process: _Process) -> None:
        message = wire.decode_to_node(process.to_node.popleft())
        if isinstance(message, wire.Welcome):
            log = self._logs.open(process.name, process.incarnation)
            process.node = Node(message, log)
        elif process.node is not None:
            process.node.receive(message)
        self._collect(process)

    def _payload(self) -> None:
        index = self._rng.randrange(len(self._payloads))
        source, destination, data = self._payloads[index]
        if destination in self.processes and self.processes[destination].frozen:
            return
        fate = self._rng.random()
        if fate >= self._duplicates:
            del self._payloads[index]
        if fate >= 1.0 - self._drops:
            return
        process = self.processes.get(destination)
        if process is not None and process.node is not None:
            process.node.payload(source, data)
            self._collect(process)

    def _ask_again(self, process: _Process) -> None:
        assert process.node is not None
        for request in process.node.lacking():
            process.to_world.append(wire.frame(request)[HEADER_BYTES:])

    def _collect(self, process: _Process) -> None:
        """What the core has to say: frames onto its stream, payloads to the broker."""
        node = process.node
        if node is None:
            return
        for message in node.outbox:
            process.to_world.append(wire.frame(message)[HEADER_BYTES:])
        node.outbox.clear()
        for destination, data in node.publishes:
            self._payloads.append((process.name, destination, data))
        node.publishes.clear()


def run_hard(topology: Topology, seed: int, **trouble: float) -> Run:
    """A run carried in an order drawn from `seed`."""
    return Carrier(topology, seed, **trouble).run()


def expectations_hold(path: Path, runs_folder: Path) -> None:
    """A topology of the repository does what it says under `expect:`, all of it."""
    run = qnetem.run(path, runs_folder=runs_folder, in_process=True)
    assert run.problem is None
    assert [verdict for verdict in run.verdicts if not verdict.ok] == []
    assert len(run.verdicts) == len(load_topology(path).expect) > 1
