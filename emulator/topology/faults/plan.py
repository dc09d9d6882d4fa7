"""Entries of `faults:` to single faults: which target, which instant, in which order.

Owns repetition, the choice of targets, the numbering, and that no node is killed while it is dead. Does not
own what is read (fault_entries.py), campaigns (fault_campaign.py) or what happens (faults/).

Rules. The plan is a function of entries, network and seed. The choices of entry n come from the generator
("target", n), occurrence by occurrence: an entry that is added at the end shifts nobody else's. Faults of
one instant happen in the order of the plan: by entry, occurrence, target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ...faults.kinds import FAULT_KINDS
from ...units import format_ns
from ..model.faults import FaultEntry, FaultSpec, RandomFaults, Value
from ..written.positions import Place
from .campaign import draw_campaign
from .fits import Fits
from .targets import Link, Node, chosen, crossing

if TYPE_CHECKING:
    from ...kernel.streams import Streams

#: More single faults than this are a mistake in a unit.
MOST_FAULTS = 100_000

#: (problem, place)
Report = Callable[[str, Place], object]


def _everybody(_verb: str, _target: str, _parameters: Mapping[str, Value]) -> None:
    """Anything can happen to anybody."""


def _suits(fits: Fits, entry: FaultEntry, target: str) -> bool:
    return fits(entry.verb, target, entry.parameters) is None


def plan_faults(
    entries: Sequence[FaultEntry],
    campaign: RandomFaults | None,
    nodes: Mapping[str, Node],
    links: Mapping[str, Link],
    seed: int,
    until_ns: int | None,
    report: Report,
    fits: Fits = _everybody,
) -> list[FaultSpec]:
    """The single faults, in their order. What is wrong is told to `report`, and left out.

    `fits` says why a fault cannot happen to somebody: who is chosen is chosen among the others.
    """
    from ...kernel.streams import Streams  # brings numpy, which a file without faults does not need

    streams = Streams(seed)
    planned: list[FaultSpec] = []
    for number, entry in enumerate(entries):
        name = str(number)
        found = single_faults(entry, name, nodes, links, streams, until_ns, report, fits)
        if len(planned) + len(found) > MOST_FAULTS:
            report(f"more than {MOST_FAULTS} single faults", entry.place)
            break
        planned += found
    if campaign is not None:
        planned += draw_campaign(campaign, planned, nodes, links, streams, report, fits)
    _refuse_equal_names(planned, report)
    _refuse_kills_of_the_dead(planned, report)
    return planned


def single_faults(
    entry: FaultEntry,
    place: str,
    nodes: Mapping[str, Node],
    links: Mapping[str, Link],
    streams: Streams,
    until_ns: int | None,
    report: Report,
    fits: Fits,
) -> list[FaultSpec]:
    """What one entry comes to; `place` names the generator of its choices, and itself if it has no id."""
    kind = FAULT_KINDS[entry.verb]
    wrong = _wrong_node(entry, nodes)
    if wrong is not None:
        problem, key = wrong
        report(problem, entry.place_of(key))
        return []
    rng = streams.of("target", place)
    found: list[tuple[int, str, list[str]]] = []
    for at_ns in _times(entry, until_ns, report):
        if kind.target == "groups":
            groups = entry.target.groups or []
            found.append((at_ns, told_groups(groups), crossing(groups, links)))
            continue
        suits = partial(_suits, fits, entry)
        names = chosen(kind.target, entry.target, nodes, links, rng, suits)
        if not names:
            is_picky = kind.plane == "quantum" or kind.target == "link"
            could = " that it could happen to" if is_picky else ""
            problem = f"{entry.verb}: no {kind.target}{could} fits {_told(entry)}"
            report(problem, entry.place_of(entry.verb))
            return []
        found += [(at_ns, name, []) for name in names]
        if len(found) > MOST_FAULTS:
            report(f"more than {MOST_FAULTS} single faults", entry.place)
            return []
    several, name = len(found) > 1, place if entry.id is None else entry.id
    any_of_them = FaultSpec(
        verb=entry.verb,
        target="",
        at_ns=0,
        for_ns=entry.for_ns,
        parameters=entry.parameters,
        place=entry.place,
        places=entry.places,
    )
    return [
        any_of_them.model_copy(
            update={
                "id": f"{name}.{at}" if several else name,
                "target": target,
                "at_ns": at_ns,
                "members": members,
            }
        )
        for at, (at_ns, target, members) in enumerate(found, 1)
    ]


def _times(entry: FaultEntry, until_ns: int | None, report: Report) -> Iterator[int]:
    if entry.every_ns is None:
        yield entry.at_ns
        return
    end_ns = entry.until_ns or until_ns
    if end_ns is None:
        problem = "'every' needs an end: expected until, here or under time"
        report(problem, entry.place_of("every"))
        return
    if end_ns <= entry.at_ns:
        ends, begins = format_ns(end_ns), format_ns(entry.at_ns)
        place = entry.place_of("until", "at")
        report(f"'every' ends at {ends}, before it begins at {begins}", place)
        return
    count = (end_ns - entry.at_ns - 1) // entry.every_ns + 1
    if count > MOST_FAULTS:
        report(f"{count} times: expected at most {MOST_FAULTS}", entry.place_of("every"))
        return
    for at in range(count):
        yield entry.at_ns + at * entry.every_ns


def _wrong_node(entry: FaultEntry, nodes: Mapping[str, Node]) -> tuple[str, str] | None:
    """What is wrong with a node that an entry names besides its target, and under which key."""
    for name, parameter in FAULT_KINDS[entry.verb].parameters.items():
        node = entry.parameters.get(name)
        if parameter.dimension != "node" or not parameter.words or not isinstance(node, str):
            continue
        if nodes[node].kind not in parameter.words:
            wanted = " or ".join(_a(word) for word in parameter.words)
            found = f"{name} is {node!r}, {_a(nodes[node].kind)}"
            return f"{entry.verb}: {found}; expected {wanted}", name
    return None


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def told_groups(groups: Sequence[Sequence[str]]) -> str:
    """Groups of a partition as one word: `alice,r1|bob`."""
    return "|".join(",".join(group) for group in groups)


def _told(entry: FaultEntry) -> str:
    asked = entry.target.model_dump(exclude_none=True, exclude_defaults=True)
    return ", ".join(f"{key} {value}" for key, value in asked.items()) or "all"


def _refuse_equal_names(planned: Sequence[FaultSpec], report: Report) -> None:
    named: dict[str, FaultSpec] = {}
    for spec in planned:
        if named.setdefault(spec.id, spec) is not spec:
            other = _line(named[spec.id])
            report(f"another fault is called {spec.id!r}{other}", spec.place_of("id"))


# --- kills of the dead ----------------------------------------------------------------------------


def _refuse_kills_of_the_dead(planned: Sequence[FaultSpec], report: Report) -> None:
    """A node can be killed again only after it has restarted."""
    #: Node -> what it is dead by, or was.
    last: dict[str, FaultSpec] = {}
    for spec in sorted((spec for spec in planned if spec.verb in ("kill", "restart")), key=_when):
        before = last.get(spec.target)
        back_ns = None if before is None else _back_ns(before)
        if spec.verb == "restart":
            if before is None or back_ns is None or back_ns <= spec.at_ns:
                last[spec.target] = spec  # else it is being restarted already
        elif before is not None and (back_ns is None or spec.at_ns <= back_ns):
            report(_told_dead(spec, before, back_ns), spec.place)
        else:
            last[spec.target] = spec


def _told_dead(spec: FaultSpec, before: FaultSpec, back_ns: int | None) -> str:
    dies = f"{spec.target!r} is killed at {format_ns(spec.at_ns)}, but "
    killed = f"after the {before.verb} at {format_ns(before.at_ns)}{_line(before)}"
    if back_ns is None:
        return f"{dies}it is dead: {killed} it does not restart"
    return f"{dies}{killed} it is back only at {format_ns(back_ns)}: expected a later time"


def _when(spec: FaultSpec) -> int:
    return spec.at_ns


def _line(spec: FaultSpec) -> str:
    return f" in line {spec.place.line}" if spec.place.line else ""


def _back_ns(spec: FaultSpec) -> int | None:
    """When the node of a kill or restart is alive again, or None."""
    after = spec.parameters.get("after" if spec.verb == "restart" else "restart")
    return spec.at_ns + after if isinstance(after, int) else None
