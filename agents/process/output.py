"""Standard output while nodes share this process: a program's prints go to its node's log, others as before.

Owns the two streams that stand as `sys.stdout` and `sys.stderr` while a run has its turn in a process
(qnetem/inprocess/turns.py), or as long as a worker lives (worker.py). Each looks whose code is running: in a
step that is the node of the thread's running loop, elsewhere what `printing` names, or the context. Does not
own the logs (files.py).

Rule: nothing is exchanged for a step, so a thread that runs beside it prints as before. A thread that has
kept one of these streams may print to it at any later time.
"""

from __future__ import annotations

import sys
from _thread import get_ident
from asyncio import _get_running_loop
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any

from ..loop.virtual_loop import VirtualLoop


class Routed:
    """Stands for a standard stream; `plain` is what prints go to that no node has made."""

    def __init__(self) -> None:
        self.plain: Any = None

    def _target(self) -> Any:
        if _printing and get_ident() in _printing:
            return _printing[get_ident()]
        loop = _get_running_loop()
        if isinstance(loop, VirtualLoop) and loop.output is not None:
            return loop.output
        stream = _BESIDE.get()
        if stream is not None:
            return stream
        return NOWHERE if self.plain is None else self.plain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._target())

    def write(self, text: str) -> Any:
        """Write it where it belongs."""
        return self._target().write(text)

    def flush(self) -> None:
        """Flush what this thread writes to."""
        self._target().flush()


class _Nowhere:
    """Drops what is printed where there is no stream: no standard stream, or a node that was killed."""

    closed = False
    encoding, errors = "utf-8", "backslashreplace"

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        raise OSError("there is no such stream")


NOWHERE: Any = _Nowhere()
#: What the code of a node prints to that runs beside its steps: the halves of `self.outside()`.
_BESIDE: ContextVar[Any] = ContextVar("output beside the steps", default=None)
#: By thread: what its prints go to, whatever its loop is.
_printing: dict[int, Any] = {}
#: The streams by their names in `sys`: one each, for all runs.
OUT, ERR = Routed(), Routed()
_STREAMS = {"stdout": OUT, "stderr": ERR}


@contextmanager
def routed() -> Iterator[None]:
    """Have both stand for this long. One that something else has replaced meanwhile is left alone."""
    for name, stream in _STREAMS.items():
        if getattr(sys, name) is not stream:
            stream.plain = getattr(sys, name)
            setattr(sys, name, stream)
    try:
        yield
    finally:
        unroute()


def unroute() -> None:
    """Have the streams from before stand, but for what something else has put there."""
    for name, stream in _STREAMS.items():
        if getattr(sys, name) is stream:
            setattr(sys, name, stream.plain)


@contextmanager
def printing(stream: Any) -> Iterator[None]:
    """What this thread prints meanwhile goes to the stream: to be used within `routed`."""
    _printing[get_ident()] = stream
    try:
        yield
    finally:
        del _printing[get_ident()]


def context_printing(stream: Any) -> Context:
    """A context in which prints go to the stream; so they do in the tasks that are made in it."""
    context = copy_context()
    context.run(_BESIDE.set, stream)
    return context


def beside() -> Any:
    """The stream of the context that is at work, if it has one."""
    return _BESIDE.get()


def unrouted(stream: Any) -> Any:
    """The caller's own stream, if this is one of ours."""
    return stream.plain if isinstance(stream, Routed) else stream


class OwnStreams:
    """What one node's program has made its `sys.stdout` and `sys.stderr`, as `redirect_stdout` does.

    In a process of its own no other node would have them. Between its steps the streams are as they were.
    `kept`: what it has put in their place. Without any, a step that leaves `OUT` and `ERR` needs no call, nor
    this object.
    """

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def begin(self) -> None:
        """A step of the node begins."""
        for name, stream in self.kept.items():
            setattr(sys, name, stream)

    def end(self) -> None:
        """It has ended: keep what it has put in their place."""
        for name, stream in _STREAMS.items():
            current = getattr(sys, name)
            if current is not stream:
                self.kept[name] = current
                setattr(sys, name, stream)
            elif self.kept:
                self.kept.pop(name, None)
