"""Counting: how many slots of a train click, by setting and bases, without a slot being looked at.

Owns the step from what each slot meets to the numbers of clicks and errors. Does not own what a slot meets:
the light (pulses.py), the receiver (detection.py) and its detectors in time (devices/detectors.py) are those
of trains that are detected slot by slot.

Theory of operation. Slots with the same channel and the same troubles are alike: one draw from a multinomial
says how many of them come to each (setting, bases, right or wrong). For one setting, one state and one basis
the photons meet each detector by themselves, so that none of the detectors U sees any with probability
G(1 - sum of q_d over U), G the generating function of the photon number; inclusion and exclusion give the
probability of each set of detectors with an event. Dead times and afterpulses come on top as on average in
steady light (`Detector.steady`).

Rule: means are those of trains slot by slot. Left out is what ties one slot to another: the order of the
clicks, dead time that one stretch leaves to the next, and that dead time makes numbers scatter a little less,
and afterpulses a little more, than a binomial does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..devices.sources import Source
from ..errors import InternalError
from .detection import Receiver, Trouble, chances_of_0, squashed_shares
from .pulses import EFFECTS, STATES, Floats, Layer, PulseChannel

#: Stretches of slots that are worked out at once.
AT_ONCE = 256
#: Light of other slots of which less than this share lands in a slot is left out.
NOTHING = 1e-15


@dataclass(frozen=True, eq=False)
class WholeLight:
    """Light that is only counted, of whichever kind: nothing is known of its single slots. A `Layer`."""

    first_slot: int
    size: int
    channel: PulseChannel

    @property
    def step(self) -> int:
        return max(self.size, 1)

    def part(self, at: int, size: int) -> Self:
        return replace(
            self, first_slot=self.first_slot + at, size=max(0, min(size, self.size - at))
        )

    def with_channel(self, channel: PulseChannel) -> Self:
        return replace(self, channel=channel)

    def only(self, where: NDArray[np.bool_]) -> Self:
        raise InternalError("light that is counted is not divided slot by slot")


@dataclass(frozen=True, eq=False)
class CountedLight(WholeLight):
    """Prepared pulses of which only shares are known: of the bases, and of the settings in `sources`.

    Bits are fair coins. Row 2 * basis + bit of `states` is the Pauli vector that was sent.
    """

    bases: tuple[float, ...]
    intensities: tuple[float, ...]
    sources: tuple[Source, ...]
    states: Floats = field(default_factory=lambda: STATES)


class ClickCounts(NamedTuple):
    """Slots that clicked, and those of them whose bit is another one than was sent.

    int64 arrays by (setting of the source, basis of the sender, basis of the receiver).
    """

    clicks: NDArray[np.int64]
    errors: NDArray[np.int64]


class Stretches(NamedTuple):
    """Slots that are alike: how many, their step of the channel, each detector's background, blind or not.

    `starts` is their first slot in the whole train.
    """

    starts: NDArray[np.int64]
    slots: NDArray[np.int64]
    steps: NDArray[np.int64]
    background: Floats
    blind: NDArray[np.bool_]

    def those(self, which: slice | NDArray[np.integer]) -> Stretches:
        """Some of them."""
        return Stretches(
            self.starts[which],
            self.slots[which],
            self.steps[which],
            self.background[which],
            self.blind[which],
        )


def stretches_of(
    light: Layer, receiver: Receiver, period_ps: int, troubles: Sequence[Trouble]
) -> Stretches:
    """The stretches of a train, or of what has come of it."""
    first, end = light.first_slot, light.first_slot + light.size
    windows = [(*each.within(first, end), each) for each in troubles]
    marks = {first, end} | {mark for low, high, _ in windows if low < high for mark in (low, high)}
    inside = light.channel.starts[(light.channel.starts > first) & (light.channel.starts < end)]
    grid = np.union1d(np.array(sorted(marks), dtype=np.int64), inside)
    starts = grid[:-1]
    background = np.tile(receiver.background(period_ps), (len(starts), 1))
    blind = np.zeros(len(starts), dtype=bool)
    for low, high, trouble in windows:
        here = (starts >= low) & (starts < high)
        background[here] += receiver.more_background(trouble, period_ps)
        blind[here] |= trouble.blind
    steps = np.broadcast_to(light.channel.steps_of(starts), starts.shape)
    return Stretches(starts, np.diff(grid), steps, background, blind)


class DetectorSets:
    """Sets of a receiver's detectors, as numbers whose bits are members: from any of them to exactly them."""

    def __init__(self, count: int) -> None:
        # P(exactly the set M) = - sum over W in M of (-1)^|M - W| P(any outside of W), for each set but none
        sets = np.arange(1 << count)
        inside = (sets[:, None] & sets) == sets
        signs = 1.0 - 2.0 * (np.bitwise_count(sets[:, None] ^ sets) & 1)
        outside = ~sets & ((1 << count) - 1)
        self.exactly = np.zeros((1 << count, 1 << count))
        self.exactly[:, outside] = -np.where(inside, signs, 0.0)
        self.exactly[0] = 0.0
        self.members = (sets[:, None] >> np.arange(count) & 1).astype(float)
        self._reported = squashed_shares(count)

    def found(self, live: Floats) -> Floats:
        """(rank, bit) that is reported if exactly a set has an event, as some of it are dead."""
        members = self.members[:, None], self.members  # of the events, of the counts
        ways = np.where(
            members[1] > members[0],
            0.0,
            np.where(
                members[0] == 0,
                1.0,
                np.where(members[1] > 0, live[:, None, None], 1 - live[:, None, None]),
            ),
        ).prod(axis=-1)
        found: Floats = np.einsum("kmc,cbv->kmbv", ways, self._reported)
        return found


