"""loss: each classical message that enters the link is lost with `probability`, independently."""

from __future__ import annotations

from ..classical.flights import Drop, Flight, Pass, Verdict
from .base import MessageFault


class Loss(MessageFault):
    """`{at: 1 s, for: 2 s, loss: alice-r1, probability: 0.3}`. One draw a message, also at 0 and 1."""

    def strike(self, flight: Flight) -> Verdict:
        return Drop("loss") if self.strikes() else Pass()
