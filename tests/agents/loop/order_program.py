"""Run as a script: programs whose order could hang on addresses, hash seeds or garbage collection.

Prints one digest of the order in which things happened. `--crowd` runs the programs amid other loops,
as an in-process run does.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncGenerator

from qnetem.agents.loop.virtual_loop import VirtualLoop


async def cancelled_group(log: list[object]) -> None:
    """A TaskGroup keeps its tasks in a set and cancels them in the set's order."""

    async def child(i: int) -> None:
        try:
            await asyncio.sleep(1 + i % 7)
        except asyncio.CancelledError:
            log.append(("cancelled", i))
            raise

    async def fail() -> None:
        await asyncio.sleep(0.5)
        raise ValueError

    try:
        async with asyncio.TaskGroup() as group:
            for i in range(600):
                group.create_task(child(i))
            group.create_task(fail())
    except ExceptionGroup:
        log.append("group ended")


async def equal_deadlines(log: list[object]) -> None:
    """A thousand timers of one instant, some of them cancelled."""
    loop = asyncio.get_running_loop()
    handles = [loop.call_at(10, log.append, ("timer", i)) for i in range(1_000)]
    for handle in {handles[i] for i in range(0, 1_000, 7)}:
        log.append(("cancelled", hash(handle)))
        handle.cancel()
    await asyncio.sleep(20)


async def sets(log: list[object]) -> None:
    """Sets of every kind of future, and of handles, iterated."""

    async def named(name: str) -> str:
        log.append(("started", name))
        await asyncio.sleep(0)
        return name

    direct = {asyncio.Future() for _ in range(50)}
    gathers = {asyncio.gather(named(f"gather {i}")) for i in range(50)}
    handles = {asyncio.get_running_loop().call_soon(list) for _ in range(50)}
    log.extend(hash(one) for one in [*direct, *gathers, *handles])
    for one in asyncio.as_completed([named(f"coroutine {i}") for i in range(100)]):
        log.append(await one)
    tasks = [asyncio.create_task(named(f"task {i}")) for i in range(100)]
    log.extend(task.get_name() for task in asyncio.all_tasks())
    done, _ = await asyncio.wait(tasks)
    log.extend(task.result() for task in done)
    await asyncio.wait(gathers)


async def generators(log: list[object]) -> None:
    """Async generators left behind in reference cycles."""

    class Stream:
        def __init__(self, i: int) -> None:
            self.i, self.source = i, self.ticks()

        async def ticks(self) -> AsyncGenerator[int, None]:
            try:
                while True:
                    yield self.i
            finally:
                log.append(("closed", self.i, asyncio.get_running_loop().time()))

    for i in range(400):
        await anext(Stream(i).source)
        await asyncio.sleep(1e-3)


async def everything(log: list[object]) -> None:
    for program in (cancelled_group, equal_deadlines, sets, generators):
        await program(log)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.cancel_all()


async def chatter() -> None:
    for i in range(3_000):
        await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0))
        _cycle: list[object] = [i]
        _cycle.append(_cycle)


def digest(crowd: int) -> str:
    log: list[object] = []
    loops = [VirtualLoop(str(i)) for i in range(crowd)]
    loops.insert(crowd // 2, VirtualLoop("alice"))
    for loop in loops:
        loop.create_task(everything(log) if loop.name == "alice" else chatter())
    timers: dict[VirtualLoop, int | None] = {loop: loop.step(0) for loop in loops}
    while due := [t_ns for t_ns in timers.values() if t_ns is not None]:
        for loop in loops:
            if timers[loop] == min(due):
                timers[loop] = loop.step(min(due))
    assert len(log) > 2_000
    return hashlib.blake2b(repr(log).encode(), digest_size=16).hexdigest()


if __name__ == "__main__":
    # Memory that lies elsewhere in every process.
    ballast = [bytearray(1 + byte * 17) for byte in os.urandom(5_000)]
    sys.stdout.write(digest(crowd=3 if "--crowd" in sys.argv else 0))
