"""Numbers and times for people: how many digits, which unit.

Owns the rounding. What ends in `_s` is a time in seconds, and is shown in the unit that leaves one to three
digits before the point: `97.934 us`, `1.66 s`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..emulator.units import is_time, scale_of


def number(value: float) -> str:
    """Whole numbers in full, others with six digits."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.6g}"


def with_error(value: float, sigma: float | None) -> str:
    """`0.8983 ± 0.0024`: as many decimals as the standard error has two digits."""
    if not sigma or not math.isfinite(sigma):
        return number(value)
    decimals = max(0, 1 - math.floor(math.log10(sigma)))
    if decimals > 9 or abs(value) >= 1e9 or sigma >= 1e9:
        return f"{value:.4g} ± {sigma:.2g}"
    return f"{value:.{decimals}f} ± {sigma:.{decimals}f}"


def unit_of(name: str, value: float) -> tuple[float, str]:
    """What to multiply the value of a quantity of that name with, and the unit behind it, if it is a time."""
    if not is_time(name):
        return 1.0, ""
    scale, unit = scale_of(value)
    return scale, f" {unit}"


def quantity(name: str, value: float, sigma: float | None = None) -> str:
    """The value of a quantity of that name, with its standard error if there is one."""
    scale, unit = unit_of(name, value)
    return with_error(value * scale, None if sigma is None else sigma * scale) + unit


def wall_time(seconds: float) -> str:
    """Real time: three digits are enough."""
    scale, unit = scale_of(seconds)
    return f"{seconds * scale:.3g} {unit}" if seconds < 1000 else f"{seconds:,.0f} s"


def brief(value: Any) -> str:
    """A program's result in few words: `qber 0.021, key_bits 1200`."""
    if value is None:
        return "-"
    if isinstance(value, Mapping) and value:
        return ", ".join(f"{key} {_plain(item, str(key))}" for key, item in value.items())
    return _plain(value)


def _plain(value: Any, name: str = "") -> str:
    if isinstance(value, float):
        scale, unit = unit_of(name, value)
        return f"{value * scale:.6g}{unit}"
    if isinstance(value, Mapping) and value:
        return "{" + brief(value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_plain(item) for item in value) + "]"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def count(number: int, noun: str) -> str:
    """`1 node`, `2,000 nodes`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
