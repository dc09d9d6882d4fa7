"""Inside a step, what two runs would not repeat is refused by name, and clocks show virtual time."""

from __future__ import annotations

import _posixsubprocess
import _random
import asyncio
import concurrent.futures
import datetime
import email.utils
import faulthandler
import gc
import glob
import gzip
import http.cookies
import logging
import os
import platform
import random
import resource
import secrets
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter as _perf_counter
from typing import Any

import msgspec
import numpy as np
import pytest

from qnetem.agents.guards import guards, running_program
from qnetem.agents.loop.virtual_loop import VirtualLoop
from qnetem.emulator.errors import Refused
from qnetem.emulator.fixed_environment import FIXED_ENVIRONMENT

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
    "numpy.random.mtrand._rand.rand()": lambda: np.random.mtrand._rand.rand(),  # noqa: PLW0108 fetched in the step
    "random.getrandbits()": email.utils.make_msgid,
    "random._inst.random()": lambda: random._inst.random(),  # type: ignore[attr-defined]  # noqa: PLW0108
    "_random.Random() without a seed": lambda: _random.Random(),  # noqa: PLW0108 fetched in the step
    "secrets.token_bytes()": secrets.token_bytes,
    "ssl.RAND_bytes()": lambda: ssl.RAND_bytes(1),
    "uuid.getnode()": uuid.getnode,
    "tempfile.mkstemp()": tempfile.mkstemp,
    "tempfile.TemporaryDirectory()": tempfile.TemporaryDirectory,
    "open('/dev/urandom')": lambda: open("/dev/urandom", "rb"),  # noqa: SIM115
    "open('/dev/random')": lambda: os.open("/dev/random", os.O_RDONLY),
    "open('/proc/uptime')": lambda: Path("/proc/uptime").read_text(),
    "open('/proc/version')": lambda: open("/tmp/../proc/version", encoding="utf-8"),  # noqa: SIM115
    "open('/sys/kernel/x')": lambda: open("/sys/kernel/x", encoding="utf-8"),  # noqa: SIM115
    "os.getloadavg()": os.getloadavg,
    "os.getlogin()": os.getlogin,
    "os.getuid()": os.getuid,
    "os.kill()": lambda: os.kill(0, 0),
    "os.sysconf()": lambda: os.sysconf("SC_NPROCESSORS_ONLN"),
    "os.statvfs()": lambda: shutil.disk_usage("/"),
    "os.waitpid()": lambda: os.waitpid(-1, os.WNOHANG),
    "changing os.environ": lambda: os.environ.update(A="1"),
    "os.putenv()": lambda: os.putenv("A", "1"),
    "resource.getrusage()": lambda: resource.getrusage(resource.RUSAGE_SELF),
    "time.clock_settime()": lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
    "time.tzset()": time.tzset,
    "signal.signal()": lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN),
    "signal.alarm()": lambda: signal.alarm(1),
    "signal.setitimer()": lambda: signal.setitimer(signal.ITIMER_REAL, 1),
    "select.select()": lambda: select.select([], [], [], 0),
    "faulthandler.dump_traceback_later()": lambda: faulthandler.dump_traceback_later(9),
    "gc.get_count()": gc.get_count,
    "gc.get_stats()": gc.get_stats,
    "sys.setswitchinterval()": lambda: sys.setswitchinterval(1),
    "sys.getallocatedblocks()": sys.getallocatedblocks,
    "socket.if_nameindex()": socket.if_nameindex,
    "platform.freedesktop_os_release()": platform.freedesktop_os_release,
    "multiprocessing.Process().start()": _posixsubprocess.fork_exec,
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


