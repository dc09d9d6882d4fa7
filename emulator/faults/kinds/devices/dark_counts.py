"""dark_counts: each detector of a node, or of a link's heralding station, has so many more dark counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ....topology.model.pulse_sections import MOST_COUNTS
from ...base import NO_PARAMETERS, DeviceChange, FaultKind, Parameter, no_detectors
from ...changes import Changes, NodeChanges

if TYPE_CHECKING:
    from ....topology.model.entangle import EntangleSpec
    from ....topology.model.faults import FaultSpec, Value
    from ....topology.model.topology import NodeSpec, Topology
    from ....topology.written.positions import Position


class DarkCounts(DeviceChange):
    """`{at: 2 s, for: 500 ms, dark_counts: bob, rate: 10 kHz}`. Counts while the gate is open."""

    kind = FaultKind(
        "dark_counts",
        "quantum",
        "either",
        lasting=True,
        parameters={"rate": Parameter("frequency", required=True, high=1e9, typical=(10.0, 1e5))},
    )

    @classmethod
    def misfit(
        cls, topology: Topology, target: str, parameters: Mapping[str, Value] = NO_PARAMETERS
    ) -> str | None:
        """A link needs something that could count in the dark."""
        problem = super().misfit(topology, target, parameters)
        link = topology.links.get(target)
        entangle = None if link is None or link.quantum is None else link.quantum.entangle
        if problem is not None or entangle is None or _counts(entangle):
            return problem
        found = f"{target}, of kind {entangle.kind}, counts nothing"
        if entangle.kind == "simple":
            return found
        device = "'window' in 'latching'" if entangle.kind == "midpoint_source" else "a 'detector'"
        return f"{found}: expected {device} in 'entangle'"

    @classmethod
    def missing_device(cls, node: NodeSpec) -> str | None:
        return no_detectors(node)

    @classmethod
    def wrong_with(cls, topology: Topology, spec: FaultSpec) -> tuple[str, Position] | None:
        """Also: more dark counts than a slot can hold, of the longest that there is."""
        wrong = super().wrong_with(topology, spec)
        node, nodes = topology.nodes.get(spec.target), topology.nodes.values()
        periods = [each.source.period_ps for each in nodes if each.source is not None]
        if wrong is not None or node is None or node.detector is None or not periods:
            return wrong
        counts = float(spec.parameters["rate"] or 0) * node.detector.open_ps(max(periods)) * 1e-12
        if counts <= MOST_COUNTS:
            return None
        problem = f"dark_counts: {counts:.3g} counts in each slot, expected at most {MOST_COUNTS}"
        return problem, spec.place_of("rate", "dark_counts")

    def link_changes(self) -> Changes:
        return Changes(dark_count_rate_hz=self.number("rate"))

    def node_changes(self) -> NodeChanges:
        return NodeChanges(dark_count_rate_hz=self.number("rate"))


def _counts(entangle: EntangleSpec) -> bool:
    """Whether something is said of what could count in the dark."""
    if entangle.kind == "midpoint_source":
        return entangle.latching is not None and entangle.latching.window_ps is not None
    return entangle.kind != "simple" and entangle.detector is not None
