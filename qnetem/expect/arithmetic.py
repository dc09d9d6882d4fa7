"""The functions and constants that every expression knows, whatever it is about; systems with names too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ..emulator.errors import InputError


@cache
def constants() -> Mapping[str, Any]:
    """Numbers, and published systems, by name. Their files are read once an expression asks."""
    from ..emulator.closed_forms.catalogue import CONSTANTS

    return {"true": True, "false": False, "pi": math.pi, "e": math.e, **CONSTANTS}


def sqrt(x: float) -> float:
    """Square root."""
    return math.sqrt(x)


def exp(x: float) -> float:
    """e to the power of x."""
    return math.exp(x)


def log(x: float, base: float = math.e) -> float:
    """Logarithm: natural, or to a base."""
    return math.log(x) if base == math.e else math.log(x, base)


def log2(x: float) -> float:
    """Logarithm to base 2."""
    return math.log2(x)


def log10(x: float) -> float:
    """Logarithm to base 10."""
    return math.log10(x)


def cos(x: float) -> float:
    """Cosine of an angle in radians."""
    return math.cos(x)


def sin(x: float) -> float:
    """Sine of an angle in radians."""
    return math.sin(x)


def absolute(x: float) -> float:
    """Absolute value."""
    return abs(x)


def lowest(*values: float) -> float:
    """The lowest of the values."""
    if not values:
        raise InputError("min() needs a number")
    return min(values)


def highest(*values: float) -> float:
    """The highest of the values."""
    if not values:
        raise InputError("max() needs a number")
    return max(values)


FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sqrt": sqrt,
    "exp": exp,
    "log": log,
    "log2": log2,
    "log10": log10,
    "cos": cos,
    "sin": sin,
    "abs": absolute,
    "min": lowest,
    "max": highest,
}
