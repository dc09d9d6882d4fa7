"""Pulse trains as programs see them: what was sent, what clicked, what was kept.

Owns the handles PulseTrain, PairTrain, Clicks and Stored. Does not own the operations behind them
(blocks.py). The light itself stays in the emulator; a handle is the record of what
the node chose and saw, and sending or keeping light never yields a second copy of it.

Rules. Bases are 0 = Z, 1 = X unless the program gave axes; bit 0 is the state along the axis. Slots count
from 0, slot i lies i * period_ps after `start_ns`. Arrays are packed (emulator/wire/bit_planes.py) until they
are asked for; lazy ones are a key (emulator/wire/hashed_settings.py), which no handle shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...emulator.errors import OperationError
from ...emulator.wire import (
    BLOCK_SLOTS,
    Clicked,
    Kept,
    LazySettings,
    MeasureStored,
    Pulses,
    place_type,
)
from ...emulator.wire.bit_planes import packed, packed_size, picked, planes_for, unpacked
from ...emulator.wire.hashed_settings import (
    BASES,
    BITS,
    INTENSITIES,
    HashedColumn,
    read_together,
)
from .settings import DEFAULT_AXES, as_axes, count_of

if TYPE_CHECKING:
    from ..interface import NodeInterface

Bytes = NDArray[np.uint8]
Slots = NDArray[np.int64]


class PulseTrain:
    """What this node has sent: a record, not the light. `len` is the number of slots.

    Attributes:
        means: the mean photon numbers that `intensities` point into.
        period_ps: from slot to slot, in ps.
        sent: how many slots had each setting, int64 (settings,); of a lazy train how many are to be expected,
            float64, because nothing counts them.
        slots: how many slots have left.
        start_ns: the virtual time at which slot 0 left.
    """

    __slots__ = (
        "_bases",
        "_bits",
        "_intensities",
        "_kinds",
        "_lazy",
        "_planes",
        "means",
        "period_ps",
        "sent",
        "slots",
        "start_ns",
    )

    def __init__(
        self, means: list[float], kinds: int = 2, lazy: LazySettings | None = None
    ) -> None:
        self.means, self._kinds, self._lazy = means, kinds, lazy
        self.slots = self.start_ns = self.period_ps = 0
        self.sent: NDArray[Any] = np.zeros(len(means), dtype=np.int64)
        self._planes = planes_for(len(means))
        self._bases: list[bytes] = []
        self._bits: list[bytes] = []
        self._intensities: list[bytes] = []

    def _add_lazy(self, slots: int) -> None:
        """A block of hashed columns has left."""
        assert self._lazy is not None
        self.slots += slots
        self.sent = self.slots * np.array(self._lazy.intensities)

    def _add(self, operation: Pulses, sent: NDArray[np.int64]) -> None:
        """A block has left."""
        self.slots += operation.slots
        self.sent = self.sent + sent
        self._bases.append(operation.bases)
        self._bits.append(operation.bits)
        self._intensities.append(operation.intensities)

    @property
    def is_lazy(self) -> bool:
        """Whether its settings are a hash of the slot's number."""
        return self._lazy is not None

    @property
    def bases(self) -> Bytes:
        """The basis of each slot, uint8 (slots,)."""
        return self._whole(self._bases, planes_for(self._kinds), BASES)

    @property
    def bits(self) -> Bytes:
        """The bit of each slot, uint8 (slots,)."""
        return self._whole(self._bits, 1, BITS)

    @property
    def intensities(self) -> Bytes:
        """The setting of each slot, uint8 (slots,)."""
        return self._whole(self._intensities, self._planes, INTENSITIES)

    def at(self, slots: ArrayLike) -> tuple[Bytes, Bytes, Bytes]:
        """(bases, bits, intensities) of some slots, without unpacking the others.

        Raises OperationError for slots that were not sent.
        """
        wanted = np.asarray(slots, dtype=np.int64)
        if wanted.ndim != 1 or (len(wanted) and not 0 <= wanted.min() <= wanted.max() < self.slots):
            raise OperationError(f"expected slots from 0 to {self.slots - 1} of this train")
        if self._lazy is not None:
            hashed = [self._hashed(self._lazy, word) for word in (BASES, BITS, INTENSITIES)]
            bases, bits, intensities = read_together(hashed, wanted)
            return bases, bits, intensities
        found: list[Bytes] = []
        for columns, planes in (
            (self._bases, planes_for(self._kinds)),
            (self._bits, 1),
            (self._intensities, self._planes),
        ):
            values = np.empty(len(wanted), dtype=np.uint8)
            for index, size in enumerate(sizes(self.slots)):
                here = np.flatnonzero(wanted // BLOCK_SLOTS == index)
                places = wanted[here] - index * BLOCK_SLOTS
                values[here] = picked(columns[index], size, places, planes)
            found.append(values)
        return found[0], found[1], found[2]

    def _hashed(self, lazy: LazySettings, word: int) -> HashedColumn:
        shares = {BASES: lazy.bases, BITS: lazy.bits, INTENSITIES: lazy.intensities}[word]
        return HashedColumn(lazy.key, word, shares, 0, self.slots)

    def _whole(self, columns: list[bytes], planes: int, word: int) -> Bytes:
        if self._lazy is not None:
            return self._hashed(self._lazy, word).whole()
        parts = zip(columns, sizes(self.slots), strict=True)
        whole: Bytes = _joined([unpacked(data, size, planes) for data, size in parts], np.uint8)
        return whole

    def __len__(self) -> int:
        return self.slots

    def __repr__(self) -> str:
        return f"<PulseTrain of {self.slots} slots of {self.period_ps} ps from {self.start_ns} ns>"


class PairTrain:
    """Pairs that this node has sent, an arm each to two nodes. `len` is the number of slots.

    Attributes:
        period_ps: from slot to slot, in ps.
        slots: how many slots have left.
        start_ns: the virtual time at which slot 0 left.
    """

    __slots__ = ("period_ps", "slots", "start_ns")

    def __init__(self, slots: int, start_ns: int, period_ps: int) -> None:
        self.slots, self.start_ns, self.period_ps = slots, start_ns, period_ps

    def __len__(self) -> int:
        return self.slots

    def __repr__(self) -> str:
        return f"<PairTrain of {self.slots} slots of {self.period_ps} ps from {self.start_ns} ns>"


class Clicks:
    """What clicked, in the order of time: arrays of one length. `len` is the number of clicks.

    Attributes:
        slots: in which slot each was, int64.
        bits: the bit of each, uint8.
        bases: the basis of each, uint8: 0 Z, 1 X, or numbers of the axes that were given.
        doubles: whether more than one detector clicked, bool; the bit is then random.
        bright: in how many slots bright light met the detectors, as a monitor of their current sees.
        seen: how many slots of the train came.
        start_ns: the virtual time at which slot 0 came.
        period_ps: from slot to slot, in ps.
    """

    __slots__ = ("bases", "bits", "bright", "doubles", "period_ps", "seen", "slots", "start_ns")

    def __init__(self, blocks: list[Clicked], kinds: int = 2) -> None:
        self.start_ns, self.period_ps = blocks[0].start_ns, blocks[0].period_ps
        self.seen = sum(block.slots for block in blocks)
        self.bright = sum(block.bright for block in blocks)
        self.slots = _slots(blocks)
        self.bases, self.bits, self.doubles = (
            _joined([unpacked(getattr(block, name), block.count, planes) for block in blocks], kind)
            for name, kind, planes in (
                ("bases", np.uint8, planes_for(kinds)),
                ("bits", np.uint8, 1),
                ("doubles", np.bool_, 1),
            )
        )

    @property
    def lasts_ns(self) -> int:
        """How long what came of the train took."""
        return self.seen * self.period_ps // 1000

    @property
    def times_ps(self) -> Slots:
        """When each was, in ps after `start_ns`, int64: the beginning of its slot."""
        return self.slots * self.period_ps

    def __len__(self) -> int:
        return len(self.slots)

    def __repr__(self) -> str:
        return f"<Clicks: {len(self.slots)} in {self.seen} slots from {self.start_ns} ns>"


class Stored:
    """Photons this node keeps of a train. They are measured once. `len` is how many there are.

    Attributes:
        name: its name in this run.
        slots: the slot of each photon, int64.
        seen: how many slots of the train came.
        start_ns: the virtual time at which slot 0 came.
        period_ps: from slot to slot, in ps.
    """

    __slots__ = ("_node", "name", "period_ps", "seen", "slots", "start_ns")

    def __init__(self, node: NodeInterface, blocks: list[Kept]) -> None:
        self._node, self.name = node, blocks[0].store
        self.start_ns, self.period_ps = blocks[0].start_ns, blocks[0].period_ps
        self.seen = sum(block.slots for block in blocks)
        self.slots = _slots(blocks)

    async def measure(self, bases: ArrayLike, *, axes: str | ArrayLike = DEFAULT_AXES) -> Bytes:
        """Bits, uint8, one for each of `slots`, in these bases; the photons are gone.

        `axes` as for `Agent.detect`. Raises OperationError for bases that do not fit, and the second time.
        """
        along = as_axes(axes)
        column = as_column("bases", bases, count_of(along), len(self.slots))
        size, raw = len(column), packed(column, planes_for(count_of(along)))
        data = await self._node.operate(lambda n: MeasureStored(n, self.name, size, raw, along))
        return unpacked(data, size)

    def __len__(self) -> int:
        return len(self.slots)

    def __repr__(self) -> str:
        return f"<Stored {self.name}: {len(self.slots)} photons>"


# --- arrays ---------------------------------------------------------------------------------------


def sizes(total: int) -> list[int]:
    """The sizes of a train's blocks."""
    return [min(BLOCK_SLOTS, total - at) for at in range(0, total, BLOCK_SLOTS)]


def as_column(name: str, values: ArrayLike, kinds: int, total: int) -> Bytes:
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


def plane(node: NodeInterface, given: Bytes | None, size: int) -> bytes:
    """A plane of what was given, or of fair coins."""
    if given is not None:
        return packed(given)
    coins = node.rng.integers(0, 256, packed_size(size), dtype=np.uint8)
    if size % 8:
        coins[-1] &= 0xFF << (8 - size % 8) & 0xFF
    return coins.tobytes()


def _slots(blocks: list[Clicked] | list[Kept]) -> Slots:
    parts = []
    first = 0
    for block in blocks:
        places = np.frombuffer(block.at, dtype=place_type(block.slots))
        parts.append(places.astype(np.int64) + first)
        first += block.slots
    slots: Slots = _joined(parts, np.int64)
    return slots


def _joined(parts: list[Any], kind: Any) -> Any:
    """Arrays one after the other, of one type even if there are none."""
    return np.concatenate([np.empty(0, dtype=kind), *(part.astype(kind) for part in parts)])
