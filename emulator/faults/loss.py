"""loss: each classical message that enters the link is lost with `probability`, independently."""

from __future__ import annotations

from ..channels.classical import Drop, Flight, Pass, Verdict
from .base import Breakable, Fault


class Loss(Fault):
    """`{at: 1 s, for: 2 s, loss: alice-r1, probability: 0.3}`. One draw a message, also at 0 and 1."""

    def begin(self, world: Breakable) -> None:
        world.classical.add_fault(self.spec.target, self)

    def heal(self, world: Breakable) -> None:
        world.classical.remove_fault(self.spec.target, self)

    def on_message(self, flight: Flight) -> Verdict:
        probability = float(self.spec.parameters["probability"] or 0.0)
        return Drop("loss") if self.rng.random() < probability else Pass()
