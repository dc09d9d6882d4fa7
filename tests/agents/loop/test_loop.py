"""The loop itself: stepping, timers, what it refuses, and where it may be stepped from."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import math
import sys
import threading

import pytest

from qnetem.agents.loop.virtual_loop import VirtualLoop
from qnetem.emulator.errors import InternalError, Refused, Spinning, UnitError

from .virtual import drain, run

# --- a step ---------------------------------------------------------------------------------------


def test_a_step_returns_the_next_timer() -> None:
    loop = VirtualLoop()
    loop.call_later_ns(30, list)
    loop.call_later_ns(20, list)
    assert loop.step(0) == 20
    assert loop.step(20) == 30
    assert loop.step(30) is None


def test_inputs_run_to_quiescence_before_timers_of_the_same_instant() -> None:
    loop, log = VirtualLoop(), []
    loop.call_at_ns(5, log.append, "timer")

    def inputs() -> None:
        loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(log.append, "input")))

    loop.step(5, inputs)
    assert log == ["input", "timer"]


def test_a_message_that_arrives_exactly_at_a_deadline_is_received() -> None:
    loop = VirtualLoop()
    inbox: asyncio.Queue[str] = asyncio.Queue()

    async def program() -> str:
        async with asyncio.timeout(0.5):
            return await inbox.get()

    task = loop.create_task(program())
    assert loop.step(0) == 500_000_000
    loop.step(500_000_000, lambda: inbox.put_nowait("just in time"))
    assert task.result() == "just in time"


def test_a_timer_due_now_runs_in_the_same_step() -> None:
    loop, log = VirtualLoop(), []
    loop.call_soon(lambda: loop.call_later(0, log.append, "now"))
    assert loop.step(7) is None
    assert log == ["now"]


def test_timers_run_by_deadline_and_then_by_creation() -> None:
    loop, log = VirtualLoop(), []
    for name, when_ns in [("b", 20), ("c", 20), ("a", 10), ("d", 20)]:
        loop.call_at_ns(when_ns, log.append, name)
    loop.step(20)
    assert log == ["a", "b", "c", "d"]


def test_time_never_runs_backwards() -> None:
    loop = VirtualLoop("alice")
    loop.step(10)
    with pytest.raises(InternalError, match=r"step to 9 ns .*alice"):
        loop.step(9)


def test_a_loop_is_not_stepped_from_inside_its_own_step() -> None:
    loop = VirtualLoop()
    with pytest.raises(InternalError):
        loop.step(0, lambda: loop.step(0))
    assert asyncio._get_running_loop() is None
    assert not loop.is_running()


def test_the_loop_runs_only_inside_a_step() -> None:
    loop, seen = VirtualLoop(), []
    loop.step(0, lambda: seen.append((asyncio.get_running_loop(), loop.is_running())))
    assert seen == [(loop, True)]
    assert asyncio._get_running_loop() is None
    assert not loop.is_running()


def test_an_error_in_inputs_is_the_callers() -> None:
    def inputs() -> None:
        raise KeyError("a bug of the node")

    with pytest.raises(KeyError):
        VirtualLoop().step(0, inputs)
    assert asyncio._get_running_loop() is None


# --- timers ---------------------------------------------------------------------------------------


def test_durations_round_to_the_nearest_nanosecond_and_never_to_nothing() -> None:
    loop = VirtualLoop()
    loop.step(1_000)
    assert loop.call_later(2.6e-9, list).when_ns == 1_003
    assert loop.call_later(1e-12, list).when_ns == 1_001
    assert loop.call_later(0, list).when_ns == 1_000


def test_a_moment_in_the_future_is_never_now() -> None:
    loop = VirtualLoop()
    loop.step(1_000_000_000)
    assert loop.call_at(math.nextafter(1.0, 2.0), list).when_ns == 1_000_000_001
    assert loop.call_at(1.0, list).when_ns == 1_000_000_000
    assert loop.call_at(0.5, list).when_ns == 500_000_000


def test_seconds_survive_the_way_through_floats_for_a_year_of_nanoseconds() -> None:
    loop = VirtualLoop()
    year_ns = 365 * 86_400 * 10**9
    loop.step(year_ns)
    handle = loop.call_at(loop.time() + 0.25, list)
    assert abs(handle.when_ns - (year_ns + 250_000_000)) <= 4


def test_for_ever_is_a_timer_that_never_comes() -> None:
    loop = VirtualLoop()
    handle = loop.call_later(math.inf, list)
    assert loop.step(0) is None
    handle.cancel()
    assert handle.cancelled()
    assert loop.call_at(math.inf, list).when() > 1e9


def test_a_delay_must_be_a_number() -> None:
    with pytest.raises(UnitError):
        VirtualLoop().call_later(math.nan, list)


def test_a_cancelled_timer_is_neither_run_nor_announced() -> None:
    loop, log = VirtualLoop(), []
    early = loop.call_later_ns(10, log.append, "early")
    loop.call_later_ns(20, log.append, "late")
    early.cancel()
    early.cancel()
    assert loop.step(0) == 20
    loop.step(20)
    assert log == ["late"]


def test_cancelled_timers_are_purged() -> None:
    loop = VirtualLoop()
    keep = loop.call_later_ns(10**9, list)
    for round_ in range(5_000):
        loop.call_later_ns(round_, list).cancel()
    assert len(loop._timers) < 200
    assert loop.next_timer_ns() == keep.when_ns


def test_purging_keeps_the_order() -> None:
    loop, log = VirtualLoop(), []
    handles = [loop.call_at_ns(1 + i * 37 % 50, log.append, i) for i in range(400)]
    for i, handle in enumerate(handles):
        if i % 4:
            handle.cancel()
    loop.step(1_000)
    assert log == sorted(range(0, 400, 4), key=lambda i: (1 + i * 37 % 50, i))


def test_a_timer_cancelled_by_another_of_the_same_instant_does_not_run() -> None:
    loop, log, later = VirtualLoop(), [], []
    loop.call_at_ns(5, lambda: [handle.cancel() for handle in later])
    later.append(loop.call_at_ns(5, log.append, "cancelled"))
    loop.step(5)
    assert log == []
    assert loop._cancelled_timers == 0


def test_handles_are_told_apart_by_number() -> None:
    loop = VirtualLoop()
    first, second = loop.call_later(1, list), loop.call_later(1, list)
    assert first != second
    assert first < second
    assert first <= second
    assert second > first
    assert second >= first
    assert hash(first) < hash(second)
    assert first.when() == 1.0
    soon = loop.call_soon(list)
    assert hash(soon) == hash(soon) > hash(second)


# --- what is refused ------------------------------------------------------------------------------

IO_CALLS = [
    name
    for name, member in inspect.getmembers(asyncio.AbstractEventLoop, inspect.isfunction)
    if name.startswith(("sock_", "create_", "connect_", "subprocess_", "add_", "remove_", "run_"))
    and name not in {"create_task", "create_future"}
] + ["getaddrinfo", "getnameinfo", "sendfile", "start_tls", "set_default_executor", "stop"]


@pytest.mark.parametrize("name", IO_CALLS)
def test_whatever_does_input_or_output_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refused, match=rf"loop\.{name}\(\) .*: .*"):
        getattr(VirtualLoop(), name)(None, None)


async def test_streams_subprocesses_and_threads_of_asyncio_are_refused() -> None:
    refused = []

    async def program() -> None:
        for call in (
            asyncio.open_connection("localhost", 1),
            asyncio.create_subprocess_exec("true"),
            asyncio.to_thread(list),
        ):
            try:
                await call
            except Refused as error:
                refused.append(error.fields["call"])

    run(program())
    assert refused == ["create_connection", "subprocess_exec", "run_in_executor"]


def test_another_thread_cannot_schedule() -> None:
    loop, refused = VirtualLoop(), []

    def other() -> None:
        try:
            loop.call_soon_threadsafe(list)
        except Refused as error:
            refused.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(refused) == 1
    assert "self.outside()" in refused[0]
    loop.call_soon_threadsafe(refused.clear)
    loop.step(0)
    assert refused == []


# --- spinning -------------------------------------------------------------------------------------


def test_a_program_that_spins_in_no_time_is_stopped_and_named() -> None:
    loop = VirtualLoop("bob", cap=5_000)

    async def spin() -> None:
        while True:  # noqa: ASYNC110 the fault under test
            await asyncio.sleep(0)

    async def patient() -> None:
        await asyncio.sleep(1)

    loop.create_task(patient(), name="patient")
    loop.create_task(spin(), name="busy waiter")
    with pytest.raises(Spinning, match=r"task 'busy waiter' spins: 5000 callbacks .* 1 ms") as info:
        loop.step(1_000_000)
    assert info.value.node == "bob"
    assert info.value.time_ns == 1_000_000
    assert asyncio._get_running_loop() is None


def test_a_callback_that_spins_is_named_too() -> None:
    loop = VirtualLoop(cap=2_000)

    def again() -> None:
        loop.call_later(0, again)

    loop.call_soon(again)
    with pytest.raises(Spinning, match="again"):
        loop.step(0)


def test_the_cap_counts_one_step_only() -> None:
    loop = VirtualLoop(cap=2_000)

    async def program() -> None:
        for _ in range(50):
            for _ in range(100):
                await asyncio.sleep(0)
            await asyncio.sleep(1e-9)

    run(program(), loop)
    assert loop.now_ns == 50


def test_work_just_below_the_cap_passes() -> None:
    loop = VirtualLoop(cap=1_500)
    ran = []
    for _ in range(1_499):
        loop.call_soon(ran.append, None)
    loop.step(0)
    assert len(ran) == 1_499


# --- where it may be stepped from -----------------------------------------------------------------


def test_it_can_be_stepped_from_a_callback_of_an_ordinary_loop() -> None:
    virtual = VirtualLoop()
    result: list[object] = []

    async def program() -> str:
        await asyncio.sleep(3_600)
        task = asyncio.current_task()
        assert task is not None
        return task.get_name()

    async def outer() -> None:
        ordinary = asyncio.get_running_loop()
        done = ordinary.create_future()
        task = virtual.create_task(program(), name="inner")

        def callback() -> None:
            hooks = sys.get_asyncgen_hooks()
            drain(virtual)
            result.append(asyncio.get_running_loop() is ordinary)
            result.append(sys.get_asyncgen_hooks() == hooks)
            done.set_result(task.result())

        ordinary.call_soon(callback)
        result.append(await done)

    asyncio.run(outer())
    assert result == [True, True, "inner"]
    assert virtual.now_ns == 3_600 * 10**9


async def test_it_can_be_stepped_from_inside_a_task() -> None:
    mine = asyncio.current_task()
    assert run(asyncio.sleep(5, "slept")) == "slept"
    assert asyncio.current_task() is mine
    assert await asyncio.wait_for(asyncio.sleep(0, "real"), 5) == "real"


def test_several_loops_take_turns_in_one_thread() -> None:
    loops = [VirtualLoop(name) for name in ("alice", "bob", "carol")]
    log: list[tuple[str, int]] = []

    async def program(loop: VirtualLoop, period_ns: int) -> None:
        for _ in range(3):
            await asyncio.sleep(period_ns / 1e9)
            assert asyncio.get_running_loop() is loop
            log.append((loop.name, loop.now_ns))

    for loop, period_ns in zip(loops, (2, 3, 6), strict=True):
        loop.create_task(program(loop, period_ns))
    timers = {loop: loop.step(0) for loop in loops}
    while any(timer is not None for timer in timers.values()):
        t_ns = min(timer for timer in timers.values() if timer is not None)
        for loop in loops:
            if timers[loop] == t_ns:
                timers[loop] = loop.step(t_ns)
    assert log == [
        *[("alice", 2), ("bob", 3), ("alice", 4), ("alice", 6), ("bob", 6), ("carol", 6)],
        *[("bob", 9), ("carol", 12), ("carol", 18)],
    ]


def test_names_and_numbers_are_counted_per_loop() -> None:
    async def nothing() -> None:
        await asyncio.sleep(0)

    seen = []
    for _ in range(2):
        loop = VirtualLoop()
        tasks = [loop.create_task(nothing()), loop.create_task(nothing())]
        seen.append([(task.get_name(), hash(task)) for task in tasks])
        drain(loop)
    assert seen == [[("Task-1", 0), ("Task-2", 1)]] * 2


# --- context variables ----------------------------------------------------------------------------

WHO = contextvars.ContextVar("WHO", default="stranger")


def test_context_variables_belong_to_the_loop() -> None:
    WHO.set("the launcher")
    loop = VirtualLoop()

    async def program() -> tuple[str, str]:
        before = WHO.get()
        WHO.set("alice")
        return before, await asyncio.create_task(child())

    async def child() -> str:
        return WHO.get()

    assert run(program(), loop) == ("stranger", "alice")
    assert run(child(), loop) == "stranger"
    assert WHO.get() == "the launcher"
