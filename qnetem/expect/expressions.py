"""Arithmetic that a topology may write: numbers, `+ - * / **`, and calls of named functions.

Owns the reading of such an expression into a number. Does not own which functions there are (they are
an argument) nor what the number means. Rule: the text is data. It is walked as a syntax tree that knows
constants, the five operators, sums of signs and calls by plain name; everything else is refused.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping

from ..emulator.errors import InputError, QnetemError
from ..emulator.suggestions import did_you_mean

Value = float | str | bool
Functions = Mapping[str, Callable[..., float]]

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
_WORDS: dict[str, Value] = {"true": True, "false": False, "pi": math.pi}
#: Deeper or longer than anything a person writes; the walk is recursive.
_LONGEST = 1000
_DEEPEST = 50


def evaluate(text: str, functions: Functions) -> Value:
    """The value of `text`: a finite number, a quoted string, or true/false.

    Raises InputError, which names the part that cannot be read and the nearest known function.
    """
    if len(text) > _LONGEST:
        raise InputError(f"an expression of {len(text)} characters is too long")
    try:
        with warnings.catch_warnings(action="ignore"):  # "1or 2": what it reads as is checked below
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise InputError(f"cannot read {text.strip()!r} as a number or a closed form") from error
    value = _walk(tree.body, functions, _DEEPEST)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{text.strip()!r} is {value}, not a finite number")
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name closest to `name`, or what is known, or nothing."""
    names = sorted(known)
    if hint := did_you_mean(name, names):
        return hint
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; known: {shown}" if names else ""


def _walk(node: ast.expr, functions: Functions, depth: int) -> Value:
    if depth == 0:
        raise InputError("the expression is nested too deeply")
    match node:
        case ast.Constant(value=bool() | str()):
            return node.value  # type: ignore[return-value]  # narrowed by the pattern
        case ast.Constant(value=int() | float()):
            return _number(node.value)
        case ast.Name(id=word) if word in _WORDS:
            return _WORDS[word]
        case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
            operand = _operand(node.operand, functions, depth)
            return -operand if isinstance(node.op, ast.USub) else operand
        case ast.BinOp():
            return _binary(node, functions, depth)
        case ast.Call():
            return _call(node, functions, depth)
        case ast.Name(id=word) if word in functions:
            raise InputError(f"{word} is a function: write {word}(...)")
        case ast.Name(id=word):
            raise InputError(f"unknown name {word!r} (text needs quotes){nearest(word, functions)}")
    raise InputError(f"{ast.unparse(node)!r} is not a number, text, arithmetic or a function call")


def _operand(node: ast.expr, functions: Functions, depth: int) -> float:
    value = _walk(node, functions, depth - 1)
    if isinstance(value, bool) or not isinstance(value, float):
        raise InputError(f"{ast.unparse(node)!r} is not a number")
    return value


def _binary(node: ast.BinOp, functions: Functions, depth: int) -> float:
    apply = _BINARY.get(type(node.op))
    if apply is None:
        raise InputError(f"{ast.unparse(node)!r}: only + - * / ** are known")
    left, right = (_operand(side, functions, depth) for side in (node.left, node.right))
    try:
        return apply(left, right)
    except (ArithmeticError, ValueError) as error:
        raise InputError(f"{ast.unparse(node)!r} has no value: {error}") from error


def _call(node: ast.Call, functions: Functions, depth: int) -> float:
    if not isinstance(node.func, ast.Name):
        raise InputError(f"{ast.unparse(node.func)!r} is not the name of a function")
    name = node.func.id
    function = functions.get(name)
    if function is None:
        raise InputError(f"unknown function {name!r}{nearest(name, functions)}")
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        raise InputError(f"{name}: a starred argument is not allowed here")
    arguments = [_walk(argument, functions, depth - 1) for argument in node.args]
    named: dict[str, Value] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise InputError(f"{name}: a starred argument is not allowed here")
        named[keyword.arg] = _walk(keyword.value, functions, depth - 1)
    try:
        return _number(function(*arguments, **named))
    except QnetemError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"{ast.unparse(node)!r}: {error}") from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{value!r} is not a number")
    try:
        return float(value)
    except OverflowError as error:
        raise InputError("a number is too large") from error
