"""memory_reset: every qubit in a node's memory goes to |0>, and nobody is told."""

from __future__ import annotations

from .base import Breakable, Fault


class MemoryReset(Fault):
    """`{at: 2 s, memory_reset: r1}`. Handles stay valid; the partners of lost halves are left mixed."""

    def begin(self, world: Breakable) -> None:
        self.hits += world.quantum.reset_memory(self.target)
