"""Paths: which way to a node reaches a fidelity, and which of these is the fastest.

Owns the arithmetic of a path from what links and nodes promise. Pure functions on adverts (control.py); does
not own where they come from (knowledge.py).

Theory of operation. Joins multiply the correlations ZZ and XX = -YY of the pairs they join, and those that
errors of the repeater leave; F = (1 + ZZ + XX - YY)/4. What an end-to-end pair must have is shared among the
hops: links with a bright population are set to the brightest one that reaches its equal share in what the
others leave. The rate of a path is that of its slowest link, times how often all its joins succeed. For each
number of hops the path whose slowest link is the fastest is found by dynamic programming.

Rules: of equal paths that with fewer hops wins, then the one whose names come first. Halves are reckoned to
wait for one mean interval between pairs of the path, and until both ends have heard.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ....emulator.wire import LinkInfo
from ..control import Advert
from ..link_facts import best_fidelity, brightest, facts_of

Metric = Literal["rate", "hops"]


@dataclass(frozen=True)
class Route:
    """A path, and the setting of each of its links.

    Attributes:
        path: the nodes, from the one that asks.
        links: the link of each hop.
        alphas: their bright populations; None for the link's own.
        fidelity: what a pair is expected to have.
        rate_hz: pairs per second of the slowest link, times how often all joins succeed.
        latency_ns: from end to end.
    """

    path: tuple[str, ...]
    links: tuple[str, ...]
    alphas: tuple[float | None, ...]
    fidelity: float
    rate_hz: float
    latency_ns: int


class NoPath(Exception):
    """No path leads there; `best`: the fidelity of what does, where only that is the reason.

    `known`: whether that is so by what is known, and not because there was no answer.
    """

    def __init__(self, best: float | None = None, *, known: bool = True) -> None:
        self.best, self.known = best, known
        super().__init__("no path")


@dataclass
class Graph:
    """Nodes and links that are up at both ends. `adverts`: what each node says of itself."""

    adverts: Mapping[str, Advert]
    links: dict[str, dict[str, LinkInfo]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        up = {
            (name, each.name): each
            for name, advert in self.adverts.items()
            for each in advert.links
            if each.up
        }
        for (name, link), each in sorted(up.items()):
            if (each.peer, link) in up:
                info = LinkInfo(
                    link, each.peer, True, True, 0.0, each.latency_ns, 0, each.heralding
                )
                self.links.setdefault(name, {})[link] = info

    def without(self, avoid: Collection[str]) -> Graph:
        """Without these nodes and links."""
        if not avoid:
            return self
        fewer = Graph({})
        fewer.adverts = self.adverts
        for name, links in self.links.items():
            if name not in avoid:
                fewer.links[name] = {
                    link: info
                    for link, info in links.items()
                    if link not in avoid and info.peer not in avoid
                }
        return fewer

    def distance(self, source: str, target: str) -> float:
        """The fewest hops that lead there; infinite if none do."""
        seen = {source: 0}
        open_ = deque(seen)
        while open_ and target not in seen:
            name = open_.popleft()
            for info in self.links.get(name, {}).values():
                if info.peer not in seen:
                    seen[info.peer] = seen[name] + 1
                    open_.append(info.peer)
        return seen.get(target, math.inf)


def find_route(
    graph: Graph,
    source: str,
    target: str,
    fidelity: float = 0.0,
    metric: Metric = "rate",
    avoid: Collection[str] = (),
) -> Route:
    """The best path at that fidelity. Raises NoPath."""
    graph = graph.without(set(avoid) - {source, target})
    if math.isinf(graph.distance(source, target)):
        raise NoPath
    found: list[Route] = []
    best = 0.0
    for path, links in _candidates(graph, source, target, fidelity):
        route = _settled(graph, path, links, fidelity)
        if route.fidelity >= fidelity and route.rate_hz > 0:
            found.append(route)
        best = max(best, route.fidelity)
    if not found:
        raise NoPath(best)
    if metric == "hops":
        return min(found, key=lambda each: (len(each.path), -each.rate_hz, each.path, each.links))
    return min(found, key=lambda each: (-each.rate_hz, len(each.path), each.path, each.links))


_Way = tuple[tuple[str, ...], tuple[str, ...]]


def _candidates(graph: Graph, source: str, target: str, fidelity: float) -> Iterable[_Way]:
    """For each number of hops the widest path at an equal share; and the most faithful one."""
    ways: dict[_Way, None] = {}
    fewest = graph.distance(source, target)
    for hops in range(1, len(graph.adverts)):
        share = _share(fidelity, hops)
        found = _widest(graph, source, target, hops, share) if hops >= fewest else None
        if found is not None:
            ways[found] = None
        elif share > 1:
            break
    faithful = _most_faithful(graph, source, target)
    if faithful is not None:
        ways[faithful] = None
    return ways


def _share(fidelity: float, hops: int) -> float:
    """The fidelity of each of so many hops that come to `fidelity`, all alike."""
    whole = (4 * fidelity - 1) / 3
    return (1 + 3 * whole ** (1 / hops)) / 4 if whole > 0 else 0.0


def _widest(graph: Graph, source: str, target: str, hops: int, share: float) -> _Way | None:
    """Of the paths with at most so many hops the one whose slowest link is the fastest."""
    widths: dict[str, float] = {source: math.inf}
    ways: dict[str, _Way] = {source: ((source,), ())}
    rates: dict[str, float] = {}
    for _ in range(hops):
        wider, better = dict(widths), dict(ways)
        for name in sorted(widths):
            for link, info in graph.links.get(name, {}).items():
                if link not in rates:
                    rates[link] = _rate(info, share)
                width = min(widths[name], rates[link])
                if width > 0 and width > wider.get(info.peer, 0.0):
                    if info.peer in ways[name][0]:
                        continue
                    wider[info.peer] = width
                    path, links = ways[name]
                    better[info.peer] = (*path, info.peer), (*links, link)
        if wider == widths:
            break
        widths, ways = wider, better
    return ways.get(target)


def _rate(info: LinkInfo, share: float) -> float:
    """Pairs per second of at least that fidelity; links of one fidelity count as they are."""
    heralding = info.heralding
    if heralding is None:
        return 0.0
    if not heralding.alpha or share <= 0.25:
        return facts_of(info).rate_hz
    alpha = brightest(info, share)
    return 0.0 if alpha is None else facts_of(info, alpha).rate_hz


def _most_faithful(graph: Graph, source: str, target: str) -> _Way | None:
    """The path with the largest product of what links and joins leave."""
    costs: dict[str, float] = {source: 0.0}
    ways: dict[str, _Way] = {source: ((source,), ())}
    best: dict[str, float] = {}
    todo = {source}
    done: set[str] = set()
    while todo:
        name = min(todo, key=lambda each: (costs[each], len(ways[each][0]), each))
        todo.remove(name)
        done.add(name)
        join = 0.0 if name == source else _cost(graph.adverts[name].join[1])
        for link, info in graph.links.get(name, {}).items():
            if link not in best:
                best[link] = _cost((4 * best_fidelity(info) - 1) / 3)
            cost = costs[name] + join + best[link]
            if info.peer not in done and cost < costs.get(info.peer, math.inf):
                costs[info.peer] = cost
                path, links = ways[name]
                ways[info.peer] = (*path, info.peer), (*links, link)
                todo.add(info.peer)
    return ways.get(target)


def _cost(left: float) -> float:
    return -math.log(left) if left > 0 else math.inf


def _settled(graph: Graph, path: tuple[str, ...], links: tuple[str, ...], fidelity: float) -> Route:
    """The path with its links set so that it reaches the fidelity, if that can be."""
    infos = [graph.links[name][link] for name, link in zip(path, links, strict=False)]
    latency_ns = sum(info.latency_ns for info in infos)
    joins = math.prod(sum(graph.adverts[name].join) / 3 for name in path[1:-1])
    storage_ns = latency_ns if len(infos) > 1 else 0
    alphas = _alphas(infos, fidelity, joins, storage_ns)
    if len(infos) > 1:  # halves wait for those of the slowest link, which depends on the setting
        slowest = min(facts_of(i, a).rate_hz for i, a in zip(infos, alphas, strict=True))
        if slowest > 0:
            storage_ns = latency_ns + round(1e9 / slowest)
            alphas = _alphas(infos, fidelity, joins, storage_ns)
    facts = [facts_of(i, a, storage_ns) for i, a in zip(infos, alphas, strict=True)]
    if len(facts) == 1:
        expected = facts[0].fidelity
    else:
        expected = (1 + 3 * joins * math.prod((4 * f.fidelity - 1) / 3 for f in facts)) / 4
    succeeds = math.prod(graph.adverts[name].success for name in path[1:-1])
    rate_hz = min(each.rate_hz for each in facts) * succeeds
    return Route(path, links, tuple(alphas), expected, rate_hz, latency_ns)


def _alphas(
    infos: list[LinkInfo], fidelity: float, joins: float, storage_ns: int
) -> list[float | None]:
    """The setting of each link. What links of one fidelity leave is shared among the others."""
    tunable = [info for info in infos if info.heralding is not None and info.heralding.alpha]
    if not tunable or fidelity <= 0.25:
        return [None] * len(infos)
    left = joins * math.prod(
        (4 * facts_of(info, None, storage_ns).fidelity - 1) / 3
        for info in infos
        if info not in tunable
    )
    whole = (4 * fidelity - 1) / 3
    share = min((whole / left) ** (1 / len(tunable)), 1.0) if left > 0 else 1.0
    asked = min((1 + 3 * share) / 4 + 1e-9, 1.0)
    found: list[float | None] = []
    for info in infos:
        if info not in tunable:
            found.append(None)
            continue
        alpha = brightest(info, asked, storage_ns)
        if alpha is None:  # as faithful as it can be
            alpha = brightest(info, best_fidelity(info, storage_ns) - 1e-4, storage_ns)
        found.append(alpha)
    return found
