"""`qnetem schedule FILE`: the single faults that a file plans with its seed, and the frozen file.

Owns the table, the list and the frozen file. Does not own the plan (emulator/topology/faults/plan.py).

Rule: a frozen file is the file as it was, comments and all, but for `faults:`, which holds one entry for
each single fault.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from ..emulator.errors import InputError, TopologyError
from ..emulator.loading import Topology, parse_topology
from ..emulator.topology.model.faults import FaultSpec
from ..emulator.units import format_ns
from ..runs.files import unwritable
from ..text.columns import in_columns
from ..text.faults import fault_data, fault_entry, fault_line
from ..text.quantities import count


def by_time(topology: Topology) -> list[FaultSpec]:
    """The single faults, in order of time."""
    return sorted(topology.faults, key=lambda fault: fault.at_ns)


def as_table(topology: Topology, width: int) -> list[str]:
    """Lines for people."""
    faults = by_time(topology)
    head = f"{topology.name}  seed {topology.seed}  {count(len(faults), 'fault')}"
    if not faults:
        return [head]
    rows = [[format_ns(fault.at_ns), fault.id, fault_line(fault)] for fault in faults]
    return [head, "", *in_columns([["at", "id", "fault"], *rows], width, right=(0,))]


def as_json(topology: Topology) -> str:
    """One JSON list."""
    found = [fault_data(fault) for fault in by_time(topology)]
    return json.dumps(found, ensure_ascii=False)


def as_entries(topology: Topology) -> list[str]:
    """The section `faults:` that means the same with any seed."""
    return ["faults:", *(f"  - {fault_entry(fault)}" for fault in by_time(topology))]


def frozen(topology: Topology) -> str:
    """The topology's file with its faults frozen.

    Raises InputError for a topology without a file, and for a file whose lines do not show
    where its faults begin and end.
    """
    if topology.source is None:
        raise InputError("only a topology that comes from a file can be frozen")
    lines = Path(topology.source).read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    begin, end = _section(lines, "faults")
    text = "\n".join([*lines[:begin], *as_entries(topology), *lines[end:], ""])
    if not _has_faults_of(text, topology):
        problem = "expected its faults below a line that begins with `faults:`, or none"
        raise InputError(f"{topology.source} cannot be frozen: {problem}")
    return text


def _has_faults_of(text: str, topology: Topology) -> bool:
    try:
        found = parse_topology(text, str(topology.source))
    except TopologyError:
        return False
    return [_effect(fault) for fault in by_time(found)] == [
        _effect(fault) for fault in by_time(topology)
    ]


def _effect(fault: FaultSpec) -> dict[str, Any]:
    """What a fault does; its id is its place in the file."""
    return fault.model_dump(exclude={"id"})


def write_frozen(topology: Topology, path: Path) -> None:
    """Write the frozen file. Raises InputError, also rather than write over the file itself."""
    text = frozen(topology)
    try:
        if topology.source is not None and path.resolve() == topology.source.resolve():
            raise InputError(f"{path} is the topology itself: name another file")
        mode = 0o666 if topology.source is None else stat.S_IMODE(topology.source.stat().st_mode)

        def as_private(name: str, flags: int) -> int:
            """As the topology itself, from the first byte on."""
            return os.open(name, flags, mode)

        with open(path, "w", encoding="utf-8", opener=as_private) as file:
            file.write(text)
    except OSError as error:
        raise InputError(unwritable(path, error)) from error


def _section(lines: list[str], key: str) -> tuple[int, int]:
    """Where a top-level section begins and ends (line numbers from 0); the end of the file if not there."""
    begin = next((at for at, line in enumerate(lines) if line.startswith(f"{key}:")), len(lines))
    if begin == len(lines):
        return begin, begin
    end = begin + 1
    while end < len(lines) and (not lines[end].strip() or lines[end][0] in " \t-#}]"):
        end += 1
    while end > begin + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return begin, end
