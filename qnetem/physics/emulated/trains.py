"""Pulse trains, detectors and drifts for the report, drawn by the emulator's kernels.

Owns what is sent and what of the outcome is counted; each run is made once, however many vectors look at
it. Does not own the kernels, nor what must come out. The receiver always looks in the sender's basis,
unless an eavesdropper's signature needs otherwise.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...emulator.devices.detectors import Counter, Detector
from ...emulator.devices.sources import Fock, Source, decoy_table
from ...emulator.optics import detection, interception, polarisation, pulses
from ...emulator.optics.detection import Receiver
from ...emulator.optics.environment import Environment
from ...emulator.optics.phase import PhaseDrift
from ...emulator.optics.pulses import PulseTrain
from ..vectors import Sample, frequency, generator

PERIOD_PS = 1000
_PERFECT = Receiver(Detector(1.0))

# --- pulses ---------------------------------------------------------------------------------------


class Counted(NamedTuple):
    """A train and what was seen of it."""

    pulses: int
    clicks: int
    errors: int

    @property
    def gain(self) -> Sample:
        """Clicks per pulse."""
        return frequency(self.clicks, self.pulses)

    @property
    def qber(self) -> Sample:
        """Errors per click."""
        return frequency(self.errors, self.clicks)


@lru_cache(maxsize=32)
def seen(source: Source, eta: float, y0: float, e_d: float, count: int) -> Counted:
    """`count` pulses over a channel of `eta`; `y0` of both detectors together, `e_d` of the optics."""
    rng = generator(f"train {source} {eta} {y0} {e_d}")
    bases, bits = rng.integers(0, 2, (2, count), dtype=np.uint8)
    train = PulseTrain(bases, bits, np.zeros_like(bits), [source], PERIOD_PS)
    receiver = Receiver(Detector(1.0, dark_count_rate_hz=y0 / 2 / (PERIOD_PS * 1e-12)))
    clicks = detection.detect(pulses.transmit(train, eta, error=e_d), receiver, rng, bases)
    wrong = int((clicks.bits != bits[clicks.slots]).sum())
    return Counted(count, len(clicks.slots), wrong)


def clicked(photons: Source, efficiency: float, dark: float, count: int) -> Sample:
    """How often one threshold detector clicks, `dark` its dark-click probability per gate."""
    rng = generator(f"click {photons} {efficiency} {dark}")
    zeros = np.zeros(count, dtype=np.uint8)
    rate_hz = -math.log1p(-dark) / (PERIOD_PS * 1e-12)
    quiet, noisy = Detector(0.0), Detector(efficiency, dark_count_rate_hz=rate_hz)
    train = PulseTrain(zeros, zeros, zeros, [photons], PERIOD_PS)
    clicks = detection.detect(train, Receiver((noisy, quiet)), rng, zeros)
    return frequency(len(clicks.slots), count)


# --- detectors ------------------------------------------------------------------------------------


def counted_rate(rate_hz: float, dead_time_ps: int, paralysable: bool, events: int) -> Sample:
    """Counts per second of a detector that meets a Poisson process, in slots of 100 ps.

    Counts are a renewal process; the spread is that of its rate, from the interval's (Knoll, chapter 4).
    """
    period_ps, rng = 100, generator(f"dead time {rate_hz} {dead_time_ps} {paralysable}")
    gaps = rng.standard_exponential(events) * (1e12 / rate_hz / period_ps)
    slots = np.unique(np.cumsum(gaps).astype(np.int64))
    detector = Detector(1.0, dead_time_ps=dead_time_ps, paralysable=paralysable)
    counts = Counter(detector, period_ps).count(slots, int(slots[-1]) + 1, lambda: rng)
    rate = len(counts) / (float(slots[-1]) * period_ps * 1e-12)
    busy = rate_hz * dead_time_ps * 1e-12
    relative = math.sqrt(1 - 2 * busy * math.exp(-busy)) if paralysable else 1 / (1 + busy)
    return Sample(rate, len(counts), rate * relative)


def counts_per_event(afterpulse: float, events: int) -> Sample:
    """Counts per detected photon with afterpulses, which may have afterpulses of their own."""
    rng = generator(f"afterpulse {afterpulse}")
    detector = Detector(1.0, afterpulse_probability=afterpulse, afterpulse_decay_ps=5e3)
    slots = np.arange(events, dtype=np.int64) * 1000
    counts = Counter(detector, PERIOD_PS).count(slots, events * 1000, lambda: rng)
    return Sample(len(counts) / events, events, math.sqrt(afterpulse) / (1 - afterpulse))


# --- drifts ---------------------------------------------------------------------------------------


def walked_fidelity(variance: float, walks: int) -> Sample:
    """Mean fidelity of a horizontal photon after a walk of that variance about each axis, 20 steps."""
    rng, steps = generator("polarisation walk"), 20
    angle_rad = polarisation.PolarisationDrift(variance / steps).step_angle_rad(1.0)
    turned = np.tile([1.0, 0.0, 0.0, 0.0], (walks, 1))
    for _ in range(steps):
        turned = polarisation.quaternion_products(
            polarisation.walk_steps(angle_rad, walks, rng), turned
        )
    along = 1 - 2 * (turned[:, 1] ** 2 + turned[:, 2] ** 2)
    # <cos^2> of rotational diffusion decays as its second harmonic, three times as fast.
    spread = math.sqrt((1 + 2 * math.exp(-3 * variance)) / 3 - math.exp(-2 * variance))
    return Sample(float((1 + along).mean()) / 2, walks, spread / 2)


def drifted_visibility(variance: float, windows: int) -> Sample:
    """Mean cosine of how far a fibre's phase goes in a time in which its variance is that."""
    cells = 8
    drift = PhaseDrift(variance / (cells * 1e-3))
    environment = Environment(generator("phase drift"), 1_000_000, phase=drift)
    phases = np.array([environment.at(k * cells * 1_000_000).phase_rad for k in range(windows + 1)])
    spread = math.sqrt((1 + math.exp(-2 * variance)) / 2 - math.exp(-variance))
    return Sample(float(np.cos(np.diff(phases)).mean()), windows, spread)


