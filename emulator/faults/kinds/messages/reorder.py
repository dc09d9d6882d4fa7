"""reorder: a classical message is held back by `by` with `probability`, so that later ones overtake it."""

from __future__ import annotations

from ...base import CHANCE, FaultKind, MessageFault, Parameter
from ...verdicts import Later, Message, Pass, Verdict


class Reorder(MessageFault):
    """`{at: 1 s, for: 1 s, reorder: alice-r1, probability: 0.2, by: 3 ms}`."""

    kind = FaultKind(
        "reorder",
        "classical",
        "link",
        lasting=True,
        parameters={"probability": CHANCE, "by": Parameter("time", required=True, above=True)},
    )

    def strike(self, flight: Message) -> Verdict:
        return Later(self.time_ns("by")) if self.strikes() else Pass()
