"""kill: a real SIGKILL of a node's process, after what it had sent is safe with its receivers.

Owns the fault. Does not own the steps of a kill (world/node_faults.py), nor the signal, which the zygote
sends for the launcher (qnetem/launcher/).
"""

from __future__ import annotations

from ...base import Breakable, Fault, FaultKind, Parameter


class Kill(Fault):
    """`{at: 4 s, kill: r1, restart: 250 ms}`; without `restart` the node stays dead."""

    #: Above 0: dead and alive at one instant would have no order.
    kind = FaultKind(
        "kill",
        "process",
        "node",
        lasting=False,
        parameters={"restart": Parameter("time", above=True)},
    )

    def begin(self, world: Breakable) -> None:
        restart = self.spec.parameters.get("restart")
        self.hits += 1
        world.kill(self.target, None if restart is None else int(restart))
