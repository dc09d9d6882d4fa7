"""VirtualLoop: asyncio on virtual time, without I/O.

Owns the ready queue, the heap of timers, the live tasks and what went wrong in them. Does not own time:
the node decides to which instant it is stepped, and brings what is due there. What a program
may not call inside a step is guards.py's business.

Theory of operation. `step(t_ns, inputs)` sets the clock, makes this the thread's running loop, calls
`inputs` (which resolves futures), runs callbacks until none is ready, and only then fires the timers that
are due; so a message that arrives exactly at a deadline is received. The step ends when nothing is ready
and no timer is due, and answers when the next timer is. A step may start inside a callback, or even a
task, of an ordinary loop: running loop, current task and async generator hooks are put aside and back.

Rule: the same calls give the same order of callbacks in every process. Ready callbacks run first-in
first-out; timers run by (when_ns, number), the number counted per loop from 0. Nothing depends on wall
time, memory addresses, hash seeds or the garbage collector.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import contextvars
import heapq
import sys
from _thread import get_ident
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from ...emulator.errors import InternalError, Refused, Spinning
from ...emulator.units import LAST_NS, format_ns, to_ns
from .finalizers import AsyncGenerators, close_for_good
from .handles import Handle, TimerHandle
from .interpreter import enter, leave
from .owners import current, owner_in
from .refused_io import WithoutIO
from .task_list import TaskList
from .tasks import Future, Task, adopt, task_of

#: Cancelled timers stay in the heap until there are this many, and more than live ones.
_SWEEP = 64
#: Seconds after which virtual time is over.
_LAST_S = LAST_NS / 1e9
#: How many of the last callbacks are looked at to name the task that spins.
_TRACKED = 1_000
#: How asyncio's reports end that are made when a future or task is freed.
_COLLECTED = ("exception was never retrieved", "was destroyed but it is pending!")

Callback = Callable[..., object]
ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


class VirtualLoop(WithoutIO):
    """An asyncio event loop whose time is virtual and whose steps are called from outside.

    Attributes: `now_ns` (virtual time, read only), `epoch_ns` (when it was 0, in ns since 1970), `name` (of
    the node, for messages), `cap` (callbacks in
    one step beyond which the program is said to spin), `context` (the contextvars a program's first task
    starts from: empty at birth, one per loop), `unhandled` (a program's errors that belong to no task: a
    message and an exception or None, in the order they happened), `generators` (its unfinished async
    generators), `output` (what prints in its steps go to, where loops share a process; None: as everywhere).
    """

    def __init__(self, name: str = "", *, cap: int = 200_000) -> None:
        adopt(VirtualLoop)
        self.name = name
        self.cap = cap
        self.now_ns = 0
        self.epoch_ns = 0
        #: Of the run's keyed hashes (secret.py); empty where there is no run.
        self.hash_key = b""
        self.context = contextvars.Context()
        self.output: IO[str] | None = None
        self.unhandled: list[tuple[str, BaseException | None]] = []
        self._unhandled_of = {"": self.unhandled}
        #: Whether anything was ever unhandled, of any owner.
        self.had_unhandled = False
        self._ready: deque[Handle | TimerHandle] = deque()
        self._timers: list[tuple[int, int, TimerHandle]] = []
        self._cancelled_timers = 0
        self._number = 0
        self._task_names = 0
        self._task_list = TaskList()
        #: Tasks and futures that have failed; their exceptions may have been retrieved since.
        self.failures = self._task_list.failures
        self.note_task = self._task_list.note_task
        self.note_failure = self._task_list.note_failure
        self.note_gather = self._task_list.note_gather
        self.note_group = self._task_list.note_group
        self.waited = self._task_list.waited
        self._task_factory: Any = None
        self._exception_handlers: dict[str, ExceptionHandler] = {}
        self.generators = AsyncGenerators(self.next_number, self._close_generator)
        self._thread = get_ident()
        self._stepping = False
        self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "stepping" if self._stepping else "idle"
        live = len(self.tasks())
        return f"<VirtualLoop {self.name!r} {state} at {format_ns(self.now_ns)}, {live} tasks>"

    # --- stepping ---------------------------------------------------------------------------------

    def step(
        self, t_ns: int, inputs: Callable[..., object] | None = None, *args: Any
    ) -> int | None:
        """Run everything that is due at `t_ns`; answers when the next timer is (ns), or None.

        `inputs(*args)` runs first, with this loop running and in `context`. Callbacks then run until none is
        ready, then due timers, and so on until neither is left. A closed loop does nothing.
        Raises Spinning when more than `cap` callbacks ran, InternalError for a step back in time.
        """
        if self._closed:
            return None
        if self._stepping or t_ns < self.now_ns:
            raise InternalError(f"step to {t_ns} ns of {self!r}")
        self.now_ns = t_ns
        self._stepping = True
        outside = enter(self)
        try:
            if inputs is not None:
                self.context.run(inputs, *args)
            self._run_until_idle()
        finally:
            leave(outside)
            self._stepping = False
        timers = self._timers
        if timers and timers[0][2]._cancelled:
            return self.next_timer_ns()
        return timers[0][0] if timers else None

    def next_timer_ns(self) -> int | None:
        """When the earliest live timer is due, or None."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)[2]._scheduled = False
            self._cancelled_timers -= 1
        return timers[0][0] if timers else None

    def _run_until_idle(self) -> None:
        """Callbacks, then due timers, then again. Counts in passes: the cap costs nothing a callback."""
        ready, timers, now_ns = self._ready, self._timers, self.now_ns
        ran, track_after = 0, self.cap - _TRACKED
        while True:
            while ready:
                todo = len(ready)
                ran += todo
                if ran > track_after:
                    self._run_tracked(self.cap - ran + todo)
                    break
                for _ in range(todo):
                    handle = ready.popleft()
                    if not handle._cancelled:
                        try:
                            handle._context.run(handle._callback, *handle._args)  # type: ignore[arg-type]
                        except BaseException as error:  # noqa: BLE001 as asyncio: one callback stops no other
                            self._callback_raised(handle, error)
            if not timers or timers[0][0] > now_ns:
                return
            while timers and timers[0][0] <= now_ns:
                timer = heapq.heappop(timers)[2]
                timer._scheduled = False
                if timer._cancelled:
                    self._cancelled_timers -= 1
                else:
                    ready.append(timer)

    def _run_tracked(self, left: int) -> None:
        """The last `left` callbacks before the cap, one by one; then names who ran most."""
        ready = self._ready
        counts: dict[str, int] = {}
        for _ in range(left):
            if not ready:
                return
            handle = ready.popleft()
            task = task_of(handle._callback)
            who = f"task {task.get_name()!r}" if task is not None else ""
            owner = owner_in(handle._context).name
            who += f" of service {owner}" if who and owner else ""
            who = who or f"callback {_name_of(handle._callback)}"
            counts[who] = counts.get(who, 0) + 1
            self.run_handle(handle)
        most = max(counts, key=lambda who: counts[who]) if counts else "a program"
        raise Spinning(
            f"{most} spins: {self.cap} callbacks ran in one step at {format_ns(self.now_ns)} and no "
            f"virtual time passes; wait for something, or sleep for more than 0",
            node=self.name,
            time_ns=self.now_ns,
        )

    def run_handle(self, handle: Handle | TimerHandle) -> None:
        """Run one callback now, unless it was cancelled."""
        if handle._cancelled or handle._callback is None:
            return
        try:
            handle._context.run(handle._callback, *handle._args)
        except BaseException as error:  # noqa: BLE001 as asyncio: one callback stops no other
            self._callback_raised(handle, error)

    def _callback_raised(self, handle: Handle | TimerHandle, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, SystemExit) and task_of(handle._callback) is not None:
            return  # sys.exit() in a program: its task has failed with it, which is enough
        message = f"callback {_name_of(handle._callback)} raised"
        self.call_exception_handler({"message": message, "exception": error, "handle": handle})

    # --- scheduling -------------------------------------------------------------------------------

    def time(self) -> float:
        """Virtual time in seconds; `now_ns` is exact."""
        return self.now_ns / 1e9

    def call_soon(self, callback: Callback, *args: Any, context: Any = None) -> Handle:  # type: ignore[override]
        """Run it in this step, or in the next one when no step is in progress."""
        handle = Handle(callback, args, self, context)
        if not self._closed:
            self._ready.append(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callback, *args: Any, context: Any = None
    ) -> Handle:
        """`call_soon`, from this loop's own thread only: another thread's moment is not virtual time."""
        if get_ident() != self._thread:
            raise Refused(
                "loop.call_soon_threadsafe() from another thread is not possible in virtual time: "
                "outside input enters through self.outside(), with `time: {mode: real}`",
                call="call_soon_threadsafe",
            )
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callback, *args: Any, context: Any = None
    ) -> TimerHandle:
        """After `delay` virtual seconds (rounded by `to_ns`); never if that is after the last instant."""
        if delay > _LAST_S:
            return TimerHandle(sys.maxsize, self.next_number(), callback, args, self, context)
        return self._call_at_ns(self.now_ns + to_ns(delay), callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callback, *args: Any, context: Any = None
    ) -> TimerHandle:
        """At virtual second `when`, to the nearest nanosecond; never now if `when` is in the future."""
        if when > _LAST_S:
            return TimerHandle(sys.maxsize, self.next_number(), callback, args, self, context)
        when_ns = to_ns(when)
        if when_ns <= self.now_ns and when > self.time():
            when_ns = self.now_ns + 1
        return self._call_at_ns(when_ns, callback, args, context)

    def call_later_ns(
        self, delay_ns: int, callback: Callback, *args: Any, context: Any = None
    ) -> TimerHandle:
        """After `delay_ns` virtual nanoseconds."""
        return self._call_at_ns(self.now_ns + delay_ns, callback, args, context)

    def call_at_ns(
        self, when_ns: int, callback: Callback, *args: Any, context: Any = None
    ) -> TimerHandle:
        """At virtual time `when_ns`; in this or the next step when that has passed."""
        return self._call_at_ns(when_ns, callback, args, context)

    def _call_at_ns(
        self, when_ns: int, callback: Callback, args: tuple[Any, ...], context: Any
    ) -> TimerHandle:
        number = self._number
        self._number = number + 1
        timer = TimerHandle(when_ns, number, callback, args, self, context)
        if not self._closed and when_ns <= LAST_NS:
            timer._scheduled = True
            heapq.heappush(self._timers, (when_ns, number, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._cancelled_timers += 1
        if self._cancelled_timers > _SWEEP and 2 * self._cancelled_timers > len(self._timers):
            for entry in self._timers:
                entry[2]._scheduled = not entry[2]._cancelled
            self._timers[:] = [entry for entry in self._timers if entry[2]._scheduled]
            heapq.heapify(self._timers)
            self._cancelled_timers = 0

    # --- futures and tasks ------------------------------------------------------------------------

    def next_number(self) -> int:
        """Numbers tasks, futures, timers and generators in order of creation, from 0."""
        number = self._number
        self._number = number + 1
        return number

    def next_task_name(self) -> str:
        """`Task-1`, `Task-2` ... : asyncio's own counter is shared by all loops of a process."""
        self._task_names += 1
        return f"Task-{self._task_names}"

    def create_future(self) -> Future:
        """A future that hashes by its number."""
        future = Future(loop=self)
        number = self._number
        self._number = number + 1
        future._number = number
        future.since_ns = self.now_ns
        return future

    def create_task(
        self, coro: Any, *, name: object = None, context: Any = None, **kwargs: Any
    ) -> asyncio.Task[Any]:
        """A task; outside a step it starts from a copy of `context`, not from the caller's.

        On a closed loop the coroutine is closed and the task never ends.
        """
        if self._closed:
            coro.close()
        if context is None and not self._stepping:
            context = self.context.copy()
        if self._task_factory is None:
            return Task(coro, loop=self, name=name, context=context, **kwargs)
        if context is not None:
            kwargs["context"] = context
        task: asyncio.Task[Any] = self._task_factory(self, coro, **kwargs)
        if name is not None and hasattr(task, "set_name"):
            task.set_name(str(name))
        return task

    def set_task_factory(self, factory: Any) -> None:
        """As asyncio's. asyncio's eager factory is replaced by one that makes this loop's tasks."""
        if factory is not None and factory is getattr(asyncio, "eager_task_factory", None):
            factory = _eager_task_factory
        self._task_factory = factory

    def get_task_factory(self) -> Any:
        return self._task_factory

    def tasks(self) -> list[Task]:
        """The live tasks in order of creation."""
        return self._task_list.live()

    def lost(self, owner: str | None = None) -> list[tuple[str, BaseException]]:
        """Tasks and futures that failed and whose exception no await retrieves any more, by creation.

        Of all owners, or of one. Meant for the end of a step: see task_list.py.
        """
        return self._task_list.lost(owner)

    @property
    def is_sound(self) -> bool:
        """Whether nothing has failed that could be lost, and nothing is unhandled, of any owner."""
        return not self.failures and not any(self._unhandled_of.values())

    def unretrieved(self, owner: str | None = None) -> list[tuple[str, BaseException]]:
        """Tasks and futures that failed and whose exception was never retrieved, by creation.

        Looking does not count as asking. Does not wait for garbage collection.
        """
        return self._task_list.unretrieved(owner)

    def unhandled_of(self, owner: str) -> list[tuple[str, BaseException | None]]:
        """One owner's errors that belong to no task."""
        return self._unhandled_of.get(owner, [])

    def note_unhandled(
        self, message: str, error: BaseException | None, owner: str | None = None
    ) -> None:
        """An error that belongs to no task; without `owner`, of the one whose context this is."""
        name = current().name if owner is None else owner
        self._unhandled_of.setdefault(name, []).append((message, error))
        self.had_unhandled = True

    # --- errors that belong to no task ------------------------------------------------------------

    def set_exception_handler(self, handler: ExceptionHandler | None) -> None:
        """As asyncio's; it gets the errors of the owner that has set it."""
        if handler is not None and not callable(handler):
            raise TypeError(f"A callable object or None is expected, got {handler!r}")
        if handler is None:
            self._exception_handlers.pop(current().name, None)
        else:
            self._exception_handlers[current().name] = handler

    def get_exception_handler(self) -> Any:
        return self._exception_handlers.get(current().name)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Into `unhandled`: nothing is printed."""
        owner = _owner_of(context)
        self.note_unhandled(context.get("message", ""), context.get("exception"), owner)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """As asyncio's, but deaf to reports made on garbage collection: see `lost`.

        What a handler of the program raises belongs to no task either.
        """
        message = str(context.get("message", ""))
        if self._closed or message.endswith(_COLLECTED):
            return
        owner = _owner_of(context)
        handler = self._exception_handlers.get(owner)
        if handler is None:
            self.default_exception_handler(context)
            return
        try:
            handler(self, context)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 as asyncio: it stops no other callback
            self.note_unhandled("the exception handler raised", error, owner)

    # --- the end ----------------------------------------------------------------------------------

    def cancel_all(self, owner: str | None = None) -> None:
        """Cancel all live tasks but the current one, in order of creation; of one `owner`, or of all.

        Once they have ended, in this step or in later ones, the async generators that are left are closed.
        """
        present = asyncio.current_task(self)
        doomed = [task for task in self.tasks() if task is not present]
        if owner is not None:
            doomed = [task for task in doomed if task.owner.name == owner]
        for task in doomed:
            task.cancel()
        Task(self._after_cancel(doomed, owner), loop=self, name="cleanup")

    async def _after_cancel(self, doomed: list[Task], owner: str | None) -> None:
        if doomed:
            await asyncio.wait(doomed)
        await self.shutdown_asyncgens(owner)

    async def shutdown_asyncgens(self, owner: str | None = None) -> None:
        """Close every unfinished async generator (of one owner), in order of creation."""
        for generator in self.generators.take_live(owner):
            try:
                await generator.aclose()
            except Exception as error:  # noqa: BLE001 one generator's error stops no other's closing
                message = f"closing async generator {generator!r} raised"
                self.call_exception_handler({"message": message, "exception": error})

    def _close_generator(self, generator: Any) -> None:
        if not self._closed:
            self.call_soon(self._start_closing, generator, context=self.context.copy())

    def _start_closing(self, generator: Any) -> None:
        Task(generator.aclose(), loop=self, context=contextvars.copy_context())

    def abandon(self) -> None:
        """The node was killed: close all its coroutines; whatever they still call does nothing.

        `finally` blocks run up to their first await, as Python will have it, with this loop running but
        closed: no callback runs any more, and what they raise is dropped. Must not be called in a step.
        """
        if self._stepping:
            raise InternalError(f"{self!r} is abandoned inside its own step")
        if self._closed:
            return
        coroutines = [task.get_coro() for task in self.tasks()]
        self._closed = True
        self._ready.clear()
        self._timers.clear()
        self.generators.clear()
        outside = enter(self)
        try:
            for coroutine in coroutines:
                close_for_good(coroutine)
        finally:
            leave(outside)
        self._task_list.silence()

    def close(self) -> None:
        """`abandon`, for the owner of the loop. Raises Refused for the program that runs in it."""
        if self._stepping:
            raise Refused("a program cannot close its loop: return from run()", call="loop.close")
        self.abandon()

    def is_running(self) -> bool:
        """True inside a step."""
        return self._stepping

    def is_closed(self) -> bool:
        return self._closed

    #: False, without a frame of its own: asyncio asks for each future and task.
    get_debug = staticmethod(bool)

    def set_debug(self, enabled: bool) -> None:
        """Ignored: asyncio's debug mode measures wall time."""


def _eager_task_factory(loop: VirtualLoop, coro: Any, **kwargs: Any) -> Task:
    return Task(coro, loop=loop, eager_start=True, **kwargs)


def _name_of(callback: object) -> str:
    """Its name, never its address: the text goes into reports that two runs must share."""
    try:
        return str(getattr(callback, "__qualname__", type(callback).__qualname__))
    except BaseException:  # noqa: BLE001 a program's object may do anything when it is asked
        return type(callback).__qualname__


def _owner_of(context: dict[str, Any]) -> str:
    """Whose error a report to an exception handler is."""
    handle = context.get("handle")
    return owner_in(handle._context).name if handle is not None else current().name
