"""Trains of weak pulses as arrays: what was sent, what it met, and which photons are left.

Owns pulses in flight. Does not own photon-number statistics (devices/sources.py), their detection
(detection.py), the arms of entangled pairs (pairs.py), what eavesdroppers do (interception.py), what a fibre
does (fibre.py and its neighbours) or when a train reaches a node (the plane).

A train is a classical description of light: in which state each pulse was prepared, and from which
source. Loss and noise are only noted down on the way; numbers are drawn where something looks. That is
exact, because photons are lost independently of each other (thinning), and it is fast, because only
pulses of which a photon is left cost anything: their slots are found by geometric skips.

Rules. Light is seen once: whatever takes a train spends it, and a spent train is refused, so no path
copies a state. Everything is drawn per chunk of CHUNK_SLOTS slots, from a stream of its own that is
derived from the entity's generator by one draw, so that results do not depend on how a train is cut
into blocks (always at whole chunks), and one outcome shifts no draw of another chunk.

Bases are 0 = Z, 1 = X, 2 = Y unless a train says along which axes they are; bit 0 is the +1 eigenstate.
Times are picoseconds from the train's start:
slot i is at i * period_ps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..devices.sources import Fock, Source
from ..errors import InputError, InternalError
from ..states.pauli import Superoperator
from ..wire.bit_planes import read_only
from ..wire.hashed_settings import HashedColumn, read_together

#: Slots that share one random stream: the granularity of blocks.
CHUNK_SLOTS = 1 << 18

Bytes = NDArray[np.uint8]
Slots = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Above this share of slots with photons, one number per slot is cheaper than skips.
_DENSE = 0.3
#: Row 2 * basis + bit: Pauli vector (1, x, y, z) of the state that is sent.
STATES = read_only(
    np.array(
        [[1, 0, 0, 1], [1, 0, 0, -1], [1, 1, 0, 0], [1, -1, 0, 0], [1, 0, 1, 0], [1, 0, -1, 0]],
        dtype=float,
    )
)
#: Row basis: Pauli vector of the projector on bit 0, so that P(0) = row . vector.
EFFECTS = read_only(STATES[::2] / 2)
BASES = len(EFFECTS)
#: Where in its slot a pulse comes, for detectors that are not alike there; 0 is in the middle.
EARLY, LATE = 1, 2


def states_along(axes: ArrayLike) -> Floats:
    """`STATES` for bases along these unit vectors (k, 3)."""
    vectors = np.asarray(axes, dtype=float)
    signs = np.array([[1.0], [-1.0]])
    both = (vectors[:, None] * signs).reshape(-1, 3)
    return read_only(np.hstack([np.ones((len(both), 1)), both]))


def effects_along(axes: ArrayLike) -> Floats:
    """`EFFECTS` for bases along these unit vectors (k, 3)."""
    return read_only(states_along(axes)[::2] / 2)


class Substreams:
    """Generators by (chunk, purpose), from one draw of an entity's generator."""

    __slots__ = ("_entropy",)

    def __init__(self, rng: np.random.Generator) -> None:
        self._entropy = rng.integers(0, 1 << 32, size=4).tolist()

    def of(self, *key: int) -> np.random.Generator:
        """The generator of that key, always the same."""
        seeds = np.random.SeedSequence(self._entropy, spawn_key=key)
        return np.random.Generator(np.random.PCG64(seeds))


# --- what channels have done -----------------------------------------------------------------------


