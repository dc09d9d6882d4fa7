"""The route of a classical message: least latency, then fewest hops, then names.

Owns the routing table and nothing of what happens on the way. Rule: a route depends on the links'
nominal latencies and on which links are cut, never on load or on a delay fault (a switch does not see
those), so two runs that cut the same links at the same instants route alike.
"""

from __future__ import annotations

from heapq import heappop, heappush

from ..topology.model.topology import LinkSpec


class Routes:
    """Next hop towards each destination; recomputed lazily after a cut or a heal."""

    def __init__(self, links: dict[str, LinkSpec]) -> None:
        self._links = {name: link for name, link in links.items() if link.classical is not None}
        #: Why a link carries nothing: nothing stands there for one that does.
        self._down: dict[str, dict[str, None]] = {}
        self._towards: dict[str, dict[str, LinkSpec]] = {}

    def set_down(self, link: str, down: bool, why: str = "cut") -> None:
        """A link carries no classical messages for this reason, or does again as far as that goes."""
        reasons = self._down.setdefault(link, {})
        if down:
            reasons[why] = None
        else:
            reasons.pop(why, None)
        self._towards.clear()

    def next_link(self, at: str, destination: str) -> LinkSpec | None:
        """The link to take from node `at` towards `destination`; None when there is no path."""
        table = self._towards.get(destination)
        if table is None:
            table = self._towards[destination] = self._tree(destination)
        return table.get(at)

    def latency_ns(self, source: str, destination: str) -> int | None:
        """Sum of the hops' latencies on the present path, in ns; None when there is no path."""
        total, at = 0, source
        while at != destination:
            link = self.next_link(at, destination)
            if link is None or link.classical is None:
                return None
            total += link.classical.latency_ns
            at = link.other_end(at)
        return total

    def _tree(self, destination: str) -> dict[str, LinkSpec]:
        """Dijkstra from the destination outwards: node -> first link of its best path."""
        table: dict[str, LinkSpec] = {}
        settled: dict[str, None] = {}
        # (latency, hops, node, link to take from node); names make equal paths unambiguous
        heap: list[tuple[int, int, str, str]] = [(0, 0, destination, "")]
        while heap:
            latency, hops, node, via = heappop(heap)
            if node in settled:
                continue
            settled[node] = None
            if via:
                table[node] = self._links[via]
            for name, link in self._links.items():
                if self._down.get(name) or node not in link.ends or link.classical is None:
                    continue
                other = link.other_end(node)
                if other not in settled:
                    far = latency + link.classical.latency_ns
                    heappush(heap, (far, hops + 1, other, name))
        return table
