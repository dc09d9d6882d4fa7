"""Quantum teleportation: Bennett et al., Phys. Rev. Lett. 70, 1895 (1993).

Owns both ends: `Sender` prepares (or draws) a state and teleports it, `Receiver` corrects and keeps it.
Does not own how the pair came about: a direct link, or swapping on the way (`swapping.LongPairs`).

The sender measures its qubit and its half in the Bell basis, which gives (z, x); the receiver's half is
the state after Z^z X^x. With a pair of fidelity F (fully entangled fraction) the average fidelity over
random states is (2F + 1) / 3 (M., P. and R. Horodecki, Phys. Rev. A 60, 1888 (1999)).

Both ends name the pair a round is about, so they never take two different pairs for one. A correction
for a pair that the receiver has given up is refused, and the sender prepares the state once more. With
a `timeout`, at both ends the same, dead repeaters and lost messages are survived too: a pair whose
joins or whose correction do not come in time is given up, a correction without an answer is sent again
and answered as before. The timeout must be longer than a message takes there and back.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import msgspec

from ..agent import Agent
from .holding import Holding
from .swapping import LongPairs, seconds

if TYPE_CHECKING:
    from ..qubits import Qubit

CORRECTION = "teleportation.correction"
DONE = "teleportation.done"
END = "teleportation.end"
#: How often a correction is sent before the sender believes its peer dead.
TRIES = 20
#: For how many timeouts the receiver waits for a correction: two may be lost before the state is.
CORRECTION_TIMEOUTS = 3

Amplitudes = tuple[complex, complex]


class Correction(msgspec.Struct):
    """What the sender tells: the round, the pair used, the outcome, and the angles for the record."""

    round: int
    pair: str
    z: int
    x: int
    theta: float
    phi: float


class Answer(msgspec.Struct):
    """What the receiver tells: whether it has the state of this round, which came by this pair."""

    round: int
    pair: str
    accepted: bool


def amplitudes(theta: float, phi: float) -> Amplitudes:
    """cos(theta/2) |0> + exp(i phi) sin(theta/2) |1>; radians."""
    half = theta / 2
    return (complex(math.cos(half)), complex(math.cos(phi), math.sin(phi)) * math.sin(half))


async def prepare(qubit: Qubit, theta: float, phi: float) -> None:
    """Bring |0> to the state of `amplitudes(theta, phi)` (up to a global phase)."""
    await qubit.ry(theta)
    await qubit.rz(phi)


class Sender(Agent):
    """Teleports `rounds` states to `peer`: the given one, or random ones (Haar) without `theta`.

    Returns `teleported`, and `repeated`: how many more pairs that took. Raises TimeoutError when
    the peer does not answer at all (only with a `timeout`).
    """

    async def run(
        self,
        peer: str,
        rounds: int = 1,
        theta: float | None = None,
        phi: float = 0.0,
        via: str | None = None,
        timeout: str | None = None,
    ) -> dict[str, object]:
        pairs, patience_s = LongPairs(self, peer, via=via, timeout=timeout), seconds(timeout)
        repeated = 0
        for number in range(rounds):
            angles = (theta, phi) if theta is not None else self._random_angles()
            while not await self._teleport(peer, pairs, number, angles, patience_s):
                repeated += 1
        if patience_s is not None:
            await self.send(peer, kind=END)
        return {"teleported": rounds, "repeated": repeated}

    async def _teleport(
        self,
        peer: str,
        pairs: LongPairs,
        number: int,
        angles: tuple[float, float],
        patience_s: float | None,
    ) -> bool:
        """One state over one pair; False if the receiver had given the pair up."""
        pair = await pairs.obtain()
        started_ns = self.now_ns
        async with Holding(pair) as holding:
            qubit = holding.add(await self.qubit())
            await prepare(qubit, *angles)
            z, x = await self.bell_measure(qubit, pair)
        pairs.forget()
        z, x = z ^ pair.frame[0], x ^ pair.frame[1]
        correction = Correction(number, pair.id, z, x, *angles)
        if not await self._tell(peer, correction, patience_s):
            return False
        self.record("teleportation.round_trip_s", (self.now_ns - started_ns) / 1e9)
        return True

    async def _tell(self, peer: str, correction: Correction, patience_s: float | None) -> bool:
        """Send the correction, again after each timeout, until it is answered."""

        def answers(answer: Answer) -> bool:
            return answer.round == correction.round and answer.pair == correction.pair

        for _ in range(TRIES):
            await self.send(peer, correction, kind=CORRECTION)
            try:
                async with asyncio.timeout(patience_s):
                    message = await self.receive(peer, kind=DONE, type=Answer, where=answers)
                return bool(message.body.accepted)
            except TimeoutError:
                continue
        raise TimeoutError(f"{peer} does not answer: {TRIES} corrections, {patience_s} s each")

    def _random_angles(self) -> tuple[float, float]:
        """Uniform on the Bloch sphere."""
        cosine = 1 - 2 * float(self.rng.random())
        return math.acos(cosine), 2 * math.pi * float(self.rng.random())


class Receiver(Agent):
    """Receives `rounds` states from `peer`; the recorder notes each one's fidelity.

    With a `timeout` it stays, when it has all, until the sender has heard so (at the longest, as long
    as the sender would go on asking).
    """

    async def run(
        self,
        peer: str,
        rounds: int = 1,
        via: str | None = None,
        timeout: str | None = None,
    ) -> dict[str, object]:
        pairs, patience_s = LongPairs(self, peer, via=via, timeout=timeout), seconds(timeout)
        accepted: dict[int, str] = {}
        others = asyncio.create_task(self._answer_others(peer, pairs, accepted), name="answers")
        try:
            for _ in range(rounds):
                while not await self._accept(peer, pairs, accepted, patience_s):
                    pass
            if patience_s is not None:
                await self._linger(peer, TRIES * patience_s)
        finally:
            others.cancel()
        return {"received": rounds}

    async def _accept(
        self, peer: str, pairs: LongPairs, accepted: dict[int, str], patience_s: float | None
    ) -> bool:
        """One state over one pair; False if no correction for the pair came in time."""
        pair = await pairs.obtain()
        name = pair.id
        async with Holding(pair):
            try:
                async with asyncio.timeout(patience_s and CORRECTION_TIMEOUTS * patience_s):
                    message = await self.receive(
                        peer, kind=CORRECTION, type=Correction, where=lambda c: c.pair == name
                    )
            except TimeoutError:
                await pairs.give_up()
                return False
            correction: Correction = message.body
            self.record("teleportation.latency_s", (self.now_ns - message.sent_ns) / 1e9)
            pair.shift(correction.z, correction.x)
            await pair.correct()
            target = amplitudes(correction.theta, correction.phi)
            await self.probe("teleported", pair.qubit, target)
            await pair.discard()
        accepted[correction.round] = name
        pairs.forget()
        await self.send(peer, Answer(correction.round, name, True), kind=DONE)
        return True

    async def _answer_others(self, peer: str, pairs: LongPairs, accepted: dict[int, str]) -> None:
        """Answer corrections that are about another pair than the one held: old ones, sent again."""
        while True:
            message = await self.receive(
                peer, kind=CORRECTION, type=Correction, where=lambda c: not pairs.names(c.pair)
            )
            correction: Correction = message.body
            known = accepted.get(correction.round) == correction.pair
            answer = Answer(correction.round, correction.pair, known)
            await self.send(peer, answer, kind=DONE)

    async def _linger(self, peer: str, at_most_s: float) -> None:
        try:
            async with asyncio.timeout(at_most_s):
                await self.receive(peer, kind=END)
        except TimeoutError:
            self.log.warning("%s has not said that it heard of the last state", peer)
