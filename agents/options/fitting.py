"""A node's `with` as the arguments of its program's `run()`, converted by the annotations at any depth.

Owns which annotations are understood, what a value of each may be, and the place of a value that does not
fit: its path below `with`. Does not import programs (program.py) and does not know lines and columns
(qnetem/checks.py gives a path its position in the file).

Rule: what is written is used or refused. A key that no field takes is an error at that key, however deep it
stands. Values are plain data, as YAML has them; nothing is converted from text but what only text can say
(paths, durations, dates, complex numbers).
"""

from __future__ import annotations

import collections
import collections.abc
import inspect
import os
import sys
import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import msgspec

from ...emulator.errors import ProgramError
from ...emulator.units import quoted
from ..tracebacks import headline
from .records import Field, Names, fields_of, hints_of, tag_of
from .suggestions import instead
from .values import Misfit, Path, duration, leaf, scalar, type_text, unwrapped

if TYPE_CHECKING:
    from ..agent import Agent

_LISTS: dict[Any, Any] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.deque: collections.deque,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
}
_MAPPINGS: dict[Any, Any] = {
    dict: dict,
    collections.OrderedDict: collections.OrderedDict,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
}


def fit_options(
    program: type[Agent], options: dict[str, Any], folder: str | os.PathLike[str] = ""
) -> dict[str, Any]:
    """`options` (YAML `with`) as keyword arguments of `program.run`, converted by its annotations.

    `folder`: what relative paths are relative to, as program files are. Raises ProgramError that names the
    option and what was expected; its `path` leads to what is wrong.
    """
    parameters = _parameters(program)
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    rest = next((p for p in parameters if p.kind is p.VAR_KEYWORD), None)
    run = f"{program.__name__}.run()"
    for parameter in parameters:
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise ProgramError(f"{run} takes {parameter.name!r} by position: options go by name")
    for name in options:
        if name not in named and (rest is None or _is_taken(program, name)):
            problem = f"{run} takes no {name!r}{instead(name, named, 'it takes')}"
            raise ProgramError(problem, (name,), at_key=True)
    for parameter in parameters:
        required = parameter.name in named and parameter.default is parameter.empty
        if required and parameter.name not in options:
            raise ProgramError(f"{run} needs {parameter.name!r}")
    annotations = {p.name: p.annotation for p in parameters}
    fitter = _Fitter(program, str(folder))
    return {
        name: fitter.option(
            name, value, annotations[name if name in named or not rest else rest.name]
        )
        for name, value in options.items()
    }


def _parameters(program: type[Agent]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(program.run).parameters.values())
    is_bound = isinstance(inspect.getattr_static(program, "run"), (staticmethod, classmethod))
    return parameters if is_bound else parameters[1:]


def _is_taken(program: type[Agent], name: str) -> bool:
    """Whether `run(**{name: ...})` collides with a parameter that goes by position, such as `self`."""
    return name in inspect.signature(program.run).parameters


