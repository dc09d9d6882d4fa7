"""Expressions over numbers and series of numbers: a theory beside measured points.

Owns the evaluation of one expression for each point. The expression knows what `expect:` knows: arithmetic
and every closed form by name; with a topology also the readers of its links.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..emulator.errors import InputError
from .expressions import Expression, NoValue
from .predictions import formulas, functions

if TYPE_CHECKING:
    from ..emulator.loading import Topology


def evaluate_over(
    text: str,
    variables: Mapping[str, float | Iterable[float]],
    topology: Topology | None = None,
) -> float | list[float]:
    """`text` for the values of its variables: a number, or a list of one for each point.

        evaluate_over("repeaterless_bound(transmittance(length, 0.2))", {"length": [10, 20, 30]})

    Variables that are series (lists, arrays, ranges) have one length; numbers stand for all points. A point
    at which the expression has no finite value (log(0)) is NaN. Raises InputError for an expression that
    cannot be read, an unknown name, a name that is no word, and series of different lengths.
    """
    series = {name: _series(name, value) for name, value in variables.items()}
    lengths = {name: len(values) for name, values in series.items() if values is not None}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise InputError(f"the variables have different numbers of values ({shown})")
    known = formulas() if topology is None else functions(topology)
    expression = Expression(text, known)
    single = {name: float(variables[name]) for name, all_ in series.items() if all_ is None}  # type: ignore[arg-type]
    if not lengths:
        return _value(expression, single)
    points = range(next(iter(lengths.values())))
    return [
        _value(expression, single | {n: values[at] for n, values in series.items() if values})
        for at in points
    ]


def _series(name: str, value: float | Iterable[float]) -> list[float] | None:
    """The values of a series; None for a number."""
    if not name.isidentifier():
        raise InputError(f"a variable is one word such as 'length', not {name!r}")
    try:
        return [float(each) for each in value]  # type: ignore[union-attr]
    except TypeError:
        return None


def _value(expression: Expression, variables: dict[str, float]) -> float:
    try:
        value = expression.value(**variables)
    except NoValue:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, float):
        raise InputError(f"{expression.text!r} is {value!r}, not a number")
    return value
