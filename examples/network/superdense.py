"""Superdense coding over pairs from the network (Bennett and Wiesner, PRL 69, 2881 (1992))."""

from qnetem import Agent


class Sender(Agent):
    """Writes two bits into each half, and sends it after the other one."""

    async def run(self, peer: str, rounds: int):
        async for half in self.network.pairs(peer, rounds):
            z, x = self.rng.integers(0, 2, 2).tolist()
            if x:
                await half.qubit.x()
            if z:
                await half.qubit.z()
            await self.transmit(half, peer)
            await self.send(peer, [z, x], kind=half.id)  # for the statistics only
            await self.receive(peer, kind=half.id)


class Receiver(Agent):
    """Reads both bits by a Bell measurement of the two halves."""

    async def run(self, peer: str, rounds: int):
        async for half in self.network.arriving(peer, count=rounds):
            photon = await self.receive_qubit(peer)
            bits = await self.bell_measure(half, photon)
            self.record("right", list(bits) == (await self.receive(peer, kind=half.id)).body)
            await self.send(peer, kind=half.id)
