"""What the tests of sweeps share: a topology, and runs that take no time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qnetem.emulator.wire.control import Problem
from qnetem.sweeps import sweep as sweeps
from qnetem.sweeps.records import RunRecord
from qnetem.sweeps.worker import Request, Task, as_data

PROGRAM = """\
import ctypes

from qnetem import Agent


class Alice(Agent):
    async def run(self, rounds: int = 3, end: str = "", table: str = ""):
        if end == "raise":
            raise ValueError("no more\\nat all")
        if end == "die":
            ctypes.string_at(0)
        for _ in range(3):
            pair = await self.entangle("bob")
            self.record("bit", await pair.measure("Z"))
        return {"rounds": rounds, "set": list({"a", "b", "c", "d"}), "deep": {"x": 1.5}}


class Bob(Agent):
    async def run(self, rounds: int = 3):
        for _ in range(rounds):
            await (await self.entangle("alice")).measure("Z")
"""
TOPOLOGY = """\
name: coin
seed: 7
nodes:
  alice: {program: "./coin.py:Alice"}
  bob: {program: "./coin.py:Bob"}
links:
  - {between: [alice, bob], quantum: {length: 1 km, entangle: {success: 0.1, fidelity: 0.9, attempt: 1 ms}}}
expect: {alice.rounds: "< 5"}
"""
LENGTH = "links.alice-bob.quantum.length"


def written(folder: Path) -> Path:
    """The topology and its program in a folder."""
    (folder / "coin.py").write_text(PROGRAM, encoding="utf-8")
    path = folder / "coin.yaml"
    path.write_text(TOPOLOGY, encoding="utf-8")
    return path


def record(task: Task, value: float | None = None, **changes: Any) -> RunRecord:
    """A record that only the task decides."""
    text = repr((list(task.overrides.items()), task.seed)).encode()
    digest = hashlib.blake2b(text, digest_size=16).hexdigest()
    found = int(digest[:6], 16) / 0xFFFFFF if value is None else value
    metrics = {
        "bob.qber": {"count": 9.0, "mean": found, "std": 0.3, "min": 0.0, "max": 1.0, "last": 1.0}
    }
    metrics["links.alice-bob.pairs"] = {"count": 12.0}
    plain = RunRecord(task.seed or 0, 0, digest, 10**9, {}, metrics, [], [], None, 0.01, 0.01)
    return msgspec.structs.replace(plain, **changes)


def failing(task: Task, kind: str = "ProgramFailed", exit_code: int = 1) -> RunRecord:
    problem = Problem(kind, "ValueError: no more\nat all", exit_code, "alice", 5)
    return record(task, exit_code=exit_code, problem=problem)


def in_place(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[Mapping[str, Any]], list[dict[str, Any]]]
) -> None:
    """Have sweeps call this in place of worker processes."""
    monkeypatch.setattr(sweeps, "run_tasks", run)
    monkeypatch.setattr(sweeps, "warm", int)


class Fake:
    """In place of `run_tasks`; `made`: the tasks so far, in order. Raises `error` after `most` of them."""

    def __init__(
        self, most: int | None = None, error: type[BaseException] = KeyboardInterrupt
    ) -> None:
        self.made: list[Task] = []
        self._most, self._error = most, error

    def __call__(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: Request = as_data(request)
        for task in found.tasks:
            if len(self.made) == self._most:
                raise self._error
            self.made.append(task)
        return [msgspec.to_builtins(record(task)) for task in found.tasks]
