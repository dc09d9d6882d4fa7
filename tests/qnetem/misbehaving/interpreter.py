"""Programs that change what they stand on: the interpreter, their own words, their end."""

from __future__ import annotations

import asyncio
import builtins
import gc
import subprocess
import sys
import threading
import time
import types
from typing import Any

from qnetem import Agent

from .failing import NoNotes, NoText, later
from .table import table

GROUPS, deed = table()

# --- at the interpreter ---------------------------------------------------------------------------


@deed("interpreter")
async def recursion_limit(me: Agent) -> None:
    sys.setrecursionlimit(len_of_stack() + 30)
    await asyncio.sleep(1)


def len_of_stack() -> int:
    frame: types.FrameType | None = sys._getframe()
    depth = 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


@deed("interpreter")
async def traces(me: Agent) -> None:
    def trace(frame: Any, event: str, argument: Any) -> Any:
        raise RuntimeError("traced")

    sys.settrace(trace)
    await asyncio.sleep(1)


@deed("interpreter")
async def profiles(me: Agent) -> None:
    sys.setprofile(lambda *_: 1 // 0)
    await asyncio.sleep(1)


@deed("interpreter")
async def hooks(me: Agent) -> None:
    sys.excepthook = sys.unraisablehook = lambda *_: 1 // 0  # type: ignore[assignment]
    await asyncio.sleep(1)


@deed("interpreter")
async def a_thread(me: Agent) -> None:
    threading.Thread(target=print).start()


@deed("interpreter")
async def a_process(me: Agent) -> None:
    subprocess.run(["true"], check=False)


@deed("interpreter")
async def blocks(me: Agent) -> None:
    time.sleep(1)


@deed("interpreter")
async def gives_itself_no_memory_back(me: Agent) -> None:
    gc.disable()
    gc.enable()
    me.everything = [[0] * 1000 for _ in range(1000)]  # type: ignore[attr-defined]


@deed("interpreter")
async def hangs_for_ever_in_no_time(me: Agent) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    me.task = asyncio.create_task(later(RecursionError("x"), 1e-9))  # type: ignore[attr-defined]
    await queue.get()


@deed("interpreter")
async def task_factory(me: Agent) -> None:
    asyncio.get_running_loop().set_task_factory(lambda loop, coro, **_: coro.close() or 5)
    asyncio.create_task(asyncio.sleep(1))  # noqa: RUF006


# --- at the words it has --------------------------------------------------------------------------


@deed("words")
async def other_name(me: Any) -> None:
    me.name = "honest"
    me.record("x", 1)
    await me.send(me.name, 1, kind="own name")


@deed("words")
async def no_node(me: Any) -> None:
    me._node = None
    await me.send("honest", 1)


@deed("words")
async def no_send(me: Any) -> None:
    me.send = me.record = me.receive = None
    await me.send("honest")


@deed("words")
async def no_rng(me: Any) -> None:
    me.rng = None
    me.rng.integers(2)


@deed("words")
async def other_class(me: Any) -> None:
    me.__class__ = NoText


@deed("words")
async def other_class_of_its_own(me: Any) -> None:
    me.__class__ = type("\x1b[31m\n", (type(me),), {})
    raise type("\u202e:\n\x1b[31m", (Exception,), {})("odd class")


@deed("words")
async def a_bad_await(me: Any) -> None:
    await me.now_ns


@deed("words")
async def second_loop(me: Any) -> None:
    sleeping = asyncio.sleep(1)
    try:
        asyncio.run(sleeping)
    finally:
        sleeping.close()


@deed("words")
async def receive_kind_is_an_object(me: Any) -> None:
    async with asyncio.timeout(1):
        await me.receive(NoText(), kind=NoText())


@deed("words")
async def memory_of_another(me: Any) -> None:
    me.memory.slots = -1
    await me.memory.discard(NoText())


# --- at its own end -------------------------------------------------------------------------------


@deed("end")
async def sends_while_cancelled(me: Agent) -> None:
    async def last() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            await me.send("honest", "\udc80", kind="last")

    asyncio.create_task(last())  # noqa: RUF006
    await asyncio.sleep(0.1)


@deed("end")
async def never_lets_go(me: Agent) -> str:
    async def stays() -> None:
        while True:
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                continue

    asyncio.create_task(stays())  # noqa: RUF006
    await asyncio.sleep(0.1)
    return "gone"


@deed("end")
async def spawns_while_cancelled(me: Agent) -> None:
    async def again(depth: int) -> None:
        try:
            await asyncio.sleep(9)
        finally:
            if depth:
                asyncio.create_task(again(depth - 1))  # noqa: RUF006

    asyncio.create_task(again(5))  # noqa: RUF006
    await asyncio.sleep(0.1)


@deed("end")
async def group_of_many(me: Agent) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(500):
            group.create_task(later(ValueError(number)))


@deed("end")
async def shows_itself(me: Agent) -> Any:
    return repr(builtins)[:9]


@deed("end")
async def coroutine_result(me: Agent) -> Any:
    coroutine = asyncio.sleep(1)
    coroutine.close()
    return coroutine


@deed("end")
async def returns_itself(me: Agent) -> Any:
    return me


@deed("end")
async def many_bits(me: Agent) -> Any:
    return [0, 1] * 500_000


@deed("end")
async def ten_thousand_tasks(me: Agent) -> None:
    tasks = [asyncio.create_task(asyncio.sleep(1)) for _ in range(10_000)]
    await asyncio.sleep(0.5)
    raise ValueError(f"{len(tasks)} left alone")


@deed("end")
async def raises_what_it_catches(me: Agent) -> None:
    try:
        await later(NoText())
    except NoText as error:
        raise NoNotes("second") from error
