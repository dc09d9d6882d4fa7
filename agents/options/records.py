"""Classes with fields, as options may be annotated with: dataclasses, Structs, TypedDicts, NamedTuples.

Owns which fields a class takes, under which key, of which type and whether it must be given; and the
namespace in which annotations that are text are evaluated. Does not convert values (fitting.py).
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec

from ...emulator.errors import ProgramError
from ..tracebacks import headline

if TYPE_CHECKING:
    from ..agent import Agent


@dataclass(frozen=True)
class Field:
    """A field: the argument it is given as, its type, and whether the class cannot do without it."""

    name: str
    hint: Any
    required: bool


@dataclass(frozen=True)
class Names:
    """What the names in annotations that are text stand for, beside those of a class's own module."""

    module: Mapping[str, Any]
    inner: dict[str, Any]

    @classmethod
    def around(cls, program: type[Agent]) -> Names:
        """Names that stand in the program's module, in its class, or round it in a function."""
        run = inspect.unwrap(program.run)
        inner: dict[str, Any] = {}
        for base in reversed(program.__mro__[:-1]):
            inner.update(vars(base))
        cells = zip(run.__code__.co_freevars, run.__closure__ or (), strict=True)
        inner.update({name: cell.cell_contents for name, cell in cells if _is_full(cell)})
        return cls(run.__globals__, inner)


def hints_of(what: str, annotations: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Annotations with their text evaluated. Raises ProgramError, which calls their owner `what`."""
    holder = SimpleNamespace(__annotations__=dict(annotations))
    try:
        return typing.get_type_hints(holder, dict(names.module), names.inner, include_extras=True)
    except Exception as error:  # whatever the user's annotation raises when it is evaluated
        raise ProgramError(f"the annotations of {what}: {headline(error)}") from error


def fields_of(plain: Any, names: Names) -> dict[str, Field] | None:
    """The fields of a class by the key they are written under; None for what has no fields."""
    cls = get_origin(plain) or plain
    if not isinstance(cls, type):
        return None
    hints = None
    if typing.is_typeddict(cls):
        hints = _hints(cls, names)
        return {
            name: Field(name, hint, _is_required(cls, name, hint)) for name, hint in hints.items()
        }
    if issubclass(cls, msgspec.Struct):
        if cls.__struct_config__.array_like:
            return None
        return _struct_fields(cls, _substituted(plain, _hints(cls, names)))
    is_tuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
    if dataclasses.is_dataclass(cls) or is_tuple or hasattr(cls, "__attrs_attrs__"):
        return _signature_fields(cls, _substituted(plain, _hints(cls, names)))
    return None


def tag_of(cls: Any) -> tuple[str, str | int | None]:
    """The key and the value that distinguish a tagged Struct from others; ("", None) for all else."""
    config = getattr(cls, "__struct_config__", None)
    if config is None or config.tag is None:
        return "", None
    return config.tag_field, config.tag


def _hints(cls: type, names: Names) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__[:-1]):
        module = vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {}
        around = Names({**names.module, **module}, {**names.inner, **vars(base)})
        hints.update(hints_of(cls.__name__, inspect.get_annotations(base), around))
    return hints


def _struct_fields(cls: type[msgspec.Struct], hints: dict[str, Any]) -> dict[str, Field]:
    names, keys, defaults = (
        cls.__struct_fields__,
        cls.__struct_encode_fields__,
        cls.__struct_defaults__,
    )
    given = [msgspec.NODEFAULT] * (len(names) - len(defaults)) + list(defaults)
    return {
        key: Field(name, hints.get(name, Any), default is msgspec.NODEFAULT)
        for name, key, default in zip(names, keys, given, strict=True)
    }


def _signature_fields(cls: type, hints: dict[str, Any]) -> dict[str, Field]:
    return {
        name: Field(name, hints.get(name, Any), parameter.default is parameter.empty)
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


def _is_required(cls: Any, name: str, hint: Any) -> bool:
    if get_origin(hint) in (typing.Required, typing.NotRequired):  # where the annotation is text
        return get_origin(hint) is typing.Required
    return name in cls.__required_keys__


def _substituted(plain: Any, hints: dict[str, Any]) -> dict[str, Any]:
    """The types of fields of `Box[int]`: its variables replaced."""
    arguments = get_args(plain)
    if not arguments:
        return hints
    values = dict(zip(get_origin(plain).__parameters__, arguments, strict=False))
    return {name: _replaced(hint, values) for name, hint in hints.items()}


def _replaced(hint: Any, values: dict[Any, Any]) -> Any:
    if hint in values:
        return values[hint]
    inside = getattr(hint, "__parameters__", ())
    is_generic = inside and get_origin(hint) is not None
    return hint[tuple(values.get(each, each) for each in inside)] if is_generic else hint


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a name that has no value yet
        return False
