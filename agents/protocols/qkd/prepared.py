"""BB84 on pulse trains, and the exchange of protocols that prepare and measure: a sifted or a secret key.

Owns the messages and both ends' programs; a protocol is a `Scheme`: along which axes the ends prepare and
measure, what the sender announces of each click, and which clicks then count. Does not own the steps of
sifting that trains of any kind share (sifting.py), nor decoy states (decoy.py): all slots are sent with the
first setting of the source; nor the way from a sifted key to a secret one (processing/).

The receiver announces that it listens; the sender sends its train; the receiver announces which slots
clicked; the sender announces its hints, one for each click; the receiver announces which clicks count. A
random sample of their bits is compared in public. With `distil` it is all of basis X, and Z makes the key:
the same session leads to a secret key, and all its messages are authenticated. As many clicks as there may
have been pulses of several photons count as known to an eavesdropper.

The sender is the initiator (session.py); its last request are its bits. With a `timeout`, at both ends the
same and longer than a round trip of a message, messages may be lost and ends killed: a session that is
broken, or whose train did not come whole, is begun anew with a new train, and the results say what is
`confirmed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....emulator.errors import ProgramError
from ....emulator.wire.bit_planes import packed, planes_for, unpacked
from ...agent import Agent
from ...pulses.trains import PulseTrain
from ..session import (
    CONFIRMED,
    TRIES,
    Initiator,
    Responder,
    RetryPolicy,
    initiate,
    no_result,
    respond,
)
from ..session_messages import SessionMessage
from .processing.distillation import Account, Distillation, Distiller
from .processing.estimation import Counts, Epsilons, Estimate, most_of, of_pulses
from .sifting import (
    CHECK,
    KEY,
    Bytes,
    Marks,
    Ready,
    Sent,
    SiftedTrain,
    compare,
    compare_as_receiver,
    marks,
    rate,
    slots_as_bytes,
    slots_of,
    whole_train,
)

KIND = "prepared"
#: How probable it is at most that more pulses of a lazy train were sent in a basis than is counted.
_UNSEEN = 1e-15


class Announcement(SessionMessage, tag="announcement"):
    """Sender -> receiver: how many slots will come, and how long their train is."""

    pulses: int
    lasts_ns: int


class Seen(SessionMessage, tag="seen"):
    """Receiver -> sender: the slots that clicked."""

    count: int
    slots: bytes


class Hints(SessionMessage, tag="hints"):
    """Sender -> receiver: what the scheme announces of each click, in bit planes."""

    hints: bytes


class Counting(SessionMessage, tag="counting"):
    """Receiver -> sender: a plane of marks, which clicks count."""

    counting: bytes


class Sampled(SessionMessage, tag="sampled"):
    """Sender -> receiver: a plane of marks, which of all clicks are compared in public."""

    compared: bytes


class Scheme:
    """A protocol: its bases at both ends, and how bits are made of what was sent and seen.

    Arrays are over clicks, uint8. This one is BB84's: the hint is the sender's basis, and what counts are
    clicks whose bases agree.
    """

    #: Bases at both ends, and how often each is drawn; None: all alike.
    axes: str = "ZX"
    weights: tuple[float, ...] | None = None
    #: The bit of all slots; None: drawn.
    bit: int | None = None
    #: How many different hints there are.
    hints: int = 2
    #: Whether clicks that count have one basis at both ends, so that their errors are counted by basis, and
    #: that of one basis bound what is known of another.
    by_basis: bool = True

    def hint(self, bases: Bytes, bits: Bytes, rng: np.random.Generator) -> Bytes:
        """What the sender announces."""
        del bits, rng
        return bases

    def counting(self, bases: Bytes, bits: Bytes, hints: Bytes) -> Marks:
        """Which clicks count, by the receiver's bases and bits."""
        del bits
        same: Marks = bases == hints
        return same

    def key_as_sender(self, bases: Bytes, bits: Bytes) -> Bytes:
        """The sender's key bits."""
        del bases
        return bits

    def key_as_receiver(self, bases: Bytes, bits: Bytes) -> Bytes:
        """The receiver's key bits, of clicks that count."""
        del bases
        return bits


class Exclusion(Scheme):
    """Key bit: the sender's basis, one state of which is announced for each basis.

    A click counts if it excludes one of the two states that were announced; it was the other one. A hint is
    the state's bit in basis 0, and twice that in basis 1.
    """

    hints = 4
    by_basis = False

    def hint(self, bases: Bytes, bits: Bytes, rng: np.random.Generator) -> Bytes:
        raise NotImplementedError

    def counting(self, bases: Bytes, bits: Bytes, hints: Bytes) -> Marks:
        excluded: Marks = bits != (hints >> bases & 1)
        return excluded

    def key_as_sender(self, bases: Bytes, bits: Bytes) -> Bytes:
        del bits
        return bases

    def key_as_receiver(self, bases: Bytes, bits: Bytes) -> Bytes:
        del bits
        return 1 - bases


