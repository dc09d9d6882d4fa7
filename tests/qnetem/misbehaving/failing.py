"""Programs that fail: by what they raise, by other ways out, in the background."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from qnetem import Agent

from .table import table

GROUPS, deed = table()

# --- raising --------------------------------------------------------------------------------------


class NoText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class NoClass(Exception):
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no class")


class NoNotes(Exception):
    @property
    def __notes__(self) -> Any:
        raise KeyError("no notes")


class NoGroup(ExceptionGroup[Exception]):
    @property
    def exceptions(self) -> Any:
        raise ValueError("none inside")


class Own(BaseException):
    pass


class _Meta(type):
    @property
    def __name__(cls) -> str:
        raise OSError("nameless")


class Nameless(Exception, metaclass=_Meta):
    pass


@deed("raise")
async def a_surrogate(me: Agent) -> None:
    raise ValueError("\udc80 \x1b[31m \u202e")


@deed("raise")
async def no_text(me: Agent) -> None:
    raise NoText


@deed("raise")
async def no_class(me: Agent) -> None:
    raise NoClass("x")


@deed("raise")
async def no_notes(me: Agent) -> None:
    raise NoNotes("x")


@deed("raise")
async def no_group(me: Agent) -> None:
    raise NoGroup("x", [ValueError()])


@deed("raise")
async def own_base(me: Agent) -> None:
    raise Own("\n\r\x00")


@deed("raise")
async def nameless(me: Agent) -> None:
    raise Nameless


@deed("raise")
async def long_message(me: Agent) -> None:
    raise ValueError("x" * 10_000_000)


@deed("raise")
async def deep_causes(me: Agent) -> None:
    error: BaseException = ValueError("first")
    for depth in range(3000):
        error.__cause__, error = None, type("E", (Exception,), {})(depth)
    inner = ExceptionGroup("g", [ValueError("leaf")])
    for _ in range(2000):
        inner = ExceptionGroup("g", [inner])
    raise inner from error


@deed("raise")
async def cause_circle(me: Agent) -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


# --- other ways out -------------------------------------------------------------------------------


@deed("leave")
async def exit_code(me: Agent) -> None:
    sys.exit("\x1b]0;title\x07")


@deed("leave")
async def exit_object(me: Agent) -> None:
    raise SystemExit(NoText())


@deed("leave")
async def keyboard(me: Agent) -> None:
    raise KeyboardInterrupt


@deed("leave")
async def generator_exit(me: Agent) -> None:
    raise GeneratorExit


@deed("leave")
async def cancelled(me: Agent) -> None:
    raise asyncio.CancelledError


@deed("leave")
async def stop_iteration(me: Agent) -> None:
    next(iter([]))


@deed("leave")
async def recursion(me: Agent) -> Any:
    return (lambda self: self(self))(lambda self: self(self))


@deed("leave")
async def memory(me: Agent) -> None:
    bytearray(1 << 60)


@deed("leave")
async def cancels_itself(me: Agent) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


@deed("leave")
async def closes_its_loop(me: Agent) -> None:
    asyncio.get_running_loop().close()


# --- in the background ----------------------------------------------------------------------------


async def later(error: BaseException, seconds: float = 0.1) -> None:
    await asyncio.sleep(seconds)
    raise error


@deed("background")
async def kept_task(me: Any) -> None:
    me.task = asyncio.create_task(later(ValueError("kept")))
    await asyncio.Event().wait()


@deed("background")
async def weird_task_name(me: Any) -> None:
    me.task = asyncio.create_task(later(ValueError("x")), name="\udc80\x1b" * 10_000)
    await asyncio.Event().wait()


@deed("background")
async def lost_gather(me: Any) -> None:
    me.all = asyncio.gather(later(NoText()), asyncio.sleep(2))
    await asyncio.sleep(3)


@deed("background")
async def lost_future(me: Any) -> None:
    me.future = asyncio.get_running_loop().create_future()
    me.future.set_exception(ValueError("stranger"))
    await asyncio.sleep(3)


@deed("background")
async def callback(me: Agent) -> None:
    asyncio.get_running_loop().call_later(0.1, _Callback())
    await asyncio.sleep(3)


class _Callback:
    """A callable that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError(name)

    def __call__(self) -> None:
        raise Own("called")


@deed("background")
async def bad_handler(me: Agent) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: 1 // 0)
    loop.call_soon(int, "x")
    await asyncio.sleep(3)


@deed("background")
async def destructor(me: Agent) -> None:
    class Falls:
        def __del__(self) -> None:
            raise ValueError("in a destructor")

    Falls()
    await asyncio.sleep(3)


@deed("background")
async def generator_finaliser(me: Agent) -> None:
    async def counts() -> Any:
        try:
            yield 1
        finally:
            raise ValueError("in a finaliser")

    async for _ in counts():
        break
    await asyncio.sleep(3)


@deed("background")
async def bad_finally(me: Any) -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            raise OSError("instead")

    me.task = asyncio.create_task(stubborn())
    await asyncio.sleep(0.1)
    me.task.cancel()
    await asyncio.sleep(3)


@deed("background")
async def condition(me: Agent) -> None:
    await me.send(me.name, 1)
    await me.receive(where=lambda body: next(iter([])))
