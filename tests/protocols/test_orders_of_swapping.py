"""Orders of swapping: each path is joined whole, in the order that its name says."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from qnetem.agents.protocols.swap_orders import SwapRule, swap_rules
from qnetem.emulator.errors import InputError

ORDERS: list[Any] = ["asap", "sequential", "nested"]


def path(hops: int) -> list[str]:
    return [f"n{number}" for number in range(hops + 1)]


def test_as_soon_as_possible_asks_for_the_neighbours_alone() -> None:
    assert swap_rules(path(3), "asap") == {
        "n1": SwapRule("n0", "n2", 0),
        "n2": SwapRule("n1", "n3", 0),
    }


def test_sequential_joins_extend_one_pair_from_the_first_node() -> None:
    assert swap_rules(path(4), "sequential") == {
        "n1": SwapRule("n0", "n2", 0),
        "n2": SwapRule("n0", "n3", 1),
        "n3": SwapRule("n0", "n4", 2),
    }


def test_nested_joins_double_the_distance() -> None:
    assert swap_rules(path(8), "nested") == {
        "n1": SwapRule("n0", "n2", 0),
        "n2": SwapRule("n0", "n4", 1),
        "n3": SwapRule("n2", "n4", 0),
        "n4": SwapRule("n0", "n8", 2),
        "n5": SwapRule("n4", "n6", 0),
        "n6": SwapRule("n4", "n8", 1),
        "n7": SwapRule("n6", "n8", 0),
    }


@pytest.mark.parametrize("hops", range(1, 20))
@pytest.mark.parametrize("order", ["sequential", "nested"])
def test_joins_in_the_order_of_their_levels_make_one_pair_of_the_path(
    order: Any, hops: int
) -> None:
    """Whatever the number of hops: each repeater finds the pairs that its rule names, once."""
    nodes = path(hops)
    pairs = set(pairwise(nodes))
    rules = swap_rules(nodes, order)
    assert list(rules) == nodes[1:-1]
    for name, rule in sorted(rules.items(), key=lambda item: item[1].level):
        pairs -= {(rule.left, name), (name, rule.right)}
        pairs.add((rule.left, rule.right))
    assert pairs == {(nodes[0], nodes[-1])}
    if order == "nested":
        most = max((rule.level for rule in rules.values()), default=-1) + 1
        assert most == (hops - 1).bit_length()


@pytest.mark.parametrize("nodes", [[], ["a"], ["a", "b", "a"]])
@pytest.mark.parametrize("order", ORDERS)
def test_what_is_no_path_is_refused(order: Any, nodes: list[str]) -> None:
    with pytest.raises(InputError, match="path"):
        swap_rules(nodes, order)


def test_an_unknown_order_is_refused() -> None:
    wrong: Any = "random"
    with pytest.raises(InputError, match="asap, sequential or nested"):
        swap_rules(path(2), wrong)
