"""What a fault happens to: as written, and which nodes and links that is.

Owns the forms of a target (`alice`, `[alice, bob]`, `all`, `one`, `50 %`, `{kind: repeater, pick: one}`, the
groups of a partition), and choosing among those that fit. Does not own when (plan.py).

Rules: a name goes before a word, so that a node called `one` is itself. Choices are made among names in
alphabetical order, with one draw each: the order in the file makes no difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from ...errors import UnitError
from ...faults.base import Aim
from ..model.faults import Pick, Target
from ..model.kinds import KINDS
from ..model.quantities import Quantity
from ..written.names import nearest, shown
from ..written.positions import Written

if TYPE_CHECKING:
    import numpy as np

    from ..model.topology import LinkSpec, Topology

_SHARE = Quantity("probability", high=1.0, above=True)
_SELECTORS: dict[Aim, tuple[str, ...]] = {
    "node": ("kind", "name", "pick"),
    "link": ("name", "node", "pick"),
    "either": ("pick",),
    "groups": (),
}
_EXAMPLE = {
    "node": "a node, a list of them, all, one, a share such as 50 %, or {kind: repeater, pick: one}",
    "link": "a link, a list of them, all, one, a share such as 50 %, or {node: r1, pick: one}",
    "either": "a node or a link, or a list of them",
    "groups": "groups of nodes such as [[alice, r1], [bob]]",
}


class BadTarget(Exception):
    """What is wrong with a target, and with which part of it (a path below the target).

    `key`: it is the last key of the path that is wrong, not what stands behind it.
    """

    def __init__(self, problem: str, *path: str | int, key: bool = False) -> None:
        self.problem, self.path, self.key = problem, path, key
        super().__init__(problem)


def read_target(aim: Aim, entry: Written, names: Mapping[str, Sequence[str]]) -> Target:
    """The target that stands there. `names`: those that exist, by "node" and "link". Raises BadTarget."""
    value = entry.plain()
    known = [*names["node"], *names["link"]] if aim == "either" else list(names.get(aim, ()))
    if aim == "groups":
        return Target(groups=_groups(value, names["node"]))
    if isinstance(value, dict):
        return _selector(aim, value, names)
    if isinstance(value, list):
        if not value:
            raise BadTarget(f"expected {_EXAMPLE[aim]}, found an empty list")
        return Target(names=[_known(aim, name, known, at) for at, name in enumerate(value)])
    if isinstance(value, str) and value in known:
        return Target(names=[value])
    pick = None if aim == "either" else _pick(value)
    if pick is not None:
        return Target(pick=pick)
    return Target(names=[_known(aim, value, known)])


def _known(aim: Aim, name: object, known: Sequence[str], *path: int) -> str:
    what = "node or link" if aim == "either" else aim
    if not isinstance(name, str):
        raise BadTarget(f"expected {_EXAMPLE[aim]}, found {shown(name)}", *path)
    if name not in known:
        raise BadTarget(f"unknown {what} {shown(name)}{nearest(name, known)}", *path)
    return name


def _pick(value: object, *path: str) -> Pick | None:
    """`all`, `one`, or a share; None for what is none of them. Raises BadTarget for a bad share."""
    if value in ("all", "one"):
        return "all" if value == "all" else "one"
    is_share = isinstance(value, str) and value.rstrip().endswith("%")
    if not is_share and (isinstance(value, bool) or not isinstance(value, (int, float))):
        return None
    try:
        share = _SHARE.read(value)
    except UnitError as error:
        raise BadTarget(f"a share of those that fit: {error}", *path) from error
    return float(share or 0.0)


def _selector(aim: Aim, value: dict[str, Any], names: Mapping[str, Sequence[str]]) -> Target:
    allowed = _SELECTORS[aim]
    if not value:
        raise BadTarget(f"expected {_EXAMPLE[aim]}, found an empty mapping")
    for key in value:
        if key not in allowed:
            problem = f"unknown key {shown(key)} for a {aim}{nearest(key, allowed)}"
            raise BadTarget(problem, key, key=True)
    kind, pattern, node = value.get("kind"), value.get("name"), value.get("node")
    for what, found, known in (("kind", kind, list(KINDS)), ("node", node, names["node"])):
        if what in value and not isinstance(found, str):
            raise BadTarget(f"expected one of {', '.join(known)}; found {shown(found)}", what)
        if isinstance(found, str) and found not in known:
            raise BadTarget(f"unknown {what} {shown(found)}{nearest(found, known)}", what)
    if "name" in value and not isinstance(pattern, str):
        raise BadTarget(f"expected a pattern such as 'r*', found {shown(pattern)}", "name")
    pick = _pick(value.get("pick", "all"), "pick")
    if pick is None:
        problem = f"expected all, one or a share such as 50 %, found {shown(value['pick'])}"
        raise BadTarget(problem, "pick")
    return Target(kind=kind, name=pattern, node=node, pick=pick)


def _a_list(value: object) -> str:
    return "an empty list" if value == [] else shown(value)


def _groups(value: object, nodes: Sequence[str]) -> list[list[str]]:
    if not isinstance(value, list) or not value:
        raise BadTarget(f"expected {_EXAMPLE['groups']}, found {_a_list(value)}")
    groups: list[list[str]] = []
    seen: dict[str, None] = {}
    for at, group in enumerate(value):
        if group == []:
            raise BadTarget(f"expected {_EXAMPLE['groups']}, found an empty group", at)
        members = group if isinstance(group, list) else [group]
        for place, name in enumerate(members):
            path = (at, place) if isinstance(group, list) else (at,)
            _known("node", name, nodes, *path)
            if name in seen:
                raise BadTarget(f"{shown(name)} stands twice", *path)
            seen[name] = None
        groups.append(members)
    if len(groups) == 1 and len(seen) == len(nodes):
        raise BadTarget("one group of all nodes is no partition: expected at least two sides")
    return groups


# --- what that is ----------------------------------------------------------------------------------


def chosen(
    aim: Literal["node", "link", "either"],
    target: Target,
    topology: Topology,
    rng: np.random.Generator,
    suits: Callable[[str], bool],
) -> list[str]:
    """The names that a target comes to, in alphabetical order if they were not named; may be empty.

    `suits`: whether it can happen to that one at all; what is named is taken all the same.
    """
    if target.names is not None:
        return list(dict.fromkeys(target.names))
    fitting = sorted(filter(suits, _fitting(aim, target, topology)))
    if target.pick == "all" or not fitting:
        return fitting
    if target.pick == "one":
        return [fitting[int(rng.random() * len(fitting))]]
    count = math.ceil(float(target.pick) * len(fitting) - 1e-9)
    places = rng.permutation(len(fitting))[:count]
    return [fitting[place] for place in sorted(places)]


def _fitting(aim: Aim, target: Target, topology: Topology) -> list[str]:
    pattern = target.name or "*"
    if aim == "node":
        return [
            name
            for name, node in topology.nodes.items()
            if target.kind in (None, node.kind) and fnmatchcase(name, pattern)
        ]
    return [
        name
        for name, link in topology.links.items()
        if (target.node is None or target.node in link.ends) and fnmatchcase(name, pattern)
    ]


def crossing(groups: Sequence[Sequence[str]], links: Mapping[str, LinkSpec]) -> list[str]:
    """The links between nodes of different groups; nodes in none of them are in one more."""
    side = {name: at for at, group in enumerate(groups) for name in group}
    rest = len(groups)
    return sorted(
        name
        for name, link in links.items()
        if side.get(link.ends[0], rest) != side.get(link.ends[1], rest)
    )
