"""Pulse trains, block after block: what `Agent.pulses`, `pair_pulses`, `detect`, `intercept` and `split` do.

Owns cutting a train into blocks, one operation a block, so that one of any length leaves and comes in
bounded memory; and what a program leaves to its node: bases, bits and settings, drawn from the node's own
generator, per block and a fixed amount. Does not own the handles (trains.py).

Cancelling: a train that is being sent ends with the slots that have left; a receiver is off from then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ...emulator.errors import OperationError
from ...emulator.wire import (
    BLOCK_SLOTS,
    LAZY_BLOCK_SLOTS,
    LONGEST_BLOCK_SLOTS,
    MOST_SETTINGS,
    Clicked,
    Detect,
    Intercept,
    Kept,
    LazySettings,
    PairPulses,
    Pulses,
    Sent,
    Split,
)
from ...emulator.wire.bit_planes import packed, planes_for, unpacked
from .settings import DEFAULT_AXES, Axes, as_axes, as_key, as_shares, count_of
from .trains import Bytes, Clicks, PairTrain, PulseTrain, Stored, as_column, plane, sizes

if TYPE_CHECKING:
    from ..interface import NodeInterface


#: Slots of a train of pairs: their number is an int64, of picoseconds some 50 days.
MOST_SLOTS = 1 << 62

# --- sending --------------------------------------------------------------------------------------


async def send(
    node: NodeInterface,
    to: str,
    link: str | None,
    bases: ArrayLike | int,
    bits: ArrayLike | None,
    intensities: ArrayLike | None,
    axes: str | ArrayLike = DEFAULT_AXES,
    weights: Sequence[float] | None = None,
    lazy: bool | bytes = False,
) -> PulseTrain:
    """`Agent.pulses`: block after block."""
    check_source(node)
    optics = node.welcome.optics
    total, along = _length(bases), as_axes(axes)
    kinds = count_of(along)
    shares = None if weights is None else as_shares(weights, kinds)
    if not isinstance(bases, int):
        _check_drawn(weights, lazy)
    key = as_key(node, lazy)
    if key is not None:
        return await _send_lazy(node, to, link, total, bits, intensities, along, shares, key)
    given_bases = None if isinstance(bases, int) else as_column("bases", bases, kinds, total)
    given_bits = None if bits is None else as_column("bits", _spread(bits, total), 2, total)
    settings, means = _settings(intensities, optics.means, optics.tunable, total)
    train = PulseTrain(optics.means if means is None else means, kinds)
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
            bases=bases_column(
                node, None if given_bases is None else given_bases[part], size, kinds, shares
            ),
            bits=plane(node, None if given_bits is None else given_bits[part], size),
            intensities=packed(chosen, planes_for(len(train.means))),
            means=means,
            axes=along,
        )
        sent: Sent = await node.operate(make)
        train.start_ns, train.period_ps = sent.start_ns, sent.period_ps
        train._add(make(0), np.bincount(chosen, minlength=len(train.means)))
        first += size
    return train


async def _send_lazy(
    node: NodeInterface,
    to: str,
    link: str | None,
    total: int,
    bits: ArrayLike | None,
    intensities: ArrayLike | None,
    along: Axes | None,
    shares: list[float] | None,
    key: bytes,
) -> PulseTrain:
    """A train whose columns are a hash of the slot's number: blocks as long as may be."""
    optics, kinds = node.welcome.optics, count_of(along)
    if bits is not None and np.ndim(bits):
        raise OperationError("pulses: a lazy train takes one bit for all slots, or draws them")
    settings, means = list(optics.probabilities), None
    if intensities is not None:
        settings, means = _one_setting(intensities, optics.means, optics.tunable)
    bit_shares = [0.5, 0.5]
    if bits is not None:
        value = int(as_column("bits", _spread(bits, 1), 2, 1)[0])
        bit_shares = [1.0 - value, float(value)]
    lazy = LazySettings(key, shares or as_shares(None, kinds), bit_shares, settings)
    train = PulseTrain(optics.means if means is None else means, kinds, lazy)
    while train.slots < total:
        left = total - train.slots
        make = partial(
            Pulses,
            to=to,
            link=link,
            first=train.slots,
            slots=min(left, LAZY_BLOCK_SLOTS),
            last=left <= LAZY_BLOCK_SLOTS,
            bases=b"",
            bits=b"",
            intensities=b"",
            means=means,
            axes=along,
            lazy=lazy,
        )
        sent: Sent = await node.operate(make)
        train.start_ns, train.period_ps = sent.start_ns, sent.period_ps
        train._add_lazy(sent.slots)
    return train


