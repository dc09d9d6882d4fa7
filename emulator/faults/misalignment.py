"""misalignment: the ends' polarisation frames are turned against each other by so much more."""

from __future__ import annotations

from ..quantum.links.link_changes import Changes
from .base import LinkChange


class Misalignment(LinkChange):
    """`{at: 2 s, for: 500 ms, misalignment: alice-r1, by: 10 deg}`. Several on one link add up."""

    def changes(self) -> Changes:
        return Changes(misalignment_rad=self.number("by"))
