"""The summary at the end of a run: a page of text, or one JSON object.

Owns the layout of both. Does not own their content (api.Run), errors (text/error_output.py) nor digits and
units (text/quantities.py). The page is for 80 columns, without drawn lines; in a file it has no colour and
nothing is cut. The object is for programs, and has the same keys whatever happened.
"""

from __future__ import annotations

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
from ...emulator.wire.control import FaultRecord, NodeState, Problem
from ...expect.expect import Verdict
from ...runs.program_output import printed_lines, shown_path
from ...runs.run_folder import RunFolder
from ...runs.run_warnings import run_warnings, warning_line
from ...text.cells import expected, formula, mean_and_range, measured
from ...text.columns import print_line, print_table
from ...text.faults import fault_data, fault_hits, fault_line
from ...text.quantities import brief, count, number, wall_time
from ..progress import states_text

if TYPE_CHECKING:
    from ...ended import Run

_MOST_NODES = 24
_MOST_METRICS = 16
_MOST_FAULTS = 12
_MOST_PRINTING = 3
#: How late instants were, in real time mode.
_BEHIND = "time.behind_s"
#: Metrics of the emulator's own: of links and of the whole run, and of each node.
_RUN_WIDE = ("links.", "messages.", "time.")
_OF_NODES = (".message_latency_s", ".expired")
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
    rows = [["node", "kind", "state", "result"]]
    for name in shown:
        node, spec = nodes[name], run.topology.nodes.get(name)
        kind = spec.kind if spec else ""
        rows.append([name, kind, _state(node), brief(run.results.get(name))])
    styles = ["" if nodes[name].state in _GOOD_STATES else "red" for name in shown]
    console.print()
    print_table(console, rows, styles, folds=True)
    hidden = [nodes[name].state for name in nodes if name not in shown]
    if hidden:
        print_line(console, f"and {len(hidden)} more: {states_text(hidden)}")


def _state(node: NodeState) -> str:
    """Its state; and how many processes it took, if it was not one."""
    restarts = node.incarnation - 1
    return f"{node.state}, {count(restarts, 'restart')}" if restarts else node.state


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
        rows.append([verdict.quantity, measured(verdict), expected(verdict), says])
        terms = [f"= {formula(verdict)}"] if "(" in verdict.asked else []
        notes.append(terms + ([] if in_short else [verdict.text]))
    styles = ["" if verdict.ok else "bold red" for verdict in run.verdicts]
    heading = ["quantity", "measured", "expected", "verdict"]
    console.print()
    print_table(console, [heading, *rows], styles, yields=0, notes=notes)


def _print_metrics(run: Run, console: Console) -> None:
    metrics = {name: run.metrics[name] for name in sorted(run.metrics, key=_is_built_in)}
    metrics.pop(_BEHIND, None)  # it stands beside the times
    if not metrics:
        return
    # What programs have recorded comes first; of that, the nodes with a result.
    shown = _first(metrics, _MOST_METRICS, lambda name: name.partition(".")[0] in run.results)
    rows = [
        [name, number(metrics[name]["count"]), *mean_and_range(name, metrics[name])]
        for name in shown
    ]
    heading = ["metric", "count", "mean", "range"]
    console.print()
    print_table(console, [heading, *rows], yields=0, right=(1,))
    if len(metrics) > len(shown):
        hidden = len(metrics) - len(shown)
        print_line(console, f"and {hidden} more metrics (all of them: --format json)")


def _is_built_in(name: str) -> bool:
    """Whether the emulator counts it in every run, and no program has asked for it."""
    return name.startswith(_RUN_WIDE) or name.endswith(_OF_NODES)


def _print_faults(run: Run, console: Console) -> None:
    faults = run.outcome.faults
    if not faults:
        return
    begun = sorted(
        (fault for fault in faults if fault.began_ns is not None), key=lambda each: each.at_ns
    )
    rows = [
        [format_ns(fault.at_ns), fault_line(fault), _healed(fault), fault_hits(fault)]
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
    line = (
        f"{format_ns(outcome.t_ns)} of virtual time in {wall_time(outcome.wall_s)}{_behind(run)}: "
    )
    line += f"{count(outcome.instants, 'instant')}, {rate:,.0f} instants/s"
    console.print()
    print_line(console, line)
    epoch_ns = run.topology.time.epoch_ns
    if epoch_ns:
        print_line(console, f"from {utc_text(epoch_ns)} to {utc_text(epoch_ns + outcome.t_ns)}")
    print_line(console, f"run folder {shown_path(run.run_folder, console.is_terminal)}")
    _print_where_prints_are(run, console)
    refused = count_refusals(run.run_folder)
    if refused:
        where = RunFolder(run.run_folder).refusals
        print_line(console, f"refused: {count(refused, 'connection')}, see {where}")


def _behind(run: Run) -> str:
    """Real time mode: how late instants were on average."""
    late = run.metrics.get(_BEHIND)
    return "" if late is None else f", {wall_time(late['mean'])} behind on average"


def _print_where_prints_are(run: Run, console: Console) -> None:
    """Which nodes have printed or logged, and where that is."""
    printed = printed_lines(run.run_folder, run.topology.nodes)
    if not printed:
        return
    logs = [log for each in printed.values() for log in each.logs]
    where = logs[0] if len(logs) == 1 else RunFolder(run.run_folder).logs
    named = [f"{name} {count(each.lines, 'line')}" for name, each in printed.items()]
    more = len(named) - _MOST_PRINTING
    words = ", ".join(named[:_MOST_PRINTING]) + (f" and {more} more" if more > 0 else "")
    print_line(console, f"prints in  {shown_path(where, console.is_terminal)}")
    print_line(console, f"           {words}; shown by --show-logs", "dim")


# --- helpers ---


def _first(names: Iterable[str], most: int, important: Callable[[str], bool]) -> dict[str, None]:
    """At most `most` names in their order, the important ones before the others are dropped."""
    ordered = list(names)
    kept = sorted(ordered, key=lambda name: not important(name))[:most]
    return {name: None for name in ordered if name in kept}


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


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
