"""A quantum plane on a bench: real conductor, journal and metrics, no nodes.

Tests issue operations as nodes would, and see what came out at which instant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from qnetem.emulator.kernel.conductor import FAULT, GRANT, Conductor
from qnetem.emulator.kernel.ports import Surroundings
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.quantum.plane import QuantumPlane
from qnetem.emulator.record.journal import Journal
from qnetem.emulator.record.metrics import Metrics
from qnetem.emulator.topology.model.entangle import EntangleSpec
from qnetem.emulator.topology.model.topology import (
    BellMeasurement,
    Gates,
    LinkSpec,
    Measurement,
    Memory,
    NodeSpec,
    Quantum,
    Topology,
)
from qnetem.emulator.wire import Allocate, Arrival, Operation

X_AXIS = (1.0, 0.0, 0.0)
Z_AXIS = (0.0, 0.0, 1.0)


def node(
    name: str,
    memory: Memory | None = None,
    gates: Gates | None = None,
    measurement: Measurement | None = None,
    bell_measurement: BellMeasurement | None = None,
) -> NodeSpec:
    return NodeSpec(
        name=name,
        program="module:Class",
        memory=memory or Memory(),
        gates=gates or Gates(),
        measurement=measurement or Measurement(),
        bell_measurement=bell_measurement or BellMeasurement(),
    )


def heralding(
    success: float = 1.0,
    fidelity: float = 1.0,
    attempt_ns: int = 1000,
    multiplexing: int = 1,
    length_km: float = 0.0,
) -> Quantum:
    spec = EntangleSpec(
        success=success, fidelity=fidelity, attempt_ns=attempt_ns, multiplexing=multiplexing
    )
    return Quantum(length_km=length_km, entangle=spec)


def link(first: str, second: str, quantum: Quantum, name: str | None = None) -> LinkSpec:
    return LinkSpec(name=name or f"{first}-{second}", ends=(first, second), quantum=quantum)


@dataclass(frozen=True)
class Outcome:
    """A result and the instant at which it came."""

    t_ns: int
    m: int
    value: Any
    error: tuple[str, dict[str, Any]] | None


class Lab:
    """`issue` and `run`; then `outcome(node, number)`, `arrivals`, `plane.registry`."""

    def __init__(
        self,
        nodes: Sequence[NodeSpec],
        links: Sequence[LinkSpec] = (),
        seed: int = 1,
        formalism: str = "auto",
    ):
        topology = Topology(
            name="bench",
            nodes={spec.name: spec for spec in nodes},
            links={spec.name: spec for spec in links},
            formalism=formalism,
        )
        self.clock = Conductor()
        self.journal = Journal(self.clock)
        self.metrics = Metrics()
        self.streams = Streams(seed)
        around = Surroundings(self.clock, self.journal, self.metrics, self.streams)
        self.plane = QuantumPlane(topology, around)
        self.outcomes: dict[tuple[str, int, int], list[Outcome]] = {}
        self.arrivals: list[tuple[str, int, Arrival]] = []
        self.incarnations = {spec.name: 1 for spec in nodes}
        self._numbers = dict.fromkeys(self.incarnations, 0)

    def issue(self, name: str, kind: Callable[..., Operation], *arguments: Any) -> int:
        self._numbers[name] += 1
        number = self._numbers[name]
        self.plane.issue(name, self.incarnations[name], kind(number, *arguments))
        return number

    def at(self, t_ns: int, action: Callable[[], object]) -> None:
        """Do something before anything else at `t_ns`, as a fault does."""
        self.clock.at(t_ns, ("", 0, 0), _silent(action), FAULT)

    def later(self, t_ns: int, action: Callable[[], object]) -> None:
        """Do something at `t_ns` after all completions of its instant, as a node does."""
        self.clock.at(t_ns, ("", 0, 0), _silent(action), GRANT)

    def step(self) -> bool:
        """One instant; False when nothing is due any more."""
        instant = self.clock.next_instant()
        if instant is None:
            return False
        self.clock.enter(*instant)
        while self.clock.run_phases():
            pass
        self._collect()
        return True

    def run(self, until_ns: int | None = None) -> None:
        """Instants until nothing is due, or nothing up to `until_ns`."""
        instant = self.clock.next_instant()
        while instant is not None and (until_ns is None or instant[0] <= until_ns):
            self.step()
            instant = self.clock.next_instant()

    def do(self, name: str, kind: Callable[..., Operation], *arguments: Any) -> Outcome:
        """Issue, run until nothing is due, and answer with the outcome."""
        number = self.issue(name, kind, *arguments)
        self.run()
        return self.outcome(name, number)

    def qubit(self, name: str) -> str:
        """The name of a fresh qubit in |0>."""
        qubit: str = self.do(name, Allocate).value
        return qubit

    def outcome(self, name: str, number: int, incarnation: int = 1) -> Outcome:
        (only,) = self.outcomes[name, incarnation, number]
        return only

    def has_ended(self, name: str, number: int, incarnation: int = 1) -> bool:
        return (name, incarnation, number) in self.outcomes

    def kill(self, name: str) -> None:
        self.plane.node_died(name, self.incarnations[name])

    def join(self, name: str) -> None:
        self.incarnations[name] += 1
        self._numbers[name] = 0
        self.plane.node_joined(name, self.incarnations[name])

    def _collect(self) -> None:
        now, m = self.clock.now_ns, self.clock.m
        for name, incarnation, result in self.plane.results:
            outcome = Outcome(now, m, result.value, result.error)
            self.outcomes.setdefault((name, incarnation, result.number), []).append(outcome)
        for name, arrival in self.plane.arrivals:
            self.arrivals.append((name, now, arrival))
        self.plane.results.clear()
        self.plane.arrivals.clear()


def _silent(action: Callable[[], object]) -> Callable[[], None]:
    def act() -> None:
        action()

    return act
