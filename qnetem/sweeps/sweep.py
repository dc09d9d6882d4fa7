"""`qnetem.sweep`: many runs of one topology, on all cores or on any executor.

Owns the order of things: check, take what an earlier sweep has made, run the rest, write the table. Does not
own a run (worker.py), which runs are next (schedule.py) nor the files (store.py, table.py).

Rule: the table depends on the topology, the values and the seeds alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..emulator.errors import InfrastructureError, InputError
from .axes import axes_of
from .helpers import helpers_ended, run_tasks, warm
from .records import Row, RunRecord
from .schedule import PointRuns, Schedule
from .store import RunStore
from .subject import Subject, checked
from .table import Sweep, write_csv
from .target import MOST_SEEDS, Target, read_target
from .worker import Request

if TYPE_CHECKING:
    from ..emulator.loading.loader import MoreFaults
    from ..sources import Source

#: Real seconds between two looks at the runs when none ends, and between two tables on disk.
_LOOK_S, _TABLE_S = 0.25, 5.0

Runs = list[tuple[PointRuns, int]]


class SweepProgress(NamedTuple):
    """How far a sweep is: runs that are done (`found` of them from before), wanted so far, and failed.

    `remaining_s`: real seconds to the end at the pace so far; None before the first run has ended.
    """

    done: int
    wanted: int
    failed: int
    found: int
    remaining_s: float | None


OnSweepProgress = Callable[[SweepProgress], None]


def sweep(
    source: Source,
    parameters: Mapping[str, Any],
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    until: str | None = None,
    csv: str | Path | None = None,
    faults: MoreFaults = (),
    runs_folder: str | Path | None = None,
    on_progress: OnSweepProgress | None = None,
) -> Sweep:
    """Run a topology for every combination of values, once for each seed.

    `parameters`: lists of values by key, as `overrides` of `qnetem.run` have them; "seed" is the list of
    seeds (the topology's own alone). `until`: `"bob.qber +- 0.001"` takes as many seeds for a point, in
    order, as bring the standard error of the mean down to this (seeds 0, 1, 2, ... without a list).

    `executor`: any of concurrent.futures (`workers` processes of this machine: one for each core). `csv`:
    where the table is written; a sweep that is broken off continues when it is called again. `runs_folder`:
    where run folders are kept (they are not). Blocks, in real time; a run that fails is a row. Raises
    InputError for whatever is wrong before the first run, and InfrastructureError.
    """
    target = None if until is None else read_target(until)
    axes = axes_of(parameters)
    quantity = None if target is None else target.quantity
    with ExitStack() as stack:
        # In this order: a thread that waits for a worker is free again when the workers are ended.
        pool = stack.enter_context(_pool(executor, workers))
        stack.enter_context(helpers_ended())
        for _ in range(pool.workers):  # they start while the topology is checked
            _submit(pool.executor, warm)
        subject = checked(source, axes, faults=faults, runs_folder=runs_folder, quantity=quantity)
        if target is not None and axes.seeds is None:
            subject = replace(subject, seeds=range(MOST_SEEDS))
        store = None if csv is None else stack.enter_context(RunStore(store_path(csv)))
        known = {} if store is None else store.known
        schedule = Schedule(subject, axes.points(), target, known)
        making = _Making(subject, schedule, pool, store, on_progress)
        table = Path(csv) if csv is not None else None
        try:
            for _ in making.steps():
                if table is not None and making.table_is_due():
                    write_csv(table, _sweep(list(axes.values), subject, schedule, target))
        finally:
            done = _sweep(list(axes.values), subject, schedule, target)
            if table is not None:
                write_csv(table, done)
    return done


def store_path(csv: str | Path) -> Path:
    """Where the runs are kept that a table is made of: `out.runs.jsonl` beside `out.csv`."""
    return Path(csv).with_suffix(".runs.jsonl")


class _Pool(NamedTuple):
    executor: Executor
    workers: int


@contextmanager
def _pool(executor: Executor | None, workers: int | None) -> Iterator[_Pool]:
    """The executor that was given, or threads that each have a worker process."""
    if workers is not None and workers < 1:
        raise InputError(f"workers: expected at least 1, found {workers}")
    if executor is not None:
        yield _Pool(executor, workers or _workers_of(executor))
        return
    count = workers or _cores()
    with ThreadPoolExecutor(count, thread_name_prefix="qnetem-sweep") as threads:
        yield _Pool(threads, count)


def _submit(executor: Executor, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    try:
        return executor.submit(function, *arguments)
    except Exception as error:  # whatever an executor says that is shut down, or broken
        raise InfrastructureError(f"the executor takes no calls: {error}") from error


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _workers_of(executor: Executor) -> int:
    """How many calls an executor carries out at a time, as far as it says so."""
    client = getattr(executor, "_client", None)  # of Dask
    if client is not None:
        return max(1, int(sum(client.nthreads().values())))
    return getattr(executor, "_max_workers", None) or _cores()


class _Making:
    """Runs on their way: requests to the executor, and their answers."""

    def __init__(
        self,
        subject: Subject,
        schedule: Schedule,
        pool: _Pool,
        store: RunStore | None,
        on_progress: OnSweepProgress | None,
    ) -> None:
        self._subject, self._schedule, self._pool = subject, schedule, pool
        self._store, self._on_progress = store, on_progress
        self._pending: dict[Future[list[dict[str, Any]]], Runs] = {}
        self._first = (0, 0.0)
        self._table_s = time.monotonic()
        self._reported = -1

    def steps(self) -> Iterator[None]:
        """Make what is wanted; yields after each look at what has ended."""
        try:
            self._fill()
            while self._pending:
                done, _ = wait(self._pending, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
                for future in done:
                    self._ended(self._pending.pop(future), future)
                self._fill()
                self._report()
                yield
            self._report()
        finally:
            for future in self._pending:
                future.cancel()

    def table_is_due(self) -> bool:
        """Whether the table on disk is old; long ones are written more seldom."""
        now_s = time.monotonic()
        due = now_s - self._table_s > max(_TABLE_S, 1e-3 * self._schedule.made)
        if due:
            self._table_s = now_s
        return due

    def _fill(self) -> None:
        """Have one request with each worker, and one more wait for it."""
        while len(self._pending) < 2 * self._pool.workers:
            runs = self._schedule.chunk(self._pool.workers)
            if not runs:
                return
            tasks = [point.task(number) for point, number in runs]
            request = msgspec.to_builtins(Request(self._subject.job, tasks))
            self._pending[_submit(self._pool.executor, run_tasks, request)] = runs

    def _ended(self, runs: Runs, future: Future[list[dict[str, Any]]]) -> None:
        try:
            answer = future.result()
        except InfrastructureError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}".strip(": ")
            raise InfrastructureError(f"the executor does not answer: {what}") from error
        records = msgspec.convert(answer, list[RunRecord])
        if self._store is not None:
            keys = [self._subject.key(point.task(number)) for point, number in runs]
            self._store.add(zip(keys, records, strict=True))
        self._schedule.ended(runs, records)

    def _report(self) -> None:
        schedule = self._schedule
        if self._on_progress is None or self._reported == schedule.made + schedule.found:
            return
        self._reported = schedule.made + schedule.found
        left = schedule.left + schedule.under_way
        done = schedule.found + schedule.made
        made, passed_s = schedule.made - self._first[0], time.monotonic() - self._first[1]
        if not self._first[0]:  # the first runs wait for the workers to start: they say nothing
            self._first = (schedule.made, time.monotonic())
        remaining_s = passed_s / made * left if self._first[0] and made > 0 else None
        self._on_progress(
            SweepProgress(done, done + left, schedule.failed, schedule.found, remaining_s)
        )


def _sweep(
    parameters: Sequence[str], subject: Subject, schedule: Schedule, target: Target | None
) -> Sweep:
    """The table of what has ended so far."""
    rows = [
        Row(task.overrides, task.seed or 0, record, subject.command(task))
        for point in schedule.points
        for task, record in point.rows()
    ]
    return Sweep(parameters, rows, target is None or all(each.reached for each in schedule.points))
