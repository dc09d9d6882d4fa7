"""How programs end: unretrieved failures, cancelling, abandoned generators, and a kill in one process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator

import pytest

from qnetem.agents.loop.tasks import task_stack
from qnetem.agents.loop.virtual_loop import VirtualLoop
from qnetem.emulator.errors import InternalError

from .virtual import drain


async def failing(text: str = "lost") -> None:
    await asyncio.sleep(1)
    raise ValueError(text)


@pytest.fixture
def unraisable() -> Iterator[list[object]]:
    """What the interpreter would have printed on garbage collection."""
    seen: list[object] = []
    plain = sys.unraisablehook
    sys.unraisablehook = lambda info: seen.append(info.exc_value)
    yield seen
    gc.collect()
    sys.unraisablehook = plain


# --- failures that no await has retrieved ---------------------------------------------------------


def test_failures_that_were_not_asked_for_are_listed_in_order_of_creation() -> None:
    loop = VirtualLoop()
    loop.create_task(failing("first"), name="first")
    future = loop.create_future()
    loop.create_task(failing("second"), name="second")
    loop.step(0, lambda: future.set_exception(KeyError("a future")))
    drain(loop)
    found = [(name, str(error)) for name, error in loop.unretrieved()]
    assert found == [("first", "first"), ("Future-1", "'a future'"), ("second", "second")]
    assert len(loop.unretrieved()) == 3  # looking is not asking


def test_a_failure_that_was_asked_for_is_not_listed() -> None:
    loop = VirtualLoop()
    seen = loop.create_task(failing())
    cancelled = loop.create_task(failing())
    loop.step(0)
    cancelled.cancel()
    drain(loop)
    assert isinstance(seen.exception(), ValueError)
    assert loop.unretrieved() == []


def test_a_gather_without_an_await_is_listed() -> None:
    loop = VirtualLoop()

    async def program() -> None:
        asyncio.gather(failing("child"))
        await asyncio.sleep(5)

    loop.create_task(program())
    drain(loop)
    [(name, error)] = loop.unretrieved()
    assert name.startswith("gather-")
    assert str(error) == "child"


def test_lost_failures_are_not_reported_by_the_garbage_collector(
    unraisable: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    loop = VirtualLoop()
    loop.create_task(failing())
    drain(loop)
    gc.collect()
    assert len(loop.unretrieved()) == 1
    assert loop.unhandled == []
    loop.close()
    del loop
    gc.collect()
    assert unraisable == []
    assert caplog.records == []


def test_only_failed_tasks_are_kept() -> None:
    loop = VirtualLoop()

    async def program() -> None:
        for i in range(5_000):
            task = asyncio.create_task(failing() if i == 700 else asyncio.sleep(0))
            await asyncio.wait([task])

    loop.create_task(program())
    drain(loop)
    assert len(loop._task_list._tasks) < 200
    assert [str(error) for _, error in loop.unretrieved()] == ["lost"]


def test_failures_that_were_seen_are_not_kept() -> None:
    loop = VirtualLoop()

    async def program() -> None:
        for _ in range(2_000):
            future = asyncio.get_running_loop().create_future()
            future.set_exception(KeyError())
            with pytest.raises(KeyError):
                await future

    loop.create_task(program())
    drain(loop)
    assert len(loop._task_list.failures) < 200


def test_a_callback_that_raises_is_collected_and_stops_no_other() -> None:
    loop, log = VirtualLoop(), []
    loop.call_soon(int, "no number")
    loop.call_soon(log.append, "next")
    loop.step(0)
    assert log == ["next"]
    [(message, error)] = loop.unhandled
    assert "int" in message
    assert isinstance(error, ValueError)


def test_a_program_may_handle_such_errors_itself() -> None:
    loop, log = VirtualLoop(), []
    loop.set_exception_handler(lambda _, context: log.append(str(context["exception"])))
    assert loop.get_exception_handler() is not None
    loop.call_soon([].pop)
    loop.step(0)
    assert log == ["pop from empty list"]
    assert loop.unhandled == []


def test_leaving_by_sys_exit_fails_the_task_and_not_the_loop() -> None:
    loop, log = VirtualLoop(), []

    async def leave() -> None:
        sys.exit(3)

    loop.create_task(leave(), name="leaver")
    loop.call_soon(log.append, "next")
    loop.step(0)
    assert log == ["next"]
    [(name, error)] = loop.unretrieved()
    assert name == "leaver"
    assert isinstance(error, SystemExit)


def test_an_interrupt_from_the_keyboard_reaches_the_caller() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    loop = VirtualLoop()
    loop.call_soon(interrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.step(0)
    assert asyncio._get_running_loop() is None


# --- who waits for what ---------------------------------------------------------------------------


def test_the_stack_of_a_task_shows_the_whole_chain_of_awaits() -> None:
    loop = VirtualLoop()

    async def outer() -> None:
        await inner()

    async def inner() -> None:
        await asyncio.Event().wait()

    loop.create_task(outer(), name="waiter")
    loop.create_task(asyncio.sleep(1), name="sleeper")
    loop.step(0)
    waiter, sleeper = map(task_stack, loop.tasks())
    assert [function.rpartition(".")[2] for function, _, _ in waiter.frames] == [
        *("outer", "inner", "wait")
    ]
    assert waiter.frames[0][1] == __file__
    assert waiter.waits_for is not None
    assert str(waiter).startswith("waiter:\n    ")
    assert sleeper.name == "sleeper"
    drain(loop)
    assert [task.get_name() for task in loop.tasks()] == ["waiter"]
    loop.close()


# --- cancelling -----------------------------------------------------------------------------------


def test_all_tasks_but_the_caller_are_cancelled_in_order_of_creation() -> None:
    loop, log = VirtualLoop(), []

    async def child(i: int) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            log.append(i)

    async def program() -> str:
        for i in range(200):
            asyncio.create_task(child(i))  # noqa: RUF006 the loop keeps it
        await asyncio.sleep(1)
        loop.cancel_all()
        return "finished"

    task = loop.create_task(program())
    drain(loop)
    assert log == list(range(200))
    assert task.result() == "finished"
    assert loop.tasks() == []
    assert loop.now_ns == 10**9


def test_cleaning_up_may_take_virtual_time() -> None:
    loop, log = VirtualLoop(), []

    async def child() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(2)
            log.append(loop.now_ns)

    loop.create_task(child())
    loop.step(0)
    loop.step(5, loop.cancel_all)
    drain(loop)
    assert log == [2_000_000_005]


# --- async generators -----------------------------------------------------------------------------


def test_generators_left_over_are_closed_in_order_of_creation_at_the_end() -> None:
    loop, log = VirtualLoop(), []
    kept: list[AsyncGenerator[int, None]] = []

    async def numbers(i: int) -> AsyncGenerator[int, None]:
        try:
            yield i
        finally:
            await asyncio.sleep(1e-9)
            log.append((i, loop.now_ns))

    async def program() -> None:
        for i in range(3):
            kept.insert(0, numbers(i))
            await anext(kept[0])

    loop.create_task(program())
    drain(loop)
    assert log == []
    loop.step(10, loop.cancel_all)
    drain(loop)
    assert log == [(0, 11), (1, 12), (2, 13)]


def test_a_generator_that_fails_to_close_stops_no_other() -> None:
    loop, log, kept = VirtualLoop(), [], []

    async def numbers(i: int) -> AsyncGenerator[int, None]:
        try:
            yield i
        finally:
            log.append(i)
            raise ValueError(i)

    async def program() -> None:
        for i in range(2):
            kept.append(numbers(i))
            await anext(kept[i])
        await asyncio.get_running_loop().shutdown_asyncgens()

    loop.create_task(program())
    drain(loop)
    assert log == [0, 1]
    assert [str(error) for _, error in loop.unhandled] == ["0", "1"]


@pytest.mark.parametrize("collect", [gc.collect, lambda: 0], ids=["collected", "not collected"])
def test_a_generator_in_a_reference_cycle_ends_alike_whenever_it_is_collected(
    collect: Callable[[], int],
) -> None:
    loop, log = VirtualLoop(), []

    class Stream:
        def __init__(self, i: int) -> None:
            self.i, self.source = i, self.ticks()

        async def ticks(self) -> AsyncGenerator[int, None]:
            try:
                while True:
                    await asyncio.sleep(1)
                    yield self.i
            finally:
                log.append((self.i, loop.now_ns))

    async def program() -> None:
        for i in range(3):
            await anext(Stream(i).source)
            collect()
        await asyncio.sleep(5)
        loop.cancel_all()

    loop.create_task(program())
    drain(loop)
    assert log == [(0, 8 * 10**9), (1, 8 * 10**9), (2, 8 * 10**9)]


def test_finished_generators_are_forgotten() -> None:
    loop = VirtualLoop()

    async def numbers() -> AsyncGenerator[int, None]:
        yield 1

    async def program() -> None:
        for _ in range(1_000):
            async for _number in numbers():
                pass

    loop.create_task(program())
    drain(loop)
    assert len(loop.generators._known) <= 64


# --- a kill in one process ------------------------------------------------------------------------


def test_after_abandoning_nothing_runs_any_more() -> None:
    loop, log = VirtualLoop(), []

    async def program() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            log.append("closed")
            loop.call_soon(log.append, "a callback")
            await asyncio.sleep(1)
            log.append("never")

    task = loop.create_task(program())
    assert loop.step(0) == 10**9
    loop.abandon()
    assert log == ["closed"]  # what follows an await in finally is lost, as in a kill
    assert loop.is_closed()
    loop.call_soon(log.append, "soon")
    loop.call_later(0, log.append, "later").cancel()
    loop.call_at_ns(3, log.append, "at")
    assert loop.step(10**9, lambda: log.append("inputs")) is None
    loop.abandon()
    assert log == ["closed"]
    assert not task.done()
    assert loop.tasks() == []


def test_abandoning_is_silent(unraisable: list[object], caplog: pytest.LogCaptureFixture) -> None:
    loop = VirtualLoop()

    async def rude() -> None:
        await ruder()

    async def ruder() -> None:
        while True:
            with contextlib.suppress(BaseException):
                await asyncio.sleep(1)

    async def spawning() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            asyncio.create_task(asyncio.sleep(1))  # noqa: RUF006 the node is dead

    async def generator() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)

    async def looping() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(9))
            async for _ in generator():
                await asyncio.sleep(1)

    for program in (failing, spawning, looping, rude):
        loop.create_task(program())
    loop.step(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop.abandon()
        del loop
        gc.collect()
    assert unraisable == []
    assert caplog.records == []


def test_the_current_task_of_an_ordinary_loop_survives_an_abandoning() -> None:
    async def outer() -> bool:
        loop = VirtualLoop()
        loop.create_task(asyncio.sleep(1))
        loop.step(0)
        mine, running = asyncio.current_task(), asyncio.get_running_loop()
        loop.abandon()
        return asyncio.current_task() is mine and asyncio.get_running_loop() is running

    assert asyncio.run(outer())


def test_a_loop_cannot_be_abandoned_inside_its_own_step() -> None:
    loop = VirtualLoop()
    with pytest.raises(InternalError, match="inside its own step"):
        loop.step(0, loop.abandon)
