"""Measurements of held qubits, the joining of pairs by them, and probes of the recorder.

Owns Measure, BellMeasure, Join and Probe. Each draws a fixed number of uniforms from its node's generator,
whatever comes out: Measure 2 (outcome, flip), BellMeasure and Join 4 (two outcomes, two flips), and a fifth
before them at a node whose Bell measurements may fail; Probe none.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ...errors import OperationError
from ...record.journal import rounded
from ...states.engine import unit_axis
from ...wire import BellMeasure, Join, Joined, Measure, Operation, Probe
from ..joint_probes import check_parties
from ..node.node_devices import NodeDevices
from .row import Plan, Row, distinct

if TYPE_CHECKING:
    from ..plane import QuantumPlane


def _plan_measure(devices: NodeDevices, operation: Measure) -> Plan:
    unit_axis(operation.axis)
    return (operation.qubit,), devices.measure_ns


def _measure(plane: QuantumPlane, devices: NodeDevices, operation: Measure, now_ns: int) -> int:
    qubit, keep, registry = operation.qubit, operation.keep, plane.registry
    registry.require(devices.name, (qubit,))
    rng = devices.rng_of(operation)
    u, flip = rng.random(), rng.random()
    outcome = registry.measure(qubit, operation.axis, u, now_ns, keep)
    if not keep:
        devices.vacate(qubit)
    return outcome ^ (flip < devices.flip)


def _show_measure(operation: Measure) -> tuple[Any, ...]:
    return operation.qubit, _shown_axis(operation.axis), operation.keep


@lru_cache(maxsize=1024)
def _shown_axis(axis: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(rounded(float(part)) for part in axis)


def _plan_bell(devices: NodeDevices, operation: BellMeasure) -> Plan:
    return _both(operation.first, operation.second), devices.two_ns + devices.measure_ns


def _bell_measure(
    plane: QuantumPlane, devices: NodeDevices, operation: BellMeasure, now_ns: int
) -> list[int]:
    rng = devices.rng_of(operation)
    return list(_bell(plane, devices, operation.first, operation.second, now_ns, rng) or ())


def _plan_join(devices: NodeDevices, operation: Join) -> Plan:
    return _both(operation.left, operation.right), devices.two_ns + devices.measure_ns


def _join(plane: QuantumPlane, devices: NodeDevices, operation: Join, now_ns: int) -> Joined:
    left, right = operation.left, operation.right
    found = _bell(plane, devices, left, right, now_ns, devices.rng_of(operation))
    z, x = found or (0, 0)
    return Joined(left.partition("@")[0], right.partition("@")[0], z, x, found is not None)


def _bell(
    plane: QuantumPlane,
    devices: NodeDevices,
    first: str,
    second: str,
    now_ns: int,
    rng: np.random.Generator,
) -> tuple[int, int] | None:
    """(z, x), or None: it has failed, which leaves the far halves as if these two had been traced out."""
    registry = plane.registry
    registry.require(devices.name, (first, second))
    failed = devices.bell_success < 1 and rng.random() >= devices.bell_success
    u1, u2, flip_z, flip_x = rng.random(4).tolist()
    if failed:
        registry.discard((first, second), "consumed by a Bell measurement that failed", now_ns)
        plane.around.metrics.count(f"{devices.name}.failed_bell_measurements")
        devices.vacate(first)
        devices.vacate(second)
        return None
    if devices.two_map is not None:
        registry.apply_map(devices.two_map, [first, second], now_ns)
    z, x = registry.bell_measure(first, second, u1, u2, now_ns)
    devices.vacate(first)
    devices.vacate(second)
    return z ^ (flip_z < devices.flip), x ^ (flip_x < devices.flip)


def _both(first: str, second: str) -> tuple[str, str]:
    distinct((first, second))
    return (first, second)


def _show_join(operation: Join) -> tuple[Any, ...]:
    return operation.left, operation.right


def _show_joined(value: Joined) -> list[Any]:
    fields = list(msgspec.structs.astuple(value))
    return fields[:-1] if value.ok else fields


def _plan_probe(_: NodeDevices, operation: Probe) -> Plan:
    """The registry looks at the target's amplitudes; their number is known here already."""
    qubits, target = operation.qubits, operation.target
    distinct(qubits)
    if not qubits:
        raise OperationError(why="a probe needs a qubit")
    if operation.parties:
        check_parties(operation)
        return qubits, 0
    if target is None and len(qubits) > 2:
        raise OperationError(why=f"a probe of {len(qubits)} qubits needs a target state")
    if target is not None and len(target) != 2 ** len(qubits):
        raise OperationError(
            why=f"a target of {len(qubits)} qubits has {2 ** len(qubits)} amplitudes, "
            f"not {len(target)}"
        )
    return qubits, 0


def _probe(plane: QuantumPlane, devices: NodeDevices, operation: Probe, now_ns: int) -> None:
    qubits, registry, around = operation.qubits, plane.registry, plane.around
    registry.require(devices.name, qubits)
    if operation.parties:
        plane.joint_probes.name(devices.name, operation, now_ns)
        return
    vector = None
    if operation.target is not None:
        vector = [complex(re, im) for re, im in operation.target]
    elif len(qubits) == 1 and registry.is_left_over(qubits[0]):
        # What other nodes have done must not show: an error would be faster than light.
        around.metrics.count(f"{devices.name}.{operation.name}.left_over")
        around.journal.event(devices.name, "fidelity", operation.name, qubits, None)
        return
    fidelity = rounded(registry.fidelity(qubits, vector, now_ns, operation.bell))
    around.metrics.observe(f"{devices.name}.{operation.name}.fidelity", fidelity)
    around.journal.event(devices.name, "fidelity", operation.name, qubits, fidelity)


def _show_probe(operation: Probe) -> tuple[Any, ...]:
    target = None
    if operation.target is not None:
        target = rounded([(float(re), float(im)) for re, im in operation.target])
    shown: tuple[Any, ...] = (operation.name, operation.qubits, target)
    if operation.parties:
        return *shown, operation.bell, operation.parties, operation.label
    return (*shown, operation.bell) if operation.bell else shown


ROWS: dict[type[Operation], Row] = {
    Measure: Row("measure", int, _plan_measure, effect=_measure, arguments=_show_measure),
    BellMeasure: Row("bell_measure", list, _plan_bell, effect=_bell_measure),
    Join: Row(
        "join",
        Joined,
        _plan_join,
        effect=_join,
        arguments=_show_join,
        outcome=_show_joined,
        quiet=lambda _, operation, value: operation.quiet and value.ok,
    ),
    Probe: Row("probe", plan=_plan_probe, effect=_probe, arguments=_show_probe),
}
