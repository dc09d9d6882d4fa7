"""Tasks and futures whose hash is a number, and the few places where asyncio itself would not use them.

Owns the two classes, the description of a stalled task, and `adopt()`, which closes asyncio's own leaks
of memory addresses into order: `asyncio.Future()` and `asyncio.Task()` called directly, `gather`'s inner
future, `as_completed` (a set of coroutines) and `all_tasks` (a weak set). All of them pass through to
asyncio when the running loop is an ordinary one.

Rule: what asyncio puts into a set iterates by creation number, counted per loop from 0. A program's own
sets of its own objects still iterate by address: use dicts or lists where the order can be seen.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import sys
from asyncio import _get_running_loop
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..tracebacks import is_library, users_line
from .owners import PROGRAM, Owner, current, owner_in

if TYPE_CHECKING:
    from .virtual_loop import VirtualLoop

_PlainFuture: Any = asyncio.Future
_PlainTask: Any = asyncio.Task
#: Before 3.14 every task is also put into a process-wide weak set, where tasks of many loops with equal
#: numbers would collide. Ours leave it again; the loop keeps its own list.
_leave_weak_set: Callable[[Any], None] | None = (
    asyncio.tasks._unregister_task if sys.version_info < (3, 14) else None
)


class Future(asyncio.Future[Any]):
    """A future of one VirtualLoop; a failure is noted so that it cannot pass unseen."""

    __slots__ = ("_number", "owner", "since_ns")
    _loop: VirtualLoop
    _number: int
    #: Whose exception it is, once it has one.
    owner: Owner
    #: When it was made, which is when a wait for it began.
    since_ns: int

    def set_exception(self, exception: type | BaseException, /) -> None:
        super().set_exception(exception)
        self.owner = current()
        self._loop.note_failure(self)

    def __hash__(self) -> int:
        try:
            return self._number
        except AttributeError:
            self._number = self._loop.next_number()
            return self._number


class Task(asyncio.Task[Any]):
    """A task of one VirtualLoop, named `Task-1`, `Task-2` ... per loop unless it is given a name."""

    __slots__ = ("_number", "origin", "owner")
    _log_destroy_pending: bool
    _number: int
    #: The user's line that started it, of a task whose coroutine is a library's; else None.
    origin: tuple[str, int] | None
    owner: Owner

    def __init__(
        self,
        coro: Any,
        *,
        loop: VirtualLoop,
        name: object = None,
        context: Any = None,
        **kwargs: Any,
    ) -> None:
        self._number = loop.next_number()  # first: asyncio hashes the task while building it
        if name is None:
            name = loop.next_task_name()
        code = getattr(coro, "cr_code", None)
        self.owner = current() if context is None else owner_in(context)
        self.origin = users_line() if code is not None and is_library(code.co_filename) else None
        super().__init__(coro, loop=loop, name=str(name), context=context, **kwargs)
        if _leave_weak_set is not None:
            _leave_weak_set(self)
        loop.note_task(self)

    def __hash__(self) -> int:
        return self._number


class _GatheringFuture(asyncio.tasks._GatheringFuture):  # type: ignore[name-defined, misc]
    """`gather`'s future, under whatever loop."""

    owner = PROGRAM

    def __init__(self, children: Any, *, loop: Any) -> None:
        super().__init__(children, loop=loop)
        if isinstance(loop, _Adopted.loop_class):
            loop.note_gather(self)

    def set_exception(self, exception: type | BaseException, /) -> None:
        super().set_exception(exception)
        if isinstance(self._loop, _Adopted.loop_class):
            self.owner = current()
            self._loop.note_failure(self)

    def __hash__(self) -> int:
        if not isinstance(self._loop, _Adopted.loop_class):
            return object.__hash__(self)
        number: int | None = getattr(self, "_number", None)
        if number is None:
            number = self._number = self._loop.next_number()
        return number