class PulseChannel(NamedTuple):
    """What channels have done so far: from slot `starts[i]` on, `etas[i]` and then `maps[i]`.

    Shapes (k,), (k,), (k, 4, 4); `starts` ascends from 0 and counts slots of the whole train. Maps are
    Pauli transfer matrices, acting on each photon by itself. `gates` are those of the links, in order:
    (rms spread of arrival since the gate before, full width in ps). `spread_ps` is the rms spread since the
    last gate. A gate opens once in each slot; its loss is not in `etas`, because it is drawn photon by
    photon, with the time of arrival (`arrivals`).
    """

    starts: Slots
    etas: Floats
    maps: NDArray[np.float64]
    spread_ps: float = 0.0
    gates: tuple[tuple[float, float], ...] = ()

    def then(self, later: PulseChannel) -> PulseChannel:
        """Both, one after the other; the steps of both grids are kept."""
        starts = np.union1d(self.starts, later.starts)
        mine, its = self._step(starts), later._step(starts)
        gates, spread_ps = self.gates, math.hypot(self.spread_ps, later.spread_ps)
        if later.gates:
            (first_ps, width_ps), *others = later.gates
            gates = (*gates, (math.hypot(self.spread_ps, first_ps), width_ps), *others)
            spread_ps = later.spread_ps
        return PulseChannel(
            starts,
            self.etas[mine] * later.etas[its],
            later.maps[its] @ self.maps[mine],
            spread_ps,
            gates,
        )

    def arrivals(
        self, count: int, period_ps: int, rng: np.random.Generator, jitter_ps: float = 0.0
    ) -> tuple[Floats, NDArray[np.bool_]] | None:
        """(times of arrival of `count` photons in slots from the middle of their own, which gates let pass).

        `jitter_ps` (rms) comes on top after the last gate. None: all arrive as sent.
        """
        last_ps = math.hypot(self.spread_ps, jitter_ps)
        if not last_ps and not self.gates:
            return None
        offsets, kept = np.zeros(count), np.ones(count, dtype=bool)
        for spread_ps, width_ps in self.gates:
            offsets = offsets + rng.standard_normal(count) * (spread_ps / period_ps)
            kept &= np.abs(offsets - np.rint(offsets)) <= width_ps / period_ps / 2
        if last_ps:
            offsets = offsets + rng.standard_normal(count) * (last_ps / period_ps)
        return offsets, kept

    def landing(self, period_ps: int, jitter_ps: float, open_ps: float) -> dict[int, float]:
        """How many slots late photons land, and with which probability: those that all gates let pass.

        What `arrivals` draws, with a detector's own gate of full width `open_ps` behind it.
        """
        last_ps = math.hypot(self.spread_ps, jitter_ps)
        last = min(open_ps / period_ps, 1.0) / 2
        times = [(0.0, 1.0)]
        for number, (spread_ps, width_ps) in enumerate(self.gates, 1):
            half = min(width_ps / period_ps, 1.0) / 2
            if number == len(self.gates) and not last_ps:
                half = min(half, last)
            times = [
                later
                for at, share in times
                for later in _through_gate(at, share, spread_ps / period_ps, half)
            ]
        found: dict[int, float] = {}
        for at, share in times:
            for slot, passes in _landed(at, last_ps / period_ps, last):
                found[slot] = found.get(slot, 0.0) + share * passes
        return found

    def _step(self, slots: Slots) -> Slots:
        return np.searchsorted(self.starts, slots, side="right") - 1

    def within(self, first: int, end: int) -> PulseChannel:
        """The steps that slots from `first` to before `end` meet."""
        if len(self.starts) == 1:
            return self
        low, high = self._step(np.array([first, end - 1]))
        part = slice(int(low), int(high) + 1)
        return self._replace(starts=self.starts[part], etas=self.etas[part], maps=self.maps[part])

    def steps_of(self, slots: Slots) -> Slots | int:
        """Which step each of `slots` (of the whole train) met."""
        return 0 if len(self.starts) == 1 else self._step(slots)


#: How many standard deviations of a time of arrival are looked at, and at how many points of a gate.
_WIDE, _POINTS = 8.5, 64


def _slots_near(at: float, sigma: float) -> range:
    return range(math.floor(at - _WIDE * sigma + 0.5), math.ceil(at + _WIDE * sigma - 0.5) + 1)


