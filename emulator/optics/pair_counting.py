"""Counting pairs: how many coincidences two arms of a train have, without a pair being drawn.

Owns the step from what the slots of both arms meet to the numbers of clicks, coincidences and errors. Does
not own what a slot meets, detectors in time, nor sets of detectors (counting.py and what it uses).

Theory of operation. Where both arms' channels and troubles stay as they are slots are alike: one draw from a
multinomial says how many of them come to each (basis of either end or no click there, bits equal or not).
That no detector of a set U at one end and of a set V at the other sees anything, the photons of an arm meet
operators X and Y, one minus the sum of what U (V) sees. Its probability is a function of the part
w = 1 - tr(X Y^T)/2 of pairs (Phi+) that are seen:

- pairs by themselves, Poissonian or thermal: exp(-mu w), 1/(1 + mu w);
- pairs of polarisation, a squeezed vacuum of two modes in each arm with x = mu/2/(1 + mu/2):
  (1 - x)^2/det(1 - x X Y^T).

Inclusion and exclusion at both ends give what exactly clicks. Without a clock a slot is as long as the window
of coincidences, and of the pairs those whose clicks the jitter leaves within it are pairs, while the others
are two photons that do not know of each other.

Rule: means are those of arms slot by slot; what is left out is what counting.py leaves out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..devices.sources import Pairs
from ..errors import InputError
from .counting import AT_ONCE, NOTHING, DetectorSets, Stretches, WholeLight, either, stretches_of
from .detection import Receiver, Trouble
from .pairs import white_noise
from .pulses import EFFECTS, Floats

#: tr(A B^T)/2 of two Pauli vectors: transposing turns Y around.
_TRANSPOSED = (1.0, 1.0, -1.0, 1.0)


class CountedPairs:
    """The pairs of one train, which are only counted. All draws are from `rng`.

    `source` has the pairs of a slot of `period_ps`; without a clock the slots only count time.
    """

    def __init__(
        self,
        source: Pairs,
        fidelity: float,
        period_ps: int,
        clocked: bool,
        rng: np.random.Generator,
    ) -> None:
        self.source, self.period_ps, self.clocked, self.rng = source, period_ps, clocked, rng
        self.sent = white_noise(fidelity)

    def arm(self, first_slot: int, size: int) -> CountedArm:
        """The light of an arm, as far as it was sent."""
        return CountedArm(first_slot, size, self.sent, self)


@dataclass(frozen=True, eq=False)
class CountedArm(WholeLight):
    """One arm as it travels."""

    pairs: CountedPairs


@dataclass(frozen=True, slots=True)
class SeenArm:
    """An arm that has come, and what it met: nothing is drawn until the other one is known."""

    light: CountedArm
    receiver: Receiver
    #: Shares of an active choice of basis; None behind a beam splitter.
    shares: tuple[float, ...] | None
    effects: Floats
    stretches: Stretches

    @property
    def jitter_ps(self) -> float:
        """Root mean square of a click's time, with the link's spread."""
        detector = self.receiver.all_detectors[0]
        return math.hypot(self.light.channel.spread_ps, detector.jitter_sigma_ps())

    @property
    def bases(self) -> int:
        """How many an end may click in."""
        return len(self.receiver.splitting or ()) if self.shares is None else len(self.shares)

    def landing(self, period_ps: int) -> dict[int, float]:
        """How many slots late photons land, and with which probability."""
        detector = self.receiver.all_detectors[0]
        return self.light.channel.landing(
            period_ps, detector.jitter_sigma_ps(), detector.open_ps(period_ps)
        )


def seen_arm(
    light: CountedArm,
    receiver: Receiver,
    shares: Sequence[float] | None,
    effects: Floats = EFFECTS,
    troubles: Sequence[Trouble] = (),
) -> SeenArm:
    """An arm at its receiver, with what is wrong there in which slots."""
    stretches = stretches_of(light, receiver, light.pairs.period_ps, troubles)
    return SeenArm(light, receiver, None if shares is None else tuple(shares), effects, stretches)


class PairCounts(NamedTuple):
    """What both arms of a train came to.

    Clicks of either end, by its basis; coincidences, and those whose bits differ, by (first's basis,
    second's). int64.
    """

    singles: tuple[NDArray[np.int64], NDArray[np.int64]]
    coincidences: NDArray[np.int64]
    errors: NDArray[np.int64]


def count_pairs(first: SeenArm, second: SeenArm, width: int = 1) -> PairCounts:
    """The counts of a train. `width`: of the window of coincidences, in slots of pairs without a clock.

    Raises InputError for arms of two trains, and for a window of slots that have a clock.
    """
    pairs = first.light.pairs
    if second.light.pairs is not pairs:
        raise InputError("two arms of different trains have no coincidences")
    if pairs.clocked and width != 1:
        raise InputError(f"a window of {width} slots, expected 1 where pairs come in slots")
    counter = _Coincidences(pairs, (_End(first, width), _End(second, width)), width)
    return counter.count()


class _End:
    """One end of a train: what its detectors see of a photon, and count by themselves, a slot of `width`."""

    def __init__(self, arm: SeenArm, width: int) -> None:
        self.arm, self.width = arm, width
        receiver = arm.receiver
        self.detectors = len(receiver.all_detectors)
        self.sets = DetectorSets(self.detectors)
        self.shares = np.array([1.0] if arm.shares is None else arm.shares)

    def at(self, starts: NDArray[np.int64]) -> Stretches:
        """Its stretches at these slots."""
        own = self.arm.stretches
        return own.those(np.searchsorted(own.starts, starts, side="right") - 1)

    def seen(self, steps: NDArray[np.int64]) -> Floats:
        """What each set of detectors sees: Pauli vectors by (stretch, choice of basis, set)."""
        arm, receiver = self.arm, self.arm.receiver
        rows = np.einsum("bp,kpq->kbq", arm.effects[: arm.bases], arm.light.channel.maps[steps])
        whole = np.array([1.0, 0.0, 0.0, 0.0])
        both = np.stack([rows, whole - rows], axis=2)  # bits 0 and 1; maps keep the trace
        both *= (arm.light.channel.etas[steps] * receiver.transmittance)[:, None, None, None]
        if arm.shares is None:
            both *= np.array(receiver.splitting)[:, None, None]
            both = both.reshape(len(both), 1, -1, 4)
        both *= receiver.efficiencies[:, None]
        found: Floats = np.einsum("ud,krdp->krup", self.sets.members, both)
        return found

    def counted(self, part: Stretches) -> Floats:
        """P(any of a set counts what is no photon of a pair), by (stretch, set)."""
        found: Floats = -np.expm1(-(part.background @ self.sets.members.T) * self.width)
        return found

    def steady(self, alone: Floats) -> tuple[Floats, Floats]:
        """(share of time in which it can count, afterpulse) of each detector, by its events in a slot."""
        found = [
            detector.steady(alone[:, index] / self.width, self.arm.light.pairs.period_ps)
            for index, detector in enumerate(self.arm.receiver.all_detectors)
        ]
        live = np.stack([live for live, _ in found], axis=-1)
        return live, np.stack([after for _, after in found], axis=-1) * self.width


class _Coincidences:
    """Both ends of a train, stretch by stretch."""

    def __init__(self, pairs: CountedPairs, ends: tuple[_End, _End], width: int) -> None:
        self._pairs, self._ends, self._width = pairs, ends, width
        self._mean = pairs.source.mean_pairs * width

    def count(self) -> PairCounts:
        first, second = self._ends
        kinds = first.arm.bases, second.arm.bases
        size = kinds[0] * kinds[1]
        found = np.zeros(2 * size + sum(kinds) + 1, dtype=np.int64)
        starts, slots = self._grid()
        for at in range(0, len(starts), AT_ONCE):
            part = slice(at, at + AT_ONCE)
            both, alone, other = self._cells(starts[part])
            cells = np.hstack(
                [
                    both.reshape(len(both), -1),
                    np.maximum(alone - both.sum(axis=(2, 3)), 0.0),
                    np.maximum(other - both.sum(axis=(1, 3)), 0.0),
                ]
            )
            rest = np.maximum(1 - cells.sum(axis=1, keepdims=True), 0.0)
            found += self._pairs.rng.multinomial(slots[part], np.hstack([cells, rest])).sum(axis=0)
        together = found[: 2 * size].reshape(*kinds, 2)
        coincidences = together.sum(axis=-1)
        lone = found[2 * size : 2 * size + kinds[0]], found[2 * size + kinds[0] : -1]
        singles = lone[0] + coincidences.sum(axis=1), lone[1] + coincidences.sum(axis=0)
        return PairCounts(singles, coincidences, together[..., 1])

    def _grid(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where both arms' slots begin to be others, and how many (of `width`) are alike from there on."""
        lights = [end.arm.light for end in self._ends]
        low = max(light.first_slot for light in lights)
        high = min(light.first_slot + light.size for light in lights)
        marks = np.concatenate([end.arm.stretches.starts for end in self._ends])
        inside = np.unique(marks[(marks > low) & (marks < high)])
        if low >= high:
            return inside[:0], inside[:0]
        starts = np.concatenate([[low], inside])
        # rounded where the stretch ends, so that no time is lost over all of them
        ends = (np.concatenate([inside, [high]]) - low) // self._width
        return starts, np.diff(ends, prepend=0)

    # --- axes: stretch, choice of the first end, of the second end, set of the first, of the second ---

    def _cells(self, starts: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
        """P(coincidence) by bases and whether bits differ; P(click) of either end by its basis."""
        parts = [end.at(starts) for end in self._ends]
        seen = [end.seen(part.steps) for end, part in zip(self._ends, parts, strict=True)]
        events = np.zeros((len(starts), *(x.shape[1] for x in seen), *(x.shape[2] for x in seen)))
        for mean, shares in self._ways():
            events = either(events, self._any(mean, seen[0] * shares[0], seen[1] * shares[1]))
        dark = [end.counted(part) for end, part in zip(self._ends, parts, strict=True)]
        events = self._with(events, *dark)
        events = _blinded(events, parts[0].blind, parts[1].blind)
        alone = [self._alone(events, index) for index in (0, 1)]
        steady = [end.steady(each) for end, each in zip(self._ends, alone, strict=True)]
        after = [
            -np.expm1(np.log1p(-each[1]) @ end.sets.members.T)
            for end, each in zip(self._ends, steady, strict=True)
        ]
        events = self._with(events, *after)
        return self._found(events, steady[0][0], steady[1][0])

    def _ways(self) -> Iterator[tuple[float, tuple[float, float]]]:
        """(pairs in a slot, shares of their photons that may be seen in this one): with both, or either."""
        first, second = (end.arm for end in self._ends)
        if self._pairs.clocked:
            period_ps = self._pairs.period_ps
            one, other = first.landing(period_ps), second.landing(period_ps)
            for late in sorted(one.keys() | other.keys()):
                shares = one.get(late, 0.0), other.get(late, 0.0)
                if max(shares) > NOTHING:
                    yield self._mean, shares
            return
        spread_ps = math.hypot(first.jitter_ps, second.jitter_ps)
        half_ps = self._width * self._pairs.period_ps / 2
        within = math.erf(half_ps / (math.sqrt(2) * spread_ps)) if spread_ps else 1.0
        yield self._mean * within, (1.0, 1.0)
        if within < 1:
            yield self._mean * (1 - within), (1.0, 0.0)
            yield self._mean * (1 - within), (0.0, 1.0)

    def _any(self, mean: float, first: Floats, second: Floats) -> Floats:
        """P(any of two sets sees a photon), without the rounding of 1 - P(none)."""
        product = np.einsum("krup,ksvp,p->krsuv", first, second, np.array(_TRANSPOSED))
        singles = first[:, :, None, :, None, 0] + second[:, None, :, None, :, 0]
        part = singles - product
        if self._pairs.source.statistics == "poisson":
            return np.asarray(-np.expm1(-mean * part))
        if self._pairs.source.statistics == "thermal":
            return np.asarray(mean * part / (1 + mean * part))
        share = mean / 2 / (1 + mean / 2)
        unlike = [2 * each[..., 0] - _square(each) for each in (first, second)]  # 1 - det X
        one, other = unlike[0][:, :, None, :, None], unlike[1][:, None, :, None, :]
        more = 2 * share * part - share**2 * (one + other - one * other)
        return np.asarray(more / ((1 - share) ** 2 + more))

    def _with(self, events: Floats, first: Floats, second: Floats) -> Floats:
        """Events, or what each end counts by itself, by (stretch, set)."""
        return either(events, either(first[:, None, None, :, None], second[:, None, None, None, :]))

    def _alone(self, events: Floats, index: int) -> Floats:
        """P(an event in a detector) of one end, by (stretch, detector)."""
        sides = events[:, :, 0, :, 0] if index == 0 else events[:, 0, :, 0, :]
        end = self._ends[index]
        found: Floats = np.einsum(
            "krd,r->kd", sides[..., 1 << np.arange(end.detectors)], end.shares
        )
        return found

    def _found(
        self, events: Floats, first_live: Floats, second_live: Floats
    ) -> tuple[Floats, Floats, Floats]:
        first, second = self._ends
        one = np.einsum("mu,kmbv->kubv", first.sets.exactly, first.sets.found(first_live))
        other = np.einsum("mu,kmbv->kubv", second.sets.exactly, second.sets.found(second_live))
        bits = -np.einsum("krsuv,kuax,kvby,r,s->krsaxby", events, one, other, first.shares,
                          second.shares, optimize=True)  # fmt: skip
        bits = np.maximum(bits, 0.0)  # rounding goes below
        equal = bits[..., 0, :, 0] + bits[..., 1, :, 1]
        differ = bits[..., 0, :, 1] + bits[..., 1, :, 0]
        both = np.stack([equal, differ], axis=-1).transpose(0, 1, 3, 2, 4, 5)
        alone = np.einsum("kru,kuax,r->kra", events[:, :, 0, :, 0], one, first.shares)
        others = np.einsum("ksv,kvby,s->ksb", events[:, 0, :, 0, :], other, second.shares)
        # of choice and detectors' basis one is the basis, and there is one of the other
        kinds, count = (first.arm.bases, second.arm.bases), len(events)
        return (
            both.reshape(count, *kinds, 2),
            alone.reshape(count, kinds[0]),
            others.reshape(count, kinds[1]),
        )


def _square(vectors: Floats) -> Floats:
    """det of a Pauli vector's operator."""
    found: Floats = vectors[..., 0] ** 2 - (vectors[..., 1:] ** 2).sum(axis=-1)
    return found


def _blinded(events: Floats, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Floats:
    """Events, where an end that is blind has none."""
    found = np.where(first[:, None, None, None, None], events[:, :, :, :1], events)
    blinded: Floats = np.where(second[:, None, None, None, None], found[..., :1], found)
    return blinded
