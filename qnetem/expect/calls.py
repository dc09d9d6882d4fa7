"""Calls of functions from an expression: arguments checked by name and by annotation, results as numbers.

Owns what an argument of each annotation may be, and the wording where one does not fit. Does not own
which functions there are (predictions.py, arithmetic.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ..emulator.errors import InputError
from ..emulator.suggestions import did_you_mean

#: Names of tuples in the closed forms -> how many numbers.
_TUPLES = {"Two": 2, "BellWeights": 4}


def bound(
    name: str, function: Callable[..., Any], arguments: Sequence[Any], named: dict[str, Any]
) -> Callable[[], Any]:
    """The call with its arguments converted. Raises InputError, which names the argument.

    The function itself raises what it raises.
    """
    signature = _signature(function)
    for key in named:
        if key not in signature.parameters:
            known = list(signature.parameters)
            hint = did_you_mean(key, known) or f"; it takes {', '.join(known) or 'none'}"
            raise InputError(f"{name}() has no argument {key!r}{hint}")
    try:
        taken = signature.bind(*arguments, **named)
    except TypeError as error:
        raise InputError(f"{written(name, signature)}: {error}") from error
    for key, value in taken.arguments.items():
        parameter = signature.parameters[key]
        what = f"{name}({key})"
        if parameter.kind is parameter.VAR_POSITIONAL:
            taken.arguments[key] = tuple(_fit(what, parameter.annotation, one) for one in value)
        else:
            taken.arguments[key] = _fit(what, parameter.annotation, value)
    return lambda: _result(name, function(*taken.args, **taken.kwargs))


def written(name: str, signature: inspect.Signature) -> str:
    """`werner_chain(fidelity, pairs, gate=1.0, measurement=1.0)`."""
    parts = []
    for parameter in signature.parameters.values():
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        is_open = parameter.default is parameter.empty
        parts.append(f"{star}{parameter.name}" + ("" if is_open else f"={parameter.default!r}"))
    return f"{name}({', '.join(parts)})"


def number(value: object) -> float:
    """A number as a float. Raises InputError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{value!r} is not a number")
    try:
        return float(value)
    except OverflowError as error:
        raise InputError("a number is too large") from error


@cache
def _signature_of(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return _signature_of(function)
    except TypeError:  # not hashable: the method of a value
        return inspect.signature(function)


def _fit(what: str, annotation: Any, value: Any) -> Any:
    """An argument as the function expects it."""
    kind = str(annotation).removesuffix(" | None")  # which is left out where it is nothing
    if annotation is inspect.Parameter.empty or kind == "Any":
        return value
    if kind in ("float", "int"):
        return _fit_number(what, kind, value)
    if kind in ("bool", "str"):
        if type(value).__name__ != kind:
            wanted = "true or false" if kind == "bool" else "text in quotes"
            raise InputError(f"{what} is {wanted}, not {value!r}")
        return value
    if kind.startswith("Callable"):
        if not callable(value):
            raise InputError(f"{what} is a function such as `lambda x: ...`, not {value!r}")
        return value
    if kind in _TUPLES or kind.startswith(("tuple[", "list[")):
        return _fit_tuple(what, kind, value)
    if type(value).__name__ != kind:
        raise InputError(f"{what} is what {kind}(...) gives, not {value!r}")
    return value


def _fit_number(what: str, kind: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, float):
        raise InputError(f"{what} is a number, not {value!r}")
    if kind == "float":
        return value
    if not value.is_integer():
        raise InputError(f"{what} is a whole number, not {value:g}")
    return int(value)


def _fit_tuple(what: str, kind: str, value: Any) -> Any:
    is_fixed = kind.startswith("tuple[") and "..." not in kind
    count = _TUPLES.get(kind) or (kind.count("float") if is_fixed else None)
    is_right = isinstance(value, tuple) and count in (None, len(value))
    if not is_right or not all(type(one) is float for one in value):
        wanted = "numbers" if count is None else f"{count} numbers"
        raise InputError(f"{what} is {wanted} in brackets such as (0.5, 0.1), not {value!r}")
    return list(value) if kind.startswith("list[") else value


def _result(name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_result(name, one) for one in value)
    if value is None:
        raise InputError(f"{name}() gives nothing for these arguments: there is no such number")
    if isinstance(value, (bool, str)):
        return value
    return number(value) if isinstance(value, (int, float)) else value
