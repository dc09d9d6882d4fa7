"""Clocks and calendars that answer virtual time to a program.

Owns the replacements of the `time` module's functions, of `datetime`, `numpy.datetime64` and of the stamps
of log records. Rule: a program sees virtual time only. Clocks that measure count from 0; the calendar
starts at the run's epoch (1 January 1970 if it names none), in UTC, whatever the machine's time zone. So it
does for the code that a program calls, libraries included. What keeps the real clock is a short list
(`patches.OWN_MODULES`). Archives begin in 1980, as their format does.
"""

from __future__ import annotations

import calendar
import datetime
import functools
import logging
import sys
import time
import zipfile
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..loop.virtual_loop import VirtualLoop
from .patches import _is_own, answer, exchange_method, refuse
from .running_program import current

_NS = 1e-9
_real_gmtime, _real_asctime = time.gmtime, time.asctime
_MACHINE = "virtual time has no resolution, CPU or switch of its own"
_UTC = {"tzname": ("UTC", "UTC"), "timezone": 0, "altzone": 0, "daylight": 0}
_1970 = datetime.date(1970, 1, 1).toordinal()
_FIRST_OF_ZIP = (1980, 1, 1, 0, 0, 0)

#: Of the clocks of `clock_gettime` those of the calendar, as far as this system has them.
_CALENDAR_CLOCKS = frozenset(
    getattr(time, name) for name in ("CLOCK_REALTIME", "CLOCK_TAI") if hasattr(time, name)
)


def unix_ns(loop: VirtualLoop) -> int:
    """The calendar's time, in ns since 1970."""
    return loop.epoch_ns + loop.now_ns


def _unix_s(loop: VirtualLoop) -> float:
    return unix_ns(loop) / 1e9


def _clock_ns(loop: VirtualLoop, plain: Any, clock: int) -> int:
    return unix_ns(loop) if clock in _CALENDAR_CLOCKS else loop.now_ns


def _clock_s(loop: VirtualLoop, plain: Any, clock: int) -> float:
    return _clock_ns(loop, plain, clock) / 1e9


#: clock -> its answer in virtual time
_CLOCKS: dict[str, Callable[[VirtualLoop], float]] = {
    "time": _unix_s,
    "time_ns": unix_ns,
    **dict.fromkeys(("monotonic", "perf_counter", "process_time", "thread_time"), VirtualLoop.time),
    **dict.fromkeys(
        ("monotonic_ns", "perf_counter_ns", "process_time_ns", "thread_time_ns"),
        lambda loop: loop.now_ns,
    ),
}


def install_clocks() -> None:
    """Put the clocks in place; called once, by guards.install()."""
    for name, reading in _CLOCKS.items():
        answer(time, name, _read(reading))
    for name in ("localtime", "gmtime", "ctime", "asctime", "strftime", "mktime"):
        answer(time, name, globals()[f"_{name}"])
    answer(time, "clock_gettime", _clock_s)
    answer(time, "clock_gettime_ns", _clock_ns)
    answer(time, "clock_getres", lambda loop, plain, clock: _NS)
    answer(time, "get_clock_info", _clock_info)
    for name in ("clock_settime", "clock_settime_ns", "pthread_getcpuclockid", "tzset"):
        refuse(time, name, f"time.{name}()", _MACHINE)
    _install_zone()
    _install_datetime()
    _install_numpy_dates()
    _install_log_records()
    _install_archives()


def _read(reading: Callable[[VirtualLoop], float]) -> Callable[..., float]:
    return lambda loop, plain, *args: reading(loop)


# --- the module `time` ----------------------------------------------------------------------------


