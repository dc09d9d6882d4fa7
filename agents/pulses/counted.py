"""Trains that are only counted, as programs see them: what `Agent.counted_pulses` and `count_clicks` do.

Owns the handles CountedTrain and ClickCounts. Does not own the numbers (emulator/optics/counting.py).

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
from ...emulator.wire import CountClicks, Counted, CountedPulses, Sent
from ..secret import Secret
from .blocks import check_source
from .settings import as_axes, as_shares, count_of

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
    detects, along = node.welcome.optics.detects, as_axes(axes)
    if not detects:
        raise OperationError(
            f"{node.welcome.name} has no detectors: give it a `detector:` in the topology"
        )
    passive = detects == "passive"
    if passive and weights is not None:
        raise OperationError("count_clicks: a beam splitter chooses the bases: expected no weights")
    shares = None if passive else as_shares(weights, count_of(along))
    found: Counted = await node.operate(
        partial(CountClicks, source=source, link=link, bases=shares, axes=along)
    )
    return ClickCounts(
        slots=found.slots,
        start_ns=found.start_ns,
        period_ps=found.period_ps,
        clicks=np.array(found.clicks, dtype=np.int64),
        errors=np.array(found.errors, dtype=np.int64),
        secret=Secret(found.secret, label="counted train"),
    )
