"""What the programs of a run have printed and logged: how much, where it is, and the lines themselves.

Owns reading the logs of nodes. Does not own their names (run_folder.py) nor writing them
(agents/process/files.py, agents/process/output.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..emulator.errors import InputError
from .files import unreadable
from .run_folder import RunFolder

_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Printed:
    """What one node has printed: its log files, one for each incarnation that printed, and their lines."""

    logs: list[Path]
    lines: int


def printed_lines(run_folder: Path, nodes: Iterable[str]) -> dict[str, Printed]:
    """Those of the nodes that have printed something, in their order.

    What cannot be read counts as nothing: a summary does not fail for it.
    """
    printed = {}
    for node in nodes:
        lines = {log: _count_lines(log) for log in _logs(RunFolder(run_folder), node)}
        if any(lines.values()):
            printed[node] = Printed([log for log in lines if lines[log]], sum(lines.values()))
    return printed


def output_of(run_folder: Path) -> Iterator[str]:
    """Each line that a program has printed or logged, behind its node's name: `alice | bit 1`.

    Node by node; a second incarnation is `alice.2`. Raises InputError when a log cannot be read.
    """
    folder = RunFolder(run_folder)
    logs = {
        log: node if at == 0 else f"{node}.{at + 1}"
        for node in folder.read_nodes()
        for at, log in enumerate(_logs(folder, node))
    }
    width = max(map(len, logs.values()), default=0)
    for log, name in logs.items():
        try:
            with log.open(encoding="utf-8", errors="backslashreplace") as file:
                for line in file:
                    yield f"{name:<{width}} | {line.rstrip()}"
        except OSError as error:
            raise InputError(unreadable(log, error)) from error


def shown_path(path: Path, on_terminal: bool) -> str:
    """A path to copy: on a terminal relative, and so shorter, if it is below the working directory."""
    if not on_terminal:
        return str(path)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _logs(folder: RunFolder, node: str) -> list[Path]:
    """The log of each incarnation that has one, in order."""
    logs: list[Path] = []
    while (log := folder.node_log(node, len(logs) + 1)).exists():
        logs.append(log)
    return logs


def _count_lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with contextlib.suppress(OSError), path.open("rb") as file:
        while part := file.read(_AT_ONCE):
            lines, last = lines + part.count(b"\n"), part[-1:]
    return lines + (last != b"\n")
