"""Trains of entangled pairs: two arms whose photons are born together and are looked at apart.

Owns how many pairs a slot holds, and what one arm's outcomes make of the other arm. Does not own photon
numbers (devices/sources.py), loss and detectors (detection.py), or when an arm arrives (the plane).

Theory of operation. Each photon of an arm is lost, disturbed and detected by itself. With a channel's map
the detection of bit 0 in some basis has the effect (1 + c + r.sigma)/2, which is a projection along r and a
coin that depends on its outcome alone. So a chunk's photons are first projected, each along its own r, the
lost ones too: averaged over outcomes that are not recorded, that changes nothing for the other arm. What is
kept of a photon is the direction in which it was found; it is all that the other arm needs.

- *Pairs by themselves* (one pair in a slot, or statistics of many modes): each is Phi+, so that the first
  photon is found either way with 1/2, and the second one is then in the conjugate state.
- *Several pairs of polarisation* share two modes: |Phi_n> is the projection of n Phi+ onto what is symmetric
  in each arm (Kok, Braunstein, PRA 61, 042304 (2000); Ma, Fung, Lo, PRA 76, 012307 (2007)). An arm alone is
  maximally mixed there, an average over all directions of n photons alike. Photons found along a_1 ... a_n
  leave the other arm in the product of the creation operators of their conjugates, n + 1 amplitudes, out of
  which the photons there are taken one by one.

- *Pairs without a clock* come at any time: their slots are the picoseconds, of which next to none holds one,
  and a chunk is as long as it takes for some 10^5 pairs. An arm may be looked at in parts of a chunk.

- *Pairs without a clock of which next to all lose both photons* are not drawn. A Poisson process splits into
  independent ones: pairs both of whose photons are within the most that a chunk's channels let through
  (`caps`), those of which one is, and those of which none is, which nothing ever sees. What a channel lets
  through less than the most is drawn photon by photon, as ever.

Rules. The arm that is detected first finds anything with its own chances, and the second is bound by it; both
draw from their own streams, so neither the order nor the time of asking shifts other numbers. A chunk is
drawn when an arm is first detected and lives as long as either arm's light: no message says that an arm
is lost. A slot's photons are taken together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..devices.sources import Distribution, Pairs
from ..errors import InputError
from ..wire.bit_planes import read_only
from .pulses import (
    CHUNK_SLOTS,
    EFFECTS,
    NO_CHANNEL,
    Floats,
    PulseChannel,
    Slots,
    Substreams,
    occupied,
    pulse_channel,
)

Amplitudes = NDArray[np.complex128]
#: The most that the channels of two arms let through.
Caps = tuple[float, float]
WHOLE: Caps = (1.0, 1.0)
#: Photons are left out where fewer pairs than that share keep one.
FEW = 1 / 16

#: What the streams of one chunk are for.
_NUMBERS = 0
#: Of a chunk of pairs without a clock: log2 of how many pairs it holds at the most, and of its slots, from ..
#: to. More slots could not be told apart as floats.
_PAIRS_BITS, _SLOTS_BITS = 17, (20, 45)
#: By how much a chunk is longer at the most where photons are left out: all may pass later on.
_LEFT_OUT_BITS = 6
#: Phi+ is the same in Z and X, opposite in Y: the partner of a direction.
_CONJUGATE = read_only(np.array([1.0, -1.0, 1.0]))
_NOWHERE = read_only(np.zeros((1, 3)))


class PairTrain:
    """The pairs of one train. `rng` is drawn from once, here.

    `fidelity` with Phi+ is that of a pair alone; what it lacks is white noise (a Werner state), half of it
    in each arm. `clocked`: else the slots only count time, and chunks (`chunk_slots`) are longer, the more so
    the fewer photons are expected of them by `caps`. Raises InputError for a fidelity of less than 1/4, which
    is none.
    """

    def __init__(
        self,
        source: Pairs,
        fidelity: float,
        rng: np.random.Generator,
        clocked: bool = True,
        caps: Caps = WHOLE,
    ) -> None:
        self.source, self._streams = source, Substreams(rng)
        self._sent = white_noise(fidelity)
        self.chunk_slots = CHUNK_SLOTS if clocked else unclocked_chunk(source.mean_pairs, caps)
        self._thins = not clocked and source.statistics == "poisson"

    def block(self, caps: Callable[[], Caps] | None = None) -> PairBlock:
        """What the arms of a block share. `caps`: the most that each arm's channel lets through.

        They are asked for when an arm is first detected.
        """
        return PairBlock(self, caps if self._thins else None)

    def arm(self, block: PairBlock, arm: int, first_slot: int, size: int) -> Arm:
        """The light of one arm (0 or 1) of a block."""
        return Arm(first_slot, size, self._sent, block, arm)

    def chunk(self, number: int, caps: Caps = WHOLE) -> PairChunk:
        """The pairs of a chunk, drawn anew; always the same ones."""
        rng = self._streams.of(number, _NUMBERS)
        if caps == WHOLE:
            slots, numbers = _drawn(self.source.photons(), self.chunk_slots, rng)
            return PairChunk(slots, numbers, self.source.statistics == "polarisation")
        kept = Pairs(self.source.mean_pairs * _either(caps), "poisson")
        slots, numbers = _drawn(kept.photons(), self.chunk_slots, rng)
        return PairChunk(slots, numbers, False, _passing(int(numbers.sum()), caps, rng))


def white_noise(fidelity: float) -> PulseChannel:
    """What makes Werner pairs of perfect ones, at either arm. Raises InputError below 1/4."""
    if not 0.25 <= fidelity <= 1:
        raise InputError(f"pairs: fidelity is {fidelity}, expected 1/4 to 1")
    visibility = (4 * fidelity - 1) / 3
    white = np.diag([1.0, *[math.sqrt(visibility)] * 3])
    return NO_CHANNEL if visibility == 1 else pulse_channel(1.0, white)


class PairBlock:
    """The chunks of a block that have been detected. Both arms hold it, and nothing else."""

    __slots__ = ("_caps", "_chunks", "_find_caps", "_train", "chunk_slots")

    def __init__(self, train: PairTrain, caps: Callable[[], Caps] | None = None) -> None:
        self._train, self.chunk_slots = train, train.chunk_slots
        self._find_caps, self._caps = caps, WHOLE
        self._chunks: dict[int, PairChunk] = {}

    @property
    def caps(self) -> Caps:
        """What has been left out of the pairs: photons of each arm beyond that share."""
        if self._find_caps is not None:
            found, self._find_caps = self._find_caps(), None
            self._caps = found if _either(found) < FEW else WHOLE
        return self._caps

    def chunk(self, number: int) -> PairChunk:
        """The pairs of the chunk of that number of the train."""
        found = self._chunks.get(number)
        if found is None:
            found = self._chunks[number] = self._train.chunk(number, self.caps)
        return found


class Photons(NamedTuple):
    """Photons of one arm of a chunk, in the order of slots: their numbers there, and slots from 0."""

    at: Slots
    slots: Slots


class Arm(NamedTuple):
    """One arm of a block as it travels; a `Layer`. `where` None: all slots, else those that are its."""

    first_slot: int
    size: int
    channel: PulseChannel
    block: PairBlock
    arm: int
    where: NDArray[np.bool_] | None = None

    def part(self, at: int, size: int) -> Self:
        where = None if self.where is None else self.where[at : at + size]
        end = min(at + size, self.size)
        return self._replace(first_slot=self.first_slot + at, size=end - at, where=where)

    def with_channel(self, channel: PulseChannel) -> Self:
        return self._replace(channel=channel)

    def only(self, where: NDArray[np.bool_]) -> Self:
        return self._replace(where=where if self.where is None else self.where & where)

    @property
    def step(self) -> int:
        """As for `Layer`: what is left of a chunk of pairs."""
        return self.block.chunk_slots - self.first_slot % self.block.chunk_slots

    def photons(self) -> Photons:
        """Those that were sent, of an arm that is (part of) one chunk."""
        pairs, offset = self._chunk(), self.first_slot % self.block.chunk_slots
        low, high = np.searchsorted(pairs.slots, (offset, offset + self.size))
        at = pairs.passing(self.arm, int(low), int(high))
        slots = pairs.slots[at] - offset
        if self.where is not None:
            here = self.where[slots]
            at, slots = at[here], slots[here]
        return Photons(at, slots)

    @property
    def cap(self) -> float:
        """Which share of its photons has not been left out; 1 where there is none."""
        return self.block.caps[self.arm] or 1.0

    def look(
        self,
        photons: Photons,
        steps: Slots | int,
        bases: NDArray[np.integer],
        rng: np.random.Generator,
        effects: Floats = EFFECTS,
    ) -> Floats:
        """P(bit 0) of each photon in its basis, a row of `effects`, once it is known how it was found.

        `steps` are those of the channel that they met. The photons have been seen.
        """
        rows = 2 * np.einsum("bp,kpq->kbq", effects, self.channel.maps)
        lengths = np.linalg.norm(rows[..., 1:], axis=-1)
        blind = lengths < 1e-12
        axes = np.where(blind[..., None], [0.0, 0.0, 1.0], rows[..., 1:])
        axes /= np.where(blind, 1.0, lengths)[..., None]
        found = self._chunk().find(
            self.arm, photons.at, steps * len(effects) + bases, axes.reshape(-1, 3), rng
        )
        chances = (rows[..., :1] + lengths[..., None] * np.array([1.0, -1.0])) / 2
        chosen: Floats = chances[steps, bases, found]
        return chosen

    def _chunk(self) -> PairChunk:
        return self.block.chunk(self.first_slot // self.block.chunk_slots)


def unclocked_chunk(mean_pairs: float, caps: Caps = WHOLE) -> int:
    """How many slots a chunk has of pairs without a clock, so many of which are in a slot."""
    fewest, most = _SLOTS_BITS
    share = _either(caps)
    left_out = min(_LEFT_OUT_BITS, -math.ceil(math.log2(share)) if share else _LEFT_OUT_BITS)
    pairs_bits = _PAIRS_BITS + (left_out if share < FEW else 0)
    return 1 << min(max(pairs_bits - math.ceil(math.log2(mean_pairs)), fewest), most)


def _either(caps: Caps) -> float:
    """The share of pairs of which at least one photon is not left out."""
    first, second = caps
    return first + second - first * second


def _passing(
    count: int, caps: Caps, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of pairs of which at least one photon passes, which of either arm do."""
    first, second = caps
    draws = rng.random(count) * _either(caps)
    return draws < first, (draws < first * second) | (draws >= first)


