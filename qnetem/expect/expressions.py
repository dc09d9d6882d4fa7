"""Arithmetic that a topology may write: numbers, `+ - * / **`, and calls of named functions.

Owns the reading of such an expression into a value. Does not own which functions and names there are (they
are arguments; arithmetic.py has those that every expression knows) nor what the number means. Rule: the text
is data. It is walked as a syntax tree that knows constants, tuples, the five operators, signs, calls by plain
name, and the public fields and methods of what a function gives; everything else is refused.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from ..emulator.errors import InputError, QnetemError
from ..emulator.suggestions import did_you_mean
from .arithmetic import FUNCTIONS, constants
from .calls import bound, number

Value = float | str | bool
Functions = Mapping[str, Callable[..., Any]]
Names = Mapping[str, Any]

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
#: Deeper or longer than anything a person writes; the walk is recursive.
_LONGEST = 1000
_DEEPEST = 50


class NoValue(InputError):
    """The expression can be read, and has no value where it was asked: a division by zero, say."""


class Expression:
    """A text that was read once, for many values of its names.

    `functions` come beside those of arithmetic.py. Raises InputError for a text that is none.
    """

    def __init__(self, text: str, functions: Functions) -> None:
        self.text = text.strip()
        self._tree = _parse(self.text)
        self._functions = {**FUNCTIONS, **functions}

    def value(self, **variables: float) -> Value:
        """A finite number, a text, or true/false. Raises InputError, NoValue."""
        reader = _Reader(self._functions, {**constants(), **variables})
        try:
            value = reader.walk(self._tree, _DEEPEST)
        except InputError as error:
            error.within = (self.text, 0 if error.within is None else error.within[1])
            raise
        if isinstance(value, tuple):
            choices = ", ".join(f"[{at}]" for at in range(len(value)))
            raise InputError(f"{self.text!r} gives {len(value)} values: choose one with {choices}")
        if not isinstance(value, (float, str, bool)):
            fields = ", ".join(f".{name}" for name in _fields_of(value))
            raise InputError(f"{self.text!r} is no number: choose one with {fields}")
        if isinstance(value, float) and not math.isfinite(value):
            raise NoValue(f"{self.text!r} is {value}, not a finite number")
        return value


def evaluate(text: str, functions: Functions) -> Value:
    """The value of `text`: a finite number, a quoted string, or true/false.

    Raises InputError, which names the part that cannot be read and the nearest known function.
    """
    return Expression(text, functions).value()


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name closest to `name`, or what is known, or nothing."""
    names = sorted(known)
    if hint := did_you_mean(name, names):
        return hint
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; known: {shown}" if names else ""


def _parse(text: str) -> ast.expr:
    if len(text) > _LONGEST:
        raise InputError(f"an expression of {len(text)} characters is too long")
    try:
        with warnings.catch_warnings(action="ignore"):  # "1or 2": what it reads as is checked below
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        unread = InputError(f"cannot read {text!r} as a number or a closed form")
        unread.within = (text, max(0, (getattr(error, "offset", None) or 1) - 1))
        raise unread from error


