"""Programs that send and print what they must not, or much of it."""

from __future__ import annotations

import asyncio
import math
import sys
from typing import Any

from qnetem import Agent
from qnetem.agents.qubits import Qubit

from .failing import NoText
from .table import table

GROUPS, deed = table()

# --- sending --------------------------------------------------------------------------------------


@deed("send")
async def surrogate_kind(me: Agent) -> None:
    await me.send("honest", kind="\udc80")


@deed("send")
async def twenty_megabytes(me: Agent) -> None:
    await me.send("honest", "x" * 20_000_000)


@deed("send")
async def to_a_list(me: Any) -> None:
    await me.send(["honest"], 1)


@deed("send")
async def to_a_stranger(me: Agent) -> None:
    await me.send("\x1b[31m\n", 1)


@deed("send")
async def a_flood(me: Agent) -> None:
    for _ in range(1_000_000):
        await me.send(me.name, 1, kind="flood" * 50)


@deed("send")
async def unread_kinds(me: Agent) -> None:
    for number in range(300):
        await me.send(me.name, 1, kind=f"\x1b{number}")
    await asyncio.sleep(1)


@deed("send")
async def angle_is_no_number(me: Agent) -> None:
    await (await me.qubit()).rx(math.nan)


@deed("send")
async def a_qubit_it_has_not(me: Any) -> None:
    await Qubit(me._node, "\udc80").x()


@deed("send")
async def sleeps_for_ever(me: Agent) -> None:
    async with asyncio.timeout(1):
        await asyncio.sleep(1e300)


@deed("send")
async def sleeps_no_number(me: Agent) -> None:
    await asyncio.sleep(math.nan)


# --- printing -------------------------------------------------------------------------------------


@deed("print")
async def without_end(me: Agent) -> None:
    sys.stdout.write("x" * 3_000_000)


@deed("print")
async def binary(me: Agent) -> None:
    sys.stdout.buffer.write(bytes(range(256)) * 100)


@deed("print")
async def print_surrogates(me: Agent) -> None:
    print("\udc80 \x1b[31m")
    me.log.warning("\udc80 \x1b[31m")


@deed("print")
async def closes_stdout(me: Agent) -> None:
    sys.stdout.close()
    await asyncio.sleep(1)
    print("still here?")


@deed("print")
async def replaces_stdout(me: Any) -> None:
    sys.stdout = None  # type: ignore[assignment]
    await asyncio.sleep(1)


@deed("print")
async def logs_wrongly(me: Agent) -> None:
    me.log.setLevel("NONSENSE")


@deed("print")
async def many_lines(me: Agent) -> None:
    for number in range(20_000):
        print(number)


@deed("print")
async def repr_raises(me: Agent) -> None:
    print(NoText())


@deed("print")
async def log_of_another(me: Any) -> None:
    me.log = None
    me.log.info("x")


@deed("print")
async def prints_and_fails(me: Agent) -> None:
    print("x" * 100_000, end="")
    raise ValueError("after it")
