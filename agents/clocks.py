"""Wall clocks that answer virtual time to a program inside a step.

Owns the replacements of the `time` module's clocks and of `datetime.now`. Rule: inside a step a program
sees virtual time only, counted from 0 (so the calendar starts on 1 January 1970, UTC, whatever the
machine's time zone). The standard library's own calls keep the real clock (logging stamps its records),
and so does everybody outside a step.

Who calls is told by the calling module's name: a module of the standard library is not a program. A
program therefore must not be imported under such a name.

`datetime.datetime` cannot be replaced by a subclass: decoders and `type(x) is datetime` would no longer
know it. Its methods are exchanged in place instead, which CPython permits only through the type's own
dictionary and a word to its attribute cache.
"""

from __future__ import annotations

import ctypes
import datetime
import functools
import gc
import sys
import time
from asyncio import _get_running_loop
from collections.abc import Callable
from typing import Any

from .loop import VirtualLoop

_NS = 1e-9
_real_gmtime = time.gmtime

#: clock -> its answer in virtual time
_CLOCKS: dict[str, Callable[[VirtualLoop], float]] = {
    **dict.fromkeys(
        ("time", "monotonic", "perf_counter", "process_time", "thread_time"), VirtualLoop.time
    ),
    **dict.fromkeys(
        ("time_ns", "monotonic_ns", "perf_counter_ns", "process_time_ns", "thread_time_ns"),
        lambda loop: loop.now_ns,
    ),
}

#: function that reads the clock when called without a time -> how many arguments come before the time
_CALENDAR = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}


def install_clocks() -> None:
    """Put the clocks in place; called once, by guards.install()."""
    for name, answer in _CLOCKS.items():
        if hasattr(time, name):
            setattr(time, name, _clock(getattr(time, name), answer))
    for name in ("clock_gettime", "clock_gettime_ns"):
        if hasattr(time, name):
            answer = _CLOCKS["time_ns" if name.endswith("_ns") else "time"]
            setattr(time, name, _clock(getattr(time, name), answer))
    for name, before in _CALENDAR.items():
        setattr(time, name, _calendar(name, getattr(time, name), before))
    _exchange(datetime.datetime, "now", _now)
    _exchange(datetime.datetime, "utcnow", _now)
    _exchange(datetime.datetime, "today", _now, owner=datetime.date)
    _exchange(datetime.date, "today", _today)


def _virtual_loop() -> VirtualLoop | None:
    """The loop whose time the caller's caller is to see; None for the real clock.

    Outside a step the answer comes first: the ordinary loop asks for the time at every turn.
    """
    loop = _get_running_loop()
    if not isinstance(loop, VirtualLoop):
        return None
    module: str = sys._getframe(2).f_globals.get("__name__", "")
    return None if module.partition(".")[0] in sys.stdlib_module_names else loop


def _clock(plain: Callable[..., Any], answer: Callable[[VirtualLoop], float]) -> Callable[..., Any]:
    @functools.wraps(plain)
    def clock(*args: Any) -> Any:
        loop = _virtual_loop()
        return plain(*args) if loop is None else answer(loop)

    return clock


def _calendar(name: str, plain: Callable[..., Any], before: int) -> Callable[..., Any]:
    @functools.wraps(plain)
    def calendar(*args: Any) -> Any:
        if len(args) > before and args[before] is not None:
            return plain(*args)
        loop = _virtual_loop()
        if loop is None:
            return plain(*args)
        now = _real_gmtime(loop.now_ns // 10**9)
        if name in ("localtime", "gmtime"):
            return now
        return time.asctime(now) if name == "ctime" else plain(*args[:before], now)

    return calendar


def _now(cls: Any, loop: VirtualLoop, tz: datetime.tzinfo | None = None) -> Any:
    moment = cls.fromtimestamp(loop.now_ns * _NS, tz or datetime.UTC)
    return moment if tz is not None else moment.replace(tzinfo=None)


def _today(cls: Any, loop: VirtualLoop) -> Any:
    return cls.fromordinal(datetime.date(1970, 1, 1).toordinal() + loop.now_ns // (86_400 * 10**9))


def _exchange(kind: Any, name: str, answer: Callable[..., Any], owner: Any = None) -> None:
    """Exchange a class method of a datetime type in place; `owner` is where it is inherited from."""
    plain = (owner or kind).__dict__[name]

    def exchanged(cls: Any, *args: Any, **kwargs: Any) -> Any:
        loop = _virtual_loop()
        if loop is None:
            return plain.__get__(None, cls)(*args, **kwargs)
        return answer(cls, loop, *args, **kwargs)

    exchanged.__name__, exchanged.__doc__ = name, plain.__doc__
    members: dict[str, Any] = gc.get_referents(kind.__dict__)[0]
    members[name] = classmethod(exchanged)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
