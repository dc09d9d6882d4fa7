"""cut: a link carries nothing; both planes unless `only: quantum` or `only: classical`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...base import NO_PARAMETERS, Breakable, Fault, FaultKind, Parameter, missing_plane

if TYPE_CHECKING:
    from ....topology.model.faults import Value
    from ....topology.model.topology import Topology


#: One plane of the link only.
ONLY = Parameter("word", words=("quantum", "classical"))


class Cut(Fault):
    """`{at: 2 s, for: 500 ms, cut: alice-r1}`. What is on the link at that moment is lost."""

    kind = FaultKind(
        "cut", "classical", "link", lasting=True, parameters={"only": ONLY}, counts=False
    )

    @classmethod
    def misfit(
        cls, topology: Topology, target: str, parameters: Mapping[str, Value] = NO_PARAMETERS
    ) -> str | None:
        """A link needs the plane that is cut alone. The groups of a partition are no link."""
        link = topology.links.get(target)
        return None if link is None else missing_plane(link, parameters.get("only"))

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
