"""Pulse trains, block after block: what `Agent.pulses`, `pair_pulses`, `detect`, `intercept` and `split` do.

Owns cutting a train into blocks, one operation a block, so that one of any length leaves and comes in
bounded memory; and what a program leaves to its node: bases, bits and settings, drawn from the node's own
generator, per block and a fixed amount. Does not own the handles (trains.py).

Cancelling: a train that is being sent ends with the slots that have left; a receiver is off from then.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ...emulator.errors import OperationError
from ...emulator.wire import (
    BLOCK_SLOTS,
    MOST_SETTINGS,
    Clicked,
    Detect,
    Intercept,
    Kept,
    PairPulses,
    Pulses,
    Sent,
    Split,
)
from ...emulator.wire.bit_planes import packed, planes_for
from .trains import Bytes, Clicks, PairTrain, PulseTrain, Stored, as_column, plane, sizes

if TYPE_CHECKING:
    from ..interface import NodeInterface


# --- sending --------------------------------------------------------------------------------------


async def send(
    node: NodeInterface,
    to: str,
    link: str | None,
    bases: ArrayLike | int,
    bits: ArrayLike | None,
    intensities: ArrayLike | None,
) -> PulseTrain:
    """`Agent.pulses`: block after block."""
    _check_source(node)
    optics = node.welcome.optics
    total = _length(bases, bits)
    given_bases = None if isinstance(bases, int) else as_column("bases", bases, 2, total)
    given_bits = None if bits is None else as_column("bits", bits, 2, total)
    settings, means = _settings(intensities, optics.means, optics.tunable, total)
    train = PulseTrain(optics.means if means is None else means)
    first = 0
    for size in sizes(total):
        part = slice(first, first + size)
        chosen = _drawn(node, optics.probabilities, size) if settings is None else settings[part]
        make = partial(
            Pulses,
            to=to,
            link=link,
            first=first,
            slots=size,
            last=first + size == total,
            bases=plane(node, None if given_bases is None else given_bases[part], size),
            bits=plane(node, None if given_bits is None else given_bits[part], size),
            intensities=packed(chosen, planes_for(len(train.means))),
            means=means,
        )
        sent: Sent = await node.operate(make)
        train.start_ns, train.period_ps = sent.start_ns, sent.period_ps
        train._add(make(0), np.bincount(chosen, minlength=len(train.means)))
        first += size
    return train


async def send_pairs(
    node: NodeInterface, to: tuple[str, str], links: tuple[str | None, str | None], slots: int
) -> PairTrain:
    """`Agent.pair_pulses`: block after block."""
    _check_source(node)
    if type(slots) is not int or slots < 1:  # True is an int too
        raise OperationError(f"pair_pulses: {slots!r} slots, expected a whole number, at least 1")
    first = 0
    for size in sizes(slots):
        make = partial(
            PairPulses,
            to=to,
            links=links,
            first=first,
            slots=size,
            last=first + size == slots,
        )
        sent: Sent = await node.operate(make)
        first += size
    return PairTrain(slots, sent.start_ns, sent.period_ps)


def _check_source(node: NodeInterface) -> None:
    if not node.welcome.optics.period_ps:
        raise OperationError(
            f"{node.welcome.name} has no source: give it a `source:` in the topology"
        )


def _length(bases: ArrayLike | int, bits: ArrayLike | None) -> int:
    total = bases if isinstance(bases, int) else len(np.atleast_1d(np.asarray(bases)))
    if isinstance(bases, bool) or total < 1:
        raise OperationError(f"pulses: {total} slots, expected at least 1")
    return total


def _settings(
    intensities: ArrayLike | None, means: list[float], tunable: bool, total: int
) -> tuple[Bytes | None, list[float] | None]:
    """(settings, mean photon numbers) as asked for; None: those of the node's source."""
    if intensities is None:
        return None, None
    array = np.asarray(intensities)
    if array.dtype.kind != "f":
        if array.ndim == 0:
            array = np.broadcast_to(array, total)
        return as_column("intensities", array, len(means), total), None
    if not tunable:
        raise OperationError("pulses: this source has no mean photon number to choose")
    chosen, column = np.unique(array + 0.0, return_inverse=True)  # 0.0 for -0.0
    if len(chosen) > MOST_SETTINGS or not np.all((chosen >= 0) & (chosen <= 200)):
        raise OperationError(
            f"pulses: intensities as mean photon numbers: expected at most {MOST_SETTINGS} different "
            "ones, each from 0 to 200"
        )
    settings = np.broadcast_to(
        column.reshape(array.shape), total if array.ndim == 0 else array.shape
    )
    return as_column("intensities", settings, len(chosen), total), [float(mean) for mean in chosen]


