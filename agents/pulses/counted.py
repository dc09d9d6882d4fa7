"""Trains that are only counted, as programs see them: of pulses, and of pairs with their coincidences.

Owns what these words of `Agent` do, and the handles that they return. Does not own the numbers
(emulator/optics/: counting.py, pair_counting.py).

Rule: `secret` is the same at both ends of a train and nowhere else. It stands for the bits that were sent and
found; what is made of them is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...emulator.errors import OperationError
from ...emulator.wire import (
    Coincidences,
    CountClicks,
    CountCoincidences,
    Counted,
    CountedPairs,
    CountedPulses,
    Sent,
)
from ..secret import Secret
from .blocks import check_source
from .settings import as_axes, as_shares, count_of
from .trains import PairTrain

if TYPE_CHECKING:
    from ..interface import NodeInterface

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class CountedTrain:
    """What this node has sent.

    `means` are the mean photon numbers of the settings (of a single emitter P(1)), `sent` how many slots had
    each (by its probability); slot 0 left at `start_ns`. `laser`: photon numbers are Poissonian.
    """

    slots: int
    start_ns: int
    period_ps: int
    means: list[float]
    sent: NDArray[np.float64]
    laser: bool
    secret: Secret = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ClickCounts:
    """What came of a train: clicks, and those whose bit is another one than was sent.

    int64 arrays by (setting of the source, basis of the sender, basis here); slot 0 arrived at `start_ns`.
    Errors say something where the two bases are the same.
    """

    slots: int
    start_ns: int
    period_ps: int
    clicks: Counts
    errors: Counts
    secret: Secret = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class CountedArm:
    """One arm of a train of pairs that came here. `name` is for the other end, which counts with it.

    Slot 0 arrived at `start_ns`. `secret` is the same at both ends, and nowhere else.
    """

    slots: int
    start_ns: int
    period_ps: int
    name: str
    secret: Secret = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class CoincidenceCounts:
    """What two arms came to: int64 arrays.

    `singles` are clicks here and at the other end, by basis; `coincidences` and `errors`, those of them whose
    bits differ, by (basis here, basis there).
    """

    singles: tuple[Counts, Counts]
    coincidences: Counts
    errors: Counts


async def send(
    node: NodeInterface,
    to: str,
    link: str | None,
    slots: int,
    axes: str | ArrayLike,
    weights: Sequence[float] | None,
    intensity: float | None,
) -> CountedTrain:
    """`Agent.counted_pulses`."""
    check_source(node)
    if type(slots) is not int or slots < 1:  # True is an int too
        raise OperationError(
            f"counted_pulses: {slots!r} slots, expected a whole number, at least 1"
        )
    optics, along = node.welcome.optics, as_axes(axes)
    means, shares = optics.means, list(optics.probabilities)
    chosen = None
    if intensity is not None:
        if not optics.tunable:
            raise OperationError("counted_pulses: this source has no mean photon number to choose")
        means = chosen = [float(intensity)]
        shares = [1.0]
    make = partial(
        CountedPulses,
        to=to,
        link=link,
        slots=slots,
        bases=as_shares(weights, count_of(along)),
        intensities=shares,
        means=chosen,
        axes=along,
    )
    sent: Sent = await node.operate(make)
    return CountedTrain(
        slots=sent.slots,
        start_ns=sent.start_ns,
        period_ps=sent.period_ps,
        means=list(means),
        sent=sent.slots * np.array(shares),
        laser=optics.tunable,
        secret=Secret(sent.secret, label="counted train"),
    )


async def count(
    node: NodeInterface,
    source: str,
    link: str | None,
    axes: str | ArrayLike,
    weights: Sequence[float] | None,
) -> ClickCounts:
    """`Agent.count_clicks`."""
    found = await _counted(node, "count_clicks", source, link, axes, weights)
    if found.arm:
        raise OperationError(f"count_clicks: {source} sends pairs, expected count_arm")
    return ClickCounts(
        slots=found.slots,
        start_ns=found.start_ns,
        period_ps=found.period_ps,
        clicks=np.array(found.clicks, dtype=np.int64),
        errors=np.array(found.errors, dtype=np.int64),
        secret=Secret(found.secret, label="counted train"),
    )


async def _counted(
    node: NodeInterface,
    word: str,
    source: str,
    link: str | None,
    axes: str | ArrayLike,
    weights: Sequence[float] | None,
) -> Counted:
    detects, along = node.welcome.optics.detects, as_axes(axes)
    if not detects:
        raise OperationError(
            f"{node.welcome.name} has no detectors: give it a `detector:` in the topology"
        )
    passive = detects == "passive"
    if passive and weights is not None:
        raise OperationError(f"{word}: a beam splitter chooses the bases: expected no weights")
    shares = None if passive else as_shares(weights, count_of(along))
    found: Counted = await node.operate(
        partial(CountClicks, source=source, link=link, bases=shares, axes=along)
    )
    return found


async def send_pairs(
    node: NodeInterface, to: tuple[str, str], links: tuple[str | None, str | None], slots: int
) -> PairTrain:
    """`Agent.counted_pairs`."""
    check_source(node)
    if type(slots) is not int or slots < 1:
        raise OperationError(f"counted_pairs: {slots!r} slots, expected a whole number, at least 1")
    sent: Sent = await node.operate(partial(CountedPairs, to=to, links=links, slots=slots))
    return PairTrain(sent.slots, sent.start_ns, sent.period_ps)


async def take_arm(
    node: NodeInterface,
    source: str,
    link: str | None,
    axes: str | ArrayLike,
    weights: Sequence[float] | None,
) -> CountedArm:
    """`Agent.count_arm`."""
    found = await _counted(node, "count_arm", source, link, axes, weights)
    if not found.arm and found.slots:
        raise OperationError(
            f"count_arm: the train of {source} was one of pulses, expected counted_pairs there"
        )
    return CountedArm(
        slots=found.slots,
        start_ns=found.start_ns,
        period_ps=found.period_ps,
        name=found.arm,
        secret=Secret(found.secret, label="counted pairs"),
    )


async def coincidences(
    node: NodeInterface, arm: CountedArm, other: str, width: int
) -> CoincidenceCounts:
    """`Agent.count_coincidences`."""
    make = partial(CountCoincidences, arm=arm.name, other=other, width=width)
    found: Coincidences = await node.operate(make)
    here, there = (np.array(each, dtype=np.int64) for each in found.singles)
    return CoincidenceCounts(
        singles=(here, there),
        coincidences=np.array(found.coincidences, dtype=np.int64),
        errors=np.array(found.errors, dtype=np.int64),
    )
