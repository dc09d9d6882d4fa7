"""delay: each classical message that enters the link takes `by` longer."""

from __future__ import annotations

from ...base import FaultKind, MessageFault, Parameter
from ...verdicts import Later, Message, Verdict


class Delay(MessageFault):
    """`{at: 1 s, for: 1 s, delay: alice-r1, by: 5 ms}`."""

    kind = FaultKind(
        "delay",
        "classical",
        "link",
        lasting=True,
        parameters={"by": Parameter("time", required=True)},
    )

    def strike(self, flight: Message) -> Verdict:
        return Later(self.time_ns("by"))
