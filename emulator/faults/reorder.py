"""reorder: a classical message is held back by `by` with `probability`, so that later ones overtake it."""

from __future__ import annotations

from ..classical.flights import Flight, Later, Pass, Verdict
from .base import MessageFault


class Reorder(MessageFault):
    """`{at: 1 s, for: 1 s, reorder: alice-r1, probability: 0.2, by: 3 ms}`."""

    def strike(self, flight: Flight) -> Verdict:
        return Later(self.time_ns("by")) if self.strikes() else Pass()
