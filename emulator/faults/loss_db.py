"""loss_db: light on the link is attenuated by so much more."""

from __future__ import annotations

from ..quantum.links.link_changes import Changes
from .base import LinkChange


class LossDb(LinkChange):
    """`{at: 2 s, for: 500 ms, loss_db: alice-r1, by: 3 dB}`. Several on one link add up."""

    def changes(self) -> Changes:
        return Changes(loss_db=self.number("by"))