def _one_setting(
    intensities: ArrayLike, means: list[float], tunable: bool
) -> tuple[list[float], list[float] | None]:
    """(shares of the settings, mean photon numbers) of a lazy train with one intensity for all slots."""
    if np.ndim(intensities):
        raise OperationError(
            "pulses: a lazy train takes one intensity for all slots, or draws them"
        )
    column, chosen = _settings(intensities, means, tunable, 1)
    assert column is not None, "an intensity was given"
    count = len(means if chosen is None else chosen)
    return [float(index == column[0]) for index in range(count)], chosen


async def send_pairs(
    node: NodeInterface, to: tuple[str, str], links: tuple[str | None, str | None], slots: int
) -> PairTrain:
    """`Agent.pair_pulses`: block after block."""
    check_source(node)
    if type(slots) is not int or slots < 1:  # True is an int too
        raise OperationError(f"pair_pulses: {slots!r} slots, expected a whole number, at least 1")
    if slots > MOST_SLOTS:
        raise OperationError(f"pair_pulses: {slots} slots, expected at most {MOST_SLOTS}")
    first = 0
    while first < slots:
        left = slots - first
        make = partial(
            PairPulses,
            to=to,
            links=links,
            first=first,
            slots=min(left, LONGEST_BLOCK_SLOTS),
            last=left <= LONGEST_BLOCK_SLOTS,
        )
        sent: Sent = await node.operate(make)
        first += sent.slots
    return PairTrain(slots, sent.start_ns, sent.period_ps)


def check_source(node: NodeInterface) -> None:
    """Raises OperationError for a node without one."""
    if not node.welcome.optics.period_ps:
        raise OperationError(
            f"{node.welcome.name} has no source: give it a `source:` in the topology"
        )


def _check_drawn(weights: Sequence[float] | None, lazy: bool | bytes) -> None:
    """Raises OperationError for what says how bases are drawn beside bases that are given."""
    if weights is not None or lazy is not False:
        word = "lazy" if weights is None else "weights"
        raise OperationError(f"{word}: expected bases that the node draws, found an array of them")


def _spread(values: ArrayLike, total: int) -> ArrayLike:
    """One number for all slots, or what was given."""
    array = np.asarray(values)
    return np.broadcast_to(array, total) if array.ndim == 0 else array


def bases_column(
    node: NodeInterface, given: Bytes | None, size: int, kinds: int, shares: list[float] | None
) -> bytes:
    """A column of what was given, or of bases drawn with these shares (None: all alike)."""
    if (
        given is None and kinds == 2 and shares is None
    ):  # fair coins: bits of the generator as they come
        return plane(node, None, size)
    if given is None:
        given = _drawn(node, as_shares(None, kinds) if shares is None else shares, size)
    return packed(given, planes_for(kinds))


