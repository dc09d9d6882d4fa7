"""lost_herald: a link's success is not heard of, with `probability`, at both ends or at one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...base import CHANCE, NO_PARAMETERS, FaultKind, HeraldStrike, Parameter
from ...verdicts import HEARD, HeraldOutcome

if TYPE_CHECKING:
    from ....topology.model.faults import FaultSpec, Value
    from ....topology.model.topology import LinkSpec, Topology
    from ....topology.written.positions import Position


class LostHerald(HeraldStrike):
    """`{at: 2 s, for: 1 s, lost_herald: alice-r1, probability: 0.3}`, at both ends unless `end: r1`.

    Lost at both ends, it was no success: attempts continue. Lost at one end, the other has half of a pair
    whose partner is gone, and the end that did not hear asks on. One draw a success.
    """

    kind = FaultKind(
        "lost_herald",
        "quantum",
        "link",
        lasting=True,
        parameters={"probability": CHANCE, "end": Parameter("node")},
    )

    @classmethod
    def misfit(
        cls, topology: Topology, target: str, parameters: Mapping[str, Value] = NO_PARAMETERS
    ) -> str | None:
        """`end` is one of the link's."""
        problem = super().misfit(topology, target, parameters)
        return problem or _no_end(topology.links[target], parameters)

    @classmethod
    def wrong_with(cls, topology: Topology, spec: FaultSpec) -> tuple[str, Position] | None:
        """As for every fault, but a wrong `end` is to blame itself."""
        wrong = super().wrong_with(topology, spec)
        no_end = _no_end(topology.links[spec.target], spec.parameters)
        if wrong is not None and no_end is not None and wrong[0].endswith(no_end):
            return wrong[0], spec.place_of("end")
        return wrong

    def on_success(self, ends: tuple[str, str]) -> HeraldOutcome:
        if not self.strikes():
            return HEARD
        end = self.spec.parameters.get("end")
        return HeraldOutcome(lost=ends if end is None else (str(end),))


def _no_end(link: LinkSpec, parameters: Mapping[str, Value]) -> str | None:
    end = parameters.get("end")
    if end is None or end in link.ends:
        return None
    return f"{end} is no end of {link.name}, expected {' or '.join(link.ends)}"
