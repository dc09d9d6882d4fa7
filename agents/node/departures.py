"""Departures: which qubits a node's memory has discarded at their cut-off, and who waits for one to go.

Owns those two lists. Does not own what the node holds (node.py). Rule: a wait ends at the instant at which
the qubit has left its slot, in whatever way; so nothing waits for one that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .waiting import NamedFuture

if TYPE_CHECKING:
    from ..loop.virtual_loop import VirtualLoop

#: Qubits past their cut-off that are remembered; the oldest are forgotten first.
REMEMBERED = 65536


class Departures:
    """Of one node's qubits."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._expired: dict[str, None] = {}
        self._waiting: dict[str, list[NamedFuture]] = {}

    def note(self, qubit: str, expired: bool) -> None:
        """The qubit has left its slot; `expired`: its memory has discarded it."""
        if expired:
            self._expired[qubit] = None
            if len(self._expired) > REMEMBERED:
                del self._expired[next(iter(self._expired))]
        for future in self._waiting.pop(qubit, ()):
            if not future.done():
                future.set_result(None)

    def has_expired(self, qubit: str) -> bool:
        """Whether its memory has discarded the qubit."""
        return qubit in self._expired

    async def wait(self, qubit: str) -> None:
        """Until the qubit, which lies in a slot, has left it."""
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
