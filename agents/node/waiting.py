"""What a program waits for: futures that describe it, and the description of a node that stands still.

Owns the two futures behind every await of ours, and `describe`. A task that waits for something else (a
Queue, an Event) is described by the line of the program it stands at. That line is the user's own, not one of
a library the user calls; a task that is a call of a library is known by the line that started it.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
from typing import TYPE_CHECKING, Any

from ...emulator.plain_text import encodable, shortened
from ...emulator.wire import (
    Allocate,
    AnyOperation,
    Apply,
    CountClicks,
    CountCoincidences,
    CountedPairs,
    CountedPulses,
    Detect,
    Entangle,
    HandOver,
    Intercept,
    Measure,
    MeasurePairs,
    Pulses,
    Split,
    Transmit,
    Wait,
    WatchBeacon,
)
from ..loop.tasks import Future, Task, task_stack
from ..tracebacks import is_library, is_machinery

if TYPE_CHECKING:
    from ..loop.virtual_loop import VirtualLoop
    from .local_clock import LocalClock
    from .tenants.tenant import Tenant

_ASYNCIO = asyncio.__file__.rpartition("/")[0]
#: Operations that wait for a train of pulses.
_TAKING = (Detect, CountClicks, Intercept, Split)
#: Characters of a task's name, and of what it waits for.
_LONGEST_TASK, _LONGEST_WAIT = 100, 500


class NamedFuture(Future):
    """A future that knows what it is for, and since when a task waits for it."""

    __slots__ = ("_kind", "_port", "_source", "_thing")

    def __init__(
        self,
        loop: VirtualLoop,
        thing: str,
        source: str | None,
        kind: str | None = None,
        port: str = "",
    ) -> None:
        super().__init__(loop=loop)
        self._thing, self._source, self._kind, self._port = thing, source, kind, port
        self.since_ns = loop.now_ns

    @property
    def what(self) -> str:
        """In words: `a message of kind 'x' from bob on port p`, as far as given."""
        wanted = f" of kind {self._kind!r}" if self._kind is not None else ""
        whence = f" from {self._source}" if self._source is not None else ""
        where = f" on port {self._port}" if self._port else ""
        return f"{self._thing}{wanted}{whence}{where}"

    @property
    def peer(self) -> str:
        """The node that it must come from; "" for any."""
        return self._source or ""


class OperationFuture(Future):
    """The future of an operation; cancelling it withdraws the operation."""

    __slots__ = ("_tenant", "operation", "owner_name")

    def __init__(self, loop: VirtualLoop, tenant: Tenant, operation: AnyOperation) -> None:
        super().__init__(loop=loop)
        self._tenant, self.operation = tenant, operation
        #: Who has asked for it; "" for the program.
        self.owner_name = tenant.name
        self.since_ns = loop.now_ns

    def discard(self, value: Any) -> None:
        """No await took the result: a qubit in it is discarded."""
        self._tenant.discard_result(self.operation, value)

    def cancel(self, msg: Any = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled:
            self._tenant.withdraw(self.operation)
        return cancelled

    @property
    def what(self) -> str:
        """The operation in words."""
        operation = self.operation
        if isinstance(operation, Entangle):
            link = f" on {operation.link}" if operation.link else ""
            return f"entangle with {operation.peer}{link}"
        if isinstance(operation, MeasurePairs):
            return f"outcomes of pairs with {operation.peer}"
        if isinstance(operation, Allocate):
            return "a free slot for a qubit"
        if isinstance(operation, Apply):
            return f"gate {operation.gate} on {', '.join(operation.qubits)}"
        if isinstance(operation, Measure):
            return f"measurement of {operation.qubit}"
        if isinstance(operation, HandOver):
            return f"a free slot to hand {operation.qubit} over to {operation.to or 'the program'}"
        if isinstance(operation, Transmit):
            return f"transmit of {operation.qubit} to {operation.to}"
        if isinstance(operation, WatchBeacon):
            return f"the beacon of {operation.peer} to change"
        if isinstance(operation, CountedPulses):
            return f"pulses to {operation.to} to leave"
        if isinstance(operation, Pulses):
            return f"a block of pulses to {operation.to} to leave"
        if isinstance(operation, CountedPairs):
            return f"pairs to {' and '.join(operation.to)} to leave"
        if isinstance(operation, CountCoincidences):
            return "coincidences"
        if isinstance(operation, _TAKING):
            return f"pulses from {operation.source}"
        return type(operation).__name__.lower()

    @property
    def peer(self) -> str:
        """The node that would have to act, too; "" if none."""
        operation = self.operation
        if isinstance(operation, (Entangle, MeasurePairs)):
            return operation.peer
        return operation.source if isinstance(operation, _TAKING) else ""


def describe(loop: VirtualLoop, clock: LocalClock) -> list[Wait]:
    """Every live task of a node and what it waits for, since when in true time."""
    waits = []
    for task in loop.tasks():
        future = getattr(task, "_fut_waiter", None)
        if isinstance(future, (NamedFuture, OperationFuture)):
            since_ns = clock.true_ns(future.since_ns)
            waits.append(_wait(task, f"{future.what}{_place(task)}", since_ns, future.peer))
        elif not isinstance(future, asyncio.Task):
            since_ns = clock.true_ns(getattr(future, "since_ns", loop.now_ns))
            waits.append(_wait(task, _foreign(task, future), since_ns))
    return waits


def _wait(task: asyncio.Task[Any], what: str, since_ns: int, peer: str = "") -> Wait:
    name = encodable(shortened(task.get_name(), _LONGEST_TASK))
    owner = task.owner.name if isinstance(task, Task) else ""
    return Wait(name, encodable(shortened(what, _LONGEST_WAIT)), since_ns, peer, owner)


def stacks(loop: VirtualLoop) -> str:
    """Where every task stands, for people."""
    lines = [f"the tasks of {loop.name} stand at:"]
    for task in loop.tasks():
        stack = task_stack(task)
        owner = task.owner.name
        lines.append(f"  {stack.name}" + (f" of service {owner}" if owner else ""))
        frames = [frame for frame in stack.frames if not is_machinery(frame[1])]
        lines += [f"    {function} ({file}:{line})" for function, file, line in frames]
        if stack.waits_for is not None:
            lines.append(f"    waits for {_future_text(stack.waits_for)}")
    return "\n".join(lines) + "\n"


def _future_text(future: asyncio.Future[Any]) -> str:
    if isinstance(future, (NamedFuture, OperationFuture)):
        return future.what
    if isinstance(future, asyncio.Task):
        return f"task {future.get_name()!r}"
    return "a future"


def _place(task: asyncio.Task[Any]) -> str:
    """Where in the program the task stands: its innermost frame that is no library's.

    A program of ours is a library too, unless it is all there is.
    """
    frames = task_stack(task).frames
    own = [frame for frame in frames if not is_library(frame[1])]
    own = own or [frame for frame in frames if not _is_carrier(frame[1])]
    if own:
        return f" ({_position_text(own[-1])})"
    origin = task.origin if isinstance(task, Task) else None
    return f" (started at {_position_text(('', *origin))})" if origin is not None else ""


def _foreign(task: asyncio.Task[Any], future: object) -> str:
    """What a task waits for that is none of our futures: the call it stands in."""
    frames = task_stack(task).frames
    if not frames:
        return "its first turn"
    inner, place = frames[-1], _place(task)
    if isinstance(future, asyncio.tasks._GatheringFuture):  # type: ignore[attr-defined]
        return f"tasks side by side{place}"
    call = f"{inner[0]}(){place}" if _is_carrier(inner[1]) else f"something of its own{place}"
    return call if future is not None else f"its turn in {call}"


def _is_carrier(file: str) -> bool:
    """Whether a source file is asyncio's or what carries programs."""
    return is_machinery(file) or file.startswith(_ASYNCIO)


def _position_text(frame: tuple[str, str, int]) -> str:
    return f"{frame[1].rpartition('/')[2]}:{frame[2]}"
