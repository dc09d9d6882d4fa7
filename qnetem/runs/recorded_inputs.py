"""What came from outside into a recorded run, as its nodes' records have it.

Owns reading it. Rule: a run that let something in can be replayed only with the bytes, which `record:
hashes` does not keep; such a run is refused by name. The records are checked first: they are part of what
is replayed.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ..emulator.errors import InputError
from ..emulator.wire import Grant, RecordedInput
from .events import Lines
from .node_record import node_record
from .recorded import RecordedRun


def recorded_inputs(run: RecordedRun) -> list[RecordedInput]:
    """All inputs of a run, by node and time. Raises InputError for a run without their bytes."""
    if run.journal is None:
        _refuse_without_bytes(run)
        return []
    let_in = _nodes_with_inputs(run.journal)
    found: list[RecordedInput] = []
    for node, incarnation in run.folder.recorded():
        if node in let_in:
            found += _inputs_of(run, node, incarnation)
    return found


def _nodes_with_inputs(journal: Path) -> set[str]:
    found = set()
    with Lines(journal) as lines:
        while lines.line is not None:
            if b'"input"' in lines.line and (event := lines.event()).kind == "input":
                found.add(event.entity)
            lines.advance()
    return found


def _inputs_of(run: RecordedRun, node: str, incarnation: int) -> list[RecordedInput]:
    record = node_record(run, node, incarnation)
    run.check(record.path)
    with closing(record.records()) as records:
        return [
            RecordedInput(each.t_ns, node, incarnation, item)
            for each in records
            if isinstance(each, Grant)
            for item in each.inputs
        ]


def _refuse_without_bytes(run: RecordedRun) -> None:
    nodes = run.end().nodes if run.outcome is not None else {}
    let_in = [name for name, node in nodes.items() if node.inputs]
    if let_in:
        raise InputError(
            f"{run.path}: {', '.join(let_in)} took input from outside, and `record: hashes` keeps none "
            "of it: such a run cannot be replayed; with `record: full` it can"
        )
