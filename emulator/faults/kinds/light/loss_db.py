"""loss_db: light on the link is attenuated by so much more."""

from __future__ import annotations

from ...base import LOSS, FaultKind, LinkChange
from ...changes import Changes


class LossDb(LinkChange):
    """`{at: 2 s, for: 500 ms, loss_db: alice-r1, by: 3 dB}`. Several on one link add up."""

    kind = FaultKind("loss_db", "quantum", "link", lasting=True, parameters={"by": LOSS})

    def changes(self) -> Changes:
        return Changes(loss_db=self.number("by"))
