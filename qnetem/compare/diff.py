"""Where two runs begin to differ.

Owns the comparison: of what they were given (seed, versions, topology, programs), of their digests, and
of their journals up to the first instant at which any entity's events differ. Does not own reading
(runs/recorded.py, runs/events.py) nor the layout (cli/pages/diff_page.py).

Rule: the digest is one chain per entity, so the order of two entities' events inside an instant does not
count; the order of one entity's events does. Journals are compared as streams: equal parts are compared as
bytes, and only the rest of an instant after that is decoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from ..emulator.errors import InputError
from ..runs.events import Event, Instant, Lines
from ..runs.recorded import RecordedRun, why_no_journal

#: So many events are shown before and after the first difference.
CONTEXT = 3
#: What may differ in a topology without any event being different.
_NOT_IN_THE_DIGEST = ("expect.", "record.", "seed.", "time.mode.", "time.speed.")


class Setting(NamedTuple):
    """Something that two runs were given differently; None where one of them had nothing."""

    kind: str  # seed, version, topology, program or hash seed
    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Difference:
    """The first difference. `a` and `b` are the first events of `entity` that differ there.

    One of them is None when that run has no further event of the entity at that instant; `over_a` and
    `over_b` say that it has nothing else either, because its journal ends there. `others` are the other
    entities that differ at the same instant. `before` are the last events that both have, `after_a` and
    `after_b` the next ones.
    """

    instant: Instant
    entity: str
    a: Event | None
    b: Event | None
    others: list[str]
    before: list[Event]
    after_a: list[Event]
    after_b: list[Event]
    over_a: bool
    over_b: bool

    @property
    def place(self) -> tuple[str, Any, Any] | None:
        """Which part of the two events differs, and the values there; None if they are of two kinds."""
        if self.a is None or self.b is None or self.a.kind != self.b.kind:
            return None
        return _place(list(self.a.fields), list(self.b.fields))


@dataclass(frozen=True)
class Comparison:
    """Two runs compared. `first` is None if no event differs, or if a journal is missing.

    `events` and `instants` count what both have before the first difference; `notes` say what could not
    be compared, and why.
    """

    a: RecordedRun
    b: RecordedRun
    settings: list[Setting]
    first: Difference | None = None
    events: int = 0
    instants: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def compared_events(self) -> bool:
        """Whether there were two journals."""
        return self.a.journal is not None and self.b.journal is not None

    @property
    def same(self) -> bool:
        """Whether the same happened in both runs: no event differs, and no digest that was printed."""
        return self.first is None and not self.digests_differ

    @property
    def digests_differ(self) -> bool:
        """Whether the runs' own digests differ; with journals, of runs that came to an outcome."""
        if self.compared_events and (self.a.outcome is None or self.b.outcome is None):
            return False
        return self.a.digest != self.b.digest

    @property
    def is_beginning(self) -> bool:
        """Whether `a` is `b`, but for an end that came too early."""
        if self.first is not None:
            return self.first.over_a
        return self.same or self.compared_events


def compare(a: RecordedRun, b: RecordedRun) -> Comparison:
    """Compare two runs. Raises InputError when there is nothing to compare, or a journal is none."""
    settings = differing_settings(a, b)
    notes = []
    for run in (a, b):
        if run.journal is None:
            if run.digest is None:
                raise InputError(f"{why_no_journal(run)}, and it was broken off: it has no digest")
            notes.append(f"{why_no_journal(run)}: only the digests are compared")
    if a.journal is None or b.journal is None:
        return _with_hash_seeds(Comparison(a, b, settings, notes=notes))
    with Lines(a.journal) as lines_a, Lines(b.journal) as lines_b:
        walk = _Walk(lines_a, lines_b)
        first = walk.first_difference()
        ends = [lines.path for lines in (lines_a, lines_b) if lines.cut]
    notes += [f"{path} ends within a line: compared up to there" for path in ends]
    notes += _distrust(a, b, first)
    return _with_hash_seeds(Comparison(a, b, settings, first, walk.events, walk.instants, notes))


def _with_hash_seeds(comparison: Comparison) -> Comparison:
    """Name two hash seeds where the runs differ: a program may go through a set of text in its order."""
    one, other = (run.facts.get("hash_seed") for run in (comparison.a, comparison.b))
    if comparison.same or None in (one, other) or one == other:
        return comparison
    setting = Setting("hash seed", "hash seed", one, other)
    return replace(comparison, settings=[*comparison.settings, setting])


def differing_settings(a: RecordedRun, b: RecordedRun) -> list[Setting]:
    """What the runs were given differently: the seed first, then versions, programs and topology."""
    if not (a.topology and b.topology):
        return []
    seeds = [Setting("seed", "seed", a.seed, b.seed)] if a.seed != b.seed else []
    topology = [
        Setting("topology", *entry)
        for entry in _unequal_below(a.topology, b.topology)
        if not f"{entry[0]}.".startswith(_NOT_IN_THE_DIGEST)
    ]
    versions = [Setting("version", *entry) for entry in _unequal(a.versions, b.versions)]
    programs = [
        Setting("program", name, one, other)
        for name, one, other in _unequal(a.programs, b.programs)
        if one is not None and other is not None  # else the topology says so already
    ]
    return [*seeds, *versions, *programs, *topology]


