"""blind: a node's detectors, or those of a link's heralding station, see nothing and count nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base import DeviceChange, FaultKind, no_detectors
from ...changes import Changes, NodeChanges

if TYPE_CHECKING:
    from ....topology.model.topology import NodeSpec


class Blind(DeviceChange):
    """`{at: 2 s, for: 500 ms, blind: bob}`. No dark counts and no afterpulses either; nothing is heralded."""

    kind = FaultKind("blind", "quantum", "either", lasting=True)

    @classmethod
    def missing_device(cls, node: NodeSpec) -> str | None:
        return no_detectors(node)

    def link_changes(self) -> Changes:
        return Changes(heralds=0.0)

    def node_changes(self) -> NodeChanges:
        return NodeChanges(blind=True)