def _through_gate(at: float, share: float, sigma: float, half: float) -> list[tuple[float, float]]:
    """(time, share) of what arrives at `at` on average and passes a gate that opens in each slot."""
    if not sigma:
        return [(at, share)] if abs(at - round(at)) <= half else []
    nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
    found: list[tuple[float, float]] = []
    for slot in _slots_near(at, sigma):
        low = max(slot - half, at - _WIDE * sigma)
        high = min(slot + half, at + _WIDE * sigma)
        if low >= high:
            continue
        times = (low + high) / 2 + (high - low) / 2 * nodes
        density = np.exp(-((times - at) ** 2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma)
        shares = share * density * weights * (high - low) / 2
        found.extend(zip(times.tolist(), shares.tolist(), strict=True))
    return found


def _landed(at: float, sigma: float, half: float) -> list[tuple[int, float]]:
    """(slot, probability) in whose gate something ends that arrives at `at` on average."""
    if not sigma:
        slot = round(at)
        return [(slot, 1.0)] if abs(at - slot) <= half else []
    scale = math.sqrt(2) * sigma
    return [
        (slot, (math.erf((slot + half - at) / scale) - math.erf((slot - half - at) / scale)) / 2)
        for slot in _slots_near(at, sigma)
    ]


def pulse_channel(
    eta: ArrayLike = 1.0,
    noise: Superoperator | None = None,
    *,
    starts: ArrayLike = 0,
    spread_ps: float = 0.0,
    gate_ps: float | None = None,
) -> PulseChannel:
    """A channel of transmittance `eta` whose `noise` (4, 4) acts on each photon; None is none.

    For a channel that drifts on a grid, `starts` are the k slots from which the k values of `eta` and
    `noise` (k, 4, 4) hold, beginning with 0. A gate of full width `gate_ps` stands at its end. Raises
    InputError for what is no transmittance, a spread or a gate below 0, shapes that do not fit, and starts
    that do not ascend from 0.
    """
    slots = read_only(np.array(starts, dtype=np.int64, ndmin=1))
    etas, maps = np.asarray(eta, dtype=float), np.eye(4) if noise is None else np.asarray(noise)
    if slots[0] != 0 or np.any(slots[1:] <= slots[:-1]):
        raise InputError("pulse channel: starts ascend from slot 0")
    if not np.all((etas >= 0) & (etas <= 1)):
        raise InputError(f"pulse channel: eta is {etas}, expected a transmittance from 0 to 1")
    if not 0 <= spread_ps < math.inf:
        raise InputError(f"pulse channel: spread_ps is {spread_ps}, expected 0 or more")
    if gate_ps is not None and not 0 <= gate_ps < math.inf:
        raise InputError(f"pulse channel: gate_ps is {gate_ps}, expected 0 or more")
    if etas.shape not in {(), slots.shape} or maps.shape not in {(4, 4), (*slots.shape, 4, 4)}:
        raise InputError(
            f"pulse channel: {len(slots)} steps, but eta has shape {etas.shape} and noise {maps.shape}"
        )
    size = len(slots)
    return PulseChannel(
        slots,
        read_only(np.broadcast_to(etas, (size,)).copy()),
        read_only(np.broadcast_to(maps, (size, 4, 4)).astype(float)),
        spread_ps if gate_ps is None else 0.0,
        () if gate_ps is None else ((spread_ps, gate_ps),),
    )


def misalignment(angle_rad: float = 0.0, error: float = 0.0) -> Superoperator:
    """Real misalignment by `angle_rad` (e_d = sin^2 theta in Z and X), then depolarisation to `error`.

    For a fixed e_d without a direction give `error` alone: all bases err alike and a mismatched basis
    stays at 1/2. Raises InputError unless 0 <= error <= 1/2.
    """
    if not 0 <= error <= 0.5:
        raise InputError(f"misalignment: error is {error}, expected 0 to 1/2")
    cos, sin = math.cos(2 * angle_rad), math.sin(2 * angle_rad)
    rotation = np.eye(4)
    rotation[1, 1], rotation[1, 3], rotation[3, 1], rotation[3, 3] = cos, sin, -sin, cos
    rotation[1:] *= 1 - 2 * error
    return rotation


NO_CHANNEL = pulse_channel()


# --- trains ---------------------------------------------------------------------------------------


class Layer(Protocol):
    """Light of consecutive slots, of whichever kind: prepared pulses (`Light`), or an arm of pairs."""

    @property
    def first_slot(self) -> int:
        """Counted over the whole train."""

    @property
    def size(self) -> int:
        """How many slots."""

    @property
    def channel(self) -> PulseChannel:
        """What it has met on the way."""

    @property
    def step(self) -> int:
        """How many of its slots are one chunk, from its first on."""

    def part(self, at: int, size: int) -> Self:
        """The slots from `at` (of these) on, `size` or as many as there are."""

    def with_channel(self, channel: PulseChannel) -> Self:
        """The same light with another past."""

    def only(self, where: NDArray[np.bool_]) -> Self:
        """The light of the slots in `where`, and dark in the others."""


class Light(NamedTuple):
    """What a train says once it is taken: arrays over its slots, and what they met on the way.

    Row 2 * basis + bit of `states` is the Pauli vector that was sent. `bright`: it holds so many photons that
    it blinds detectors (blinding.py); where setting 1 is, a pulse of it fakes a state. `shifts`: which pulses
    come EARLY or LATE in their slot; None: none does.
    """

    first_slot: int
    bases: Bytes
    bits: Bytes
    intensities: Bytes
    sources: tuple[Source, ...]
    channel: PulseChannel
    states: Floats = STATES
    bright: bool = False
    shifts: Bytes | None = None

    def rows(self, slots: Slots) -> NDArray[np.integer]:
        """The rows of `states` of some slots (of these, from 0)."""
        return 2 * self.bases[slots] + self.bits[slots]

    def settings(self, slots: Slots) -> Bytes:
        """The intensities of some slots."""
        return self.intensities[slots]

    @property
    def highest(self) -> int:
        """The highest intensity that is used."""
        return int(self.intensities.max(initial=0))

    @property
    def size(self) -> int:
        return len(self.bits)

    @property
    def step(self) -> int:
        return CHUNK_SLOTS

    def part(self, at: int, size: int) -> Self:
        part = slice(at, at + size)
        return self._replace(
            first_slot=self.first_slot + at,
            bases=self.bases[part],
            bits=self.bits[part],
            intensities=self.intensities[part],
            shifts=None if self.shifts is None else self.shifts[part],
        )

    def with_channel(self, channel: PulseChannel) -> Self:
        return self._replace(channel=channel)

    def only(self, where: NDArray[np.bool_]) -> Self:
        dark = len(self.sources)
        if dark > np.iinfo(np.uint8).max:
            raise InternalError(f"a train of {dark} settings")
        intensities = np.where(where, self.intensities, np.uint8(dark))
        return self._replace(intensities=intensities, sources=(*self.sources, Fock(0)))


class LazyLight(NamedTuple):
    """As `Light`, with columns that are hashed where they are read. One block is one chunk."""

    bases: HashedColumn
    bits: HashedColumn
    intensities: HashedColumn
    highest: int
    sources: tuple[Source, ...]
    channel: PulseChannel
    states: Floats = STATES

    @property
    def first_slot(self) -> int:
        return self.bits.first_slot

    @property
    def size(self) -> int:
        return len(self.bits)

    @property
    def step(self) -> int:
        return max(self.size, 1)

    def rows(self, slots: Slots) -> NDArray[np.integer]:
        """As for `Light`."""
        bases, bits = read_together((self.bases, self.bits), slots)
        return 2 * bases + bits

    def settings(self, slots: Slots) -> Bytes:
        """As for `Light`."""
        return self.intensities[slots]

    def part(self, at: int, size: int) -> Self:
        part = slice(at, at + size)
        return self._replace(
            bases=self.bases[part], bits=self.bits[part], intensities=self.intensities[part]
        )

    def with_channel(self, channel: PulseChannel) -> Self:
        return self._replace(channel=channel)

    def only(self, where: NDArray[np.bool_]) -> Self:
        raise InternalError("lazy light is divided slot by slot: spell it out before")

    def explicit(self) -> Light:
        """The same light as arrays."""
        return Light(
            self.first_slot,
            self.bases.whole(),
            self.bits.whole(),
            self.intensities.whole(),
            self.sources,
            self.channel,
            self.states,
        )


class PulseTrain:
    """Pulses in flight, or a block of consecutive ones; slots count from 0 over the whole train.

    `bases`, `bits`, `intensities` are uint8 of one length n; `intensities` points into `sources`. The
    arrays are kept, not copied. Taken once: see `take`. Raises InputError for arrays of unequal length
    and for bases, bits or intensities that do not exist.
    """

    __slots__ = ("_light", "first_slot", "period_ps", "slots")

    def __init__(
        self,
        bases: ArrayLike,
        bits: ArrayLike,
        intensities: ArrayLike,
        sources: Sequence[Source],
        period_ps: int,
    ) -> None:
        if period_ps < 1:
            raise InputError(f"pulses: period_ps is {period_ps}, expected at least 1")
        states = column("bases", bases, BASES), column("bits", bits, 2)
        settings = column("intensities", intensities, len(sources))
        lengths = {len(states[0]), len(states[1]), len(settings)}
        if len(lengths) != 1:
            raise InputError(
                f"pulses: bases, bits and intensities have lengths {sorted(lengths)}, expected one"
            )
        self._light: Layer | None = Light(0, *states, settings, tuple(sources), NO_CHANNEL)
        self.first_slot, self.period_ps, self.slots = 0, period_ps, len(settings)

    @classmethod
    def of(cls, light: Layer, period_ps: int) -> PulseTrain:
        """A train of light that is at hand: for what takes light and sends some on."""
        train = object.__new__(cls)
        train.first_slot = light.first_slot
        train._light, train.period_ps, train.slots = light, period_ps, light.size
        return train

    def take(self) -> Light:
        """Prepared pulses themselves, and the train is spent.

        Raises InternalError the second time, and for light that was never prepared.
        """
        light = self.take_layer()
        if isinstance(light, LazyLight):
            light = light.explicit()
        if not isinstance(light, Light):
            raise InternalError("an arm of pairs is in no state of its own")
        return light

    def take_layer(self) -> Layer:
        """The light itself, of whichever kind, and the train is spent. Raises InternalError as `take`."""
        light, self._light = self.layer, None
        return light

    @property
    def layer(self) -> Layer:
        """The light, which is not taken by looking what kind it is. Raises InternalError as `take`."""
        if self._light is None:
            raise InternalError("these pulses have been seen or sent on: light is seen once")
        return self._light

    def blocks(self, slots: int = 4 * CHUNK_SLOTS) -> Iterator[PulseTrain]:
        """The train in blocks of at most `slots` (rounded up to whole chunks); spends it."""
        light = self.take_layer()
        step = max(1, -(-slots // CHUNK_SLOTS)) * CHUNK_SLOTS
        return (self.of(light.part(at, step), self.period_ps) for at in range(0, light.size, step))

    def shifted(self, late: NDArray[np.bool_]) -> PulseTrain:
        """The train with each pulse moved, to late or to early in its slot; spends this one."""
        light = self.take()
        shifts = np.where(late, np.uint8(LATE), np.uint8(EARLY))
        return self.of(light._replace(shifts=shifts), self.period_ps)

    def through(self, channel: PulseChannel) -> PulseTrain:
        """The train after a channel; spends this one. Draws nothing."""
        light = self.take_layer()
        return self.of(light.with_channel(light.channel.then(channel)), self.period_ps)

    def __len__(self) -> int:
        return self.slots

    def __repr__(self) -> str:
        state = ", spent" if self._light is None else ""
        return f"<PulseTrain of {self.slots} slots from slot {self.first_slot}{state}>"


def transmit(
    train: PulseTrain, eta: float, misalignment_rad: float = 0.0, error: float = 0.0
) -> PulseTrain:
    """`train` after a channel of transmittance `eta` and a misalignment; spends it, draws nothing."""
    return train.through(pulse_channel(eta, misalignment(misalignment_rad, error)))


def column(name: str, values: ArrayLike, kinds: int) -> Bytes:
    """`values` as a flat uint8 array of numbers below `kinds`. Raises InputError if they are not."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not 0 <= array.min() <= array.max() < kinds):
        raise InputError(f"pulses: {name} must be a flat array of numbers from 0 to {kinds - 1}")
    return array.astype(np.uint8, copy=False)


AnyLayer = TypeVar("AnyLayer", bound=Layer)


def chunks(light: AnyLayer) -> Iterator[tuple[int, AnyLayer]]:
    """(number of the chunk, its light). Raises InternalError unless the block begins a chunk.

    A block of lazy light is one chunk, however long: it was cut by what it holds; and so is what a block of
    pairs without a clock has of one chunk of pairs. A chunk's number is that of its first slot.
    """
    if light.first_slot % CHUNK_SLOTS:
        raise InternalError(f"a block begins at slot {light.first_slot}, inside a chunk")
    at = 0
    while at < light.size:
        chunk = light.part(at, light.part(at, light.size).step)
        first, end = chunk.first_slot, chunk.first_slot + chunk.size
        yield first // CHUNK_SLOTS, chunk.with_channel(chunk.channel.within(first, end))
        at += chunk.size


# --- photons --------------------------------------------------------------------------------------


def occupied(size: int, probability: float, rng: np.random.Generator) -> Slots:
    """The successes, ascending, of `size` independent trials."""
    if probability > _DENSE:
        return np.flatnonzero(rng.random(size) < probability)
    if probability <= 0.0:
        return np.empty(0, dtype=np.int64)
    scale = -1 / math.log1p(-probability)
    batch = int(size * probability + 6 * math.sqrt(size * probability) + 16)
    found: list[Slots] = []
    last = -1.0
    while last < size:
        # the failures before a success are geometric: floor of an exponential
        skips = np.floor(rng.standard_exponential(batch) * scale) + 1
        slots = last + np.cumsum(skips)
        found.append(slots[: np.searchsorted(slots, size)].astype(np.int64))
        last = float(slots[-1])
    return found[0] if len(found) == 1 else np.concatenate(found)


def photons(chunk: Light | LazyLight, eta: float, rng: np.random.Generator) -> tuple[Slots, Slots]:
    """Slots of the chunk (from 0) of which photons are left after `eta`, and how many: exact.

    One number per candidate decides both whether and how many: N >= j where it is below P(N >= j).
    """
    # only settings up to the highest that the chunk uses: what others could send must not matter
    sources = [source.surviving(eta) for source in chunk.sources[: chunk.highest + 1]]
    at_least = np.zeros((max(map(len, sources)) - 1, len(sources)))
    for index, distribution in enumerate(sources):
        tails = np.cumsum(distribution[:0:-1])[::-1]
        at_least[: len(tails), index] = tails
    highest = at_least.max(axis=1, initial=0.0)
    if not len(highest) or highest[0] <= 0:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing
    slots = occupied(chunk.size, float(min(highest[0], 1.0)), rng)
    draws = rng.random(len(slots)) * highest[0]
    setting = chunk.settings(slots)
    there = draws < at_least[0, setting]
    slots, draws, setting = slots[there], draws[there], setting[there]
    numbers = np.ones(len(slots), dtype=np.int64)
    for j in range(1, len(highest)):
        several = np.flatnonzero(draws < highest[j])
        if not len(several):
            break
        numbers[several] += draws[several] < at_least[j, setting[several]]
    return slots, numbers
