"""duplicate: a classical message comes twice with `probability`, the copy `after` behind it."""

from __future__ import annotations

from ..classical.flights import Flight, Pass, Twice, Verdict
from .base import MessageFault


class Duplicate(MessageFault):
    """`{at: 1 s, for: 1 s, duplicate: alice-r1, probability: 0.5, after: 1 ms}`. Copies are not copied."""

    def strike(self, flight: Flight) -> Verdict:
        strikes = self.strikes()
        return Twice(self.time_ns("after")) if strikes and not flight.copy else Pass()
