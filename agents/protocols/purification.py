"""Entanglement purification: of two pairs one better one, by local gates and a comparison of outcomes.

Owns `purify`, which both ends call for the same two pairs, and two policies on top of it: `pump` (one pair,
again and again with a fresh one) and `nested` (two pairs of a level make one of the next). Does not own where
pairs come from: a link, `swapping.LongPairs`, another purification.

Each end applies a CNOT from the pair to keep onto the pair to spend, measures the latter, and sends the
outcome. Equal outcomes: the pair is kept. Else it is discarded at both ends.

- `bbpssw`: Bennett et al., PRL 76, 722 (1996), on Werner pairs. What is kept is twirled: the end that comes
  first by name has drawn one of twelve rotations U, and turns its half by it, the other one by U*.
- `dejmps`: Deutsch et al., PRL 77, 2818 (1996), on Bell-diagonal pairs. Before the CNOT the end that comes
  first by name turns both halves by Rx(pi/2), the other one by Rx(-pi/2).

Pairs are Phi+ up to their frames, which go with the gates (frames.py). What a raw pair was heralded as is
taken into the frame of the end that comes last by name.

An outcome names both pairs, so none is taken for that of another round. With a `timeout` an end repeats it
until the other's comes, and answers repetitions for as long as that may ask. An end that has lost a half,
or gives up, says which pairs it has dropped; that is true for ever, whenever it arrives. No end can be sure
that its last message arrived: one that keeps a pair which the other has dropped hears of it later, or never.
Ends that must be sure compare the ids of what they have, as `End` does.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

import msgspec

from ...emulator.errors import ProgramError, QubitError
from ..agent import Agent
from ..ports import Port
from ..qubits import Pair, Qubit
from .cleanup import DiscardOnError, discard_held
from .comparison import measure_and_compare
from .session import TRIES, RetryPolicy
from .swapping import LongPairs

KIND = "purification"
Protocol = Literal["bbpssw", "dejmps"]
#: Rotations of a twirl: three turns of X -> Z -> Y -> X, times four Paulis.
TWIRLS = 12
Pairs = Callable[[], Awaitable[Pair]]


class Outcome(msgspec.Struct, tag="outcome"):
    """The sender's outcome of one round. `heard`: it has the receiver's, and repeats its own by request."""

    keep: str
    spend: str
    protocol: str
    bit: int
    twirl: int = 0
    heard: bool = False

    @property
    def round(self) -> str:
        """What both ends call the round."""
        return f"{self.keep}>{self.spend}"


class Dropped(msgspec.Struct, tag="dropped"):
    """The sender has no half of this pair, or none that is worth anything."""

    pair: str


def purification_port(agent: Agent) -> Port:
    """The port of outcomes, where they lie under their rounds, and of drops, under their pairs."""
    return agent.port(KIND, type=Outcome | Dropped, keys=_key)


def _key(body: Outcome | Dropped) -> tuple[str]:
    return (body.pair if isinstance(body, Dropped) else body.round,)


# --- one round ------------------------------------------------------------------------------------


async def purify(
    agent: Agent,
    keep: Pair,
    spend: Pair,
    protocol: Protocol = "dejmps",
    *,
    timeout: str | float | None = None,
    tries: int = TRIES,
) -> bool:
    """Spend one pair to make another one better; both ends call it, for the same pairs in the same order.

    Whether `keep` is kept: then it is still held at both ends, a better one. Else both pairs are gone at both
    ends: outcomes differed, a memory has discarded a half, or the other end has dropped a pair or does not
    answer (`timeout` and `tries` as for every session). `spend` is consumed either way. Cancelling drops
    both. Raises ProgramError for pairs that are one, or have other ends than each other.
    """
    if keep.peer != spend.peer or keep.id == spend.id:
        raise ProgramError(f"two pairs with one peer are purified, not {keep} and {spend}")
    if protocol not in ("bbpssw", "dejmps"):
        raise ProgramError(f"{protocol!r} is no purification protocol: bbpssw or dejmps")
    retry = RetryPolicy.of(timeout, tries)
    async with _DropOnError(agent, keep, spend):
        return await _Round(agent, keep, spend, protocol, retry).run()


async def is_dropped(agent: Agent, pair: Pair) -> bool:
    """Whether this half is past its cut-off, or the other end has said that it has dropped the pair."""
    if pair.expired:
        return True
    try:
        async with asyncio.timeout(0):
            await purification_port(agent).receive(pair.peer, key=pair.id)
    except TimeoutError:
        return False
    return True


async def drop(agent: Agent, pair: Pair) -> None:
    """Discard the half here, and say so to the other end."""
    await purification_port(agent).send(pair.peer, Dropped(pair.id), kind=KIND)
    await discard_held(pair)


class _DropOnError:
    """Drops what it holds when its block is left by an exception: the other end need not wait for it."""

    def __init__(self, agent: Agent, *pairs: Pair) -> None:
        self._agent, self._pairs = agent, pairs

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and kind is not GeneratorExit:  # the latter: the node was killed
            for pair in self._pairs:
                await drop(self._agent, pair)


class _Round:
    """One end of one round."""

    def __init__(
        self, agent: Agent, keep: Pair, spend: Pair, protocol: Protocol, retry: RetryPolicy
    ) -> None:
        self._agent, self._keep, self._spend, self._retry = agent, keep, spend, retry
        self._port, self._peer = purification_port(agent), keep.peer
        self._leads = agent.name < keep.peer
        self._mine = Outcome(keep.id, spend.id, protocol, 0)
        #: Lives on after the round, for as long as the other end may ask.
        self._answering: asyncio.Task[None] | None = None

    async def run(self) -> bool:
        try:
            await self._measure()
            theirs = None if self._keep.expired else await self._exchange()
            if theirs is not None and not self._keep.expired:
                return await self._keep_if_equal(theirs)
        except QubitError:
            pass  # past its memory's cut-off
        for pair in (self._keep, self._spend):
            await drop(self._agent, pair)
        return False

    async def _measure(self) -> None:
        halves = (self._keep, self._spend)
        for pair in halves:
            if pair.bell and not self._leads:
                pair.shift(pair.bell >> 1, pair.bell)
            pair.bell = 0
        if self._mine.protocol == "dejmps":
            angle = math.pi / 2 if self._leads else -math.pi / 2
            await asyncio.gather(*(pair.qubit.rx(angle) for pair in halves))
        await self._keep.qubit.cx(self._spend.qubit)
        self._mine.bit = await self._spend.measure()
        if self._leads and self._mine.protocol == "bbpssw":
            self._mine.twirl = int(self._agent.rng.integers(TWIRLS))

    async def _exchange(self) -> Outcome | None:
        """The other end's outcome; None if it has dropped a pair, or does not answer."""
        for _ in range(self._retry.tries):
            await self._port.send(self._peer, self._mine, kind=KIND)
            try:
                async with asyncio.timeout(self._retry.timeout_s):
                    theirs = await self._their_word()
            except TimeoutError:
                continue
            if theirs is not None and self._retry.timeout_s is not None:
                name = f"{KIND} {self._mine.round}"
                self._answering = asyncio.create_task(self._answer(), name=name)
            return theirs
        return None

    async def _their_word(self) -> Outcome | None:
        keys = [self._mine.round, self._keep.id, self._spend.id]
        body: Outcome | Dropped = (await self._port.receive(self._peer, keys=keys)).body
        if isinstance(body, Dropped):
            return None
        return body if body.protocol == self._mine.protocol else None

    async def _answer(self) -> None:
        """Repeat the outcome to an end that has not had it, for as long as it may ask."""
        mine = msgspec.structs.replace(self._mine, heard=True)
        try:
            async with asyncio.timeout(self._retry.limit_s()):
                while True:
                    message = await self._port.receive(self._peer, key=mine.round)
                    if not message.body.heard:
                        await self._port.send(self._peer, mine, kind=KIND)
        except TimeoutError:
            pass

    async def _keep_if_equal(self, theirs: Outcome) -> bool:
        if theirs.bit != self._mine.bit:
            await self._keep.discard()
            return False
        twirl = self._mine.twirl if self._leads else theirs.twirl
        await _turn(self._keep.qubit, twirl, conjugate=not self._leads)
        return True


