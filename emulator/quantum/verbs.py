"""Operations and results as the journal shows them.

Owns the verb of each operation and its fields. Rule: what stands here goes into the digest, so a
number is a float in every mode (a program may have said 0 where the wire says 0.0), and rounded.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from ..record.journal import rounded
from ..wire import (
    Allocate,
    Apply,
    BellMeasure,
    Clicked,
    Detect,
    Discard,
    Entangle,
    Herald,
    Intercept,
    Join,
    Kept,
    Measure,
    MeasureStored,
    Operation,
    PairPulses,
    Probe,
    Pulses,
    Reset,
    Split,
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
    Pulses: "pulses",
    PairPulses: "pair_pulses",
    Detect: "detect",
    Intercept: "intercept",
    Split: "split",
    MeasureStored: "measure_stored",
}
#: Their columns would make lines of a megabyte.
_OF_TRAINS = (Pulses, Detect, Intercept, Split, MeasureStored)


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
    if isinstance(operation, _OF_TRAINS):
        return tuple(_short(field) for field in fields[1:])
    return fields[1:]


@lru_cache(maxsize=1024)
def _shown_axis(axis: tuple[float, float, float]) -> list[float]:
    shown: list[float] = rounded([float(part) for part in axis])
    return shown


def outcome(value: Any) -> Any:
    """A result's value. Of a herald the qubit is enough: the rest stands in the link's own event."""
    if isinstance(value, Herald):
        return value.qubit
    if isinstance(value, (Clicked, Kept)):
        return [_short(field) for field in msgspec.structs.astuple(value)]
    return _short(value)


def _short(value: Any) -> Any:
    """Columns by their hash, so that the digest holds them and the journal does not; floats rounded."""
    if isinstance(value, bytes):
        return hashlib.blake2b(value, digest_size=8).hexdigest()
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, list) and all(isinstance(item, float) for item in value):
        return rounded(value)
    return value
