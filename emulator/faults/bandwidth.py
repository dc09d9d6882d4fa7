"""bandwidth: the link's transmitters send at most `to`; the lowest of several limits counts."""

from __future__ import annotations

from .base import Breakable, Fault


class Bandwidth(Fault):
    """`{at: 1 s, for: 1 s, bandwidth: alice-r1, to: 9600 bit/s}`. What waits for the transmitter waits on."""

    def begin(self, world: Breakable) -> None:
        world.classical.limit(self.target, self.number("to"))

    def heal(self, world: Breakable) -> None:
        world.classical.unlimit(self.target, self.number("to"))
