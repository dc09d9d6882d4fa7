"""Programs that end the process they run in."""

from __future__ import annotations

import ctypes
import os
import signal

from qnetem import Agent

from .table import table

GROUPS, deed = table()


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
