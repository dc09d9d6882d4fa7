"""The summary at the end of a run: a page of text, or one JSON object.

Owns the layout of both. Does not own their content (api.Run) nor errors (text/error_output.py). The page is
for 80 columns, without drawn lines, and without colour when it goes into a file; the object is for programs,
and has the same keys whatever happened.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from ...emulator.plain_text import printable
from ...emulator.record.refusals import count_refusals
from ...emulator.topology.model.epoch import utc_text
from ...emulator.units import format_ns
from ...emulator.wire.control import FaultRecord, Problem
from ...expect.expect import Verdict, standard_error
from ...runs.run_folder import RunFolder
from ...runs.run_warnings import run_warnings, warning_line
from ...text.columns import count, print_line, print_table
from ...text.faults import fault_data, fault_line
from ..progress import states_text

if TYPE_CHECKING:
    from ...api import Run

_MOST_NODES = 24
_MOST_METRICS = 16
_MOST_FAULTS = 12
#: A longer reason stands on a line of its own.
_SHORT_REASON = 18
_GOOD_STATES = ("running", "finished")


def print_summary(run: Run, console: Console) -> None:
    """The page. Long values are shortened; nothing in them is taken for markup."""
    _print_header(run, console)
    _print_nodes(run, console)
    _print_verdicts(run, console)
    _print_metrics(run, console)
    _print_faults(run, console)
    _print_warnings(run, console)
    _print_times(run, console)


def as_data(run: Run) -> dict[str, Any]:
    """The object of `--format json`: JSON values only (what is not a finite number becomes null)."""
    outcome = run.outcome
    data = {
        "name": outcome.name,
        "seed": outcome.seed,
        "digest": outcome.digest,
        "epoch": utc_text(run.topology.time.epoch_ns),
        "virtual_time_s": outcome.t_ns / 1e9,
        "wall_time_s": outcome.wall_s,
        "instants": outcome.instants,
        "nodes": {
            name: {"pid": node.pid, "incarnation": node.incarnation, "state": node.state}
            for name, node in outcome.nodes.items()
        },
        "results": outcome.results,
        "metrics": outcome.metrics,
        "run_folder": str(run.run_folder),
        "refused_connections": count_refusals(run.run_folder),
        "problem": None if outcome.problem is None else problem_data(outcome.problem),
        "expect": [_verdict_data(verdict) for verdict in run.verdicts],
        "faults": [fault_data(fault) for fault in outcome.faults],
        "noticed": run_warnings(outcome),
    }
    return {key: _finite(value) for key, value in data.items()}


def nothing_ran(problem: Problem, run_folder: str = "") -> dict[str, Any]:
    """The object of `--format json` when a run came to no outcome, or did not begin."""
    keys = ("name", "seed", "digest", "epoch", "virtual_time_s", "wall_time_s", "instants")
    data: dict[str, Any] = dict.fromkeys(keys)
    return data | {
        "nodes": {},
        "results": {},
        "metrics": {},
        "run_folder": run_folder or None,
        "refused_connections": count_refusals(Path(run_folder)) if run_folder else 0,
        "problem": problem_data(problem),
        "expect": [],
        "faults": [],
        "noticed": [],
    }


def problem_data(problem: Problem) -> dict[str, Any]:
    """A problem as JSON."""
    return {
        "kind": problem.kind,
        "text": problem.text,
        "node": problem.node or None,
        "service": problem.service or None,
        "time_s": None if problem.time_ns is None else problem.time_ns / 1e9,
        "traceback": problem.traceback or None,
    }


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


# --- the parts of the page ---


def _print_header(run: Run, console: Console) -> None:
    outcome = run.outcome
    line = Text.assemble((printable(outcome.name), "bold"), f"  seed {outcome.seed}")
    if outcome.digest:
        line.append(f"  digest {outcome.digest}")
    console.print(line, soft_wrap=True)


def _print_nodes(run: Run, console: Console) -> None:
    nodes = run.outcome.nodes
    shown = _first(nodes, _MOST_NODES, lambda name: nodes[name].state not in _GOOD_STATES)
    rows = []
    for name in shown:
        node, spec = nodes[name], run.topology.nodes.get(name)
        kind = spec.kind if spec else ""
        result = brief(run.results.get(name))
        rows.append([name, kind, str(node.pid), str(node.incarnation), node.state, result])
    styles = ["" if nodes[name].state in _GOOD_STATES else "red" for name in shown]
    heading = ["node", "kind", "pid", "inc", "state", "result"]
    console.print()
    print_table(console, [heading, *rows], styles, right=(2, 3))
    hidden = [nodes[name].state for name in nodes if name not in shown]
    if hidden:
        print_line(console, f"and {len(hidden)} more: {states_text(hidden)}")


def _print_verdicts(run: Run, console: Console) -> None:
    if not run.topology.expect:
        return
    if not run.verdicts:
        console.print()
        print_line(console, "expectations were not judged: the run did not come to its end")
        return
    rows, notes = [], []
    for verdict in run.verdicts:
        word = "ok" if verdict.ok else "FAILED"
        in_short = len(verdict.text) <= _SHORT_REASON
        says = f"{word}, {verdict.text}" if in_short and verdict.text != "holds" else word
        rows.append([verdict.quantity, _measured(verdict), _expected(verdict), says])
        formula = [f"= {_formula(verdict)}"] if "(" in verdict.asked else []
        notes.append(formula + ([] if in_short else [verdict.text]))
    styles = ["" if verdict.ok else "bold red" for verdict in run.verdicts]
    heading = ["quantity", "measured", "expected", "verdict"]
    console.print()
    print_table(console, [heading, *rows], styles, yields=0, notes=notes)


def _print_metrics(run: Run, console: Console) -> None:
    metrics = run.metrics
    if not metrics:
        return
    shown = _first(metrics, _MOST_METRICS, lambda name: name.partition(".")[0] in run.results)
    rows = [[name, number(metrics[name]["count"]), *_series(name, metrics[name])] for name in shown]
    heading = ["metric", "count", "mean", "range"]
    console.print()
    print_table(console, [heading, *rows], yields=0, right=(1,))
    if len(metrics) > len(shown):
        hidden = len(metrics) - len(shown)
        print_line(console, f"and {hidden} more metrics (all of them: --format json)")


def _series(name: str, metric: dict[str, float]) -> tuple[str, str]:
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


def _print_faults(run: Run, console: Console) -> None:
    faults = run.outcome.faults
    if not faults:
        return
    begun = sorted(
        (fault for fault in faults if fault.began_ns is not None), key=lambda each: each.at_ns
    )
    rows = [
        [format_ns(fault.at_ns), fault_line(fault), _healed(fault), str(fault.hits)]
        for fault in begun[:_MOST_FAULTS]
    ]
    console.print()
    if rows:
        print_table(console, [["at", "fault", "healed", "hits"], *rows], yields=1, right=(0, 3))
    hidden, ahead = len(begun) - _MOST_FAULTS, len(faults) - len(begun)
    if hidden > 0:
        print_line(console, f"and {count(hidden, 'fault')} more")
    if ahead:
        print_line(console, f"{count(ahead, 'fault')} not reached by the end of the run")


def _healed(fault: FaultRecord) -> str:
    return "-" if fault.healed_ns is None else format_ns(fault.healed_ns)


def _print_warnings(run: Run, console: Console) -> None:
    found = run_warnings(run.outcome)
    if not found:
        return
    console.print()
    print_line(console, "noticed", "bold")
    for warning in found:
        print_line(console, warning_line(warning))


def _print_times(run: Run, console: Console) -> None:
    outcome = run.outcome
    rate = outcome.instants / outcome.wall_s if outcome.wall_s > 0 else 0.0
    line = f"{format_ns(outcome.t_ns)} of virtual time in {outcome.wall_s:.3g} s: "
    line += f"{count(outcome.instants, 'instant')}, {rate:,.0f} instants/s"
    console.print()
    print_line(console, line)
    epoch_ns = run.topology.time.epoch_ns
    if epoch_ns:
        print_line(console, f"from {utc_text(epoch_ns)} to {utc_text(epoch_ns + outcome.t_ns)}")
    print_line(console, f"run folder {run.run_folder}")
    refused = count_refusals(run.run_folder)
    if refused:
        where = RunFolder(run.run_folder).refusals
        print_line(console, f"refused: {count(refused, 'connection')}, see {where}")


# --- helpers ---


def _first(names: Iterable[str], most: int, important: Callable[[str], bool]) -> dict[str, None]:
    """At most `most` names in their order, the important ones before the others are dropped."""
    ordered = list(names)
    kept = sorted(ordered, key=lambda name: not important(name))[:most]
    return {name: None for name in ordered if name in kept}


def _measured(verdict: Verdict) -> str:
    value = verdict.measured
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return with_error(value, verdict.sigma)
    return brief(value)


def _expected(verdict: Verdict) -> str:
    """The expectation as written, or what the formula in it comes to."""
    if "(" not in verdict.asked:
        return verdict.asked
    if isinstance(verdict.expected, tuple):
        return " .. ".join(number(bound) for bound in verdict.expected)
    value = verdict.expected
    return f"{verdict.relation} {number(value) if isinstance(value, float) else value}"


def _formula(verdict: Verdict) -> str:
    return verdict.asked.removeprefix(verdict.relation).strip()


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    return {
        "quantity": verdict.quantity,
        "measured": verdict.measured,
        "sigma": verdict.sigma,
        "relation": verdict.relation,
        "expected": verdict.expected,
        "asked": verdict.asked,
        "ok": verdict.ok,
        "text": verdict.text,
    }


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
