"""A row of the table of operations: all that is known of one operation.

Owns Row, and how the journal shows arguments and results. What the journal shows goes into the digest, so a
number is a float in every mode (a program may have said 0 where the wire says 0.0), and rounded. Does not own
any operation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ...errors import OperationError
from ...record.journal import rounded
from ...wire import Operation
from ..node.node_devices import NodeDevices

if TYPE_CHECKING:
    from ..plane import QuantumPlane

#: The qubits that an operation occupies, and for how long (ns).
Plan = tuple[Sequence[str], int]


def fields(operation: Operation) -> tuple[Any, ...]:
    """All that an operation was asked with, in the order of its fields, without its number."""
    fields: tuple[Any, ...] = msgspec.structs.astuple(operation)
    return fields[1:]


def short(value: Any) -> Any:
    """Columns by their hash, so that the digest holds them and the journal does not; floats rounded."""
    if isinstance(value, bytes):
        return hashlib.blake2b(value, digest_size=8).hexdigest()
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, list) and all(isinstance(item, float) for item in value):
        return rounded(value)
    return value


def rounded_fields(operation: Operation) -> tuple[Any, ...]:
    return tuple(short(field) for field in fields(operation))


def show_columns(operation: Operation) -> tuple[Any, ...]:
    """All that an operation was asked with, columns by their hash: they would make lines of a megabyte."""
    names = operation.__struct_fields__[1:]
    shown = []
    for name, field in zip(names, fields(operation), strict=True):
        if name == "axes" and field is not None:
            shown.append([rounded(list(axis)) for axis in field])
        elif name == "lazy" and field is not None:
            shares = (field.bases, field.bits, field.intensities)
            shown.append([short(field.key), *(rounded(each) for each in shares)])
        elif name not in ("axes", "lazy"):
            shown.append(short(field))
    return tuple(shown)


@dataclass(frozen=True, slots=True)
class Row:
    """One operation. It has a `plan` and waits for its qubits, or a `begin` of its own."""

    #: Its name for people and for the journal.
    verb: str
    #: The type of its result's value; None for an operation that has none.
    result: type | None = None
    #: What it checks when it is issued, and what it occupies.
    plan: Callable[[NodeDevices, Any], Plan] | None = None
    begin: Callable[[QuantumPlane, NodeDevices, Any], None] | None = None
    #: What it does at its end, with the result's value. Raises OperationError, and then has changed nothing.
    effect: Callable[[QuantumPlane, NodeDevices, Any, int], Any] | None = None
    #: Whether it has ended by being withdrawn; else, and without, it runs to its end.
    withdraw: Callable[[QuantumPlane, Any], bool] | None = None
    #: What it waits for once it has its slot, for people; without, it waits for its end.
    waits: Callable[[Any], str] | None = None
    #: How the journal shows its arguments, and its result's value.
    arguments: Callable[[Any], tuple[Any, ...]] = fields
    outcome: Callable[[Any], Any] = short
    #: Whether a result of this value does not wake the node, and waits for the node's next grant.
    quiet: Callable[[NodeDevices, Any, Any], bool] | None = None


def distinct(qubits: Sequence[str]) -> None:
    if len(qubits) > 1 and len(set(qubits)) < len(qubits):
        raise OperationError(why=f"the same qubit twice: {', '.join(qubits)}")
