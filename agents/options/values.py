"""Single values of a node's options: numbers, words, paths, durations, arrays; and what stands round a type.

Owns what a value without fields or items may be for each annotation, and how a type is named in an error.
Does not own lists, mappings and classes with fields (fitting.py).
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import operator
import os
import re
import sys
import typing
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from ...emulator.errors import UnitError
from ...emulator.units import LAST_NS, parse_ns, quoted
from ..secret import Secret
from ..tracebacks import headline
from .suggestions import instead


class InSeconds:
    """Marks a float that is written as a time with its unit."""

    def __repr__(self) -> str:
        return "Seconds"


class InNanoseconds:
    """Marks an int that is written as a time with its unit."""

    def __repr__(self) -> str:
        return "Nanoseconds"


#: Annotation of an option that is a duration: `"3 ms"` in the file, 0.003 in the program, for asyncio.
Seconds = Annotated[float, InSeconds()]
#: The same in whole nanoseconds: 3_000_000 in the program, as `now_ns` counts.
Nanoseconds = Annotated[int, InNanoseconds()]

Path = tuple[str | int, ...]
#: What stands before the name of a type, and says nothing to its author.
_MODULES = re.compile(r"\btyping\.|\bqnetem_programs[\w.]*\.")


class Misfit(Exception):
    """A value does not fit; `at_key`: it is the last key of `path` that is wrong."""

    def __init__(self, problem: str, path: Path, at_key: bool = False) -> None:
        self.problem, self.path, self.at_key = problem, path, at_key
        super().__init__(problem)


def unwrapped(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type inside Annotated, NewType, Required, Final, ... and what annotates it."""
    extras: tuple[Any, ...] = ()
    while True:
        if get_origin(hint) is Annotated:
            extras += hint.__metadata__
            hint = hint.__origin__
        elif get_origin(hint) in (typing.Required, typing.NotRequired, typing.Final):
            hint = get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        elif isinstance(hint, typing.TypeVar):
            constraints = hint.__constraints__
            hint = functools.reduce(operator.or_, constraints or (hint.__bound__ or Any,))
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint, extras


def scalar(origin: Any, hint: Any, value: Any, path: Path, folder: str) -> Any:
    """A value without parts as `hint` says, whose type is `origin`. Raises Misfit."""
    if origin is Literal:
        choices = get_args(unwrapped(hint)[0])
        return choices[_choice(choices, value, path)]
    if origin is complex:
        return _complex(value, path)
    if origin is Secret:
        problem = "a Secret comes from no option, because options are recorded as they are written"
        raise Misfit(f"{problem}: make it in the program", path)
    if isinstance(origin, type):
        if issubclass(origin, enum.Enum):
            at = _choice([member.value for member in origin], value, path)
            return list(origin)[at]
        if issubclass(origin, PurePath):
            return _path(origin, value, path, folder)
        numpy = sys.modules.get("numpy")  # an annotation of its type has imported it
        if numpy is not None and issubclass(origin, (numpy.ndarray, numpy.generic)):
            return _array(numpy, unwrapped(hint)[0], value, path)
    return leaf(hint, value, path)


def leaf(hint: Any, value: Any, path: Path) -> Any:
    """What msgspec makes of a value. Raises Misfit."""
    try:
        return msgspec.convert(value, hint)
    except (msgspec.ValidationError, TypeError) as error:
        is_word = unwrapped(hint)[0] is str and isinstance(value, (bool, int, float, type(None)))
        quotes = ": put it in quotes if it is text" if is_word else ""
        raise Misfit(f"{error}{quotes}{_unless_a_time(hint, value)}", path) from error


def _unless_a_time(hint: Any, value: Any) -> str:
    """What to write where a time stands and a plain number is asked for."""
    word = {float: "Seconds", int: "Nanoseconds"}.get(unwrapped(hint)[0])
    if word is None or not isinstance(value, str):
        return ""
    try:
        parse_ns(value)
    except UnitError:
        return ""
    return f": annotate it with qnetem.{word} to take a time such as {quoted(value)}"


def _choice(choices: Sequence[Any], value: Any, path: Path) -> int:
    """Which of them it is: of its type too, so that true is not 1."""
    for at, choice in enumerate(choices):
        if type(choice) is type(value) and choice == value:
            return at
    known = [str(choice) for choice in choices]
    raise Misfit(f"{quoted(value)} is no choice{instead(str(value), known, 'expected')}", path)


def _complex(value: Any, path: Path) -> complex:
    try:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return complex(value)
    except ValueError:
        pass
    raise Misfit(f"expected a number such as '1+2j', found {quoted(value)}", path)


def _path(cls: Any, value: Any, path: Path, folder: str) -> PurePath:
    if not isinstance(value, str) or not value or "\0" in value:
        raise Misfit(f"expected the path of a file or folder, found {quoted(value)}", path)
    found: PurePath = cls(os.path.abspath(os.path.join(folder, value)))
    return found


def duration(extras: Sequence[Any], value: Any, path: Path) -> float | None:
    """A duration in what annotates its type: seconds, or ns as an int; None if no duration is meant."""
    for extra in extras:
        if isinstance(extra, InSeconds):
            return _time_ns(value, path) / 1e9
        if isinstance(extra, InNanoseconds):
            return _time_ns(value, path)
    return None


def _time_ns(value: Any, path: Path) -> int:
    try:
        time_ns = parse_ns(value)
    except UnitError as error:
        raise Misfit(str(error), path) from error
    if not 0 <= time_ns <= LAST_NS:
        raise Misfit(f"expected a time from 0 s to 292 years, found {quoted(value)}", path)
    return time_ns


def _array(numpy: Any, hint: Any, value: Any, path: Path) -> Any:
    """An array, or a scalar of numpy; numbers must survive the conversion to its dtype."""
    is_array = issubclass(get_origin(hint) or hint, numpy.ndarray)
    dtype = _dtype(hint) if is_array else hint
    try:
        given = numpy.array(value)
        found = given if dtype is None else given.astype(dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise Misfit(f"expected numbers: {headline(error)}", path) from error
    same = given.dtype.kind == found.dtype.kind or numpy.array_equal(given, found)
    is_changed = found.dtype.kind in "biu" and not numpy.array_equal(given, found)
    is_bool = given.dtype.kind == "b" and found.dtype.kind != "b"
    if given.dtype.kind in "OUS" or (given.ndim > 0) is not is_array or is_changed or is_bool:
        raise Misfit(f"expected {type_text(hint)}, found {quoted(value)}", path)
    if not same and found.dtype.kind not in "fc":
        raise Misfit(f"expected {type_text(hint)}, found {quoted(value)}", path)
    return found if is_array else found[()]


def _dtype(hint: Any) -> Any:
    """The dtype of `NDArray[float64]`; None if the annotation leaves it open."""
    arguments = get_args(hint)
    inside = get_args(arguments[1]) if len(arguments) > 1 else ()
    return inside[0] if inside and isinstance(inside[0], type) else None


def type_text(hint: Any) -> str:
    """A type as an error names it."""
    if get_origin(hint) is Annotated:
        for extra in hint.__metadata__:
            if isinstance(extra, (InSeconds, InNanoseconds)):
                return repr(extra)
    if get_origin(hint) is None and isinstance(hint, type):
        return hint.__name__
    return _MODULES.sub("", str(hint))