class PairChunk:
    """The pairs of one chunk, and how the photons of either arm were found."""

    __slots__ = ("_directions", "_found", "_passing", "_several", "slots")

    def __init__(
        self,
        slots: Slots,
        numbers: Slots,
        symmetric: bool,
        passing: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    ) -> None:
        self._passing = passing
        #: The slot of each pair, ascending.
        self.slots = np.repeat(slots, numbers)
        #: Per arm and photon, the row of its partner's direction in `_directions`; -1: not looked at.
        self._found = np.full((2, len(self.slots)), -1, dtype=np.int32)
        self._directions: Floats = _NOWHERE  # the last row stands for -1
        #: Number of photons -> the first one of each slot with so many, where they share a state.
        self._several: dict[int, Slots] = {}
        if symmetric:
            starts = np.cumsum(numbers) - numbers
            counts = np.unique(numbers[numbers > 1]).tolist()
            self._several = {count: starts[numbers == count] for count in counts}

    def passing(self, arm: int, low: int, high: int) -> Slots:
        """Of the pairs from `low` to before `high`, those whose photon in the arm has not been left out."""
        if self._passing is None:
            return np.arange(low, high)
        return low + np.flatnonzero(self._passing[arm][low:high])

    def find(
        self,
        arm: int,
        photons: Slots,
        axis: NDArray[np.integer],
        axes: Floats,
        rng: np.random.Generator,
    ) -> NDArray[np.intp]:
        """Project `photons` (ascending) of an arm, each along axes[axis]: 0 along it, 1 against it."""
        partners = self._found[1 - arm, photons]
        draws = rng.random(len(photons))
        cosines = np.einsum("ij,ij->i", self._directions[partners], axes[axis])
        found: NDArray[np.intp] = (draws >= (1 + cosines) / 2).astype(np.intp)
        for count, starts in self._several.items():
            first = np.searchsorted(photons, starts)
            here = first < len(photons)
            first = first[here][photons[first[here]] == starts[here]]
            rows = first[:, None] + np.arange(count)
            known = self._directions[partners[rows]]
            found[rows] = _symmetric(known, axes[axis[rows]], draws[rows], rng)
        self._note(arm, photons, 2 * axis + found, axes)
        return found

    def _note(self, arm: int, photons: Slots, which: NDArray[np.integer], axes: Floats) -> None:
        before = self._directions[:-1]
        both = (axes[:, None] * np.array([[1.0], [-1.0]]) * _CONJUGATE).reshape(-1, 3)
        self._directions = np.concatenate([before, both, _NOWHERE])
        self._found[arm, photons] = len(before) + which


