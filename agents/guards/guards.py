"""What a program may not call, in a step and while it is imported: everything that two runs would not repeat.

Owns `install()`, and the calls that reach out of the process. What a program may see instead of the real
thing is decided beside: clocks.py, randomness.py, machine.py. Owns no state about programs:
running_program.py says whether one runs on this thread. Everywhere else each exchanged function passes
straight through.

The rule is an allow-list: of time, entropy, identity and the machine a program sees what docs/programs.md
lists; anything else that could differ is refused, by the name of the call and with what to use instead.

Two means. Interpreter audit events catch what reaches the operating system (sockets, processes, threads,
files), however it is called. What raises no event is replaced by patches.py. Nothing here is a sandbox, and
calls by ctypes, or in a library's own C, cannot be seen: it catches mistakes.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import concurrent.futures
import os
import socket
import sys
import threading
import time
from typing import Any

from .clocks import install_clocks
from .machine import install_machine
from .patches import exchange_names, refusal, refuse
from .randomness import install_randomness
from .running_program import current, guarded

_TALK = "nodes talk with self.send() and self.receive()"
_COMPUTE = "charge virtual time with self.compute(), and call the function directly"
_SLEEP = "use `await asyncio.sleep(...)`, which waits in virtual time"
_OUTSIDE = "outside input enters through self.outside(), with `time: {mode: real}`"
_FILES = "a program may read ordinary files, such as data beside it"

#: audit event -> (what the program called, what to use instead)
_EVENTS = {
    "socket.__new__": ("socket.socket()", _TALK),
    "socket.connect": ("socket.connect()", _TALK),
    "socket.bind": ("socket.bind()", _TALK),
    "socket.sendto": ("socket.sendto()", _TALK),
    "socket.getaddrinfo": ("socket.getaddrinfo()", _TALK),
    "socket.getnameinfo": ("socket.getnameinfo()", _TALK),
    "socket.gethostbyname": ("socket.gethostbyname()", _TALK),
    "socket.gethostbyaddr": ("socket.gethostbyaddr()", _TALK),
    "socket.sethostname": ("socket.sethostname()", _TALK),
    "subprocess.Popen": ("subprocess.Popen()", _OUTSIDE),
    "os.system": ("os.system()", _OUTSIDE),
    "os.fork": ("os.fork()", _OUTSIDE),
    "os.forkpty": ("os.forkpty()", _OUTSIDE),
    "os.posix_spawn": ("os.posix_spawn()", _OUTSIDE),
    "os.spawn": ("os.spawn*()", _OUTSIDE),
    "os.exec": ("os.exec*()", _OUTSIDE),
    "os.kill": ("os.kill()", _OUTSIDE),
    "os.killpg": ("os.killpg()", _OUTSIDE),
    "_thread.start_new_thread": ("_thread.start_new_thread()", _COMPUTE),
    "_thread.start_joinable_thread": ("_thread.start_joinable_thread()", _COMPUTE),
    "time.sleep": ("time.sleep()", _SLEEP),
    "builtins.input": ("input()", _OUTSIDE),
}
#: Where files are the machine's, not data; but for what is always empty, and for files in memory.
_MACHINE_FOLDERS = ("/dev/", "/proc/", "/sys/")
_ORDINARY = ("/dev/null", "/dev/shm/")


class _Installed:
    done = False


def install() -> None:
    """Put the guards in place, once per process; later calls do nothing.

    Imports numpy, so that its generators are covered whenever a program imports them.
    """
    if _Installed.done:
        return
    _Installed.done = True
    sys.addaudithook(_audit)
    _guard_operating_system()
    install_randomness()
    install_machine()
    install_clocks()
    exchange_names()


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        if current() is not None and guarded(sys._getframe(1)) is not None:
            raise refusal(*_EVENTS[event])
    elif event == "open" and current() is not None:
        _refuse_machine_file(args[0])


def _refuse_machine_file(file: Any) -> None:
    """A device or a file of the kernel is not data. Raises Refused."""
    if not isinstance(file, (str, bytes, os.PathLike)):
        return
    path = os.path.realpath(os.fsdecode(file))
    is_machine = path.startswith(_MACHINE_FOLDERS) and not path.startswith(_ORDINARY)
    if is_machine and guarded(sys._getframe(2)) is not None:
        raise refusal(f"open({path!r})", _FILES)


def _guard_operating_system() -> None:
    # A pool that got its threads outside of steps starts none, so raises no event.
    pool = concurrent.futures.ThreadPoolExecutor
    refuse(pool, "submit", "ThreadPoolExecutor.submit()", _COMPUTE)
    # It makes two sockets before it raises an event; and a second loop would leave its selector open.
    refuse(socket, "socketpair", "socket.socketpair()", _TALK)
    refuse(socket, "if_nameindex", "socket.if_nameindex()", _TALK)
    for module in (asyncio, asyncio.events):
        refuse(
            module, "new_event_loop", "asyncio.new_event_loop()", "the node has its loop already"
        )
    # These two raise no event before 3.12.
    refuse(threading.Thread, "start", "threading.Thread().start()", _COMPUTE)
    refuse(time, "sleep", "time.sleep()", _SLEEP)
    # How multiprocessing starts a process without a fork of its own.
    import _posixsubprocess

    refuse(_posixsubprocess, "fork_exec", "multiprocessing.Process().start()", _OUTSIDE)
