"""Where things stand in a topology file: values that know their line and column.

Owns the tree of written values (`Written`) and the two things done with it: finding the place of a path,
and merging one layer over another. Does not read YAML (document.py) nor know what keys mean (model/).

Rule: a value keeps the place where the user wrote it, through every merge, so that an error in a merged
node points to the line that is wrong, be it in `defaults`, in a preset or in the node itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Scalar = str | int | float | bool | None
#: Steps from the root of a file to a value: keys of mappings and indices of lists.
Path = Sequence[str | int]


class Position(NamedTuple):
    """A place in a file; line and column count from 1, and are 0 when unknown.

    Values of one file leave `file` empty: their positions get it when they leave the tree (`of`). What
    stands in no file, such as an override, has no line, and its name in place of the file's.
    """

    line: int = 0
    column: int = 0
    file: str = ""

    def of(self, file: str) -> Position:
        """The same place, with the file's name. A place that is in no file has a name of its own."""
        return self if self.file else self._replace(file=file)

    @property
    def within(self) -> str:
        """`line 3`, or the name of what has no lines."""
        return f"line {self.line}" if self.line or not self.file else self.file

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


NOWHERE = Position()


@dataclass(slots=True)
class Written:
    """A value as it stands in a file. `key_mark` is the place of its key, if it stands under one."""

    value: Scalar | list[Written] | dict[str, Written]
    mark: Position = NOWHERE
    key_mark: Position | None = None
    #: What was written, where YAML reads a boolean or null in it and a name may be meant.
    word: str | None = None

    @property
    def entries(self) -> dict[str, Written]:
        """The entries of a mapping; none for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Written]:
        """The items of a list; none for anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def best_mark(self) -> Position:
        """Where to point: a scalar's own place, but the key of a mapping or list."""
        if isinstance(self.value, (dict, list)) and self.key_mark is not None:
            return self.key_mark
        return self.mark

    def plain(self) -> Any:
        """The value without places, as JSON knows it."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def named(self) -> Written:
        """As it is where names stand: `true`, `null` and their like are words. Numbers stay numbers."""
        if isinstance(self.value, dict):
            entries = {key: entry.named() for key, entry in self.value.items()}
            return Written(entries, self.mark, self.key_mark)
        if isinstance(self.value, list):
            return Written([item.named() for item in self.value], self.mark, self.key_mark)
        return self if self.word is None else Written(self.word, self.mark, self.key_mark)

    def child(self, step: str | int) -> Written | None:
        """The value under a key or index, or None."""
        if isinstance(self.value, dict):
            return self.value.get(str(step))
        if isinstance(self.value, list) and isinstance(step, int):
            return self.value[step] if 0 <= step < len(self.value) else None
        return None

    def nearest(self, path: Path) -> Written:
        """The value at `path`, or its nearest ancestor that stands in the file."""
        here = self
        for step in path:
            below = here.child(step)
            if below is None:
                break
            here = below
        return here


def within(root: Written | None, *keys: str) -> Written | None:
    """The value under nested keys, or None if the file does not say it."""
    here = root
    for key in keys:
        here = here.entries.get(key) if here is not None else None
    return here


def written(value: Any, mark: Position) -> Written:
    """Plain data as if the user had written it at `mark` (built-in defaults and presets)."""
    if isinstance(value, dict):
        return Written({key: written(entry, mark) for key, entry in value.items()}, mark, mark)
    if isinstance(value, list):
        return Written([written(item, mark) for item in value], mark, mark)
    return Written(value, mark, mark)


def merged(below: Written | None, above: Written | None) -> Written | None:
    """`above` over `below`: mappings entry by entry, everything else replaced.

    A key with nothing behind it replaces a scalar (`t2:` is "no T2") but leaves a mapping as it is.
    """
    if below is None or above is None:
        return above if below is None else below
    if not isinstance(below.value, dict):
        return above
    if above.value is None:
        return Written(below.value, above.mark, above.key_mark)
    if not isinstance(above.value, dict):
        return above
    entries = dict(below.value)
    for key, entry in above.value.items():
        entries[key] = merged(entries.get(key), entry) or entry
    return Written(entries, above.mark, above.key_mark)
