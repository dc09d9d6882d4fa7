"""Operations that send, take or watch light: photons that carry qubits, pulse trains, beacons.

Owns the rows; what they do stands in links/photons.py, pulses/ and links/beacons.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from ...wire import (
    Clicked,
    Coincidences,
    CountClicks,
    CountCoincidences,
    Counted,
    CountedPairs,
    CountedPulses,
    Detect,
    Intercept,
    Kept,
    MeasureStored,
    Operation,
    PairPulses,
    Pulses,
    Sent,
    SetBeacon,
    Split,
    Transmit,
    WatchBeacon,
)
from ..links import beacons
from ..node.node_devices import NodeDevices, Pending
from ..pulses.reception import Receiving
from ..pulses.sending import Senders
from .row import Row, fields, rounded_fields, short, show_columns

if TYPE_CHECKING:
    from ..plane import QuantumPlane


def _begin_transmit(plane: QuantumPlane, devices: NodeDevices, operation: Transmit) -> None:
    plane.photon_link(devices.name, operation)
    plane.queue(devices, operation, (operation.qubit,), 0)


def _transmit(plane: QuantumPlane, devices: NodeDevices, operation: Transmit, _: int) -> None:
    plane.registry.require(devices.name, (operation.qubit,))
    link = plane.photon_link(devices.name, operation)
    link.launch(operation.qubit, devices.name, plane.devices[operation.to], operation.port)
    devices.vacate(operation.qubit)


def _show_transmit(operation: Transmit) -> tuple[Any, ...]:
    shown = fields(operation)
    return shown if operation.port else shown[:-1]


def _show_clicks(value: Clicked | Counted | Coincidences | Kept) -> list[Any]:
    return [short(field) for field in msgspec.structs.astuple(value)]


def _show_sent(value: Sent) -> list[int]:
    return [value.start_ns, value.period_ps]


def _sends(
    verb: str,
    send: Callable[[Senders, NodeDevices, Any], None],
    arguments: Callable[[Any], tuple[Any, ...]],
) -> Row:
    return Row(
        verb,
        Sent,
        begin=lambda plane, devices, operation: send(plane.pulses.senders, devices, operation),
        effect=lambda plane, devices, operation, _: plane.pulses.senders.end(devices, operation),
        withdraw=lambda plane, pending: plane.pulses.senders.withdraw(pending),
        arguments=arguments,
        outcome=_show_sent,
    )


def _takes(verb: str, result: type) -> Row:
    return Row(
        verb,
        result,
        begin=lambda plane, devices, operation: plane.pulses.receive(devices, operation),
        withdraw=lambda plane, pending: plane.pulses.withdraw(pending),
        waits=Receiving.waits_for,
        arguments=show_columns,
        outcome=_show_clicks,
    )


def _begin_set_beacon(plane: QuantumPlane, devices: NodeDevices, operation: SetBeacon) -> None:
    plane.beacons.choose(devices.name, operation)
    plane.queue(devices, operation, (), 0)


def _set_beacon(plane: QuantumPlane, devices: NodeDevices, operation: SetBeacon, _: int) -> None:
    plane.beacons.choose(devices.name, operation).set(devices.name, operation.level)


def _begin_watch(plane: QuantumPlane, devices: NodeDevices, operation: WatchBeacon) -> None:
    link = plane.beacons.choose(devices.name, operation)
    pending = devices.pending[operation.number] = Pending(devices, operation)
    link.watch(pending)


def _withdraw_watch(plane: QuantumPlane, pending: Pending) -> bool:
    operation = beacons.watched(pending)
    return plane.beacons.choose(pending.devices.name, operation).withdraw(pending)


ROWS: dict[type[Operation], Row] = {
    Transmit: Row("transmit", begin=_begin_transmit, effect=_transmit, arguments=_show_transmit),
    Pulses: _sends(
        "pulses",
        Senders.send_pulses,
        show_columns,
    ),
    PairPulses: _sends(
        "pair_pulses",
        Senders.send_pairs,
        fields,
    ),
    CountedPulses: _sends(
        "counted_pulses",
        Senders.send_counted,
        show_columns,
    ),
    CountedPairs: _sends(
        "counted_pairs",
        Senders.send_counted_pairs,
        fields,
    ),
    Detect: _takes("detect", Clicked),
    CountClicks: _takes("count_clicks", Counted),
    CountCoincidences: Row(
        "coincidences",
        Coincidences,
        begin=lambda plane, devices, operation: plane.pulses.arms.begin(devices, operation),
        effect=lambda plane, devices, operation, _: plane.pulses.arms.end(devices, operation),
        outcome=_show_clicks,
    ),
    Intercept: _takes("intercept", Clicked),
    Split: _takes("split", Kept),
    MeasureStored: Row(
        "measure_stored",
        bytes,
        begin=lambda plane, devices, operation: plane.pulses.stores.begin(devices, operation),
        effect=lambda plane, devices, operation, _: plane.pulses.stores.end(devices, operation),
        arguments=show_columns,
    ),
    SetBeacon: Row("set_beacon", begin=_begin_set_beacon, effect=_set_beacon),
    WatchBeacon: Row(
        "watch_beacon",
        int,
        begin=_begin_watch,
        withdraw=_withdraw_watch,
        waits=beacons.waits_for,
        arguments=rounded_fields,
    ),
}
