"""What VirtualLoop queues: a callback to run now, and a callback to run at a virtual time.

Owns the two handle classes and nothing that decides when they run. They derive from asyncio's own so
that `cancel()`, `cancelled()` and `when()` work as programs expect, but skip asyncio's debug book-keeping.

Rule: a handle hashes and sorts by a number its loop counts from 0, never by its address in memory, so
that a set of handles iterates alike in every process. Plain handles take their number when first asked:
almost none ever is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .virtual_loop import VirtualLoop


class Handle(asyncio.Handle):
    """A callback in the ready queue."""

    __slots__ = ("_number",)
    _callback: Callable[..., object] | None
    _context: Context
    _loop: VirtualLoop
    _number: int

    def __init__(  # asyncio's would ask for debug mode and keep a traceback
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: Context | None = None,
    ) -> None:
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        """Never run it; what it refers to is let go."""
        self._cancelled = True
        self._callback = None
        self._args = ()

    def _run(self) -> None:
        self._loop.run_handle(self)

    def __hash__(self) -> int:
        try:
            return self._number
        except AttributeError:
            self._number = self._loop.next_number()
            return self._number

    def __repr__(self) -> str:
        state = "cancelled" if self._cancelled else repr(self._callback)
        return f"<{type(self).__name__} {state}>"


class TimerHandle(asyncio.TimerHandle):
    """A callback at `when_ns`. `_scheduled` is true as long as it lies in the loop's heap."""

    __slots__ = ("_number", "when_ns")
    _callback: Callable[..., object] | None
    _context: Context
    _loop: VirtualLoop
    _number: int
    _scheduled: bool
    when_ns: int

    def __init__(
        self,
        when_ns: int,
        number: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: VirtualLoop,
        context: Context | None = None,
    ) -> None:
        self.when_ns = when_ns
        self._number = number
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = copy_context() if context is None else context
        self._cancelled = False
        self._scheduled = False

    def cancel(self) -> None:
        """Never run it; the loop forgets it."""
        if not self._cancelled:
            self._cancelled = True
            self._callback = None
            self._args = ()
            if self._scheduled:
                self._loop._timer_handle_cancelled(self)

    def when(self) -> float:
        """The virtual time it is due, in seconds (`when_ns` is exact)."""
        return self.when_ns / 1e9

    def _run(self) -> None:
        self._loop.run_handle(self)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        return self._key() < _key(other)

    def __le__(self, other: asyncio.TimerHandle) -> bool:
        return self._key() <= _key(other)

    def __gt__(self, other: asyncio.TimerHandle) -> bool:
        return self._key() > _key(other)

    def __ge__(self, other: asyncio.TimerHandle) -> bool:
        return self._key() >= _key(other)

    def _key(self) -> tuple[int, int]:
        return (self.when_ns, self._number)

    def __repr__(self) -> str:
        state = "cancelled" if self._cancelled else repr(self._callback)
        return f"<TimerHandle at {self.when_ns} ns {state}>"


def _key(handle: asyncio.TimerHandle) -> tuple[int, int]:
    if isinstance(handle, TimerHandle):
        return handle._key()
    raise TypeError(f"a timer of another loop cannot be ordered here: {handle!r}")