@dataclass(frozen=True, kw_only=True)
class Exchange(SiftedTrain):
    """What an end knows after sifting; `agree` marks clicks that count, `bits` are key bits there."""

    scheme: Scheme
    pulses: int
    bases: Bytes
    account: Account | None = None

    def summary(self) -> dict[str, Any]:
        """Counts, gain, share of clicks that count, QBER; None without any."""
        clicks, sifted = len(self.bits), int(self.agree.sum())
        compared, errors = len(self.wrong), int(self.wrong.sum())
        by_basis = {
            name: self._in_basis(basis)
            for basis, name in enumerate(self.scheme.axes if self.scheme.by_basis else "")
        }
        return {
            **({} if self.account is None else {"key": self.account.summary()}),
            "pulses": self.pulses,
            "clicks": clicks,
            "gain": clicks / self.pulses,
            "sifted": sifted,
            "share": rate(sifted, clicks),
            "compared": compared,
            "errors": errors,
            "qber": rate(errors, compared),
            **({"by_basis": by_basis} if by_basis else {}),
            "kept": len(self.sifted_bits) if self.account is None else self.account.sifted,
            "status": self.status,
            "session": self.session,
        }

    def _in_basis(self, basis: int) -> dict[str, Any]:
        here = self.bases == basis
        counts = self.errors(here)
        return {
            "sifted": int((here & self.agree).sum()),
            **counts,
            "qber": rate(counts["errors"], counts["compared"]),
        }


class Sender(Agent):
    """Prepares `pulses` slots in Z or X for `peer`; compares `sample` of the sifted bits.

    `lazy`: bases and bits are a hash of the slot's number, so that a train of any length costs what its
    clicks do; the receiver must be lazy, too. Returns counts (`pulses`, `clicks`, `sifted`, `compared`,
    `errors`, `kept`), `gain`, `share` (of clicks that count), `qber`, `by_basis` where ends agree on bases,
    `status`, `session`. With `distil` at both ends also `key`: the account of a secret key (docs/qkd.md).
    Raises ProgramError for `distil` where ends do not agree on bases.
    """

    #: The kind of its sessions, and the protocol.
    kind: ClassVar[str] = KIND
    scheme: Scheme = Scheme()

    async def run(
        self,
        peer: str,
        pulses: int = 1_000_000,
        sample: float = 0.5,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
        lazy: bool = False,
        distil: Distillation | None = None,
    ) -> dict[str, Any]:
        if not 0 <= sample <= 1:
            raise ProgramError(f"sample must be in [0, 1], not {sample}")
        if pulses < 1:
            raise ProgramError(f"pulses must be at least 1, not {pulses}")
        end = _distiller(self, self.name, peer, distil)
        retry = RetryPolicy.of(timeout, tries)
        await self.contact(peer, link=link)
        found = await self.exchange(peer, pulses, sample, link, retry, lazy, end)
        return no_result() if found is None else found.summary()

    async def exchange(
        self,
        peer: str,
        pulses: int,
        sample: float,
        link: str | None,
        retry: RetryPolicy,
        lazy: bool = False,
        end: Distiller | None = None,
    ) -> Exchange | None:
        """One train, sifted, compared and distilled by `end`; None if no session came to an end."""
        part = partial(self.one_train, peer, pulses, sample, link, lazy, end)
        return await initiate(self, peer, self.kind, retry, part, None if end is None else end.pads)

    async def one_train(
        self,
        peer: str,
        pulses: int,
        sample: float,
        link: str | None,
        lazy: bool,
        end: Distiller | None,
        session: Initiator,
    ) -> Exchange:
        """The sending end's part of one session. Raises SessionBroken."""
        scheme = self.scheme
        lasts_ns = pulses * self.pulse_period_ps // 1000
        await session.request(Announcement(pulses, lasts_ns), Ready)
        train = await self.pulses(
            peer,
            pulses,
            scheme.bit,
            0,
            link=link,
            axes=scheme.axes,
            weights=scheme.weights,
            lazy=lazy,
        )
        seen = await session.request(Sent(), Seen)
        bases, bits, _ = train.at(slots_of(seen.slots, seen.count))
        hints = packed(scheme.hint(bases, bits, self.rng), planes_for(scheme.hints))
        counting = await session.request(Hints(hints), Counting)
        agree = marks(counting.counting, seen.count)
        if end is None:
            compared = agree & (self.rng.random(seen.count) < sample)
        else:
            await end.sift(seen.count)
            compared = agree & (bases == CHECK)
        key = scheme.key_as_sender(bases, bits)
        sampled = Sampled(packed(compared))
        wrong, status = await compare(session, sampled, key[compared], last=end is None)
        account = None
        if end is not None:
            kept = key[agree & (bases == KEY)]
            told = Counts(kept=len(kept), compared=len(wrong), errors=int(wrong.sum()))
            sent = [self._sent(train, basis) for basis in (KEY, CHECK)]
            estimate = partial(_estimate, told, sent, self.intensities[0].several)
            rate = float(wrong.mean()) if len(wrong) else 0.5
            account, status = await end.initiate(session, kept, rate, estimate)
        return Exchange(
            scheme=scheme,
            pulses=pulses,
            bases=bases,
            bits=key,
            agree=agree,
            compared=compared,
            wrong=wrong,
            account=account,
            status=status,
            session=session.name,
        )

    def _sent(self, train: PulseTrain, basis: int) -> int:
        """How many pulses were sent in a basis: counted, or of a lazy train how many at most."""
        if not train.is_lazy:
            return int((train.bases == basis).sum())
        shares = self.scheme.weights or (1 / len(self.scheme.axes),) * len(self.scheme.axes)
        return most_of(len(train), shares[basis], _UNSEEN)


