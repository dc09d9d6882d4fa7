"""cut: a link carries nothing; both planes unless `only: quantum` or `only: classical`."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Breakable, Fault


class Cut(Fault):
    """`{at: 2 s, for: 500 ms, cut: alice-r1}`. What is on the link at that moment is lost."""

    @property
    def links(self) -> Sequence[str]:
        """What is cut."""
        return (self.target,)

    def begin(self, world: Breakable) -> None:
        for link in self.links:
            if self._on("classical"):
                world.classical.cut(link)
            if self._on("quantum"):
                world.quantum.cut(link)

    def heal(self, world: Breakable) -> None:
        for link in self.links:
            if self._on("classical"):
                world.classical.heal(link)
            if self._on("quantum"):
                world.quantum.heal(link)

    def _on(self, plane: str) -> bool:
        return self.spec.parameters.get("only") in (None, plane)
