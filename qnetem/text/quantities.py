"""Values as people read them: results in few words, numbers with their errors, verdicts.

Owns digits and units, the same in the terminal and in a notebook. Does not own where they stand on a page.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..expect.expect import standard_error

if TYPE_CHECKING:
    from ..expect.expect import Verdict


def brief(value: Any) -> str:
    """A program's result in few words: `qber 0.021, key_bits 1200`."""
    if value is None:
        return "-"
    if isinstance(value, Mapping) and value:
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return _plain(value)


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


def series(name: str, metric: dict[str, float]) -> tuple[str, str]:
    """Mean with its standard error, and the range if there is one; a metric in `_s` as a time."""
    if "mean" not in metric:
        return "", ""
    scale, unit = _time_unit(metric["mean"]) if name.endswith("_s") else (1.0, "")
    error = standard_error(metric)
    mean = with_error(metric["mean"] * scale, None if error is None else error * scale)
    if metric["min"] == metric["max"]:
        return mean + unit, ""
    low, high = number(metric["min"] * scale), number(metric["max"] * scale)
    return mean + unit, f"{low} .. {high}{unit}"


def _time_unit(seconds: float) -> tuple[float, str]:
    """What to multiply a time in seconds with, and the unit it is in then."""
    for least, scale, unit in ((1.0, 1.0, " s"), (1e-3, 1e3, " ms"), (1e-6, 1e6, " us")):
        if abs(seconds) >= least:
            return scale, unit
    return 1e9, " ns"


def measured(verdict: Verdict) -> str:
    value = verdict.measured
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return with_error(value, verdict.sigma)
    return brief(value)


def expected(verdict: Verdict) -> str:
    """The expectation as written, or what the formula in it comes to."""
    if "(" not in verdict.asked:
        return verdict.asked
    if isinstance(verdict.expected, tuple):
        return " .. ".join(number(bound) for bound in verdict.expected)
    value = verdict.expected
    return f"{verdict.relation} {number(value) if isinstance(value, float) else value}"


def formula(verdict: Verdict) -> str:
    return verdict.asked.removeprefix(verdict.relation).strip()


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
