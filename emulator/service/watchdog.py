"""The watchdog: a node whose report is awaited, and which sends nothing for too long in real time.

Owns the clocks of silence and the asking for stacks (SIGUSR1, answered by a file; see
agents/process/files.py). Does not own the verdict: the world decides.

Rules: the clock of a node runs while it is awaited and sends nothing, and starts again with
every frame. A node under a debugger is never silent.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..wire import UNDER_A_DEBUGGER, run_files

#: How long a node has to write its stacks.
ANSWER_S = 2.0
LOG_TAIL_LINES = 40
#: For how long a node may be silent (s), and the variable that says otherwise.
SILENT_S = 30.0
SILENT_VARIABLE = "QNETEM_SILENT_S"
#: A timer of the system takes neither less nor more.
_SHORTEST_S, _LONGEST_S = 0.01, 1e7

#: A node and its incarnation; or "" and the number of a worker.
Label = tuple[str, int]


def silent_s(environment: Mapping[str, str]) -> float:
    """How long a node may be silent (s). Raises InputError when the variable says nothing of the kind."""
    text = environment.get(SILENT_VARIABLE)
    if text is None:
        return SILENT_S
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not _SHORTEST_S <= found <= _LONGEST_S:
        limits = f"from {_SHORTEST_S:g} to {_LONGEST_S:g}"
        raise InputError(f"{SILENT_VARIABLE}={text!a}: expected a number of seconds {limits}")
    return found


class _Clock:
    """One incarnation's silence."""

    __slots__ = ("frames", "pid", "seen_s", "since_s", "asked_s")

    def __init__(self, pid: int, frames: int, now_s: float) -> None:
        self.pid, self.frames = pid, frames
        self.since_s = self.seen_s = now_s
        self.asked_s: float | None = None


class Watchdog:
    """Call `observe` for every awaited node at every tick, then `take_stalled`."""

    def __init__(self, run_folder: str, silent_s: float) -> None:
        self._run_folder = run_folder
        self._silent_s = silent_s
        self._clocks: dict[Label, _Clock] = {}

    def observe(self, label: Label, pid: int, frames: int, now_s: float) -> None:
        """`label` = (node, incarnation) is awaited now, and has sent `frames` frames so far."""
        clock = self._clocks.get(label)
        if clock is None or clock.frames != frames:
            self._clocks[label] = _Clock(pid, frames, now_s)
        else:
            clock.seen_s = now_s

    def take_stalled(self, now_s: float) -> list[tuple[Label, str]]:
        """Those that have been silent too long, with their stacks. Asks for stacks on the way."""
        stalled: list[tuple[Label, str]] = []
        for label, clock in list(self._clocks.items()):
            if clock.seen_s != now_s:
                del self._clocks[label]
            elif now_s - clock.since_s >= self._silent_s:
                stacks = self._stacks(label, clock, now_s)
                if stacks is not None:
                    del self._clocks[label]
                    if not stacks.startswith(UNDER_A_DEBUGGER):
                        stalled.append((label, stacks))
        return stalled

    def _stacks(self, label: Label, clock: _Clock, now_s: float) -> str | None:
        """Its stacks, once they are there or the time to answer has passed; None until then."""
        path, log = _files(self._run_folder, *label)
        if clock.asked_s is None:
            path.unlink(missing_ok=True)
            clock.asked_s = now_s
            try:
                os.kill(clock.pid, signal.SIGUSR1)
            except ProcessLookupError:
                return "its process is gone\n"
        if path.exists():
            return path.read_text(encoding="utf-8", errors="replace")
        if now_s - clock.asked_s < ANSWER_S:
            return None
        return f"it does not answer SIGUSR1; its log ends:\n{_tail(log)}"


def _files(run_folder: str, node: str, number: int) -> tuple[Path, Path]:
    """Where a process writes its stacks, and its log."""
    if node:
        return run_files.node_stacks(run_folder, node, number), run_files.node_log(
            run_folder, node, number
        )
    return run_files.worker_stacks(run_folder, number), run_files.worker_log(run_folder, number)


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "".join(f"  {line}\n" for line in lines[-LOG_TAIL_LINES:])
