"""What a step changes in the interpreter, and what a program may change there: put back when the step ends.

Owns the running loop of the thread, the hooks of finalizers.py, and the settings that a program may change:
the recursion limit, the trace and profile functions, the hook for uncaught exceptions. In one process they
would reach the other nodes and the emulator; in a process of its own a program would find them in its next
step. So they last for one step everywhere. A debugger is left in place.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import sys
from asyncio import _get_running_loop, _set_running_loop
from collections.abc import Callable
from typing import Any

from .finalizers import finalizer, first_iteration, in_destructor, put_aside

#: Puts an outer loop's current task aside. Before 3.12 current tasks are kept per loop and need no help.
_swap_current_task: Callable[[Any, Any], Any] | None = getattr(
    asyncio.tasks, "_swap_current_task", None
)

#: By names of their own, because every step asks twice.
_hooks, _limit = sys.get_asyncgen_hooks, sys.getrecursionlimit
_trace, _profile = sys.gettrace, sys.getprofile
#: What `enter` found: running loop and its task, hooks of generators and destructors, then the settings that
#: a program may change: recursion limit, trace and profile functions, hook for uncaught exceptions.
Outside = tuple[asyncio.AbstractEventLoop | None, Any, Any, Any, int, Any, Any, Any]


def enter(loop: asyncio.AbstractEventLoop) -> Outside:
    """Make this the running loop of the thread; returns what has to be put back."""
    outer = _get_running_loop()
    task = None
    if outer is not None and _swap_current_task is not None:
        task = asyncio.current_task(outer)
        if task is not None:
            _swap_current_task(outer, None)
    hooks, unraisable = _hooks(), sys.unraisablehook
    if hooks.firstiter is not first_iteration:
        sys.set_asyncgen_hooks(first_iteration, finalizer)
    if unraisable is not in_destructor:
        put_aside(unraisable)
    _set_running_loop(loop)
    return outer, task, hooks, unraisable, _limit(), _trace(), _profile(), sys.excepthook


def leave(outside: Outside) -> None:
    """Put back what stood before `enter`; called after every step, so it looks before it does anything."""
    outer, task, hooks, unraisable, limit, trace, profile, hook = outside
    if _limit() != limit:
        sys.setrecursionlimit(limit)
    if _trace() is not trace and not _is_debugger(_trace()):
        sys.settrace(trace)
    if _profile() is not profile:
        sys.setprofile(profile)
    sys.excepthook = hook
    _set_running_loop(outer)
    sys.unraisablehook = unraisable
    if hooks.firstiter is not first_iteration:
        sys.set_asyncgen_hooks(*hooks)
    if task is not None and _swap_current_task is not None:
        _swap_current_task(outer, task)


def _is_debugger(function: Any) -> bool:
    bdb = sys.modules.get("bdb")
    return bdb is not None and issubclass(type(getattr(function, "__self__", None)), bdb.Bdb)
