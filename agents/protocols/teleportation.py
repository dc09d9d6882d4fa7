"""Quantum teleportation: Bennett et al., Phys. Rev. Lett. 70, 1895 (1993).

Owns both ends: `Sender` prepares (or draws) a state and teleports it, `Receiver` corrects and keeps it.
Does not own how the pair came about: a direct link, or swapping on the way (`swapping.LongPairs`).

The sender measures its qubit and its half in the Bell basis, which gives (z, x); the receiver's half is
the state after Z^z X^x. With a pair of fidelity F (fully entangled fraction) the average fidelity over
random states is (2F + 1) / 3 (M., P. and R. Horodecki, Phys. Rev. A 60, 1888 (1999)).

Both ends name the pair a round is about, so they never take two different pairs for one. A correction
for a pair that the receiver has not got (any more) is refused, and the sender prepares the state once more.
With a `timeout`, at both ends the same and longer than a round trip of a message, the protocol survives dead
repeaters and lost messages too: a pair whose joins or whose correction do not come in time is given up, a
correction without a reply is sent again and gets the same reply (session.py).

Rounds are those of a session. A sender that is restarted begins a new one and the receiver starts counting
anew; a receiver that is restarted cannot tell what it had: both ends are then `incomplete`. The sender is
`confirmed` with the last reply; the receiver when it receives the sender's last request, and is `unconfirmed`
if it has all states and that request does not come.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from ...emulator.errors import QubitError
from ..agent import Agent
from .cleanup import DiscardOnError, first_of
from .session import (
    CONFIRMED,
    INCOMPLETE,
    TRIES,
    UNCONFIRMED,
    Initiator,
    Responder,
    RetryPolicy,
    respond,
    within,
)
from .session_messages import SessionBroken, SessionMessage
from .swapping import LongPairs

if TYPE_CHECKING:
    from ..qubits import Pair, Qubit

KIND = "teleportation"
#: For how many timeouts the receiver waits for a correction: two may be lost before the state is.
CORRECTION_TIMEOUTS = 3

Amplitudes = tuple[complex, complex]


class Correction(SessionMessage, tag="correction"):
    """Sender -> receiver: the round, the pair used, the outcome, and the angles for the record."""

    round: int
    pair: str
    z: int
    x: int
    theta: float
    phi: float


class Answer(SessionMessage, tag="answer"):
    """Receiver -> sender: whether it has the state of the round, by the pair that was named."""

    accepted: bool


class Complete(SessionMessage, tag="complete"):
    """Sender -> receiver, and back: it knows that all states have arrived."""


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

    Returns how many were `teleported`, how many more pairs that took (`repeated`), `status` and `session`.
    """

    async def run(
        self,
        peer: str,
        rounds: int = 1,
        theta: float | None = None,
        phi: float = 0.0,
        via: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        pairs = LongPairs(self, peer, via=via, timeout=timeout)
        session = Initiator(self, peer, KIND, RetryPolicy.of(timeout, tries))
        teleported = repeated = 0
        status = CONFIRMED
        try:
            while teleported < rounds:
                angles = (theta, phi) if theta is not None else self._random_angles()
                repeated += await self._round(pairs, session, teleported, angles)
                teleported += 1
            await session.conclude(Complete(), Complete)
        except SessionBroken as broken:
            self.log.warning("%s", broken)
            status = INCOMPLETE
        return {
            "teleported": teleported,
            "repeated": repeated,
            "status": status,
            "session": session.name,
        }

    async def _round(
        self, pairs: LongPairs, session: Initiator, number: int, angles: tuple[float, float]
    ) -> int:
        """One state, over as many pairs as it takes; returns how many failed. Raises SessionBroken."""
        for failed in range(session.retry.tries):
            if await self._teleport(pairs, session, number, angles):
                return failed
        raise SessionBroken(f"round {number}: all {session.retry.tries} pairs failed")

    async def _teleport(
        self, pairs: LongPairs, session: Initiator, number: int, angles: tuple[float, float]
    ) -> bool:
        """One state over one pair; False if the receiver has not got the pair, or the memory lost it."""
        pair = await within(session.retry.limit_s(), pairs.obtain(), "pair")
        started_ns = self.now_ns
        try:
            async with DiscardOnError(pair) as held:
                qubit = held.add(await self.qubit())
                await prepare(qubit, *angles)
                z, x = await self.bell_measure(qubit, pair)
        except QubitError:
            await pairs.give_up()  # the other half waits for a correction
            return False
        finally:
            pairs.forget()
        reply = await session.request(Correction(number, pair.id, z, x, *angles), Answer)
        if not reply.accepted:
            return False
        self.record("teleportation.accepted", [session.name, number, pair.id])
        self.record("teleportation.round_trip_s", (self.now_ns - started_ns) / 1e9)
        return True

    def _random_angles(self) -> tuple[float, float]:
        """Uniform on the Bloch sphere."""
        cosine = 1 - 2 * float(self.rng.random())
        return math.acos(cosine), 2 * math.pi * float(self.rng.random())


class Receiver(Agent):
    """Receives `rounds` states from `peer`; the recorder notes each one's fidelity.

    Returns how many it has `received`, `status` and `session`.
    """

    async def run(
        self,
        peer: str,
        rounds: int = 1,
        via: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        retry = RetryPolicy.of(timeout, tries)
        supply = _PairSupply(LongPairs(self, peer, via=via, timeout=timeout), retry)
        self._received = 0
        supplying = asyncio.create_task(supply.run(), name="pairs")
        try:
            status, session = await respond(
                self, peer, KIND, retry, partial(self._session, supply, rounds)
            ) or (INCOMPLETE, None)
        finally:
            supplying.cancel()
            await asyncio.wait([supplying])
        return {"received": self._received, "status": status, "session": session}

    async def _session(
        self, supply: _PairSupply, rounds: int, session: Responder
    ) -> tuple[str, str]:
        self._received = 0
        supply.used()  # a session that was cancelled may have taken it
        supply.wanted.set()
        while self._received < rounds:
            # the sender may wait as long for its pair, before it sends anything, as for a reply
            correction = await session.receive(Correction, session.retry.limit_s() or 0.0)
            if correction.round != self._received:
                raise SessionBroken(f"round {correction.round} instead of {self._received}")
            accepted = await self._accept(supply, correction, session)
            self._received += accepted
            if self._received == rounds:
                supply.wanted.clear()
            supply.used()
            await session.reply(Answer(accepted))
        try:
            await session.receive(Complete)
        except SessionBroken:
            return UNCONFIRMED, session.name
        await session.reply(Complete())
        return CONFIRMED, session.name

    async def _accept(
        self, supply: _PairSupply, correction: Correction, session: Responder
    ) -> bool:
        """Whether the state has come: by the pair that is named, if that is the one held here."""
        pair = await supply.take(correction.pair)
        if pair is None:
            return False
        self.record("teleportation.latency_s", (self.now_ns - session.sent_ns) / 1e9)
        try:
            async with DiscardOnError(pair):
                pair.shift(correction.z, correction.x)
                await pair.correct()
                target = amplitudes(correction.theta, correction.phi)
                await self.probe("teleported", pair.qubit, target)
                await pair.discard()
        except QubitError:
            return False  # the memory has lost it
        self.record("teleportation.accepted", [session.name, correction.round, pair.id])
        return True


class _PairSupply:
    """The half that a receiver holds ready; replaced when it is lost or no correction comes."""

    def __init__(self, pairs: LongPairs, retry: RetryPolicy) -> None:
        self._pairs = pairs
        self._limit_s = retry.timeout_s and CORRECTION_TIMEOUTS * retry.timeout_s
        self._pair: Pair | None = None
        self._taken, self._used = asyncio.Event(), asyncio.Event()
        #: Set while pairs are wanted.
        self.wanted = asyncio.Event()
        self.wanted.set()

    async def run(self) -> None:
        """Hold one pair after the other; cancel to end."""
        while True:
            await self.wanted.wait()
            self._taken.clear()
            pair = await self._pairs.obtain()
            self._pair = pair
            async with DiscardOnError(pair):
                if not await self._is_taken(pair):
                    self._pair = None
                    await self._pairs.give_up()
                    continue
            await self._used.wait()

    async def _is_taken(self, pair: Pair) -> bool:
        """Whether a correction takes it before it is lost, or no correction comes in time."""
        try:
            async with asyncio.timeout(self._limit_s):
                await first_of(self._taken.wait(), self._pairs.lost(pair))
        except TimeoutError:
            pass
        return self._taken.is_set()

    async def take(self, name: str) -> Pair | None:
        """The pair of that name, if it is held or about to be; then `used` must follow."""
        if self._pairs.names(name):
            await self._pairs.settled.wait()
        pair = self._pair
        if pair is None or pair.id != name:
            return None
        self._pair = None
        self._pairs.forget()
        self._used.clear()
        self._taken.set()
        return pair

    def used(self) -> None:
        """The pair that was taken is used up: obtain the next one."""
        self._used.set()