# --- eavesdroppers --------------------------------------------------------------------------------


class Attacked(NamedTuple):
    """Sifted bits of a train of single photons, a part of it measured and resent on the way."""

    sifted: int
    errors: int
    certain: int

    @property
    def qber(self) -> Sample:
        """Errors per sifted bit."""
        return frequency(self.errors, self.sifted)

    @property
    def known(self) -> Sample:
        """Part of the sifted bits that the attacker measured in the right basis."""
        return frequency(self.certain, self.sifted)


@lru_cache(maxsize=8)
def intercepted(share: float, count: int) -> Attacked:
    """`count` single photons; the attacker takes the first `share` of them, as good as any."""
    rng, taken = generator(f"intercepted {share}"), round(share * count)
    bases, bits, hers, chosen = rng.integers(0, 2, (4, count), dtype=np.uint8)
    errors = certain = sifted = 0
    for part, attacked in ((slice(0, taken), True), (slice(taken, count), False)):
        states, looks = bits[part], chosen[part]
        if not len(states):
            continue
        train = PulseTrain(bases[part], states, np.zeros_like(states), [Fock(1)], PERIOD_PS)
        if attacked:
            train, _ = interception.intercept_resend(train, _PERFECT, rng, hers[part])
        clicks = detection.detect(train, _PERFECT, rng, looks)
        same = bases[part] == looks
        sifted += int(same.sum())
        errors += int((clicks.bits != states)[same].sum())
        certain += int((hers[part] == bases[part])[same].sum()) if attacked else 0
    return Attacked(sifted, errors, certain)


def split_ratio(mu: float, nu: float, count: int) -> Sample:
    """Q_nu/Q_mu behind a splitter that lets only pulses with several photons through, one photon less."""
    passed = []
    for mean in (nu, mu):
        rng = generator(f"split {mu} {mean}")
        bases, bits = rng.integers(0, 2, (2, count), dtype=np.uint8)
        train = PulseTrain(bases, bits, np.zeros_like(bits), decoy_table(mean), PERIOD_PS)
        onward, _ = interception.PhotonNumberSplitter(rng).split(train)
        passed.append(len(detection.detect(onward, _PERFECT, rng, bases).slots))
    weak, bright = passed
    ratio = weak / bright
    relative = math.sqrt((1 - weak / count) / weak + (1 - bright / count) / bright)
    return Sample(ratio, count, ratio * relative * math.sqrt(count))
