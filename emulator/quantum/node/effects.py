"""What each operation on held qubits checks, how long it takes, and what it does.

Owns the arguments' rules, the durations, and the effect with the node's device errors. Does not own
when an effect happens (plane.py) or the states (registry.py).

Rules: an operation occupies its qubits from its start to its end, and until its end they decay as idle
ones do. At its end the ideal operation and the node's own error act, both at once: so a qubit that is
consumed has paid for the time that this took, and one that is initialised (Allocate, Reset) is then as it
should be. Each operation draws a fixed number of uniforms from its node's generator, whatever comes out:
Measure 2 (outcome, flip), BellMeasure and Join 4 (two outcomes, two flips), all others none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import OperationError
from ...kernel.ports import Journal, Metrics
from ...record.journal import rounded
from ...states.engine import unit_axis
from ...states.gates import GATES
from ...wire import (
    Allocate,
    Apply,
    BellMeasure,
    Discard,
    Join,
    Joined,
    Measure,
    Operation,
    Probe,
    Reset,
)
from .memory_slots import Station
from .registry import Registry

# --- what an operation touches, and for how long (ns) ---------------------------------------------


def _apply_plan(station: Station, operation: Apply) -> tuple[Sequence[str], int]:
    count, qubits = GATES.get(operation.gate), operation.qubits
    if count is None:
        raise OperationError(why=f"unknown gate {operation.gate!r}; there are {', '.join(GATES)}")
    if len(qubits) != count:
        noun = "qubit" if count == 1 else "qubits"
        raise OperationError(why=f"{operation.gate} takes {count} {noun}, not {len(qubits)}")
    if not math.isfinite(operation.angle):
        raise OperationError(why=f"{operation.gate}: the angle must be finite")
    if count == 1:
        return qubits, station.single_ns
    _distinct(qubits)
    return qubits, station.two_ns


def _measure_plan(station: Station, operation: Measure) -> tuple[Sequence[str], int]:
    unit_axis(operation.axis)
    return (operation.qubit,), station.measure_ns


def _bell_plan(station: Station, operation: BellMeasure) -> tuple[Sequence[str], int]:
    return _both(operation.first, operation.second), station.two_ns + station.measure_ns


def _join_plan(station: Station, operation: Join) -> tuple[Sequence[str], int]:
    return _both(operation.left, operation.right), station.two_ns + station.measure_ns


def _reset_plan(station: Station, operation: Reset) -> tuple[Sequence[str], int]:
    return (operation.qubit,), station.initialisation_ns


def _discard_plan(_: Station, operation: Discard) -> tuple[Sequence[str], int]:
    _distinct(operation.qubits)
    return operation.qubits, 0


def _probe_plan(_: Station, operation: Probe) -> tuple[Sequence[str], int]:
    """The registry looks at the target's amplitudes; their number is known here already."""
    qubits, target = operation.qubits, operation.target
    _distinct(qubits)
    if not qubits:
        raise OperationError(why="a probe needs a qubit")
    if target is None and len(qubits) > 2:
        raise OperationError(why=f"a probe of {len(qubits)} qubits needs a target state")
    if target is not None and len(target) != 2 ** len(qubits):
        raise OperationError(
            why=f"a target of {len(qubits)} qubits has {2 ** len(qubits)} amplitudes, "
            f"not {len(target)}"
        )
    return qubits, 0


PLANS: dict[type[Operation], Callable[[Station, Any], tuple[Sequence[str], int]]] = {
    Apply: _apply_plan,
    Measure: _measure_plan,
    BellMeasure: _bell_plan,
    Join: _join_plan,
    Reset: _reset_plan,
    Discard: _discard_plan,
    Probe: _probe_plan,
}


def _both(first: str, second: str) -> tuple[str, str]:
    _distinct((first, second))
    return (first, second)


def _distinct(qubits: Sequence[str]) -> None:
    if len(qubits) > 1 and len(set(qubits)) < len(qubits):
        raise OperationError(why=f"the same qubit twice: {', '.join(qubits)}")


# --- what it does ---------------------------------------------------------------------------------


