"""Operations on a node's memory slots: a fresh qubit, to a storage qubit, from one tenant to another.

Owns Allocate, Store and HandOver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import OperationError
from ...wire import Allocate, HandOver, Operation, Store
from ..node.node_devices import ANY_PLACE, NodeDevices, Pending
from .gates import err_initially
from .row import Plan, Row

if TYPE_CHECKING:
    from ..plane import QuantumPlane


def _begin_allocate(plane: QuantumPlane, devices: NodeDevices, operation: Allocate) -> None:
    pending = devices.pending[operation.number] = Pending(devices, operation)
    devices.claim(
        pending, lambda: plane.end_after(pending, devices.initialisation_ns), place=ANY_PLACE
    )


def _allocate(plane: QuantumPlane, devices: NodeDevices, operation: Allocate, now_ns: int) -> str:
    devices.allocated += 1
    qubit = f"{devices.name}#{devices.allocated}"
    plane.registry.allocate(qubit, devices.name, now_ns)
    devices.hold(qubit, devices.owner_of(operation.number))
    devices.bring(operation.number, qubit)
    if devices.places is not None and devices.places.is_stored(qubit):
        plane.registry.store(qubit, now_ns)
    err_initially(plane, devices, qubit, now_ns)
    return qubit


def _withdraw_allocate(_: QuantumPlane, pending: Pending) -> bool:
    pending.cancel()
    pending.devices.give_back(pending)
    return True


def _plan_store(devices: NodeDevices, operation: Store) -> Plan:
    places = devices.places
    moves = places is not None and not places.is_stored(operation.qubit)
    return (operation.qubit,), 2 * devices.two_ns if moves else 0


def _store(plane: QuantumPlane, devices: NodeDevices, operation: Store, now_ns: int) -> None:
    """By two two-qubit gates with a fresh storage qubit, of which nothing is kept but this."""
    qubit, registry, places = operation.qubit, plane.registry, devices.places
    registry.require(devices.name, (qubit,))
    if places is None or places.is_stored(qubit):
        return
    if not places.store(qubit):
        why = f"{devices.name} has no free storage qubit: all {places.storage} are in use"
        raise OperationError(why=why)
    registry.store(qubit, now_ns)
    if devices.storing_map is not None:
        registry.apply_map(devices.storing_map, (qubit,), now_ns)
    devices.serve_waiting()


def _begin_hand_over(plane: QuantumPlane, devices: NodeDevices, operation: HandOver) -> None:
    plane.registry.require(devices.name, (operation.qubit,))
    pending = devices.pending[operation.number] = Pending(devices, operation)
    pool = devices.slots.pool_of(operation.to)
    if pool == devices.pool_with(operation.qubit):
        plane.end_after(pending, 0)
        return

    def opened() -> None:
        devices.promised[operation.number] = pool
        plane.end_after(pending, 0)

    devices.claim(pending, opened, operation.to)


def _hand_over(plane: QuantumPlane, devices: NodeDevices, operation: HandOver, _: int) -> None:
    """The qubit is the other's; its slot of the giver's pool is free, that of the taker's is in use."""
    qubit, promised = operation.qubit, devices.promised.pop(operation.number, None)
    try:
        plane.registry.require(devices.name, (qubit,))
    except OperationError:
        if promised is not None:
            devices.release(promised)
        raise
    left = devices.pool_with(qubit)
    devices.hold(qubit, operation.to)
    if promised is not None:
        devices.release(left)


def hands_over(pending: Pending, qubit: str) -> bool:
    """Whether it is a hand-over of that qubit."""
    return isinstance(pending.operation, HandOver) and pending.operation.qubit == qubit


def _withdraw_hand_over(_: QuantumPlane, pending: Pending) -> bool:
    pending.cancel()
    promised = pending.devices.promised.pop(pending.number, None)
    if promised is not None:
        pending.devices.release(promised)
    return True


ROWS: dict[type[Operation], Row] = {
    Allocate: Row(
        "allocate",
        str,
        begin=_begin_allocate,
        effect=_allocate,
        withdraw=_withdraw_allocate,
    ),
    Store: Row("store", plan=_plan_store, effect=_store),
    HandOver: Row(
        "hand_over",
        begin=_begin_hand_over,
        effect=_hand_over,
        withdraw=_withdraw_hand_over,
    ),
}
