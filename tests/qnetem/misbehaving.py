"""A hundred programs that misbehave, ten to a network.

Each coroutine below is what one node does; `GROUPS` says which ten share a network. None of them ends the
process it runs in: those are in `ENDS_ITS_PROCESS`.
"""

from __future__ import annotations

import asyncio
import builtins
import ctypes
import dataclasses
import decimal
import enum
import gc
import math
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import numpy as np

from qnetem import Agent
from qnetem.agents.qubits import Qubit

Deed = Callable[[Any], Awaitable[Any]]
GROUPS: dict[str, dict[str, Deed]] = {}


def deed(group: str) -> Callable[[Deed], Deed]:
    """Enter a coroutine in the table."""

    def enter(function: Deed) -> Deed:
        GROUPS.setdefault(group, {})[function.__name__.replace("_", "-")] = function
        return function

    return enter


class Misbehaves(Agent):
    """The program of all of them."""

    async def run(self, group: str, how: str) -> Any:
        return await GROUPS[group][how](self)


class Honest(Agent):
    """What the others must not disturb."""

    async def run(self) -> list[Any]:
        await asyncio.sleep(1)
        await self.send(self.name, {"draw": int(self.rng.integers(1000))}, kind="own")
        message = await self.receive(kind="own")
        await asyncio.sleep(4)
        return [message.body["draw"], self.now_ns]


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


async def _later(error: BaseException, seconds: float = 0.1) -> None:
    await asyncio.sleep(seconds)
    raise error


@deed("background")
async def kept_task(me: Any) -> None:
    me.task = asyncio.create_task(_later(ValueError("kept")))
    await asyncio.Event().wait()


@deed("background")
async def weird_task_name(me: Any) -> None:
    me.task = asyncio.create_task(_later(ValueError("x")), name="\udc80\x1b" * 10_000)
    await asyncio.Event().wait()


@deed("background")
async def lost_gather(me: Any) -> None:
    me.all = asyncio.gather(_later(NoText()), asyncio.sleep(2))
    await asyncio.sleep(3)


@deed("background")
async def lost_future(me: Any) -> None:
    me.future = asyncio.get_running_loop().create_future()
    me.future.set_exception(ValueError("nobody"))
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


# --- returning ------------------------------------------------------------------------------------


class Level(enum.IntEnum):
    HUGE = 10**40


class Text(str):
    __slots__ = ()


@dataclasses.dataclass
class Record:
    value: int


@deed("return")
async def thirty_megabytes(me: Agent) -> Any:
    return {"text": "x" * 30_000_000}


@deed("return")
async def circle(me: Agent) -> Any:
    found: list[Any] = []
    found.append(found)
    return found


@deed("return")
async def deep(me: Agent) -> Any:
    found: Any = 1
    for _ in range(100_000):
        found = [found]
    return found


@deed("return")
async def huge_integer(me: Agent) -> Any:
    return {"n": 10**10_000}


@deed("return")
async def huge_member(me: Agent) -> Any:
    return Level.HUGE


@deed("return")
async def surrogate_key(me: Agent) -> Any:
    return {"\udc80": 1}


@deed("return")
async def numpy_array(me: Agent) -> Any:
    return [np.float64(1), np.zeros(3)]


@deed("return")
async def odd_keys(me: Agent) -> Any:
    return {1: "a", "1": "b", NoText: "c"}


@deed("return")
async def escapes(me: Agent) -> Any:
    return {"\x1b[31m\n": "\x1b]0;title\x07\u202eabc\x9b\x7f", "": -0.0}


@deed("return")
async def objects(me: Agent) -> Any:
    return [Record(1), decimal.Decimal(1), {1}, b"x", (x for x in "ab"), Text("t"), NoClass()]


# --- recording ------------------------------------------------------------------------------------


@deed("record")
async def overflowing(me: Agent) -> None:
    for value in (1e308, -1e308, 1.7e308, -1.7e308, 5e-324):
        me.record("x", value)


@deed("record")
async def surrogate_name(me: Agent) -> None:
    me.record("\udc80", 1)


@deed("record")
async def odd_names(me: Agent) -> None:
    for name in ("", ".", "a.b", "\n", "\x1b[31m", "\u202e", "x" * 256):
        me.record(name, 1)


@deed("record")
async def long_name(me: Agent) -> None:
    me.record("x" * 10_000_000, 1)


@deed("record")
async def many_names(me: Agent) -> None:
    for number in range(20_000):
        me.record(f"x{number}", number)


