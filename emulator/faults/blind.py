"""blind: a node's detectors, or those of a link's heralding station, see nothing and count nothing."""

from __future__ import annotations

from ..quantum.links.link_changes import Changes
from ..quantum.node.node_changes import NodeChanges
from .base import DeviceChange


class Blind(DeviceChange):
    """`{at: 2 s, for: 500 ms, blind: bob}`. No dark counts and no afterpulses either; nothing is heralded."""

    def link_changes(self) -> Changes:
        return Changes(heralds=0.0)

    def node_changes(self) -> NodeChanges:
        return NodeChanges(blind=True)
