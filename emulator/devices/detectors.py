"""Single-photon detectors: what they count, and when they cannot.

Owns efficiency, dark counts, gate, jitter, dead time and afterpulses of one threshold detector, and the
pass in time order that the last two need (`Counter`). Does not own which photon goes to which detector,
nor what two clicks at once mean (optics/detection.py).

Rule: a gate opens once per slot of a train, and a detector answers at most once in it. Times are integer
picoseconds. An afterpulse is a count like any other: it starts a dead time and may cause another.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..states.noise import check_probability

#: Full width at half maximum of a Gaussian over its standard deviation.
FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))

Slots = NDArray[np.int64]
Floats = NDArray[np.float64]

#: Rounds in which the share of afterpulses settles; each shrinks the error by their probability or more.
_ROUNDS = 400


@dataclass(frozen=True, slots=True)
class Detector:
    """A threshold detector.

    `dark_count_rate_hz` holds while the gate is open; `gate_ps` None is free-running, open for the
    whole slot. `dead_time_ps` follows each count; if `paralysable`, each photon that meets it begins
    it anew. `afterpulse_probability` is that of one later count per count, released a dead time and
    an exponential delay of mean `afterpulse_decay_ps` after it, into the first gate from then.
    Raises InputError for values that cannot be.
    """

    efficiency: float
    dark_count_rate_hz: float = 0.0
    dead_time_ps: int = 0
    paralysable: bool = False
    afterpulse_probability: float = 0.0
    afterpulse_decay_ps: float = 0.0
    jitter_fwhm_ps: float = 0.0
    gate_ps: int | None = None

    def __post_init__(self) -> None:
        check_probability("detector: efficiency", self.efficiency)
        check_probability("detector: afterpulse_probability", self.afterpulse_probability)
        if self.afterpulse_probability == 1:
            raise InputError("detector: afterpulse_probability is 1, one count would never end")
        for name in ("dark_count_rate_hz", "dead_time_ps", "afterpulse_decay_ps", "jitter_fwhm_ps"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise InputError(f"detector: {name} is {value}, expected 0 or more")
        if self.gate_ps is not None and self.gate_ps <= 0:
            raise InputError(f"detector: gate_ps is {self.gate_ps}, expected more than 0 or none")

    def open_ps(self, period_ps: int) -> int:
        """How long the gate is open in each slot. Raises InputError if longer than the slot."""
        gate_ps = period_ps if self.gate_ps is None else self.gate_ps
        if gate_ps > period_ps:
            raise InputError(
                f"detector: the gate is open for {gate_ps} ps in slots of {period_ps} ps, "
                "expected no more than the slot"
            )
        return gate_ps

    def dark_mean(self, period_ps: int) -> float:
        """Mean dark counts per gate, DCR t; the probability of one is 1 - exp(-DCR t)."""
        return self.dark_count_rate_hz * self.open_ps(period_ps) * 1e-12

    def jitter_sigma_ps(self) -> float:
        """Standard deviation of the Gaussian jitter."""
        return self.jitter_fwhm_ps / FWHM_PER_SIGMA

    def kept_in_window(self, window_ps: float) -> float:
        """The part of the counts that jitter leaves inside a centred window: erf(W / (2 sqrt2 s))."""
        sigma_ps = self.jitter_sigma_ps()
        return math.erf(window_ps / (2 * math.sqrt(2) * sigma_ps)) if sigma_ps else 1.0

    def click_probability(self, photons: int, dark_probability: float = 0.0) -> float:
        """A click from exactly n photons: 1 - (1-p_dc)(1-eta)^n."""
        return 1 - (1 - dark_probability) * (1 - self.efficiency) ** photons

    def observed_rate_hz(self, rate_hz: float) -> float:
        """What it counts of Poissonian events at `rate_hz`: R/(1+R tau), paralysable R exp(-R tau).

        (Knoll, Radiation Detection and Measurement, chapter 4.)
        """
        busy = rate_hz * self.dead_time_ps * 1e-12
        return rate_hz * math.exp(-busy) if self.paralysable else rate_hz / (1 + busy)

    def dead_slots(self, period_ps: int) -> int:
        """From a count on, the first slot in which it can count again: at least the next one."""
        return max(1, -(-self.dead_time_ps // period_ps))

    def steady(self, events: Floats, period_ps: int) -> tuple[Floats, Floats]:
        """(share of slots in which it can count, afterpulse in such a slot) in steady light.

        What `Counter` comes to on average where each slot has an event with probability `events`, by itself.
        A detector that is not paralysable is dead for d - 1 slots after each count: it can count in 1/(1 + (d
        - 1) p) of them; a paralysable one in (1 - p)^(d - 1). Each count has `afterpulse_probability`
        successors, of which those count that find it ready (`_ready_for_afterpulse`).
        """
        dead = self.dead_slots(period_ps) - 1
        after = np.zeros_like(events)
        for _ in range(_ROUNDS):
            either = events + after - events * after
            live = (1 - either) ** dead if self.paralysable else 1 / (1 + dead * either)
            # a paralysable detector is met by all of them, another one by those that find it ready
            found = live if self.paralysable else self._ready_for_afterpulse(either, period_ps)
            settled = self.afterpulse_probability * either * found
            if np.allclose(settled, after, rtol=1e-12, atol=0.0):
                break
            after = settled
        return live, after

    def _ready_for_afterpulse(self, events: Floats, period_ps: int) -> Floats:
        """P(ready) when an afterpulse of a count comes, where each slot has an event with probability p.

        Renewal theory: L(z) = sum of P(ready n slots after the dead time) z^n is
        1/(1 - z + p z (1 - z^(d-1))), taken at the z with which the delay falls off from slot to slot.
        """
        dead = self.dead_slots(period_ps)
        if not self.afterpulse_decay_ps:
            return np.ones_like(events)
        slots = period_ps / self.afterpulse_decay_ps
        early = dead - self.dead_time_ps / period_ps  # how much of a slot the dead time leaves
        later = math.exp(-early * slots)
        z, rest = math.exp(-slots), -math.expm1(-slots)
        if z == 0.0:
            return 1 - later * events
        ready = 1 / (rest - events * z * math.expm1(-(dead - 1) * slots))
        return 1 - later + later * rest / z * (ready - 1)

    @property
    def saturation_rate_hz(self) -> float:
        """The most it ever counts: 1/tau, paralysable 1/(e tau); infinite without dead time."""
        if not self.dead_time_ps:
            return math.inf
        ceiling_hz = 1e12 / self.dead_time_ps
        return ceiling_hz / math.e if self.paralysable else ceiling_hz


class Counter:
    """One detector in time: events in, counts out, dead time and afterpulses carried along.

    `count` is called for consecutive stretches of slots. What it keeps between calls is how long the
    detector is dead and which afterpulses are still to come.
    """

    __slots__ = ("_dead_slots", "_detector", "_last", "_pending", "_period_ps", "_ready")

    def __init__(self, detector: Detector, period_ps: int) -> None:
        self._detector, self._period_ps = detector, period_ps
        self._dead_slots = detector.dead_slots(period_ps)
        self._ready = 0  # the first slot in which it can count again
        self._last = -1  # the last slot that was looked at
        self._pending: list[int] = []

    def count(
        self,
        events: Slots,
        end: int,
        stream: Callable[[], np.random.Generator],
        closed: Sequence[tuple[int, int]] = (),
    ) -> Slots:
        """The slots, of those with an event, in which it counts, and those of afterpulses.

        `events` is sorted, without duplicates, below slot `end`, from where the last call ended.
        `stream` makes the generator of this stretch, asked for only if afterpulses need one. In slots
        that are `closed` (stretches from, to before) nothing reaches it, and no afterpulse comes.
        """
        for low, high in closed:
            events = events[(events < low) | (events >= high)]
        due = bool(self._pending) and self._pending[0] < end
        if not len(events) and not due:
            return events
        if self._detector.afterpulse_probability:
            return self._with_afterpulses(events, end, stream(), closed)
        return self._counted(events)

    def _counted(self, events: Slots) -> Slots:
        """Without afterpulses."""
        if not len(events) or self._dead_slots == 1:
            return events
        if self._detector.paralysable:
            return self._paralysable(events)
        return self._non_paralysable(events)

    def _paralysable(self, events: Slots) -> Slots:
        ready = np.empty_like(events)
        ready[0] = self._ready
        ready[1:] = events[:-1] + self._dead_slots
        self._ready = int(events[-1]) + self._dead_slots
        return events[events >= ready]

    def _non_paralysable(self, events: Slots) -> Slots:
        """An event a dead time after its predecessor surely counts; only the others need a walk."""
        counts = np.empty(len(events), dtype=bool)
        counts[0] = events[0] >= self._ready
        counts[1:] = events[1:] - events[:-1] >= self._dead_slots
        unsure = np.flatnonzero(~counts).tolist()
        slots = events[unsure].tolist()
        ready, before = self._ready, -2
        for index, slot in zip(unsure, slots, strict=True):
            if index != before + 1 and index > 0:  # its predecessor opens a cluster, and counts
                ready = int(events[index - 1]) + self._dead_slots
            before = index
            if slot >= ready:
                counts[index] = True
                ready = slot + self._dead_slots
        counted = events[counts]
        if len(counted):
            self._ready = int(counted[-1]) + self._dead_slots
        return counted

    def _with_afterpulses(
        self,
        events: Slots,
        end: int,
        rng: np.random.Generator,
        closed: Sequence[tuple[int, int]],
    ) -> Slots:
        """Events that fill a trap if they count, and afterpulses one by one; what is between in bulk.

        Afterpulses have a generator of their own: how many events there are shifts no draw of earlier ones.
        """
        chance = self._detector.afterpulse_probability
        own = np.random.Generator(np.random.PCG64(int(rng.integers(1 << 63))))
        filling = rng.random(len(events)) < chance
        slots, count = events.tolist(), len(events)
        stops = iter([*np.flatnonzero(filling).tolist(), count])
        counted: list[Slots] = []
        at, stop = 0, next(stops)
        while True:
            due = self._pending[0] if self._pending else end
            released = due < end and (stop == count or due <= slots[stop])
            until = bisect_left(slots, due, at, stop) if released else stop
            if at < until:
                counted.append(self._counted(events[at:until]))
            at = until
            if released:
                heappop(self._pending)
                if not any(low <= due < high for low, high in closed):
                    self._meet(due, own.random() < chance, counted, own)
                if at == count or slots[at] != due:
                    continue  # else the event in the same slot is none of its own
            elif at < count:
                self._meet(slots[at], True, counted, own)
            else:
                return np.concatenate(counted) if counted else events
            at += 1
            if at > stop:
                stop = next(stops)

    def _meet(self, slot: int, fills: bool, counted: list[Slots], rng: np.random.Generator) -> None:
        """An event or an afterpulse reaches the detector; if it counts and `fills`, a trap is filled."""
        if slot == self._last:
            return
        self._last = slot
        counts = slot >= self._ready
        if counts or self._detector.paralysable:
            self._ready = slot + self._dead_slots
        if counts:
            counted.append(np.array([slot], dtype=np.int64))
        if counts and fills:
            delay_ps = rng.standard_exponential() * self._detector.afterpulse_decay_ps
            released = slot + (self._detector.dead_time_ps + delay_ps) / self._period_ps
            heappush(self._pending, max(math.ceil(released), slot + self._dead_slots))
