"""Superdense coding: two bits in one photon (Bennett and Wiesner, PRL 69, 2881 (1992))."""

from qnetem import Agent


class Alice(Agent):
    """Writes two bits into her half of a pair, and sends it after the other half."""

    async def run(self, rounds: int):
        for _ in range(rounds):
            half = await self.entangle("bob")
            z, x = self.rng.integers(0, 2, 2).tolist()
            if x:
                await half.qubit.x()
            if z:
                await half.qubit.z()
            await self.transmit(half, "bob")
            await self.send("bob", [z, x])  # for the statistics only


class Bob(Agent):
    """Reads both bits by a Bell measurement of the two halves."""

    async def run(self, rounds: int):
        for _ in range(rounds):
            half = await self.entangle("alice")
            photon = await self.receive_qubit("alice")
            bits = await self.bell_measure(half, photon)
            self.record("right", list(bits) == (await self.receive("alice")).body)