@deed("record")
async def many_megabytes(me: Agent) -> None:
    for _ in range(100):
        me.record("text", "x" * 1_000_000)


@deed("record")
async def not_a_number(me: Agent) -> None:
    me.record("x", math.nan)


@deed("record")
async def name_is_an_object(me: Any) -> None:
    me.record(NoText(), 1)


@deed("record")
async def struct_that_raises(me: Agent) -> None:
    class Bad(msgspec.Struct):
        x: int

        def __getattribute__(self, name: str) -> Any:
            raise NoText

    me.record("x", Bad(1))


@deed("record")
async def probe_of_nothing(me: Agent) -> None:
    await me.probe("\udc80", await me.qubit(), [math.nan, 1])


# --- sending --------------------------------------------------------------------------------------


@deed("send")
async def surrogate_kind(me: Agent) -> None:
    await me.send("honest", kind="\udc80")


@deed("send")
async def twenty_megabytes(me: Agent) -> None:
    await me.send("honest", "x" * 20_000_000)


@deed("send")
async def to_a_list(me: Any) -> None:
    await me.send(["honest"], 1)


@deed("send")
async def to_nobody(me: Agent) -> None:
    await me.send("\x1b[31m\n", 1)


@deed("send")
async def a_flood(me: Agent) -> None:
    for _ in range(1_000_000):
        await me.send(me.name, 1, kind="flood" * 50)


@deed("send")
async def unread_kinds(me: Agent) -> None:
    for number in range(300):
        await me.send(me.name, 1, kind=f"\x1b{number}")
    await asyncio.sleep(1)


@deed("send")
async def angle_is_no_number(me: Agent) -> None:
    await (await me.qubit()).rx(math.nan)


@deed("send")
async def a_qubit_it_has_not(me: Any) -> None:
    await Qubit(me._node, "\udc80").x()


@deed("send")
async def sleeps_for_ever(me: Agent) -> None:
    async with asyncio.timeout(1):
        await asyncio.sleep(1e300)


@deed("send")
async def sleeps_no_number(me: Agent) -> None:
    await asyncio.sleep(math.nan)


# --- printing -------------------------------------------------------------------------------------


@deed("print")
async def without_end(me: Agent) -> None:
    sys.stdout.write("x" * 3_000_000)


@deed("print")
async def binary(me: Agent) -> None:
    sys.stdout.buffer.write(bytes(range(256)) * 100)


@deed("print")
async def print_surrogates(me: Agent) -> None:
    print("\udc80 \x1b[31m")
    me.log.warning("\udc80 \x1b[31m")


@deed("print")
async def closes_stdout(me: Agent) -> None:
    sys.stdout.close()
    await asyncio.sleep(1)
    print("still here?")


@deed("print")
async def replaces_stdout(me: Any) -> None:
    sys.stdout = None  # type: ignore[assignment]
    await asyncio.sleep(1)


@deed("print")
async def logs_wrongly(me: Agent) -> None:
    me.log.setLevel("NONSENSE")


@deed("print")
async def many_lines(me: Agent) -> None:
    for number in range(20_000):
        print(number)


@deed("print")
async def repr_raises(me: Agent) -> None:
    print(NoText())


@deed("print")
async def log_of_another(me: Any) -> None:
    me.log = None
    me.log.info("x")


@deed("print")
async def prints_and_fails(me: Agent) -> None:
    print("x" * 100_000, end="")
    raise ValueError("after it")


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
    me.task = asyncio.create_task(_later(RecursionError("x"), 1e-9))  # type: ignore[attr-defined]
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
    me.__class__ = type("\x1b[31m\n", (Misbehaves,), {})
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
            group.create_task(_later(ValueError(number)))


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
        await _later(NoText())
    except NoText as error:
        raise NoNotes("second") from error


# --- these end the process they run in ------------------------------------------------------------


ENDS_ITS_PROCESS: dict[str, Deed] = {}
GROUPS["process"] = ENDS_ITS_PROCESS


@deed("process")
async def exits_hard(me: Agent) -> None:
    os._exit(3)


@deed("process")
async def aborts(me: Agent) -> None:
    os.abort()


@deed("process")
async def kills_itself(me: Agent) -> None:
    getattr(ctypes.CDLL(None), "raise")(int(signal.SIGKILL))  # os.kill is refused


@deed("process")
async def reads_nowhere(me: Agent) -> None:
    ctypes.string_at(0)
