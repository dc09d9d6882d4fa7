"""Reach: which keys an eavesdropper knows who has compromised nodes, from the record of a run that is over.

Owns what follows from a `compromise`, and its lines for people. Does not own the fault
(emulator/faults/kinds/nodes/compromise.py), nor audit trails (agents/keys/audit.py).

Rules. From the instant of its compromise a node hides nothing: keys in its store then, keys that come to it
later, and each share of a relayed block that it passes on. A relayed block is known when all its shares are,
each by a node on its own path; a key is known when a block that it was cut from is, or when a site delivers
it that was compromised before. What a node had passed on or delivered before is gone from it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from ..runs.events import Event, read_events
from ..runs.recorded import RecordedRun
from .listing import SiteKeys


@dataclass(frozen=True)
class KeyReach:
    """A key that was delivered at a site. `known_by`: why it is known; "" if it is not."""

    key: str
    site: str
    to: str
    bits: int
    known_by: str


@dataclass
class Reach:
    """What compromised nodes (with the instants, in ns) give away.

    `passed`: relayed blocks -> compromised nodes that passed a share of it; `known`: those that are known.
    """

    compromised: dict[str, int]
    passed: dict[str, list[str]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    keys: list[KeyReach] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "compromised": [
                {"node": node, "t_ns": t_ns} for node, t_ns in self.compromised.items()
            ],
            "blocks": [
                {"block": block, "passed": nodes, "known": block in self.known}
                for block, nodes in sorted(self.passed.items())
            ],
            "keys": [
                {"key": key.key, "site": key.site, "to": key.to, "known_by": key.known_by}
                for key in self.keys
            ],
        }

    def lines(self) -> list[str]:
        """For people."""
        if not self.compromised:
            return []
        found = [f"compromised: {node}, {t / 1e9:g} s" for node, t in self.compromised.items()]
        for block, nodes in sorted(self.passed.items()):
            state = "known" if block in self.known else "not known: another path was not passed"
            found.append(f"block {block}: passed {', '.join(nodes)}; {state}")
        of: dict[tuple[str, str], list[KeyReach]] = defaultdict(list)
        for key in self.keys:
            of[key.site, key.to].append(key)
        for (site, to), keys in sorted(of.items()):
            known = sum(bool(key.known_by) for key in keys)
            found.append(f"keys of {to} at {site}: {known} of {len(keys)} known")
        return found


def reach_of(run: RecordedRun, sites: list[SiteKeys]) -> Reach:
    """The reach of all compromises of a run. Raises InputError for one that kept no journal."""
    events = read_events(run.path)
    found = Reach(_compromised(events))
    if found.compromised:
        _find_blocks(found, events)
        epoch_ns = run.resolved().time.epoch_ns
        for site in sites:
            _find_keys(found, site, epoch_ns)
        _spread(found)
    return found


def _compromised(events: list[Event]) -> dict[str, int]:
    """Node -> when, the first time."""
    found: dict[str, int] = {}
    for event in events:
        if (event.entity, event.kind) == ("faults", "begin") and event.fields[1] == "compromise":
            found.setdefault(str(event.fields[2]), event.t_ns)
    return found


def _find_blocks(reach: Reach, events: list[Event]) -> None:
    """Which relayed blocks compromised nodes have passed on, and which they give away."""
    passed: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    shares: dict[str, int] = {}
    for event in events:
        if event.kind != "note":
            continue
        name, value = event.fields
        word = str(name).rpartition(".")[2]
        if word == "passes" and reach.compromised.get(event.entity, 1 << 63) <= event.t_ns:
            passed[value["block"]][value["share"]].append(event.entity)
        elif word == "relayed":
            shares[value["block"]] = len(value["paths"])
    for block, by_share in passed.items():
        if block in shares:  # else it was given up, and no key is made of it
            reach.passed[block] = sorted({node for nodes in by_share.values() for node in nodes})
            if len(by_share) == shares[block]:
                reach.known.add(block)


def _find_keys(reach: Reach, site: SiteKeys, epoch_ns: int) -> None:
    since = reach.compromised.get(site.site)
    for entry in site.entries:
        if entry.what != "delivered":
            continue
        facts = entry.facts
        #: The store puts the run's tag before a block's id.
        blocks = [str(block).partition("/")[2] for block, _, _ in facts["blocks"]]
        why = ""
        if since is not None and entry.t_ns - epoch_ns >= since:
            why = f"{site.site} was compromised"
        elif known := [block for block in blocks if block in reach.known]:
            why = f"block {known[0]}"
        reach.keys.append(KeyReach(facts["key"], site.site, facts["to"], facts["bits"], why))


def _spread(reach: Reach) -> None:
    """A key that is known at one site is known, wherever else it was delivered."""
    why = {key.key: key.known_by for key in reach.keys if key.known_by}
    reach.keys = [replace(key, known_by=why.get(key.key, "")) for key in reach.keys]
