"""Random campaigns: `faults: {random: {rate: 5 per s, kinds: [kill, cut], until: 8 s}}`.

Owns reading the section and drawing its faults from the seed. Does not own what a fault takes
nor what is typical of it (faults/kinds/).

Rules. Faults begin as a Poisson process; kind, target and size are drawn one after the other from the one
generator "campaign". Everything heals: a killed node restarts, and no node is killed that is dead at that
moment (such a draw is dropped). What is spared is never a target, nor is a spared link cut by a partition:
its ends stay on one side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import UnitError
from ...faults.base import FaultKind, Parameter
from ...faults.kinds import FAULT_KINDS, FAULTS
from ..model.faults import FaultSpec, RandomFaults, Value
from ..model.quantities import Quantity
from ..written.names import nearest, shown
from ..written.positions import Position, Written
from ..written.problems import Problems
from .targets import crossing

if TYPE_CHECKING:
    import numpy as np

    from ...kernel.streams import Streams
    from ..model.topology import Topology

#: (problem, position)
Report = Callable[[str, Position], object]

_KEYS = ("rate", "kinds", "from", "until", "for", "spare")
_RATE = Quantity("frequency", above=True)
_TIME = Quantity("time")
_SPAN = Quantity("time", above=True)
#: Unless the file says how long faults last: from and to this part of the campaign.
_SHORTEST, _LONGEST = 1e-3, 0.05
#: More faults than this are a mistake in a unit.
MOST_DRAWN = 10_000

RANDOM_KINDS = [kind.verb for kind in FAULT_KINDS.values() if kind.random]
_PATH = ("faults", "random")


# --- reading --------------------------------------------------------------------------------------


def read_campaign(
    entry: Written, names: Mapping[str, Sequence[str]], problems: Problems
) -> RandomFaults | None:
    """The section `random:`; None when something in it is wrong, which is noted in `problems`."""
    if not isinstance(entry.value, dict):
        problems.add(f"expected a mapping, found {shown(entry.plain())}", entry.best_mark, _PATH)
        return None
    return _Reader(entry, names, problems).read()


class _Reader:
    def __init__(
        self, entry: Written, names: Mapping[str, Sequence[str]], problems: Problems
    ) -> None:
        self._entry, self._names, self._problems = entry, names, problems
        self._good = True

    def read(self) -> RandomFaults | None:
        for key, entry in self._entry.entries.items():
            if key not in _KEYS:
                self._good = False
                text = f"unknown key {shown(key)}{nearest(key, _KEYS)}"
                self._problems.add(text, entry.key_mark or entry.mark, _PATH)
        rate_hz = self._quantity("rate", _RATE, required=True)
        until_ns = self._quantity("until", _SPAN, required=True)
        from_ns = self._quantity("from", _TIME) or 0
        kinds = self._words("kinds", RANDOM_KINDS) or list(RANDOM_KINDS)
        known = [*self._names["node"], *self._names["link"]]
        spare = self._words("spare", known)
        if until_ns is not None and from_ns >= until_ns:
            self._wrong("the campaign ends before it begins", "until")
        span_ns = self._spans(int(until_ns or 0) - int(from_ns))
        if not self._good or rate_hz is None or until_ns is None:
            return None
        expected = rate_hz * (until_ns - from_ns) / 1e9
        if expected > MOST_DRAWN:
            self._wrong(f"{expected:.0f} faults are to be expected, at most {MOST_DRAWN}", "rate")
            return None
        return RandomFaults(
            rate_hz=rate_hz,
            kinds=kinds,
            from_ns=int(from_ns),
            until_ns=int(until_ns),
            for_ns=span_ns,
            spare=spare,
            place=self._entry.best_mark.of(self._problems.file),
        )

    def _spans(self, lasts_ns: int) -> tuple[int, int]:
        entry = self._entry.entries.get("for")
        if entry is None:
            return max(1, int(lasts_ns * _SHORTEST)), max(1, int(lasts_ns * _LONGEST))
        found: list[int] = []
        for item in entry.items if isinstance(entry.value, list) else [entry, entry]:
            try:
                found.append(int(_SPAN.read(item.plain()) or 0))
            except UnitError as error:
                self._wrong(str(error), "for", item)
                return 1, 1
        if len(found) != 2 or found[0] > found[1]:
            self._wrong("expected one duration, or the shortest and the longest", "for")
            return 1, 1
        return found[0], found[1]

    def _words(self, key: str, known: Sequence[str]) -> list[str]:
        entry = self._entry.entries.get(key)
        if entry is None:
            return []
        entry = entry.named()
        items = entry.items if isinstance(entry.value, list) else [entry]
        if not items:
            self._wrong("expected a list of names, found an empty one", key)
        for item in items:
            if item.value not in known:
                self._good = False
                found = item.plain()
                text = f"{shown(found)} is not known here{nearest(str(found), known)}"
                self._problems.add(text, item.best_mark, (*_PATH, key))
        return [str(item.value) for item in items]

    def _quantity(self, key: str, quantity: Quantity, required: bool = False) -> float | int | None:
        entry = self._entry.entries.get(key)
        if entry is None:
            if required:
                self._wrong(f"{key!r} is missing")
            return None
        try:
            return quantity.read(entry.plain())
        except UnitError as error:
            self._wrong(str(error), key)
            return None

    def _wrong(self, problem: str, key: str | None = None, item: Written | None = None) -> None:
        """Something is wrong with the section, with what stands under `key`, or with `item` of that."""
        self._good = False
        found = item or self._entry.nearest([key] if key else [])
        self._problems.add(problem, found.best_mark, (*_PATH, key) if key else _PATH)


def campaign_schema() -> dict[str, Any]:
    """The JSON Schema of the section."""
    names = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    kinds = {"enum": RANDOM_KINDS}
    span = _SPAN.schema()
    lasts = {"anyOf": [span, {"type": "array", "items": span, "minItems": 2, "maxItems": 2}]}
    return {
        "type": "object",
        "properties": {
            "rate": _RATE.schema(),
            "kinds": {"anyOf": [kinds, {"type": "array", "items": kinds, "minItems": 1}]},
            "from": _TIME.schema(),
            "until": span,
            "for": lasts,
            "spare": names,
        },
        "required": ["rate", "until"],
        "additionalProperties": False,
    }


# --- drawing --------------------------------------------------------------------------------------


def draw_campaign(
    topology: Topology,
    campaign: RandomFaults,
    scheduled: Sequence[FaultSpec],
    streams: Streams,
    report: Report,
) -> list[FaultSpec]:
    """The campaign's faults, by time. `scheduled`: the other faults, which may kill nodes too."""
    drawer = _Drawer(topology, campaign, streams.of("campaign", "faults"))
    drawer.remember(scheduled)
    kinds = [verb for verb in campaign.kinds if drawer.has_target(FAULT_KINDS[verb])]
    if not kinds:
        report(
            "random: no node or link is left that a fault of these kinds could happen to",
            campaign.place,
        )
        return []
    return drawer.draw(kinds)


