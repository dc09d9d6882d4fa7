"""Eavesdroppers on pulse trains: measure and resend, or split pulses, by photon number or by a glass plate.

Owns what they take, what they send on, and what they keep. Does not own detection (detection.py).

Rule: nothing copies a state. A train that is intercepted is spent; what is sent on was prepared anew from
what was measured, or is made of the photons that were not stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..devices.sources import Fock, Source
from ..errors import InputError, InternalError
from ..states.noise import check_probability
from ..wire.hashed_settings import HashedColumn
from .blinding import LIT
from .detection import Clicks, PulseReceiver, Receiver, Trouble
from .pulses import (
    EFFECTS,
    NO_CHANNEL,
    STATES,
    Bytes,
    Floats,
    Layer,
    LazyLight,
    Light,
    PulseTrain,
    Slots,
    Substreams,
    chunks,
    column,
    photons,
)

Vectors = NDArray[np.float64]

#: What an eavesdropper resends by default.
ONE_PHOTON = Fock(1)
#: What the streams of one chunk are for.
_NUMBERS, _SINGLES, _SEVERAL = 0, 1, 2


class InterceptResend:
    """Measures what passes, and sends for each click a pulse of its own with what it saw.

    `source` is what it resends, from the place where it stands (`Fock(1)` is the textbook's), in the state
    that it saw: of bases whose states are `states`. Where it sees nothing it sends nothing. It knows what it
    measured (`clicks`) and nothing more. `faked`: what it sends is bright light, which blinds detectors, and
    makes that of the state it saw answer (blinding.py).
    """

    __slots__ = ("_faked", "_receiver", "_source", "_states")

    def __init__(
        self,
        receiver: Receiver,
        period_ps: int,
        rng: np.random.Generator,
        source: Source = ONE_PHOTON,
        states: Floats = STATES,
        faked: bool = False,
    ) -> None:
        self._receiver = PulseReceiver(receiver, period_ps, rng, states[::2] / 2)
        self._source, self._states, self._faked = source, states, faked

    def seize(
        self,
        block: PulseTrain,
        bases: ArrayLike | HashedColumn | None = None,
        beside: Sequence[PulseTrain] = (),
        where: NDArray[np.bool_] | None = None,
        troubles: Sequence[Trouble] = (),
    ) -> tuple[PulseTrain, Clicks]:
        """(what is sent on, what was seen); the block is spent, and what lies `beside` it.

        `where` (one per slot): what is seen elsewhere, a dark count, is neither reported nor sent on.
        `troubles`: as for `PulseReceiver.detect`.
        """
        first_slot, size = block.first_slot, len(block)
        clicks = self._receiver.detect(block, bases, beside, troubles)
        if where is not None:
            reported = where[clicks.slots - first_slot]
            clicks = clicks.those(reported)
        sent_bases, sent_bits, on = np.zeros((3, size), dtype=np.uint8)
        at = clicks.slots - first_slot
        sent_bases[at], sent_bits[at], on[at] = clicks.bases, clicks.bits, LIT
        sources = (Fock(0), self._source)
        light = Light(first_slot, sent_bases, sent_bits, on, sources, NO_CHANNEL, self._states)
        light = light._replace(bright=self._faked)
        return PulseTrain.of(light, block.period_ps), clicks


def divided(block: PulseTrain, where: NDArray[np.bool_]) -> tuple[PulseTrain, PulseTrain]:
    """A block as two that share its slots: the light of those in `where`, and that of the others.

    The block is spent. Each of the two is dark where the other is not, so no pulse is in both.
    """
    light = block.take_layer()
    if isinstance(light, LazyLight):
        light = light.explicit()
    layer: Layer = light
    here, elsewhere = (PulseTrain.of(layer.only(mask), block.period_ps) for mask in (where, ~where))
    return here, elsewhere


def intercept_resend(
    train: PulseTrain,
    receiver: Receiver,
    rng: np.random.Generator,
    bases: ArrayLike | None = None,
    source: Source = ONE_PHOTON,
) -> tuple[PulseTrain, Clicks]:
    """A whole train at once: see `InterceptResend`."""
    return InterceptResend(receiver, train.period_ps, rng, source).seize(train, bases)


class StoredSlots:
    """Photons an eavesdropper stores, one of each slot in `slots`; measured once, in any bases.

    What storage does to them is `through`; their measurement is ideal, whatever detectors the node has.
    """

    __slots__ = ("_states", "slots")

    def __init__(self, slots: Slots, states: Vectors) -> None:
        self.slots = slots
        self._states: Vectors | None = states

    def through(self, change: Callable[[Slots, Vectors], Vectors]) -> None:
        """What storage does to them: `change(slots, vectors)` makes new Pauli vectors, shape (k, 4)."""
        if self._states is not None:
            self._states = change(self.slots, self._states)

    def measure(
        self, bases: ArrayLike, rng: np.random.Generator, effects: Floats = EFFECTS
    ) -> Bytes:
        """Bits, one for each of `slots`, in the bases given (rows of `effects`); the photons are gone.

        Raises InputError for bases that do not fit, InternalError the second time.
        """
        states, self._states = self._states, None
        if states is None:
            raise InternalError("these photons have been measured: light is seen once")
        chosen = column("bases", bases, len(effects))
        if len(chosen) != len(self.slots):
            raise InputError(f"measure: {len(chosen)} bases for {len(self.slots)} photons")
        chance_of_0 = np.einsum("kp,kp->k", effects[chosen], states)
        bits: Bytes = (rng.random(len(chosen)) >= chance_of_0).astype(np.uint8)
        return bits


class Splitter(ABC):
    """Takes photons out of pulses, stores one of each pulse that it took any of, and sends on the rest.

    What passes has a known photon number. It is as late or early as it came, but behind the gate of a link it
    leaves in the middle of its slot. Bright light passes, and nothing of it is stored.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._streams = Substreams(rng)

    @abstractmethod
    def _sent_on(self, numbers: Slots, chunk: int) -> tuple[Slots, NDArray[np.bool_]]:
        """(photons that pass, whether one is stored) of pulses with so many photons, of that chunk."""

    def split(self, block: PulseTrain) -> tuple[PulseTrain, StoredSlots]:
        """(what passes, what is stored); the block is spent."""
        light = block.take()
        if light.bright:
            nothing = StoredSlots(np.empty(0, dtype=np.int64), np.empty((0, 4)))
            return PulseTrain.of(light, block.period_ps), nothing
        forwarded = np.zeros(len(light.bits), dtype=np.uint8)
        stored: list[Slots] = []
        states: list[Vectors] = []
        for number, chunk in chunks(light):
            rng = self._streams.of(number, _NUMBERS)
            slots, numbers = self._counted(chunk, block.period_ps, rng)
            passing, taken = self._sent_on(numbers, number)
            forwarded[chunk.first_slot - light.first_slot + slots] = passing
            stored.append(slots[taken] + chunk.first_slot)
            states.append(_met(chunk, slots[taken]))
        table = tuple(Fock(n) for n in range(int(forwarded.max(initial=0)) + 1))
        arrived = light.channel._replace(etas=np.ones_like(light.channel.etas), gates=())
        onward = light._replace(intensities=forwarded, sources=table, channel=arrived)
        stored_slots = StoredSlots(
            np.concatenate([np.empty(0, dtype=np.int64), *stored]),
            np.concatenate([np.empty((0, 4)), *states]),
        )
        return PulseTrain.of(onward, block.period_ps), stored_slots

    @staticmethod
    def _counted(chunk: Light, period_ps: int, rng: np.random.Generator) -> tuple[Slots, Slots]:
        """Slots of the chunk with photons, and how many, as they stand where the splitter is."""
        best = float(chunk.channel.etas.max())
        slots, numbers = photons(chunk, best, rng)
        steps = chunk.channel.steps_of(slots + chunk.first_slot)
        if isinstance(steps, np.ndarray) and best:
            numbers = rng.binomial(numbers, chunk.channel.etas[steps] / best)
        if chunk.channel.gates:
            pulse = np.repeat(np.arange(len(slots)), numbers)
            arrivals = chunk.channel.arrivals(len(pulse), period_ps, rng)
            assert arrivals is not None, "a gate lets some pass and others not"
            numbers = np.bincount(pulse[arrivals[1]], minlength=len(slots))
        return slots[numbers > 0], numbers[numbers > 0]


class PhotonNumberSplitter(Splitter):
    """Counts photons without touching them, and takes one of each pulse with several.

    Single photons are blocked, but for a share `forward_singles` that passes untouched (Brassard,
    Luetkenhaus, Mor, Sanders, PRL 85, 1330 (2000)); of pulses with several a share `forward_several` passes.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        forward_singles: float = 0.0,
        forward_several: float = 1.0,
    ) -> None:
        check_probability("splitter: forward_singles", forward_singles)
        check_probability("splitter: forward_several", forward_several)
        super().__init__(rng)
        self._forward_singles, self._forward_several = forward_singles, forward_several

    def _sent_on(self, numbers: Slots, chunk: int) -> tuple[Slots, NDArray[np.bool_]]:
        several = numbers > 1
        passing = np.where(several, numbers - 1, 0)
        passing[several] *= self._passes(chunk, _SEVERAL, int(several.sum()), self._forward_several)
        passing += (numbers == 1) & self._passes(
            chunk, _SINGLES, len(numbers), self._forward_singles
        )
        return passing, several

    def _passes(self, chunk: int, purpose: int, count: int, share: float) -> NDArray[np.bool_]:
        """Which of `count` pulses pass; what all do, or none, draws nothing."""
        if share in (0, 1):
            return np.full(count, share == 1)
        passes: NDArray[np.bool_] = self._streams.of(chunk, purpose).random(count) < share
        return passes


class BeamSplitter(Splitter):
    """Takes each photon with probability `share`, as a glass plate does."""

    def __init__(self, rng: np.random.Generator, share: float) -> None:
        check_probability("beam splitter: share", share)
        super().__init__(rng)
        self._share = share

    def _sent_on(self, numbers: Slots, chunk: int) -> tuple[Slots, NDArray[np.bool_]]:
        taken = self._streams.of(chunk, _SINGLES).binomial(numbers, self._share)
        return numbers - taken, taken > 0


def _met(chunk: Light, slots: Slots) -> Vectors:
    """Pauli vectors (k, 4) of single photons of `slots` (of the chunk, from 0) as they are by now."""
    steps = chunk.channel.steps_of(slots + chunk.first_slot)
    every = np.einsum("kpq,sq->ksp", chunk.channel.maps, chunk.states)
    vectors: Vectors = every[steps, chunk.rows(slots)]
    return vectors