class _Front(type):
    """Makes `asyncio.Future` and `asyncio.Task` build the running VirtualLoop's own kind.

    The fronts stand in for asyncio's classes in every other respect: instance and subclass checks,
    inheritance, and calls under an ordinary loop.
    """

    plain: Any
    build: Callable[..., Any]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "plain" not in cls.__dict__:  # a program's subclass
            return super().__call__(*args, **kwargs)
        loop = kwargs.get("loop") or _get_running_loop()
        if isinstance(loop, _Adopted.loop_class):
            return cls.build(*args, **{**kwargs, "loop": loop})
        return cls.plain(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        if "plain" in cls.__dict__:
            return isinstance(instance, cls.plain)
        return super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if "plain" in cls.__dict__:
            return issubclass(subclass, cls.plain)
        return super().__subclasscheck__(subclass)


class _Adopted:
    """Which class counts as a virtual loop; None until `adopt`."""

    loop_class: Any = None


def adopt(loop_class: type[VirtualLoop]) -> None:
    """Close asyncio's leaks of address order for loops of this class. Once per process."""
    if _Adopted.loop_class is not None:
        return
    _Adopted.loop_class = loop_class
    for name, plain, build in (
        ("Future", _PlainFuture, _build_future),
        ("Task", _PlainTask, Task),
    ):
        members = {"plain": plain, "build": staticmethod(build), "__doc__": plain.__doc__}
        members |= {"__module__": "asyncio", "__slots__": ()}
        setattr(asyncio, name, _Front(name, (plain,), members))
    asyncio.tasks._GatheringFuture = _GatheringFuture  # type: ignore[attr-defined]
    asyncio.tasks._wait = _noted_wait(asyncio.tasks._wait)  # type: ignore[attr-defined]
    for name, function in (
        ("as_completed", _ordered_as_completed(asyncio.as_completed)),
        ("all_tasks", _ordered_all_tasks(asyncio.all_tasks)),
    ):
        setattr(asyncio, name, function)
        setattr(asyncio.tasks, name, function)


def _build_future(*, loop: VirtualLoop) -> Future:
    return loop.create_future()


def _ordered_as_completed(plain: Callable[..., Any]) -> Callable[..., Any]:
    def as_completed(fs: Any, *, timeout: float | None = None) -> Any:
        is_one = asyncio.isfuture(fs) or asyncio.iscoroutine(fs)
        loop: Any = _get_running_loop()
        if not is_one and isinstance(loop, _Adopted.loop_class):
            # asyncio makes a set of them first: coroutines would become tasks in address order.
            fs = [asyncio.ensure_future(future) for future in dict.fromkeys(fs)]
            loop.note_group(fs)
        return plain(fs, timeout=timeout)

    as_completed.__doc__ = plain.__doc__
    return as_completed


def _noted_wait(plain: Callable[..., Any]) -> Callable[..., Any]:
    async def _wait(fs: Any, timeout: float | None, return_when: str, loop: Any) -> Any:
        if not isinstance(loop, _Adopted.loop_class):
            return await plain(fs, timeout, return_when, loop)
        with loop.waited(fs):
            return await plain(fs, timeout, return_when, loop)

    return _wait


def _ordered_all_tasks(plain: Callable[..., Any]) -> Callable[..., Any]:
    def all_tasks(loop: Any = None) -> set[Any]:
        chosen = _get_running_loop() if loop is None else loop
        if isinstance(chosen, _Adopted.loop_class):
            return set(chosen.tasks())
        found: set[Any] = plain(loop)
        return found

    all_tasks.__doc__ = plain.__doc__
    return all_tasks


def task_of(callback: Any) -> asyncio.Task[Any] | None:
    """The task whose turn a callback is; None for any other callback."""
    try:
        owner = callback.__self__
    except BaseException:  # noqa: BLE001 a program's object may do anything when it is asked
        return None
    return owner if issubclass(type(owner), _PlainTask) else None


@dataclass(frozen=True)
class TaskStack:
    """Where a live task stands: `frames` outermost first as (function, file, line)."""

    name: str
    frames: list[tuple[str, str, int]]
    waits_for: asyncio.Future[Any] | None

    def __str__(self) -> str:
        places = [f"    {function} ({file}:{line})" for function, file, line in self.frames]
        waits = f"    waits for {self.waits_for!r}" if self.waits_for is not None else ""
        return "\n".join([f"{self.name}:", *places, *([waits] if waits else [])])


def task_stack(task: asyncio.Task[Any]) -> TaskStack:
    """Follows the awaits of a task down to the future it waits for (asyncio shows one frame only)."""
    frames = []
    awaitable: Any = task.get_coro()
    while awaitable is not None:
        frame = _first_attribute(awaitable, ("cr_frame", "gi_frame", "ag_frame"))
        if frame is not None:
            frames.append((frame.f_code.co_qualname, frame.f_code.co_filename, frame.f_lineno or 0))
        awaitable = _first_attribute(awaitable, ("cr_await", "gi_yieldfrom", "ag_await"))
    return TaskStack(task.get_name(), frames, getattr(task, "_fut_waiter", None))


def _first_attribute(thing: Any, names: Iterable[str]) -> Any:
    for name in names:
        if hasattr(thing, name):
            return getattr(thing, name)
    return None