def _drawn(node: NodeInterface, probabilities: list[float], size: int) -> Bytes:
    """Settings with these probabilities."""
    chosen = np.zeros(size, dtype=np.uint8)
    if len(probabilities) > 1:
        draws = node.rng.random(size, dtype=np.float32)
        for limit in np.cumsum(probabilities)[:-1].astype(np.float32):
            chosen += draws >= limit
    return chosen


# --- receiving ------------------------------------------------------------------------------------


class _Blocks:
    """The blocks of a train to detect: which slots, in which bases. `passive`: a splitter chooses."""

    def __init__(
        self, node: NodeInterface, bases: ArrayLike | None, count: int | None, passive: bool
    ) -> None:
        self._node, self._passive = node, passive
        if passive and bases is not None:
            raise OperationError("a beam splitter chooses the bases here: expected bases=None")
        if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
            raise OperationError(f"count: expected a whole number, found {count!r}")
        if count is not None and count < 1:
            raise OperationError(f"count: {count} slots, expected at least 1")
        self._given: Bytes | None = None
        self._count = count
        if bases is not None:
            size = len(np.atleast_1d(np.asarray(bases)))
            self._count = size if count is None else count
            self._given = as_column("bases", bases, 2, self._count)

    def fields(self) -> Iterator[dict[str, Any]]:
        """The fields `first`, `slots`, `more`, `bases` of one operation after the other."""
        first = 0
        while self._count is None or first < self._count:
            left = BLOCK_SLOTS if self._count is None else self._count - first
            size = min(left, BLOCK_SLOTS)
            given = None if self._given is None else self._given[first : first + size]
            bases = None if self._passive else plane(self._node, given, size)
            more = left > size or self._count is None
            yield {"first": first, "slots": size, "more": more, "bases": bases}
            first += size


async def detect(
    node: NodeInterface,
    source: str,
    link: str | None,
    bases: ArrayLike | None,
    count: int | None,
) -> Clicks:
    """`Agent.detect`: block after block."""
    passive = node.welcome.optics.detects == "passive"
    if not node.welcome.optics.detects:
        raise OperationError(
            f"{node.welcome.name} has no detectors: give it a `detector:` in the topology"
        )
    found: list[Clicked] = []
    for fields in _Blocks(node, bases, count, passive).fields():
        make = partial(Detect, source=source, link=link, **fields)
        found.append(await node.operate(make))
        if found[-1].over:
            break
    return Clicks(found)


async def intercept(
    node: NodeInterface,
    source: str,
    to: str,
    bases: ArrayLike | None,
    fraction: float,
) -> Clicks:
    """`Agent.intercept`: block after block."""
    passive = node.welcome.optics.detects == "passive"
    found: list[Clicked] = []
    for fields in _Blocks(node, bases, None, passive).fields():
        make = partial(Intercept, source=source, to=to, fraction=float(fraction), **fields)
        found.append(await node.operate(make))
        if found[-1].over:
            break
    return Clicks(found)


async def split(node: NodeInterface, source: str, to: str, forward_singles: float) -> Stored:
    """`Agent.split`: block after block."""
    found: list[Kept] = []
    while not found or not found[-1].over:
        make = partial(
            Split,
            source=source,
            to=to,
            first=len(found) * BLOCK_SLOTS,
            slots=BLOCK_SLOTS,
            more=True,
            forward_singles=float(forward_singles),
        )
        found.append(await node.operate(make))
    return Stored(node, found)
