"""Inside a step, what two runs would not repeat is refused by name, and clocks show virtual time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import logging
import os
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from qnetem.agents import guards
from qnetem.agents.loop import VirtualLoop
from qnetem.emulator.errors import Refused

guards.install()

HOUR_NS = 3_600 * 10**9
NOW_NS = 30 * HOUR_NS + 250_000_001


def in_step(function: Callable[[], Any], t_ns: int = NOW_NS) -> Any:
    """What a program gets when it calls this at `t_ns`."""
    loop = VirtualLoop("alice")

    async def program() -> Any:
        return function()

    task = loop.create_task(program())
    loop.step(t_ns)
    return task.result()


# --- refused --------------------------------------------------------------------------------------

REFUSED: dict[str, Callable[[], Any]] = {
    "socket.socket()": socket.socket,
    "socket.getaddrinfo()": lambda: socket.create_connection(("127.0.0.1", 9)),
    "socket.socketpair()": socket.socketpair,
    "asyncio.new_event_loop()": asyncio.new_event_loop,
    "subprocess.Popen()": lambda: subprocess.run(["true"], check=False),
    "os.system()": lambda: os.system("true"),
    "os.fork()": os.fork,
    "os.posix_spawn()": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "threading.Thread().start()": lambda: threading.Thread(target=list).start(),
    "ThreadPoolExecutor.submit()": lambda: concurrent.futures.ThreadPoolExecutor().submit(list),
    "time.sleep()": lambda: time.sleep(0),
    "input()": input,
    "os.urandom()": lambda: os.urandom(1),
    "uuid.uuid1()": uuid.uuid1,
    "uuid.uuid4()": uuid.uuid4,
    "secrets.token_hex()": secrets.token_hex,
    "secrets.choice()": lambda: secrets.choice([1, 2]),
    "secrets.randbelow()": lambda: secrets.randbelow(2),
    "random.random()": random.random,
    "random.randint()": lambda: random.randint(1, 2),
    "random.choice()": lambda: random.choice([1]),
    "random.shuffle()": lambda: random.shuffle([1]),
    "random.seed()": lambda: random.seed(1),
    "random.Random() without a seed": random.Random,
    "random.SystemRandom().random()": lambda: random.SystemRandom().random(),
    "random.SystemRandom().getrandbits()": lambda: random.SystemRandom().randrange(3),
    "numpy.random.rand()": np.random.rand,
    "numpy.random.seed()": lambda: np.random.seed(1),  # noqa: NPY002 refused
    "numpy.random.shuffle()": lambda: np.random.shuffle([1]),  # noqa: NPY002 refused
    "numpy.random.normal()": np.random.normal,
}

UNSEEDED: list[Callable[[], Any]] = [
    np.random.default_rng,
    np.random.SeedSequence,
    np.random.PCG64,
    np.random.RandomState,
    lambda: np.random.Generator(np.random.MT19937()),
]


@pytest.mark.parametrize("call", REFUSED)
def test_a_program_is_refused_by_name_and_told_what_to_use(call: str) -> None:
    with pytest.raises(Refused, match=r"is not possible inside a program: \w+") as info:
        in_step(REFUSED[call])
    assert str(info.value).startswith(call)
    assert info.value.fields == {"call": call}


@pytest.mark.parametrize("unseeded", UNSEEDED)
def test_numpy_generators_without_a_seed_are_refused(unseeded: Callable[[], Any]) -> None:
    with pytest.raises(Refused, match=r"numpy\.random generator without a seed.*self\.rng"):
        in_step(unseeded)


def test_generators_with_a_seed_are_the_programs_own() -> None:
    assert in_step(lambda: random.Random(7).random()) == random.Random(7).random()
    drawn = in_step(lambda: np.random.default_rng(7).random())
    assert drawn == np.random.default_rng(7).random()
    assert isinstance(in_step(random.SystemRandom), random.SystemRandom)


def test_a_name_imported_by_a_program_is_guarded() -> None:
    namespace: dict[str, Any] = {}
    exec("from random import gauss\nfrom os import urandom\nfrom time import time", namespace)
    with pytest.raises(Refused):
        in_step(lambda: namespace["gauss"](0, 1))
    with pytest.raises(Refused):
        in_step(lambda: namespace["urandom"](1))
    assert in_step(lambda: eval("time()", namespace)) == NOW_NS / 1e9


def test_the_refusal_reaches_the_program_at_the_call() -> None:
    def careful() -> str:
        try:
            return str(uuid.uuid4())
        except Refused:
            return "name-1"

    assert in_step(careful) == "name-1"


# --- clocks ---------------------------------------------------------------------------------------


class Stamp(datetime.datetime):
    """A program's own subclass."""


_DAY2 = datetime.datetime(1970, 1, 2, 6, 0, 0, 250_000)  # noqa: DTZ001 naive on purpose

