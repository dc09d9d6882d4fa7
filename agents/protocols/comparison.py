"""Measure and compare: ends choose settings, measure, and exchange settings and outcomes.

Owns the exchange. Does not own what is made of the outcomes (correlations.py) nor lost messages (session.py).

Two ends: `measure_and_compare` gets pairs, measures them and compares, all in one session: when an end is
restarted or the session breaks, both begin anew with new pairs. The end that comes first by name is the
initiator. Any number of ends, whose qubits come from anywhere: each fills its `Outcomes`, then all call
`compare`; the first of the parties collects them and sends each the result.

Every end has the same correlators, and records each round's product as the metric `<node>.<name>.<settings>`,
whose mean is the correlator and whose standard error is the correlator's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from ...emulator.errors import ProgramError, QubitError
from ..agent import Agent
from ..qubits import Pair
from .correlations import Correlations, Outcomes, Settings, correlations, record
from .session import (
    CONFIRMED,
    INCOMPLETE,
    TRIES,
    UNCONFIRMED,
    Initiator,
    Responder,
    RetryPolicy,
    initiate,
    respond,
    within,
)
from .session_messages import SessionBroken, SessionMessage

Table = dict[str, tuple[str, int]]
_Result = tuple[Correlations, list[tuple[str, int]]]
R = TypeVar("R")


class Begin(SessionMessage, tag="begin"):
    """Initiator -> responder: so many rounds."""

    rounds: int


class Ready(SessionMessage, tag="ready"):
    """Responder -> initiator: it measures, too."""


class Measured(SessionMessage, tag="measured"):
    """Either way: round -> (setting, bit)."""

    outcomes: Table


class Compared(SessionMessage, tag="compared"):
    """The first party -> another one: each common round's combination of settings and product."""

    products: list[tuple[str, int]]


class Done(SessionMessage, tag="done"):
    """Initiator -> responder and back: it has its result."""


async def measure_and_compare(
    agent: Agent,
    peer: str,
    settings: Settings,
    rounds: int,
    *,
    name: str = "correlation",
    weights: Sequence[float] | None = None,
    chosen: Sequence[str] | None = None,
    pairs: Callable[[], Awaitable[Pair]] | None = None,
    timeout: str | float | None = None,
    tries: int = TRIES,
) -> Correlations:
    """Measure `rounds` pairs with `peer` at settings of one's own, and compare; both ends call it.

    `settings`: this end's, as for `Outcomes`; drawn (with `weights`), or `chosen` one by one. `pairs`:
    where pairs come from (default: `agent.entangle(peer)`; `LongPairs(...).obtain` over repeaters). `name`
    is that of the records. `timeout` and `tries` as for every session, at both ends the same: longer than a
    round trip, and half of all `tries` longer than a pair takes. Combinations name the setting of the first
    end by name first. An end without a result has no correlators, and the status `incomplete`.
    """
    if rounds < 1 or (chosen is not None and len(chosen) != rounds):
        raise ProgramError(f"{rounds} rounds, with a setting chosen for each or for none")
    retry = RetryPolicy.of(timeout, tries)
    source = partial(agent.entangle, peer) if pairs is None else pairs
    end = _PairEnd(agent, peer, partial(Outcomes, agent, settings, weights), source, chosen)
    end.outcomes()  # settings are checked before anything is sent
    subject = f"comparison.{name}"
    if agent.name < peer:
        result = await initiate(agent, peer, subject, retry, partial(end.lead, rounds))
    else:
        result = await respond(agent, peer, subject, retry, end.follow)
    if result is None:
        return _nothing(sorted((agent.name, peer)))
    found, products = result
    record(agent, name, products)  # once, whatever sessions came before
    return found


class _PairEnd:
    """One end of two."""

    def __init__(
        self,
        agent: Agent,
        peer: str,
        outcomes: Callable[[], Outcomes],
        pairs: Callable[[], Awaitable[Pair]],
        chosen: Sequence[str] | None,
    ) -> None:
        self._agent, self._peer = agent, peer
        self.outcomes, self._pairs, self._chosen = outcomes, pairs, chosen

    async def lead(self, rounds: int, session: Initiator) -> _Result:
        await session.request(Begin(rounds=rounds), Ready)
        mine = await self._measure(rounds, session.retry)
        theirs = await session.request(Measured(outcomes=mine), Measured)
        found, products = self._compared([mine, theirs.outcomes])
        found.status, found.session = await session.conclude(Done(), Done), session.name
        return found, products

    async def follow(self, session: Responder) -> _Result:
        begin: Begin = await session.receive(Begin)
        await session.reply(Ready())
        mine = await self._measure(begin.rounds, session.retry)
        theirs: Measured = await session.receive(Measured)
        await session.reply(Measured(outcomes=mine))
        await session.receive(Done)
        found, products = self._compared([theirs.outcomes, mine])
        await session.reply(Done())
        found.status, found.session = CONFIRMED, session.name
        return found, products

    async def _measure(self, rounds: int, retry: RetryPolicy) -> Table:
        outcomes = self.outcomes()
        if self._chosen is not None and len(self._chosen) != rounds:
            raise ProgramError(f"{self._peer} measures {rounds} rounds, not {len(self._chosen)}")
        return await measure_pairs(self._pairs, outcomes, rounds, retry, self._chosen)

    def _compared(self, tables: list[Table]) -> _Result:
        return correlations(sorted((self._agent.name, self._peer)), tables)


