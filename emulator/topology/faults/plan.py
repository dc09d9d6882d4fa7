"""Entries of `faults:` to single faults: which target, which instant, in which order.

Owns repetition, the choice of targets, the numbering, that no node is killed while it is dead, and a single
entry that comes while a run is under way. Does not own what is read (entries.py), campaigns (campaign.py) or
what happens (faults/).

Rules. The plan is a function of the topology, its seed included. The choices of entry n come from the
generator ("target", n), occurrence by occurrence: an entry that is added at the end shifts no other's. Faults
of one instant happen in the order of the plan: by entry, occurrence, target. What is chosen (`all`, `one`, a
share, a campaign) is among those that the fault can happen to; a name that does not fit is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ...errors import TopologyError
from ...faults.kinds import FAULT_KINDS, FAULTS
from ...units import format_ns
from ..model.faults import FaultEntry, FaultSpec
from ..model.topology import MAX_SEED, NodeSpec, Topology
from ..written.names import shown
from ..written.positions import Position, Written
from ..written.problems import Problems
from .campaign import Report, back_ns, draw_campaign
from .entries import read_entry
from .targets import chosen, crossing

if TYPE_CHECKING:
    import numpy as np

    from ...kernel.streams import Streams

#: More single faults than this are a mistake in a unit.
MOST_FAULTS = 100_000
#: What errors of a live fault name instead of a file.
ENTRY = "<fault>"


def _raise(problem: str, place: Position) -> None:
    raise TopologyError(problem, place.file, place.line, place.column)


def planned(topology: Topology, report: Report = _raise) -> Topology:
    """The topology with the faults that its entries come to with its seed.

    `report` takes what is wrong; without it the first such thing is raised as TopologyError.
    Faults that were put in without an entry (by tests, by a replay) stay if there is no entry.
    """
    if not topology.fault_entries and topology.campaign is None:
        return topology
    faults = _plan(topology, report)
    _report_misfits(topology, faults, report)
    return topology.model_copy(update={"faults": faults})


def with_seed(topology: Topology, seed: int) -> Topology:
    """The same topology with another seed. Raises TopologyError unless 0 <= seed < 2**63."""
    if isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        problem = f"a seed is a whole number from 0 to {MAX_SEED}, not {seed}"
        raise topology.error(problem, "seed")
    return planned(topology.model_copy(update={"seed": seed}))


def with_until(topology: Topology, until_ns: int) -> Topology:
    """The same topology, ending at `until_ns`. Raises TopologyError as `planned` does."""
    time = topology.time.model_copy(update={"until_ns": until_ns})
    return planned(topology.model_copy(update={"time": time}))


def read_live_faults(text: str, topology: Topology, name: str) -> list[FaultSpec]:
    """The single faults of an entry such as `{cut: alice-bob, for: 1 s}` for a run under way; at least one.

    `name`: what names the generator of its choices. Raises TopologyError with line and column in the entry.
    """
    from ...kernel.streams import Streams
    from ..written.document import read_document  # no run needs YAML until such a fault comes

    problems = Problems(ENTRY)
    root = read_document(text, problems) if text.strip() else Written(None)
    if not isinstance(root.value, dict):
        example = "a mapping such as {cut: alice-bob, for: 1 s}"
        raise TopologyError(f"expected {example}, found {shown(root.plain())}", ENTRY, 1, 1)
    names = {"node": list(topology.nodes), "link": list(topology.links)}
    entry = read_entry(root, names, problems, (), live=True)
    problems.raise_first()
    assert entry is not None, "an entry that is not valid has a problem"
    found = _single_faults(topology, entry, name, Streams(topology.seed), problems.add)
    _report_misfits(topology, found, problems.add)
    problems.raise_first()
    return found


def _plan(topology: Topology, report: Report) -> list[FaultSpec]:
    """The single faults, in their order. What is wrong goes to `report`, and is left out."""
    from ...kernel.streams import Streams  # brings numpy, which a file without faults does not need

    streams = Streams(topology.seed)
    faults: list[FaultSpec] = []
    for number, entry in enumerate(topology.fault_entries):
        found = _single_faults(topology, entry, str(number), streams, report)
        if len(faults) + len(found) > MOST_FAULTS:
            report(f"more than {MOST_FAULTS} single faults", entry.place)
            break
        faults += found
    if topology.campaign is not None:
        faults += draw_campaign(topology, topology.campaign, faults, streams, report)
    _refuse_equal_names(faults, report)
    _refuse_kills_of_the_dead(faults, report)
    return faults


def _report_misfits(topology: Topology, faults: Sequence[FaultSpec], report: Report) -> None:
    """Once for all faults of an entry that a value does not fit."""
    wrong = (FAULTS[spec.verb].wrong_with(topology, spec) for spec in faults)
    for problem in dict.fromkeys(wrong):
        if problem is not None:
            report(*problem)


def _single_faults(
    topology: Topology, entry: FaultEntry, place: str, streams: Streams, report: Report
) -> list[FaultSpec]:
    """What one entry comes to; `place` names the generator of its choices, and itself if it has no id."""
    found = _occurrences(topology, entry, streams.of("target", place), report)
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


def _occurrences(
    topology: Topology, entry: FaultEntry, rng: np.random.Generator, report: Report
) -> list[tuple[int, str, list[str]]]:
    """When and to what it happens, with the links that a partition cuts; nothing if something is wrong."""
    kind, misfit = FAULT_KINDS[entry.verb], FAULTS[entry.verb].misfit
    wrong = _wrong_node(entry, topology.nodes)
    if wrong is not None:
        problem, key = wrong
        report(problem, entry.place_of(key))
        return []

    def suits(name: str) -> bool:
        return misfit(topology, name, entry.parameters) is None

    found: list[tuple[int, str, list[str]]] = []
    for at_ns in _times(entry, topology.time.until_ns, report):
        if kind.target == "groups":
            groups = entry.target.groups or []
            found.append((at_ns, "|".join(map(",".join, groups)), crossing(groups, topology.links)))
            continue
        names = chosen(kind.target, entry.target, topology, rng, suits)
        if not names:
            is_picky = kind.plane == "quantum" or kind.target == "link"
            could = " that it could happen to" if is_picky else ""
            problem = f"{entry.verb}: no {kind.target}{could} fits {_target_text(entry)}"
            report(problem, entry.place_of(entry.verb))
            return []
        found += [(at_ns, name, []) for name in names]
        if len(found) > MOST_FAULTS:
            report(f"more than {MOST_FAULTS} single faults", entry.place)
            return []
    return found


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


def _wrong_node(entry: FaultEntry, nodes: Mapping[str, NodeSpec]) -> tuple[str, str] | None:
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


def _target_text(entry: FaultEntry) -> str:
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
        alive_ns = None if before is None else back_ns(before)
        if spec.verb == "restart":
            if before is None or alive_ns is None or alive_ns <= spec.at_ns:
                last[spec.target] = spec  # else it is being restarted already
        elif before is not None and (alive_ns is None or spec.at_ns <= alive_ns):
            report(_dead_text(spec, before, alive_ns), spec.place)
        else:
            last[spec.target] = spec


def _dead_text(spec: FaultSpec, before: FaultSpec, alive_ns: int | None) -> str:
    dies = f"{spec.target!r} is killed at {format_ns(spec.at_ns)}, but "
    killed = f"after the {before.verb} at {format_ns(before.at_ns)}{_line(before)}"
    if alive_ns is None:
        return f"{dies}it is dead: {killed} it does not restart"
    return f"{dies}{killed} it is back only at {format_ns(alive_ns)}: expected a later time"


def _when(spec: FaultSpec) -> int:
    return spec.at_ns


def _line(spec: FaultSpec) -> str:
    return f" in line {spec.place.line}" if spec.place.line else ""
