"""misalignment: the ends' polarisation frames are turned against each other by so much more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...base import FaultKind, LinkChange, Parameter
from ...changes import Changes

if TYPE_CHECKING:
    from ....topology.model.topology import Quantum, Topology


class Misalignment(LinkChange):
    """`{at: 2 s, for: 500 ms, misalignment: alice-r1, by: 10 deg}`. Several on one link add up."""

    kind = FaultKind(
        "misalignment",
        "quantum",
        "link",
        lasting=True,
        parameters={
            "by": Parameter("angle", required=True, low=-math.pi, high=math.pi, typical=(0.02, 0.8))
        },
    )

    @classmethod
    def misfit_of_light(cls, topology: Topology, link: str, quantum: Quantum) -> str | None:
        """Light that is turned suffers no Pauli noise. Interference alone just loses visibility by it."""
        entangle = quantum.entangle
        if entangle is not None and entangle.kind in ("single_click", "double_click"):
            return None
        if topology.formalism in ("bell_diagonal", "stabilizer") and topology.approximate == "none":
            return (
                f"light on {link} would be turned, which formalism: {topology.formalism} cannot carry: "
                "expected formalism: auto or density_matrix, or approximate: twirl"
            )
        return None

    def changes(self) -> Changes:
        return Changes(misalignment_rad=self.number("by"))
