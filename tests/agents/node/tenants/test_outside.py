"""A service may be open to the outside beside its program, and the run is then stuck in neither way."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qnetem import Agent, Service, offered
from qnetem.emulator.topology.model.topology import ServiceSpec
from qnetem.emulator.wire import Input, RecordedInput
from qnetem.inprocess.network import InProcessNetwork

from .... import harness

MS = 1_000_000
#: More than a run takes for quiet before it looks whether it is stuck.
MANY = 1_200


async def half(inside: Any) -> None:
    """It never runs: the tests are replays."""


class Door(Service):
    """It adds what comes from outside, and raises where it is no number."""

    async def run(self) -> None:
        self.total = 0
        async with self.outside(half) as requests:
            async for request in requests:
                self.total += request.body
                request.reply(self.total)

    @offered
    async def reached(self, goal: int) -> int:
        while self.total < goal:
            await self.compute("1 ms")
        return self.total


async def waits(me: Agent) -> Any:
    return await me.services.door.reached(MANY)


async def listens(me: Agent) -> Any:
    """It is stuck as far as anything inside can tell: only a client could do something."""
    return (await me.receive()).body


async def returns(me: Agent) -> str:
    return "at once"


def fed(program: harness.Script, *inputs: Any, **settings: Any) -> Any:
    spec = ServiceSpec(program=f"{__name__}:{Door.__name__}")
    node = harness.node("a", program, services={"door": spec})
    feed = [
        RecordedInput(
            (number + 1) * MS, "a", 1, Input(1, number + 1, "json", msgspec.json.encode(body))
        )
        for number, body in enumerate(inputs)
    ]
    topology = harness.network({"a": node, "b": harness.node("b", harness.idle)}, **settings)
    return InProcessNetwork(topology, inputs=feed).run()


def test_a_service_serves_the_outside_and_its_program_asks_it() -> None:
    outcome = fed(waits, *[1] * MANY)
    assert outcome.problem is None and outcome.results["a"] == MANY
    assert outcome.digest == fed(waits, *[1] * MANY).digest


def test_a_program_beside_it_that_waits_is_not_stuck_before_until() -> None:
    outcome = fed(listens, *[1] * MANY, until_ns=2 * MANY * MS)
    assert outcome.problem is None and outcome.t_ns == 2 * MANY * MS


def test_a_service_that_fails_on_a_request_is_named() -> None:
    outcome = fed(waits, 1, "x")
    assert outcome.problem is not None and outcome.problem.service == "door"
    assert "TypeError" in outcome.problem.text


@pytest.mark.parametrize("requests", [0, 3])
def test_it_is_closed_with_the_run(requests: int) -> None:
    outcome = fed(returns, *[1] * requests)
    assert outcome.problem is None and outcome.results["a"] == "at once"
