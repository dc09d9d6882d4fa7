"""Quantum teleportation: Bennett et al., Phys. Rev. Lett. 70, 1895 (1993).

Owns both ends: `Sender` prepares (or draws) a state and teleports it, `Receiver` corrects and keeps it.
Does not own how the pair came about: a direct link, or swapping on the way (`swapping.long_pair`).

The sender measures its qubit and its half in the Bell basis, which gives (z, x); the receiver's half is
the state after Z^z X^x. With a pair of fidelity F (fully entangled fraction) the average fidelity over
random states is (2F + 1) / 3 (M., P. and R. Horodecki, Phys. Rev. A 60, 1888 (1999)).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from ..agent import Agent
from .swapping import long_pair

if TYPE_CHECKING:
    from ..qubits import Qubit

Amplitudes = tuple[complex, complex]


class Correction(msgspec.Struct):
    """What the sender tells: the round, the pair used, the outcome, and the angles for the record."""

    round: int
    pair: str
    z: int
    x: int
    theta: float
    phi: float


def amplitudes(theta: float, phi: float) -> Amplitudes:
    """cos(theta/2) |0> + exp(i phi) sin(theta/2) |1>; radians."""
    half = theta / 2
    return (complex(math.cos(half)), complex(math.cos(phi), math.sin(phi)) * math.sin(half))


async def prepare(qubit: Qubit, theta: float, phi: float) -> None:
    """Bring |0> to the state of `amplitudes(theta, phi)` (up to a global phase)."""
    await qubit.ry(theta)
    await qubit.rz(phi)


class Sender(Agent):
    """Teleports `rounds` states to `peer`: the given one, or random ones (Haar) without `theta`."""

    async def run(
        self,
        peer: str,
        rounds: int = 1,
        theta: float | None = None,
        phi: float = 0.0,
        via: str | None = None,
    ) -> dict[str, object]:
        for number in range(rounds):
            angles = (theta, phi) if theta is not None else self._random_angles()
            pair = await long_pair(self, peer, via=via)
            started_ns = self.now_ns
            qubit = await self.qubit()
            await prepare(qubit, *angles)
            z, x = await self.bell_measure(qubit, pair)
            z, x = z ^ pair.frame[0], x ^ pair.frame[1]
            correction = Correction(number, pair.id, z, x, *angles)
            await self.send(peer, correction, kind="teleportation.correction")
            await self.receive(peer, kind="teleportation.done")
            self.record("teleportation.round_trip_s", (self.now_ns - started_ns) / 1e9)
        return {"teleported": rounds}

    def _random_angles(self) -> tuple[float, float]:
        """Uniform on the Bloch sphere."""
        cosine = 1 - 2 * float(self.rng.random())
        return math.acos(cosine), 2 * math.pi * float(self.rng.random())


class Receiver(Agent):
    """Receives `rounds` states from `peer`; the recorder notes each one's fidelity."""

    async def run(self, peer: str, rounds: int = 1, via: str | None = None) -> dict[str, object]:
        for _ in range(rounds):
            pair = await long_pair(self, peer, via=via)
            message = await self.receive(peer, kind="teleportation.correction", type=Correction)
            correction: Correction = message.body
            self.record("teleportation.latency_s", (self.now_ns - message.sent_ns) / 1e9)
            pair.shift(correction.z, correction.x)
            await pair.correct()
            target = amplitudes(correction.theta, correction.phi)
            await self.probe("teleported", pair.qubit, target)
            await pair.discard()
            await self.send(peer, kind="teleportation.done")
        return {"received": rounds}
