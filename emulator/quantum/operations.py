"""The operations of the wire: one row each, from its name in the journal to what it does.

Owns, for each operation, its verb, the type of its result, what it checks and how long it takes, its effect
with the node's device errors, what a withdrawal means, what it waits for, and how the journal shows it. Does
not own when an effect happens (plane.py) or the states (node/registry.py); of operations on pairs and pulse
trains it only names the part that carries them out (pairs/, pulses/).

Rules: an operation occupies its qubits from its start to its end, and until its end they decay as idle
ones do. At its end the ideal operation and the node's own error act, both at once: so a qubit that is
consumed has paid for the time that this took, and one that is initialised (Allocate, Reset) is then as it
should be. Each operation draws a fixed number of uniforms from its node's generator, whatever comes out:
Measure 2 (outcome, flip), BellMeasure and Join 4 (two outcomes, two flips), and a fifth before them at a node
whose Bell measurements may fail; all others none.
What the journal shows goes into the digest, so a number is a float in every mode (a program may have said 0
where the wire says 0.0), and rounded.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from ..errors import InputError, OperationError
from ..record.journal import rounded
from ..states.engine import unit_axis
from ..states.gates import GATES
from ..units import format_ns
from ..wire import (
    BLOCK_SLOTS,
    Allocate,
    Apply,
    BellMeasure,
    Clicked,
    Coincidences,
    CountClicks,
    CountCoincidences,
    Counted,
    CountedPairs,
    CountedPulses,
    Detect,
    Discard,
    Entangle,
    HandOver,
    Herald,
    Intercept,
    Join,
    Joined,
    Kept,
    Measure,
    MeasuredPairs,
    MeasurePairs,
    MeasureStored,
    Operation,
    PairPulses,
    Probe,
    Pulses,
    Reset,
    Sent,
    SetBeacon,
    Split,
    Store,
    Transmit,
    WatchBeacon,
)
from ..wire.bit_planes import packed_size, planes_for
from .joint_probes import check_parties
from .links import beacons
from .node.node_devices import ANY_PLACE, COMMUNICATION, NodeDevices, Pending
from .pairs.heralded_link import HeraldedLink
from .pairs.heralded_pair import Request
from .pulses.reception import Receiving
from .pulses.settings import check_axes

if TYPE_CHECKING:
    from .plane import QuantumPlane

#: The qubits that an operation occupies, and for how long (ns).
_Plan = tuple[Sequence[str], int]


def _fields(operation: Operation) -> tuple[Any, ...]:
    """All that an operation was asked with, in the order of its fields, without its number."""
    fields: tuple[Any, ...] = msgspec.structs.astuple(operation)
    return fields[1:]


def _short(value: Any) -> Any:
    """Columns by their hash, so that the digest holds them and the journal does not; floats rounded."""
    if isinstance(value, bytes):
        return hashlib.blake2b(value, digest_size=8).hexdigest()
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, list) and all(isinstance(item, float) for item in value):
        return rounded(value)
    return value


def _until(pending: Pending) -> str:
    return f"{verb(pending.operation)} until {format_ns(pending.end_ns)}"


@dataclass(frozen=True, slots=True)
class Row:
    """One operation. It has a `plan` and waits for its qubits, or a `begin` of its own."""

    #: Its name for people and for the journal.
    verb: str
    #: The type of its result's value; None for an operation that has none.
    result: type | None = None
    #: What it checks when it is issued, and what it occupies.
    plan: Callable[[NodeDevices, Any], _Plan] | None = None
    begin: Callable[[QuantumPlane, NodeDevices, Any], None] | None = None
    #: What it does at its end, with the result's value. Raises OperationError, and then has changed nothing.
    effect: Callable[[QuantumPlane, NodeDevices, Any, int], Any] | None = None
    #: Whether it has ended by being withdrawn; else, and without, it runs to its end.
    withdraw: Callable[[QuantumPlane, Any], bool] | None = None
    #: What it waits for once it has its slot, for people.
    waits: Callable[[Any], str] = _until
    #: How the journal shows its arguments, and its result's value.
    arguments: Callable[[Any], tuple[Any, ...]] = _fields
    outcome: Callable[[Any], Any] = _short


def verb(operation: Operation) -> str:
    """The operation's name for people and for the journal."""
    return ROWS[type(operation)].verb


def waits_for(pending: Pending) -> str:
    """What an operation under way waits for, for people."""
    if pending.opener is not None:
        pool, places = pending.pool or "", pending.devices.places
        if places is not None and pending.place and pending.devices.slots.free_of(pool):
            return f"a free communication qubit ({places.communication} in use)"
        whose = f" of {pool}" if pool else ""
        return f"a free slot{whose} ({pending.devices.slots.count_of(pool)} in use)"
    if pending.refusal is not None:
        return _until(pending)
    return ROWS[type(pending.operation)].waits(pending)


# --- operations on held qubits --------------------------------------------------------------------


def _plan_apply(devices: NodeDevices, operation: Apply) -> _Plan:
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
    _distinct(qubits)
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


def _plan_measure(devices: NodeDevices, operation: Measure) -> _Plan:
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


