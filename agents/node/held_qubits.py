"""The qubits that a node holds, and those that its memory has discarded.

Owns both lists, what each operation does to them, and the waits for a qubit to leave its slot. Does not own
the qubits themselves (the emulator does) nor their Pauli frames (frames.py), which it forgets with the
qubit.

Rule: a wait ends at the instant at which the qubit leaves its slot, in whatever way; so nothing waits for a
qubit that is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ...emulator.wire import (
    Allocate,
    AnyOperation,
    Apply,
    BellMeasure,
    Discard,
    Entangle,
    HandOver,
    Join,
    Measure,
    Probe,
    Reset,
    Store,
    Transmit,
)
from ..frames import Frames
from .waiting import NamedFuture

if TYPE_CHECKING:
    from ..loop.virtual_loop import VirtualLoop

#: Qubits past their cut-off that are remembered; the oldest are forgotten first.
REMEMBERED = 65536


class HeldQubits:
    """Of one node. `names`: the qubits that lie in its slots, as it knows them, and whose they are."""

    def __init__(self, loop: VirtualLoop, frames: Frames) -> None:
        self.names: dict[str, str] = {}
        self._loop, self._frames = loop, frames
        self._expired: dict[str, None] = {}
        self._waiting: dict[str, list[NamedFuture]] = {}

    def account(self, operation: AnyOperation, value: Any, owner: str) -> None:
        """The operation of this owner has ended with this result."""
        if isinstance(operation, Measure):
            if not operation.keep:
                self.release(operation.qubit)
        elif isinstance(operation, Entangle):
            self.names[value.qubit] = owner
        elif isinstance(operation, Allocate):
            self.names[value] = owner
        elif isinstance(operation, Transmit):
            self.release(operation.qubit)
        elif isinstance(operation, HandOver) and operation.qubit in self.names:
            self.names[operation.qubit] = operation.to
        elif isinstance(operation, Discard):
            for qubit in operation.qubits:
                self.release(qubit)
        elif isinstance(operation, (Join, BellMeasure)):
            for qubit in msgspec.structs.astuple(operation)[1:]:
                self.release(qubit, keep_frame=True)  # the await of the outcome takes it

    def release(self, qubit: str, *, expired: bool = False, keep_frame: bool = False) -> None:
        """The qubit fills no slot any more; `expired`: the memory has discarded it at its cut-off."""
        self.names.pop(qubit, None)
        if not keep_frame:
            self._frames.forget(qubit)
        if expired:
            self._expired[qubit] = None
            if len(self._expired) > REMEMBERED:
                del self._expired[next(iter(self._expired))]
        for future in self._waiting.pop(qubit, ()):
            if not future.done():
                future.set_result(None)

    def has_expired(self, qubit: str) -> bool:
        """Whether the memory has discarded the qubit at its cut-off."""
        return qubit in self._expired

    async def departure(self, qubit: str) -> bool:
        """Wait until the qubit has left its slot; whether the memory has discarded it."""
        if qubit in self.names:
            await self._left(qubit)
        return qubit in self._expired

    async def _left(self, qubit: str) -> None:
        future = NamedFuture(self._loop, f"{qubit} to leave its slot", None)
        self._waiting.setdefault(qubit, []).append(future)
        try:
            await future
        finally:
            waiting = self._waiting.get(qubit, [])
            if future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._waiting[qubit]


def qubits_of(operation: AnyOperation) -> Sequence[str]:
    """The qubits that an operation names."""
    if isinstance(operation, (Apply, Discard, Probe)):
        return operation.qubits
    if isinstance(operation, (Measure, Reset, Transmit, HandOver, Store)):
        return (operation.qubit,)
    if isinstance(operation, BellMeasure):
        return (operation.first, operation.second)
    return (operation.left, operation.right) if isinstance(operation, Join) else ()
