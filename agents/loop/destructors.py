"""Exceptions that Python cannot raise anywhere: of a `__del__`, of a weak reference's callback.

Owns the hook that stands while a VirtualLoop is stepped. Python writes such an exception to standard error
and goes on. In a step it is the program's, and fails its node like one in a callback.

Rule: no garbage collection may be seen. What the cycle collector frees is freed at a moment that depends on
everything else in the process; what is raised there is written to the log and does nothing else.
"""

from __future__ import annotations

import sys
from asyncio import _get_running_loop
from collections.abc import Callable
from typing import Any

from .asyncgens import is_collecting


class _Outside:
    """The hook that stood before."""

    hook: Callable[[Any], object] = sys.__unraisablehook__


def put_aside(hook: Callable[[Any], object]) -> None:
    """Put ours in place of `hook`, which gets what is not a program's."""
    _Outside.hook = hook
    sys.unraisablehook = in_destructor


def in_destructor(unraisable: Any) -> None:
    """Hook: called by the interpreter with an exception that it cannot raise."""
    unhandled = getattr(_get_running_loop(), "unhandled", None)
    if unhandled is None or is_collecting():
        _Outside.hook(unraisable)
        return
    error = unraisable.exc_value
    unhandled.append(("an exception in a destructor", error or unraisable.exc_type()))