async def measure_pairs(
    pairs: Callable[[], Awaitable[Pair]],
    outcomes: Outcomes,
    rounds: int,
    retry: RetryPolicy,
    chosen: Sequence[str] | None = None,
) -> Table:
    """Settings and bits of so many pairs, or of fewer: the other end may have halves without partners.

    It waits for a pair half as long as the other end waits for what follows. Raises SessionBroken when no
    pair comes at all.
    """
    limit_s = retry.limit_s()
    for number in range(rounds):
        setting = None if chosen is None else chosen[number]
        try:
            pair = await within(limit_s and limit_s / 2, pairs(), "pair")
            await outcomes.measure(pair, setting)
        except QubitError:
            continue  # past its memory's cut-off: a round less
        except SessionBroken:
            if not outcomes.rounds:
                raise
            break
    return outcomes.rounds


# --- any number of ends ---------------------------------------------------------------------------


async def compare(
    agent: Agent,
    parties: Sequence[str],
    outcomes: Outcomes,
    *,
    name: str = "correlation",
    timeout: str | float | None = None,
    tries: int = TRIES,
) -> Correlations:
    """Exchange outcomes among the parties; all of them call it, with the same parties in the same order.

    The first of them collects the outcomes and sends the result. Combinations name settings in the order
    of the parties. The status is `confirmed` at the first party when all others have the result; an end
    without a result has no correlators, and the status `incomplete`.
    """
    if agent.name not in parties or len(set(parties)) < max(2, len(parties)):
        raise ProgramError(f"parties are two nodes or more, this one too: {list(parties)}")
    retry, subject = RetryPolicy.of(timeout, tries), f"comparison.{name}"
    if agent.name == parties[0]:
        return await _collect(agent, parties, outcomes.rounds, name, subject, retry)
    first = parties[0]
    handed = await respond(
        agent, first, f"{subject}.outcomes", retry, partial(_hand_over, outcomes.rounds)
    )
    received = None
    if handed is not None:
        received = await respond(agent, first, f"{subject}.result", retry, _receive_result)
    if received is None:
        return _nothing(parties)
    session, products = received
    found = _from_products(parties, products)
    record(agent, name, products)
    found.status, found.session = CONFIRMED, session
    return found


async def _collect(
    agent: Agent, parties: Sequence[str], mine: Table, name: str, subject: str, retry: RetryPolicy
) -> Correlations:
    others = parties[1:]
    tables = await _of_each(
        others, lambda peer: initiate(agent, peer, f"{subject}.outcomes", retry, _ask)
    )
    if any(table is None for table in tables):
        agent.log.warning("%s: not every party has handed over its outcomes", subject)
        return _nothing(parties)
    found, products = correlations(
        parties, [mine, *(table for table in tables if table is not None)]
    )
    record(agent, name, products)
    statuses = await _of_each(
        others,
        lambda peer: initiate(agent, peer, f"{subject}.result", retry, partial(_send, products)),
    )
    found.status = CONFIRMED if all(each == CONFIRMED for each in statuses) else UNCONFIRMED
    found.session = None
    return found


async def _of_each(peers: Sequence[str], run: Callable[[str], Awaitable[R]]) -> list[R]:
    """For each peer, side by side; in their order."""
    return list(await asyncio.gather(*(run(peer) for peer in peers)))


async def _ask(session: Initiator) -> Table:
    reply = await session.request(Ready(), Measured)
    await session.conclude(Done(), Done)
    return reply.outcomes


async def _hand_over(mine: Table, session: Responder) -> str:
    await session.receive(Ready)
    await session.reply(Measured(outcomes=mine))
    await session.receive(Done)
    await session.reply(Done())
    return session.name


async def _send(products: list[tuple[str, int]], session: Initiator) -> str:
    return await session.conclude(Compared(products=products), Done)


async def _receive_result(session: Responder) -> tuple[str, list[tuple[str, int]]]:
    compared: Compared = await session.receive(Compared)
    await session.reply(Done())
    return session.name, compared.products


def _from_products(parties: Sequence[str], products: Sequence[tuple[str, int]]) -> Correlations:
    """The same correlators, from what the first party has sent."""
    table = {
        f"{at}": (name, 0 if product > 0 else 1) for at, (name, product) in enumerate(products)
    }
    found, _ = correlations([parties[0]], [table])
    found.parties = list(parties)
    return found


def _nothing(parties: Sequence[str]) -> Correlations:
    return Correlations(list(parties), {}, 0, INCOMPLETE)