def _gmtime(loop: VirtualLoop, plain: Any, seconds: float | None = None) -> time.struct_time:
    return _real_gmtime(unix_ns(loop) // 10**9 if seconds is None else seconds)


_localtime = _gmtime


def _asctime(loop: VirtualLoop, plain: Any, moment: Any = None) -> str:
    return _real_asctime(_gmtime(loop, plain) if moment is None else moment)


def _ctime(loop: VirtualLoop, plain: Any, seconds: float | None = None) -> str:
    return _real_asctime(_gmtime(loop, plain, seconds))


def _strftime(loop: VirtualLoop, plain: Any, form: str, moment: Any = None) -> str:
    return str(plain(form, _gmtime(loop, plain) if moment is None else moment))


def _mktime(loop: VirtualLoop, plain: Any, moment: Any) -> float:
    return float(calendar.timegm(tuple(moment)))


def _clock_info(loop: VirtualLoop, plain: Any, name: str) -> SimpleNamespace:
    found = plain(name)  # refuses what is no clock
    found.implementation, found.resolution = "virtual time", _NS
    found.adjustable, found.monotonic = False, True
    return found  # type: ignore[no-any-return]


def _install_zone() -> None:
    """`time.tzname` and its like are values: a module can only compute one that it has not got."""
    real = {name: time.__dict__.pop(name) for name in _UTC}
    tzset = time.tzset

    def zone(name: str) -> Any:
        if name in _UTC:
            return real[name] if current() is None else _UTC[name]
        raise AttributeError(f"module 'time' has no attribute {name!r}")

    @functools.wraps(tzset)
    def set_zone() -> None:
        tzset()
        real.update({name: time.__dict__.pop(name) for name in _UTC if name in time.__dict__})

    time.__dict__["__getattr__"] = zone
    time.tzset = set_zone


# --- datetime, numpy ------------------------------------------------------------------------------


def _install_datetime() -> None:
    moment = datetime.datetime
    for name, owner, virtual in (
        ("now", moment, _now),
        ("utcnow", moment, _now),
        ("today", datetime.date, _now),
        ("fromtimestamp", moment, _from_timestamp),
    ):
        _exchange(moment, name, owner, virtual)
    _exchange(datetime.date, "today", datetime.date, _today)
    _exchange(datetime.date, "fromtimestamp", datetime.date, _date_from_timestamp)
    for name, naive in (("timestamp", _timestamp), ("astimezone", _as_zone)):
        exchange_method(moment, name, _method(moment.__dict__[name], naive))


def _exchange(kind: Any, name: str, owner: Any, virtual: Callable[..., Any]) -> None:
    """Exchange a class method of a type; `owner` is where it is inherited from."""
    plain = owner.__dict__[name]

    def exchanged(cls: Any, *args: Any, **kwargs: Any) -> Any:
        loop = current()
        if loop is None or _is_own(sys._getframe(1)):
            return plain.__get__(None, cls)(*args, **kwargs)
        return virtual(cls, loop, *args, **kwargs)

    exchanged.__name__, exchanged.__doc__ = name, plain.__doc__
    exchange_method(kind, name, classmethod(exchanged))


def _method(plain: Any, virtual: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def exchanged(self: Any, *args: Any, **kwargs: Any) -> Any:
        if current() is None or self.tzinfo is not None:
            return plain(self, *args, **kwargs)
        return virtual(self, *args, **kwargs)

    return exchanged


def _now(cls: Any, loop: VirtualLoop, tz: datetime.tzinfo | None = None) -> Any:
    whole_s, rest_ns = divmod(
        round(unix_ns(loop), -3), 10**9
    )  # exactly: floats end at 0.2 us by now
    moment = _from_timestamp(cls, loop, whole_s, tz)
    return moment.replace(microsecond=rest_ns // 1000)


def _from_timestamp(
    cls: Any, loop: VirtualLoop, timestamp: float, tz: datetime.tzinfo | None = None
) -> Any:
    moment = _plain_from_timestamp.__get__(None, cls)(timestamp, tz or datetime.UTC)
    return moment if tz is not None else moment.replace(tzinfo=None)


_plain_from_timestamp: Any = datetime.datetime.__dict__["fromtimestamp"]


def _today(cls: Any, loop: VirtualLoop) -> Any:
    return cls.fromordinal(_1970 + unix_ns(loop) // (86_400 * 10**9))


def _date_from_timestamp(cls: Any, loop: VirtualLoop, timestamp: float) -> Any:
    return cls(*_real_gmtime(timestamp)[:3])


def _timestamp(self: Any) -> float:
    return float(self.replace(tzinfo=datetime.UTC).timestamp())


def _as_zone(self: Any, tz: datetime.tzinfo | None = None) -> Any:
    return self.replace(tzinfo=datetime.UTC).astimezone(tz or datetime.UTC)


def _install_numpy_dates() -> None:
    """`numpy.datetime64("now")` reads the clock in C: another class stands for the type's name."""
    plain: Any = np.datetime64

    class AsPlain(type):
        def __instancecheck__(cls, item: object) -> bool:
            return isinstance(item, plain)

        def __subclasscheck__(cls, kind: type) -> bool:
            return issubclass(kind, plain)

        def __eq__(cls, other: object) -> bool:
            return other is cls or other is plain

        def __hash__(cls) -> int:
            return hash(plain)

    def new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        loop = current()
        word = args[0] if args else None
        if loop is not None and isinstance(word, str) and word.lower() in ("now", "today"):
            unit = args[1:] or ("s" if word.lower() == "now" else "D",)
            now_ns = unix_ns(loop)  # from 2262 on too many for 64 bits
            moment = plain(now_ns, "ns") if now_ns < 2**63 else plain(now_ns // 1000, "us")
            return plain(moment, *unit, **kwargs)
        return plain(*args, **kwargs)

    members = {"__new__": new, "__slots__": (), "__doc__": plain.__doc__, "__module__": "numpy"}
    np.datetime64 = AsPlain("datetime64", (plain,), members)  # type: ignore[assignment,misc]


# --- logging, archives ----------------------------------------------------------------------------


def _install_log_records() -> None:
    plain = logging.LogRecord.__init__

    @functools.wraps(plain)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        loop = current()
        if loop is not None:
            now_ns = unix_ns(loop)
            self.created, self.msecs = now_ns / 1e9, float(now_ns // 10**6 % 1000)
            self.relativeCreated = loop.now_ns / 1e6
            self.thread, self.threadName = 1, "MainThread"
            self.process, self.processName = 1, "MainProcess"

    logging.LogRecord.__init__ = made  # type: ignore[method-assign]


def _install_archives() -> None:
    plain = zipfile.ZipInfo.__init__

    @functools.wraps(plain)
    def made(
        self: Any, filename: str = "NoName", date_time: tuple[int, ...] = _FIRST_OF_ZIP
    ) -> None:
        if current() is not None:
            date_time = max(tuple(date_time), _FIRST_OF_ZIP)
        plain(self, filename, date_time)  # type: ignore[arg-type]

    zipfile.ZipInfo.__init__ = made  # type: ignore[method-assign]
