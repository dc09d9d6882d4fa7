"""A time with its unit, given to asyncio: the error says what to write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.tracebacks import headline

from .. import harness


async def sleeps(me: Agent) -> None:
    await asyncio.sleep("3 ms")  # type: ignore[arg-type]


async def times_out(me: Agent) -> None:
    async with asyncio.timeout("20 us"):  # type: ignore[arg-type]
        await asyncio.sleep(1)


async def waits(me: Agent) -> None:
    await asyncio.wait_for(asyncio.get_running_loop().create_future(), "1 s")  # type: ignore[arg-type]


async def calls_later(me: Agent) -> None:
    asyncio.get_running_loop().call_later("2 ns", print)  # type: ignore[arg-type]


async def sleeps_in_a_group(me: Agent) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep("3 ms"))  # type: ignore[arg-type]


async def sleeps_for_a_word(me: Agent) -> None:
    await asyncio.sleep("long")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (sleeps, 'write asyncio.sleep(0.003), or `await self.compute("3 ms")`'),
        (times_out, "write asyncio.timeout(2e-05)"),
        (waits, "timeout=1)"),
        (calls_later, "write loop.call_later(2e-09)"),
        (sleeps_in_a_group, "write asyncio.sleep(0.003)"),
        (sleeps_for_a_word, "asyncio takes times in seconds, as numbers"),
    ],
)
def test_a_time_as_text_is_explained(program: Any, says: str) -> None:
    run = harness.run(harness.network({"alice": program}))
    assert run.problem.kind == "ProgramFailed"
    assert says in run.problem.text, run.problem.text


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(TypeError) as raised:
        int("3 ms", base="10")  # type: ignore[arg-type]
    assert headline(raised.value).count("asyncio") == 0
