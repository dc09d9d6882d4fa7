"""Requests for heralded pairs, one at a time or measured in blocks.

Owns Entangle and MeasurePairs: what they check, and that both wait for a communication qubit. Does not own
what becomes of a request (pairs/heralded_link.py).
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ...errors import InputError, OperationError
from ...record.journal import rounded
from ...wire import BLOCK_SLOTS, Entangle, Herald, MeasuredPairs, MeasurePairs, Operation
from ...wire.bit_planes import packed_size, planes_for
from ..node.node_devices import COMMUNICATION, NodeDevices
from ..pairs.heralded_link import HeraldedLink
from ..pairs.heralded_pair import Request
from ..pulses.settings import check_axes
from .row import Row, short, show_columns

if TYPE_CHECKING:
    from ..plane import QuantumPlane


def _begin_entangle(
    plane: QuantumPlane, devices: NodeDevices, operation: Entangle | MeasurePairs
) -> None:
    link = plane.heralded_links.choose(devices.name, operation.peer, operation.link)
    if operation.alpha is not None:
        _check_alpha(link, operation.alpha)
    request = Request(devices, operation, link)
    devices.pending[request.number] = request
    devices.claim(request, lambda: link.open(request), place=COMMUNICATION)


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
    _begin_entangle(plane, devices, operation)


def _check_alpha(link: HeraldedLink, alpha: float) -> None:
    try:
        link.source.at(alpha)
    except InputError as error:
        raise OperationError(why=f"{link.name} at alpha {alpha:g}: {error}") from error


def _withdraw_entangle(_: QuantumPlane, request: Request) -> bool:
    request.link.give_up(request)
    return True


def _show_entangle(operation: Entangle) -> tuple[Any, ...]:
    shown: tuple[Any, ...] = (operation.peer, operation.link, operation.raw)
    if operation.alpha is not None:
        return *shown, operation.purpose, rounded(float(operation.alpha))
    return (*shown, operation.purpose) if operation.purpose else shown


def _show_measured(value: MeasuredPairs) -> list[Any]:
    return [value.count, short(value.missed), short(value.bits)]


def _is_unmet(devices: NodeDevices, operation: Entangle, herald: Herald) -> bool:
    """Whether the node can do nothing with the half before one of another link has come to meet it."""
    if not operation.meets:
        return False
    return devices.is_unmet(operation.meets, herald.link, herald.qubit) and operation.quiet


ROWS: dict[type[Operation], Row] = {
    Entangle: Row(
        "entangle",
        Herald,
        begin=_begin_entangle,
        withdraw=_withdraw_entangle,
        waits=lambda request: request.link.waits_for(request),
        arguments=_show_entangle,
        outcome=attrgetter("qubit"),  # the rest stands in the link's own event
        quiet=_is_unmet,
    ),
    MeasurePairs: Row(
        "measure_pairs",
        MeasuredPairs,
        begin=_begin_measure_pairs,
        withdraw=_withdraw_entangle,
        waits=lambda request: request.link.waits_for(request),
        arguments=show_columns,
        outcome=_show_measured,
    ),
}
