"""jitter: each classical message takes up to `by` longer, uniformly; so messages may overtake each other."""

from __future__ import annotations

from ...base import FaultKind, MessageFault, Parameter
from ...verdicts import Later, Message, Verdict


class Jitter(MessageFault):
    """`{at: 1 s, for: 1 s, jitter: alice-r1, by: 2 ms}`. Whole ns from 0 to `by`, each equally likely."""

    kind = FaultKind(
        "jitter",
        "classical",
        "link",
        lasting=True,
        parameters={"by": Parameter("time", required=True, above=True)},
    )

    def strike(self, flight: Message) -> Verdict:
        return Later(int(self.rng.random() * (self.time_ns("by") + 1)))
