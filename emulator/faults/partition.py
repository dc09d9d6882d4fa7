"""partition: groups of nodes that cannot reach each other; every link between two groups is cut."""

from __future__ import annotations

from collections.abc import Sequence

from .cut import Cut


class Partition(Cut):
    """`{at: 2 s, for: 1 s, partition: [[alice, r1], [bob]]}`. Who is in no group is in one more."""

    @property
    def links(self) -> Sequence[str]:
        """The links between the groups."""
        return self.spec.members
