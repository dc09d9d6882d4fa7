"""Paths: the fastest one that reaches a fidelity, and what there is where none does."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from qnetem.agents.network.control import Advert, LinkState
from qnetem.agents.network.routes.routing import Graph, NoPath, Route, find_route
from qnetem.emulator.wire import Heralding

FOREVER = ((0, 0), (0, 0))


def link(success: float, fidelity: float, memory: tuple[int, int] = (0, 0)) -> Heralding:
    """A simple link: 100 us an attempt, and Werner pairs."""
    w = (4 * fidelity - 1) / 3
    pair = (1 + w) / 4, (1 - w) / 4, (1 - w) / 4, (1 + w) / 4, w / 2
    return Heralding(100_000, (100_000,) * 2, (100_000,) * 2, success, pair, (memory, memory))


def bright(detection: float) -> Heralding:
    """A single-click link without dark counts; both bright clicks with 2 p - p^2."""
    both = 2 * detection - detection**2
    clicks = (0.0, detection, detection, both, detection)
    return Heralding(
        100_000, (100_000,) * 2, (100_000,) * 2, 0.1, (0.5, 0, 0, 0.5, 0.5), FOREVER, 1, 0.1, clicks
    )  # fmt: skip


def graph(
    links: Mapping[str, Heralding],
    down: tuple[str, ...] = (),
    join: tuple[float, float, float] = (1.0, 1.0, 1.0),
    slots: int = 4,
    success: float = 1.0,
) -> Graph:
    """Of links `a-b`. A link in `down` is up at its first end only."""
    adverts = {}
    names = sorted({name for each in links for name in each.split("-")})
    for name in names:
        states = []
        for each, heralding in links.items():
            ends = each.split("-")
            if name in ends:
                peer = ends[1 - ends.index(name)]
                up = each not in down or name == ends[0]
                states.append(LinkState(each, peer, up, 100_000, heralding))
        adverts[name] = Advert(name, 1, 1, slots, join, success, states)
    return Graph(adverts)


def test_the_fastest_path_is_taken_or_the_shortest() -> None:
    links = {
        "a-d": link(0.01, 0.95),
        "a-b": link(0.5, 1.0),
        "b-c": link(0.4, 1.0),
        "c-d": link(0.3, 1.0),
    }
    route = find_route(graph(links), "a", "d")
    assert route.path == ("a", "b", "c", "d")
    assert route.links == ("a-b", "b-c", "c-d")
    assert route.rate_hz == pytest.approx(3000)
    assert route.latency_ns == 300_000
    assert find_route(graph(links), "a", "d", metric="hops").path == ("a", "d")


def test_a_slower_path_is_taken_where_the_fastest_is_not_faithful_enough() -> None:
    links = {"a-d": link(0.01, 0.95), "a-b": link(0.5, 0.95), "b-d": link(0.5, 0.95)}
    assert find_route(graph(links), "a", "d", 0.9).path == ("a", "b", "d")
    assert find_route(graph(links), "a", "d", 0.92).path == ("a", "d")
    with pytest.raises(NoPath) as caught:
        find_route(graph(links), "a", "d", 0.96)
    assert caught.value.best == pytest.approx(0.95)


def test_what_joins_cost_counts() -> None:
    links = {"a-b": link(0.5, 0.95), "b-c": link(0.5, 0.95)}
    w = (4 * 0.95 - 1) / 3
    plain, noisy = graph(links), graph(links, join=(0.9, 0.9, 0.81))
    assert find_route(plain, "a", "c").fidelity == pytest.approx((1 + 3 * w * w) / 4)
    worse = (1 + 3 * w * w * (0.9 + 0.9 + 0.81) / 3) / 4
    assert find_route(noisy, "a", "c").fidelity == pytest.approx(worse)


def test_joins_that_fail_make_a_path_slower() -> None:
    links = {"a-c": link(0.2, 1.0), "a-b": link(0.3, 1.0), "b-c": link(0.3, 1.0)}
    assert find_route(graph(links), "a", "c").rate_hz == pytest.approx(3000)
    assert find_route(graph(links, success=0.5), "a", "c").path == ("a", "c")


def test_waiting_in_memories_counts() -> None:
    memory = (0, 50_000_000)
    route = find_route(
        graph({"a-b": link(0.1, 1.0, memory), "b-c": link(0.1, 1.0, memory)}), "a", "c"
    )
    # Each half is kept for 100 us until the herald, one mean wait of 1 ms and the way of 200 us.
    kept = math.exp(-2 * 1.3 / 50) ** 2
    assert route.fidelity == pytest.approx((1 + 1 + 2 * kept) / 4, abs=2e-3)


def test_tunable_links_are_set_to_what_all_of_them_need() -> None:
    links = {"a-b": bright(0.2), "b-c": bright(0.1), "c-d": link(0.5, 0.98)}
    faint, dim = (find_route(graph(links), "a", "d", fidelity) for fidelity in (0.8, 0.6))
    for route, fidelity in ((faint, 0.8), (dim, 0.6)):
        assert route.fidelity == pytest.approx(fidelity, abs=2e-3)
        assert route.fidelity >= fidelity
        assert route.alphas[2] is None
    assert dim.rate_hz > faint.rate_hz
    assert all(a < b for a, b in zip(faint.alphas[:2], dim.alphas[:2], strict=True))  # type: ignore[operator]


def test_links_that_are_down_at_one_end_and_nodes_with_one_slot_are_no_way() -> None:
    links = {
        "a-b": link(0.5, 1.0),
        "b-c": link(0.5, 1.0),
        "a-d": link(0.1, 1.0),
        "d-c": link(0.1, 1.0),
    }
    assert find_route(graph(links), "a", "c").path == ("a", "b", "c")
    assert find_route(graph(links, down=("b-c",)), "a", "c").path == ("a", "d", "c")
    assert find_route(graph(links), "a", "c", avoid=["b"]).path == ("a", "d", "c")
    with pytest.raises(NoPath) as caught:
        find_route(graph(links, down=("b-c", "a-d")), "a", "c")
    assert caught.value.best is None


def test_equal_paths_are_decided_by_their_names() -> None:
    links = {f"a-{middle}": link(0.5, 1.0) for middle in "xyz"}
    links |= {f"{middle}-e": link(0.5, 1.0) for middle in "zyx"}
    routes = [
        find_route(graph(dict(order)), "a", "e")
        for order in (links.items(), reversed(links.items()))
    ]
    assert {route.path for route in routes} == {("a", "x", "e")}
    assert isinstance(routes[0], Route)
