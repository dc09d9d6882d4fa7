"""The route of a classical message: least latency, then fewest hops, then names.

Owns the routing table and nothing of what happens on the way. Rule: a route depends on the links'
nominal latencies and on which links are cut, never on load or on a delay fault (a switch does not see
those), so two runs that cut the same links at the same instants route alike.

Theory of operation. A search (Dijkstra) goes from a destination outwards, only as far as was asked: it
stops at the node that sends, and continues from there for one that is farther away. So a message to a
neighbour costs a few steps, however large the network is.
"""

from __future__ import annotations

from heapq import heappop, heappush

from ..topology.model.topology import LinkSpec

#: Nodes that all searches together have reached; beyond that they begin anew, so that memory is bounded.
MOST_REACHED = 2_000_000


class _Search:
    """Towards one destination. `table`: node -> first link of its best path, for the nodes reached."""

    __slots__ = ("_destination", "_heap", "_routes", "_unopened", "table")

    def __init__(self, destination: str, routes: Routes) -> None:
        self._destination, self._routes = destination, routes
        self.table: dict[str, LinkSpec] = {}
        # (latency, hops, node, link to take from node); names make equal paths unambiguous
        self._heap: list[tuple[int, int, str, str]] = []
        #: The node reached last: its links are looked at when something farther away is asked for.
        self._unopened: tuple[int, int, str] | None = (0, 0, destination)

    def reach(self, node: str) -> LinkSpec | None:
        """The first link of the node's best path; None when there is no path."""
        table = self.table
        while node not in table:
            if not self._settle_next():
                return None
        return table[node]

    def _settle_next(self) -> bool:
        """Reach the next node; False when there is none."""
        self._open()
        heap, table = self._heap, self.table
        while heap:
            latency, hops, node, via = heappop(heap)
            if node in table or node == self._destination:
                continue
            table[node] = self._routes.links[via]
            self._unopened = latency, hops, node
            return True
        return False

    def _open(self) -> None:
        """Look at the links of the node that was reached last."""
        if self._unopened is None:
            return
        latency, hops, node = self._unopened
        self._unopened = None
        routes = self._routes
        for other, link in routes.adjacent.get(node, ()):
            if other in self.table or routes.is_down(link.name):
                continue
            assert link.classical is not None
            far = latency + link.classical.latency_ns
            heappush(self._heap, (far, hops + 1, other, link.name))


class Routes:
    """Next hop towards each destination; searched for anew after a cut or a heal."""

    def __init__(self, links: dict[str, LinkSpec]) -> None:
        self.links = {name: link for name, link in links.items() if link.classical is not None}
        #: Node -> the node at the other end of each of its links, and the link.
        self.adjacent: dict[str, list[tuple[str, LinkSpec]]] = {}
        for link in self.links.values():
            first, second = link.ends
            self.adjacent.setdefault(first, []).append((second, link))
            self.adjacent.setdefault(second, []).append((first, link))
        #: Why a link carries nothing: nothing stands there for one that does.
        self._down: dict[str, dict[str, None]] = {}
        self._towards: dict[str, _Search] = {}
        self._reached = 0

    def set_down(self, link: str, down: bool, why: str = "cut") -> None:
        """A link carries no classical messages for this reason, or does again as far as that goes."""
        reasons = self._down.setdefault(link, {})
        if down == (why in reasons):
            return
        if down:
            reasons[why] = None
        else:
            del reasons[why]
        if len(reasons) == down:  # the first reason, or no reason any more
            self._towards.clear()
            self._reached = 0

    def is_down(self, link: str) -> bool:
        """Whether a link carries nothing at present."""
        return bool(self._down.get(link))

    def next_link(self, at: str, destination: str) -> LinkSpec | None:
        """The link to take from node `at` towards `destination`; None when there is no path."""
        adjacent = self.adjacent.get(at, ())
        if len(adjacent) != 1:
            return self._first_link(at, destination)
        # A node at the end of its only link needs no search of its own through all that lies beside the path.
        other, link = adjacent[0]
        if at == destination or self.is_down(link.name):
            return None
        known = other == destination or self._first_link(other, destination) is not None
        return link if known else None

    def _first_link(self, at: str, destination: str) -> LinkSpec | None:
        search = self._towards.get(destination)
        if search is None:
            if self._reached > MOST_REACHED:
                self._towards.clear()
                self._reached = 0
            search = self._towards[destination] = _Search(destination, self)
        found = search.table.get(at)
        if found is None and at != destination:
            before = len(search.table)
            found = search.reach(at)
            self._reached += len(search.table) - before
        return found

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
