"""BBM92: entangled pairs, both ends measuring in Z or X: a sifted or a secret key.

Bennett, Brassard, Mermin, PRL 68, 557 (1992). Gains and error rates to expect from down-conversion: Ma, Fung,
Lo, PRA 76, 012307 (2007).

Owns the exchange of one train, or of heralded pairs; e91.py shares it. Does not own which clicks are
coincidences (coincidences.py), how heralded pairs are measured (heralded.py), sifting (sifting.py), or the
way from a sifted key to a secret one (processing/).

Once Bob has announced that he listens, Alice has the source send (pair_source.py). Bob announces his clicks;
Alice finds the coincidences and announces which of Bob's clicks they are, in which of them the bases agree,
and which of those are compared in public. The source may stand in the middle, or at Alice's. If it has no
clock, clicks are time tags, and a window says which of them are coincidences. With `pairs` both ends measure
pairs that are heralded, by their link or by the network, as if each were a click. With `distil` all of
basis X is compared, and Z makes the key: the session leads to a secret key, and all its messages are
authenticated. The source needs no trust, and neither does a repeater.

Alice is the initiator (session.py), towards Bob and the source; her last request to Bob are her bits. With
a `timeout`, at all the same and longer than a round trip of a message, messages may be lost and nodes
killed: a session that is broken, or whose train did not come whole, is begun anew with a new train, and the
results say what is `confirmed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....emulator.errors import ProgramError
from ....emulator.wire.bit_planes import packed
from ...agent import Agent
from ...contacts import planned
from ...options.values import Seconds
from ...pulses.settings import DEFAULT_AXES, as_axes, count_of
from ...pulses.trains import Clicks
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
from ..session_messages import SessionBroken, SessionMessage
from .coincidences import Choice, Detected, heard
from .heralded import MeasuredPairs, Pairs, measured_pairs
from .pair_source import Ordered, Wanted, serve_train, while_planned
from .processing.distillation import Account, Distillation, Distiller
from .processing.estimation import Counts, Epsilons, Estimate, of_pairs
from .sifting import (
    BASES,
    CHECK,
    KEY,
    Bytes,
    Marks,
    Ready,
    SiftedTrain,
    announced,
    compare,
    compare_as_receiver,
    marks,
    rate,
    whole_train,
)

KIND = "bbm92"


class Train(SessionMessage, tag="train"):
    """Alice -> Bob: how many slots will come, and how long that takes.

    `tagged`: whether a click is a time tag, with a basis that is drawn for it alone.
    """

    slots: int
    lasts_ns: int
    tagged: bool = False


class Coincident(SessionMessage, tag="coincident"):
    """Alice -> Bob, for each of his clicks: is it a coincidence, do the bases agree, is it compared.

    `clicks` are hers, `slots` those of the train, which lasted `lasts_ns`; the window is `width` slots.
    """

    coincident: bytes
    agree: bytes
    compared: bytes
    clicks: int
    slots: int
    lasts_ns: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Exchange(SiftedTrain):
    """What an end knows after sifting; arrays are over coincidences only."""

    slots: int
    lasts_ns: int
    #: The window of a coincidence, in slots; 0: none is by chance.
    width: int
    #: Clicks of Alice and Bob.
    singles: tuple[int, int]
    bases: Bytes
    account: Account | None = None

    def summary(self) -> dict[str, Any]:
        """Counts, gain, rate, QBER and the ratio of coincidences to accidental ones; None without any."""
        coincidences, compared, errors = len(self.bits), len(self.wrong), int(self.wrong.sum())
        first, second = self.singles
        accidental = first * second * self.width / self.slots
        sifted = int(self.agree.sum())
        by_basis = {name: self.errors(self.bases == basis) for basis, name in enumerate(BASES)}
        return {
            **({} if self.account is None else {"key": self.account.summary()}),
            "slots": self.slots,
            "singles": [first, second],
            "coincidences": coincidences,
            "gain": coincidences / self.slots,
            "car": coincidences / accidental if accidental else None,
            "sifted": sifted,
            "sifted_hz": sifted * 1e9 / self.lasts_ns if self.lasts_ns > 0 else None,
            "compared": compared,
            "errors": errors,
            "qber": rate(errors, compared),
            "by_basis": by_basis,
            "kept": len(self.sifted_bits),
            "status": self.status,
            "session": self.session,
        }


class Source(Agent):
    """Sends `slots` slots of pairs to `alice` and `bob` when Alice requests it, or for a `duration`.

    Returns their number.
    """

    async def run(
        self,
        alice: str,
        bob: str,
        slots: int = 1_000_000,
        duration: Seconds | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
    ) -> int:
        part = partial(serve_train, self, alice, bob, slots_in(self, slots, duration))
        contacts, retry = planned(self.links, (alice, bob), None), RetryPolicy.of(timeout, tries)
        served = respond(self, alice, KIND, retry, part, patient=contacts is not None)
        return await while_planned(self, contacts, retry, served) or 0


class Alice(Agent):
    """Detects what `source` sends, and sifts with `peer`; compares `sample` of the bits.

    Without a `source` it is here: she sends `slots` slots, or for a `duration`, one arm to `peer`, and keeps
    the other one. With `pairs` there is none: both ends measure so many heralded pairs, of their link or
    `over` the network, which has repeaters join them. `window` is the full width of a coincidence
    ("2 ns"), which clicks without slots need; `weights` are how often each axis is measured along.

    Returns counts (`slots`, `singles`, `coincidences`, `sifted`, `compared`, `errors`, `kept`), `gain`,
    `sifted_hz`, `qber`, `by_basis`, `car` (coincidences to accidental ones), `status`, `session`. With
    `distil` at both ends also `key`: that of a secret key (docs/qkd.md).
    """

    #: What she measures along, and how often each of them, unless a beam splitter chooses.
    axes: ClassVar[str | ArrayLike] = DEFAULT_AXES
    weights: Sequence[float] | None = None

    async def run(
        self,
        peer: str,
        source: str | None = None,
        slots: int = 1_000_000,
        duration: Seconds | None = None,
        pairs: int | None = None,
        over: Literal["link", "network"] = "link",
        sample: float = 0.5,
        window: str | None = None,
        weights: list[float] | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
        distil: Distillation | None = None,
    ) -> dict[str, Any]:
        choice, retry, self.weights = (
            Choice.of(sample, window),
            RetryPolicy.of(timeout, tries),
            weights,
        )
        end = distiller(self, self.name, peer, distil)
        wanted: Pairs | None = None
        if pairs is not None:
            _check_pairs(pairs, source, window, weights)
            wanted = Pairs(pairs, over == "network")
        elif over != "link":
            raise ProgramError("over: network needs pairs")
        elif source is None:
            slots = slots_in(self, slots, duration)
        found = await self.exchange(peer, source, slots, wanted, choice, retry, end)
        return no_result() if found is None else found.summary()

    async def exchange(
        self,
        peer: str,
        source: str | None,
        slots: int,
        pairs: Pairs | None,
        choice: Choice,
        retry: RetryPolicy,
        end: Distiller | None = None,
    ) -> Exchange | None:
        """One train, or heralded pairs, sifted and compared; None if no session came to an end."""
        if pairs is not None:
            part = partial(self._from_pairs, peer, pairs, choice, end)
        elif source is None:
            part = partial(self._from_here, peer, slots, choice, end)
        else:
            part = partial(self.from_between, source, choice, end)
        return await initiate(self, peer, KIND, retry, part, None if end is None else end.pads)

    async def _from_pairs(
        self, peer: str, pairs: Pairs, choice: Choice, end: Distiller | None, session: Initiator
    ) -> Exchange:
        """A session in which both ends measure heralded pairs."""
        await session.request(pairs, Ready)
        measured = await measured_pairs(self, peer, pairs, self.axes, session)
        return await self._sift(measured, choice, end, session)

    async def _from_here(
        self, peer: str, slots: int, choice: Choice, end: Distiller | None, session: Initiator
    ) -> Exchange:
        """A session with the source at this node."""
        tagged = choice.window_ps is not None
        train = Train(slots, slots * self.pulse_period_ps // 1000, tagged)
        await session.request(train, Ready)
        clicks, _ = await asyncio.gather(
            self.detect(self.name, axes=self.axes, weights=weights_of(self), lazy=tagged),
            self.pair_pulses(self.name, peer, slots),
        )
        return await self._sift(clicks, choice, end, session)

    async def from_between(
        self,
        source: str,
        choice: Choice,
        end: Distiller | None,
        session: Initiator,
        subject: str = KIND,
        wanted: Wanted | None = None,
    ) -> Exchange:
        """A session with the source at another node, and one with that node, about `subject`."""
        tagged = choice.window_ps is not None
        wanted = Wanted() if wanted is None else wanted
        train = await Ordered.of(self, source, subject, session.retry, wanted)
        if not train.slots:
            raise SessionBroken("no common pass is planned any more", hopeless=True)
        await train.begins()
        await session.request(Train(train.slots, train.lasts_ns, tagged), Ready)
        detecting = self.detect(source, axes=self.axes, weights=weights_of(self), lazy=tagged)
        clicks = await train.taken(whole_train(detecting, train.slots, None), "detect")
        found = await self._sift(clicks, choice, end, session)
        await train.done()
        return found

    async def _sift(
        self,
        clicks: Clicks | MeasuredPairs,
        choice: Choice,
        end: Distiller | None,
        session: Initiator,
    ) -> Exchange:
        their_slots, their_bases = await heard(clicks, session)
        width, ours, theirs = choice.coincidences(clicks, their_slots)
        bits, bases = clicks.bits[ours], clicks.bases[ours]
        agree = their_bases[theirs] == bases
        if end is None:
            compared = agree & (self.rng.random(len(ours)) < choice.sample)
        else:
            await end.sift(len(clicks))
            compared = agree & (bases == CHECK)
        count = len(their_slots)
        coincident = Coincident(
            plane_of(count, theirs),
            plane_of(count, theirs[agree]),
            plane_of(count, theirs[compared]),
            len(clicks),
            clicks.seen,
            clicks.lasts_ns,
            width,
        )
        wrong, status = await compare(session, coincident, bits[compared], last=end is None)
        account = None
        if end is not None:
            kept = bits[agree & (bases == KEY)]
            told = Counts(kept=len(kept), compared=len(wrong), errors=int(wrong.sum()))
            error_rate = float(wrong.mean()) if len(wrong) else 0.5
            estimate = partial(_estimate, told)
            account, status = await end.initiate(session, kept, error_rate, estimate)
        return Exchange(
            slots=clicks.seen,
            lasts_ns=clicks.lasts_ns,
            width=width,
            singles=(len(clicks), count),
            bits=bits,
            bases=bases,
            agree=agree,
            compared=compared,
            wrong=wrong,
            account=account,
            status=status,
            session=session.name,
        )


class Bob(Agent):
    """Detects what `source` (or `peer` herself) sends, or measures pairs with `peer`, and sifts with `peer`.

    `weights` are his own. Returns as Alice does.
    """

    #: What he measures along, and how often each of them, unless a beam splitter chooses.
    axes: ClassVar[str | ArrayLike] = DEFAULT_AXES
    weights: Sequence[float] | None = None

    async def run(
        self,
        peer: str,
        source: str | None = None,
        weights: list[float] | None = None,
        timeout: str | None = None,
        tries: int = TRIES,
        distil: Distillation | None = None,
    ) -> dict[str, Any]:
        end, self.weights = distiller(self, peer, self.name, distil), weights
        found = await self.exchange(peer, source, RetryPolicy.of(timeout, tries), end)
        return no_result() if found is None else found.summary()

    async def exchange(
        self, peer: str, source: str | None, retry: RetryPolicy, end: Distiller | None = None
    ) -> Exchange | None:
        """One train, sifted and compared; None if no session came to an end."""
        source, pads = peer if source is None else source, None if end is None else end.pads
        part = partial(self._session, peer, source, end)
        contacts = planned(self.links, (source,), None)
        served = respond(self, peer, KIND, retry, part, pads, patient=contacts is not None)
        return await while_planned(self, contacts, retry, served)

    async def _session(
        self, peer: str, source: str, end: Distiller | None, session: Responder
    ) -> Exchange:
        wanted: Train | Pairs = await session.receive(Train | Pairs)
        await session.reply(Ready())
        if isinstance(wanted, Train):
            return await self._of_train(wanted, source, end, session)
        measured = await measured_pairs(self, peer, wanted, self.axes, session)
        await session.receive(Detected)
        await session.reply(measured.announced(count_of(as_axes(self.axes))))
        return await self._sift(measured, end, session)

    async def _of_train(
        self, train: Train, source: str, end: Distiller | None, session: Responder
    ) -> Exchange:
        # Alice may wait as long for the source as for Bob
        more_s = train.lasts_ns / 1e9 + (session.retry.limit_s() or 0.0)
        limit_s = session.retry.limit_s(more_s)
        detecting = self.detect(source, axes=self.axes, weights=weights_of(self), lazy=train.tagged)
        clicks = await whole_train(detecting, train.slots, limit_s)
        await session.receive(Detected, more_s)
        await session.reply(announced(clicks, count_of(as_axes(self.axes))))
        return await self._sift(clicks, end, session)

    async def _sift(
        self, clicks: Clicks | MeasuredPairs, end: Distiller | None, session: Responder
    ) -> Exchange:
        sifted: Coincident = await session.receive(Coincident)
        count = len(clicks)
        coincident, agree, compared = (
            marks(plane, count) for plane in (sifted.coincident, sifted.agree, sifted.compared)
        )
        bits, bases = clicks.bits[coincident], clicks.bases[coincident]
        agree, compared = agree[coincident], compared[coincident]
        wrong = await compare_as_receiver(session, bits[compared])
        account = None
        if end is not None:
            account = await end.respond(session, bits[agree & (bases == KEY)])
        return Exchange(
            slots=sifted.slots,
            lasts_ns=sifted.lasts_ns,
            width=sifted.width,
            singles=(sifted.clicks, count),
            bits=bits,
            bases=bases,
            agree=agree,
            compared=compared,
            wrong=wrong,
            account=account,
            status=CONFIRMED,
            session=session.name,
        )


def slots_in(agent: Agent, slots: int, duration: float | None) -> int:
    """How many slots of this node's source a train has: `slots`, or those of a duration in seconds."""
    period_ps = agent.pulse_period_ps
    if duration is None or not period_ps:
        return slots
    return max(1, round(duration * 1e12 / period_ps))


