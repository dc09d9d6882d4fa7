"""Programs whose results and records cannot be written, or only just."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import math
from typing import Any

import msgspec
import numpy as np

from qnetem import Agent

from .failing import NoClass, NoText
from .table import table

GROUPS, deed = table()

# --- returning ------------------------------------------------------------------------------------


class Level(enum.IntEnum):
    HUGE = 10**40


class Text(str):
    __slots__ = ()


@dataclasses.dataclass
class Record:
    value: int


@deed("return")
async def thirty_megabytes(me: Agent) -> Any:
    return {"text": "x" * 30_000_000}


@deed("return")
async def circle(me: Agent) -> Any:
    found: list[Any] = []
    found.append(found)
    return found


@deed("return")
async def deep(me: Agent) -> Any:
    found: Any = 1
    for _ in range(100_000):
        found = [found]
    return found


@deed("return")
async def huge_integer(me: Agent) -> Any:
    return {"n": 10**10_000}


@deed("return")
async def huge_member(me: Agent) -> Any:
    return Level.HUGE


@deed("return")
async def surrogate_key(me: Agent) -> Any:
    return {"\udc80": 1}


@deed("return")
async def numpy_array(me: Agent) -> Any:
    return [np.float64(1), np.zeros(3)]


@deed("return")
async def odd_keys(me: Agent) -> Any:
    return {1: "a", "1": "b", NoText: "c"}


@deed("return")
async def escapes(me: Agent) -> Any:
    return {"\x1b[31m\n": "\x1b]0;title\x07\u202eabc\x9b\x7f", "": -0.0}


@deed("return")
async def objects(me: Agent) -> Any:
    return [Record(1), decimal.Decimal(1), {1}, b"x", (x for x in "ab"), Text("t"), NoClass()]


# --- recording ------------------------------------------------------------------------------------


@deed("record")
async def overflowing(me: Agent) -> None:
    for value in (1e308, -1e308, 1.7e308, -1.7e308, 5e-324):
        me.record("x", value)


@deed("record")
async def surrogate_name(me: Agent) -> None:
    me.record("\udc80", 1)


@deed("record")
async def odd_names(me: Agent) -> None:
    for name in ("", ".", "a.b", "\n", "\x1b[31m", "\u202e", "x" * 256):
        me.record(name, 1)


@deed("record")
async def long_name(me: Agent) -> None:
    me.record("x" * 10_000_000, 1)


@deed("record")
async def many_names(me: Agent) -> None:
    for number in range(20_000):
        me.record(f"x{number}", number)


@deed("record")
async def many_megabytes(me: Agent) -> None:
    for _ in range(100):
        me.record("text", "x" * 1_000_000)


@deed("record")
async def not_a_number(me: Agent) -> None:
    me.record("x", math.nan)


@deed("record")
async def name_is_an_object(me: Any) -> None:
    me.record(NoText(), 1)


@deed("record")
async def struct_that_raises(me: Agent) -> None:
    class Bad(msgspec.Struct):
        x: int

        def __getattribute__(self, name: str) -> Any:
            raise NoText

    me.record("x", Bad(1))


@deed("record")
async def probe_of_nothing(me: Agent) -> None:
    await me.probe("\udc80", await me.qubit(), [math.nan, 1])
