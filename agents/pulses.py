"""Pulse trains as programs see them: what was sent, what clicked, what was kept.

Owns the handles PulseTrain, Clicks and Stored, and cutting trains into blocks: one operation a block, so
that a train of any length passes in bounded memory. The light itself stays in the emulator; a handle is
the record of what the node chose and saw, and sending or keeping light never yields a second copy of it.

Rules. Bases are 0 = Z, 1 = X; bit 0 is the +1 eigenstate. Slots count from 0, slot i lies i * period_ps
after `start_ns`. Arrays are packed (columns.py) until they are asked for. What a program leaves to the
node is drawn from the node's own generator, per block and a fixed amount.

Cancelling: a train that is being sent ends with the slots that have left; a receiver is off from then.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..emulator.columns import packed, packed_size, picked, planes_for, unpacked
from ..emulator.errors import OperationError
from ..emulator.wire import (
    BLOCK_SLOTS,
    Clicked,
    Detect,
    Intercept,
    Kept,
    MeasureStored,
    Pulses,
    Sent,
    Split,
)

if TYPE_CHECKING:
    from .node import Node

Bytes = NDArray[np.uint8]
Slots = NDArray[np.int64]
MOST_SETTINGS = 16


class PulseTrain:
    """What this node has sent: a record, not the light.

    `means` are the mean photon numbers that `intensities` point into, `sent` counts slots by setting.
    """

    __slots__ = (
        "_bases",
        "_bits",
        "_intensities",
        "_planes",
        "means",
        "period_ps",
        "sent",
        "slots",
        "start_ns",
    )

    def __init__(self, means: list[float]) -> None:
        self.means = means
        self.slots = self.start_ns = self.period_ps = 0
        self.sent: NDArray[np.int64] = np.zeros(len(means), dtype=np.int64)
        self._planes = planes_for(len(means))
        self._bases: list[bytes] = []
        self._bits: list[bytes] = []
        self._intensities: list[bytes] = []

    def add(self, operation: Pulses, sent: NDArray[np.int64]) -> None:
        """A block has left."""
        self.slots += operation.slots
        self.sent = self.sent + sent
        self._bases.append(operation.bases)
        self._bits.append(operation.bits)
        self._intensities.append(operation.intensities)

    @property
    def bases(self) -> Bytes:
        """The basis of each slot, uint8 (slots,)."""
        return self._whole(self._bases, 1)

    @property
    def bits(self) -> Bytes:
        """The bit of each slot, uint8 (slots,)."""
        return self._whole(self._bits, 1)

    @property
    def intensities(self) -> Bytes:
        """The setting of each slot, uint8 (slots,)."""
        return self._whole(self._intensities, self._planes)

    def at(self, slots: ArrayLike) -> tuple[Bytes, Bytes, Bytes]:
        """(bases, bits, intensities) of some slots, without unpacking the others.

        Raises OperationError for slots that were not sent.
        """
        wanted = np.asarray(slots, dtype=np.int64)
        if wanted.ndim != 1 or (len(wanted) and not 0 <= wanted.min() <= wanted.max() < self.slots):
            raise OperationError(f"expected slots from 0 to {self.slots - 1} of this train")
        found: list[Bytes] = []
        for columns, planes in (
            (self._bases, 1),
            (self._bits, 1),
            (self._intensities, self._planes),
        ):
            values = np.empty(len(wanted), dtype=np.uint8)
            for index, size in enumerate(_sizes(self.slots)):
                here = np.flatnonzero(wanted // BLOCK_SLOTS == index)
                places = wanted[here] - index * BLOCK_SLOTS
                values[here] = picked(columns[index], size, places, planes)
            found.append(values)
        return found[0], found[1], found[2]

    def _whole(self, columns: list[bytes], planes: int) -> Bytes:
        parts = zip(columns, _sizes(self.slots), strict=True)
        whole: Bytes = _joined([unpacked(data, size, planes) for data, size in parts], np.uint8)
        return whole

    def __len__(self) -> int:
        return self.slots

    def __repr__(self) -> str:
        return f"<PulseTrain of {self.slots} slots of {self.period_ps} ps from {self.start_ns} ns>"


class Clicks:
    """What clicked, in the order of time.

    Arrays of one length: `slots` (int64), `bits`, `bases` (uint8), `doubles` (bool: more than one
    detector clicked, the bit is random). `seen` slots of the train came; slot 0 came at `start_ns`.
    """

    __slots__ = ("bases", "bits", "doubles", "period_ps", "seen", "slots", "start_ns")

    def __init__(self, blocks: list[Clicked]) -> None:
        self.start_ns, self.period_ps = blocks[0].start_ns, blocks[0].period_ps
        self.seen = sum(block.slots for block in blocks)
        self.slots = _slots(blocks)
        self.bases, self.bits, self.doubles = (
            _joined([unpacked(getattr(block, name), block.count) for block in blocks], kind)
            for name, kind in (("bases", np.uint8), ("bits", np.uint8), ("doubles", np.bool_))
        )

    def __len__(self) -> int:
        return len(self.slots)

    def __repr__(self) -> str:
        return f"<Clicks: {len(self.slots)} in {self.seen} slots from {self.start_ns} ns>"


class Stored:
    """Photons this node keeps of a train: one of each slot in `slots` (int64). Measured once."""

    __slots__ = ("_node", "name", "period_ps", "seen", "slots", "start_ns")

    def __init__(self, node: Node, blocks: list[Kept]) -> None:
        self._node, self.name = node, blocks[0].store
        self.start_ns, self.period_ps = blocks[0].start_ns, blocks[0].period_ps
        self.seen = sum(block.slots for block in blocks)
        self.slots = _slots(blocks)

    async def measure(self, bases: ArrayLike) -> Bytes:
        """Bits, uint8, one for each of `slots`, in these bases; the photons are gone.

        Raises OperationError for bases that do not fit, and the second time.
        """
        column = _column("bases", bases, 2, len(self.slots))
        size, raw = len(column), packed(column)
        data = await self._node.operate(lambda n: MeasureStored(n, self.name, size, raw))
        return unpacked(data, size)

    def __len__(self) -> int:
        return len(self.slots)

    def __repr__(self) -> str:
        return f"<Stored {self.name}: {len(self.slots)} photons>"


# --- sending --------------------------------------------------------------------------------------


async def send(
    node: Node,
    to: str,
    link: str | None,
    bases: ArrayLike | int,
    bits: ArrayLike | None,
    intensities: ArrayLike | None,
) -> PulseTrain:
    """`Agent.pulses`: block after block."""
    optics = node.welcome.optics
    if not optics.period_ps:
        raise OperationError(
            f"{node.welcome.name} has no source: give it a `source:` in the topology"
        )
    total = _length(bases, bits)
    given_bases = None if isinstance(bases, int) else _column("bases", bases, 2, total)
    given_bits = None if bits is None else _column("bits", bits, 2, total)
    settings, means = _settings(intensities, optics.means, optics.tunable, total)
    train = PulseTrain(optics.means if means is None else means)
    first = 0
    for size in _sizes(total):
        part = slice(first, first + size)
        chosen = _drawn(node, optics.probabilities, size) if settings is None else settings[part]
        make = partial(
            Pulses,
            to=to,
            link=link,
            first=first,
            slots=size,
            last=first + size == total,
            bases=_bits(node, None if given_bases is None else given_bases[part], size),
            bits=_bits(node, None if given_bits is None else given_bits[part], size),
            intensities=packed(chosen, planes_for(len(train.means))),
            means=means,
        )
        sent: Sent = await node.operate(make)
        train.start_ns, train.period_ps = sent.start_ns, sent.period_ps
        train.add(make(0), np.bincount(chosen, minlength=len(train.means)))
        first += size
    return train


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
        return _column("intensities", array, len(means), total), None
    if not tunable:
        raise OperationError("pulses: this source has no mean photon number to choose")
    chosen, column = np.unique(array, return_inverse=True)
    if len(chosen) > MOST_SETTINGS or not np.all((chosen >= 0) & (chosen <= 200)):
        raise OperationError(
            f"pulses: intensities as mean photon numbers: expected at most {MOST_SETTINGS} different "
            "ones, each from 0 to 200"
        )
    settings = np.broadcast_to(
        column.reshape(array.shape), total if array.ndim == 0 else array.shape
    )
    return _column("intensities", settings, len(chosen), total), [float(mean) for mean in chosen]


def _column(name: str, values: ArrayLike, kinds: int, total: int) -> Bytes:
    """`values` as uint8 (total,), all below `kinds`. Raises OperationError if they are not."""
    array = np.asarray(values)
    if array.ndim != 1 or len(array) != total:
        raise OperationError(f"{name}: expected an array of shape ({total},), found {array.shape}")
    if array.dtype.kind not in "uib":
        raise OperationError(f"{name}: expected whole numbers (uint8), found {array.dtype}")
    if total and not 0 <= array.min() <= array.max() < kinds:
        worst = array.min() if array.min() < 0 else array.max()
        raise OperationError(f"{name}: found {worst}, expected 0 to {kinds - 1}")
    return array.astype(np.uint8, copy=False)


def _bits(node: Node, given: Bytes | None, size: int) -> bytes:
    """A plane of what was given, or of fair coins."""
    if given is not None:
        return packed(given)
    coins = node.rng.integers(0, 256, packed_size(size), dtype=np.uint8)
    if size % 8:
        coins[-1] &= 0xFF << (8 - size % 8) & 0xFF
    return coins.tobytes()


def _drawn(node: Node, probabilities: list[float], size: int) -> Bytes:
    """Settings with these probabilities."""
    chosen = np.zeros(size, dtype=np.uint8)
    if len(probabilities) > 1:
        draws = node.rng.random(size, dtype=np.float32)
        for limit in np.cumsum(probabilities)[:-1].astype(np.float32):
            chosen += draws >= limit
    return chosen


# --- receiving ------------------------------------------------------------------------------------


class Receiver:
    """Block after block of a train: which slots, and in which bases. `passive`: a splitter chooses."""

    def __init__(
        self, node: Node, bases: ArrayLike | None, count: int | None, passive: bool
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
            self._given = _column("bases", bases, 2, self._count)

    def blocks(self) -> Iterator[dict[str, Any]]:
        """The fields `first`, `slots`, `more`, `bases` of one operation after the other."""
        first = 0
        while self._count is None or first < self._count:
            left = BLOCK_SLOTS if self._count is None else self._count - first
            size = min(left, BLOCK_SLOTS)
            given = None if self._given is None else self._given[first : first + size]
            bases = None if self._passive else _bits(self._node, given, size)
            more = left > size or self._count is None
            yield {"first": first, "slots": size, "more": more, "bases": bases}
            first += size


async def detect(
    node: Node,
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
    for fields in Receiver(node, bases, count, passive).blocks():
        make = partial(Detect, source=source, link=link, **fields)
        found.append(await node.operate(make))
        if found[-1].over:
            break
    return Clicks(found)


async def intercept(
    node: Node,
    source: str,
    to: str,
    bases: ArrayLike | None,
    fraction: float,
) -> Clicks:
    """`Agent.intercept`: block after block."""
    passive = node.welcome.optics.detects == "passive"
    found: list[Clicked] = []
    for fields in Receiver(node, bases, None, passive).blocks():
        make = partial(Intercept, source=source, to=to, fraction=float(fraction), **fields)
        found.append(await node.operate(make))
        if found[-1].over:
            break
    return Clicks(found)


async def split(node: Node, source: str, to: str, forward_singles: float) -> Stored:
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


def _sizes(total: int) -> list[int]:
    """The sizes of a train's blocks."""
    return [min(BLOCK_SLOTS, total - at) for at in range(0, total, BLOCK_SLOTS)]


def _slots(blocks: list[Clicked] | list[Kept]) -> Slots:
    parts = []
    first = 0
    for block in blocks:
        parts.append(np.frombuffer(block.at, dtype="<u4").astype(np.int64) + first)
        first += block.slots
    slots: Slots = _joined(parts, np.int64)
    return slots


def _joined(parts: list[Any], kind: Any) -> Any:
    """Arrays one after the other, of one type even if there are none."""
    return np.concatenate([np.empty(0, dtype=kind), *(part.astype(kind) for part in parts)])
