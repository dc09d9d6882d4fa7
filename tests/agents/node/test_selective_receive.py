"""`receive(where=...)`: a receiver takes what it asked for, and leaves the rest to others."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from qnetem.agents.agent import Agent

from ...physics.bench import attempt, play, program


class Numbered(msgspec.Struct):
    number: int


class Counts(Agent):
    """Sends the numbers 0 to 5, and something else."""

    async def run(self, peer: str) -> None:
        await self.send(peer, "no number at all")
        for number in range(6):
            await self.send(peer, Numbered(number))


class Picks(Agent):
    """Takes odd numbers in one task and even ones in another; then what is left."""

    async def run(self, peer: str, early: bool) -> list[Any]:
        if not early:
            await self.compute("1 ms")
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._three(parity)) for parity in (1, 0)]
        return [*(task.result() for task in tasks), (await self.receive(peer)).body]

    async def _three(self, parity: int) -> list[int]:
        return [await self._one(parity) for _ in range(3)]

    async def _one(self, parity: int) -> int:
        message = await self.receive(type=Numbered, where=lambda body: body.number % 2 == parity)
        number: int = message.body.number
        return number


class Errs(Agent):
    """Has a condition that raises."""

    async def run(self, peer: str) -> str:
        try:
            await self.receive(peer, where=lambda body: body["no such key"])
        except TypeError:
            first = await self.receive(peer)
            return str(first.body)
        return "no error"


class Cancels(Agent):
    """Gives up on a condition that nothing meets; nothing may be lost."""

    async def run(self, peer: str) -> int:
        try:
            async with asyncio.timeout(0.01):
                await self.receive(peer, where=lambda body: body == "never")
        except TimeoutError:
            pass
        messages = [await self.receive(peer) for _ in range(7)]
        return len(messages)


def received(kind: type[Agent], **options: bool) -> Any:
    given = "".join(f", {name}: {str(value).lower()}" for name, value in options.items())
    return play(f"""
nodes:
  alice: {{program: "{program(Counts)}", with: {{peer: bob}}}}
  bob: {{program: "{program(kind)}", with: {{peer: alice{given}}}}}
links:
  - {{between: [alice, bob], classical: {{latency: 1 us}}}}
""").results["bob"]


def test_each_receiver_gets_what_it_asked_for_in_the_order_of_coming() -> None:
    expected = [[1, 3, 5], [0, 2, 4], "no number at all"]
    assert received(Picks, early=True) == expected


def test_messages_that_have_come_already_are_looked_through_too() -> None:
    assert received(Picks, early=False) == received(Picks, early=True)


def test_a_condition_that_raises_raises_where_the_program_waits() -> None:
    assert received(Errs) == "no number at all"


def test_a_cancelled_receiver_with_a_condition_loses_nothing() -> None:
    assert received(Cancels) == 7


class Tidy(Agent):
    """A service that discards what it holds when it is dismissed, one after the other."""

    async def run(self) -> None:
        held = [await self.qubit() for _ in range(3)]
        try:
            await asyncio.Event().wait()
        finally:
            for qubit in held:
                await qubit.x()
                await qubit.discard()


class Brief(Agent):
    async def run(self) -> None:
        await self.compute("1 us")


class Endless(Agent):
    """A service that does not end when it is cancelled."""

    async def run(self) -> None:
        while True:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue


def services(kind: type[Agent]) -> str:
    return f"""
nodes:
  alice: {{program: "{program(Brief)}"}}
  tidy: {{program: "{program(kind)}", service: true}}
"""


def test_a_service_has_time_to_discard_all_it_holds_when_the_run_ends() -> None:
    ran = play(services(Tidy))
    assert ran.left_in_slots() == {}
    assert ran.outcome.nodes["tidy"].state == "finished"
    assert ran.outcome.t_ns == 1000


def test_a_service_that_will_not_end_does_not_keep_the_run_going() -> None:
    _, outcome = attempt(services(Endless))
    assert outcome.problem is None
    assert outcome.t_ns == 1000
