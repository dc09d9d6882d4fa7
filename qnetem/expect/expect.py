"""Expectations: what a topology says its run must show, and whether it did.

    expect:
      bob.qber: "< 0.11"
      bob.rate: "900 .. 1100"
      bob.fidelity: "~ teleported(pair('alice-bob'))"
      bob.delay: "~ latency('alice-bob') +- 1e-6"

Owns the comparisons and the look-up of a quantity (first in what `run()` returned, then in the
metrics). Does not own the arithmetic (expressions.py) or the formulas (predictions.py). Rule: whatever
can be wrong with an expectation is said before the run starts, at its place in the file.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..emulator.errors import InputError, TopologyError
from ..emulator.suggestions import did_you_mean
from ..emulator.topology.written.names import nearest
from ..emulator.units import is_time, scale_of
from ..emulator.wire import STATISTICS
from .expressions import Functions, Value, evaluate
from .predictions import functions

if TYPE_CHECKING:
    from ..emulator.loading import Topology

Metrics = Mapping[str, Mapping[str, float]]
Results = Mapping[str, Any]

_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_RELATION = re.compile(r"\s*(<=|>=|==|!=|<|>|~)(.*)\Z", re.DOTALL)
_RANGE = re.compile(r"(.+?)\s*\.\.\s*(.+)\Z", re.DOTALL)
_TOLERANCE = re.compile(r"\+-|±")
#: First parts of metrics of the run as a whole; no node has such a name.
_RUN_WIDE = ("messages", "time")
#: `~` reaches this many standard errors. With no spread known only rounding is forgiven: that of a computer,
#: and that of a number written with so many digits or more, half a unit of the last one.
_SIGMAS = 3.0
_DIGITS = 3
_WRITTEN = re.compile(r"\s*[-+]?(?P<digits>[0-9]*\.[0-9]+)(?:[eE](?P<exponent>[-+]?[0-9]+))?\s*\Z")
_ROUNDING = 1e-9
_FORMS = "'< 0.1', '== 0', '0.9 .. 1', '~ 0.95', '~ 0.95 +- 0.01' or '~ teleported(0.9)'"


@dataclass(frozen=True)
class Verdict:
    """One expectation beside what the run has shown.

    `measured` is None when there is nothing of that name; `sigma` is the standard error of a metric
    observed more than once. `expected` is (low, high) for a range. `text` says why, in a few words;
    `asked` is the expectation as written.
    """

    quantity: str
    measured: Any
    sigma: float | None
    relation: str
    expected: Value | tuple[float, float]
    ok: bool
    text: str
    asked: str


@dataclass(frozen=True)
class Expectation:
    """A parsed entry of `expect`: `relation` is < <= > >= == != ~ or `..` (a range).

    `rounded`: how far a number that is written out may be from what it stands for.
    """

    quantity: str
    relation: str
    expected: Value | tuple[float, float]
    tolerance: float | None
    asked: str
    rounded: float = 0.0

    def judge(self, results: Results, metrics: Metrics) -> Verdict:
        """Look the quantity up and compare."""
        reading = look_up(self.quantity, results, metrics)
        if reading is None:
            return self._verdict(None, None, False, _missing(self.quantity, results, metrics))
        return self.weigh(*reading)

    def weigh(self, measured: Any, sigma: float | None) -> Verdict:
        """Compare what was measured, with its standard error if there is one."""
        ok, text = self._compare(measured, sigma)
        return self._verdict(measured, sigma, ok, text)

    def _verdict(self, measured: Any, sigma: float | None, ok: bool, text: str) -> Verdict:
        return Verdict(
            self.quantity, measured, sigma, self.relation, self.expected, ok, text, self.asked
        )

    def _compare(self, measured: Any, sigma: float | None) -> tuple[bool, str]:
        if self.relation in ("==", "!="):
            same = bool(measured == self.expected)
            return same is (self.relation == "=="), "equal" if same else "not equal"
        if isinstance(measured, bool) or not isinstance(measured, (int, float)):
            return False, f"not a number but {type(measured).__name__}"
        if isinstance(self.expected, tuple):
            low, high = self.expected
            return low <= measured <= high, _range_text(self.quantity, measured, low, high)
        assert isinstance(self.expected, float)
        if self.relation == "~":
            return self._close(measured, sigma, self.expected)
        ok = _ORDER[self.relation](measured, self.expected)
        off = _amount(self.quantity, abs(measured - self.expected), 3)
        return ok, f"off by {off}" if not ok else "holds"

    def _close(self, measured: float, sigma: float | None, expected: float) -> tuple[bool, str]:
        distance = abs(measured - expected)
        off = _amount(self.quantity, distance, 2)
        if self.tolerance is not None:
            return distance <= self.tolerance, f"off by {off}"
        rounding = _ROUNDING * max(abs(measured), abs(expected))
        if distance <= rounding:
            return True, "equal"
        if sigma:
            return distance <= _SIGMAS * sigma, f"{distance / sigma:.1f} sigma"
        if distance <= self.rounded:
            return True, "equal to the digits written"
        return False, f"off by {off}, and no spread is known: add '+- tolerance'"


def parse_expectations(topology: Topology) -> list[Expectation]:
    """The topology's expectations, in file order.

    Raises TopologyError at the place of an entry that cannot be read, calls an unknown function, or
    names an unknown link or node.
    """
    if not topology.expect:
        return []
    known = functions(topology)
    parsed = []
    for quantity, text in topology.expect.items():
        try:
            check_quantity(quantity, topology)
            parsed.append(parse(quantity, text, known))
        except InputError as error:
            problem = f"expect {quantity}: {text!r}: {error}"
            raise _placed(topology, quantity, error, problem) from error
    return parsed


def _placed(topology: Topology, quantity: str, error: InputError, problem: str) -> TopologyError:
    """The error at the part of the expression that is wrong, where the file shows it on one line."""
    whole = topology.error(problem, "expect", quantity)
    if error.within is None or not whole.line or topology.source is None:
        return whole
    try:
        lines = topology.source.read_text(encoding="utf-8-sig").splitlines()
        text, offset = error.within
        start = lines[whole.line - 1].find(text, whole.column - 1)
    except (OSError, ValueError, IndexError):  # it is not there any more, or another one
        return whole
    if start < 0:
        return whole
    return TopologyError(problem, whole.path, whole.line, start + offset + 1)


def judge(expectations: list[Expectation], results: Results, metrics: Metrics) -> list[Verdict]:
    """All verdicts, in file order."""
    return [expectation.judge(results, metrics) for expectation in expectations]


def parse(quantity: str, text: str, known: Functions) -> Expectation:
    """One entry. Raises InputError, which says what was expected."""
    match = _RELATION.match(text)
    if match is None:
        return _parse_range(quantity, text, known)
    relation, right = match.groups()
    right, tolerance = _split_tolerance(relation, right, known)
    if not right.strip():
        raise InputError(f"nothing stands after {relation!r}: expected {_FORMS}")
    expected = evaluate(right, known)
    if relation not in ("==", "!=") and not isinstance(expected, float):
        raise InputError(f"{relation!r} compares numbers, not {expected!r}")
    return Expectation(quantity, relation, expected, tolerance, text.strip(), _rounded(right))


def _rounded(right: str) -> float:
    """Half a unit of the last digit of a number with a decimal point and digits enough, else 0."""
    match = _WRITTEN.match(right)
    if match is None or len(match["digits"].replace(".", "").lstrip("0")) < _DIGITS:
        return 0.0
    last = len(match["digits"].partition(".")[2]) - int(match["exponent"] or 0)
    return 0.5 * 10.0**-last


def look_up(quantity: str, results: Results, metrics: Metrics) -> tuple[Any, float | None] | None:
    """What was measured, and its standard error if it is a metric seen more than once.

    A metric counts by its mean, one that is only counted by its count; `<metric>.max` and the other
    statistics can be named. None when there is nothing of that name.
    """
    found = _inside(results, quantity)
    if found is not None:
        return found[0], None
    metric = metrics.get(quantity)
    if metric is not None:
        return metric.get("mean", metric["count"]), standard_error(metric)
    name, _, statistic = quantity.rpartition(".")
    metric = metrics.get(name)
    if metric is not None and statistic in STATISTICS and statistic in metric:
        return metric[statistic], None
    return None


def standard_error(metric: Mapping[str, float]) -> float | None:
    """std / sqrt(count), or None for a count or a single observation."""
    if "std" not in metric or metric["count"] < 2:
        return None
    return metric["std"] / math.sqrt(metric["count"])


def _parse_range(quantity: str, text: str, known: Functions) -> Expectation:
    match = _RANGE.match(text.strip())
    if match is None:
        raise InputError(f"expected {_FORMS}")
    low, high = (evaluate(side, known) for side in match.groups())
    if not isinstance(low, float) or not isinstance(high, float):
        raise InputError("a range needs two numbers")
    if low > high:
        raise InputError(f"the range is empty: {low:g} is more than {high:g}")
    return Expectation(quantity, "..", (low, high), None, text.strip())


def _split_tolerance(relation: str, right: str, known: Functions) -> tuple[str, float | None]:
    parts = _TOLERANCE.split(right)
    if len(parts) == 1:
        return right, None
    if relation != "~" or len(parts) > 2:
        raise InputError("a tolerance '+-' stands once, after '~'")
    tolerance = evaluate(parts[1], known)
    if not isinstance(tolerance, float) or tolerance < 0:
        raise InputError(f"a tolerance is a number of at least 0, not {parts[1].strip()!r}")
    return parts[0], tolerance


def check_quantity(quantity: str, topology: Topology) -> None:
    """Refuse what no run can measure: a first part that is no node, a link that is not there.

    Raises InputError.
    """
    head, _, rest = quantity.partition(".")
    if head in topology.nodes or head in _RUN_WIDE:
        return
    if head == "links":
        link = rest.partition(".")[0]
        if link not in topology.links:
            raise InputError(f"unknown link {link!r}{did_you_mean(link, topology.links)}")
        return
    heads = [*topology.nodes, "links", *_RUN_WIDE]
    raise InputError(f"unknown node {head!r}{nearest(head, heads)}")


def _inside(value: Any, path: str) -> tuple[Any] | None:
    """`value` at a dotted path through mappings and lists; a key may itself contain dots."""
    if not path:
        return (value,)
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        key, rest = ".".join(parts[:length]), ".".join(parts[length:])
        if isinstance(value, Mapping) and key in value:
            found = _inside(value[key], rest)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            found = _inside(value[int(key)], rest)
        else:
            continue
        if found is not None:
            return found
    return None


def _missing(quantity: str, results: Results, metrics: Metrics) -> str:
    """Why a quantity was not found, with the nearest name that was there."""
    known = list(metrics)
    for node, result in results.items():
        if isinstance(result, Mapping):
            known += [f"{node}.{key}" for key in result]
    return f"not measured{did_you_mean(quantity, known)}"


def _amount(quantity: str, value: float, digits: int) -> str:
    """How much of a quantity, with its unit if it is a time."""
    scale, unit = scale_of(value) if is_time(quantity) else (1.0, "")
    return f"{value * scale:.{digits}g} {unit}".rstrip()


def _range_text(quantity: str, measured: float, low: float, high: float) -> str:
    if measured < low:
        return f"{_amount(quantity, low - measured, 3)} too low"
    if measured > high:
        return f"{_amount(quantity, measured - high, 3)} too high"
    return "inside" if low <= measured <= high else "not a number"
