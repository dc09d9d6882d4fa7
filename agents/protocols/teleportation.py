"""Quantum teleportation: Bennett et al., Phys. Rev. Lett. 70, 1895 (1993).

Owns both ends: `Sender` prepares (or draws) a state and teleports it, `Receiver` corrects and keeps it.
Does not own how the pair came about: a direct link, or swapping on the way (`swapping.LongPairs`).

The sender measures its qubit and its half in the Bell basis, which gives (z, x); the receiver's half is
the state after Z^z X^x. With a pair of fidelity F (fully entangled fraction) the average fidelity over
random states is (2F + 1) / 3 (M., P. and R. Horodecki, Phys. Rev. A 60, 1888 (1999)).

Both ends name the pair a round is about, so they never take two different pairs for one. A correction
for a pair that the receiver has not got (any more) is refused, and the sender prepares the state once more.
With a `timeout`, at both ends the same and longer than a message takes there and back, dead repeaters and
lost messages are survived too: a pair whose joins or whose correction do not come in time is given up, a
correction without an answer is sent again and answered as before (talk.py).

Rounds are those of a session. A sender that is restarted begins a new one and the receiver starts counting
anew; a receiver that is restarted cannot tell what it had: both ends are then `incomplete`. The sender is
`confirmed` with the last answer; the receiver when it hears that the sender has it, and is `unconfirmed` if
it has all states and does not hear.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from ...emulator.errors import QubitError
from ..agent import Agent
from .cleanup import Holding
from .racing import first_of
from .session import (
    CONFIRMED,
    INCOMPLETE,
    TRIES,
    UNCONFIRMED,
    Broken,
    Initiator,
    Patience,
    Responder,
    SessionMessage,
    follow,
    within,
)
from .swapping import LongPairs

if TYPE_CHECKING:
    from ..qubits import Pair, Qubit

KIND = "teleportation"
#: For how many timeouts the receiver waits for a correction: two may be lost before the state is.
CORRECTION_TIMEOUTS = 3

Amplitudes = tuple[complex, complex]


class Correction(SessionMessage, tag="correction"):
    """What the sender tells: the round, the pair used, the outcome, and the angles for the record."""

    round: int
    pair: str
    z: int
    x: int
    theta: float
    phi: float


class Answer(SessionMessage, tag="answer"):
    """What the receiver tells: whether it has the state of the round, by the pair that was named."""

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
        talk = Initiator(self, peer, KIND, Patience.of(timeout, tries))
        teleported = repeated = 0
        status = CONFIRMED
        try:
            while teleported < rounds:
                angles = (theta, phi) if theta is not None else self._random_angles()
                repeated += await self._round(pairs, talk, teleported, angles)
                teleported += 1
            await talk.conclude(Complete(), Complete)
        except Broken as broken:
            self.log.warning("%s", broken)
            status = INCOMPLETE
        return {
            "teleported": teleported,
            "repeated": repeated,
            "status": status,
            "session": talk.session,
        }

    async def _round(
        self, pairs: LongPairs, talk: Initiator, number: int, angles: tuple[float, float]
    ) -> int:
        """One state, over as many pairs as it takes; returns how many were in vain. Raises Broken."""
        for vain in range(talk.patience.tries):
            if await self._teleport(pairs, talk, number, angles):
                return vain
        raise Broken(f"round {number}: no pair of {talk.patience.tries} did it")

    async def _teleport(
        self, pairs: LongPairs, talk: Initiator, number: int, angles: tuple[float, float]
    ) -> bool:
        """One state over one pair; False if the receiver has not got the pair, or the memory lost it."""
        pair = await within(talk.patience.limit_s(), pairs.obtain(), "pair")
        started_ns = self.now_ns
        try:
            async with Holding(pair) as holding:
                qubit = holding.add(await self.qubit())
                await prepare(qubit, *angles)
                z, x = await self.bell_measure(qubit, pair)
        except QubitError:
            await pairs.give_up()  # the other half waits for a correction
            return False
        finally:
            pairs.forget()
        answer = await talk.ask(Correction(number, pair.id, z, x, *angles), Answer)
        if not answer.accepted:
            return False
        self.record("teleportation.accepted", [talk.session, number, pair.id])
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
        patience = Patience.of(timeout, tries)
        hand = _Hand(LongPairs(self, peer, via=via, timeout=timeout), patience)
        self._received = 0
        supply = asyncio.create_task(hand.supply(), name="pairs")
        try:
            status, session = await follow(
                self, peer, KIND, patience, partial(self._session, hand, rounds)
            ) or (INCOMPLETE, None)
        finally:
            supply.cancel()
            await asyncio.wait([supply])
        return {"received": self._received, "status": status, "session": session}

    async def _session(self, hand: _Hand, rounds: int, talk: Responder) -> tuple[str, str]:
        self._received = 0
        hand.used()  # by a session that was broken off, perhaps
        hand.wanted.set()
        while self._received < rounds:
            # the sender may take as long for its pair, before it says anything, as for an answer
            correction = await talk.hear(Correction, talk.patience.limit_s() or 0.0)
            if correction.round != self._received:
                raise Broken(f"round {correction.round} instead of {self._received}")
            accepted = await self._accept(hand, correction, talk)
            self._received += accepted
            if self._received == rounds:
                hand.wanted.clear()
            hand.used()
            await talk.answer(Answer(accepted))
        try:
            await talk.hear(Complete)
        except Broken:
            return UNCONFIRMED, talk.session
        await talk.answer(Complete())
        return CONFIRMED, talk.session

    async def _accept(self, hand: _Hand, correction: Correction, talk: Responder) -> bool:
        """Whether the state has come: by the pair that is named, if that is the one held here."""
        pair = await hand.take(correction.pair)
        if pair is None:
            return False
        self.record("teleportation.latency_s", (self.now_ns - talk.sent_ns) / 1e9)
        try:
            async with Holding(pair):
                pair.shift(correction.z, correction.x)
                await pair.correct()
                target = amplitudes(correction.theta, correction.phi)
                await self.probe("teleported", pair.qubit, target)
                await pair.discard()
        except QubitError:
            return False  # the memory has lost it
        self.record("teleportation.accepted", [talk.session, correction.round, pair.id])
        return True


class _Hand:
    """The half that a receiver holds ready: given up when it is lost or no correction comes, got again."""

    def __init__(self, pairs: LongPairs, patience: Patience) -> None:
        self._pairs = pairs
        self._limit_s = patience.timeout_s and CORRECTION_TIMEOUTS * patience.timeout_s
        self._pair: Pair | None = None
        self._taken, self._used = asyncio.Event(), asyncio.Event()
        #: Set while pairs are wanted.
        self.wanted = asyncio.Event()
        self.wanted.set()

    async def supply(self) -> None:
        """Hold one pair after the other; cancel to end."""
        while True:
            await self.wanted.wait()
            self._taken.clear()
            pair = await self._pairs.obtain()
            self._pair = pair
            async with Holding(pair):
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
        """What was taken is gone: the next one is welcome."""
        self._used.set()