class ClickCounter:
    """A receiver that counts the clicks of one train. `shares`: how often it has each basis of `effects`.

    Behind a beam splitter there is nothing to choose, and `shares` is None. All draws are from `rng`.
    """

    def __init__(
        self,
        receiver: Receiver,
        period_ps: int,
        rng: np.random.Generator,
        shares: Sequence[float] | None,
        effects: Floats = EFFECTS,
    ) -> None:
        self._receiver, self._period_ps, self._rng = receiver, period_ps, rng
        self._passive = shares is None
        self._shares = np.array([1.0] if shares is None else shares)
        self._effects = effects[: len(self._shares if shares else receiver.splitting or ())]
        self._detectors = len(receiver.all_detectors)
        self._sets = DetectorSets(self._detectors)

    def count(self, light: CountedLight, troubles: Sequence[Trouble] = ()) -> ClickCounts:
        """The counts of a train, or of what has come of it."""
        kinds = len(self._effects)
        shape = (len(light.sources), len(light.bases), kinds, 2)
        found = np.zeros(int(np.prod(shape)) + 1, dtype=np.int64)
        stretches = stretches_of(light, self._receiver, self._period_ps, troubles)
        for at in range(0, len(stretches.slots), AT_ONCE):
            part = stretches.those(slice(at, at + AT_ONCE))
            cells = self._cells(light, part).reshape(len(part.slots), -1)
            rest = np.maximum(1 - cells.sum(axis=1, keepdims=True), 0.0)
            found += self._rng.multinomial(part.slots, np.hstack([cells, rest])).sum(axis=0)
        counts = found[:-1].reshape(shape)
        return ClickCounts(counts.sum(axis=-1), counts[..., 1])

    # --- probabilities; axes: stretch, setting, state, choice of basis, detector or set of detectors ---

    def _cells(self, light: CountedLight, part: Stretches) -> Floats:
        """P(a click whose bit is right, or wrong) by setting, basis sent, basis found, of each stretch."""
        seen = self._seen(light, part.steps)
        landing = light.channel.landing(
            self._period_ps,
            self._receiver.all_detectors[0].jitter_sigma_ps(),
            self._receiver.all_detectors[0].open_ps(self._period_ps),
        )
        own = self._any_of(light.sources, seen * landing.pop(0, 0.0))
        weights = self._weights(light)
        beside = np.zeros_like(own[:, 0, 0])
        for share in landing.values():
            if share > NOTHING:
                other = self._any_of(light.sources, seen * share)
                beside = either(beside, np.einsum("kisru,is->kru", other, weights))
        dark = -np.expm1(-(part.background @ self._sets.members.T))
        events = either(own, either(beside, dark[:, None])[:, None, None])
        events[part.blind] = 0.0
        live, after = self._steady(events, weights)
        afterpulse = -np.expm1(np.log1p(-after) @ self._sets.members.T)
        events = either(events, afterpulse[:, None, None, None])
        exactly = np.maximum(events @ self._sets.exactly.T, 0.0)  # rounding goes below
        bits = np.einsum("kisrm,kmbv->kisrbv", exactly, self._sets.found(live))
        return self._by_bases(bits, light, weights)

    def _seen(self, light: CountedLight, steps: NDArray[np.int64]) -> Floats:
        """Probability that a photon of that state makes that detector fire."""
        chances = chances_of_0(self._effects, light.channel, light.states)[steps]
        chances = chances[:, : 2 * len(light.bases)]
        etas = light.channel.etas[steps] * self._receiver.transmittance
        both = np.stack([chances, 1 - chances], axis=-1) * etas[:, None, None, None]
        if self._passive:
            shares = np.array(self._receiver.splitting)
            both = (both * shares[:, None]).reshape(*both.shape[:2], 1, -1)
        seen: Floats = both * self._receiver.efficiencies
        return seen

    def _any_of(self, sources: Sequence[Source], seen: Floats) -> Floats:
        """P(any detector of a set sees a photon): 1 - G(1 - q) = sum of P(n) (1 - (1 - q)^n)."""
        dims = seen @ self._sets.members.T
        logs = np.log1p(-np.minimum(dims, 1 - 1e-16))
        found = np.zeros((len(dims), len(sources), *dims.shape[1:]))
        for index, source in enumerate(sources):
            for number, probability in enumerate(source.photons().tolist()):
                if number and probability:
                    found[:, index] -= probability * np.expm1(number * logs)
        return found

    def _weights(self, light: CountedLight) -> Floats:
        """Shares of (setting, state): bits are fair coins."""
        states = np.repeat(np.array(light.bases) / 2, 2)
        weights: Floats = np.array(light.intensities)[:, None] * states
        return weights

    def _steady(self, events: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """(share of slots in which it can count, afterpulse in such a slot), of each detector."""
        alone = events[..., 1 << np.arange(self._detectors)]
        means = np.einsum("kisrd,is,r->kd", alone, weights, self._shares)
        found = [
            detector.steady(means[:, index], self._period_ps)
            for index, detector in enumerate(self._receiver.all_detectors)
        ]
        return (
            np.stack([live for live, _ in found], axis=-1),
            np.stack([after for _, after in found], axis=-1),
        )

    def _by_bases(self, bits: Floats, light: CountedLight, weights: Floats) -> Floats:
        """Sum over bits: (stretch, setting, basis sent, basis found, right or wrong)."""
        stretches, settings = bits.shape[:2]
        chosen = np.einsum("kisrbv,is,r->kisrbv", bits, weights, self._shares)
        found = chosen.reshape(
            stretches, settings, len(light.bases), 2, -1, 2
        )  # ..., bit sent, found
        right = found[..., 0, :, 0] + found[..., 1, :, 1]
        wrong = found[..., 0, :, 1] + found[..., 1, :, 0]
        return np.stack([right, wrong], axis=-1)


def either(first: Floats, second: Floats) -> Floats:
    """P(first or second) of events that do not know of each other."""
    return first + second - first * second