class Effects:
    """Effects on the registry. `of[type](station, operation, now_ns)` answers with the value.

    Raises OperationError when the node does not hold a qubit (any more) or the state would be too
    large; then nothing has changed.
    """

    def __init__(self, registry: Registry, journal: Journal, metrics: Metrics) -> None:
        self._registry, self._journal, self._metrics = registry, journal, metrics
        self.of: dict[type[Operation], Callable[[Station, Any, int], Any]] = {
            Allocate: self._allocate,
            Apply: self._apply,
            Measure: self._measure,
            BellMeasure: self._bell_measure,
            Join: self._join,
            Reset: self._reset,
            Discard: self._discard,
            Probe: self._probe,
        }

    def _allocate(self, station: Station, _: Allocate, now_ns: int) -> str:
        station.allocated += 1
        qubit = f"{station.name}#{station.allocated}"
        self._registry.allocate(qubit, station.name, now_ns)
        self._err_initially(station, qubit, now_ns)
        return qubit

    def _apply(self, station: Station, operation: Apply, now_ns: int) -> None:
        qubits = operation.qubits
        self._registry.require(station.name, qubits)
        self._registry.apply_gate(operation.gate, operation.angle, qubits, now_ns)
        noise = station.single_map if len(qubits) == 1 else station.two_map
        if noise is not None:
            self._registry.apply_map(noise, qubits, now_ns)

    def _measure(self, station: Station, operation: Measure, now_ns: int) -> int:
        qubit, keep = operation.qubit, operation.keep
        self._registry.require(station.name, (qubit,))
        u, flip = station.rng.random(), station.rng.random()
        outcome = self._registry.measure(qubit, operation.axis, u, now_ns, keep)
        if not keep:
            station.vacate(qubit)
        return outcome ^ (flip < station.flip)

    def _bell_measure(self, station: Station, operation: BellMeasure, now_ns: int) -> list[int]:
        return list(self._bell(station, operation.first, operation.second, now_ns))

    def _join(self, station: Station, operation: Join, now_ns: int) -> Joined:
        left, right = operation.left, operation.right
        z, x = self._bell(station, left, right, now_ns)
        return Joined(left.partition("@")[0], right.partition("@")[0], z, x)

    def _bell(self, station: Station, first: str, second: str, now_ns: int) -> tuple[int, int]:
        registry = self._registry
        registry.require(station.name, (first, second))
        u1, u2, flip_z, flip_x = station.rng.random(4).tolist()
        if station.two_map is not None:
            registry.apply_map(station.two_map, [first, second], now_ns)
        z, x = registry.bell_measure(first, second, u1, u2, now_ns)
        station.vacate(first)
        station.vacate(second)
        return z ^ (flip_z < station.flip), x ^ (flip_x < station.flip)

    def _reset(self, station: Station, operation: Reset, now_ns: int) -> None:
        self._registry.require(station.name, (operation.qubit,))
        self._registry.reset(operation.qubit, now_ns)
        self._err_initially(station, operation.qubit, now_ns)

    def _err_initially(self, station: Station, qubit: str, now_ns: int) -> None:
        if station.initial_map is not None:
            self._registry.apply_map(station.initial_map, (qubit,), now_ns)

    def _discard(self, station: Station, operation: Discard, now_ns: int) -> None:
        qubits = operation.qubits
        self._registry.require(station.name, qubits)
        self._registry.discard(qubits, "discarded", now_ns)
        for qubit in qubits:
            station.vacate(qubit)

    def _probe(self, station: Station, operation: Probe, now_ns: int) -> None:
        qubits = operation.qubits
        self._registry.require(station.name, qubits)
        vector = None
        if operation.target is not None:
            vector = [complex(re, im) for re, im in operation.target]
        elif len(qubits) == 1 and self._registry.is_left_over(qubits[0]):
            # What other nodes have done must not be told: an error would be faster than light.
            self._metrics.count(f"{station.name}.{operation.name}.left_over")
            self._journal.event(station.name, "fidelity", operation.name, qubits, None)
            return
        fidelity = rounded(self._registry.fidelity(qubits, vector, now_ns))
        self._metrics.observe(f"{station.name}.{operation.name}.fidelity", fidelity)
        self._journal.event(station.name, "fidelity", operation.name, qubits, fidelity)
