"""Services for tests, and the nodes that have them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from qnetem import Seconds, Service, offered
from qnetem.agents.qubits import Pair
from qnetem.emulator.topology.model.topology import NodeSpec, ServiceSpec

from .... import harness


class Ticker(Service):
    """Counts, and tells the ticker of `peer` each time."""

    async def run(self, period: Seconds = 0.01, peer: str = "", fails_at: int = 0) -> None:
        self.ticks = 0
        self.heard: list[Any] = []
        if peer:
            self.hearing = asyncio.create_task(self.hear(), name="hearing")
        while True:
            await asyncio.sleep(period)
            self.ticks += 1
            if self.ticks == fails_at:
                raise ValueError("the spring is broken")
            if peer:
                await self.send(peer, {"ticks": self.ticks}, kind="tick")

    async def hear(self) -> None:
        while True:
            message = await self.receive()
            self.heard.append((message.incarnation, message.body["ticks"]))

    @offered
    def count(self) -> int:
        return self.ticks

    @property
    @offered
    def last_heard(self) -> Any:
        return self.heard[-1] if self.heard else None

    @offered
    def all_heard(self) -> list[Any]:
        return self.heard

    @offered
    async def after(self, ticks: int) -> int:
        """Waits for so many ticks more, and says how many there have been."""
        goal = self.ticks + ticks
        while self.ticks < goal:  # noqa: ASYNC110 a service that polls is what is tested
            await asyncio.sleep(0.001)
        return self.ticks

    @offered
    async def numbers(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            await asyncio.sleep(0.001)
            yield number

    @offered
    async def never(self) -> None:
        await asyncio.Event().wait()

    @offered
    def who(self) -> tuple[str, str]:
        return self.tenant, self.caller

    def hidden(self) -> None:
        """Not offered."""


class Pairs(Service):
    """Makes a pair with `peer` each time it is asked, and hands it over."""

    @offered
    async def pair(self, peer: str) -> Pair:
        return await self.hand_over(await self.entangle(peer))

    @offered
    async def keep(self, peer: str) -> None:
        self.kept = await self.entangle(peer)

    @offered
    def slots(self) -> tuple[int, int]:
        return self.memory.slots, self.memory.free


class Answers(Service):
    """Answers whatever comes with its double; draws a number for each answer."""

    async def run(self) -> None:
        while True:
            message = await self.receive()
            await self.send(message.source, 2 * message.body)

    @offered
    async def double(self, peer: str, number: int) -> Any:
        await self.send(peer, number, kind="ask")
        return (await self.receive(peer)).body


class Asks(Service):
    """The other end of `Answers`, under whichever name it has."""

    @offered
    async def double(self, peer: str, number: int) -> Any:
        await self.send(peer, number)
        return (await self.receive(peer)).body


class Waker(Service):
    """Sets the program's events after many looks at nothing; says that it works, or does not."""

    async def run(self, looks: int, says_so: bool) -> None:
        self.events: list[asyncio.Event] = []
        with self.working() if says_so else contextlib.nullcontext():
            for _ in range(looks):
                await asyncio.sleep(0.01)
        for event in self.events:
            event.set()

    @offered
    def wake(self, event: asyncio.Event) -> None:
        self.events.append(event)


class Cleans(Service):
    """Records what it finds of another service when the run is over."""

    async def run(self, other: str = "") -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.record("ended", getattr(self.services, other).count() if other else "alone")


def spec(
    kind: type[Service], slots: int | None = None, needs: list[str] | None = None, **options: Any
) -> ServiceSpec:
    """A service as a topology names it."""
    program = f"{kind.__module__}:{kind.__qualname__}"
    return ServiceSpec(program=program, options=options, slots=slots, needs=needs or [])


def node(name: str, program: Any, slots: int = 16, **services: ServiceSpec) -> NodeSpec:
    """A node with services."""
    return harness.node(name, program, slots=slots, services=services)


def pair(alice: NodeSpec, bob: NodeSpec, **settings: Any) -> Any:
    """Two nodes with services and a link that heralds pairs."""
    links = [harness.link("alice", "bob", 1000, entangle=harness.heralding())]
    return harness.network({"alice": alice, "bob": bob}, links, **settings)
