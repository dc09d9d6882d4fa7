"""Distillation: from a sifted key at both ends to a block of secret key, by messages that are authenticated.

Owns the order of the steps, what both ends tell each other, and the account of a block. Does not own the
steps: correction.py, verification.py, estimation.py, amplification.py, authentication.py and pads.py; nor how
a sifted key was made (the protocols), nor repetition of lost messages (protocols/session.py).

The initiator corrects its key to the responder's and so knows all errors; both compare a hash; the initiator
estimates how many bits are secret, and tells a random matrix, or that there is no key. That is the last
request of the session: the end that receives it knows that the other one has the same key.

Time. Each step takes as long as its `Throughput` says, at both ends at once; the modules' speeds are those of
published systems. Wall time plays no part.

Rule: an end has a block or none. It is the same block at both ends, under one id, or it is in no account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .....emulator.closed_forms.qkd import binary_entropy
from .....emulator.errors import ProgramError
from .....emulator.wire.bit_planes import packed, unpacked
from ....agent import Agent
from ....secret import Secret
from ...session import Initiator, Responder
from ...session_messages import SessionBroken, SessionMessage
from .amplification import amplified, seed_bits
from .cascade import VARIANTS
from .correction import Corrected, Question, Reference, correct
from .estimation import Epsilons, Estimate
from .key_block import KeyBlock
from .pads import PAGE_BITS, TAG_BITS, PadStock
from .universal_hash import FIELDS
from .verification import BITS as HASH_BITS
from .verification import key_hash, undetected

Bits = NDArray[np.uint8]
#: From (which bits of the key were wrong, bits leaked, epsilons) to how many are secret.
Estimator = Callable[[NDArray[np.bool_], int, Epsilons], Estimate]

NOTHING: Bits = np.zeros(0, dtype=np.uint8)
#: Why there is no key.
UNEQUAL, TOO_LITTLE = "keys differ after correction", "nothing is secret"


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """How fast the modules work: clicks a second of sifting, bits a second of key that goes in.

    The defaults are those of the system of Yuan et al., J. Lightwave Technol. 36, 3427 (2018): 60 M clicks/s,
    55 Mb/s, 108 Mb/s.
    """

    sifting: float = 60e6
    correction: float = 55e6
    amplification: float = 108e6

    def __post_init__(self) -> None:
        if min(self.sifting, self.correction, self.amplification) <= 0:
            raise ProgramError(f"a throughput must be above 0: {self}")


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """Options of both ends of a key.

    `correction`: cascade or ldpc, with `variant` of Cascade; `secrecy`: the probability that the key is not
    secret; `preshared`: the name of the random bits that both ends had before, for authentication, `page` of
    them in each life of both. Both ends have the same page of the same name; correction and secrecy are those
    of the initiator.
    """

    correction: Literal["cascade", "ldpc"] = "cascade"
    variant: str = "option7"
    secrecy: float = 1e-9
    preshared: str = ""
    page: int = PAGE_BITS
    throughput: Throughput = field(default_factory=Throughput)

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ProgramError(f"variant: found {self.variant!r}, expected one of {list(VARIANTS)}")
        if not 0 < self.secrecy < 1:
            raise ProgramError(f"secrecy must be a probability between 0 and 1, not {self.secrecy}")
        if self.page < 100 * TAG_BITS:
            raise ProgramError(f"page: {self.page} bits, expected at least {100 * TAG_BITS}")


class Verify(SessionMessage, tag="verify"):
    """Initiator -> responder: at which point keys are hashed."""

    point: int


class Hash(SessionMessage, tag="hash"):
    """Responder -> initiator: the hash of its key."""

    value: int


class Amplify(SessionMessage, tag="amplify"):
    """Initiator -> responder: the matrix, and what goes into the account."""

    length: int
    seed: bytes
    errors: int
    phase_error: float
    rounds: int
    secrecy: float


class Abort(SessionMessage, tag="abort"):
    """Initiator -> responder: there is no key."""

    why: str
    errors: int | None
    phase_error: float
    rounds: int
    secrecy: float


class Agreed(SessionMessage, tag="done"):
    """Responder -> initiator: it has its result."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What became of one block of sifted key; counts in bits, latencies in seconds of virtual time.

    `leaked` is what correction and verification told; `efficiency` is the correction's part of it to n h(Q);
    `spent` are pads of authentication. `why` says why there is no key; "" if there is one.
    """

    sifted: int
    errors: int | None
    leaked: int
    rounds: int
    phase_error: float
    length: int
    epsilons: Epsilons
    spent: int
    refused: int
    latency: dict[str, float]
    why: str
    block: KeyBlock | None = None
    secret: Secret | None = None

    def summary(self) -> dict[str, Any]:
        """For results: numbers, and the key as a Secret."""
        qber = None if self.errors is None or not self.sifted else self.errors / self.sifted
        least = self.sifted * binary_entropy(qber or 0.0)
        return {
            "length": self.length,
            "spent": self.spent,
            "gain": self.length - self.spent,
            "qber": qber,
            "phase_error": self.phase_error,
            "sifted": self.sifted,
            "leaked": self.leaked,
            "efficiency": (self.leaked - HASH_BITS) / least if least else None,
            "rounds": self.rounds,
            "failure": self.epsilons.total,
            "why": self.why,
            "secret": self.secret,
            "refused": self.refused,
            "latency": self.latency,
        }


class _Stopwatch:
    """Virtual time by step."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()

    def stop(self, step: str) -> None:
        """All time since the last stop belongs to this step."""
        now = self._loop.time()
        self.steps[step] = self.steps.get(step, 0.0) + now - self._since
        self._since = now


