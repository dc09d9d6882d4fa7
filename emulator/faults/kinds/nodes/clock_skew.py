"""clock_skew: a node's clock is wrong by `offset` and drifts by `ppm`; true time does not change.

The node shows its own time and sets its timers by it. At the end the clock jumps back to true time.
"""

from __future__ import annotations

from ...base import Breakable, Fault, FaultKind, Parameter


class ClockSkew(Fault):
    """`{at: 1 s, for: 5 s, clock_skew: bob, offset: -2 ms, ppm: 50}`. Parts per million, kept in 1e-9."""

    kind = FaultKind(
        "clock_skew",
        "clock",
        "node",
        lasting=True,
        parameters={
            "offset": Parameter("time", default=0, low=-3.6e12, high=3.6e12),
            "ppm": Parameter("number", default=0.0, low=-1e5, high=1e5, typical=(0.1, 1000)),
        },
        some=("offset", "ppm"),
    )

    def begin(self, world: Breakable) -> None:
        self.hits += 1
        rate_ppb = round(self.number("ppm") * 1000)
        world.skew(self.target, self.spec.id, self.time_ns("offset"), rate_ppb)

    def heal(self, world: Breakable) -> None:
        world.unskew(self.target, self.spec.id)
