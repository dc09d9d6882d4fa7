"""Entries of `faults:` to `FaultSpec`s.

Owns reading an entry such as `{at: 2 s, for: 500 ms, cut: alice-r1}` by the table in faults/kinds.py:
one verb, its target, its parameters; and that no node is killed while it is dead. What a fault does is
in faults/.

Rule: nothing about single verbs stands here; a new row in the table is read, and is in the JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UnitError
from ..faults.kinds import FAULT_KINDS, FaultKind, Parameter
from ..units import format_ns
from .model import FaultSpec
from .names import nearest, shown
from .places import Mark, Place, Written
from .problems import Problems
from .quantities import Quantity

_AT = Quantity("time")
_FOR = Quantity("time", above=True)
#: A node needs some time to restart: at the same instant, dead and alive would have no order.
_ABOVE_ZERO = ("restart",)

Value = float | int | str | None


def read_faults(
    root: Written, targets: Mapping[str, Iterable[str]], problems: Problems
) -> list[FaultSpec]:
    """The faults of a file, in its order. `targets`: the names that exist, by "node" and "link".

    What is wrong is noted in `problems`; an entry that is wrong gives no fault.
    """
    entries = root.entries.get("faults")
    specs: list[FaultSpec] = []
    for index, entry in enumerate(entries.items if entries else []):
        if isinstance(entry.value, dict):
            spec = _Entry(index, entry, problems).read(targets)
            if spec is not None:
                specs.append(spec)
    _refuse_kills_of_the_dead(specs, problems)
    return specs


class _Entry:
    """One entry being read."""

    def __init__(self, index: int, entry: Written, problems: Problems) -> None:
        self._path = ("faults", index)
        self._entry = entry
        self._problems = problems
        self._good = True

    def read(self, targets: Mapping[str, Iterable[str]]) -> FaultSpec | None:
        kind = self._kind()
        if kind is None:
            return None
        self._refuse_unknown_keys(kind)
        at_ns = self._quantity("at", _AT, required=True)
        for_ns = self._quantity("for", _FOR) if kind.lasting else None
        target = self._target(kind, list(targets[kind.target]))
        parameters = {
            name: self._parameter(name, parameter) for name, parameter in kind.parameters.items()
        }
        if not self._good or not isinstance(at_ns, int):
            return None
        return FaultSpec(
            verb=kind.verb,
            at_ns=at_ns,
            for_ns=for_ns if isinstance(for_ns, int) else None,
            target=target,
            parameters=parameters,
            place=Place(self._problems.file, *self._entry.best_mark),
        )

    def _kind(self) -> FaultKind | None:
        verbs = [key for key in self._entry.entries if key in FAULT_KINDS]
        if len(verbs) == 1:
            return FAULT_KINDS[verbs[0]]
        if verbs:
            self._wrong(
                f"{verbs[0]} and {verbs[1]} are two faults: expected one an entry", verbs[1]
            )
            return None
        known = ["at", "for", *(name for kind in FAULT_KINDS.values() for name in kind.parameters)]
        strange = [key for key in self._entry.entries if key not in known]
        if strange:
            self._wrong_key(
                f"unknown fault {shown(strange[0])}{nearest(strange[0], FAULT_KINDS)}", strange[0]
            )
        else:
            self._wrong(f"no fault is named: expected one of {', '.join(FAULT_KINDS)}")
        return None

    def _refuse_unknown_keys(self, kind: FaultKind) -> None:
        known = [kind.verb, "at", *(["for"] if kind.lasting else []), *kind.parameters]
        for key in self._entry.entries:
            if key == "for" and not kind.lasting:
                self._wrong_key(f"{kind.verb} does not last, so it takes no 'for'", key)
            elif key not in known:
                self._wrong_key(
                    f"unknown key {shown(key)} for {kind.verb}{nearest(key, known)}", key
                )

    def _target(self, kind: FaultKind, names: list[str]) -> str:
        target = self._entry.entries[kind.verb].value
        if not isinstance(target, str):
            self._wrong(f"expected the name of a {kind.target}, found {shown(target)}", kind.verb)
            return ""
        if target not in names:
            self._wrong(f"unknown {kind.target} {shown(target)}{nearest(target, names)}", kind.verb)
        return target

    def _parameter(self, name: str, parameter: Parameter) -> Value:
        if parameter.dimension == "word":
            return self._word(name, parameter)
        given = self._quantity(name, quantity_of(name, parameter), required=parameter.required)
        return parameter.default if given is None else given

    def _word(self, name: str, parameter: Parameter) -> Value:
        entry = self._entry.entries.get(name)
        if entry is None:
            if parameter.required:
                self._wrong(f"{name!r} is missing")
            return parameter.default
        if not isinstance(entry.value, str) or entry.value not in parameter.words:
            word = str(entry.value)
            self._wrong(
                f"{shown(entry.plain())} is not known here{nearest(word, parameter.words)}", name
            )
            return None
        return entry.value

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


def quantity_of(name: str, parameter: Parameter) -> Quantity:
    """How a parameter that is not a word is read: never negative, a probability at most 1."""
    high = 1.0 if parameter.dimension == "probability" else float("inf")
    return Quantity(parameter.dimension, high=high, above=name in _ABOVE_ZERO)


def _refuse_kills_of_the_dead(specs: list[FaultSpec], problems: Problems) -> None:
    """A node can be killed again only after it has restarted."""
    last: dict[str, FaultSpec] = {}
    for spec in sorted((spec for spec in specs if spec.verb == "kill"), key=lambda s: s.at_ns):
        before = last.get(spec.target)
        last[spec.target] = spec
        if before is None:
            continue
        restart_ns = before.parameters.get("restart")
        dies = f"{spec.target!r} is killed at {format_ns(spec.at_ns)}, but "
        killed = f"after the kill at {format_ns(before.at_ns)} in line {before.place.line}"
        if not isinstance(restart_ns, int):
            text = f"{dies}it is dead: {killed} it does not restart"
        elif spec.at_ns <= before.at_ns + restart_ns:
            back = format_ns(before.at_ns + restart_ns)
            text = f"{dies}{killed} it is back only at {back}: expected a later time"
        else:
            continue
        _, line, column = spec.place
        problems.add(text, Mark(line, column))


def fault_schema() -> dict[str, Any]:
    """The JSON Schema of one entry: a choice of verbs, each with its own keys."""
    return {"oneOf": [_verb_schema(kind) for kind in FAULT_KINDS.values()]}


def _verb_schema(kind: FaultKind) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "at": _AT.schema(),
        kind.verb: {"type": "string", "description": f"the {kind.target} it happens to"},
    }
    if kind.lasting:
        properties["for"] = _FOR.schema()
    required = ["at", kind.verb]
    for name, parameter in kind.parameters.items():
        if parameter.dimension == "word":
            properties[name] = {"enum": list(parameter.words)}
        else:
            properties[name] = quantity_of(name, parameter).schema()
        if parameter.required:
            required.append(name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
