"""The watchdog of a run in one process: it ends a program that does not return.

Owns a ticking alarm (SIGALRM) that looks whether a network (or the replay of one node) is still in the call
of the node in which it was some ticks ago. It then reports where that node stands, and breaks the program
off. Between processes this is the emulator's watchdog; the verdict and its words are the same.

Rule: ticks are counted and no clock is read, because inside a step the clocks are virtual. There is no alarm
outside the main thread, which alone gets signals, nor on a system without it, nor where the process's only
alarm is in use already (by a test's timeout, which then breaks the program off).
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Protocol

from ..agents.guards.running_program import aside
from ..agents.node.node import Node
from ..agents.process.files import debugged
from ..agents.tracebacks import program_stack
from ..emulator.service.watchdog import silent_s

#: So many ticks in one call are too long.
_TICKS = 5


class Watched(Protocol):
    """What calls nodes. `inside`: the one that is being called; `calls`: how many there have been."""

    inside: Node | None
    calls: int

    def stalled(self, node: str, place: str) -> None:
        """The node does not return; `place` is where it stands."""


class _Watch:
    def __init__(self, network: Watched) -> None:
        self._network = network
        self._call, self._ticks = 0, 0

    @aside()
    def tick(self, number: int, current: FrameType | None) -> None:
        network = self._network
        node = network.inside
        if node is None or network.calls != self._call or debugged():
            self._call, self._ticks = network.calls, 0
            return
        self._ticks += 1
        if self._ticks >= _TICKS:
            place = f"{node.stacks()}the process is at:\n{program_stack(current)}"
            network.stalled(node.welcome.name, place)
            raise KeyboardInterrupt  # the one exception that every loop lets pass


def _alarm_is_free() -> bool:
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        return False
    return signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


@contextlib.contextmanager
def watched(network: Watched) -> Iterator[None]:
    """End the run by name when a node's program does not return for QNETEM_SILENT_S, in real time.

    Raises InputError when that variable cannot be read.
    """
    if not _alarm_is_free():
        yield
        return
    tick_s = silent_s(os.environ) / _TICKS
    before = signal.signal(signal.SIGALRM, _Watch(network).tick)
    signal.setitimer(signal.ITIMER_REAL, tick_s, tick_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
