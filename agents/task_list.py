"""A loop's live tasks, and the failures nobody has looked at.

Owns two lists that never depend on garbage collection. asyncio keeps tasks in a weak set and reports a
lost exception when the collector gets to it; here live tasks are held until they have ended, and failures
until somebody has asked for the exception.

Rule: memory is bounded by what lives. Finished tasks are dropped in bulk, when as many have gathered as
were alive, so that a task costs the same however many there are.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .tasks import Future, Task, TaskStack, task_stack

_SWEEP = 64


class TaskList:
    """Tasks and failed futures of one VirtualLoop."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._failures: list[Any] = []
        self._sweep_tasks_at = _SWEEP
        self._sweep_failures_at = _SWEEP

    def note_task(self, task: Task) -> None:
        """Called by each new task."""
        if len(self._tasks) >= self._sweep_tasks_at:
            for ended in self._tasks.values():
                if _failed_unseen(ended):
                    self.note_failure(ended)
            self._tasks = {n: other for n, other in self._tasks.items() if not other.done()}
            self._sweep_tasks_at = max(_SWEEP, 2 * len(self._tasks))
        self._tasks[hash(task)] = task

    def note_failure(self, future: asyncio.Future[Any]) -> None:
        """Called for each future that got an exception."""
        if len(self._failures) >= self._sweep_failures_at:
            self._failures = [other for other in self._failures if _failed_unseen(other)]
            self._sweep_failures_at = max(_SWEEP, 2 * len(self._failures))
        self._failures.append(future)

    def live(self) -> list[Task]:
        """The live tasks in order of creation."""
        return sorted((task for task in self._tasks.values() if not task.done()), key=hash)

    def stacks(self) -> list[TaskStack]:
        """Where the live tasks stand, in order of creation."""
        return [task_stack(task) for task in self.live()]

    def unretrieved(self) -> list[tuple[str, BaseException]]:
        """Name and exception of each failure nobody has asked for, in order of creation."""
        failed = [*self._failures, *self._tasks.values()]
        unseen = {hash(future): future for future in failed if _failed_unseen(future)}
        return [(_name(unseen[n]), unseen[n]._exception) for n in sorted(unseen)]

    def silence(self) -> None:
        """Forget everything; asyncio's own warnings about it stay unsaid."""
        for task in self._tasks.values():
            task._log_destroy_pending = False
        for future in [*self._failures, *self._tasks.values()]:
            if future._log_traceback:
                future._log_traceback = False
        self._tasks, self._failures = {}, []


def _failed_unseen(future: Any) -> bool:
    """asyncio keeps this flag: set with the exception, cleared when somebody asks for it."""
    return bool(future._log_traceback)


def _name(future: Any) -> str:
    if isinstance(future, asyncio.Task):
        return future.get_name()
    kind = "Future" if isinstance(future, Future) else "gather"
    return f"{kind}-{hash(future)}"
