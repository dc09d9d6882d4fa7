"""Sending pulse trains, block after block: what `Agent.pulses` and `Agent.pair_pulses` do.

Owns cutting a train into blocks, one operation a block, so that one of any length leaves in bounded memory,
and what a program leaves to its node: bases, bits and settings, drawn from the node's own generator, per
block and a fixed amount. Does not own the handles (pulses.py).

Cancelling: a train that is being sent ends with the slots that have left.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ...emulator.errors import OperationError
from ...emulator.wire import MOST_SETTINGS, PairPulses, Pulses, Sent
from ...emulator.wire.bit_planes import packed, planes_for
from .trains import Bytes, PairTrain, PulseTrain, as_column, plane, sizes

if TYPE_CHECKING:
    from ..node.node import Node


async def send(
    node: Node,
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
        train.add(make(0), np.bincount(chosen, minlength=len(train.means)))
        first += size
    return train


async def send_pairs(
    node: Node, to: tuple[str, str], links: tuple[str | None, str | None], slots: int
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


def _check_source(node: Node) -> None:
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


def _drawn(node: Node, probabilities: list[float], size: int) -> Bytes:
    """Settings with these probabilities."""
    chosen = np.zeros(size, dtype=np.uint8)
    if len(probabilities) > 1:
        draws = node.rng.random(size, dtype=np.float32)
        for limit in np.cumsum(probabilities)[:-1].astype(np.float32):
            chosen += draws >= limit
    return chosen
