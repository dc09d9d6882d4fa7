"""Routing: what a relay knows of the network's links, and the paths that follow from it.

Owns the map and the choice of paths. Does not own how relays tell each other (key_relay.py). Pure.

A link is there if both its ends say so, and counts with the smaller stock that they state. It costs 1 for
the hop, and the more the larger a share of its stock, and of what it makes in `AHEAD_S`, would be used; a
link whose stock is too small is not taken. Several paths share no node but their ends: they are the cheapest
such set, found by successive shortest paths through nodes that are split in two (Suurballe, Networks 4, 125
(1974)), since the shortest path alone may lie in the way of any second one.

Rule: equal costs are decided by names, so the same map gives the same paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec

#: How far ahead a link's rate counts as stock, and the cost of a hop.
AHEAD_S, HOP = 60, 1000


class Advert(msgspec.Struct, frozen=True, array_like=True):
    """What a node says of its links: by neighbour, bits in stock and bits/s. The newest of a node counts."""

    node: str
    incarnation: int
    number: int
    links: dict[str, tuple[int, int]]


class Map:
    """The links of the network, as one node knows them."""

    def __init__(self) -> None:
        self._adverts: dict[str, Advert] = {}
        #: Links that have just failed, and until when they are avoided.
        self._suspected: dict[tuple[str, str], int] = {}

    @property
    def adverts(self) -> list[Advert]:
        """All that is known, by the names of nodes."""
        return [self._adverts[node] for node in sorted(self._adverts)]

    def learn(self, advert: Advert) -> bool:
        """Whether it says something new."""
        known = self._adverts.get(advert.node)
        if known is not None and (known.incarnation, known.number) >= (
            advert.incarnation,
            advert.number,
        ):
            return False
        self._adverts[advert.node] = advert
        for other in advert.links:
            for link in ((advert.node, other), (other, advert.node)):
                self._suspected.pop(link, None)
        return True

    def suspect(self, one: str, other: str, until_ns: int) -> None:
        """A link has failed: avoid it until then, or until one of its ends says that it has it still."""
        self._suspected[one, other] = self._suspected[other, one] = until_ns

    def stock(self, one: str, other: str) -> tuple[int, int] | None:
        """Bits and bits/s of a link; None where it is not there."""
        found = [
            self._adverts[a].links.get(b) if a in self._adverts else None
            for a, b in ((one, other), (other, one))
        ]
        if found[0] is None or found[1] is None:
            return None
        return min(found[0][0], found[1][0]), min(found[0][1], found[1][1])

    def _cost(self, one: str, other: str, bits: int, now_ns: int) -> int | None:
        stock = self.stock(one, other)
        if stock is None or stock[0] < bits or self._suspected.get((one, other), -1) > now_ns:
            return None
        return HOP + round(HOP * bits / (stock[0] + AHEAD_S * stock[1]))

    def paths(
        self, source: str, destination: str, bits: int, count: int, now_ns: int
    ) -> list[list[str]]:
        """`count` paths with no node in common but their ends, the cheapest first; [] where there are not."""
        graph = {
            (one, other): cost
            for one in sorted(self._adverts)
            for other in sorted(self._adverts[one].links)
            if (cost := self._cost(one, other, bits, now_ns)) is not None
        }
        return disjoint(graph, source, destination, count)


Node = tuple[str, int]


def disjoint(
    costs: dict[tuple[str, str], int], source: str, destination: str, count: int
) -> list[list[str]]:
    """The cheapest `count` paths that share no node but their ends; [] where there are not so many."""
    arcs = _split(costs, source, destination)
    used: set[tuple[Node, Node]] = set()
    for _ in range(count):
        way = _cheapest(arcs, used, (source, 1), (destination, 0))
        if way is None:
            return []
        for arc in way:
            if arc[::-1] in used:
                used.discard(arc[::-1])
            else:
                used.add(arc)
    after = {one: other for one, other in sorted(used) if one != (source, 1)}
    found = []
    for first in sorted(other for one, other in used if one == (source, 1)):
        path, at = [source], first
        while at != (destination, 0):
            if at[1] == 0:
                path.append(at[0])
            at = after[at]
        found.append([*path, destination])
    return sorted(
        found,
        key=lambda path: (sum(map(costs.__getitem__, pairwise(path))), path),
    )


def _split(
    costs: dict[tuple[str, str], int], source: str, destination: str
) -> dict[tuple[Node, Node], int]:
    """Each node as an entry 0 and an exit 1, so that a path takes it once."""
    arcs: dict[tuple[Node, Node], int] = {}
    for (one, other), cost in costs.items():
        arcs[(one, 1), (other, 0)] = cost
        for node in (one, other):
            if node not in (source, destination):
                arcs[(node, 0), (node, 1)] = 0
    return arcs


def _cheapest(
    arcs: dict[tuple[Node, Node], int], used: set[tuple[Node, Node]], start: Node, end: Node
) -> Iterable[tuple[Node, Node]] | None:
    """The cheapest way over arcs that are not used, or back over used ones (Bellman and Ford)."""
    residual = sorted(
        (arc[::-1], -cost) if arc in used else (arc, cost) for arc, cost in arcs.items()
    )
    best: dict[Node, int] = {start: 0}
    before: dict[Node, Node] = {}
    changed = True
    while changed:
        changed = False
        for (one, other), cost in residual:
            if one in best and best[one] + cost < best.get(other, 1 << 60):
                best[other], before[other] = best[one] + cost, one
                changed = True
    if end not in best:
        return None
    way, at = [], end
    while at != start:
        way.append((before[at], at))
        at = before[at]
    return way
