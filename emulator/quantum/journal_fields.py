"""Operations and results as the journal shows them.

Owns the verb of each operation and its fields. Rule: what stands here goes into the digest, so a
number is a float in every mode (a program may have said 0 where the wire says 0.0), and rounded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
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

_Shown = Callable[[Any], tuple[Any, ...]]

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


def verb(operation: Operation) -> str:
    """The operation's name for people and for the journal."""
    return VERBS[type(operation)]


def arguments(operation: Operation) -> tuple[Any, ...]:
    """What the operation was asked with, in the order of its fields, without its number."""
    shown: _Shown = _ARGUMENTS.get(type(operation), _fields)
    return shown(operation)


def outcome(value: Any) -> Any:
    """A result's value. Of a herald the qubit is enough: the rest stands in the link's own event."""
    return _OUTCOMES.get(type(value), _short)(value)


def _fields(operation: Operation) -> tuple[Any, ...]:
    fields: tuple[Any, ...] = msgspec.structs.astuple(operation)
    return fields[1:]


def _measured(operation: Measure) -> tuple[Any, ...]:
    return operation.qubit, _shown_axis(operation.axis), operation.keep


def _applied(operation: Apply) -> tuple[Any, ...]:
    return operation.gate, operation.qubits, rounded(float(operation.angle))


def _probed(operation: Probe) -> tuple[Any, ...]:
    if operation.target is None:
        return _fields(operation)
    target = [(float(re), float(im)) for re, im in operation.target]
    return operation.name, operation.qubits, rounded(target)


def _of_train(operation: Operation) -> tuple[Any, ...]:
    """Its columns would make lines of a megabyte."""
    return tuple(_short(field) for field in _fields(operation))


def _clicked(value: Clicked | Kept) -> list[Any]:
    return [_short(field) for field in msgspec.structs.astuple(value)]


@lru_cache(maxsize=1024)
def _shown_axis(axis: tuple[float, float, float]) -> tuple[float, ...]:
    return tuple(rounded(float(part)) for part in axis)


def _short(value: Any) -> Any:
    """Columns by their hash, so that the digest holds them and the journal does not; floats rounded."""
    if isinstance(value, bytes):
        return hashlib.blake2b(value, digest_size=8).hexdigest()
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, list) and all(isinstance(item, float) for item in value):
        return rounded(value)
    return value


_ARGUMENTS: dict[type[Operation], _Shown] = {
    Measure: _measured,
    Apply: _applied,
    Probe: _probed,
    **dict.fromkeys((Pulses, Detect, Intercept, Split, MeasureStored), _of_train),
}
_OUTCOMES: dict[type, Callable[[Any], Any]] = {
    Herald: attrgetter("qubit"),
    Clicked: _clicked,
    Kept: _clicked,
}
