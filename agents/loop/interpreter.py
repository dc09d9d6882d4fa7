"""What a program may change about the interpreter, and what is put back when its step ends.

Owns a short list: the recursion limit, the trace and profile functions, the hook for uncaught exceptions.
In one process they would strike the other nodes and the machinery; in a process of its own a program would
find them in its next step, so they last for one step everywhere. A debugger is left in place.
"""

from __future__ import annotations

import sys
from typing import Any

Settings = tuple[int, Any, Any, Any]


def settings() -> Settings:
    """As they are now."""
    return sys.getrecursionlimit(), sys.gettrace(), sys.getprofile(), sys.excepthook


def put_back(before: Settings) -> None:
    """As they were; asked after every step, so it looks before it does anything."""
    limit, trace, profile, hook = before
    if sys.getrecursionlimit() != limit:
        sys.setrecursionlimit(limit)
    if sys.gettrace() is not trace and not _is_debugger(sys.gettrace()):
        sys.settrace(trace)
    if sys.getprofile() is not profile:
        sys.setprofile(profile)
    sys.excepthook = hook


def _is_debugger(function: Any) -> bool:
    bdb = sys.modules.get("bdb")
    return bdb is not None and issubclass(type(getattr(function, "__self__", None)), bdb.Bdb)