def _unequal_below(a: Any, b: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The places at which nested data differ, e.g. `nodes.alice.memory.slots`, and what stands there.

    What only one of them has is one place, however much is in it.
    """
    if isinstance(a, list) and isinstance(b, list):
        a, b = ({str(index): item for index, item in enumerate(items)} for items in (a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        for key in {**a, **b}:
            yield from _unequal_below(a.get(key), b.get(key), f"{name}.{key}" if name else key)
    elif a != b:
        yield name, a, b


class _Walk:
    """Two journals, gone through side by side."""

    def __init__(self, a: Lines, b: Lines) -> None:
        self._a, self._b = a, b
        #: Events that both have.
        self.events = 0
        #: Instants that both have, from the first event to the last.
        self.instants = 0
        self._before: deque[tuple[bytes, int]] = deque(maxlen=CONTEXT)

    def first_difference(self) -> Difference | None:
        """Go to the first difference, or to the end of both."""
        a, b = self._a, self._b
        while True:
            self._skip_equal()
            self.instants = a.instants
            if a.line is None and b.line is None:
                return None
            behind = min((x for x in (a, b) if x.line is not None), key=lambda x: x.instant)
            instant, self.instants = behind.instant, behind.instants - 1
            rest_a, rest_b = _rest(a, instant), _rest(b, instant)
            difference = self._compare(instant, rest_a, rest_b)
            if difference is not None:
                return difference
            self.events += len(rest_a)
            self._before.extend(rest_a)

    def _skip_equal(self) -> None:
        a, b = self._a, self._b
        before, events = self._before, self.events
        while a.line == b.line and a.line is not None:
            before.append((a.line, a.number))
            events += 1
            a.advance()
            b.advance()
        self.events = events

    def _compare(
        self, instant: Instant, rest_a: list[tuple[bytes, int]], rest_b: list[tuple[bytes, int]]
    ) -> Difference | None:
        """What is left of an instant in both, entity by entity."""
        events_a = [self._a.parsed(*entry) for entry in rest_a]
        events_b = [self._b.parsed(*entry) for entry in rest_b]
        first: dict[str, tuple[int, Event | None, Event | None]] = {}
        by_a, by_b = _by_entity(events_a), _by_entity(events_b)
        for entity in {**by_a, **by_b}:
            found = _first_unequal(by_a.get(entity, []), by_b.get(entity, []))
            if found is not None:
                places = [
                    event.number - events[0].number
                    for event, events in zip(found, (events_a, events_b), strict=True)
                    if event is not None
                ]
                first[entity] = (min(places), *found)
        if not first:
            return None
        over_a = self._a.line is None and all(one is None for _, one, _ in first.values())
        over_b = self._b.line is None and all(other is None for *_, other in first.values())
        entity = min(first, key=lambda name: (first[name][0], name))
        _, a, b = first[entity]
        return Difference(
            instant,
            entity,
            a,
            b,
            sorted(set(first) - {entity}),
            [self._a.parsed(*entry) for entry in self._before],
            self._following(self._a, a, events_a),
            self._following(self._b, b, events_b),
            over_a,
            over_b,
        )

    @staticmethod
    def _following(lines: Lines, event: Event | None, rest: list[Event]) -> list[Event]:
        """What comes after the event in its journal (after the instant's start, if there is none)."""
        after = [each for each in rest if event is None or each.number > event.number]
        later = _events(lines)
        return [*after, *islice(later, max(0, CONTEXT - len(after)))][:CONTEXT]


def _rest(lines: Lines, instant: Instant) -> list[tuple[bytes, int]]:
    """The lines of this instant from the present one on."""
    rest = []
    while lines.line is not None and lines.instant == instant:
        rest.append((lines.line, lines.number))
        lines.advance()
    return rest


def _events(lines: Lines) -> Iterator[Event]:
    while lines.line is not None:
        yield lines.event()
        lines.advance()


def _by_entity(events: list[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(event.entity, []).append(event)
    return found


def _first_unequal(a: list[Event], b: list[Event]) -> tuple[Event | None, Event | None] | None:
    """The first events of one entity that are not the same on both sides."""
    for one, other in zip(a, b, strict=False):
        if one.raw != other.raw:  # as bytes: 1, 1.0 and true are equal in Python only
            return one, other
    shorter = min(len(a), len(b))
    if len(a) == len(b):
        return None
    return (a[shorter], None) if len(a) > shorter else (None, b[shorter])


def _place(a: Any, b: Any, name: str = "") -> tuple[str, Any, Any]:
    """The first place at which two values differ, as `field 3.qber`."""
    if isinstance(a, list) and isinstance(b, list):
        for index, (one, other) in enumerate(zip(a, b, strict=False)):
            if _unlike(one, other):
                return _place(one, other, f"{name}[{index}]" if name else f"field {index + 1}")
        return f"the length of {name}" if name else "how many fields", len(a), len(b)
    if isinstance(a, dict) and isinstance(b, dict):
        for key in {**a, **b}:
            if _unlike(a.get(key), b.get(key)):
                return _place(a.get(key), b.get(key), f"{name}.{key}")
    return name, a, b


def _unlike(a: Any, b: Any) -> bool:
    return msgspec.json.encode(a) != msgspec.json.encode(b)


def _unequal(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(key, a.get(key), b.get(key)) for key in {**a, **b} if a.get(key) != b.get(key)]


def _distrust(a: RecordedRun, b: RecordedRun, first: Difference | None) -> list[str]:
    """Digests and journals that do not agree: a journal has been changed since, or is not whole."""
    if a.outcome is None or b.outcome is None:
        return []
    if (a.digest == b.digest) == (first is None):
        return []
    which = (
        "equal, but their journals differ" if first else "different, but their journals are equal"
    )
    return [f"the digests of the runs are {which}: a journal is not as the run left it"]
