"""One worker: runs what it is given, in its own process, and says what came of it.

Owns a run of a sweep from its input to its record, and the loop of a worker process (`serve`). Does not own
who asks (helpers.py) nor how a worker is started (forkserver.py).

Rule: whatever goes wrong with a run is in its record. Only the end of the worker itself is not.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..emulator.wire.framing import HEADER
from ..text.error_output import failed_lines, problem_of
from .records import RunRecord, VerdictRecord

_LONGEST_READ = 1 << 20


class Job(msgspec.Struct):
    """What all runs of a sweep have in common.

    `path`: the topology's file; else `text`, or `data`, whose programs are looked for in `folder`.
    `runs_folder`: where run folders are kept; None: nowhere, and nothing is recorded.
    """

    path: str | None
    text: str | None
    data: dict[str, Any] | None
    folder: str
    faults: list[dict[str, Any]]
    runs_folder: str | None

    @property
    def source(self) -> str | Path | dict[str, Any]:
        """For `qnetem.run`."""
        if self.path is not None:
            return Path(self.path)
        return self.text if self.text is not None else self.data or {}


class Task(msgspec.Struct):
    """One run; `seed` None: the topology's own."""

    overrides: dict[str, Any]
    seed: int | None


class Request(msgspec.Struct):
    """To a worker: runs one after the other. The answer is a list of `RunRecord`s, in that order."""

    job: Job
    tasks: list[Task]


def run_task(job: Job, task: Task) -> RunRecord:
    """Run it in this process."""
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    try:
        record = _run(job, task)
    except Exception as error:  # noqa: BLE001  # the border of a run: all that is wrong is its record
        problem = problem_of(error)
        record = failed(task, problem.exit_code, problem)
    record.wall_s = time.monotonic() - began_s
    record.cpu_s = time.process_time() - began_cpu_s
    return record


def failed(task: Task, exit_code: int, problem: Any) -> RunRecord:
    """The record of a run that came to no outcome."""
    return RunRecord(task.seed or 0, exit_code, "", 0, {}, {}, [], [], problem, 0.0, 0.0)


def _run(job: Job, task: Task) -> RunRecord:
    from ..api import prepare, run

    topology = prepare(
        job.source,
        seed=task.seed,
        overrides=task.overrides,
        faults=job.faults,
        folder=Path(job.folder),
    )
    if job.runs_folder is not None:
        done = run(topology, in_process=True, runs_folder=job.runs_folder)
    else:  # the digest is that of any other run; journals would be written for nothing
        topology = topology.model_copy(update={"record": "hashes"})
        folder = tempfile.mkdtemp(prefix="qnetem-sweep-")
        try:
            done = run(topology, in_process=True, runs_folder=folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    outcome = done.outcome
    verdicts = [VerdictRecord(each.quantity, each.ok, each.text) for each in done.verdicts]
    return RunRecord(
        topology.seed,
        done.exit_code,
        outcome.digest,
        outcome.t_ns,
        outcome.results,
        outcome.metrics,
        verdicts,
        failed_lines(done.failed),
        outcome.problem,
        0.0,
        0.0,
    )


# --- the worker's process ---------------------------------------------------------------------------


def serve(channel: socket.socket) -> None:
    """Answer requests until the other end closes the channel."""
    decode = msgspec.msgpack.Decoder(Request).decode
    while (body := read_frame(channel)) is not None:
        request = decode(body)
        write_frame(channel, [run_task(request.job, task) for task in request.tasks])


def write_frame(channel: socket.socket, message: Any) -> None:
    """A message as it stands on the stream. Raises OSError."""
    body = msgspec.msgpack.encode(message)
    channel.sendall(HEADER.pack(len(body)) + body)


def read_frame(channel: socket.socket) -> bytes | None:
    """The next body; None at the end of the stream. Raises OSError."""
    head = _read(channel, HEADER.size)
    return None if head is None else _read(channel, HEADER.unpack(head)[0])


def _read(channel: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = channel.recv(min(size - len(data), _LONGEST_READ))
        if not part:
            return None
        data += part
    return bytes(data)


def as_data(request: Mapping[str, Any]) -> Request:
    """A request that came as plain data."""
    return msgspec.convert(request, Request)
