"""A GHZ state of three nodes, and Mermin's inequality (N. D. Mermin, PRL 65, 1838 (1990))."""

import asyncio

from qnetem import Agent

PARTIES = ("alice", "bob", "carol")
AXES = ["XXX", "XYY", "YXY", "YYX"]


class Alice(Agent):
    """Fuses a pair with bob and one with carol to one state, and says who measures what."""

    async def run(self, rounds: int):
        for _ in range(rounds):
            first, second = await asyncio.gather(self.entangle("bob"), self.entangle("carol"))
            await first.qubit.cx(second.qubit)
            flip = await second.measure()
            await self.probe("state", first.qubit, "ghz", parties=PARTIES)
            axes = AXES[self.rng.integers(4)]
            await self.broadcast([axes, flip])
            odd = await first.measure(axes[0])
            for _ in self.neighbours:
                odd ^= (await self.receive()).body
            self.record("M", 4 if odd == (axes != "XXX") else -4)  # XXX - XYY - YXY - YYX


class Leaf(Agent):
    """Corrects its qubit as alice says, and measures it."""

    async def run(self, rounds: int):
        for _ in range(rounds):
            half = await self.entangle("alice")
            axes, flip = (await self.receive("alice")).body
            half.shift(0, flip if self.name == "carol" else 0)
            await self.probe("state", half.qubit, "ghz", parties=PARTIES)
            await self.send("alice", await half.measure(axes[PARTIES.index(self.name)]))
