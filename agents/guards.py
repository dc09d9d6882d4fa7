"""What a program may not call while its loop is being stepped: everything that two runs would not repeat.

Owns the list of such calls and `install()`. Wall clocks are clocks.py's business; they are not refused but
answer virtual time. Owns no state about steps: a step is in progress on a thread exactly when the thread's
running loop is a VirtualLoop, so guards are active there and then, and on no other thread. Everywhere else
each patched function passes straight through.

Two means. Interpreter audit events catch what reaches the operating system (sockets, processes, threads),
however it is called. Randomness raises no event, so the functions themselves are replaced.

Rule: a refusal names the call and what to use instead.

Limits: a name bound before `install()` (`from random import random` in a module imported earlier) still
leads to the unguarded function; programs are imported after it. Objects seeded from the operating system
outside a step, such as a module-level `random.Random()`, are not recognised, nor is
`numpy.random.mtrand._rand`, which some of SciPy draws from. Nothing here is a sandbox: it catches mistakes.
"""

from __future__ import annotations

import asyncio
import asyncio.events
import concurrent.futures
import functools
import os
import random  # noqa: TID251 guarded here
import secrets  # noqa: TID251 guarded here
import socket
import sys
import threading
import time
import uuid  # noqa: TID251 guarded here
from asyncio import _get_running_loop
from typing import Any

from ..emulator.errors import Refused
from .clocks import install_clocks
from .loop import VirtualLoop

_TALK = "nodes talk with self.send() and self.receive()"
_COMPUTE = "charge virtual time with self.compute(), and call the function directly"
_SLEEP = "use `await asyncio.sleep(...)`, which waits in virtual time"
_OUTSIDE = "outside input enters through self.outside(), with `time: {mode: real}`"
_RNG = "draw from self.rng, the node's own generator"
_SEED = "give it a seed drawn from self.rng"

#: audit event -> (what the program called, what to use instead)
_EVENTS = {
    "socket.__new__": ("socket.socket()", _TALK),
    "socket.connect": ("socket.connect()", _TALK),
    "socket.bind": ("socket.bind()", _TALK),
    "socket.sendto": ("socket.sendto()", _TALK),
    "socket.getaddrinfo": ("socket.getaddrinfo()", _TALK),
    "socket.gethostbyname": ("socket.gethostbyname()", _TALK),
    "socket.gethostbyaddr": ("socket.gethostbyaddr()", _TALK),
    "subprocess.Popen": ("subprocess.Popen()", _OUTSIDE),
    "os.system": ("os.system()", _OUTSIDE),
    "os.fork": ("os.fork()", _OUTSIDE),
    "os.forkpty": ("os.forkpty()", _OUTSIDE),
    "os.posix_spawn": ("os.posix_spawn()", _OUTSIDE),
    "os.exec": ("os.exec*()", _OUTSIDE),
    "_thread.start_new_thread": ("_thread.start_new_thread()", _COMPUTE),
    "_thread.start_joinable_thread": ("_thread.start_joinable_thread()", _COMPUTE),
    "time.sleep": ("time.sleep()", _SLEEP),
    "builtins.input": ("input()", _OUTSIDE),
}


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
    _guard_standard_random()
    _guard_numpy_random()
    install_clocks()


def in_step() -> bool:
    """Whether this thread is inside a step of a VirtualLoop."""
    return isinstance(_get_running_loop(), VirtualLoop)


def _audit(event: str, _args: tuple[Any, ...]) -> None:
    if event in _EVENTS and in_step():
        raise _refusal(*_EVENTS[event])


def _refusal(call: str, instead: str) -> Refused:
    return Refused(f"{call} is not possible inside a program: {instead}", call=call)


def _guard(owner: Any, name: str, call: str, instead: str) -> None:
    """Replace `owner.name` by a function that refuses inside a step."""
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if in_step():
            raise _refusal(call, instead)
        return plain(*args, **kwargs)

    setattr(owner, name, guarded)


def _guard_operating_system() -> None:
    # A pool that got its threads outside of steps starts none, so raises no event.
    pool = concurrent.futures.ThreadPoolExecutor
    _guard(pool, "submit", "ThreadPoolExecutor.submit()", _COMPUTE)
    # It makes two sockets before it raises an event; and a second loop would leave its selector open.
    _guard(socket, "socketpair", "socket.socketpair()", _TALK)
    for module in (asyncio, asyncio.events):
        _guard(
            module, "new_event_loop", "asyncio.new_event_loop()", "the node has its loop already"
        )
    # These two raise no event before 3.12.
    _guard(threading.Thread, "start", "threading.Thread().start()", _COMPUTE)
    _guard(time, "sleep", "time.sleep()", _SLEEP)
    for name in ("urandom", "getrandom"):
        if hasattr(os, name):
            _guard(os, name, f"os.{name}()", _RNG)
    for name in ("uuid1", "uuid4", "uuid6", "uuid7", "uuid8"):
        if hasattr(uuid, name):
            _guard(uuid, name, f"uuid.{name}()", "name things by a counter, or draw from self.rng")


def _guard_standard_random() -> None:
    for name in ("choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"):
        _guard(secrets, name, f"secrets.{name}()", _RNG)
    for name in ("random", "getrandbits", "randbytes"):
        _guard(random.SystemRandom, name, f"random.SystemRandom().{name}()", _RNG)
    for name in random.__all__:
        function = getattr(random, name)
        if isinstance(getattr(function, "__self__", None), random.Random):
            _guard(random, name, f"random.{name}()", _RNG)
    _guard_unseeded(random.Random, "seed", "random.Random()")


def _guard_unseeded(owner: Any, name: str, call: str) -> None:
    """Replace the method `owner.name` by one that refuses, inside a step, to go without a seed."""
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def guarded(self: Any, a: Any = None, *args: Any, **kwargs: Any) -> Any:
        if a is None and in_step():
            raise _refusal(f"{call} without a seed", _SEED)
        return plain(self, a, *args, **kwargs)

    setattr(owner, name, guarded)


def _guard_numpy_random() -> None:
    import numpy.random

    for name in dir(numpy.random):
        owner = getattr(getattr(numpy.random, name), "__self__", None)
        if isinstance(owner, numpy.random.RandomState) or name in ("seed", "ranf", "sample"):
            _guard(numpy.random, name, f"numpy.random.{name}()", _RNG)
    # Everything in numpy that is not given a seed asks for its entropy here: default_rng, SeedSequence,
    # the bit generators, RandomState.
    unseeded: Any = numpy.random.bit_generator
    _guard(unseeded, "randbits", "a numpy.random generator without a seed", _SEED)
