"""Teleportation between any two nodes (Bennett et al., PRL 70, 1895 (1993)): repeaters need no program."""

import cmath
import math

from qnetem import Agent


class Sender(Agent):
    """Teleports random states to `peer`."""

    async def run(self, peer: str, states: int):
        async for pair in self.network.pairs(peer, states):
            theta, phi = math.acos(1 - 2 * self.rng.random()), 2 * math.pi * self.rng.random()
            qubit = await self.qubit()
            await qubit.ry(theta)
            await qubit.rz(phi)
            z, x = await self.bell_measure(qubit, pair)
            await self.send(peer, [z, x, theta, phi], kind=pair.id)


class Receiver(Agent):
    """Corrects its half; the recorder notes what has come of the state."""

    async def run(self, peer: str, states: int):
        async for pair in self.network.arriving(peer, count=states):
            z, x, theta, phi = (await self.receive(peer, kind=pair.id)).body
            pair.shift(z, x)
            state = [math.cos(theta / 2), cmath.exp(1j * phi) * math.sin(theta / 2)]
            await self.probe("teleported", pair.qubit, state)
            await pair.discard()
