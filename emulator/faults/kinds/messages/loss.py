"""loss: each classical message that enters the link is lost with `probability`, independently."""

from __future__ import annotations

from ...base import CHANCE, FaultKind, MessageFault
from ...verdicts import Drop, Message, Pass, Verdict


class Loss(MessageFault):
    """`{at: 1 s, for: 2 s, loss: alice-r1, probability: 0.3}`. One draw a message, also at 0 and 1."""

    kind = FaultKind("loss", "classical", "link", lasting=True, parameters={"probability": CHANCE})

    def strike(self, flight: Message) -> Verdict:
        return Drop("loss") if self.strikes() else Pass()
