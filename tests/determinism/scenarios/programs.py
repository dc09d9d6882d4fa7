"""Programs that show in their results whatever order, number or time they were given.

Each chains all it sees into a hash, so that a single swap anywhere changes a result and the digest.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from qnetem import Agent


class Chain:
    """A hash of everything that was added, in order."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=8)
        self.count = 0

    def add(self, *facts: object) -> None:
        self._hash.update((" ".join(map(str, facts)) + ";").encode())
        self.count += 1

    def result(self) -> dict[str, Any]:
        return {"count": self.count, "chain": self._hash.hexdigest()}


class Gossip(Agent):
    """Tells its neighbours what it draws; chains what it hears, its pairs, and its timeouts.

    Many messages fall into one instant: all nodes tick on one grid, and links are equally long.
    """

    async def run(self, rounds: int = 10, partners: tuple[str, ...] = ()) -> dict[str, Any]:
        self.chain = Chain()
        helpers = [asyncio.create_task(self.listen())]
        helpers += [asyncio.create_task(self.pair_up(partner)) for partner in partners]
        for number in range(rounds):
            self.disturb()
            await self.broadcast({"n": number, "drawn": int(self.rng.integers(1_000_000))})
            await asyncio.sleep(int(self.rng.integers(1, 5)) / 1000)
        await asyncio.sleep(0.01)
        for helper in helpers:
            helper.cancel()
        return self.chain.result()

    async def listen(self) -> None:
        while True:
            message = await self.receive()
            self.disturb()
            self.chain.add(self.now_ns, message.source, message.seq, message.sent_ns, message.body)

    async def pair_up(self, partner: str) -> None:
        while True:
            try:
                async with asyncio.timeout(int(self.rng.integers(1, 6)) / 1000):
                    pair = await self.entangle(partner)
                    bit = await pair.measure("XYZ"[int(self.rng.integers(3))])
                    self.chain.add(self.now_ns, pair.id, pair.age_ns, bit)
            except TimeoutError:
                self.chain.add(self.now_ns, "nothing from", partner)

    def disturb(self) -> None:
        """What a real machine may do in between."""


