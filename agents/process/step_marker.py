"""Which node of a worker is at work: a word in a file, which is right however the worker stands or has ended.

Owns that file; emulator/service/workers.py reads it, to blame one node and not its neighbours. It is mapped
into memory, so a step costs no system call, and what was written last outlives the process.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

_BYTES = 4


class StepMarker:
    """The file at `path`: the place of the node at work, from 1; 0 for none. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.truncate(file, _BYTES)
            self._word = mmap.mmap(file, _BYTES)
        finally:
            os.close(file)

    @property
    def place(self) -> int:
        """The place of the node at work; 0 for none."""
        return int.from_bytes(self._word[:])

    def close(self) -> None:
        """No node will be at work any more: the file is of no use."""
        self._path.unlink(missing_ok=True)

    def write(self, place: int = 0) -> None:
        """The node at that place is at work now."""
        self._word[:] = place.to_bytes(_BYTES)
