"""What stands in a table's cell for a metric or a verdict.

Owns the parts of such a row. Does not own digits and units (quantities.py) nor the table (columns.py for a
terminal, notebook/run_html.py for a notebook).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..expect.expect import standard_error
from .quantities import brief, number, quantity, unit_of

if TYPE_CHECKING:
    from ..expect.expect import Verdict


def mean_and_range(name: str, metric: Mapping[str, float]) -> tuple[str, str]:
    """Mean with its standard error, and the range if there is one; a metric in `_s` as a time."""
    if "mean" not in metric:
        return "", ""
    mean = quantity(name, metric["mean"], standard_error(metric))
    if metric["min"] == metric["max"]:
        return mean, ""
    scale, unit = unit_of(name, metric["mean"])
    low, high = number(metric["min"] * scale), number(metric["max"] * scale)
    return mean, f"{low} .. {high}{unit}"


def measured(verdict: Verdict) -> str:
    """What was measured, with its standard error if one is known."""
    value = verdict.measured
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return quantity(verdict.quantity, value, verdict.sigma)
    return brief(value)


def expected(verdict: Verdict) -> str:
    """The expectation as written, or what the formula in it comes to."""
    if "(" not in verdict.asked:
        return verdict.asked
    name, value = verdict.quantity, verdict.expected
    if isinstance(value, tuple):
        return " .. ".join(quantity(name, bound) for bound in value)
    return f"{verdict.relation} {quantity(name, value) if isinstance(value, float) else value}"


def formula(verdict: Verdict) -> str:
    """The expectation without its relation."""
    return verdict.asked.removeprefix(verdict.relation).strip()