CLOCKS: dict[str, tuple[Callable[[], Any], Any]] = {
    "time": (time.time, NOW_NS / 1e9),
    "time_ns": (time.time_ns, NOW_NS),
    "monotonic": (time.monotonic, NOW_NS / 1e9),
    "monotonic_ns": (time.monotonic_ns, NOW_NS),
    "perf_counter": (time.perf_counter, NOW_NS / 1e9),
    "perf_counter_ns": (time.perf_counter_ns, NOW_NS),
    "process_time": (time.process_time, NOW_NS / 1e9),
    "clock_gettime": (lambda: time.clock_gettime(time.CLOCK_REALTIME), NOW_NS / 1e9),
    "clock_gettime_ns": (lambda: time.clock_gettime_ns(time.CLOCK_REALTIME), NOW_NS),
    "localtime": (lambda: time.localtime()[:6], (1970, 1, 2, 6, 0, 0)),
    "gmtime": (lambda: time.gmtime(None)[:6], (1970, 1, 2, 6, 0, 0)),
    "ctime": (time.ctime, "Fri Jan  2 06:00:00 1970"),
    "asctime": (time.asctime, "Fri Jan  2 06:00:00 1970"),
    "strftime": (lambda: time.strftime("%d %H:%M"), "02 06:00"),
    "now": (datetime.datetime.now, _DAY2),
    "now in a zone": (
        lambda: datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=2))).isoformat(),
        "1970-01-02T08:00:00.250000+02:00",
    ),
    "datetime.today": (datetime.datetime.today, _DAY2),
    "date.today": (datetime.date.today, _DAY2.date()),
    "subclass": (lambda: type(Stamp.now()), Stamp),
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_program_reads_virtual_time(clock: str) -> None:
    read, expected = CLOCKS[clock]
    assert in_step(read) == expected


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_utcnow_is_virtual_too() -> None:
    assert in_step(datetime.datetime.utcnow) == _DAY2


def test_virtual_time_passes_between_readings() -> None:
    loop = VirtualLoop()

    async def program() -> float:
        begin = time.perf_counter()
        await asyncio.sleep(1.5)
        return time.perf_counter() - begin

    task = loop.create_task(program())
    loop.step(0)
    loop.step(1_500_000_000)
    assert task.result() == 1.5


def test_given_times_are_converted_as_ever() -> None:
    def program() -> tuple[Any, ...]:
        return time.gmtime(86_400)[:3], time.strftime("%Y", time.gmtime(0)), time.ctime(0)

    assert in_step(program) == ((1970, 1, 2), "1970", time.ctime(0))


def test_logging_keeps_the_real_clock() -> None:
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger = logging.Logger("alice")  # noqa: LOG001 not in the process's tree
    logger.addHandler(Keep())
    before = time.time()
    in_step(lambda: logger.warning("hello"))
    assert before <= records[0].created <= time.time()


def test_datetime_remains_the_type_it_was() -> None:
    moment = datetime.datetime.now(datetime.UTC)
    assert type(moment) is datetime.datetime
    assert isinstance(in_step(lambda: datetime.datetime.now(datetime.UTC)), datetime.datetime)
    encoded = msgspec.json.encode(moment)
    assert msgspec.json.decode(encoded, type=datetime.datetime) == moment


# --- outside a step -------------------------------------------------------------------------------


def test_outside_a_step_everything_is_as_before() -> None:
    in_step(lambda: None)
    assert not guards.in_step()
    assert len(os.urandom(3)) == len(secrets.token_bytes(3)) == 3
    assert uuid.uuid4() != uuid.uuid4()
    random.Random().seed()
    assert 0 <= random.random() < 1
    assert 0 <= np.random.default_rng().random() < 1
    assert time.time() > 1.7e9
    assert abs(time.time() - time.time_ns() / 1e9) < 60
    assert abs(datetime.datetime.now(datetime.UTC).timestamp() - time.time()) < 60
    assert time.localtime()[0] == datetime.date.today().year >= 2024  # noqa: DTZ011
    with socket.socket(), concurrent.futures.ThreadPoolExecutor() as pool:
        assert pool.submit(len, "four").result() == 4
    with tempfile.TemporaryFile():
        assert subprocess.run([sys.executable, "-c", ""], check=False).returncode == 0


async def test_ordinary_loops_are_not_guarded() -> None:
    assert not guards.in_step()
    assert await asyncio.to_thread(lambda: len(uuid.uuid4().hex)) == 32


def test_a_step_guards_its_own_thread_only() -> None:
    inside, drawn = threading.Event(), threading.Event()
    results: list[float] = []

    def other() -> None:
        if inside.wait(30):
            results.extend([random.random(), time.time()])
        drawn.set()

    thread = threading.Thread(target=other)
    thread.start()

    def program() -> bool:
        inside.set()
        return drawn.wait(30)

    assert in_step(program)
    thread.join()
    assert len(results) == 2
    assert results[1] > 1.7e9


def test_installing_again_changes_nothing() -> None:
    before = (random.random, time.time, os.urandom, threading.Thread.start)
    guards.install()
    assert before == (random.random, time.time, os.urandom, threading.Thread.start)
