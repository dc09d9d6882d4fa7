"""What a program sees of the machine it runs on: nothing that another machine or run would not show.

Owns the answers: process and thread are number 1, the host is called like the node, the environment is
the one that is fixed, folders list their names in order, files have no dates. Does not own clocks.

Rule: what has a value that is the same everywhere is answered; what only measures the machine is refused.

Limits: the working directory and the numbers of inodes are real, because paths and `samefile` need them; so
are `sys.argv`, `sys.path` and the versions of Python and of libraries.
"""

from __future__ import annotations

import gc
import os
import platform
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

from ...emulator.fixed_environment import FIXED_ENVIRONMENT
from ..loop.virtual_loop import VirtualLoop
from .patches import answer, answer_of_machine, program_at, refusal, refuse
from .running_program import current

_MACHINE = "it says something of the machine, which differs from run to run"
_WITH = "give a program its parameters by `with`, not by the environment"
_MEMORY = "what the interpreter has in memory differs from run to run"
_SLEEP = "use `await asyncio.sleep(...)`, which waits in virtual time"
_SIGNALS = "signals come in real time; use `await asyncio.sleep(...)` and tasks"

#: function of `os` that is refused -> what to use instead
_OF_OS = {
    **dict.fromkeys(
        (
            "getloadavg", "sysconf", "getlogin", "getuid", "geteuid", "getgid", "getegid",
            "getgroups", "getresuid", "getresgid", "getpgid", "getpgrp", "getsid", "getpriority",
            "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
            "statvfs", "fstatvfs", "ttyname", "ctermid",
        ),
        _MACHINE,
    ),
    **dict.fromkeys(("putenv", "unsetenv"), _WITH),
    **dict.fromkeys(("wait", "wait3", "wait4", "waitid", "waitpid"), _MACHINE),
}  # fmt: skip

_OF_SIGNAL = (
    "alarm", "setitimer", "getitimer", "pause", "signal", "siginterrupt", "sigwait", "sigwaitinfo",
    "sigtimedwait", "sigpending", "pthread_kill", "pthread_sigmask", "raise_signal", "set_wakeup_fd",
)  # fmt: skip

#: function of `platform` -> what a program gets: "" is what it says itself where it does not know.
_OF_PLATFORM: dict[str, Any] = {
    "system": "Linux",
    "platform": "Linux",
    **dict.fromkeys(("release", "version", "machine", "processor"), ""),
    "architecture": ("", ""),
    "libc_ver": ("", ""),
}


def install_machine() -> None:
    """Put the answers in place; called once, by guards.install()."""
    _install_identity()
    _install_platform()
    _install_environment()
    _install_files()
    for name, instead in _OF_OS.items():
        refuse(os, name, f"os.{name}()", instead)
    for module in (signal, sys.modules["_signal"]):  # some of the one call the other
        for name in _OF_SIGNAL:
            refuse(module, name, f"signal.{name}()", _SIGNALS)
    for name in ("get_count", "get_stats", "get_objects", "get_referrers"):
        refuse(gc, name, f"gc.{name}()", _MEMORY)
    for name in ("getallocatedblocks", "_debugmallocstats", "setswitchinterval"):
        refuse(sys, name, f"sys.{name}()", _MEMORY)
    _install_more()


def _install_more() -> None:
    import faulthandler
    import select

    for name in ("dump_traceback_later", "register", "enable"):
        refuse(faulthandler, name, f"faulthandler.{name}()", _SIGNALS)
    for name in ("select", "poll"):
        refuse(select, name, f"select.{name}()", _SLEEP)
    try:
        import resource
    except ImportError:  # a platform without it
        return
    for name in ("getrusage", "getrlimit", "setrlimit", "prlimit"):
        refuse(resource, name, f"resource.{name}()", _MACHINE)


# --- who and where --------------------------------------------------------------------------------


def _install_identity() -> None:
    for name, value in (("getpid", 1), ("getppid", 0)):
        answer(os, name, _constant(value))
    for name in ("get_ident", "get_native_id"):
        answer(threading, name, _constant(1))
    for name in ("ident", "native_id"):
        _install_thread_number(name)
    answer_of_machine(os, "cpu_count", _constant(1))
    answer_of_machine(os, "process_cpu_count", _constant(1))
    answer_of_machine(os, "times", _times)
    answer_of_machine(os, "get_terminal_size", _no_terminal)
    for name in ("gethostname", "getfqdn"):
        answer_of_machine(socket, name, lambda loop, plain, *args: loop.name)