def _plan_bell(devices: NodeDevices, operation: BellMeasure) -> _Plan:
    return _both(operation.first, operation.second), devices.two_ns + devices.measure_ns


def _bell_measure(
    plane: QuantumPlane, devices: NodeDevices, operation: BellMeasure, now_ns: int
) -> list[int]:
    rng = devices.rng_of(operation)
    return list(_bell(plane, devices, operation.first, operation.second, now_ns, rng) or ())


def _plan_join(devices: NodeDevices, operation: Join) -> _Plan:
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


def _show_joined(value: Joined) -> list[Any]:
    fields = list(msgspec.structs.astuple(value))
    return fields[:-1] if value.ok else fields


def _plan_reset(devices: NodeDevices, operation: Reset) -> _Plan:
    return (operation.qubit,), devices.initialisation_ns


def _reset(plane: QuantumPlane, devices: NodeDevices, operation: Reset, now_ns: int) -> None:
    plane.registry.require(devices.name, (operation.qubit,))
    plane.registry.reset(operation.qubit, now_ns)
    _err_initially(plane, devices, operation.qubit, now_ns)


def _err_initially(plane: QuantumPlane, devices: NodeDevices, qubit: str, now_ns: int) -> None:
    if devices.initial_map is not None:
        plane.registry.apply_map(devices.initial_map, (qubit,), now_ns)


def _plan_discard(_: NodeDevices, operation: Discard) -> _Plan:
    _distinct(operation.qubits)
    return operation.qubits, 0


def _discard(plane: QuantumPlane, devices: NodeDevices, operation: Discard, now_ns: int) -> None:
    qubits = operation.qubits
    plane.registry.require(devices.name, qubits)
    plane.registry.discard(qubits, "discarded", now_ns)
    for qubit in qubits:
        devices.vacate(qubit)


def _plan_probe(_: NodeDevices, operation: Probe) -> _Plan:
    """The registry looks at the target's amplitudes; their number is known here already."""
    qubits, target = operation.qubits, operation.target
    _distinct(qubits)
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


def _both(first: str, second: str) -> tuple[str, str]:
    _distinct((first, second))
    return (first, second)


def _distinct(qubits: Sequence[str]) -> None:
    if len(qubits) > 1 and len(set(qubits)) < len(qubits):
        raise OperationError(why=f"the same qubit twice: {', '.join(qubits)}")


# --- a photon ------------------------------------------------------------------------------------


def _begin_transmit(plane: QuantumPlane, devices: NodeDevices, operation: Transmit) -> None:
    plane.photon_link(devices.name, operation)
    plane.queue(devices, operation, (operation.qubit,), 0)


def _transmit(plane: QuantumPlane, devices: NodeDevices, operation: Transmit, _: int) -> None:
    plane.registry.require(devices.name, (operation.qubit,))
    link = plane.photon_link(devices.name, operation)
    link.launch(operation.qubit, devices.name, plane.devices[operation.to], operation.port)
    devices.vacate(operation.qubit)


def _show_transmit(operation: Transmit) -> tuple[Any, ...]:
    return _but_last(operation, operation.port)


def _but_last(operation: Operation, last: str) -> tuple[Any, ...]:
    """The fields without the last one where that says nothing: a program's operation."""
    fields = _fields(operation)
    return fields if last else fields[:-1]


# --- operations that take a slot -----------------------------------------------------------------


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
    _err_initially(plane, devices, qubit, now_ns)
    return qubit


def _withdraw_allocate(_: QuantumPlane, pending: Pending) -> bool:
    pending.cancel()
    pending.devices.give_back(pending)
    return True


def _begin_entangle(plane: QuantumPlane, devices: NodeDevices, operation: Entangle) -> None:
    link = plane.heralded_links.choose(devices.name, operation.peer, operation.link)
    if operation.alpha is not None:
        _check_alpha(link, operation.alpha)
    request = Request(devices, operation, link)
    devices.pending[request.number] = request
    devices.claim(request, lambda: link.open(request), place=COMMUNICATION)


def _check_alpha(link: HeraldedLink, alpha: float) -> None:
    try:
        link.source.at(alpha)
    except InputError as error:
        raise OperationError(why=f"{link.name} at alpha {alpha:g}: {error}") from error


def _withdraw_entangle(_: QuantumPlane, request: Request) -> bool:
    request.link.give_up(request)
    return True


def _begin_measure_pairs(
    plane: QuantumPlane, devices: NodeDevices, operation: MeasurePairs
) -> None:
    check_axes(operation.axes)
    size = packed_size(operation.count, planes_for(len(operation.axes)))
    if not 1 <= operation.count <= BLOCK_SLOTS or len(operation.bases) != size:
        why = f"{operation.count} pairs and {len(operation.bases)} bytes of bases do not fit"
        raise OperationError(why=why)
    if not plane.registry.formalism.is_exact:
        why = "outcomes in blocks need formalism auto or density_matrix, and nothing approximated"
        raise OperationError(why=why)
    link = plane.heralded_links.choose(devices.name, operation.peer, operation.link)
    if operation.alpha is not None:
        _check_alpha(link, operation.alpha)
    request = Request(devices, operation, link)
    devices.pending[request.number] = request
    devices.claim(request, lambda: link.open(request), place=COMMUNICATION)


