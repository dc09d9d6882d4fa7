"""What a program may make and record: how much in one step, under how many names, and under which.

Owns these limits of one node. All that a step has made goes to the emulator in one report, and the records
of a run stay in the emulator's memory: a program that makes more is refused where it does, with the limit.
The count is of what is made, not of what is encoded, so that it is the same in every mode. A name that
stands for one metric is refused for another, so that one metric never holds, hides or is read as the
numbers of another.
"""

from __future__ import annotations

from typing import get_args

from ...emulator.errors import InputError, MessageError, OperationError
from ...emulator.wire import STATISTICS, AnyOperation, PairPulses

#: Bytes in one step: of records and operations, and of what names each message.
MOST_BYTES = 32 * 1024 * 1024
#: What each message, record or operation counts beside its own text: so many are still read fast.
EACH_BYTES = 256
#: Different names under which one node records.
MOST_NAMES = 10_000
#: Metrics of every node that the emulator keeps, after the node's name.
KEPT = {"expired": "qubits past their cut-off", "message_latency_s": "the latency of messages"}
#: What counts by its size, by the type of operation. Those of pairs are shares, not columns.
COLUMNS: dict[type, list[str]] = {
    kind: [name for name in ("bases", "bits", "intensities") if name in kind.__struct_fields__]
    for kind in get_args(AnyOperation)
    if kind is not PairPulses
}


class Allowance:
    """What one node has `left` in this step, in bytes: `MOST_BYTES` at its start."""

    def __init__(self) -> None:
        self.left = MOST_BYTES
        self._names: dict[str, None] = {}

    def message(self, names: int) -> None:
        """One message more, with names of so many characters. Raises MessageError."""
        self.left -= EACH_BYTES + names
        if self.left < 0:
            raise MessageError(_too_much())

    def record(self, name: str, size: int) -> None:
        """One record more, of so many bytes. Raises MessageError."""
        if name not in self._names:
            if len(self._names) >= MOST_NAMES:
                raise MessageError(f"a node records under at most {MOST_NAMES:,} different names")
            self._names[name] = None
        self.left -= EACH_BYTES + len(name) + size
        if self.left < 0:
            raise MessageError(_too_much())

    def operation(self, operation: AnyOperation) -> None:
        """One operation more. Raises OperationError."""
        self.left -= EACH_BYTES
        for column in COLUMNS.get(type(operation), ()):
            self.left -= len(getattr(operation, column) or b"")
        if self.left < 0:
            raise OperationError(_too_much())


class MetricNames:
    """The names that one node has used so far."""

    def __init__(self) -> None:
        self._uses = {name: f"{what}, which qnetem notes" for name, what in KEPT.items()}

    def record(self, name: str, owner: str = "") -> None:
        """A number is recorded under this name. Raises InputError if the name stands for something else."""
        self._take(name, f"the record {name!r}{_of(owner)}")

    def probe(self, name: str, owner: str = "") -> None:
        """A fidelity is noted under this name. Raises InputError as `record` does."""
        for ending in ("fidelity", "left_over"):
            self._take(f"{name}.{ending}", f"the probe {name!r}{_of(owner)}")

    def _take(self, name: str, use: str) -> None:
        before = self._uses.get(name)
        if before == use:
            return
        if before is not None:
            raise InputError(f"{use}: the metric {name!r} is {before}; choose another name")
        stem, _, word = name.rpartition(".")
        if word in STATISTICS and stem in self._uses:
            raise InputError(
                f"{use}: {name!r} is the {word} of {self._uses[stem]}; choose another name"
            )
        for word in STATISTICS:
            if f"{name}.{word}" in self._uses:
                other = self._uses[f"{name}.{word}"]
                raise InputError(f"{use}: its {word} would be {other}; choose another name")
        self._uses[name] = use


def _of(owner: str) -> str:
    return f" of service {owner}" if owner else ""


def _too_much() -> str:
    return (
        f"this step has made more than {MOST_BYTES:,} bytes of messages, records and operations: "
        "let virtual time pass in between"
    )
