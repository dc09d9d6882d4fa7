"""source_off: a node's source, or what emits the light of a link's heralded pairs, emits vacuum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base import DeviceChange, FaultKind
from ...changes import Changes, NodeChanges

if TYPE_CHECKING:
    from ....topology.model.topology import NodeSpec


class SourceOff(DeviceChange):
    """`{at: 2 s, for: 500 ms, source_off: alice}`. Dark counts still herald, but no pairs."""

    kind = FaultKind("source_off", "quantum", "either", lasting=True)

    @classmethod
    def missing_device(cls, node: NodeSpec) -> str | None:
        if node.source is None:
            return f"{node.name} has no source: expected a 'source' there, or a link with heralds"
        return None

    def link_changes(self) -> Changes:
        return Changes(light=(0.0, 0.0))

    def node_changes(self) -> NodeChanges:
        return NodeChanges(source_off=True)