def _inseparable(nodes: Sequence[str], joined: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Nodes in groups that a partition may put on either side: nodes that are joined stay together.

    A group with a node that is not among `nodes` stays where it is, and is left out.
    """
    group = {name: [name] for ends in joined for name in ends} | {name: [name] for name in nodes}
    for first, second in joined:
        if group[first] is not group[second]:
            group[first].extend(group[second])
            for name in group[second]:
                group[name] = group[first]
    found: dict[int, list[str]] = {id(group[name]): group[name] for name in nodes}
    return [sorted(members) for members in found.values() if all(name in nodes for name in members)]


class _Drawer:
    """Draws one fault after the other, and knows which node is dead until when."""

    def __init__(
        self,
        topology: Topology,
        campaign: RandomFaults,
        rng: np.random.Generator,
    ) -> None:
        self._topology, self._campaign, self._rng = topology, campaign, rng
        spare, links = campaign.spare, topology.links
        self._nodes = [name for name in sorted(topology.nodes) if name not in spare]
        self._links = [name for name in sorted(links) if name not in spare]
        joined = [links[name].ends for name in spare if name in links]
        self._sides = _inseparable(self._nodes, joined)
        self._dead_until: dict[str, list[tuple[int, float]]] = {}

    def remember(self, scheduled: Sequence[FaultSpec]) -> None:
        """These are killed by the schedule."""
        for spec in scheduled:
            if spec.verb in ("kill", "restart"):
                self._bury(spec)

    def has_target(self, kind: FaultKind) -> bool:
        """Whether there is a node or link that such a fault could happen to."""
        if kind.target == "groups":
            return len(self._sides) > 1
        return bool(self._targets(kind))

    def draw(self, kinds: Sequence[str]) -> list[FaultSpec]:
        campaign, rng = self._campaign, self._rng
        found: list[FaultSpec] = []
        t_s = campaign.from_ns / 1e9
        while True:
            t_s += rng.exponential(1 / campaign.rate_hz)
            at_ns = round(min(t_s * 1e9, campaign.until_ns))
            if at_ns >= campaign.until_ns or len(found) > 2 * MOST_DRAWN:
                return found
            kind = FAULT_KINDS[kinds[int(rng.random() * len(kinds))]]
            spec = self._spec(kind, at_ns, f"random.{len(found) + 1}")
            if spec is not None:
                found.append(spec)

    def _spec(self, kind: FaultKind, at_ns: int, name: str) -> FaultSpec | None:
        target, members = self._target(kind)
        for_ns = self._duration_ns()
        parameters = {key: self._value(each) for key, each in kind.parameters.items()}
        spec = FaultSpec(
            id=name,
            verb=kind.verb,
            target=target,
            at_ns=at_ns,
            for_ns=for_ns if kind.lasting else None,
            parameters=parameters,
            members=members,
            place=self._campaign.place,
        )
        if kind.verb not in ("kill", "restart"):
            return spec
        if self._is_dead(target, at_ns, _until_ns(spec)):
            return None
        self._bury(spec)
        return spec

    def _targets(self, kind: FaultKind) -> Sequence[str]:
        misfit = FAULTS[kind.verb].misfit
        named = {"node": self._nodes, "link": self._links}
        known = named.get(kind.target, [*self._nodes, *self._links])
        return [name for name in known if misfit(self._topology, name) is None]

    def _target(self, kind: FaultKind) -> tuple[str, list[str]]:
        rng = self._rng
        if kind.target == "groups":
            drawn = dict(zip(self._nodes, rng.random(len(self._nodes)) < 0.5, strict=True))
            there = [side for side in self._sides if drawn[side[0]]]
            there = there if 0 < len(there) < len(self._sides) else self._sides[:1]
            here = sorted(name for side in there for name in side)
            return ",".join(here), crossing([here], self._topology.links)
        targets = self._targets(kind)
        return targets[int(rng.random() * len(targets))], []

    def _duration_ns(self) -> int:
        shortest, longest = self._campaign.for_ns
        return round(self._log_uniform(shortest, longest))

    def _value(self, parameter: Parameter) -> Value:
        if parameter.typical is None:
            is_time = parameter.dimension == "time"
            return max(1, self._duration_ns()) if is_time else parameter.default
        value = self._log_uniform(*parameter.typical)
        return round(value) if parameter.dimension == "count" else float(f"{value:.4g}")

    def _log_uniform(self, low: float, high: float) -> float:
        return low * math.exp(self._rng.random() * math.log(high / low)) if high > low else low

    # --- the dead ---

    def _bury(self, spec: FaultSpec) -> None:
        self._dead_until.setdefault(spec.target, []).append((spec.at_ns, _until_ns(spec)))

    def _is_dead(self, node: str, from_ns: int, to_ns: float) -> bool:
        return any(
            begin <= to_ns and from_ns <= end for begin, end in self._dead_until.get(node, ())
        )


def _until_ns(spec: FaultSpec) -> float:
    alive_ns = back_ns(spec)
    return math.inf if alive_ns is None else alive_ns


def back_ns(spec: FaultSpec) -> int | None:
    """When the node of a kill or restart is alive again, or None."""
    after = spec.parameters.get("after" if spec.verb == "restart" else "restart")
    return spec.at_ns + after if isinstance(after, int) else None
