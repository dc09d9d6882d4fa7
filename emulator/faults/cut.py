"""cut: a link carries nothing; both planes unless `only: quantum` or `only: classical`."""

from __future__ import annotations

from .base import Breakable, Fault


class Cut(Fault):
    """`{at: 2 s, for: 500 ms, cut: alice-r1}`. What is on the link at that moment is lost."""

    def begin(self, world: Breakable) -> None:
        if self._on("classical"):
            world.classical.cut(self.spec.target)
        if self._on("quantum"):
            world.cut_quantum(self.spec.target, True)

    def heal(self, world: Breakable) -> None:
        if self._on("classical"):
            world.classical.heal(self.spec.target)
        if self._on("quantum"):
            world.cut_quantum(self.spec.target, False)

    def _on(self, plane: str) -> bool:
        return self.spec.parameters.get("only") in (None, plane)
