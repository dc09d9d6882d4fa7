"""Everything that is wrong with a file, gathered and raised as one error.

Owns the list of problems, their order (by line), and the translation of pydantic's
errors into ours. Does not decide what is wrong: the model, the faults and the layers do.

Rule: one mistake is one problem, although the file is checked as written and again when resolved.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ...errors import TopologyError
from ...suggestions import closest
from .names import nearest, shown
from .positions import Path, Position, Written
from .vocabulary import UNKNOWN, WRITTEN, keys_at

Model = TypeVar("Model", bound=BaseModel)


class Problems:
    """Problems of one file, `file` being its name as the user gave it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[tuple[Position, str], str] = {}

    def add(self, problem: str, mark: Position, path: Path = ()) -> None:
        """Note a problem at a place; `path` is put before it. The same one again is dropped."""
        where = dotted(path)
        text = f"{where}: {problem}" if where else problem
        self._found.setdefault((mark.of(self.file), problem), text)

    def at(self, problem: str, root: Written, path: Path) -> None:
        """Note a problem with the value at `path` below `root`."""
        self.add(problem, root.nearest(path).best_mark, path)

    def raise_first(self) -> None:
        """Raise TopologyError for the first problem in the file, if there is any."""
        if not self._found:
            return
        first, *others = [
            TopologyError(text, mark.file, mark.line, mark.column)
            for (mark, _), text in sorted(self._found.items(), key=lambda item: item[0][0])
        ]
        more = f" (and {len(others)} more)" if others else ""
        error = TopologyError(first.problem + more, first.path, first.line, first.column)
        error.others = others
        raise error

    def check(self, model: type[Model], root: Written, *, partial: bool = False) -> Model | None:
        """The model of what is written below `root`, or None, with its errors noted.

        `partial`: the file as written, where a section may be completed by another layer. Otherwise
        the layers put together: what is unknown in them has been noted in the file as written.
        """
        try:
            return model.model_validate(root.plain(), context={**WRITTEN, "partial": partial})
        except ValidationError as error:
            passed_over = _may_come_from_another_layer if partial else _is_unknown_key
            for details in error.errors(include_url=False):
                if not passed_over(details):
                    self._translate(model, root, details)
        return None

    def _translate(self, model: type[BaseModel], root: Written, details: ErrorDetails) -> None:
        path = [step for step in details["loc"] if step != "[key]"]
        key = details.get("ctx", {}).get("key")
        if key is not None:
            path.append(key)
        kind, last = details["type"], str(path[-1]) if path else ""
        if kind == "extra_forbidden":
            unknown = last.removeprefix(UNKNOWN)
            path[-1] = unknown
            choices = keys_at(model, path[:-1])
            self._at_key(f"unknown key {shown(unknown)}{nearest(unknown, choices)}", root, path)
        elif kind == "missing":
            if not self._is_misspelt(model, root, path):
                text = details.get("ctx", {}).get("text") or f"{last!r} is missing"
                self.at(text, root, path[:-1])
        elif "[key]" in details["loc"]:
            self._at_key(_details_text(details), root, path)
        else:
            self.at(_details_text(details), root, path)

    @staticmethod
    def _is_misspelt(model: type[BaseModel], root: Written, path: Path) -> bool:
        """Whether a missing key is there, misspelt: then the unknown key is the problem."""
        known = keys_at(model, path[:-1])
        strange = [key for key in root.nearest(path[:-1]).entries if key not in known]
        return any(closest(key, known) == path[-1] for key in strange)

    def _at_key(self, problem: str, root: Written, path: Path) -> None:
        found = root.nearest(path)
        self.add(problem, found.key_mark or found.mark, path[:-1])


def dotted(path: Path) -> str:
    """A path as an error shows it: `nodes.alice.memory`, `links[0].between`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def error_text(error: ValidationError) -> str:
    """The first of pydantic's errors in our words, for data that no user wrote."""
    details = error.errors(include_url=False)[0]
    key = details.get("ctx", {}).get("key")
    is_missing = f"{key!r} is missing" if key else "is missing"
    problem = is_missing if details["type"] == "missing" else _details_text(details)
    return f"{dotted(details['loc'])}: {problem}"


#: Sections with keys that must be given, in whichever layer.
_COMPLETED = frozenset({"entangle", "environment", "coexistence"})


def _may_come_from_another_layer(details: ErrorDetails) -> bool:
    return details["type"] == "missing" and not _COMPLETED.isdisjoint(details["loc"])


def _is_unknown_key(details: ErrorDetails) -> bool:
    return details["type"] == "extra_forbidden"


def _details_text(details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    found = shown(details["input"] or None) if kind == "too_short" else shown(details["input"])
    if kind == "literal_error":
        return _choice_text(context["expected"], details["input"])
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind].format(**context)}, found {found}"
    return details["msg"]


def _choice_text(expected: str, value: Any) -> str:
    choices = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    return f"{shown(value)} is not known here{nearest(str(value), choices)}"


#: pydantic's error types -> what was expected, in our words. Ours come with their whole text.
_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "finite_number": "a finite number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} entry",
    "string_too_short": "some text",
}
