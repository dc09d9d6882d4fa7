"""Heralded pairs as clicks: what BBM92 and E91 do with pairs in place of a train.

Owns where pairs come from (the link of both ends, or the network), the measuring, each at a drawn axis, and
how an end announces them: by their ids, so that a pair that is lost or has expired at one end shifts nothing.
Does not own the session (session.py), the loop over pairs (comparison.py) or sifting.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....emulator.wire.bit_planes import packed, planes_for, unpacked
from ...agent import Agent
from ...network_words import NetworkError
from ...pulses.settings import as_axes
from ...qubits import Axis, Pair
from ..comparison import measure_pairs
from ..correlations import Outcomes
from ..session import Initiator, Responder
from ..session_messages import SessionBroken, SessionMessage

Bytes = NDArray[np.uint8]
_DEFAULT: tuple[Axis, ...] = ("Z", "X")


class Pairs(SessionMessage, tag="pairs"):
    """Alice -> Bob: so many heralded pairs, in place of a train; of the network, or of their link."""

    count: int
    network: bool = False


class Measured(SessionMessage, tag="measured"):
    """Bob -> Alice: the pairs that he has measured, and his bases in bit planes."""

    pairs: list[str]
    bases: bytes


@dataclass(frozen=True)
class MeasuredPairs:
    """What an end has measured, as clicks: pair i in slot i.

    `seen` pairs were asked for, which took `lasts_ns`; `ids` are those that were measured.
    """

    ids: list[str]
    bases: Bytes
    bits: Bytes
    seen: int
    lasts_ns: int

    @property
    def slots(self) -> NDArray[np.int64]:
        """A number for each."""
        return np.arange(len(self.ids))

    def announced(self, bases: int) -> Measured:
        """As Bob announces them, who chose from so many bases."""
        return Measured(self.ids, packed(self.bases, planes_for(bases)))

    def numbers(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """The slots here of the other end's pairs; numbers of no slot for those that are unknown here."""
        known = {name: number for number, name in enumerate(self.ids)}
        strangers = range(len(self.ids), len(self.ids) + len(ids))
        found = [known.get(name, stranger) for name, stranger in zip(ids, strangers, strict=True)]
        return np.array(found, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ids)


async def measured_pairs(
    agent: Agent, peer: str, wanted: Pairs, axes: str | ArrayLike, session: Initiator | Responder
) -> MeasuredPairs:
    """Measure heralded pairs with `peer`, which does so too, each along one of `axes`.

    Fewer come where a pair has expired or the other end has fallen silent. Raises SessionBroken without any.
    """
    given = as_axes(axes)
    along: Sequence[Axis] = _DEFAULT if given is None else given
    named = {str(number): axis for number, axis in enumerate(along)}
    outcomes, begins_ns = Outcomes(agent, named), agent.now_ns
    async with _supply(agent, peer, wanted, session) as obtain:
        rounds = await measure_pairs(obtain, outcomes, wanted.count, session.retry)
    return MeasuredPairs(
        list(rounds),
        np.array([int(setting) for setting, _ in rounds.values()], dtype=np.uint8),
        np.array([bit for _, bit in rounds.values()], dtype=np.uint8),
        wanted.count,
        agent.now_ns - begins_ns,
    )


@asynccontextmanager
async def _supply(
    agent: Agent, peer: str, wanted: Pairs, session: Initiator | Responder
) -> AsyncIterator[Callable[[], Awaitable[Pair]]]:
    """Where this end's halves come from. The network tells sessions apart by their names."""
    if not wanted.network:
        yield partial(agent.entangle, peer)
        return
    stream: AsyncIterator[Pair]
    if isinstance(session, Initiator):
        stream = agent.network.pairs(peer, wanted.count, purpose=session.name)
    else:
        stream = agent.network.arriving(peer, purpose=session.name, count=wanted.count)

    async def obtain() -> Pair:
        try:
            return await anext(stream)
        except (NetworkError, StopAsyncIteration) as error:
            raise SessionBroken(f"no more pairs with {peer}: {error}") from error

    async with aclosing(cast("AsyncGenerator[Pair]", stream)):
        yield obtain


def bases_of(measured: Measured, bases: int) -> Bytes:
    """The bases that were announced."""
    return unpacked(measured.bases, len(measured.pairs), planes_for(bases))
