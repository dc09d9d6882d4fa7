"""BB84 with weak pulses and decoy states: gains and error rates by intensity, and a secret key.

Decoy states: Hwang, PRL 91, 057901 (2003); Lo, Ma, Chen, PRL 94, 230504 (2005); Wang, PRL 94, 230503
(2005). Gains and QBERs to expect: Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005).

Owns the exchange of one train and what it counts by intensity. Does not own sifting (sifting.py), the
bounds that follow from gains and errors, nor the way from a sifted key to a secret one (processing/).

The receiver announces that it listens; the sender sends its train; the receiver announces its clicks; the
sender announces which bases agree, and with which intensity each of those clicks was sent. The first
setting of the source is the signal. All sifted bits of the others are compared in public, and a sample of
the signal's. With `distil` they are divided by basis in their place: Z makes the key, of all intensities, and
X is compared, all of it; the same session leads to a secret key, and all its messages are authenticated.

The sender is the initiator (session.py); its last request are its bits. With a `timeout`, at both ends the
same and longer than a round trip of a message, messages may be lost and ends killed: a session that is
broken, or whose train did not come whole, is begun anew with a new train, and the results say what is
`confirmed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....emulator.errors import ProgramError
from ....emulator.wire.bit_planes import packed, planes_for, unpacked
from ...agent import Agent
from ...pulses.settings import Intensity
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
from .processing.estimation import DecoyCounts, Epsilons, Estimate, of_decoys
from .sifting import (
    CHECK,
    KEY,
    Bytes,
    Clicked,
    Marks,
    Ready,
    Sent,
    SiftedTrain,
    announced,
    compare,
    compare_as_receiver,
    marks,
    rate,
    slots_and_bases,
    whole_train,
)

KIND = "decoy"
SIGNAL = 0


class Announcement(SessionMessage, tag="announcement"):
    """Sender -> receiver: how many slots will come, and how long their train is."""

    pulses: int
    lasts_ns: int


class Sifted(SessionMessage, tag="sifted"):
    """Sender -> receiver, for each click: do the bases agree, is the bit compared, which intensity.

    `means` are the mean photon numbers of the settings, `sent` how often each was sent (of a lazy train: how
    often by its probability).
    """

    agree: bytes
    compared: bytes
    intensities: bytes
    means: list[float]
    sent: list[int | float]


@dataclass(frozen=True, kw_only=True)
class Exchange(SiftedTrain):
    """What an end knows after sifting: also the settings of the source, and that of each click."""

    means: list[float]
    sent: list[int | float]
    intensities: Bytes
    account: Account | None = None

    @property
    def sifted_bits(self) -> Bytes:
        """The signal's bits whose bases agree and that were not compared; for a secret key, all of these."""
        if self.account is not None:
            return super().sifted_bits
        kept: Bytes = self.bits[self.agree & ~self.compared & (self.intensities == SIGNAL)]
        return kept

    def setting(self, index: int) -> dict[str, Any]:
        """Gain and QBER of one setting; None where nothing was sent, or compared."""
        here = self.intensities == index
        sent, clicks = self.sent[index], int(here.sum())
        counts = self.errors(here)
        return {
            "mean": self.means[index],
            "sent": sent,
            "clicks": clicks,
            "gain": clicks / sent if sent else None,
            **counts,
            "qber": rate(counts["errors"], counts["compared"]),
        }

    def summary(self) -> dict[str, Any]:
        """Counts, and one entry for the signal and each decoy: `signal`, `decoy_1`, `decoy_2` ..."""
        settings = {
            "signal" if index == SIGNAL else f"decoy_{index}": self.setting(index)
            for index in range(len(self.means))
        }
        return {
            **({} if self.account is None else {"key": self.account.summary()}),
            "pulses": round(sum(self.sent)),
            "clicks": len(self.bits),
            "sifted": int(self.agree.sum()),
            "compared": int(self.compared.sum()),
            "kept": len(self.sifted_bits),
            **settings,
            "status": self.status,
            "session": self.session,
        }


