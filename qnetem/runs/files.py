"""The files of a run: its owner's only, and small ones whole or not at all, on a full disk too.

Owns how such files are written and read, and the text of the error when the disk refuses. Does not own their
names (run_folder.py). What is appended to (journals, logs) is written by the processes that own it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import msgspec

from ..emulator.errors import InputError
from ..emulator.wire import UNREADABLE

PRIVATE = 0o600


def unwritable(path: Path | str, error: OSError) -> str:
    """The text of an error: what cannot be written, and why."""
    return f"{path} cannot be written: {error.strerror or error}"


def unreadable(path: Path | str, error: OSError) -> str:
    """The text of an error: what cannot be read, and why."""
    return f"{path} cannot be read: {error.strerror or error}"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file anew, its owner's only: a reader sees the old one or the new one.

    Raises OSError; then the old one stays. Never over what is there: an old file could be open to others, or
    a link to elsewhere.
    """
    draft = path.with_name(f".{path.name}")
    try:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with open(descriptor, "wb") as file:
            file.write(data)
        draft.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """`write_whole` of a value as indented JSON. Raises OSError."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError as error:
        raise InputError(f"there is no {path}") from error
    except OSError as error:
        raise InputError(unreadable(path, error)) from error
    except UNREADABLE as error:
        raise InputError(f"{path}: expected a JSON object: {error}") from error


def open_log(path: Path) -> int:
    """A descriptor that appends to a log. Raises OSError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)


def log_tail(path: Path, start: int = 0, lines: int = 12) -> str:
    """The last lines of a log after byte `start`, to stand below an error; empty when there are none."""
    try:
        with path.open("rb") as log:
            log.seek(start)
            text = log.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    tail = text.splitlines()[-lines:]
    return f"; {path} ends:\n" + "\n".join(f"  {line}" for line in tail) if tail else ""
