"""Which way a message goes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from qnetem.emulator.classical.routes import Routes
from qnetem.emulator.topology.model.topology import LinkSpec

from ...harness import heralding, link


def routes(*links: LinkSpec) -> Routes:
    return Routes({each.name: each for each in links})


def path(table: Routes, source: str, destination: str) -> list[str]:
    """The names of the links on the way."""
    found, at = [], source
    while at != destination:
        step = table.next_link(at, destination)
        assert step is not None
        found.append(step.name)
        at = step.other_end(at)
    return found


def test_the_least_latency_wins_over_fewest_hops() -> None:
    table = routes(link("a", "c", 100), link("a", "b", 40), link("b", "c", 40))
    assert path(table, "a", "c") == ["a-b", "b-c"]
    assert table.latency_ns("a", "c") == 80


def test_of_equal_latencies_the_fewest_hops_win() -> None:
    table = routes(link("a", "b", 40), link("b", "c", 40), link("a", "c", 80))
    assert path(table, "a", "c") == ["a-c"]


def test_of_equal_paths_the_first_link_by_name_wins_wherever_the_file_put_it() -> None:
    links = [link("a", "x", 1), link("x", "b", 1), link("a", "y", 1), link("y", "b", 1)]
    for order in itertools.permutations(links):
        assert path(routes(*order), "a", "b") == ["a-x", "x-b"]


def test_of_two_links_between_the_same_nodes_the_faster_then_the_first_by_name_wins() -> None:
    assert path(routes(link("a", "b", 2), link("a", "b", 1, name="z")), "a", "b") == ["z"]
    assert path(routes(link("a", "b", 1, name="z"), link("a", "b", 1, name="y")), "a", "b") == ["y"]


def test_a_link_that_is_down_is_avoided_until_it_is_up_again() -> None:
    table = routes(link("a", "b", 1), link("a", "c", 5), link("c", "b", 5))
    table.set_down("a-b", True)
    assert path(table, "a", "b") == ["a-c", "c-b"]
    table.set_down("a-b", False)
    assert path(table, "a", "b") == ["a-b"]


def test_without_a_path_there_is_no_next_link() -> None:
    table = routes(link("a", "b", 1), link("c", "d", 1))
    assert table.next_link("a", "c") is None
    assert table.latency_ns("a", "c") is None
    assert table.next_link("a", "stranger") is None


def test_a_link_without_a_classical_side_carries_nothing() -> None:
    table = routes(link("a", "b", None, entangle=heralding()))
    assert table.next_link("a", "b") is None


def test_no_latency_at_all_makes_no_endless_way() -> None:
    table = routes(link("a", "b", 0), link("b", "c", 0), link("a", "c", 0))
    assert path(table, "a", "c") == ["a-c"]
    assert table.latency_ns("a", "b") == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)).filter(
            lambda ends: ends[0] < ends[1]
        ),
        unique_by=lambda ends: ends[:2],
        min_size=1,
    )
)
def test_every_path_is_the_cheapest(edges: list[tuple[int, int, int]]) -> None:
    table = routes(*(link(f"n{a}", f"n{b}", latency) for a, b, latency in edges))
    cost = {(a, b): 0.0 if a == b else float("inf") for a in range(5) for b in range(5)}
    for a, b, latency in edges:
        cost[a, b] = cost[b, a] = min(cost[a, b], latency)
    for via, a, b in itertools.product(range(5), repeat=3):
        cost[a, b] = min(cost[a, b], cost[a, via] + cost[via, b])
    for (a, b), wanted in cost.items():
        found = table.latency_ns(f"n{a}", f"n{b}")
        assert (float("inf") if found is None else found) == wanted
