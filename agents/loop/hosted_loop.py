"""HostedLoop: the loop of a node with services, on which several tenants run.

Owns what only such a loop must know: whether a program has run in a step, whether a timer is more than a
service's own, and that nothing of a tenant that has ended runs any more. A node without services has a plain
VirtualLoop and pays for none of it.
"""

from __future__ import annotations

import heapq
from typing import Any

from .handles import Handle, TimerHandle
from .owners import OWNER, PROGRAM, owner_in
from .virtual_loop import Callback, VirtualLoop


class HostedLoop(VirtualLoop):
    """A loop of several tenants. `foreground_ran`: since it was cleared, a program's callback was queued."""

    def __init__(self, name: str = "", *, cap: int = 200_000) -> None:
        super().__init__(name, cap=cap)
        self.foreground_ran = False
        self._ended: dict[str, None] = {}

    @property
    def has_foreground_timer(self) -> bool:
        """Whether a timer is set that may lead a program on."""
        return any(
            not timer._cancelled and owner_in(timer._context).foreground
            for _, _, timer in self._timers
        )

    def end_owner(self, owner: str) -> None:
        """A tenant has ended: nothing that is left of it, or that it still starts, runs any more."""
        self._ended[owner] = None
        left = [entry for entry in self._timers if owner_in(entry[2]._context).name != owner]
        for _, _, timer in self._timers:
            timer._scheduled = owner_in(timer._context).name != owner
        self._timers[:] = left
        heapq.heapify(self._timers)
        self._cancelled_timers = sum(timer._cancelled for _, _, timer in left)

    def call_soon(self, callback: Callback, *args: Any, context: Any = None) -> Handle:  # type: ignore[override]
        handle = Handle(callback, args, self, context)
        owner = handle._context.get(OWNER, PROGRAM)
        if self._closed or (self._ended and owner.name in self._ended):
            return handle
        if owner.foreground:
            self.foreground_ran = True
        self._ready.append(handle)
        return handle

    def _call_at_ns(
        self, when_ns: int, callback: Callback, args: tuple[Any, ...], context: Any
    ) -> TimerHandle:
        timer = super()._call_at_ns(when_ns, callback, args, context)
        if self._ended and owner_in(timer._context).name in self._ended:
            timer.cancel()
        return timer
