from __future__ import annotations

import itertools
import random

from qnetem.agents.keys.relays.routing import Advert, Map, disjoint


def both_ways(costs: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return costs | {(b, a): cost for (a, b), cost in costs.items()}


def test_two_paths_are_found_where_the_shortest_one_lies_in_the_way_of_any_other() -> None:
    costs = {("s", "a"): 1, ("a", "b"): 1, ("b", "t"): 1, ("s", "b"): 5, ("a", "t"): 5}
    assert disjoint(both_ways(costs), "s", "t", 1) == [["s", "a", "b", "t"]]
    assert disjoint(both_ways(costs), "s", "t", 2) == [["s", "a", "t"], ["s", "b", "t"]]
    assert disjoint(both_ways(costs), "s", "t", 3) == []


def test_paths_are_the_cheapest_disjoint_ones_of_all() -> None:
    draw = random.Random(1)
    nodes = "sabcdt"
    for _ in range(40):
        costs = both_ways(
            {
                pair: draw.randint(1, 9)
                for pair in itertools.combinations(nodes, 2)
                if draw.random() < 0.6
            }
        )
        simple = [
            ["s", *inner, "t"]
            for count in range(5)
            for inner in itertools.permutations("abcd", count)
            if all(hop in costs for hop in itertools.pairwise(["s", *inner, "t"]))
        ]

        def cost(*paths: list[str], costs: dict[tuple[str, str], int] = costs) -> int:
            return sum(costs[hop] for path in paths for hop in itertools.pairwise(path))

        pairs = [
            (one, other)
            for one, other in itertools.combinations(simple, 2)
            if not {*one[1:-1]} & {*other[1:-1]}
        ]
        one_path, two_paths = disjoint(costs, "s", "t", 1), disjoint(costs, "s", "t", 2)
        assert bool(one_path) == bool(simple)
        assert bool(two_paths) == bool(pairs)
        if simple:
            assert cost(*one_path) == min(map(cost, simple))
        if pairs:
            assert cost(*two_paths) == min(cost(*pair) for pair in pairs)


def a_map(*links: tuple[str, str, int]) -> Map:
    """A map of links with so many bits in stock."""
    found = Map()
    for node in sorted({end for one, other, _ in links for end in (one, other)}):
        stocks = {
            (other if one == node else one): (bits, 0)
            for one, other, bits in links
            if node in (one, other)
        }
        assert found.learn(Advert(node, 1, 1, stocks))
    return found


def test_stock_decides_between_paths_and_a_link_with_too_little_is_not_taken() -> None:
    found = a_map(("s", "a", 9000), ("a", "t", 9000), ("s", "b", 90_000), ("b", "t", 90_000))
    assert found.paths("s", "t", 1000, 1, 0) == [["s", "b", "t"]]
    assert found.paths("s", "t", 1000, 2, 0) == [["s", "b", "t"], ["s", "a", "t"]]
    assert found.paths("s", "t", 10_000, 2, 0) == []
    assert found.paths("s", "t", 100_000, 1, 0) == []


def test_a_link_that_failed_is_avoided_until_an_end_has_it_or_time_is_over() -> None:
    found = a_map(("s", "a", 9000), ("a", "t", 9000))
    found.suspect("a", "s", 100)
    assert found.paths("s", "t", 1000, 1, 99) == []
    assert found.paths("s", "t", 1000, 1, 100) == [["s", "a", "t"]]
    assert not found.learn(Advert("a", 1, 1, {"s": (9000, 0), "t": (9000, 0)})), "known already"
    assert found.paths("s", "t", 1000, 1, 99) == []
    assert found.learn(Advert("a", 2, 1, {"s": (9000, 0), "t": (9000, 0)})), "of a restarted node"
    assert found.paths("s", "t", 1000, 1, 99) == [["s", "a", "t"]]


def test_a_link_is_there_when_both_its_ends_say_so() -> None:
    found = a_map(("s", "a", 9000), ("a", "t", 9000))
    assert found.learn(Advert("a", 1, 2, {"t": (9000, 0)}))
    assert found.stock("s", "a") is None
    assert found.paths("s", "t", 1000, 1, 0) == []