class Receiver(Agent):
    """Detects the train of `peer` in bases that are drawn. Returns as the sender does."""

    kind: ClassVar[str] = KIND
    scheme: Scheme = Scheme()

    async def run(
        self,
        peer: str,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
        lazy: bool = False,
        distil: Distillation | None = None,
    ) -> dict[str, Any]:
        end = _distiller(self, peer, self.name, distil)
        found = await self.exchange(peer, link, RetryPolicy.of(timeout, tries), lazy, end)
        return no_result() if found is None else found.summary()

    async def exchange(
        self,
        peer: str,
        link: str | None,
        retry: RetryPolicy,
        lazy: bool = False,
        end: Distiller | None = None,
    ) -> Exchange | None:
        """One train, sifted, compared and distilled by `end`; None if no session came to an end."""
        part = partial(self.one_train, peer, link, lazy, end)
        return await respond(self, peer, self.kind, retry, part, None if end is None else end.pads)

    async def one_train(
        self, peer: str, link: str | None, lazy: bool, end: Distiller | None, session: Responder
    ) -> Exchange:
        """The receiving end's part of one session. Raises SessionBroken."""
        scheme = self.scheme
        plan: Announcement = await session.receive(Announcement)
        await session.reply(Ready())
        lasts_s = plan.lasts_ns / 1e9
        looking = self.detect(peer, link=link, axes=scheme.axes, weights=scheme.weights, lazy=lazy)
        clicks = await whole_train(looking, plan.pulses, session.retry.limit_s(lasts_s))
        await session.receive(Sent, lasts_s)
        await session.reply(Seen(len(clicks), slots_as_bytes(clicks)))
        hints: Hints = await session.receive(Hints)
        told = unpacked(hints.hints, len(clicks), planes_for(scheme.hints))
        agree = scheme.counting(clicks.bases, clicks.bits, told)
        await session.reply(Counting(packed(agree)))
        sampled: Sampled = await session.receive(Sampled)
        compared = marks(sampled.compared, len(clicks))
        key = scheme.key_as_receiver(clicks.bases, clicks.bits)
        wrong = await compare_as_receiver(session, key[compared])
        account = None
        if end is not None:
            account = await end.respond(session, key[agree & (clicks.bases == KEY)])
        return Exchange(
            scheme=scheme,
            pulses=plan.pulses,
            bases=clicks.bases,
            bits=key,
            agree=agree,
            compared=compared,
            wrong=wrong,
            account=account,
            status=CONFIRMED,
            session=session.name,
        )


def _distiller(
    agent: Sender | Receiver, first: str, second: str, distil: Distillation | None
) -> Distiller | None:
    """An end's way to a secret key. Raises ProgramError for a protocol without a bound."""
    if distil is None:
        return None
    if not agent.scheme.by_basis:
        raise ProgramError(f"distil: there is no bound here for the key of {agent.kind}")
    return Distiller(agent, first, second, distil)


def _estimate(
    counts: Counts,
    sent: list[int],
    several: float,
    wrong: NDArray[np.bool_],
    leaked: int,
    epsilons: Epsilons,
) -> Estimate:
    """`sent`: pulses in the basis of the key and in that of the check."""
    del wrong
    key_pulses, check_pulses = sent
    return of_pulses(
        counts, leaked, epsilons, key_pulses=key_pulses, check_pulses=check_pulses, several=several
    )
