"""An exception that no await retrieves fails the node, at the instant at which it is raised."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from qnetem import Agent

from ..bench import Bench

NS = 1e-9
#: What stays referenced for as long as the program runs.
kept: list[Any] = []


async def bad(after_ns: int = 10) -> None:
    await asyncio.sleep(after_ns * NS)
    raise ValueError("lost")


def keep(awaitable: Any) -> Any:
    kept.append(awaitable)
    return awaitable


def start(coroutine: Any) -> Any:
    return keep(asyncio.create_task(coroutine))


async def in_a_task() -> None:
    start(bad())


async def in_a_gather_without_an_await() -> None:
    keep(asyncio.gather(bad(), asyncio.sleep(50 * NS)))


async def in_a_future() -> None:
    future = keep(asyncio.get_running_loop().create_future())
    asyncio.get_running_loop().call_later(10 * NS, future.set_exception, ValueError("lost"))


async def in_a_callback() -> None:
    asyncio.get_running_loop().call_later(10 * NS, int, "lost")


async def in_a_done_callback() -> None:
    start(asyncio.sleep(10 * NS)).add_done_callback(lambda _: int("lost"))


async def behind_a_callback_that_does_not_look() -> None:
    tasks: set[Any] = set()
    task = start(bad())
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def after_a_cancellation() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            raise ValueError("lost")

    task = start(stubborn())
    asyncio.get_running_loop().call_later(10 * NS, task.cancel)


async def in_a_generators_finaliser() -> None:
    async def counts() -> Any:
        try:
            yield 1
        finally:
            raise ValueError("lost")

    async def first() -> None:
        await asyncio.sleep(10 * NS)
        async for _ in counts():
            break

    start(first())


async def in_a_destructor() -> None:
    class Falls:
        def __del__(self) -> None:
            raise ValueError("lost")

    asyncio.get_running_loop().call_later(10 * NS, lambda fallen: None, Falls())


async def handed_to_the_handler() -> None:
    loop = asyncio.get_running_loop()
    context = {"message": "by hand", "exception": ValueError("lost"), "task": None}
    loop.call_later(10 * NS, loop.call_exception_handler, context)


async def in_the_programs_handler() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: int("lost"))
    loop.call_later(10 * NS, lambda: 1 / 0)


@pytest.fixture(autouse=True)
def _let_go() -> Any:
    yield
    kept.clear()


LOST: list[Callable[[], Awaitable[None]]] = [
    in_a_task,
    in_a_gather_without_an_await,
    in_a_future,
    in_a_callback,
    in_a_done_callback,
    behind_a_callback_that_does_not_look,
    after_a_cancellation,
    in_a_generators_finaliser,
    in_a_destructor,
    handed_to_the_handler,
    in_the_programs_handler,
]


@pytest.mark.parametrize("lose", LOST, ids=lambda lose: lose.__name__)
def test_a_lost_exception_fails_the_node_when_it_is_raised(
    lose: Callable[[], Awaitable[None]],
) -> None:
    cleaned: list[int] = []

    async def program(me: Agent) -> None:
        await lose()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(me.now_ns)

    bench = Bench(program)
    assert bench.ran().failed is None
    failed = bench.ran(10).failed
    assert failed is not None and (failed.kind, failed.t_ns) == ("raised", 10)
    assert "lost" in failed.problem and failed.problem.startswith("ValueError")
    assert "ValueError" in failed.traceback
    assert cleaned == [10]  # as after any failure, what still runs may clean up in that step


async def awaited() -> None:
    with pytest.raises(ValueError, match="lost"):
        await start(bad())


async def awaited_later_in_the_same_step() -> None:
    task = start(bad())
    await asyncio.sleep(10 * NS)
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="lost"):
        await task


async def looked_at_by_a_done_callback() -> None:
    start(bad()).add_done_callback(lambda task: task.exception())


async def in_a_task_group() -> None:
    with contextlib.suppress(BaseExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(bad())
            group.create_task(asyncio.sleep(50 * NS))


async def gathered_for_its_value() -> None:
    found = await asyncio.gather(bad(), asyncio.sleep(50 * NS), return_exceptions=True)
    assert isinstance(found[0], ValueError)


async def waited_for_with_others() -> None:
    done, _ = await asyncio.wait([start(bad()), start(asyncio.sleep(50 * NS))])
    assert [task.exception() is None for task in done].count(False) == 1


async def handed_out_when_its_turn_comes() -> None:
    for each in asyncio.as_completed([asyncio.sleep(5 * NS), bad()]):
        try:
            await each
        except ValueError:
            return
        await asyncio.sleep(30 * NS)


async def shielded() -> None:
    with pytest.raises(ValueError, match="lost"):
        await asyncio.shield(bad())


async def within_a_deadline() -> None:
    with pytest.raises(ValueError, match="lost"):
        await asyncio.wait_for(bad(), 1)


async def taken_by_the_programs_handler() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: keep(context["exception"]))
    loop.call_later(10 * NS, int, "lost")


RETRIEVED: list[Callable[[], Awaitable[None]]] = [
    awaited,
    awaited_later_in_the_same_step,
    looked_at_by_a_done_callback,
    in_a_task_group,
    gathered_for_its_value,
    waited_for_with_others,
    handed_out_when_its_turn_comes,
    shielded,
    within_a_deadline,
    taken_by_the_programs_handler,
]


@pytest.mark.parametrize("retrieve", RETRIEVED, ids=lambda retrieve: retrieve.__name__)
def test_an_exception_that_is_retrieved_fails_nothing(
    retrieve: Callable[[], Awaitable[None]],
) -> None:
    async def program(me: Agent) -> str:
        await retrieve()
        await asyncio.sleep(100 * NS)
        return "well"

    bench = Bench(program)
    report = bench.ran()
    while report.finished is None:
        assert report.failed is None and report.next_timer_ns is not None, report
        report = bench.ran(report.next_timer_ns)
    assert report.finished.value == "well"


def test_a_wait_that_ends_without_a_look_loses_the_exception_then() -> None:
    async def program(me: Agent) -> None:
        await asyncio.wait([start(bad()), start(asyncio.sleep(50 * NS))])
        await asyncio.sleep(1)

    bench = Bench(program)
    for t_ns in (0, 10):
        assert bench.ran(t_ns).failed is None
    failed = bench.ran(50).failed
    assert failed is not None and failed.problem.startswith("ValueError: lost in task 'Task-1'")


def test_a_task_that_is_awaited_at_a_later_instant_is_lost_before() -> None:
    async def program(me: Agent) -> None:
        task = start(bad())
        await asyncio.sleep(20 * NS)
        with pytest.raises(ValueError, match="lost"):
            await task

    bench = Bench(program)
    bench.ran()
    assert bench.ran(10).failed is not None


def test_of_several_the_first_that_was_made_is_told() -> None:
    async def program(me: Agent) -> None:
        start(bad()).set_name("first")
        start(bad(10)).set_name("second")
        await asyncio.sleep(1)

    bench = Bench(program)
    bench.ran()
    failed = bench.ran(10).failed
    assert failed is not None and "'first'" in failed.problem


def test_what_the_cycle_collector_frees_fails_nothing() -> None:
    class Falls:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            raise ValueError("at no certain moment")

    async def program(me: Agent) -> str:
        Falls()
        gc.collect()
        await asyncio.sleep(10 * NS)
        return "well"

    noted: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, noted.append
    try:
        bench = Bench(program)
        bench.ran()
        finished = bench.ran(10).finished
    finally:
        sys.unraisablehook = before
    assert finished is not None and finished.value == "well"
    assert len(noted) == 1
