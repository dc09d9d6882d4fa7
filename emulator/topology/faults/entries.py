"""The section `faults:` to `FaultEntry`s and a campaign.

Owns reading an entry such as `{at: 2 s, for: 500 ms, cut: alice-r1}`: one verb, when, its parameters; and the
section's two forms, a list, or `{schedule: [...], random: {...}}`. Does not own targets (targets.py), what
entries come to (plan.py), or which faults there are (faults/kinds/).

Rule: nothing about single verbs stands here; a new fault is read, and is in the JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import UnitError
from ...faults.base import FaultKind, Parameter
from ...faults.kinds import FAULT_KINDS
from ..model.faults import FaultEntry, RandomFaults, Target, Value
from ..model.quantities import Quantity
from ..written.names import nearest, shown
from ..written.positions import Position, Written
from ..written.problems import Problems
from .campaign import read_campaign
from .targets import BadTarget, read_target

_AT = Quantity("time")
_SPAN = Quantity("time", above=True)
_WHEN = ("at", "every", "until")
#: Keys of an entry whose values name nodes and links.
_NAMES = frozenset(FAULT_KINDS) | {
    name
    for kind in FAULT_KINDS.values()
    for name, parameter in kind.parameters.items()
    if parameter.dimension == "node"
}
_ID = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


@dataclass
class WrittenFaults:
    """What a file says of faults."""

    entries: list[FaultEntry] = field(default_factory=list)
    campaign: RandomFaults | None = None


def read_faults(
    root: Written, names: Mapping[str, Sequence[str]], problems: Problems
) -> WrittenFaults:
    """The faults of a file, in its order. `names`: those that exist, by "node" and "link".

    What is wrong is noted in `problems`; an entry that is wrong gives no fault.
    """
    section = root.entries.get("faults")
    found = WrittenFaults()
    if section is None:
        return found
    schedule = section
    path: tuple[str, ...] = ("faults",)
    if isinstance(section.value, dict):
        for key, entry in section.entries.items():
            if key not in ("random", "schedule"):
                known = ("schedule", "random")
                text = f"unknown key {shown(key)}{nearest(key, known)}"
                problems.add(text, entry.key_mark or entry.mark, ("faults",))
        if "random" in section.entries:
            found.campaign = read_campaign(section.entries["random"], names, problems)
        schedule, path = section.entries.get("schedule", Written([])), ("faults", "schedule")
        if not isinstance(schedule.value, (list, type(None))):
            problems.add(f"expected a list, found {shown(schedule.plain())}", schedule.mark, path)
    for index, entry in enumerate(schedule.items):
        if isinstance(entry.value, dict):
            spec = read_entry(entry, names, problems, (*path, index))
            if spec is not None:
                found.entries.append(spec)
        else:
            text = f"expected a mapping such as {{at: 2 s, cut: alice-r1}}, found {shown(entry.plain())}"
            problems.add(text, entry.mark, (*path, index))
    return found


def read_entry(
    entry: Written,
    names: Mapping[str, Sequence[str]],
    problems: Problems,
    path: tuple[str | int, ...],
    *,
    live: bool = False,
) -> FaultEntry | None:
    """One entry, a mapping. `live`: it happens when it comes, so it takes no `at`."""
    return _Entry(entry, names, problems, path).read(live)


class _Entry:
    """One entry being read."""

    def __init__(
        self,
        entry: Written,
        names: Mapping[str, Sequence[str]],
        problems: Problems,
        path: tuple[str | int, ...],
    ) -> None:
        entries = {
            key: below.named() if key in _NAMES else below for key, below in entry.entries.items()
        }
        self._entry = Written(entries, entry.mark, entry.key_mark)
        self._names, self._problems, self._path = names, problems, path
        self._good = True

    def read(self, live: bool) -> FaultEntry | None:
        kind = self._kind()
        if kind is None:
            return None
        self._refuse_unknown_keys(kind, live)
        every_ns = None if live else self._time("every", _SPAN)
        at_ns = 0 if live else self._time("at", _AT, required="every" not in self._entry.entries)
        until_ns = None if live else self._time("until", _SPAN)
        if until_ns is not None and "every" not in self._entry.entries:
            self._wrong_key("'until' goes with 'every'; a fault ends after its 'for'", "until")
        for_ns = self._time("for", _SPAN) if kind.lasting else None
        name = None if live else self._id()
        target = self._target(kind)
        parameters = {
            name: self._parameter(name, parameter) for name, parameter in kind.parameters.items()
        }
        if kind.some and not any(key in self._entry.entries for key in kind.some):
            self._wrong(f"expected {' or '.join(map(repr, kind.some))}, or both")
        if not self._good or target is None:
            return None
        return FaultEntry(
            id=name,
            verb=kind.verb,
            target=target,
            at_ns=(every_ns or 0) if at_ns is None else at_ns,
            every_ns=every_ns,
            until_ns=until_ns,
            for_ns=for_ns,
            parameters=parameters,
            place=self._place(self._entry),
            places=self._places(kind.verb),
        )

    def _place(self, entry: Written) -> Position:
        return entry.best_mark.of(self._problems.file)

    def _places(self, verb: str) -> dict[str, Position]:
        """Where each key's value stands, and each name of a list of targets."""
        entries = self._entry.entries
        places = {key: self._place(entry) for key, entry in entries.items()}
        named = (item for item in entries[verb].items if isinstance(item.value, str))
        return places | {f"{verb}:{item.value}": self._place(item) for item in named}

    def _kind(self) -> FaultKind | None:
        entries = self._entry.entries
        verbs = [key for key in entries if key in FAULT_KINDS]
        # A word can be a verb and another verb's parameter: `kill: r1, restart: 1 s` is a kill.
        verbs = [
            verb
            for verb in verbs
            if not any(verb in FAULT_KINDS[other].parameters for other in verbs if other != verb)
        ]
        if len(verbs) == 1:
            return FAULT_KINDS[verbs[0]]
        if verbs:
            self._wrong(
                f"{verbs[0]} and {verbs[1]} are two faults: expected one an entry", verbs[1]
            )
            return None
        known = [
            *_WHEN,
            "for",
            "id",
            *(name for kind in FAULT_KINDS.values() for name in kind.parameters),
        ]
        strange = [key for key in entries if key not in known]
        if strange:
            self._wrong_key(
                f"unknown fault {shown(strange[0])}{nearest(strange[0], FAULT_KINDS)}", strange[0]
            )
        else:
            self._wrong(f"no fault is named: expected one of {', '.join(FAULT_KINDS)}")
        return None

    def _refuse_unknown_keys(self, kind: FaultKind, live: bool) -> None:
        when = () if live else (*_WHEN, "id")
        known = [kind.verb, *when, *(["for"] if kind.lasting else []), *kind.parameters]
        for key in self._entry.entries:
            if key == "for" and not kind.lasting:
                self._wrong_key(f"{kind.verb} does not last, so it takes no 'for'", key)
            elif live and key in (*_WHEN, "id"):
                self._wrong_key(f"a live fault happens when it comes, so it takes no {key!r}", key)
            elif key not in known:
                self._wrong_key(
                    f"unknown key {shown(key)} for {kind.verb}{nearest(key, known)}", key
                )

    def _id(self) -> str | None:
        entry = self._entry.entries.get("id")
        if entry is None:
            return None
        value = entry.value
        is_word = isinstance(value, (str, int)) and not isinstance(value, bool)
        name = str(value)
        if not is_word or _ID.fullmatch(name) is None:
            found = shown(entry.plain())
            self._wrong(f"{found} cannot name a fault: expected letters, digits, _ and -", "id")
        elif name == "all" or name.startswith("live."):
            whose = "all faults" if name == "all" else "faults that are added to a run under way"
            self._wrong(f"{shown(name)} means {whose}: expected another name", "id")
        return name

    def _target(self, kind: FaultKind) -> Target | None:
        written = self._entry.entries[kind.verb]
        try:
            return read_target(kind.target, written, self._names)
        except BadTarget as error:
            self._good = False
            found, path = written.nearest(error.path), (*self._path, kind.verb, *error.path)
            mark = found.key_mark if error.key and found.key_mark else found.best_mark
            self._problems.add(error.problem, mark, path[:-1] if error.key else path)
            return None

    def _parameter(self, name: str, parameter: Parameter) -> Value:
        if parameter.dimension == "word":
            return self._word(name, parameter)
        if parameter.dimension == "node":
            return self._node(name, parameter)
        if parameter.dimension == "flag":
            return self._flag(name, parameter)
        if parameter.dimension == "count":
            return self._count(name, parameter)
        given = self._quantity(name, quantity_of(parameter), required=parameter.required)
        return parameter.default if given is None else given

    def _word(self, name: str, parameter: Parameter) -> Value:
        entry = self._given(name, parameter)
        if entry is None:
            return parameter.default
        if not isinstance(entry.value, str) or entry.value not in parameter.words:
            word = str(entry.value)
            self._wrong(
                f"{shown(entry.plain())} is not known here{nearest(word, parameter.words)}", name
            )
            return None
        return entry.value

    def _node(self, name: str, parameter: Parameter) -> Value:
        entry = self._given(name, parameter)
        if entry is None:
            return parameter.default
        nodes = self._names["node"]
        if not isinstance(entry.value, str) or entry.value not in nodes:
            found = entry.plain()
            self._wrong(f"unknown node {shown(found)}{nearest(str(found), nodes)}", name)
            return None
        return entry.value

    def _flag(self, name: str, parameter: Parameter) -> Value:
        entry = self._given(name, parameter)
        if entry is None:
            return parameter.default
        if not isinstance(entry.value, bool):
            self._wrong(f"expected true or false, found {shown(entry.plain())}", name)
            return None
        return int(entry.value)

    def _count(self, name: str, parameter: Parameter) -> Value:
        entry = self._given(name, parameter)
        if entry is None:
            return parameter.default
        value = entry.value
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not parameter.low <= float(str(value)) <= parameter.high:
            limits = f"from {parameter.low:g} to {parameter.high:g}"
            self._wrong(f"expected a whole number {limits}, found {shown(entry.plain())}", name)
            return None
        return int(str(value))

    def _given(self, name: str, parameter: Parameter) -> Written | None:
        entry = self._entry.entries.get(name)
        if entry is None and parameter.required:
            self._wrong(f"{name!r} is missing")
        return entry

    def _time(self, name: str, quantity: Quantity, required: bool = False) -> int | None:
        time_ns = self._quantity(name, quantity, required)
        return None if time_ns is None else int(time_ns)

    def _quantity(
        self, name: str, quantity: Quantity, required: bool = False
    ) -> float | int | None:
        entry = self._entry.entries.get(name)
        if entry is None:
            if required:
                self._wrong(f"{name!r} is missing")
            return None
        try:
            return quantity.read(entry.plain())
        except UnitError as error:
            self._wrong(str(error), name)
            return None

    def _wrong(self, problem: str, key: str | None = None) -> None:
        self._good = False
        found = self._entry.nearest([key] if key else [])
        self._problems.add(problem, found.best_mark, (*self._path, key) if key else self._path)

    def _wrong_key(self, problem: str, key: str) -> None:
        self._good = False
        entry = self._entry.entries[key]
        self._problems.add(problem, entry.key_mark or entry.mark, self._path)