class Distiller:
    """One end of a key with `peer`: its options, and its pads for all sessions with that peer."""

    def __init__(self, agent: Agent, first: str, second: str, options: Distillation) -> None:
        self._agent, self.options = agent, options
        self._peer = second if agent.name == first else first
        self.pads = PadStock(first, second, agent.incarnation, options.preshared, options.page)

    async def sift(self, clicks: int) -> None:
        """The time that sifting takes."""
        await asyncio.sleep(clicks / self.options.throughput.sifting)

    # --- the initiator ----------------------------------------------------------------------------

    async def initiate(
        self, session: Initiator, key: Bits, error_rate: float, estimate: Estimator
    ) -> tuple[Account, str]:
        """The initiator's part: (account, whether it is confirmed). Raises SessionBroken."""
        watch = _Stopwatch()
        most = estimate(np.zeros(len(key), dtype=bool), 0, self._epsilons(len(key)))
        if not most.length:  # without errors and a word about them: less is not to be had
            abort = Abort(TOO_LITTLE, None, most.phase_error, 0, self.options.secrecy)
            asked, status = session.tags + 1, await session.conclude(abort, Agreed)
            return self._account(session, len(key), abort, 0, NOTHING, watch, asked), status
        done, leaked, why = await self._corrected(session, key, error_rate, watch)
        wrong = done.key != key
        found = estimate(wrong, leaked, self._epsilons(len(key)))
        errors, phase = int(wrong.sum()), found.phase_error
        why = why or ("" if found.length else TOO_LITTLE)
        made: Bits = NOTHING
        last: Amplify | Abort = Abort(why, errors, phase, done.rounds, self.options.secrecy)
        if not why:
            made, last = self._matrix(done, found, errors)
            await asyncio.sleep(len(key) / self.options.throughput.amplification)
        asked, status = session.tags + 1, await session.conclude(last, Agreed)
        watch.stop("amplification")
        return self._account(session, len(key), last, leaked, made, watch, asked), status

    async def _corrected(
        self, session: Initiator, key: Bits, error_rate: float, watch: _Stopwatch
    ) -> tuple[Corrected, int, str]:
        """The corrected key, bits leaked, and what is wrong with it."""
        rng, options = self._agent.rng, self.options
        speed = options.throughput.correction
        method, variant = options.correction, options.variant
        done = await correct(session, key, error_rate, rng, method, variant, speed)
        watch.stop("correction")
        point = int(rng.integers(FIELDS[HASH_BITS].prime))
        theirs = await session.request(Verify(point), Hash)
        watch.stop("verification")
        equal = theirs.value == key_hash(done.key, point)
        return done, done.leaked + HASH_BITS, "" if equal else UNEQUAL

    def _matrix(self, done: Corrected, found: Estimate, errors: int) -> tuple[Bits, Amplify]:
        """The key by a random matrix, and the message that names it."""
        size = seed_bits(len(done.key), found.length)
        seed = self._agent.rng.integers(0, 2, size, dtype=np.uint8)
        secrecy = self.options.secrecy
        told = Amplify(found.length, packed(seed), errors, found.phase_error, done.rounds, secrecy)
        return amplified(done.key, seed, found.length), told

    # --- the responder ----------------------------------------------------------------------------

    async def respond(self, session: Responder, key: Bits) -> Account:
        """The responder's part. Raises SessionBroken."""
        speed, watch = self.options.throughput, _Stopwatch()
        reference = Reference(key, self._agent.rng)
        work_s = len(key) / speed.correction
        last, leaked = await session.receive(Question | Verify | Abort, work_s), 0
        while not isinstance(last, (Verify, Abort)):
            await session.reply(reference.answer(last))
            last = await session.receive(Question | Verify, work_s)
        watch.stop("correction")
        if isinstance(last, Verify):
            await session.reply(Hash(key_hash(key, last.point)))
            leaked = reference.leaked + HASH_BITS
            last = await session.receive(Amplify | Abort, len(key) / speed.amplification)
            watch.stop("verification")
        made = self._made(key, last) if isinstance(last, Amplify) else NOTHING
        await session.reply(Agreed())
        watch.stop("amplification")
        return self._account(session, len(key), last, leaked, made, watch, session.tags)

    @staticmethod
    def _made(key: Bits, last: Amplify) -> Bits:
        try:
            seed = unpacked(last.seed, seed_bits(len(key), last.length))
            return amplified(key, seed, last.length)
        except ValueError as error:
            raise SessionBroken(f"privacy amplification: {error}") from error

    # --- both -------------------------------------------------------------------------------------

    def _epsilons(self, key_bits: int, secrecy: float | None = None, tags: int = 0) -> Epsilons:
        """`tags`: how many messages were authenticated, each of less than a MiB."""
        forgery = min(1.0, tags * FIELDS[TAG_BITS].collision(1 << 20))
        return Epsilons(secrecy or self.options.secrecy, undetected(key_bits), forgery)

    def _account(
        self,
        session: Initiator | Responder,
        sifted: int,
        last: Amplify | Abort,
        leaked: int,
        made: Bits,
        watch: _Stopwatch,
        asked: int,
    ) -> Account:
        """`asked`: how many requests with a tag the session has had."""
        # For each request and for the session's end a tag of each direction; and the point of all tags.
        tags = 2 * (asked + 1)
        spent = TAG_BITS * (1 + tags)
        epsilons = self._epsilons(sifted, last.secrecy, tags)
        block = key = None
        self._agent.record("key_bits", len(made))
        if last.errors is not None and sifted:
            self._agent.record("key_qber", last.errors / sifted)
        if len(made):
            block, key = self._block(session.name, made, epsilons, spent)
        return Account(
            sifted=sifted,
            errors=last.errors,
            leaked=leaked,
            rounds=last.rounds,
            phase_error=last.phase_error,
            length=len(made),
            epsilons=epsilons,
            spent=spent,
            refused=session.refused,
            latency=watch.steps,
            why=last.why if isinstance(last, Abort) else "",
            block=block,
            secret=key,
        )

    def _block(
        self, session: str, made: Bits, epsilons: Epsilons, spent: int
    ) -> tuple[KeyBlock, Secret]:
        """The block, whose first bits replenish the pads; and what is left of it."""
        whole = Secret(made, id=session, label=f"qkd {session}")
        now = asyncio.get_running_loop().time()
        block = KeyBlock(self._peer, session, whole, epsilons, spent=spent, made_s=now)
        pads = block.take(min(spent, block.left))
        self.pads.replenish(session, pads.reveal_bits())
        return block, whole[len(pads) :].named(id=session)