async def _turn(qubit: Qubit, number: int, *, conjugate: bool) -> None:
    """A rotation of the twirl, or its complex conjugate: together they leave Phi+ as it is."""
    turns, pauli = divmod(number, 4)
    for _ in range(turns):
        await qubit.h()
        await (qubit.sdg() if conjugate else qubit.s())
    if pauli & 1:
        await qubit.x()
    if pauli & 2:
        await qubit.z()


# --- policies -------------------------------------------------------------------------------------


async def pump(
    agent: Agent,
    pairs: Pairs,
    rounds: int,
    protocol: Protocol = "dejmps",
    *,
    timeout: str | float | None = None,
    tries: int = TRIES,
) -> Pair:
    """A pair that was purified `rounds` times, each time with a fresh one; both ends call it.

    `pairs` gives the next pair, at both ends the same (`partial(agent.entangle, peer)`). When a round fails
    it begins anew. A pair that the other end has dropped is dropped here too, so that ends which are out of
    step find each other again. Holds two pairs at most, beside what `pairs` holds. Cancelling drops them.
    """
    if rounds < 0:
        raise ProgramError(f"{rounds} rounds of purification: expected 0 or more")
    while True:
        keep = await pairs()
        purified = 0
        while purified < rounds:
            async with _DropOnError(agent, keep):
                spend = await pairs()
            async with _DropOnError(agent, keep, spend):
                if await is_dropped(agent, keep):
                    await drop(agent, keep)
                    keep, purified = spend, 0
                    continue
                kept = await purify(agent, keep, spend, protocol, timeout=timeout, tries=tries)
            agent.record("purification.kept", int(kept))
            if not kept:
                break
            purified += 1
        else:
            return keep


