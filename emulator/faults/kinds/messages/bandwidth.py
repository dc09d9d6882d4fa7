"""bandwidth: the link's transmitters send at most `to`; the lowest of several limits counts."""

from __future__ import annotations

from ...base import Breakable, Fault, FaultKind, Parameter


class Bandwidth(Fault):
    """`{at: 1 s, for: 1 s, bandwidth: alice-r1, to: 9600 bit/s}`. What waits for the transmitter waits on."""

    kind = FaultKind(
        "bandwidth",
        "classical",
        "link",
        lasting=True,
        parameters={"to": Parameter("bandwidth", required=True, low=1.0, typical=(1e4, 1e8))},
        counts=False,
    )

    def begin(self, world: Breakable) -> None:
        world.classical.limit(self.target, self.number("to"))

    def heal(self, world: Breakable) -> None:
        world.classical.unlimit(self.target, self.number("to"))
