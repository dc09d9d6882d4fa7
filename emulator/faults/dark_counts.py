"""dark_counts: each detector of a node, or of a link's heralding station, has so many more dark counts."""

from __future__ import annotations

from ..quantum.links.link_changes import Changes
from ..quantum.node.node_changes import NodeChanges
from .base import DeviceChange


class DarkCounts(DeviceChange):
    """`{at: 2 s, for: 500 ms, dark_counts: bob, rate: 10 kHz}`. Counts while the gate is open."""

    def link_changes(self) -> Changes:
        return Changes(dark_count_rate_hz=self.number("rate"))

    def node_changes(self) -> NodeChanges:
        return NodeChanges(dark_count_rate_hz=self.number("rate"))
