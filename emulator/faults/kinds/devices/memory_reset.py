"""memory_reset: every qubit in a node's memory goes to |0>; no node is notified."""

from __future__ import annotations

from ...base import Breakable, Fault, FaultKind


class MemoryReset(Fault):
    """`{at: 2 s, memory_reset: r1}`. Handles stay valid; the partners of lost halves are left mixed."""

    kind = FaultKind("memory_reset", "quantum", "node", lasting=False)

    def begin(self, world: Breakable) -> None:
        self.hits += world.quantum.reset_memory(self.target)
