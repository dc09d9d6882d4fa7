"""clock_skew: a node's clock is wrong by `offset` and drifts by `ppm`; true time goes on as ever.

The node shows its own time and sets its timers by it. At the end the clock jumps back to true time.
"""

from __future__ import annotations

from .base import Breakable, Fault


class ClockSkew(Fault):
    """`{at: 1 s, for: 5 s, clock_skew: bob, offset: -2 ms, ppm: 50}`. Parts per million, kept in 1e-9."""

    def begin(self, world: Breakable) -> None:
        self.hits += 1
        rate_ppb = round(self.number("ppm") * 1000)
        world.skew(self.target, self.spec.id, self.time_ns("offset"), rate_ppb)

    def heal(self, world: Breakable) -> None:
        world.unskew(self.target, self.spec.id)
