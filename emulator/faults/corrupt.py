"""corrupt: bits of a classical message's body are flipped with `probability`.

A receiver skips what is damaged, as by a checksum, unless it asks for it (`receive(damaged=True)`).
"""

from __future__ import annotations

from ..classical.flights import Damage, Flight, Pass, Verdict
from .base import MessageFault


class Corrupt(MessageFault):
    """`{at: 1 s, for: 1 s, corrupt: alice-r1, probability: 0.1, bits: 3}`.

    `bits` (default 1) different bits, fewer if the body has fewer. As many draws for each message.
    """

    def strike(self, flight: Flight) -> Verdict:
        strikes = self.strikes()
        draws = self.rng.random(int(self.number("bits")))
        size = flight.size * 8
        if not strikes or not size:
            return Pass()
        return Damage(tuple(sorted({int(draw * size) for draw in draws})))
