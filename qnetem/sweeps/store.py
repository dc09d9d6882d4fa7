"""The runs that a sweep has made, on disk, for the sweep that continues with them.

Owns the file: one line of JSON for each run, `{"key": ..., "record": ...}`, in the order in which runs ended,
and the lock that keeps a second sweep out. Does not own keys (subject.py) nor the table (table.py).

Rule: a line is written whole, by one call. What a kill leaves of a line is cut off by the next sweep. The
file is its owner's only: results may hold keys.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import msgspec

from ..emulator.errors import InfrastructureError, InputError
from ..emulator.wire import UNREADABLE
from ..runs.files import PRIVATE, unreadable, unwritable
from .records import RunRecord


class _Line(msgspec.Struct):
    key: str
    record: RunRecord


class RunStore:
    """The runs in a file, which is made if it is not there. A context manager; belongs to one sweep."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, RunRecord] = {}
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Raises InputError when the file cannot be used, or is another sweep's."""
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
        except BlockingIOError as error:
            raise InputError(f"{self.path}: another sweep is writing to it") from error
        except OSError as error:
            raise InputError(unreadable(self.path, error)) from error

    def __exit__(self, *_: object) -> None:
        self._close()

    def add(self, runs: Iterable[tuple[str, RunRecord]]) -> None:
        """Keep runs that would end the same way again. Raises InfrastructureError."""
        lines = [_Line(key, record) for key, record in runs if record.lasting]
        # Not msgspec's JSON: it has no infinity, and a spread may be infinite.
        data = b"".join(json.dumps(msgspec.to_builtins(each)).encode() + b"\n" for each in lines)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            raise InfrastructureError(unwritable(self.path, error)) from error

    def _read(self) -> None:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._descriptor, whole)
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                found = msgspec.convert(json.loads(line), _Line)
            except (ValueError, *UNREADABLE) as error:
                raise InputError(f"{self.path}:{number}: no run of a sweep: {error}") from error
            self.known[found.key] = found.record

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
