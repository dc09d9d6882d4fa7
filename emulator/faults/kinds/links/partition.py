"""partition: groups of nodes that cannot reach each other; every link between two groups is cut."""

from __future__ import annotations

from collections.abc import Sequence

from ...base import FaultKind
from .cut import ONLY, Cut


class Partition(Cut):
    """`{at: 2 s, for: 1 s, partition: [[alice, r1], [bob]]}`. Nodes in no group form one more."""

    kind = FaultKind(
        "partition", "classical", "groups", lasting=True, parameters={"only": ONLY}, counts=False
    )

    @property
    def links(self) -> Sequence[str]:
        """The links between the groups."""
        return self.spec.members
