"""What is swept: parameters with their values, seeds, and the points that they span.

Owns how both are given, from Python and as text, and the order of points: the first parameter changes
slowest. Does not own what a key means (emulator/topology/written/overrides.py).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..emulator.errors import InputError
from ..emulator.topology.model.topology import MAX_SEED
from ..emulator.topology.written.overrides import as_text, read_value
from ..emulator.topology.written.positions import Position, written

SEED = "seed"
#: More points than this are a mistake in a range.
MOST_POINTS = 1_000_000
_SEEDS = re.compile(r"\s*([0-9]+)\s*(?:\.\.\s*([0-9]+)\s*)?\Z")
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*(.*?)\s*/\s*([0-9]+)\s*\Z")
_CLOSING = {"[": "]", "{": "}", "(": ")"}

#: The values of one point, by key.
Point = Mapping[str, Any]


@dataclass(frozen=True)
class Axes:
    """Values by key, in the order in which they were given; `seeds` None: the topology's own."""

    values: Mapping[str, Sequence[Any]]
    seeds: Sequence[int] | None

    def points(self) -> list[Point]:
        """Every combination; the first parameter changes slowest."""
        keys = list(self.values)
        return [
            dict(zip(keys, each, strict=True)) for each in itertools.product(*self.values.values())
        ]


def axes_of(parameters: Mapping[str, Any]) -> Axes:
    """The axes of a mapping from keys to values; a single value is an axis of one, `seed` gives the seeds.

    Raises InputError for an axis without values, a value that stands twice, and seeds that are none.
    """
    values = {key: _values(key, given) for key, given in parameters.items()}
    seeds = values.pop(SEED, None)
    count = 1
    for each in values.values():
        count *= len(each)
    if count > MOST_POINTS:
        raise InputError(f"{count:,} points: expected at most {MOST_POINTS:,}")
    return Axes(values, None if seeds is None else [_seed(each) for each in seeds])


def axis_of_text(text: str) -> tuple[str, list[Any]]:
    """`KEY=a,b,c` or `KEY=10..100 km/10` as key and values. Raises InputError."""
    key, equals, values = text.partition("=")
    key = key.strip()
    if not equals or not key:
        example = "'links.alice-bob.quantum.length=10 km,20 km'"
        raise InputError(f"--set {text}: expected KEY=VALUE,VALUE..., such as {example}")
    found = _RANGE.match(values)
    if found is not None:
        return key, _evenly(key, *found.groups())
    place = f"--set {key}"
    return key, [read_value(each, place).plain() for each in _split(values)]


def seeds_of_text(text: str) -> list[int]:
    """`0..19`, `3`, `0..9,20..29`. Raises InputError."""
    seeds: list[int] = []
    for part in text.split(","):
        found = _SEEDS.match(part)
        if found is None:
            raise InputError(f"--seeds {text}: expected seeds such as 0..19 or 1,5,9")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last - first >= MOST_POINTS:
            raise InputError(f"--seeds {text}: {first}..{last} is no range of seeds")
        seeds += range(first, last + 1)
    return seeds


def value_text(value: Any) -> str:
    """A value as a table and a command show it: YAML on one line."""
    return as_text(written(value, Position()))


def _values(key: str, given: Any) -> list[Any]:
    given = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        given = [given]
    values = [each.item() if hasattr(each, "item") else each for each in given]
    if not values:
        raise InputError(f"{key}: there are no values to sweep over")
    shown = [repr(each) for each in values]
    twice = next((each for at, each in enumerate(shown) if each in shown[:at]), None)
    if twice is not None:
        raise InputError(f"{key}: {twice} stands twice among the values")
    return values


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SEED:
        raise InputError(f"seed: expected whole numbers from 0 to {MAX_SEED}, found {value!r}")
    return value


def _evenly(key: str, first: str, last: str, unit: str, count: str) -> list[Any]:
    """So many values, evenly spaced, both ends among them."""
    low, high, number = float(first), float(last), int(count)
    if not 2 <= number <= MOST_POINTS:
        raise InputError(f"--set {key}: a range has at least 2 values, not {count}")
    texts = [f"{low + (high - low) * at / (number - 1):.12g}" for at in range(number)]
    return [read_value(f"{each} {unit}".strip(), f"--set {key}").plain() for each in texts]


def _split(text: str) -> Iterator[str]:
    """The parts between commas that are neither in brackets nor in quotes."""
    expected: list[str] = []
    part = ""
    for character in text:
        if expected and character == expected[-1]:
            expected.pop()
        elif character in _CLOSING and not (expected and expected[-1] in "\"'"):
            expected.append(_CLOSING[character])
        elif character in "\"'" and not part.strip():
            expected.append(character)
        elif character == "," and not expected:
            yield part
            part = ""
            continue
        part += character
    yield part
