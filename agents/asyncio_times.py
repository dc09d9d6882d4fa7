"""What to write where asyncio was given a time with its unit: it takes seconds, as numbers.

Owns the hint that the error of `asyncio.sleep("3 ms")` gets. Rule: it looks only at an error that is reported
anyway; asyncio itself stays as it is.
"""

from __future__ import annotations

import asyncio
import os

from ..emulator.errors import UnitError
from ..emulator.units import parse_ns

_ASYNCIO = os.path.dirname(os.path.abspath(asyncio.__file__)) + os.sep
_LOOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "loop", "virtual_loop.py")
#: Functions that take a time -> what their argument is called.
_TAKES = {
    "sleep": "delay",
    "timeout": "delay",
    "timeout_at": "when",
    "wait_for": "timeout",
    "wait": "timeout",
    "call_later": "delay",
    "call_at": "when",
}


def time_hint(error: BaseException) -> str:
    """`: asyncio takes seconds ...` if a time as text made asyncio fail; else ""."""
    if type(error) is not TypeError:
        return ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(_ASYNCIO) or code.co_filename == _LOOP:
            given = trace.tb_frame.f_locals.get(_TAKES.get(code.co_name, ""))
            if isinstance(given, str):
                return _hint(code.co_name, given)
        trace = trace.tb_next
    return ""


def _hint(function: str, given: str) -> str:
    try:
        seconds = f"{parse_ns(given) / 1e9:g}"
    except UnitError:
        return ": asyncio takes times in seconds, as numbers"
    if function in ("wait_for", "wait"):
        return (
            f": asyncio takes seconds as a number: write asyncio.{function}(..., timeout={seconds})"
        )
    owner = "loop" if function.startswith("call_") else "asyncio"
    compute = f', or `await self.compute("{given}")`' if function == "sleep" else ""
    return f": asyncio takes seconds as a number: write {owner}.{function}({seconds}){compute}"
