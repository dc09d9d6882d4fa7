"""delay: each classical message that enters the link takes `by` longer."""

from __future__ import annotations

from ..classical.flights import Flight, Later, Verdict
from .base import MessageFault


class Delay(MessageFault):
    """`{at: 1 s, for: 1 s, delay: alice-r1, by: 5 ms}`."""

    def strike(self, flight: Flight) -> Verdict:
        return Later(self.time_ns("by"))
