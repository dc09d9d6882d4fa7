"""source_off: a node's source, or what emits the light of a link's heralded pairs, emits vacuum."""

from __future__ import annotations

from ..quantum.links.link_changes import Changes
from ..quantum.node.node_changes import NodeChanges
from .base import DeviceChange


class SourceOff(DeviceChange):
    """`{at: 2 s, for: 500 ms, source_off: alice}`. Detectors go on: dark counts herald, but no pairs."""

    def link_changes(self) -> Changes:
        return Changes(light=(0.0, 0.0))

    def node_changes(self) -> NodeChanges:
        return NodeChanges(source_off=True)
