"""Closed forms of pair sources that run without a clock: coincidences in a window, accidentals, key.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no draws.
Pulsed sources are in qkd.py. Neumann, Scheidl, Selimovic, Pivoluska, Liu, Bohmann, Ursin, PRA 104, 022406
(2021).

Conventions: rates are per second and those of all detectors of an end together; an efficiency holds
everything from the source to a click; half of the accidental coincidences err.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .qkd import E0, binary_entropy


@dataclass(frozen=True, slots=True)
class PairStream:
    """A source of pairs at random times and two receivers; `pair_rate_hz` is what it emits.

    `eta_a` and `eta_b` are without dead time, `dark_a_hz` and `dark_b_hz` of all `detectors` of an end. The
    peak of coincidences is Gaussian with the standard deviation `jitter_ns`; those within `window_ns`
    count.
    """

    pair_rate_hz: float
    eta_a: float
    eta_b: float
    dark_a_hz: float
    dark_b_hz: float
    e_d: float
    window_ns: float
    jitter_ns: float = 0.0
    dead_time_ns: float = 0.0
    detectors: int = 4
    f: float = 1.1
    sifting: float = 0.5

    def singles_hz(self) -> tuple[float, float]:
        """Clicks a second of either end: those of photons, after dead time, and dark counts."""
        return (
            self.pair_rate_hz * self.eta_a * self._awake(self.eta_a, self.dark_a_hz)
            + self.dark_a_hz,
            self.pair_rate_hz * self.eta_b * self._awake(self.eta_b, self.dark_b_hz)
            + self.dark_b_hz,
        )

    def true_hz(self) -> float:
        """Coincidences of photons of one pair: B eta_a eta_b, awake at both ends, in the window."""
        awake = self._awake(self.eta_a, self.dark_a_hz) * self._awake(self.eta_b, self.dark_b_hz)
        return self.pair_rate_hz * self.eta_a * self.eta_b * awake * self.in_window()

    def accidental_hz(self) -> float:
        """Coincidences by chance: (1 - e^-S_a T)(1 - e^-S_b T)/T, some S_a S_b T."""
        window_s = self.window_ns * 1e-9
        first, second = (-math.expm1(-rate * window_s) for rate in self.singles_hz())
        return first * second / window_s

    def in_window(self) -> float:
        """The part of the peak within the window: erf(T/(2 sqrt2 sigma))."""
        if self.jitter_ns == 0:
            return 1.0
        return math.erf(self.window_ns / (2 * math.sqrt(2) * self.jitter_ns))

    def raw_hz(self) -> float:
        """Sifted bits a second."""
        return self.sifting * (self.true_hz() + self.accidental_hz())

    def qber(self) -> float:
        """E = (e_d R_true + R_acc/2)/(R_true + R_acc)."""
        true, accidental = self.true_hz(), self.accidental_hz()
        return (self.e_d * true + E0 * accidental) / (true + accidental)

    def car(self) -> float:
        """Coincidences to accidentals: R_true/R_acc."""
        return self.true_hz() / self.accidental_hz()

    def secret_hz(self) -> float:
        """Secret bits a second, asymptotic: raw [1 - (1+f) h(E)], negative where there is no key."""
        return self.raw_hz() * (1 - (1 + self.f) * binary_entropy(self.qber()))

    def _awake(self, eta: float, dark_hz: float) -> float:
        """The part of time in which a detector can click: 1/(1 + rate x dead time), of its own rate."""
        rate_hz = (self.pair_rate_hz * eta + dark_hz) / self.detectors
        return 1 / (1 + rate_hz * self.dead_time_ns * 1e-9)
