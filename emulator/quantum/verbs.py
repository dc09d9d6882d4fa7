"""Operations and results as the journal shows them.

Owns the verb of each operation and its fields. Rule: what stands here goes into the digest, so a
number is a float in every mode (a program may have said 0 where the wire says 0.0), and rounded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from ..record.journal import rounded
from ..wire import (
    Allocate,
    Apply,
    BellMeasure,
    Discard,
    Entangle,
    Herald,
    Join,
    Measure,
    Operation,
    Probe,
    Reset,
    Transmit,
)

VERBS: dict[type[Operation], str] = {
    Allocate: "allocate",
    Apply: "apply",
    Measure: "measure",
    BellMeasure: "bell_measure",
    Join: "join",
    Reset: "reset",
    Discard: "discard",
    Transmit: "transmit",
    Entangle: "entangle",
    Probe: "probe",
}


def verb(operation: Operation) -> str:
    """The operation's name for people and for the journal."""
    return VERBS[type(operation)]


def arguments(operation: Operation) -> tuple[Any, ...]:
    """What the operation was asked with, in the order of its fields, without its number."""
    if isinstance(operation, Measure):
        return operation.qubit, _shown_axis(operation.axis), operation.keep
    if isinstance(operation, Apply):
        return operation.gate, operation.qubits, rounded(float(operation.angle))
    if isinstance(operation, Probe) and operation.target is not None:
        target = [(float(re), float(im)) for re, im in operation.target]
        return operation.name, operation.qubits, rounded(target)
    fields: tuple[Any, ...] = msgspec.structs.astuple(operation)
    return fields[1:]


@lru_cache(maxsize=1024)
def _shown_axis(axis: tuple[float, float, float]) -> list[float]:
    shown: list[float] = rounded([float(part) for part in axis])
    return shown


def outcome(value: Any) -> Any:
    """A result's value. Of a herald the qubit is enough: the rest stands in the link's own event."""
    return value.qubit if isinstance(value, Herald) else value
