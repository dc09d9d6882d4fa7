"""Heralded pairs as clicks: what BBM92 and E91 do with pairs of a link in place of a train.

Owns the measuring of pairs, each at a drawn axis, and how an end announces them: by their ids, so that a pair
that is lost or has expired at one end shifts nothing. Does not own the session (session.py), the loop over
pairs (comparison.py) or sifting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ....emulator.wire.bit_planes import packed, planes_for, unpacked
from ...agent import Agent
from ...pulses.settings import as_axes
from ...qubits import Axis
from ..comparison import measure_pairs
from ..correlations import Outcomes
from ..session import RetryPolicy
from ..session_messages import SessionMessage

Bytes = NDArray[np.uint8]
_DEFAULT: tuple[Axis, ...] = ("Z", "X")


class Pairs(SessionMessage, tag="pairs"):
    """Alice -> Bob: so many heralded pairs, in place of a train."""

    count: int


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
    agent: Agent, peer: str, count: int, axes: str | ArrayLike, retry: RetryPolicy
) -> MeasuredPairs:
    """Measure `count` heralded pairs with `peer`, which does so too, each along one of `axes`.

    Fewer come where a pair has expired or the other end has fallen silent. Raises SessionBroken without any.
    """
    given = as_axes(axes)
    along: Sequence[Axis] = _DEFAULT if given is None else given
    named = {str(number): axis for number, axis in enumerate(along)}
    outcomes, begins_ns = Outcomes(agent, named), agent.now_ns
    rounds = await measure_pairs(lambda: agent.entangle(peer), outcomes, count, retry)
    return MeasuredPairs(
        list(rounds),
        np.array([int(setting) for setting, _ in rounds.values()], dtype=np.uint8),
        np.array([bit for _, bit in rounds.values()], dtype=np.uint8),
        count,
        agent.now_ns - begins_ns,
    )


def bases_of(measured: Measured, bases: int) -> Bytes:
    """The bases that were announced."""
    return unpacked(measured.bases, len(measured.pairs), planes_for(bases))
