"""What the far ends share: `with_PEER.py CASE OPTIONS` prints one number, operations a second.

Run with the interpreter of the peer's environment, so only the standard library is imported here.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Any

#: CPU time that a repeated operation is timed for, about.
_RUN_S = 0.2


def serve(cases: Mapping[str, Callable[..., float]]) -> None:
    """Do the case that the command line names, with its options, and print what it comes to."""
    case, options = sys.argv[1:3]
    print(cases[case](**json.loads(options)), flush=True)


def repeated(operation: Callable[[], Any]) -> float:
    """How many operations go into a second of CPU time."""
    count = 16
    while (took_s := _timed(operation, count)) < _RUN_S / 10:
        count *= 2
    count = max(1, int(count * _RUN_S / took_s))
    return count / _timed(operation, count)


def per_cpu_second(count_of: Callable[[], float]) -> float:
    """What a call comes to, for each second of CPU time that it takes."""
    began = time.process_time()
    count = count_of()
    took_s = time.process_time() - began
    if not count:
        raise SystemExit("it has done nothing")
    return count / took_s


def free_ports(count: int = 1) -> int:
    """The first of so many ports of this machine in a row that are free now."""
    while True:
        with ExitStack() as probes:
            first = 0
            with suppress(OSError, OverflowError):  # the next one is taken, or there is none
                for number in range(count):
                    probe = probes.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", first + number if first else 0))
                    first = first or int(probe.getsockname()[1])
                return first


def _timed(operation: Callable[[], Any], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        operation()
    return time.process_time() - began