class Sender(Agent):
    """Sends `pulses` slots to `peer`; compares `sample` of the signal's sifted bits.

    Bases, bits and intensities are drawn; how often which intensity, is the source's `probabilities`. With
    `lazy` they are a hash of the slot's number, so that a train of any length costs what its clicks do; the
    receiver must be lazy, too. `z`: how often a slot is sent in Z, the same at the receiver; the rest is X.
    Returns counts (`pulses`, `clicks`, `sifted`, `compared`, `kept`), `status`, `session`, and for the signal
    and each decoy (`signal`, `decoy_1`, ...) its counts, gain and QBER. With `distil` at both ends, and one
    or two decoys, also `key`: the account of a secret key (docs/qkd.md).
    """

    async def run(
        self,
        peer: str,
        pulses: int = 1_000_000,
        sample: float = 0.5,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
        lazy: bool = False,
        z: float = 0.5,
        distil: Distillation | None = None,
    ) -> dict[str, Any]:
        if not 0 <= sample <= 1:
            raise ProgramError(f"sample must be in [0, 1], not {sample}")
        retry = RetryPolicy.of(timeout, tries)
        end = None
        if distil is not None:
            _check_decoys(self.intensities)
            end = Distiller(self, self.name, peer, distil)
        await self.contact(peer, link=link)
        found = await self.exchange(peer, pulses, sample, link, retry, lazy, z, end)
        return no_result() if found is None else found.summary()

    async def exchange(
        self,
        peer: str,
        pulses: int,
        sample: float,
        link: str | None,
        retry: RetryPolicy,
        lazy: bool = False,
        z: float = 0.5,
        end: Distiller | None = None,
    ) -> Exchange | None:
        """One train, sifted, compared and distilled by `end`; None if no session came to an end."""
        part = partial(self.one_train, peer, pulses, sample, link, lazy, shares_of(z), end)
        return await initiate(self, peer, KIND, retry, part, None if end is None else end.pads)

    async def one_train(
        self,
        peer: str,
        pulses: int,
        sample: float,
        link: str | None,
        lazy: bool,
        weights: tuple[float, float] | None,
        end: Distiller | None,
        session: Initiator,
    ) -> Exchange:
        """The sending end's part of one session. Raises SessionBroken."""
        lasts_ns = pulses * self.pulse_period_ps // 1000
        await session.request(Announcement(pulses, lasts_ns), Ready)
        train = await self.pulses(peer, pulses, link=link, weights=weights, lazy=lazy)
        slots, theirs = slots_and_bases(await session.request(Sent(), Clicked))
        bases, bits, intensities = train.at(slots)
        agree = theirs == bases
        if end is None:
            chosen = self.rng.random(len(slots)) < sample
            compared = agree & ((intensities != SIGNAL) | chosen)
        else:
            await end.sift(len(slots))
            compared = agree & (bases == CHECK)
        sifted = _sifted(train, agree, compared, intensities)
        wrong, status = await compare(session, sifted, bits[compared], last=end is None)
        account = None
        if end is not None:
            kept = agree & (bases == KEY)
            estimate = partial(
                _estimate, self.intensities, intensities[kept], intensities[compared], wrong
            )
            rate = float(wrong.mean()) if len(wrong) else 0.5
            account, status = await end.initiate(session, bits[kept], rate, estimate)
        return Exchange(
            means=sifted.means,
            sent=sifted.sent,
            intensities=intensities,
            bits=bits,
            agree=agree,
            compared=compared,
            wrong=wrong,
            account=account,
            status=status,
            session=session.name,
        )