class _Fitter:
    """Fits the options of one program."""

    def __init__(self, program: type[Agent], folder: str) -> None:
        self._program, self._folder = program, folder
        self._names = Names.around(program)

    def option(self, name: str, value: Any, annotation: Any) -> Any:
        """One option. Raises ProgramError."""
        if annotation is inspect.Parameter.empty:
            return value
        run = self._program.__name__ + ".run"
        hint = hints_of(f"{run}()", {name: annotation}, self._names)[name]
        try:
            return self.fit(hint, value, (name,))
        except Misfit as misfit:
            path, problem = misfit.path, misfit.problem
            where = f"{_dotted(path)}: " if len(path) > 1 else ""
            short = f" does not take {quoted(value)}" if len(path) == 1 else ""
            raise ProgramError(
                f"{run}({name}: {type_text(hint)}){short}: {where}{problem}", path, misfit.at_key
            ) from misfit.__cause__
        except RecursionError as error:
            raise ProgramError(f"{run}({name}): nested too deeply", (name,)) from error

    def fit(self, hint: Any, value: Any, path: Path) -> Any:
        """`value` as what `hint` says. Raises Misfit."""
        plain, extras = unwrapped(hint)
        time = duration(extras, value, path)
        if time is not None:
            return time
        if plain in (Any, object) or isinstance(plain, str):
            return value
        origin = get_origin(plain) or plain
        if origin in (Union, types.UnionType):
            return self._one_of(get_args(plain), value, path)
        metas = tuple(extra for extra in extras if isinstance(extra, msgspec.Meta))
        found = self._structure(origin, plain, value, path)
        if found is not _NO_STRUCTURE:
            return leaf(Annotated[(type(found), *metas)], found, path) if metas else found
        single = Annotated[(plain, *metas)] if metas else plain
        return scalar(origin, single, value, path, self._folder)

    def _structure(self, origin: Any, plain: Any, value: Any, path: Path) -> Any:
        """A list, a mapping, or a class with fields; _NO_STRUCTURE if `plain` is none of them."""
        arguments = get_args(plain)
        if origin is tuple:
            return self._tuple(arguments, value, path)
        if origin in _LISTS:
            item = arguments[0] if arguments else Any
            return _made(_LISTS[origin], self._items(item, value, path), path)
        if origin in _MAPPINGS:
            return _MAPPINGS[origin](self._mapping(arguments or (Any, Any), value, path))
        if _is_model(origin):
            return self._model(origin, value, path)
        fields = fields_of(plain, self._names)
        return _NO_STRUCTURE if fields is None else self._record(origin, fields, value, path)

    def _items(self, hint: Any, value: Any, path: Path) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise Misfit(f"expected a list, found {quoted(value)}", path)
        return [self.fit(hint, item, (*path, at)) for at, item in enumerate(value)]

    def _tuple(self, arguments: tuple[Any, ...], value: Any, path: Path) -> tuple[Any, ...]:
        if not arguments or arguments[-1] is Ellipsis:
            return tuple(self._items(arguments[0] if arguments else Any, value, path))
        items = self._items(Any, value, path)
        if len(items) != len(arguments):
            raise Misfit(f"expected {len(arguments)} items, found {len(items)}", path)
        return tuple(
            self.fit(hint, item, (*path, at))
            for at, (hint, item) in enumerate(zip(arguments, items, strict=True))
        )

    def _mapping(self, arguments: tuple[Any, ...], value: Any, path: Path) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise Misfit(f"expected a mapping, found {quoted(value)}", path)
        key_hint, hint = arguments
        return {
            self._key(key_hint, key, (*path, key)): self.fit(hint, item, (*path, key))
            for key, item in value.items()
        }

    def _key(self, hint: Any, key: Any, path: Path) -> Any:
        """A key, which is text in YAML and may stand for a number."""
        try:
            if unwrapped(hint)[0] in (int, float):
                return msgspec.convert(key, hint, strict=False)
            return self.fit(hint, key, path)
        except msgspec.ValidationError as error:
            raise Misfit(str(error), path, at_key=True) from error
        except Misfit as misfit:
            raise Misfit(misfit.problem, path, at_key=True) from misfit.__cause__

    def _record(self, cls: Any, fields: dict[str, Field], value: Any, path: Path) -> Any:
        if isinstance(value, (list, tuple)) and issubclass(cls, tuple):  # a NamedTuple
            if len(value) > len(fields):
                raise Misfit(f"expected {len(fields)} items, found {len(value)}", path)
            value = dict(zip(fields, value, strict=False))
        if not isinstance(value, Mapping):
            raise Misfit(f"expected a mapping, found {quoted(value)}", path)
        key, tag = tag_of(cls)
        if tag is not None and value.get(key, tag) != tag:
            raise Misfit(f"expected {tag!r}, found {quoted(value[key])}", (*path, key))
        given = {name: item for name, item in value.items() if tag is None or name != key}
        _refuse_unknown(given, list(fields), path)
        for name, field in fields.items():
            if field.required and name not in given:
                raise Misfit(f"{name!r} is missing", path)
        arguments = {
            fields[name].name: self.fit(fields[name].hint, item, (*path, name))
            for name, item in given.items()
        }
        return _made(lambda found: cls(**found), arguments, path)

    def _model(self, cls: Any, value: Any, path: Path) -> Any:
        """A pydantic model, by its own rules; but a key that it would ignore is refused."""
        if isinstance(value, Mapping):
            fields = {}
            for name, field in cls.model_fields.items():
                aliases = (name, field.alias, field.validation_alias)
                fields.update({key: field for key in aliases if isinstance(key, str)})
            if cls.model_config.get("extra") != "allow":
                _refuse_unknown(value, list(fields), path)
            for key in value.keys() & fields.keys():
                try:
                    self.fit(fields[key].annotation, value[key], (*path, key))
                except Misfit as misfit:
                    if misfit.at_key:
                        raise
        try:
            return cls.model_validate(value)
        except ValueError as error:  # pydantic's, which says where
            found: Any = error
            first = (
                found.errors()[0] if hasattr(error, "errors") else {"loc": (), "msg": str(error)}
            )
            raise Misfit(str(first["msg"]), (*path, *first["loc"])) from error

    def _one_of(self, members: Sequence[Any], value: Any, path: Path) -> Any:
        """The first member that fits, those of the value's own type first."""
        if value is None and types.NoneType in members:
            return None
        others = [member for member in members if member is not types.NoneType]
        others = [member for member in others if _has_tag(member, value)] or others
        misfits: list[Misfit] = []
        for member in sorted(others, key=lambda member: unwrapped(member)[0] is not type(value)):
            try:
                if len(others) > 1:
                    _require_tag(member, value, path)
                return self.fit(member, value, path)
            except Misfit as misfit:
                misfits.append(misfit)
        best = max(misfits, key=lambda misfit: (len(misfit.path), "did you mean" in misfit.problem))
        if len(misfits) > 1 and best.path == path and not best.at_key:
            choices = " or ".join(type_text(member) for member in others)
            raise Misfit(f"expected {choices}, found {quoted(value)}", path)
        raise best


_NO_STRUCTURE = object()


def _refuse_unknown(value: Mapping[Any, Any], known: list[str], path: Path) -> None:
    for key in value:
        if key not in known:
            problem = f"unknown key {quoted(key)}{instead(str(key), known, 'it has')}"
            raise Misfit(problem, (*path, key), at_key=True)


def _has_tag(member: Any, value: Any) -> bool:
    """Whether the value says that it is this one of several tagged Structs."""
    key, tag = tag_of(unwrapped(member)[0])
    return tag is not None and isinstance(value, Mapping) and value.get(key) == tag


def _require_tag(member: Any, value: Any, path: Path) -> None:
    key, tag = tag_of(unwrapped(member)[0])
    if tag is not None and isinstance(value, Mapping) and key not in value:
        raise Misfit(f"{key!r} is missing", path)


def _made(build: Any, parts: Any, path: Path) -> Any:
    """What the user's class makes of its parts; it may refuse them."""
    try:
        return build(parts)
    except Exception as error:  # whatever the user's class raises
        raise Misfit(headline(error), path) from error


def _is_model(cls: Any) -> bool:
    pydantic = sys.modules.get("pydantic")  # an annotation of its type has imported it
    return pydantic is not None and isinstance(cls, type) and issubclass(cls, pydantic.BaseModel)


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
