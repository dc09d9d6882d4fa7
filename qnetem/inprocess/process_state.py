"""What a program can change about the process it runs in, and how to put it back.

Owns the list. Between processes such a change is the node's own and ends with it; where nodes share a
process it would reach the caller, and the runs after it (turns.py puts it back). Does not own standard
streams (agents/process/output.py) nor the modules of programs (agents/node/program.py).

Rule: what has not changed is not written. Decimal's context and numpy's handling of errors are not in the
list: they belong to a context, and each node has its own. What a program changes elsewhere, such as an
attribute of a library's module, stays changed.
"""

from __future__ import annotations

import asyncio.events
import contextlib
import gc
import locale
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

#: Those that a program may have a use for; SIGINT, SIGTERM and SIGALRM are the run's own.
_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGCHLD", "SIGPROF")
    if hasattr(signal, name)
]


class _Part(NamedTuple):
    """One thing that can change: `read` gives what can be compared, `write` puts that back."""

    read: Callable[[], Any]
    write: Callable[[Any], None]


def _set_environment(wanted: dict[str, str]) -> None:
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return None


def _set_working_directory(wanted: str | None) -> None:
    if wanted is not None:
        with contextlib.suppress(OSError):
            os.chdir(wanted)


def _set_path(wanted: list[str]) -> None:
    sys.path[:] = wanted


def _warnings() -> tuple[Any, list[Any], Any]:
    return warnings.filters, list(warnings.filters), warnings.showwarning


def _set_warnings(wanted: tuple[Any, list[Any], Any]) -> None:
    filters, entries, show = wanted
    warnings.filters = filters
    warnings.resetwarnings()  # also makes known that the filters have changed
    filters[:] = entries
    warnings.showwarning = show


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict
    return [logging.root, *(one for one in list(known.values()) if isinstance(one, logging.Logger))]


def _logging() -> dict[logging.Logger, tuple[Any, ...]]:
    return {
        one: (one.level, one.handlers[:], one.filters[:], one.propagate, one.disabled)
        for one in _loggers()
        if one.level or one.handlers or one.filters or not one.propagate or one.disabled
    }


def _set_logging(wanted: Mapping[logging.Logger, tuple[Any, ...]]) -> None:
    for one in _loggers():
        level, one.handlers[:], one.filters[:], one.propagate, one.disabled = wanted.get(
            one, (logging.NOTSET, [], [], True, False)
        )
        if one.level != level:
            one.setLevel(level)


def _set_disabled(wanted: int) -> None:
    logging.root.manager.disable = wanted


def _set_locale(wanted: str) -> None:
    locale.setlocale(locale.LC_ALL, wanted)


def _collector() -> tuple[bool, tuple[int, int, int]]:
    return gc.isenabled(), gc.get_threshold()


def _set_collector(wanted: tuple[bool, tuple[int, int, int]]) -> None:
    enabled, thresholds = wanted
    (gc.enable if enabled else gc.disable)()
    gc.set_threshold(*thresholds)


def _hooks() -> tuple[Any, ...]:
    return sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook


def _set_hooks(wanted: tuple[Any, ...]) -> None:
    sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook = wanted


def _policy() -> Any:
    return getattr(asyncio.events, "_event_loop_policy", None)


def _set_policy(wanted: Any) -> None:
    setattr(asyncio.events, "_event_loop_policy", wanted)  # noqa: B010 asking for it would make one


def _handlers() -> dict[signal.Signals, Any]:
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _set_handlers(wanted: dict[signal.Signals, Any]) -> None:
    for number, handler in wanted.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


_PARTS: dict[str, _Part] = {
    "environment": _Part(lambda: dict(os.environ), _set_environment),
    "working directory": _Part(_working_directory, _set_working_directory),
    "sys.path": _Part(lambda: list(sys.path), _set_path),
    "warnings": _Part(_warnings, _set_warnings),
    "logging": _Part(_logging, _set_logging),
    "logging.disable": _Part(lambda: logging.root.manager.disable, _set_disabled),
    "locale": _Part(lambda: locale.setlocale(locale.LC_ALL), _set_locale),
    "collector": _Part(_collector, _set_collector),
    "recursion limit": _Part(sys.getrecursionlimit, sys.setrecursionlimit),
    "hooks": _Part(_hooks, _set_hooks),
    "event loop policy": _Part(_policy, _set_policy),
}
#: Only the main thread may set a handler.
_MAIN_THREAD_PARTS = {"signal handlers": _Part(_handlers, _set_handlers)}


def look() -> dict[str, Any]:
    """How everything stands: for `changed` and `put`."""
    parts = _PARTS
    if threading.current_thread() is threading.main_thread():
        parts = parts | _MAIN_THREAD_PARTS
    return {name: part.read() for name, part in parts.items()}


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What of `after` is not as it was."""
    return {name: after[name] for name in before if name in after and before[name] != after[name]}


def put(wanted: Mapping[str, Any]) -> None:
    """Make these parts as they are wanted."""
    known = _PARTS | _MAIN_THREAD_PARTS
    for name, value in wanted.items():
        known[name].write(value)


def show_warnings_again() -> None:
    """Have each warning shown once more: a run shows the same ones whatever ran before it."""
    with warnings.catch_warnings():
        pass
