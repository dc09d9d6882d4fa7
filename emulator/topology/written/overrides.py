"""Overrides: values laid over a file before anything in it is checked.

Owns how an override is written (`links.alice-bob.quantum.length=40 km`), which place of the file its key
means, and how a value is written so that the same value is read again. Does not check what stands at the end
of a key: the file's own checks do.

Rules. A key names what is there: links go by name or by ends, nodes by name, entries of other lists by `id`
or number; options and sections may be new. An override is no line of the file, so errors about it name it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...errors import InputError, TopologyError
from .document import read_document
from .names import default_link_name, nearest, shown
from .positions import Path, Position, Written, written
from .problems import Problems, dotted

#: Mappings whose keys are names that an override cannot invent -> what one of them is called.
_NAMED = {"nodes": "node", "hardware": "hardware preset"}
#: A mapping whose keys have dots: what follows its name is one key.
_DOTTED = "expect"
_PART = re.compile(r"""(?:"([^"]*)"|'([^']*)'|([^.\[\]"']+)|\[([0-9]+)\])(?:\.(?!$)|(?=\[)|$)""")
_LONGEST_SHOWN = 40
_EXAMPLE = "'links.alice-bob.quantum.length=40 km'"


class Override(NamedTuple):
    """A value and the key of its place. `place`: what errors name instead of a line."""

    key: str
    value: Written
    place: Position

    def __str__(self) -> str:
        """`KEY=VALUE`, which reads as the same override."""
        return f"{self.key}={as_text(self.value)}"


#: As a user gives them from Python, by key; or as they were read from text.
Overrides = Mapping[str, Any] | Sequence[Override]


def override_of_text(text: str) -> Override:
    """What `--set TEXT` says: `KEY=VALUE`, the value in YAML. Raises InputError."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {text}: expected KEY=VALUE, such as {_EXAMPLE}")
    place = Position(file=f"--set {key}={_short(value)}")
    return Override(key.strip(), _placed(read_value(value, place.file), place), place)


def overrides_of(overrides: Overrides) -> list[Override]:
    """Those of a mapping, or the sequence itself. The values are plain data."""
    if not isinstance(overrides, Mapping):
        return list(overrides)
    places = {key: Position(file=f"overrides[{key!r}]") for key in overrides}
    return [Override(key, written(overrides[key], at), at) for key, at in places.items()]


def read_value(text: str, place: str) -> Written:
    """A value in YAML; nothing at all is null, as in a file. Raises TopologyError, which names `place`."""
    if not text.strip():
        return Written(None)
    problems = Problems(place)
    try:
        value = read_document(text, problems)
        problems.raise_first()
    except TopologyError as error:
        raise TopologyError(error.problem, place) from error
    return value


def as_text(value: Written) -> str:
    """YAML on one line from which `read_value` makes the same value."""
    plain = value.plain()
    if value.word is not None:
        return value.word
    if isinstance(plain, str) and _reads_as(plain, plain):
        return plain
    return "" if plain is None else json.dumps(plain, ensure_ascii=False)


def laid_over(root: Written, overrides: Iterable[Override], problems: Problems) -> Written:
    """The file with the overrides in it, the later ones over the earlier. What is wrong is noted."""
    for override in overrides:
        try:
            parts = list(_parts(override.key))
            root = _with(root, parts, override.value, (), override.place)
        except _NoSuchPlace as error:
            problems.add(str(error), override.place)
    return root


class _NoSuchPlace(Exception):
    """A key that names nothing, or cannot be read."""


def _parts(key: str) -> Iterator[str]:
    """`nodes.alice.with."a.b"` and `links[0].quantum` by their parts."""
    at = 0
    while at < len(key):
        found = _PART.match(key, at)
        if found is None:
            raise _NoSuchPlace(f"expected keys with dots between them, such as {_EXAMPLE}")
        yield next(part for part in found.groups() if part is not None)
        at = found.end()


def _with(here: Written, parts: list[str], new: Written, path: Path, mark: Position) -> Written:
    """`here` with the new value below it, and nothing else changed."""
    if not parts:
        return new
    if isinstance(here.value, list):
        index = _index(here, parts[0], path)
        items = list(here.items)
        items[index] = _with(items[index], parts[1:], new, (*path, index), mark)
        return Written(items, here.mark, here.key_mark)
    if not isinstance(here.value, (dict, type(None))):
        raise _NoSuchPlace(f"{dotted(path)} is {shown(here.value)}: there is no {parts[0]!r} in it")
    if here.value is None and parts[0].isdecimal():
        raise _NoSuchPlace(f"{dotted(path)} has no entries")
    key, rest = _key(here.entries, parts, path)
    below = here.entries.get(key, Written(None, mark, mark))
    entries = {**here.entries, key: _with(below, rest, new, (*path, key), mark)}
    return Written(entries, here.mark, here.key_mark)


def _key(entries: Mapping[str, Written], parts: list[str], path: Path) -> tuple[str, list[str]]:
    """The key that comes next, and the parts after it. A key that is there may itself have dots."""
    for length in range(len(parts), 0, -1):
        key = ".".join(parts[:length])
        if key in entries:
            return key, parts[length:]
    if tuple(path) == (_DOTTED,):
        return ".".join(parts), []
    if len(path) == 1 and path[0] in _NAMED:
        what = _NAMED[str(path[0])]
        raise _NoSuchPlace(f"unknown {what} {shown(parts[0])}{nearest(parts[0], entries)}")
    return parts[0], parts[1:]


def _index(section: Written, part: str, path: Path) -> int:
    """Which entry of a list is meant: by its number, its own name, or the ends of a link."""
    if part.isdecimal():
        if int(part) < len(section.items):
            return int(part)
        raise _NoSuchPlace(f"{dotted(path)} has {len(section.items)} entries, the first is 0")
    names = [_names(item) for item in section.items]
    for rank in range(max(map(len, names), default=0)):
        found = [at for at, known in enumerate(names) if part in known[rank : rank + 1]]
        if len(found) == 1:
            return found[0]
        if found:
            raise _NoSuchPlace(f"{len(found)} links join {part}: expected the name of one")
    what = "link" if tuple(path) == ("links",) else f"entry of {dotted(path)}"
    known = [known[0] for known in names if known]
    raise _NoSuchPlace(f"unknown {what} {shown(part)}{nearest(part, known)}")


def _names(entry: Written) -> list[str]:
    """What an entry of a list is called, the first of it before the others."""
    own = [entry.entries[key].named() for key in ("name", "id") if key in entry.entries]
    names = [str(each.value) for each in own if each.value is not None]
    between = entry.entries.get("between", Written([])).named()
    ends = [str(item.value) for item in between.items]
    if len(ends) == 2:
        names += [default_link_name(*ends), default_link_name(*reversed(ends))]
    return names


def _placed(value: Written, mark: Position) -> Written:
    """The value as if all of it stood at `mark`."""
    if isinstance(value.value, dict):
        below = {key: _placed(entry, mark) for key, entry in value.value.items()}
        return Written(below, mark, mark)
    if isinstance(value.value, list):
        return Written([_placed(item, mark) for item in value.value], mark, mark)
    return Written(value.value, mark, mark, value.word)


def _reads_as(text: str, plain: str) -> bool:
    try:
        return "\n" not in text and read_value(text, "").plain() == plain
    except TopologyError:
        return False


def _short(value: str) -> str:
    """A value as an error repeats it."""
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 3]}..."