def _drawn(distribution: Distribution, size: int, rng: np.random.Generator) -> tuple[Slots, Slots]:
    """Slots of `size` that hold anything, ascending, and how much: N >= j where a draw is below P(N >= j)."""
    at_least = np.cumsum(distribution[:0:-1])
    if not len(at_least):
        at_least = np.zeros(1)
    slots = occupied(size, float(at_least[-1]), rng)
    draws = rng.random(len(slots)) * at_least[-1]
    return slots, len(at_least) - np.searchsorted(at_least, draws, side="right")


# --- several photons in one state -----------------------------------------------------------------


def _symmetric(
    known: Floats, axes: Floats, draws: Floats, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """How the n photons of m slots are found along `axes`, all shapes (m, n, 3) but `draws` (m, n).

    `known`: their partners' directions; zeros where the partners were not detected. The generator gives as
    many numbers in either case: else the next ones would tell an end whether the other has looked.
    """
    found = np.empty(draws.shape, dtype=bool)
    fresh = ~known.any(axis=(1, 2))
    alike = rng.standard_normal((len(draws), 1, 3))[fresh]
    alike /= np.linalg.norm(alike, axis=-1, keepdims=True)
    found[fresh] = draws[fresh] >= (1 + (alike * axes[fresh]).sum(axis=-1)) / 2
    found[~fresh] = _taken(_created(known[~fresh]), axes[~fresh], draws[~fresh])
    return found


def _spinors(directions: Floats) -> Amplitudes:
    """(..., 2) amplitudes of the states that point along unit vectors (..., 3)."""
    x, y, z = np.moveaxis(directions, -1, 0)
    across = np.hypot(x, y)
    turn = np.where(across > 0, x + 1j * y, 1.0) / np.where(across > 0, across, 1.0)
    up, down = (np.sqrt(np.clip((1 + sign * z) / 2, 0, 1)) for sign in (1, -1))
    return np.stack([up + 0j, down * turn], axis=-1)


def _created(directions: Floats) -> Amplitudes:
    """(m, n + 1) amplitudes, by photons in the second mode, after one creation operator per direction."""
    count = directions.shape[1]
    spinors = _spinors(directions)
    state = np.ones((len(directions), 1), dtype=np.complex128)
    for size in range(count):
        up, down = spinors[:, size, :1], spinors[:, size, 1:]
        grown = np.zeros((len(state), size + 2), dtype=np.complex128)
        grown[:, :-1] = up * np.sqrt(np.arange(size + 1, 0, -1)) * state
        grown[:, 1:] += down * np.sqrt(np.arange(1, size + 2)) * state
        state = grown / np.linalg.norm(grown, axis=1, keepdims=True)
    return state


def _taken(state: Amplitudes, axes: Floats, draws: Floats) -> NDArray[np.bool_]:
    """Which photons, taken one after the other, are found against their axis."""
    spinors = _spinors(axes)
    against = np.empty(draws.shape, dtype=bool)
    for index in range(draws.shape[1]):
        left = draws.shape[1] - index
        up, down = spinors[:, index, :1], spinors[:, index, 1:]
        one = state[:, :-1] * np.sqrt(np.arange(left, 0, -1))
        other = state[:, 1:] * np.sqrt(np.arange(1, left + 1))
        along = up.conj() * one + down.conj() * other
        opposite = up * other - down * one
        chance = (np.abs(along) ** 2).sum(axis=1) / left
        against[:, index] = draws[:, index] >= chance
        state = np.where(against[:, index, None], opposite, along)
        state = state / np.linalg.norm(state, axis=1, keepdims=True)
    return against
