"""delay: each classical message that enters the link takes `by` longer."""

from __future__ import annotations

from ..channels.classical import Flight, Later, Verdict
from .base import Breakable, Fault


class Delay(Fault):
    """`{at: 1 s, for: 1 s, delay: alice-r1, by: 5 ms}`."""

    def begin(self, world: Breakable) -> None:
        world.classical.add_fault(self.spec.target, self)

    def heal(self, world: Breakable) -> None:
        world.classical.remove_fault(self.spec.target, self)

    def on_message(self, flight: Flight) -> Verdict:
        return Later(int(self.spec.parameters["by"] or 0))