class Restless(Gossip):
    """Gives the processor away as often as this process's id and addresses in memory say."""

    def disturb(self) -> None:
        for _ in range((os.getpid() + id(object()) // 16) % 8):
            os.sched_yield()


class Flooder(Agent):
    """Tells everybody `count` long things in one step, `rounds` times, and chains what it hears itself."""

    async def run(self, rounds: int = 2, count: int = 15, size: int = 50_000) -> dict[str, Any]:
        chain = Chain()
        listening = asyncio.create_task(self.listen(chain))
        for _ in range(rounds):
            await asyncio.sleep(0.001)
            for _ in range(count):
                await self.broadcast(f"{int(self.rng.integers(1_000_000)):0{size}}")
        await asyncio.sleep(0.01)
        listening.cancel()
        return chain.result()

    async def listen(self, chain: Chain) -> None:
        while True:
            message = await self.receive()
            chain.add(self.now_ns, message.source, message.seq, message.body)


class Sender(Agent):
    """Sends `count` messages in one step and waits; its next incarnation only says that it is back."""

    async def run(self, peer: str, count: int = 20) -> None:
        if self.now_ns:
            await self.send(peer, {"drawn": int(self.rng.integers(1_000_000))}, kind="back")
            return
        await asyncio.sleep(0.001)
        for number in range(count):
            await self.send(peer, {"n": number, "drawn": int(self.rng.integers(1_000_000))})
        await asyncio.sleep(3600)


class Counter(Agent):
    """Chains everything that comes until a sender is back."""

    async def run(self) -> dict[str, Any]:
        chain, numbers = Chain(), []
        while (message := await self.receive()).kind != "back":
            numbers.append(message.body["n"])
            chain.add(self.now_ns, message.seq, message.body)
        chain.add(self.now_ns, message.seq, message.body)
        return {"numbers": numbers, **chain.result()}


class Entangler(Agent):
    """A register of `size` qubits: GHZ over gates, turned, seen by god, measured; `rounds` times."""

    async def run(self, size: int = 6, rounds: int = 3) -> dict[str, Any]:
        chain, target = Chain(), np.zeros(2**size)
        target[0] = target[-1] = 2**-0.5
        for _ in range(rounds):
            qubits = [await self.qubit() for _ in range(size)]
            await qubits[0].h()
            for control, aim in pairwise(qubits):
                await control.cx(aim)
            await self.probe("ghz", qubits, list(target))
            for qubit in qubits:
                await qubit.rx(float(self.rng.uniform(0, 3)))
                await qubit.rz(float(self.rng.uniform(0, 3)))
            axis = tuple(self.rng.normal(size=3).tolist())
            chain.add(self.now_ns, *[await qubit.measure(axis) for qubit in qubits])
        return chain.result()


class Order(Agent):
    """The orders that plain asyncio takes from sets, heaps and weak references."""

    async def run(self, tasks: int = 600, timers: int = 1000) -> dict[str, Any]:
        return {
            "cancelled": await self.cancelled_by_a_group(tasks),
            "timers": await self.timers_of_one_deadline(timers),
            "gathered": await self.first_of_many(tasks),
        }

    async def cancelled_by_a_group(self, count: int) -> dict[str, Any]:
        chain = Chain()

        async def wait(number: int) -> None:
            try:
                await asyncio.sleep(60)
            finally:
                chain.add(number)

        async def fail() -> None:
            await asyncio.sleep(0.001)
            raise ValueError("enough")

        try:
            async with asyncio.TaskGroup() as group:
                for number in range(count):
                    group.create_task(wait(number))
                group.create_task(fail())
        except ExceptionGroup:
            pass
        return chain.result()

    async def timers_of_one_deadline(self, count: int) -> dict[str, Any]:
        chain, loop = Chain(), asyncio.get_running_loop()
        deadline = loop.time() + 0.5
        handles = [loop.call_at(deadline, chain.add, number) for number in range(count)]
        for handle in handles[::7]:
            handle.cancel()
        await asyncio.sleep(1)
        return chain.result()

    async def first_of_many(self, count: int) -> dict[str, Any]:
        chain = Chain()

        async def wait(number: int) -> int:
            await asyncio.sleep(number % 5 / 1000)
            return number

        pending = {asyncio.create_task(wait(number)) for number in range(count)}
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            chain.add(*[task.result() for task in done])
        for first in asyncio.as_completed([wait(number) for number in range(count)]):
            chain.add(await first)
        return chain.result()


class Modules(Agent):
    """Which of the heavy packages this process has imported."""

    async def run(self) -> list[str]:
        await asyncio.sleep(1)
        heavy = ("qutip", "scipy", "pydantic", "pydantic_core", "stim", "typer", "rich", "yaml")
        physics = (
            "qnetem.emulator.quantum",
            "qnetem.emulator.topology",
            "qnetem.emulator.world.world",
        )
        found = {name for name in sys.modules if name.partition(".")[0] in heavy}
        return sorted(found | {name for name in sys.modules if name.startswith(physics)})


class Surroundings(Agent):
    """What a program takes from around it without a thought."""

    async def run(self, peer: str) -> dict[str, Any]:
        words = {f"word {number}" for number in range(50)}
        await asyncio.sleep(86_400)
        for word in words:
            await self.send(peer, {"word": word, "hash": hash(word)})
        heard = [(await self.receive(peer)).body for _ in words]
        letters = Path(__file__).read_text().count("ä")  # in the encoding that happens to be set
        return {
            "words": list(words),
            "heard": heard,
            "letters": letters,
            "asserts": __debug__,
            "clock": [time.time(), time.strftime("%c %Z"), time.ctime(), time.localtime()[:6]],
            "midnight": time.mktime((1970, 1, 2, 0, 0, 0, 0, 0, 0)),
            "calendar": time.strftime("%A %B %p %x %X", time.localtime(self.now_ns / 1e9)),
        }


class Breaks(Agent):
    """Fails, and says so with an object whose address is in its words."""

    async def run(self) -> None:
        await asyncio.sleep(0.001)
        raise ValueError(f"cannot use {object()}")


class Unbuildable(Agent):
    """Cannot even be made."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        raise ValueError(f"{self.name} cannot be built")

    async def run(self) -> None:
        pass
