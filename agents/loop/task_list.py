"""A loop's live tasks, and the failures that no await has retrieved.

Owns lists that never depend on garbage collection. asyncio keeps tasks in a weak set and reports a lost
exception when the collector gets to it; here live tasks are held until they have ended, and failures
until the exception has been asked for.

A failure is lost when a step ends and its exception is not retrieved, unless a `gather`, a `wait` or an
`as_completed` that is under way will look at it later: those three collect exceptions when they end. Any
other await retrieves an exception in the step in which it is raised.

Rule: memory is bounded by what lives. Finished tasks are dropped in bulk, when as many have gathered as
were alive, so that a task costs the same however many there are.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .tasks import Future, Task

_SWEEP = 64
#: Where the callbacks of this module run: nothing of a program's context is kept for them.
_CONTEXT = contextvars.Context()


class TaskList:
    """Tasks and failed futures of one VirtualLoop.

    `failures`: what has failed; its exception may have been retrieved since. One list, for good.
    """

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self.failures: list[Any] = []
        self._sweep_tasks_at = _SWEEP
        self._sweep_failures_at = _SWEEP
        #: What collects exceptions later: futures of `gather`, and what others wait for side by side.
        self._gathers: list[Any] = []
        self._sweep_gathers_at = _SWEEP
        self._groups: list[list[Any]] = []

    def note_task(self, task: Task) -> None:
        """Called by each new task."""
        if len(self._tasks) >= self._sweep_tasks_at:
            self._tasks = {n: other for n, other in self._tasks.items() if not other.done()}
            self._sweep_tasks_at = max(_SWEEP, 2 * len(self._tasks))
        self._tasks[hash(task)] = task
        task.add_done_callback(self._ended, context=_CONTEXT)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if _failed_unseen(task):
            self.note_failure(task)

    def note_failure(self, future: asyncio.Future[Any]) -> None:
        """Called for each future that got an exception."""
        if len(self.failures) >= self._sweep_failures_at:
            self.failures[:] = filter(_failed_unseen, self.failures)
            self._sweep_failures_at = max(_SWEEP, 2 * len(self.failures))
        self.failures.append(future)

    def note_gather(self, outer: Any) -> None:
        """Called by each new future of a `gather`: it looks at its children when it ends."""
        if len(self._gathers) >= self._sweep_gathers_at:
            self._gathers = [other for other in self._gathers if not other.done()]
            self._sweep_gathers_at = max(_SWEEP, 2 * len(self._gathers))
        self._gathers.append(outer)

    @contextmanager
    def waited(self, futures: Iterable[Any]) -> Iterator[None]:
        """For as long as a `wait` for these is under way."""
        group = list(futures)
        self._groups.append(group)
        try:
            yield
        finally:
            self._groups = [other for other in self._groups if other is not group]

    def note_group(self, futures: list[Any]) -> None:
        """An `as_completed` hands these out, one by one."""
        self._groups = [group for group in self._groups if not all(map(_is_over, group))]
        self._groups.append(futures)

    def lost(self, owner: str | None = None) -> list[tuple[str, BaseException]]:
        """Name and exception of each failure that no await will retrieve, in order of creation.

        Of all owners, or of one.
        """
        if not self.failures:
            return []
        self.failures[:] = filter(_failed_unseen, self.failures)
        awaited = {
            id(child) for outer in self._gathers if not outer.done() for child in outer._children
        }
        awaited.update(id(future) for group in self._groups for future in group)
        return _named((each for each in self.failures if id(each) not in awaited), owner)

    def live(self) -> list[Task]:
        """The live tasks in order of creation."""
        return sorted((task for task in self._tasks.values() if not task.done()), key=hash)

    def unretrieved(self, owner: str | None = None) -> list[tuple[str, BaseException]]:
        """Name and exception of each failure whose exception was not retrieved, in order of creation."""
        failed = [*self.failures, *self._tasks.values()]
        return _named(filter(_failed_unseen, failed), owner)

    def silence(self) -> None:
        """Forget everything; asyncio's own warnings about it stay unsaid."""
        for task in self._tasks.values():
            task._log_destroy_pending = False
        for future in [*self.failures, *self._tasks.values()]:
            if future._log_traceback:
                future._log_traceback = False
        self.failures.clear()
        self._tasks, self._gathers, self._groups = {}, [], []


def _failed_unseen(future: Any) -> bool:
    """asyncio keeps this flag: set with the exception, cleared when it is retrieved."""
    return bool(future._log_traceback)


def _is_over(future: Any) -> bool:
    return future.done() and not _failed_unseen(future)


def _named(failed: Iterable[Any], owner: str | None) -> list[tuple[str, BaseException]]:
    by_number = {
        hash(future): future for future in failed if owner is None or future.owner.name == owner
    }
    return [(_name(by_number[n]), by_number[n]._exception) for n in sorted(by_number)]


def _name(future: Any) -> str:
    if isinstance(future, asyncio.Task):
        return future.get_name()
    kind = "Future" if isinstance(future, Future) else "gather"
    return f"{kind}-{hash(future)}"
