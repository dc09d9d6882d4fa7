"""A GHZ state of any number of nodes, and Mermin's inequality (N. D. Mermin, PRL 65, 1838 (1990))."""

import asyncio

from qnetem import Agent


class Centre(Agent):
    """Fuses a pair with each of `leaves` to one state, and says who measures what."""

    async def run(self, leaves: list[str], rounds: int):
        streams = [self.network.pairs(leaf, rounds) for leaf in leaves]
        parties = [self.name, *leaves]
        for _ in range(rounds):
            first, *others = await asyncio.gather(*(anext(stream) for stream in streams))
            turned = self.rng.integers(2, size=len(parties))
            turned[0] ^= turned.sum() % 2  # an even number of parties measures Y
            for half in [first, *others]:
                flip = 0
                if half is not first:
                    await first.qubit.cx(half.qubit)
                    flip = await half.measure()
                axis = "XY"[turned[parties.index(half.peer)]]
                await self.send(half.peer, [axis, flip, parties], kind=half.id)
            await self.probe("state", first.qubit, "ghz", parties=parties)
            odd = await first.measure("XY"[turned[0]])
            for half in [first, *others]:
                odd ^= (await self.receive(half.peer, kind=half.id)).body
            right = odd == turned.sum() // 2 % 2
            self.record("M", 2 ** len(leaves) * (1 if right else -1))


class Leaf(Agent):
    """Turns its half as the centre says, and measures it."""

    async def run(self, centre: str, rounds: int):
        async for half in self.network.arriving(centre, count=rounds):
            axis, flip, parties = (await self.receive(centre, kind=half.id)).body
            half.shift(0, flip)
            await self.probe("state", half.qubit, "ghz", parties=parties)
            await self.send(centre, await half.measure(axis), kind=half.id)