def weights_of(end: Alice | Bob) -> Sequence[float] | None:
    """How often an end chooses each of its axes; None: alike, or a beam splitter does."""
    return None if end.detects == "passive" else end.weights


def _check_pairs(
    pairs: int, source: str | None, window: str | None, weights: list[float] | None
) -> None:
    """Raises ProgramError for pairs that are none, and for options that only trains have."""
    if weights is not None:
        raise ProgramError("weights go with trains of pairs, not with heralded pairs")
    if pairs < 1 or source is not None or window is not None:
        raise ProgramError(
            f"pairs: expected at least 1, without a source and a window, found {pairs}, source {source} and "
            f"window {window}"
        )


def plane_of(count: int, places: NDArray[np.intp]) -> bytes:
    """A plane of `count` marks, those at `places` set."""
    found: Marks = np.zeros(count, dtype=bool)
    found[places] = True
    return packed(found)


def distiller(
    agent: Alice | Bob, first: str, second: str, distil: Distillation | None
) -> Distiller | None:
    """An end's way to a secret key. Raises ProgramError for other axes than those of BBM92."""
    if distil is None:
        return None
    if agent.axes is not DEFAULT_AXES:
        raise ProgramError("distil: there is no bound here for a key along other axes than Z and X")
    return Distiller(agent, first, second, distil)


def _estimate(
    counts: Counts, wrong: NDArray[np.bool_], leaked: int, epsilons: Epsilons
) -> Estimate:
    del wrong
    return of_pairs(counts, leaked, epsilons)
