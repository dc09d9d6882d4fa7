"""decohere: what lies in a node's memory loses coherence with another T2 besides its own."""

from __future__ import annotations

from ...base import Breakable, Fault, FaultKind, Parameter
from ...changes import NodeChanges


class Decohere(Fault):
    """`{at: 2 s, for: 500 ms, decohere: r1, t2: 1 ms}`: what lies there as it begins, and what comes."""

    kind = FaultKind(
        "decohere",
        "quantum",
        "node",
        lasting=True,
        parameters={"t2": Parameter("time", required=True, above=True)},
    )

    def begin(self, world: Breakable) -> None:
        self.hits += world.quantum.stored_in(self.target)
        rate_hz = 1e9 / self.time_ns("t2")
        changes = NodeChanges(dephasing_hz=rate_hz)
        world.quantum.fault_histories.nodes[self.target].begin(self, changes)

    def heal(self, world: Breakable) -> None:
        world.quantum.fault_histories.nodes[self.target].end(self)