class _Reader:
    """Walks a tree with these functions and names."""

    def __init__(self, functions: Functions, names: Names) -> None:
        self._functions, self._names = functions, names

    def walk(self, node: ast.expr, depth: int) -> Any:
        """The value of a part: also a tuple, or what a function gives.

        Raises InputError, NoValue, which know the innermost part that is wrong.
        """
        try:
            return self._walk(node, depth)
        except InputError as error:
            if error.within is None:
                error.within = ("", node.col_offset)
            raise

    def _walk(self, node: ast.expr, depth: int) -> Any:
        if depth == 0:
            raise InputError("the expression is nested too deeply")
        match node:
            case ast.Constant(value=bool() | str()):
                return node.value
            case ast.Constant(value=int() | float()):
                return number(node.value)
            case ast.Name(id=word):
                return self._name(word)
            case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
                operand = self._operand(node.operand, depth)
                return -operand if isinstance(node.op, ast.USub) else operand
            case ast.BinOp():
                return self._binary(node, depth)
            case ast.Call():
                return self._call(node, depth)
            case ast.Tuple(elts=parts):
                return tuple(self.walk(part, depth - 1) for part in parts)
            case ast.Subscript():
                return self._item(node, depth)
            case ast.Attribute():
                return self._field(node, depth)
        raise InputError(
            f"{ast.unparse(node)!r} is not a number, text, arithmetic or a function call"
        )

    def _name(self, word: str) -> Any:
        if word in self._names:
            return self._names[word]
        if word in self._functions:
            raise InputError(f"{word} is a function: write {word}(...)")
        known = [*self._functions, *self._names]
        raise InputError(f"unknown name {word!r} (text needs quotes){nearest(word, known)}")

    def _operand(self, node: ast.expr, depth: int) -> float:
        value = self.walk(node, depth - 1)
        if isinstance(value, bool) or not isinstance(value, float):
            raise InputError(f"{ast.unparse(node)!r} is not a number")
        return value

    def _binary(self, node: ast.BinOp, depth: int) -> float:
        apply = _BINARY.get(type(node.op))
        if apply is None:
            raise InputError(f"{ast.unparse(node)!r}: only + - * / ** are known")
        left, right = (self._operand(side, depth) for side in (node.left, node.right))
        try:
            return apply(left, right)
        except (ArithmeticError, ValueError) as error:
            raise NoValue(f"{ast.unparse(node)!r} has no value: {error}") from error

    def _item(self, node: ast.Subscript, depth: int) -> Any:
        value = self.walk(node.value, depth - 1)
        match node.slice:
            case ast.Constant(value=int(at)) if isinstance(value, tuple) and at < len(value):
                return value[at]
        raise InputError(f"{ast.unparse(node)!r}: no such value")

    def _field(self, node: ast.Attribute, depth: int) -> Any:
        value = self.walk(node.value, depth - 1)
        if node.attr not in _fields_of(value):
            raise InputError(f"{ast.unparse(node)!r}{nearest(node.attr, _fields_of(value))}")
        found = getattr(value, node.attr)
        return float(found) if type(found) is int else found  # all numbers are floats here

    def _call(self, node: ast.Call, depth: int) -> Any:
        name, function = self._function(node.func, depth)
        if any(isinstance(argument, ast.Starred) for argument in node.args):
            raise InputError(f"{name}: a starred argument is not allowed here")
        arguments = [self._argument(argument, depth) for argument in node.args]
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise InputError(f"{name}: a starred argument is not allowed here")
            named[keyword.arg] = self._argument(keyword.value, depth)
        try:
            return bound(name, function, arguments, named)()
        except QnetemError:
            raise
        except (ValueError, ArithmeticError) as error:
            raise NoValue(f"{ast.unparse(node)!r} has no value: {error}") from error
        except TypeError as error:
            raise InputError(f"{ast.unparse(node)!r}: {error}") from error

    def _function(self, node: ast.expr, depth: int) -> tuple[str, Callable[..., Any]]:
        match node:
            case ast.Name(id=name):
                function = self._functions.get(name)
                if function is None:
                    raise InputError(f"unknown function {name!r}{nearest(name, self._functions)}")
                return name, function
            case ast.Attribute(attr=name):
                value = self.walk(node.value, depth - 1)
                if name not in _methods_of(value):
                    known = nearest(name, _methods_of(value))
                    raise InputError(f"{ast.unparse(node)!r}: unknown function{known}")
                return name, getattr(value, name)
        raise InputError(f"{ast.unparse(node)!r} is not the name of a function")

    def _argument(self, node: ast.expr, depth: int) -> Any:
        """An argument, which may be a function itself: `lambda length_km: ...`."""
        if not isinstance(node, ast.Lambda):
            return self.walk(node, depth - 1)
        takes = node.args
        if takes.vararg or takes.kwarg or takes.kwonlyargs or takes.defaults:
            raise InputError(f"{ast.unparse(node)!r}: only plain arguments are known")
        return partial(self._applied, node, [each.arg for each in takes.args], depth - 1)

    def _applied(self, node: ast.Lambda, takes: list[str], depth: int, *values: float) -> float:
        if len(values) != len(takes):
            raise InputError(f"{ast.unparse(node)!r} takes {len(takes)} arguments")
        names = {**self._names, **dict(zip(takes, values, strict=True))}
        return _Reader(self._functions, names)._operand(node.body, depth)


def _fields_of(value: Any) -> list[str]:
    """The public fields of what a function has given."""
    if not dataclasses.is_dataclass(value):
        return []
    return [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]


def _methods_of(value: Any) -> list[str]:
    """The public methods of what a function has given."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return []
    members = vars(type(value)).items()
    return [name for name, member in members if callable(member) and not name.startswith("_")]
