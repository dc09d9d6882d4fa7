"""restart: a dead node comes back; a living one is killed first. It knows nothing of its former life."""

from __future__ import annotations

from ...base import Breakable, Fault, FaultKind, Parameter


class Restart(Fault):
    """`{at: 4 s, restart: r1, after: 250 ms}`; `after` (default: at once) is how long it takes."""

    kind = FaultKind(
        "restart",
        "process",
        "node",
        lasting=False,
        parameters={"after": Parameter("time", default=0)},
    )

    def begin(self, world: Breakable) -> None:
        self.hits += 1
        world.restart(self.target, self.time_ns("after"))
