"""Unmodified asyncio programs tick in virtual time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from qnetem.agents.loop.virtual_loop import VirtualLoop

from .virtual import drain, run


def now() -> float:
    return asyncio.get_running_loop().time()


async def after(delay_s: float, value: str) -> str:
    await asyncio.sleep(delay_s)
    return value


async def failing(delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    raise ValueError(delay_s)


def test_sleep() -> None:
    async def program() -> float:
        await asyncio.sleep(86_400)
        await asyncio.sleep(0)
        await asyncio.sleep(1e-9)
        return now()

    assert run(program()) == 86_400.000000001


def test_timeout() -> None:
    async def program() -> list[float]:
        times = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.sleep(10)
        times.append(now())
        async with asyncio.timeout(0.5) as deadline:
            deadline.reschedule(now() + 2)
            await asyncio.sleep(1)
        times.append(now())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(9), 3)
        times.append(now())
        return times

    assert run(program()) == [0.5, 1.5, 4.5]


def test_task_group() -> None:
    async def program() -> tuple[list[str], float]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(after(3 - i, str(i))) for i in range(3)]
        return [task.result() for task in tasks], now()

    assert run(program()) == (["0", "1", "2"], 3.0)


def test_a_failing_task_cancels_its_group() -> None:
    log: list[tuple[str, float]] = []

    async def patient() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            log.append(("cancelled", now()))
            raise

    async def program() -> None:
        with pytest.raises(ExceptionGroup) as info:  # noqa: PT012 the group raises as it ends
            async with asyncio.TaskGroup() as group:
                group.create_task(patient())
                group.create_task(failing(2))
        assert isinstance(info.value.exceptions[0], ValueError)

    run(program())
    assert log == [("cancelled", 2.0)]


def test_gather() -> None:
    async def program() -> object:
        both = await asyncio.gather(after(2, "a"), after(1, "b"))
        mixed = await asyncio.gather(failing(1), after(1, "c"), return_exceptions=True)
        return both, str(mixed[0]), mixed[1], now()

    assert run(program()) == (["a", "b"], "1", "c", 3.0)


def test_wait() -> None:
    async def program() -> tuple[list[str], list[str]]:
        tasks = [asyncio.create_task(after(i, str(i))) for i in range(1, 4)]
        done, pending = await asyncio.wait(tasks, timeout=2.5)
        finished = [task.result() for task in done]
        first, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        return finished, [task.result() for task in first]

    assert run(program()) == (["1", "2"], ["3"])


def test_as_completed() -> None:
    async def program() -> list[str]:
        return [await one for one in asyncio.as_completed([after(2, "late"), after(1, "early")])]

    assert run(program()) == ["early", "late"]


def test_as_completed_times_out_in_virtual_time() -> None:
    async def program() -> float:
        for one in asyncio.as_completed([after(20, "late")], timeout=2):
            with pytest.raises(TimeoutError):
                await one
        return now()

    assert run(program()) == 2.0


def test_shield() -> None:
    async def program() -> tuple[str, float]:
        inner = asyncio.create_task(after(5, "survived"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(inner), 1)
        return await inner, now()

    assert run(program()) == ("survived", 5.0)


def test_queue_and_event() -> None:
    async def program() -> tuple[list[int], float]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        emptied, taken = asyncio.Event(), []

        async def consume() -> None:
            for _ in range(3):
                await asyncio.sleep(1)
                taken.append(await queue.get())
                queue.task_done()
            emptied.set()

        consumer = asyncio.create_task(consume())
        for i in range(3):
            await queue.put(i)
        await queue.join()
        await emptied.wait()
        await consumer
        return taken, now()

    assert run(program()) == ([0, 1, 2], 3.0)


@pytest.mark.parametrize(("slots", "end_s"), [(1, 4.0), (2, 2.0)])
def test_semaphore_and_lock(slots: int, end_s: float) -> None:
    async def program() -> tuple[list[int], float]:
        semaphore = asyncio.Lock() if slots == 1 else asyncio.Semaphore(slots)
        entered: list[int] = []

        async def worker(i: int) -> None:
            async with semaphore:
                entered.append(i)
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            for i in range(4):
                group.create_task(worker(i))
        return entered, now()

    assert run(program()) == ([0, 1, 2, 3], end_s)


def test_condition() -> None:
    async def program() -> list[tuple[int, float]]:
        condition, log = asyncio.Condition(), []

        async def wait(i: int) -> None:
            async with condition:
                await condition.wait()
                log.append((i, now()))

        async with asyncio.TaskGroup() as group:
            for i in range(3):
                group.create_task(wait(i))
            await asyncio.sleep(1)
            async with condition:
                condition.notify(1)
            await asyncio.sleep(1)
            async with condition:
                condition.notify_all()
        return log

    assert run(program()) == [(0, 1.0), (1, 2.0), (2, 2.0)]


def test_an_abandoned_async_for_is_finished_in_virtual_time() -> None:
    log: list[tuple[str, float]] = []

    async def ticks() -> AsyncIterator[int]:
        try:
            for i in range(100):
                await asyncio.sleep(1)
                yield i
        finally:
            log.append(("finally", now()))
            await asyncio.sleep(2)
            log.append(("closed", now()))

    async def program() -> None:
        async for i in ticks():
            if i == 2:
                break
        log.append(("left", now()))
        await asyncio.sleep(10)

    run(program())
    assert log == [("left", 3.0), ("finally", 3.0), ("closed", 5.0)]


def test_cancelling_and_uncancelling() -> None:
    async def program() -> tuple[bool, float]:
        async def stubborn() -> str:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                await asyncio.sleep(1)
            return "done"

        task = asyncio.create_task(stubborn())
        await asyncio.sleep(1)
        task.cancel()
        assert await task == "done"
        return task.cancelled(), now()

    assert run(program()) == (False, 2.0)


def test_a_task_factory_is_honoured() -> None:
    loop, made = VirtualLoop(), []

    def factory(loop: asyncio.AbstractEventLoop, coro: object, **kwargs: object) -> object:
        made.append(kwargs)
        return asyncio.Task(coro, loop=loop, **kwargs)  # type: ignore[arg-type]

    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    assert run(after(1, "made"), loop) == "made"
    assert len(made) == 1
    task = loop.create_task(after(1, "named"), name="bob")
    assert task.get_name() == "bob"
    assert task in loop.tasks()
    drain(loop)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio has eager tasks since 3.12")
def test_eager_tasks_are_this_loops_tasks() -> None:
    loop = VirtualLoop()
    eager_task_factory = getattr(asyncio, "eager_task_factory")  # noqa: B009

    async def program() -> tuple[list[str], list[str]]:
        asyncio.get_running_loop().set_task_factory(eager_task_factory)
        log: list[str] = []

        async def child() -> None:
            log.append("child")
            await asyncio.sleep(1)

        task = asyncio.create_task(child())
        log.append("parent")
        names = [task.get_name() for task in loop.tasks()]
        await task
        return log, names

    assert run(program(), loop) == (["child", "parent"], ["Task-1", "Task-2"])


def test_direct_futures_and_tasks_are_this_loops_own() -> None:
    loop = VirtualLoop()

    async def program() -> list[int]:
        future: asyncio.Future[None] = asyncio.Future()
        task = asyncio.Task(after(0, ""))
        assert isinstance(future, asyncio.Future)
        assert isinstance(task, (asyncio.Task, asyncio.Future))
        assert not isinstance(future, asyncio.Task)
        assert task in loop.tasks()
        outer = asyncio.gather(task, future)
        future.set_result(None)
        await outer
        return [hash(future), hash(task), hash(outer)]

    numbers = run(program(), loop)
    assert numbers == sorted(numbers)
    assert numbers[-1] < 100


async def test_ordinary_loops_are_left_as_they_were() -> None:
    VirtualLoop()

    class Own(asyncio.Future[int]):
        pass

    future, own = asyncio.Future[int](), Own()
    assert isinstance(future, asyncio.Future)
    assert isinstance(own, asyncio.Future)
    assert isinstance(own, Own)
    assert not isinstance(future, Own)
    assert issubclass(Own, asyncio.Future)
    assert issubclass(asyncio.Task, asyncio.Future)
    assert not issubclass(int, asyncio.Future)
    assert hash(future) == object.__hash__(future)
    task = asyncio.Task(after(0, "ordinary"))
    assert task in asyncio.all_tasks()
    outer = asyncio.gather(task)
    assert hash(outer) == object.__hash__(outer)
    assert await outer == ["ordinary"]
    assert [await one for one in asyncio.as_completed([after(0, "x")])] == ["x"]
    with pytest.raises(TypeError):
        next(iter(asyncio.as_completed(asyncio.ensure_future(after(0, "x")))))  # type: ignore[arg-type]
    await asyncio.sleep(0)
