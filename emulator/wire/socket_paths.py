"""Unix sockets at paths of any length.

Owns the way round the kernel's limit: the address of a Unix socket holds 107 bytes of a path (macOS: 103),
and run folders can be deep. On Linux the folder of a socket can be entered through a descriptor of it, by a
path that is always short. Together with wire.py it may be imported by a node's process.

Rule: a short path leads to its socket only inside its `with`, and only in the process that asked for it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

LONGEST = 103


@contextlib.contextmanager
def short(path: str) -> Iterator[str]:
    """A path to bind or to connect to, for the socket at `path`. Raises OSError without its folder."""
    if len(os.fsencode(path)) <= LONGEST:
        yield path
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)
