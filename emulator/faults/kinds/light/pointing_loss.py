"""pointing_loss: the beam of a free-space link points past its receiver by so much more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base import FaultKind, LinkChange, Parameter
from ...changes import Changes

if TYPE_CHECKING:
    from ....topology.model.topology import Quantum, Topology


class PointingLoss(LinkChange):
    """`{at: 2 s, for: 500 ms, pointing_loss: sat-ogs, by: 20 urad}`. Several on one link add up."""

    kind = FaultKind(
        "pointing_loss",
        "quantum",
        "link",
        lasting=True,
        parameters={"by": Parameter("small angle", required=True, high=1e5, typical=(1.0, 1e3))},
    )

    @classmethod
    def misfit_of_light(cls, topology: Topology, link: str, quantum: Quantum) -> str | None:
        if quantum.medium != "free_space":
            return f"no beam is pointed on {link}: expected medium: free_space there"
        return None

    def changes(self) -> Changes:
        return Changes(pointing_urad=self.number("by"))