def _constant(value: Any) -> Any:
    return lambda loop, plain, *args, **kwargs: value


def _times(loop: VirtualLoop, plain: Any) -> Any:
    return os.times_result((loop.time(), 0.0, 0.0, 0.0, loop.time()))


def _no_terminal(loop: VirtualLoop, plain: Any, *args: Any) -> Any:
    raise OSError(25, "a program has no terminal")


def _install_thread_number(name: str) -> None:
    plain: Any = threading.Thread.__dict__[name]

    def number(self: threading.Thread) -> Any:
        own = program_at(sys._getframe(1)) is None
        return plain.fget(self) if own else 1

    setattr(threading.Thread, name, property(number, doc=plain.__doc__))


def _install_platform() -> None:
    for name, value in _OF_PLATFORM.items():
        answer_of_machine(platform, name, _constant(value))
    answer_of_machine(platform, "node", lambda loop, plain: loop.name)
    answer_of_machine(platform, "uname", _uname)
    for name in ("mac_ver", "win32_ver", "java_ver", "freedesktop_os_release", "android_ver"):
        refuse(platform, name, f"platform.{name}()", _MACHINE)
    answer_of_machine(
        os, "uname", lambda loop, plain: os.uname_result(("Linux", loop.name, "", "", ""))
    )


def _uname(loop: VirtualLoop, plain: Any) -> Any:
    found: Any = platform.uname_result("Linux", loop.name, "", "", "")
    found.__dict__["processor"] = ""  # else it starts a tool to find out
    return found


# --- the environment ------------------------------------------------------------------------------


def _install_environment() -> None:
    kind: Any = type(os.environ)
    for name, virtual in (
        ("__getitem__", lambda shown, key: shown[key]),
        ("__iter__", iter),
        ("__len__", len),
        ("__repr__", lambda shown: f"environ({shown!r})"),
        ("__setitem__", _refuse_environment),
        ("__delitem__", _refuse_environment),
    ):
        setattr(kind, name, _of_environment(kind.__dict__[name], virtual))


def _of_environment(plain: Any, virtual: Any) -> Any:
    def method(self: Any, *args: Any) -> Any:
        if current() is None or program_at(sys._getframe(1)) is None:
            return plain(self, *args)
        return virtual(_shown(self), *args)

    return method


def _shown(environment: Any) -> dict[Any, Any]:
    if environment is os.environ:
        return FIXED_ENVIRONMENT
    return {key.encode(): value.encode() for key, value in FIXED_ENVIRONMENT.items()}


def _refuse_environment(shown: Any, *args: Any) -> None:
    raise refusal("changing os.environ", _WITH)


# --- files ----------------------------------------------------------------------------------------


def _install_files() -> None:
    for name in ("stat", "lstat", "fstat"):
        answer_of_machine(os, name, _status)
    answer_of_machine(os, "listdir", lambda loop, plain, *args: sorted(plain(*args)))
    answer_of_machine(os, "scandir", lambda loop, plain, *args: _Entries(plain(*args)))


def _status(loop: VirtualLoop, plain: Any, *args: Any, **kwargs: Any) -> os.stat_result:
    return _dateless(plain(*args, **kwargs))


def _dateless(status: os.stat_result) -> os.stat_result:
    kept = status.st_mode, status.st_ino, status.st_dev, 1, 0, 0, status.st_size
    return os.stat_result(kept + (0,) * (status.n_fields - len(kept)))


class _Entries:
    """What `os.scandir` gives, in the order of names."""

    def __init__(self, entries: Any) -> None:
        with entries:
            self._left = iter(sorted((_Entry(entry) for entry in entries), key=_name_of))

    def __iter__(self) -> Iterator[_Entry]:
        return self._left

    def __next__(self) -> _Entry:
        return next(self._left)

    def __enter__(self) -> _Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open."""


class _Entry(os.PathLike[Any]):
    """An entry whose status has no dates."""

    def __init__(self, entry: os.DirEntry[Any]) -> None:
        self._entry = entry
        self.name, self.path = entry.name, entry.path
        self.is_dir, self.is_file = entry.is_dir, entry.is_file
        self.is_symlink, self.inode = entry.is_symlink, entry.inode

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return repr(self._entry)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """As of `os.DirEntry`, without dates."""
        return _dateless(self._entry.stat(follow_symlinks=follow_symlinks))


def _name_of(entry: _Entry) -> Any:
    return entry.name
