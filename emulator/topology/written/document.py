"""YAML text to written values.

Owns the YAML: which scalars it knows, duplicate keys, aliases and merge keys, and where each value
stands. Does not know any key of a topology.

Rules: only plain data come out (text, 64-bit integers, finite floats, booleans, null, lists, mappings
with text keys); no tag can make anything else. A scalar is a number, a boolean or null only if it looks
like one in YAML 1.2, with `_` allowed between digits: a node called `no` or `on` keeps its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import yaml

from ...errors import TopologyError
from ...units import is_not_zero
from .names import shown
from .positions import Position, Scalar, Written
from .problems import Problems

_TAG = "tag:yaml.org,2002:"
_STR, _INT, _FLOAT, _BOOL, _NULL, _MERGE, _SEQ, _MAP = (
    _TAG + name for name in ("str", "int", "float", "bool", "null", "merge", "seq", "map")
)
#: Aliases can make a short file expand without end; no honest topology is this large.
MAX_VALUES = 250_000
_INTEGERS = range(-(2**63), 2**63)
_DIGITS = re.compile(r"[-+]?[0-9]{1,30}")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")

_SCALARS = [
    (_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")),
    (_NULL, re.compile(r"(?:~|null|Null|NULL|)\Z")),
    (_INT, re.compile(r"[-+]?[0-9][0-9_]*\Z")),
    (
        _FLOAT,
        re.compile(
            r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))"
            r"(?:[eE][-+]?[0-9]+)?\Z"
        ),
    ),
    (_MERGE, re.compile(r"<<\Z")),
]


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with our table of scalars; only its node graph is used, never its objects."""

    yaml_implicit_resolvers = {None: _SCALARS}  # noqa: RUF012

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As ever, but what an alias stands for stands where the alias does; its parts do not."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_node(parent, index)
        is_alias = isinstance(event, yaml.AliasEvent)
        if node is None or not is_alias:
            return node
        return type(node)(node.tag, node.value, event.start_mark, event.end_mark)


def read_document(text: str, problems: Problems) -> Written:
    """The one YAML document in `text`.

    Duplicate keys and foreign tags are noted in `problems`. Raises TopologyError for what cannot be
    read as YAML at all, and for an empty document.
    """
    root = _compose(text, problems.file)
    if root is None:
        raise TopologyError("the file is empty: expected a topology", problems.file, 1, 1)
    try:
        return _Reader(problems).read(root)
    except RecursionError as error:
        raise TopologyError("nested too deeply", problems.file, 1, 1) from error


def _compose(text: str, file: str) -> yaml.Node | None:
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        context = f" ({error.context})" if error.context else ""
        problem = f"this is not YAML: {error.problem or 'cannot be read'}{context}"
        raise TopologyError(problem, file, line, column) from error
    except yaml.reader.ReaderError as error:
        line, column = _position(text, error.position)
        character = f"U+{ord(text[error.position]):04X}"
        problem = f"this is not YAML: the character {character} is not allowed"
        raise TopologyError(problem, file, line, column) from error
    except RecursionError as error:
        raise TopologyError("nested too deeply", file, 1, 1) from error
    except (ValueError, OverflowError) as error:  # PyYAML lets chr() raise for "\UFFFFFFFF"
        problem = "this is not YAML: an escape in quoted text stands for no character"
        raise TopologyError(problem, file, 1, 1) from error


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def _mark(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


class _Reader:
    """Walks the node graph once, expanding aliases."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._count = 0
        self._open: list[yaml.Node] = []

    def read(self, node: yaml.Node, key_mark: Position | None = None) -> Written:
        mark = _mark(node)
        self._count += 1
        if self._count > MAX_VALUES:
            self._stop(f"the file expands to more than {MAX_VALUES} values", mark)
        if any(node.value is opened.value for opened in self._open):
            self._stop("an alias stands inside the very value it refers to", mark)
        if isinstance(node, yaml.ScalarNode):
            scalar = self._scalar(node, mark)
            is_word = node.value != "" and isinstance(scalar, (bool, type(None)))
            return Written(scalar, mark, key_mark, node.value if is_word else None)
        self._open.append(node)
        value = self._collection(node, mark)
        self._open.pop()
        return Written(value, mark, key_mark)

    def _stop(self, problem: str, mark: Position) -> None:
        raise TopologyError(problem, self._problems.file, mark.line, mark.column)

    def _scalar(self, node: yaml.ScalarNode, mark: Position) -> Scalar:
        read = _READERS.get(node.tag)
        if read is None:
            self._refuse_tag(node, mark)
            return None
        try:
            return read(node.value)
        except ValueError as error:
            self._problems.add(f"{shown(node.value)}: {error}", mark)
            return None

    def _collection(self, node: yaml.Node, mark: Position) -> list[Written] | dict[str, Written]:
        if isinstance(node, yaml.MappingNode):
            if node.tag != _MAP:
                self._refuse_tag(node, mark)
            return self._mapping(node)
        if node.tag != _SEQ:
            self._refuse_tag(node, mark)
        return [self.read(item) for item in node.value]

    def _refuse_tag(self, node: yaml.Node, mark: Position) -> None:
        tag = node.tag.replace(_TAG, "!!")
        self._problems.add(f"the tag {shown(tag)} is not allowed: expected plain data", mark)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Written]:
        entries: dict[str, Written] = {}
        inherited: dict[str, Written] = {}
        for key_node, value_node in node.value:
            key_mark = _mark(key_node)
            if key_node.tag == _MERGE:
                inherited = {**self._merge(value_node, key_mark), **inherited}
                continue
            key = self._key(key_node, key_mark)
            value = self.read(value_node, key_mark)
            if key is None:
                continue
            if key in entries:
                first = entries[key].key_mark or key_mark
                self._problems.add(
                    f"{shown(key)} stands twice in one mapping; first in line {first.line}",
                    key_mark,
                )
            else:
                entries[key] = value
        return {**inherited, **entries}

    def _key(self, node: yaml.Node, mark: Position) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._problems.add("a key must be a word, not a list or mapping", mark)
            return None
        if node.tag not in _READERS:
            self._refuse_tag(node, mark)
            return None
        try:
            return _text(node.value)
        except ValueError as error:
            self._problems.add(f"{shown(node.value)}: {error}", mark)
            return None

    def _merge(self, node: yaml.Node, mark: Position) -> dict[str, Written]:
        """What `<<: *base` or `<<: [*first, *second]` brings in; the first one named wins."""
        value = self.read(node, mark)
        sources = value.items if isinstance(value.value, list) else [value]
        entries: dict[str, Written] = {}
        for source in sources:
            if not isinstance(source.value, dict):
                self._problems.add("'<<' takes a mapping, or a list of mappings", mark)
            entries = {**source.entries, **entries}
        return entries


def _text(value: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("half of a surrogate pair is not a character")
    return value


def _integer(value: str) -> int:
    digits = value.replace("_", "")
    if not _DIGITS.fullmatch(digits) or int(digits) not in _INTEGERS:
        raise ValueError("expected a whole number of at most 64 bits")
    return int(digits)


def _float(value: str) -> float:
    text = value.replace("_", "")
    number = float(text) if _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    if number == 0 and is_not_zero(text):
        raise ValueError("expected 0, or a number that can be told from 0")
    return number


def _boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError("expected true or false")
    return value.lower() == "true"


def _null(value: str) -> None:
    return None


_READERS: dict[str, Callable[[str], Scalar]] = {
    _STR: _text,
    _INT: _integer,
    _FLOAT: _float,
    _BOOL: _boolean,
    _NULL: _null,
    _MERGE: _text,
}
