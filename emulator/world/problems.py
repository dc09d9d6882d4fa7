"""The words of a run that ends badly: which node, when, waiting for what since when.

Owns the texts and the classes of errors. Does not decide that a run is over (world.py, end.py). No text is
part of the digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import (
    InfrastructureError,
    InternalError,
    Interrupted,
    NodeLost,
    NodeSilent,
    ProgramError,
    ProgramFailed,
    QnetemError,
    RunError,
    Spinning,
    StuckError,
)
from ..units import format_ns
from ..wire import EXIT_CUT_OFF, Failed, Wait
from ..wire.control import FaultRecord, Problem
from ..wire.worker_frames import Worker
from .nodes import NodeStatus

#: What a node's `Failed.kind` is to the run.
_FAILURES: dict[str, type[QnetemError]] = {
    "raised": ProgramFailed,
    "spinning": Spinning,
    "program": ProgramError,
    "infrastructure": InfrastructureError,
    "internal": InternalError,
}


#: How a node has ended, by its state.
_ENDS = {"finished": "has finished", "failed": "has failed", "killed": "was killed"}
#: Tasks of one node that a text names.
_MOST_WAITS = 20


def problem_of(error: QnetemError, now_ns: int) -> Problem:
    """An error as the launcher gets it."""
    node = error.node if isinstance(error, RunError) else ""
    known_ns = error.time_ns if isinstance(error, RunError) else None
    time_ns = now_ns if known_ns is None else known_ns
    return Problem(type(error).__name__, str(error), error.exit_code, node, time_ns)


def failed(node: str, failure: Failed, now_ns: int) -> Problem:
    """A node has reported that its program failed."""
    kind = _FAILURES.get(failure.kind, InternalError)
    return Problem(
        kind.__name__,
        failure.problem,
        kind.exit_code,
        node,
        now_ns,
        failure.traceback,
        failure.service,
    )


def as_row(wait: Wait) -> tuple[str, str, int]:
    """A wait as pages and results show it: task (with its owner), what it waits for, since when."""
    return _task(wait), wait.what, wait.since_ns


def _task(wait: Wait) -> str:
    if not wait.owner:
        return wait.task
    task = "" if wait.task == wait.owner else f", task {wait.task!r}"
    return f"service {wait.owner}{task}"


def interrupted(reason: str, exit_code: int, now_ns: int) -> Problem:
    """The run was stopped from outside."""
    kind = Interrupted if exit_code == Interrupted.exit_code else InfrastructureError
    return Problem(kind.__name__, reason, exit_code, "", now_ns)


def silent(node: str, stacks: str, now_ns: int) -> Problem:
    """A node does not report."""
    text = f"node {node} does not report at {format_ns(now_ns)}; where it stands is told above"
    return Problem(NodeSilent.__name__, text, NodeSilent.exit_code, node, now_ns, stacks)


def gone(
    status: NodeStatus, exit_status: int, now_ns: int, worker: Worker | None = None
) -> RunError:
    """A node's process has ended unplanned: died, or left because its connection broke."""
    if exit_status == EXIT_CUT_OFF:
        return cut_off(status, now_ns, worker)
    how = (
        f"was killed by signal {-exit_status}" if exit_status < 0 else f"exited with {exit_status}"
    )
    if worker is None:
        text = (
            f"node {_with_incarnation(status)} was lost at {format_ns(now_ns)}: its process {how}"
        )
        return NodeLost(text, status.name, now_ns)
    when = f", in a step of {worker.at_work}" if worker.at_work else ""
    text = f"{worker.words} was lost at {format_ns(now_ns)}: the process {how}{when}"
    return NodeLost(text, worker.at_work or status.name, now_ns)


def cut_off(status: NodeStatus, now_ns: int, worker: Worker | None = None) -> InfrastructureError:
    """A node's process is alive, and its connection is broken."""
    who = f"node {_with_incarnation(status)}" if worker is None else worker.words
    text = (
        f"the connection between {who} and the emulator broke at "
        f"{format_ns(now_ns)}, while the {'node' if worker is None else 'worker'}'s process lived"
    )
    return InfrastructureError(text, status.name, now_ns)


def _with_incarnation(status: NodeStatus) -> str:
    again = f" (incarnation {status.incarnation})" if status.incarnation > 1 else ""
    return f"{status.name}{again}"


def stuck(
    waits: dict[str, list[Wait]],
    operations: dict[str, list[str]],
    now_ns: int,
    active: Sequence[FaultRecord] = (),
    over: Mapping[str, str] | None = None,
    background: bool = False,
) -> StuckError:
    """Nothing is left to happen; `operations`: node -> what it has asked for and not got.

    `active`: the faults that last at this moment, and `over`: how nodes have ended; either may be why.
    `background`: services still run by themselves.
    """
    over = dict(over or {})
    left = "nothing but services in the background" if background else "nothing"
    lines = [f"{left} is left to happen at {format_ns(now_ns)}, but:"]
    for node, asked in operations.items():
        lines += _wait_lines(node, waits.get(node, []), over)
        lines += [f"  {node} has asked for {what}" for what in asked[:_MOST_WAITS]]
    named = {wait.peer for each in waits.values() for wait in each}
    lines += [f"  {node} {how}" for node, how in over.items() if node not in named]
    for fault in active:
        since = format_ns(fault.began_ns or 0)
        lines.append(f"  fault {fault.id} is active: {fault.verb} {fault.target} since {since}")
    return StuckError("\n".join(lines), "", now_ns)


def spinning(nodes: list[str], waits: dict[str, list[Wait]], rounds: int, t_ns: int) -> Spinning:
    """Nodes run without end in one moment."""
    names = ", ".join(nodes) or "the nodes"
    lines = [
        f"endless exchange in no time at {format_ns(t_ns)} between {names}; after {rounds} rounds:"
    ]
    for node in nodes:
        lines += _wait_lines(node, waits.get(node, []))
    return Spinning("\n".join(lines), nodes[0] if nodes else "", t_ns)


def ended(statuses: Iterable[NodeStatus]) -> dict[str, str]:
    """Node -> how and when it ended, in words, for those that run no more."""
    found = {}
    for status in statuses:
        parts = [
            f"service {name} has failed at {format_ns(t_ns)}"
            for name, t_ns in status.broken.items()
        ]
        if status.program_state in _ENDS and status.ended_ns is not None:
            parts.insert(0, f"{_ENDS[status.program_state]} at {format_ns(status.ended_ns)}")
        if parts:
            found[status.name] = ", ".join(parts)
    return found


def _wait_lines(
    node: str, waits: Sequence[Wait], over: Mapping[str, str] | None = None
) -> list[str]:
    """What a node has answered to Ask, a line for each of its tasks; `over`: how nodes have ended."""
    lines = []
    for wait in waits[:_MOST_WAITS]:
        who = node if wait.task == node else f"{node}, task {wait.task!r},"
        if wait.owner:
            who = (
                f"{_task(wait)} of {node}" if wait.task == wait.owner else f"{node}, {_task(wait)},"
            )
        why = f"; {wait.peer} {over[wait.peer]}" if over and wait.peer in over else ""
        lines.append(f"  {who} waits for {wait.what} since {format_ns(wait.since_ns)}{why}")
    more = len(waits) - _MOST_WAITS
    return [*lines, f"  {node}: and {more} more tasks wait"] if more > 0 else lines