def _length(bases: ArrayLike | int) -> int:
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
        self,
        node: NodeInterface,
        bases: ArrayLike | None,
        count: int | None,
        passive: bool,
        along: Axes | None,
        weights: Sequence[float] | None = None,
        lazy: bool | bytes = False,
        detects: bool = False,
    ) -> None:
        self._node, self._passive = node, passive
        self._along, self._kinds = along, count_of(along)
        if bases is not None or (passive and weights is not None):
            _check_drawn(weights, lazy)
        self._shares = None if weights is None else as_shares(weights, self._kinds)
        #: Whether blocks may be longer than columns are: where nothing is drawn for a slot.
        self._long = detects and (passive or lazy is not False)
        key = None if passive else as_key(node, lazy)
        shares = as_shares(None, self._kinds) if self._shares is None else self._shares
        self._lazy = None if key is None else LazySettings(key, shares, [], [])
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
            self._given = as_column("bases", bases, self._kinds, self._count)

    def fields(self, came: list[Clicked]) -> Iterator[dict[str, Any]]:
        """The fields of one operation after the other; `came` are the results of those before."""
        most = LONGEST_BLOCK_SLOTS if self._long else BLOCK_SLOTS
        first = 0
        while self._count is None or first < self._count:
            left = most if self._count is None else self._count - first
            size = min(left, most)
            more = left > size or self._count is None
            bases = self._bases(first, size)
            yield {"first": first, "slots": size, "more": more, "bases": bases, "axes": self._along}
            first += came[-1].slots if self._long else size  # of a long block less may come

    def lazy_fields(self, came: list[Clicked]) -> Iterator[dict[str, Any]]:
        """As `fields`, for operations that know lazy settings."""
        for fields in self.fields(came):
            yield {**fields, "lazy": self._lazy}

    def _bases(self, first: int, size: int) -> bytes | None:
        if self._passive or self._lazy is not None:
            return None
        given = None if self._given is None else self._given[first : first + size]
        return bases_column(self._node, given, size, self._kinds, self._shares)


async def detect(
    node: NodeInterface,
    source: str,
    link: str | None,
    bases: ArrayLike | None,
    count: int | None,
    axes: str | ArrayLike = DEFAULT_AXES,
    weights: Sequence[float] | None = None,
    lazy: bool | bytes = False,
) -> Clicks:
    """`Agent.detect`: block after block."""
    passive = node.welcome.optics.detects == "passive"
    if not node.welcome.optics.detects:
        raise OperationError(
            f"{node.welcome.name} has no detectors: give it a `detector:` in the topology"
        )
    found: list[Clicked] = []
    along = as_axes(axes)
    blocks = _Blocks(node, bases, count, passive, along, weights, lazy, detects=True)
    for fields in blocks.lazy_fields(found):
        make = partial(Detect, source=source, link=link, **fields)
        found.append(await node.operate(make))
        if found[-1].over:
            break
    return Clicks(found, count_of(along))


async def intercept(
    node: NodeInterface,
    source: str,
    to: str,
    bases: ArrayLike | None,
    fraction: float,
    axes: str | ArrayLike = DEFAULT_AXES,
    faked: bool = False,
) -> Clicks:
    """`Agent.intercept`: block after block."""
    passive = node.welcome.optics.detects == "passive"
    found: list[Clicked] = []
    along = as_axes(axes)
    for fields in _Blocks(node, bases, None, passive, along).fields(found):
        make = partial(
            Intercept, source=source, to=to, fraction=float(fraction), faked=bool(faked), **fields
        )
        found.append(await node.operate(make))
        if found[-1].over:
            break
    return Clicks(found, count_of(along))


async def shift(node: NodeInterface, source: str, to: str) -> Bytes:
    """`Agent.shift`: block after block."""
    passive = node.welcome.optics.detects == "passive"
    found: list[Clicked] = []
    drawn: list[Bytes] = []
    for fields in _Blocks(node, None, None, passive, None).fields(found):
        late = plane(node, None, fields["slots"])
        make = partial(Intercept, source=source, to=to, fraction=0.0, shifts=late, **fields)
        found.append(await node.operate(make))
        drawn.append(unpacked(late, fields["slots"])[: found[-1].slots])
        if found[-1].over:
            break
    return np.concatenate(drawn)


async def split(
    node: NodeInterface,
    source: str,
    to: str,
    forward_singles: float = 0.0,
    forward_several: float = 1.0,
    share: float | None = None,
) -> Stored:
    """`Agent.split` and `Agent.split_beam`: block after block."""
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
            forward_several=float(forward_several),
            share=None if share is None else float(share),
        )
        found.append(await node.operate(make))
    return Stored(node, found)
