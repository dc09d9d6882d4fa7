"""Operations that a node does on its own qubits: gates, initialisation, and throwing qubits away.

Owns Apply, Reset and Discard, and the error of a qubit that is initialised.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...errors import OperationError
from ...record.journal import rounded
from ...states.gates import GATES
from ...wire import Apply, Discard, Operation, Reset
from ..node.node_devices import NodeDevices
from .row import Plan, Row, distinct

if TYPE_CHECKING:
    from ..plane import QuantumPlane


def _plan_apply(devices: NodeDevices, operation: Apply) -> Plan:
    count, qubits = GATES.get(operation.gate), operation.qubits
    if count is None:
        raise OperationError(why=f"unknown gate {operation.gate!r}; there are {', '.join(GATES)}")
    if len(qubits) != count:
        noun = "qubit" if count == 1 else "qubits"
        raise OperationError(why=f"{operation.gate} takes {count} {noun}, not {len(qubits)}")
    if not math.isfinite(operation.angle):
        raise OperationError(why=f"{operation.gate}: the angle must be finite")
    if count == 1:
        return qubits, devices.single_ns
    distinct(qubits)
    return qubits, devices.two_ns


def _apply(plane: QuantumPlane, devices: NodeDevices, operation: Apply, now_ns: int) -> None:
    qubits, registry = operation.qubits, plane.registry
    registry.require(devices.name, qubits)
    registry.apply_gate(operation.gate, operation.angle, qubits, now_ns)
    noise = devices.single_map if len(qubits) == 1 else devices.two_map
    if noise is not None:
        registry.apply_map(noise, qubits, now_ns)


def _show_apply(operation: Apply) -> tuple[Any, ...]:
    return operation.gate, operation.qubits, rounded(float(operation.angle))


def _plan_reset(devices: NodeDevices, operation: Reset) -> Plan:
    return (operation.qubit,), devices.initialisation_ns


def _reset(plane: QuantumPlane, devices: NodeDevices, operation: Reset, now_ns: int) -> None:
    plane.registry.require(devices.name, (operation.qubit,))
    plane.registry.reset(operation.qubit, now_ns)
    err_initially(plane, devices, operation.qubit, now_ns)


def err_initially(plane: QuantumPlane, devices: NodeDevices, qubit: str, now_ns: int) -> None:
    if devices.initial_map is not None:
        plane.registry.apply_map(devices.initial_map, (qubit,), now_ns)


def _plan_discard(_: NodeDevices, operation: Discard) -> Plan:
    distinct(operation.qubits)
    return operation.qubits, 0


def _discard(plane: QuantumPlane, devices: NodeDevices, operation: Discard, now_ns: int) -> None:
    qubits = operation.qubits
    plane.registry.require(devices.name, qubits)
    plane.registry.discard(qubits, "discarded", now_ns)
    for qubit in qubits:
        devices.vacate(qubit)


ROWS: dict[type[Operation], Row] = {
    Apply: Row("apply", plan=_plan_apply, effect=_apply, arguments=_show_apply),
    Reset: Row("reset", plan=_plan_reset, effect=_reset),
    Discard: Row("discard", plan=_plan_discard, effect=_discard),
}