def quantity_of(parameter: Parameter) -> Quantity:
    """How a parameter that is a quantity is read."""
    low, high, above = parameter.low, parameter.high, parameter.above
    return Quantity(parameter.dimension, low=low, high=high, above=above)


# --- the JSON Schema ------------------------------------------------------------------------------


def fault_schema() -> dict[str, Any]:
    """The JSON Schema of one entry: a choice of verbs, each with its own keys."""
    return {"oneOf": [_verb_schema(kind) for kind in FAULT_KINDS.values()]}


_TARGET_SCHEMAS: dict[str, list[dict[str, Any]]] = {
    "named": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
    "chosen": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}],
}


def _target_schema(kind: FaultKind) -> dict[str, Any]:
    if kind.target == "groups":
        group = {"anyOf": _TARGET_SCHEMAS["named"]}
        return {"type": "array", "items": group, "minItems": 1, "description": "groups of nodes"}
    what = "node or link" if kind.target == "either" else kind.target
    description, forms = f"the {what} it happens to", list(_TARGET_SCHEMAS["named"])
    if kind.target == "either":
        return {"anyOf": forms, "description": description}
    share = {"anyOf": [{"enum": ["all", "one"]}, {"type": "string"}, *_TARGET_SCHEMAS["chosen"]]}
    keys = ("kind", "name") if kind.target == "node" else ("name", "node")
    properties = {key: {"type": "string"} for key in keys} | {"pick": share}
    selector = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
    }
    forms += [*_TARGET_SCHEMAS["chosen"], selector]
    return {"anyOf": forms, "description": description}


def _parameter_schema(parameter: Parameter) -> dict[str, Any]:
    if parameter.dimension == "word":
        return {"enum": list(parameter.words)}
    if parameter.dimension == "node":
        return {"type": "string"}
    if parameter.dimension == "flag":
        return {"type": "boolean"}
    if parameter.dimension == "count":
        return {"type": "integer", "minimum": parameter.low, "maximum": parameter.high}
    return quantity_of(parameter).schema()


def _verb_schema(kind: FaultKind) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "at": _AT.schema(),
        "every": _SPAN.schema(),
        "until": _SPAN.schema(),
        "id": {"type": "string", "description": "how journal and commands call it"},
        kind.verb: _target_schema(kind),
    }
    if kind.lasting:
        properties["for"] = _SPAN.schema()
    required = [kind.verb]
    for name, parameter in kind.parameters.items():
        properties[name] = _parameter_schema(parameter)
        if parameter.required:
            required.append(name)
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": required,
        "anyOf": [{"required": ["at"]}, {"required": ["every"]}],
        "additionalProperties": False,
    }
    if kind.some:
        schema["allOf"] = [{"anyOf": [{"required": [key]} for key in kind.some]}]
    return schema
