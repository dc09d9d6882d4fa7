"""The qubits that a node holds, and those that its memory has discarded.

Owns both lists, what each operation does to them, and the waits for a qubit to leave its slot. Does not own
the qubits themselves (the emulator does) nor their Pauli frames (frames.py), which it forgets with the
qubit.

Rule: a wait ends at the instant at which the qubit leaves its slot, in whatever way; so nothing waits for a
qubit that is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ...emulator.wire import (
    Allocate,
    Apply,
    BellMeasure,
    Discard,
    Entangle,
    HandOver,
    Herald,
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
    """Of one node. `names`: the qubits that lie in its slots, as it knows them, and whose they are.

    `expired`: those that the memory has discarded at its cut-off.
    """

    def __init__(self, loop: VirtualLoop, frames: Frames) -> None:
        self.names: dict[str, str] = {}
        self._loop, self._frames = loop, frames
        self.expired: dict[str, None] = {}
        self._waiting: dict[str, list[NamedFuture]] = {}

    def _measured(self, operation: Measure, _value: Any, _owner: str) -> None:
        if not operation.keep:
            self.release(operation.qubit)

    def _heralded(self, _operation: Entangle, value: Herald, owner: str) -> None:
        self.names[value.qubit] = owner

    def _allocated(self, _operation: Allocate, value: str, owner: str) -> None:
        self.names[value] = owner

    def _transmitted(self, operation: Transmit, _value: Any, _owner: str) -> None:
        self.release(operation.qubit)

    def _handed_over(self, operation: HandOver, _value: Any, _owner: str) -> None:
        if operation.qubit in self.names:
            self.names[operation.qubit] = operation.to

    def _discarded(self, operation: Discard, _value: Any, _owner: str) -> None:
        for qubit in operation.qubits:
            self.release(qubit)

    def _joined(self, operation: Join | BellMeasure, _value: Any, _owner: str) -> None:
        for qubit in QUBITS_OF[type(operation)](operation):
            self.release(qubit, keep_frame=True)  # the await of the outcome takes it

    def release(self, qubit: str, *, expired: bool = False, keep_frame: bool = False) -> None:
        """The qubit fills no slot any more; `expired`: the memory has discarded it at its cut-off."""
        self.names.pop(qubit, None)
        if not keep_frame:
            self._frames.forget(qubit)
        if expired:
            self.expired[qubit] = None
            if len(self.expired) > REMEMBERED:
                del self.expired[next(iter(self.expired))]
        for future in self._waiting.pop(qubit, ()) if self._waiting else ():
            if not future.done():
                future.set_result(None)

    async def departure(self, qubit: str) -> bool:
        """Wait until the qubit has left its slot; whether the memory has discarded it."""
        if qubit in self.names:
            await self._left(qubit)
        return qubit in self.expired

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


def _several(operation: Apply | Discard | Probe) -> Sequence[str]:
    return operation.qubits


def _one(operation: Measure | Reset | Transmit | HandOver | Store) -> Sequence[str]:
    return (operation.qubit,)


#: The qubits that an operation names, by its type; of those that name any.
QUBITS_OF: dict[type, Callable[[Any], Sequence[str]]] = {
    **dict.fromkeys((Apply, Discard, Probe), _several),
    **dict.fromkeys((Measure, Reset, Transmit, HandOver, Store), _one),
    BellMeasure: attrgetter("first", "second"),
    Join: attrgetter("left", "right"),
}
#: What an operation's end does to the lists, by its type: called with them, the operation, result and owner.
ACCOUNTS: dict[type, Callable[[HeldQubits, Any, Any, str], None]] = {
    Measure: HeldQubits._measured,
    Entangle: HeldQubits._heralded,
    Allocate: HeldQubits._allocated,
    Transmit: HeldQubits._transmitted,
    HandOver: HeldQubits._handed_over,
    Discard: HeldQubits._discarded,
    Join: HeldQubits._joined,
    BellMeasure: HeldQubits._joined,
}