async def nested(
    agent: Agent,
    pairs: Pairs,
    levels: int,
    protocol: Protocol = "dejmps",
    *,
    timeout: str | float | None = None,
    tries: int = TRIES,
) -> Pair:
    """A pair made of 2**levels: two that are alike are purified to one of the next level. As for `pump`.

    Briegel, Duer, Cirac, Zoller, PRL 81, 5932 (1998), who join pairs between the levels. Holds `levels` + 1
    pairs at most: one is finished before the next one is begun.
    """
    for _ in range(levels):
        pairs = partial(pump, agent, pairs, 1, protocol, timeout=timeout, tries=tries)
    return await pairs()


# --- a program ------------------------------------------------------------------------------------


class End(Agent):
    """Purifies pairs with `peer` and measures them along axes drawn of X, Y and Z; both ends run it.

    `rounds`: how many purified pairs. Each is of `levels` of `nested`, or of as many rounds of `pump` as
    `pumped` says. `via`: as for `LongPairs`, over repeaters. The recorder notes each one's fidelity, as
    `purified`. Returns the correlators of the pairs that both ends have measured, `status` and `session`.
    """

    async def run(
        self,
        peer: str,
        rounds: int = 100,
        protocol: Protocol = "dejmps",
        levels: int = 1,
        pumped: int | None = None,
        via: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> dict[str, Any]:
        long_pairs = LongPairs(self, peer, via=via, timeout=timeout)
        policy = nested if pumped is None else pump
        count = levels if pumped is None else pumped

        async def purified() -> Pair:
            pair = await policy(
                self, long_pairs.obtain, count, protocol, timeout=timeout, tries=tries
            )
            async with DiscardOnError(pair):
                await self.probe("purified", pair, parties=pair.ends)
            return pair

        found = await measure_and_compare(
            self, peer, "XYZ", rounds, name=KIND, pairs=purified, timeout=timeout, tries=tries
        )
        return {
            "correlators": {name: each.value for name, each in found.correlators.items()},
            "rounds": found.rounds,
            "status": found.status,
            "session": found.session,
        }
