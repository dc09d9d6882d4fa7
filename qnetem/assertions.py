"""The checks behind `Run.assert_...`, and the text of their failures.

Owns what a failure says: what was expected, what was measured, with its standard error and count, and how the
run ended if it ended with a problem. Does not own the comparisons (expect/expect.py) nor the run (api.py), of
which it knows what `EndedRun` names. Rule: a failure is an AssertionError; a mistake in the assertion is an
InputError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .emulator import plain_text
from .emulator.errors import InputError
from .emulator.units import format_ns
from .expect.expect import Expectation, Verdict, check_quantity, parse
from .expect.predictions import functions
from .text.error_output import failed_lines, problem_lines

if TYPE_CHECKING:
    from .emulator.loading import Topology
    from .emulator.wire.control import Outcome, Problem
    from .runs.events import Event

#: So many events that were there are shown beside one that was not.
_SHOWN = 8


class EndedRun(Protocol):
    """What the checks need of a run that is over (`ended.Run`), and what a notebook shows of it."""

    @property
    def topology(self) -> Topology: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def problem(self) -> Problem | None: ...
    @property
    def results(self) -> dict[str, Any]: ...
    @property
    def metrics(self) -> dict[str, dict[str, float]]: ...
    @property
    def failed(self) -> list[Verdict]: ...
    @property
    def verdicts(self) -> list[Verdict]: ...
    @property
    def digest(self) -> str: ...
    @property
    def run_folder(self) -> Path: ...
    def events(self) -> list[Event]: ...


def ended_well(run: EndedRun) -> None:
    """No problem, and every expectation of the topology holds."""
    __tracebackhide__ = True
    lines = [] if run.problem is None else problem_lines(run.problem, run.outcome.seed)
    lines += failed_lines(run.failed)
    if lines:
        raise AssertionError(plain_text.lines("\n".join(lines)))


def result(run: EndedRun, quantity: str, expected: str) -> None:
    """`expected` holds of a result or metric."""
    __tracebackhide__ = True
    try:
        check_quantity(quantity, run.topology)
        expectation = parse(quantity, expected, functions(run.topology))
    except InputError as error:
        raise InputError(f"{quantity} {expected!r}: {error}") from error
    _require(run, expectation.judge(run.results, run.metrics))


def bounds(
    run: EndedRun, quantity: str, at_least: float | None, at_most: float | None, about: float | None
) -> None:
    """A result or metric is within the bounds."""
    __tracebackhide__ = True
    check_quantity(quantity, run.topology)
    for expectation in _expectations(quantity, at_least, at_most, about):
        _require(run, expectation.judge(run.results, run.metrics))


def rate(
    run: EndedRun, metric: str, at_least: float | None, at_most: float | None, about: float | None
) -> None:
    """The count of a metric per virtual second is within the bounds."""
    __tracebackhide__ = True
    check_quantity(metric, run.topology)
    time_s = run.outcome.t_ns / 1e9
    if time_s == 0.0:
        raise AssertionError(f"no rate of {metric}: the run took no virtual time{_ending(run)}")
    # What was never counted has no metric: its rate is 0, so that `at_least` fails.
    count = run.metrics.get(metric, {"count": 0})["count"]
    sigma = math.sqrt(count) / time_s
    for expectation in _expectations(metric, at_least, at_most, about):
        verdict = expectation.weigh(count / time_s, sigma)
        if not verdict.ok:
            got = f"{count / time_s:.6g} ± {sigma:.2g} Hz (N = {count:g} in {time_s:.6g} s"
            raise AssertionError(
                f"expected the rate of {metric} {verdict.asked} Hz, measured {got}; "
                f"{verdict.text}){_ending(run)}"
            )


def in_order(run: EndedRun, expected: Sequence[tuple[Any, ...]]) -> None:
    """The expected events are in the journal, in this order."""
    __tracebackhide__ = True
    events = run.events()
    at = 0
    for index, pattern in enumerate(expected):
        found = next((i for i in range(at, len(events)) if _fits(events[i], pattern)), None)
        if found is None:
            after = f" after {events[at - 1]}" if at else ""
            lines = [
                f"expected event {index + 1} of {len(expected)}, {_pattern_text(pattern)}{after}"
            ]
            lines += _alternatives(events, at, pattern)
            raise AssertionError("\n".join(lines) + _ending(run))
        at = found + 1


def _expectations(
    quantity: str, at_least: float | None, at_most: float | None, about: float | None
) -> list[Expectation]:
    given = [(">=", at_least), ("<=", at_most), ("~", about)]
    found = [
        Expectation(quantity, relation, float(value), None, f"{relation} {value:g}")
        for relation, value in given
        if value is not None
    ]
    if not found:
        raise InputError(f"{quantity}: expected at_least=, at_most= or about=")
    return found


def _require(run: EndedRun, verdict: Verdict) -> None:
    __tracebackhide__ = True
    if verdict.ok:
        return
    head = f"expected {verdict.quantity} {verdict.asked}"
    if "(" in verdict.asked:
        head += f" (= {verdict.expected})"
    if verdict.measured is None:
        raise AssertionError(f"{head}: {verdict.text}{_ending(run)}")
    metric = run.metrics.get(verdict.quantity)
    spread = "" if verdict.sigma is None else f" ± {verdict.sigma:.2g}"
    count = "" if metric is None else f"N = {metric['count']:g}; "
    got = f"{verdict.measured:.6g}" if isinstance(verdict.measured, float) else verdict.measured
    raise AssertionError(f"{head}, measured {got}{spread} ({count}{verdict.text}){_ending(run)}")


def _ending(run: EndedRun) -> str:
    """How the run ended, if with a problem: that is why a quantity may be missing."""
    if run.problem is None:
        return ""
    where = "" if run.problem.time_ns is None else f" at {format_ns(run.problem.time_ns)}"
    return f"\nthe run ended{where} with {run.problem.kind}: {run.problem.text}"


def _fits(event: Event, pattern: tuple[Any, ...]) -> bool:
    have = (event.entity, event.kind, *event.fields)
    return len(pattern) <= len(have) and all(
        want is ... or want == got for want, got in zip(pattern, have, strict=False)
    )


def _pattern_text(pattern: tuple[Any, ...]) -> str:
    return " ".join("..." if part is ... else str(part) for part in pattern) or "anything"


def _alternatives(events: list[Event], at: int, pattern: tuple[Any, ...]) -> list[str]:
    """What happened instead to that entity: after the last event that fitted, or at all."""
    own = [event for event in events[at:] if _fits(event, pattern[:1])]
    if not own:
        known = sorted({event.entity for event in events})
        return [f"nothing happened to it then; events of this run are of {', '.join(known)}"]
    kinds = sorted({event.kind for event in own})
    more = f"  and {len(own) - _SHOWN} more ({', '.join(kinds)})" if len(own) > _SHOWN else ""
    return [
        "what happened instead:",
        *(f"  {event}" for event in own[:_SHOWN]),
        *([more] * bool(more)),
    ]
