"""Files that are there as a whole or not at all, on a full disk too.

Owns the writing of small files in one step. What is appended to (journals, logs) has rules of its own.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PRIVATE = 0o600


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
