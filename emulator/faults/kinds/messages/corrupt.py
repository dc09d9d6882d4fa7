"""corrupt: bits of a classical message's body are flipped with `probability`.

A receiver skips what is damaged, as by a checksum, unless it asks for it (`receive(damaged=True)`).
"""

from __future__ import annotations

from ...base import CHANCE, FaultKind, MessageFault, Parameter
from ...verdicts import Damage, Message, Pass, Verdict


class Corrupt(MessageFault):
    """`{at: 1 s, for: 1 s, corrupt: alice-r1, probability: 0.1, bits: 3}`.

    `bits` (default 1) different bits, fewer if the body has fewer. As many draws for each message.
    """

    kind = FaultKind(
        "corrupt",
        "classical",
        "link",
        lasting=True,
        parameters={
            "probability": CHANCE,
            "bits": Parameter("count", default=1, low=1, high=64, typical=(1, 8)),
        },
    )

    def strike(self, flight: Message) -> Verdict:
        strikes = self.strikes()
        draws = self.rng.random(int(self.number("bits")))
        size = flight.size * 8
        if not strikes or not size:
            return Pass()
        return Damage(tuple(sorted({int(draw * size) for draw in draws})))
