"""In which order the repeaters of a path join their pairs.

Owns, for each order, which nodes a repeater's two pairs must reach before it joins them. Pure functions on
the names along a path; does not own how a repeater hears of what its pairs reach (protocols/swapping.py),
nor the join.

- `asap`: as soon as a repeater has a pair with either neighbour.
- `sequential`: one after the other, from the first node of the path to the last.
- `nested`: joins double the distance. A stretch of hops is joined in its middle, once both of its halves are
  pairs; of an odd number of hops the left half is the shorter one. Briegel, Duer, Cirac, Zoller, PRL 81, 5932
  (1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ...emulator.errors import InputError

SwapOrder = Literal["asap", "sequential", "nested"]


@dataclass(frozen=True)
class SwapRule:
    """A repeater joins once its pairs reach `left` and `right`.

    `level`: how many joins must have come one after the other before this one; those of one level are made
    side by side.
    """

    left: str
    right: str
    level: int


def swap_rules(path: Sequence[str], order: SwapOrder) -> dict[str, SwapRule]:
    """The rule of each repeater of `path`, in the order of the path; its first and last node have none.

    Raises InputError for a path of fewer than two nodes, one that meets a node twice, and an unknown order.
    """
    if len(path) < 2 or len(set(path)) < len(path):
        raise InputError(f"a path is two different nodes or more, not {list(path)}")
    if order == "asap":
        rules = {
            name: SwapRule(before, after, 0)
            for before, name, after in zip(path, path[1:], path[2:], strict=False)
        }
    elif order == "sequential":
        rules = {
            name: SwapRule(path[0], after, level)
            for level, (name, after) in enumerate(pairwise(path[1:]))
        }
    elif order == "nested":
        rules = {}
        _halve(path, 0, len(path) - 1, rules)
    else:
        raise InputError(f"{order!r} is no order of swapping: asap, sequential or nested")
    return {name: rules[name] for name in path[1:-1]}


def _halve(path: Sequence[str], first: int, last: int, rules: dict[str, SwapRule]) -> int:
    """Fill in the rules between two places of the path; how many levels of joins a pair there takes."""
    if last - first < 2:
        return 0
    middle = (first + last) // 2
    level = max(_halve(path, first, middle, rules), _halve(path, middle, last, rules))
    rules[path[middle]] = SwapRule(path[first], path[last], level)
    return level + 1