class Receiver(Agent):
    """Detects the train of `peer` in random bases. Returns as the sender does."""

    async def run(
        self,
        peer: str,
        link: str | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
        lazy: bool = False,
        z: float = 0.5,
        distil: Distillation | None = None,
    ) -> dict[str, Any]:
        end = None if distil is None else Distiller(self, peer, self.name, distil)
        found = await self.exchange(peer, link, RetryPolicy.of(timeout, tries), lazy, z, end)
        return no_result() if found is None else found.summary()

    async def exchange(
        self,
        peer: str,
        link: str | None,
        retry: RetryPolicy,
        lazy: bool = False,
        z: float = 0.5,
        end: Distiller | None = None,
    ) -> Exchange | None:
        """One train, sifted, compared and distilled by `end`; None if no session came to an end."""
        part = partial(self.one_train, peer, link, lazy, shares_of(z), end)
        return await respond(self, peer, KIND, retry, part, None if end is None else end.pads)

    async def one_train(
        self,
        peer: str,
        link: str | None,
        lazy: bool,
        weights: tuple[float, float] | None,
        end: Distiller | None,
        session: Responder,
    ) -> Exchange:
        """The receiving end's part of one session. Raises SessionBroken."""
        plan: Announcement = await session.receive(Announcement)
        await session.reply(Ready())
        lasts_s = plan.lasts_ns / 1e9
        limit_s = session.retry.limit_s(lasts_s)
        looking = self.detect(peer, link=link, weights=weights, lazy=lazy)
        clicks = await whole_train(looking, plan.pulses, limit_s)
        await session.receive(Sent, lasts_s)
        await session.reply(announced(clicks))
        sifted: Sifted = await session.receive(Sifted)
        count, planes = len(clicks), planes_for(len(sifted.means))
        agree, compared = marks(sifted.agree, count), marks(sifted.compared, count)
        wrong = await compare_as_receiver(session, clicks.bits[compared])
        account = None
        if end is not None:
            account = await end.respond(session, clicks.bits[agree & (clicks.bases == KEY)])
        return Exchange(
            means=sifted.means,
            sent=sifted.sent,
            intensities=unpacked(sifted.intensities, count, planes),
            bits=clicks.bits,
            agree=agree,
            compared=compared,
            wrong=wrong,
            account=account,
            status=CONFIRMED,
            session=session.name,
        )


def _sifted(train: PulseTrain, agree: Marks, compared: Marks, intensities: Bytes) -> Sifted:
    planes = planes_for(len(train.means))
    return Sifted(
        packed(agree),
        packed(compared),
        packed(intensities, planes),
        train.means,
        train.sent.tolist(),
    )


def shares_of(z: float) -> tuple[float, float] | None:
    """How often Z and X are chosen; None for fair coins. Raises ProgramError for what leaves one out."""
    if not 0 < z < 1:
        raise ProgramError(f"z must be above 0 and below 1, not {z}")
    return None if z == 0.5 else (z, 1 - z)


def _check_decoys(intensities: tuple[Intensity, ...]) -> None:
    """Raises ProgramError for a source whose clicks no bound is for."""
    means = [each.mean for each in intensities]
    fits = len(means) == 3 or (len(means) == 2 and means[1] > 0)
    if not fits or means != sorted(set(means), reverse=True):
        raise ProgramError(
            "a key needs a source with two decoys, or one that is not dark; the signal first and the weakest "
            f"last. Its mean photon numbers are {means}"
        )


def _estimate(
    intensities: tuple[Intensity, ...],
    of_key: Bytes,
    of_check: Bytes,
    check_wrong: Marks,
    wrong: NDArray[np.bool_],
    leaked: int,
    epsilons: Epsilons,
) -> Estimate:
    """Counts by intensity: `of_key` and `of_check` are the settings of those clicks."""

    def counted(settings: Bytes) -> list[int]:
        return [int(count) for count in np.bincount(settings, minlength=len(intensities))]

    counts = DecoyCounts(
        intensities=[each.mean for each in intensities],
        probabilities=[each.probability for each in intensities],
        key_clicks=counted(of_key),
        key_errors=counted(of_key[wrong]),
        check_clicks=counted(of_check),
        check_errors=counted(of_check[check_wrong]),
    )
    return of_decoys(counts, leaked, epsilons)