@pytest.mark.parametrize("module", ["os", "posix", "random", "_thread", "signal", "_signal"])
def test_a_second_name_for_a_call_is_guarded_too(module: str) -> None:
    """`posix.urandom` is `os.urandom`; `random` has a name of its own for it, bound long ago."""
    name, call = {
        "os": ("urandom", lambda function: function(1)),
        "posix": ("urandom", lambda function: function(1)),
        "random": ("_urandom", lambda function: function(1)),
        "_thread": ("get_ident", lambda function: function() == 1),
        "signal": ("alarm", lambda function: function(1)),
        "_signal": ("signal", lambda function: function(signal.SIGALRM, signal.SIG_IGN)),
    }[module]
    function = getattr(sys.modules[module], name)
    if module == "_thread":
        assert in_step(lambda: call(function))
        return
    with pytest.raises(Refused):
        in_step(lambda: call(function))


@pytest.mark.parametrize(
    ("module", "own"),
    [
        ("qnetem.agents.process.output", True),
        ("qnetem.agents.protocols.mine", False),
        ("mine", False),
    ],
)
def test_our_own_modules_see_what_is_real_whenever_they_are_imported(
    module: str, own: bool
) -> None:
    """One that is imported after the guards are installed binds the exchanged function."""
    names: dict[str, Any] = {"__name__": module}
    exec("from _thread import get_ident\ndef ask(): return get_ident()", names)
    real = threading.Thread.ident.fget(threading.current_thread())  # type: ignore[attr-defined]
    assert names["ask"]() == real
    assert in_step(names["ask"]) == (real if own else 1)


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
    "localtime of a time": (lambda: time.localtime(0)[:4], (1970, 1, 1, 0)),
    "mktime": (lambda: time.mktime(time.gmtime(NOW_NS // 10**9)), NOW_NS // 10**9),
    "tzname": (lambda: time.tzname, ("UTC", "UTC")),
    "timezone": (lambda: (time.timezone, time.altzone, time.daylight), (0, 0, 0)),
    "fromtimestamp": (lambda: datetime.datetime.fromtimestamp(0).hour, 0),  # noqa: DTZ006
    "date.fromtimestamp": (lambda: datetime.date.fromtimestamp(0).isoformat(), "1970-01-01"),  # noqa: DTZ012
    "timestamp of a naive time": (_DAY2.timestamp, NOW_NS // 1000 / 1e6),
    "astimezone": (lambda: _DAY2.astimezone().isoformat(), "1970-01-02T06:00:00.250000+00:00"),
    "datetime64 now": (lambda: str(np.datetime64("now")), "1970-01-02T06:00:00"),
    "datetime64 today": (lambda: str(np.datetime64("today")), "1970-01-02"),
    "datetime64 in ns": (lambda: str(np.datetime64("now", "ns")), "1970-01-02T06:00:00.250000001"),
    "formatdate": (email.utils.formatdate, "Fri, 02 Jan 1970 06:00:00 -0000"),
    "email localtime": (
        lambda: email.utils.localtime().isoformat(),
        "1970-01-02T06:00:00.250000+00:00",
    ),
    "get_clock_info": (lambda: time.get_clock_info("time").implementation, "virtual time"),
    "clock_getres": (lambda: time.clock_getres(time.CLOCK_REALTIME), 1e-9),
    "os.times": (lambda: os.times().elapsed, NOW_NS / 1e9),
    "gzip": (lambda: gzip.compress(b"x")[4:8], (NOW_NS // 10**9).to_bytes(4, "little")),
    "zipfile": (lambda: zipfile.ZipInfo("a", time.localtime()[:6]).date_time[:3], (1980, 1, 1)),
    "http.cookies": (lambda: _cookie_date()[:16], "Fri, 02 Jan 1970"),
    "a name bound before": (_perf_counter, NOW_NS / 1e9),
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


#: name -> what a program sees, on every machine.
MACHINE: dict[str, tuple[Callable[[], Any], Any]] = {
    "pid": (lambda: (os.getpid(), os.getppid()), (1, 0)),
    "thread": (lambda: (threading.get_ident(), threading.get_native_id()), (1, 1)),
    "current thread": (lambda: threading.current_thread().ident, 1),
    "hostname": (socket.gethostname, "alice"),
    "fqdn": (socket.getfqdn, "alice"),
    "platform.node": (platform.node, "alice"),
    "platform.uname": (lambda: tuple(platform.uname())[:4], ("Linux", "alice", "", "")),
    "platform.platform": (platform.platform, "Linux"),
    "platform.machine": (lambda: (platform.machine(), platform.processor()), ("", "")),
    "os.uname": (lambda: tuple(os.uname()), ("Linux", "alice", "", "", "")),
    "cpu_count": (os.cpu_count, 1),
    "environ": (lambda: dict(os.environ), FIXED_ENVIRONMENT),
    "environ's text": (lambda: "HOME" in repr(os.environ) or "HOME" in os.environ, False),
    "getenv": (lambda: (os.getenv("HOME"), os.getenv("TZ")), (None, "UTC")),
    "environb": (lambda: os.environb[b"TZ"], b"UTC"),
    "terminal": (shutil.get_terminal_size, (80, 24)),
    "stat": (lambda: _status_of(os.stat(__file__)), (0, 0, 0, 0, 0)),
    "mtime": (lambda: os.path.getmtime(__file__), 0),
    "pathlib": (lambda: Path(__file__).stat().st_mtime_ns, 0),
    "size": (lambda: os.stat(__file__).st_size > 1000 and Path(__file__).is_file(), True),
    "samefile": (lambda: Path(__file__).samefile(__file__), True),
}


@pytest.mark.parametrize("what", MACHINE)
def test_a_program_sees_no_machine(what: str) -> None:
    read, expected = MACHINE[what]
    assert in_step(read) == expected


LISTINGS: dict[str, Callable[[Path], list[str]]] = {
    "listdir": os.listdir,
    "scandir": lambda folder: [entry.name for entry in os.scandir(folder)],
    "walk": lambda folder: next(os.walk(folder))[2],
    "iterdir": lambda folder: [path.name for path in folder.iterdir()],
    "glob": lambda folder: [os.path.basename(name) for name in glob.glob(f"{folder}/*")],
    "Path.glob": lambda folder: [path.name for path in folder.glob("*")],
}


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_folder_lists_its_names_in_order(listing: str, tmp_path: Path) -> None:
    names = [f"{letter}{number}" for number in (3, 1, 2) for letter in "zab"]
    for name in names:
        (tmp_path / name).touch()
    assert in_step(lambda: LISTINGS[listing](tmp_path)) == sorted(names)


def test_a_program_reads_ordinary_files(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("data")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        assert in_step((tmp_path / "data.txt").read_text) == "data"
        in_step(lambda: open(os.devnull, encoding="utf-8").close())
        assert nowhere.writable()


def _status_of(status: os.stat_result) -> tuple[float, ...]:
    return status.st_mtime, status.st_ctime_ns, status.st_atime, status.st_uid, status.st_gid


def _cookie_date() -> str:
    cookie = http.cookies.SimpleCookie()
    cookie["a"] = "b"
    cookie["a"]["expires"] = 0
    return cookie["a"].OutputString().partition("expires=")[2]


def test_the_records_of_a_programs_loggers_show_virtual_time() -> None:
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger = logging.Logger("alice")  # noqa: LOG001 not in the process's tree
    logger.addHandler(Keep())
    in_step(lambda: logger.warning("hello"))
    made = records[0]
    assert (made.created, made.msecs, made.relativeCreated) == (NOW_NS / 1e9, 250, NOW_NS / 1e6)
    assert (made.process, made.thread, made.threadName) == (1, 1, "MainThread")
    logger.warning("outside")
    assert records[1].created > 1.7e9
    assert records[1].process == os.getpid()


def test_datetime_remains_the_type_it_was() -> None:
    moment = datetime.datetime.now(datetime.UTC)
    assert type(moment) is datetime.datetime
    assert isinstance(in_step(lambda: datetime.datetime.now(datetime.UTC)), datetime.datetime)
    encoded = msgspec.json.encode(moment)
    assert msgspec.json.decode(encoded, type=datetime.datetime) == moment


# --- outside a step -------------------------------------------------------------------------------


def test_outside_a_step_everything_is_as_before() -> None:
    in_step(lambda: None)
    assert running_program.current() is None
    assert len(os.urandom(3)) == len(secrets.token_bytes(3)) == 3
    assert uuid.uuid4() != uuid.uuid4()
    random.Random().seed()
    assert 0 <= random.random() < 1
    assert 0 <= np.random.default_rng().random() < 1
    assert time.time() > 1.7e9
    assert abs(time.time() - time.time_ns() / 1e9) < 60
    assert abs(datetime.datetime.now(datetime.UTC).timestamp() - time.time()) < 60
    assert os.getpid() != 1 or os.getppid() == 0
    assert os.environ["PATH"]
    assert os.stat(__file__).st_mtime > 1.6e9
    assert time.tzname == time.__getattr__("tzname")  # type: ignore[attr-defined]
    assert str(np.datetime64("today")) == str(datetime.datetime.now(datetime.UTC).date())
    assert isinstance(np.array(["2020"], "M8[D]")[0], np.datetime64)
    assert np.dtype(np.datetime64) == np.dtype("M8")
    assert time.localtime()[0] == datetime.date.today().year >= 2024  # noqa: DTZ011
    with socket.socket(), concurrent.futures.ThreadPoolExecutor() as pool:
        assert pool.submit(len, "four").result() == 4
    with tempfile.TemporaryFile():
        assert subprocess.run([sys.executable, "-c", ""], check=False).returncode == 0


async def test_ordinary_loops_are_not_guarded() -> None:
    assert running_program.current() is None
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


EPOCH_NS = 1_774_008_000 * 10**9  # 2026-03-20T12:00:00Z
_DAY3 = datetime.datetime(2026, 3, 21, 18, 0, 0, 250_000)  # noqa: DTZ001 naive on purpose
_FROM_EPOCH: dict[str, tuple[Callable[[], Any], Any]] = {
    "time_ns": (time.time_ns, EPOCH_NS + NOW_NS),
    "clock_gettime": (lambda: time.clock_gettime(time.CLOCK_REALTIME), (EPOCH_NS + NOW_NS) / 1e9),
    "clock of the machine": (lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC), NOW_NS),
    "monotonic_ns": (time.monotonic_ns, NOW_NS),
    "perf_counter": (time.perf_counter, NOW_NS / 1e9),
    "gmtime": (lambda: time.gmtime()[:6], (2026, 3, 21, 18, 0, 0)),
    "now": (datetime.datetime.now, _DAY3),
    "date.today": (datetime.date.today, _DAY3.date()),
    "datetime64": (lambda: str(np.datetime64("now", "ns")), "2026-03-21T18:00:00.250000001"),
    "gzip": (
        lambda: gzip.compress(b"x")[4:8],
        ((EPOCH_NS + NOW_NS) // 10**9).to_bytes(4, "little"),
    ),
    "log record": (
        lambda: logging.makeLogRecord({}).created,
        (EPOCH_NS + NOW_NS) / 1e9,
    ),
    "email": (email.utils.formatdate, "Sat, 21 Mar 2026 18:00:00 -0000"),
}


@pytest.mark.parametrize("clock", _FROM_EPOCH)
def test_the_calendar_counts_from_the_epoch_and_what_measures_does_not(clock: str) -> None:
    read, expected = _FROM_EPOCH[clock]
    loop = VirtualLoop("alice")
    loop.epoch_ns = EPOCH_NS

    async def program() -> Any:
        return read()

    task = loop.create_task(program())
    loop.step(NOW_NS)
    assert task.result() == expected


def test_the_calendar_reaches_beyond_numpys_nanoseconds() -> None:
    loop = VirtualLoop("alice")
    loop.epoch_ns = 7_000_000_000 * 10**9  # 2191

    async def program() -> Any:
        return [str(np.datetime64("now")), datetime.datetime.now().year, time.gmtime().tm_year]  # noqa: DTZ005

    task = loop.create_task(program())
    loop.step(100 * 365 * 86_400 * 10**9)
    assert task.result() == ["2291-10-03T12:26:40", 2291, 2291]
