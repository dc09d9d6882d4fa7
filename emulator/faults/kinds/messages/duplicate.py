"""duplicate: a classical message comes twice with `probability`, the copy `after` behind it."""

from __future__ import annotations

from ...base import CHANCE, FaultKind, MessageFault, Parameter
from ...verdicts import Message, Pass, Twice, Verdict


class Duplicate(MessageFault):
    """`{at: 1 s, for: 1 s, duplicate: alice-r1, probability: 0.5, after: 1 ms}`. Copies are not copied."""

    kind = FaultKind(
        "duplicate",
        "classical",
        "link",
        lasting=True,
        parameters={"probability": CHANCE, "after": Parameter("time", default=0)},
    )

    def strike(self, flight: Message) -> Verdict:
        strikes = self.strikes()
        return Twice(self.time_ns("after")) if strikes and not flight.copy else Pass()