def _show_measured(value: MeasuredPairs) -> list[Any]:
    return [value.count, _short(value.missed), _short(value.bits)]


def _show_entangle(operation: Entangle) -> tuple[Any, ...]:
    shown: tuple[Any, ...] = (operation.peer, operation.link, operation.raw)
    if operation.alpha is not None:
        return *shown, operation.purpose, rounded(float(operation.alpha))
    return (*shown, operation.purpose) if operation.purpose else shown


# --- to a storage qubit ---------------------------------------------------------------------------


def _plan_store(devices: NodeDevices, operation: Store) -> _Plan:
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


# --- from one tenant to another -------------------------------------------------------------------


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


# --- pulse trains --------------------------------------------------------------------------------


def _show_train(operation: Operation) -> tuple[Any, ...]:
    """Its columns would make lines of a megabyte."""
    names = operation.__struct_fields__[1:]
    shown = []
    for name, field in zip(names, _fields(operation), strict=True):
        if name == "axes" and field is not None:
            shown.append([rounded(list(axis)) for axis in field])
        elif name == "lazy" and field is not None:
            shares = (field.bases, field.bits, field.intensities)
            shown.append([_short(field.key), *(rounded(each) for each in shares)])
        elif name not in ("axes", "lazy"):
            shown.append(_short(field))
    return tuple(shown)


def _show_clicks(value: Clicked | Counted | Coincidences | Kept) -> list[Any]:
    return [_short(field) for field in msgspec.structs.astuple(value)]


def _show_sent(value: Sent) -> list[int]:
    return [value.start_ns, value.period_ps]


def _sends(
    verb: str,
    begin: Callable[[QuantumPlane, NodeDevices, Any], None],
    arguments: Callable[[Any], tuple[Any, ...]],
) -> Row:
    return Row(
        verb,
        Sent,
        begin=begin,
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
        arguments=_show_train,
        outcome=_show_clicks,
    )


# --- beacons -------------------------------------------------------------------------------------


def _rounded_fields(operation: Operation) -> tuple[Any, ...]:
    return tuple(_short(field) for field in _fields(operation))


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


# --- the table -----------------------------------------------------------------------------------

ROWS: dict[type[Operation], Row] = {
    Apply: Row("apply", plan=_plan_apply, effect=_apply, arguments=_show_apply),
    Measure: Row("measure", int, _plan_measure, effect=_measure, arguments=_show_measure),
    BellMeasure: Row("bell_measure", list, _plan_bell, effect=_bell_measure),
    Join: Row("join", Joined, _plan_join, effect=_join, outcome=_show_joined),
    Reset: Row("reset", plan=_plan_reset, effect=_reset),
    Discard: Row("discard", plan=_plan_discard, effect=_discard),
    Probe: Row("probe", plan=_plan_probe, effect=_probe, arguments=_show_probe),
    Transmit: Row("transmit", begin=_begin_transmit, effect=_transmit, arguments=_show_transmit),
    HandOver: Row(
        "hand_over",
        begin=_begin_hand_over,
        effect=_hand_over,
        withdraw=_withdraw_hand_over,
    ),
    Allocate: Row(
        "allocate",
        str,
        begin=_begin_allocate,
        effect=_allocate,
        withdraw=_withdraw_allocate,
    ),
    Store: Row("store", plan=_plan_store, effect=_store),
    Entangle: Row(
        "entangle",
        Herald,
        begin=_begin_entangle,
        withdraw=_withdraw_entangle,
        waits=lambda request: request.link.waits_for(request),
        arguments=_show_entangle,
        outcome=attrgetter("qubit"),  # the rest stands in the link's own event
    ),
    MeasurePairs: Row(
        "measure_pairs",
        MeasuredPairs,
        begin=_begin_measure_pairs,
        withdraw=_withdraw_entangle,
        waits=lambda request: request.link.waits_for(request),
        arguments=_show_train,
        outcome=_show_measured,
    ),
    Pulses: _sends(
        "pulses",
        lambda plane, devices, operation: plane.pulses.senders.send_pulses(devices, operation),
        _show_train,
    ),
    PairPulses: _sends(
        "pair_pulses",
        lambda plane, devices, operation: plane.pulses.senders.send_pairs(devices, operation),
        _fields,
    ),
    CountedPulses: _sends(
        "counted_pulses",
        lambda plane, devices, operation: plane.pulses.senders.send_counted(devices, operation),
        _show_train,
    ),
    CountedPairs: _sends(
        "counted_pairs",
        lambda plane, devices, operation: plane.pulses.senders.send_counted_pairs(
            devices, operation
        ),
        _fields,
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
        arguments=_show_train,
    ),
    SetBeacon: Row("set_beacon", begin=_begin_set_beacon, effect=_set_beacon),
    WatchBeacon: Row(
        "watch_beacon",
        int,
        begin=_begin_watch,
        withdraw=_withdraw_watch,
        waits=beacons.waits_for,
        arguments=_rounded_fields,
    ),
}
