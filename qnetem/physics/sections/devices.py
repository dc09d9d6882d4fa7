"""Reference vectors 2: detectors, sources, memories."""

from __future__ import annotations

import math
from functools import partial

from ...emulator.closed_forms import qkd
from ...emulator.devices.detectors import Detector
from ...emulator.devices.memory import MemoryDecay
from ...emulator.devices.sources import Fock, Heralded, Pairs, SinglePhoton, WeakCoherent, g2
from ...emulator.optics.dispersion import gate_fraction, rms_of_fwhm
from ..emulated import circuits, trains
from ..vectors import Kind, Source, Vector, relative, sigmas

TITLES = {"2.1": "Detectors", "2.2": "Sources", "2.3": "Memories"}

_CLICK = Source("threshold detector: 1 - (1-p_dc)(1-eta)^n")
_SQUASHED = Source("Beaudry et al., PRL 101, 093601 (2008): a random bit; mu 20, e_d 10 %")
_DEAD = Source("Knoll, Radiation Detection and Measurement, chapter 4")
_AFTER = Source("Lim et al., PRA 89, 022307 (2014): R = D (1 + p_ap)")
_AFTERS = Source("afterpulses of afterpulses: 1/(1 - p_ap)")
_JITTER = Source("Gaussian: erf(W/(2 sqrt2 s)), s = FWHM/2.3548")
_POISSON = Source("phase-randomised laser pulse: e^-mu mu^n/n!")
_SPDC = Source("Ma, Fung, Lo, PRA 76, 012307 (2007): (n+1) l^n/(1+l)^(n+2)")
_TMSV = Source("two-mode squeezed vacuum: mu^n/(1+mu)^(n+1); CAR without dark counts")
_HERALD = Source("heralded single photons: g2 ~ 4 mu at low efficiency", Kind.unchecked)
_DOT = Source("Takemoto et al., Sci. Rep. 5, 14383 (2015): g2 = 0.0051", Kind.unchecked)
_STORED = Source("Nielsen, Chuang, section 8.3: [1 + e^(-t/T1) + 2 e^(-t/T2)]/4")
_WERNER = Source("dephasing of one half: A' = (1+c)/2 A + (1-c)/2 D, c = e^(-t/T2)")
_DEPHASED = Source("pure dephasing: (1 + e^(-k t/T2))/2")

_MS = 1_000_000
_DEAD_TIMES = [
    (1e6, 1_000_000, False, 5.000e5),
    (1e6, 1_000_000, True, 3.679e5),
    (1e7, 50_000, False, 6.667e6),
    (1e7, 50_000, True, 6.065e6),
]


def _dead_time_vectors() -> list[Vector]:
    vectors = []
    for rate_hz, dead_time_ps, paralysable, expected in _DEAD_TIMES:
        word = "paral." if paralysable else "non-par."
        name = f"{rate_hz:.0e}/s, {dead_time_ps / 1e6:g} us, {word}".replace("e+0", "e")
        detector = Detector(1.0, dead_time_ps=dead_time_ps, paralysable=paralysable)
        vectors.append(
            Vector("2.1", name, expected, relative(1e-3), _DEAD,
                   partial(detector.observed_rate_hz, rate_hz))
        )  # fmt: skip
        exact = detector.observed_rate_hz(rate_hz)
        vectors.append(
            Vector("2.1", f"{name}, drawn", exact, sigmas(), _DEAD,
                   partial(trains.counted_rate, rate_hz, dead_time_ps, paralysable, 300_000))
        )  # fmt: skip
    return vectors


def _dephased(coherence: float) -> float:
    """A' of a Werner pair of 0.9, whose other weights are a thirtieth each."""
    return (1 + coherence) / 2 * 0.9 + (1 - coherence) / 2 / 30


def _doubled(right: float, wrong: float) -> float:
    """Error rate of Poisson light of these means at two detectors, a random bit where both click."""
    both = math.expm1(-right) * math.expm1(-wrong)
    return (-math.expm1(-wrong) - both / 2) / -math.expm1(-right - wrong)


VECTORS = [
    Vector("2.1", "2 photons, eta 0.5, p_dc 1e-3", 1 - 0.999 * 0.25, relative(1e-10), _CLICK,
           lambda: Detector(0.5).click_probability(2, 1e-3)),
    Vector("2.1", "2 photons, drawn", 1 - 0.999 * 0.25, sigmas(), _CLICK,
           lambda: trains.clicked(Fock(2), 0.5, 1e-3, 400_000)),
    Vector("2.1", "mu 0.5, eta 0.2, p_dc 1e-3, drawn", 1 - 0.999 * math.exp(-0.1), sigmas(), _CLICK,
           lambda: trains.clicked(WeakCoherent(0.5), 0.2, 1e-3, 1_000_000)),
    Vector("2.1", "no light, p_dc 1e-3, drawn", 1e-3, sigmas(), _CLICK,
           lambda: trains.clicked(WeakCoherent(0.0), 0.2, 1e-3, 1_000_000)),
    Vector("2.1", "double clicks: QBER, drawn", _doubled(18.0, 2.0), sigmas(), _SQUASHED,
           lambda: trains.seen(WeakCoherent(20.0), 1.0, 0.0, 0.1, 400_000).qber),
    *_dead_time_vectors(),
    Vector("2.1", "counts per click, p_ap 0.04", 1.04, relative(1e-10), _AFTER,
           lambda: qkd.afterpulsed(1e-3, 0.01, 0.04)[0] / 1e-3),
    Vector("2.1", "counts per click, drawn", 1 / 0.96, sigmas(), _AFTERS,
           lambda: trains.counts_per_event(0.04, 400_000)),
    Vector("2.1", "jitter 50 ps in 100 ps", 0.98147, relative(1e-5), _JITTER,
           lambda: Detector(1.0, jitter_fwhm_ps=50.0).kept_in_window(100.0)),
    Vector("2.1", "jitter 350 ps in 1 ns", 0.99923, relative(1e-5), _JITTER,
           lambda: Detector(1.0, jitter_fwhm_ps=350.0).kept_in_window(1000.0)),
    Vector("2.1", "arrivals, 50 ps, in 100 ps", 0.98147, relative(1e-5), _JITTER,
           lambda: gate_fraction(rms_of_fwhm(50.0), 100.0)),
    Vector("2.2", "P(2) of mu 0.48", math.exp(-0.48) * 0.48**2 / 2, relative(1e-10), _POISSON,
           lambda: float(WeakCoherent(0.48).photons()[2])),
    Vector("2.2", "g2 of mu 0.48", 1.0, relative(1e-6), _POISSON,
           lambda: g2(WeakCoherent(0.48).photons())),
    Vector("2.2", "P(2 pairs) of lambda 0.05", 3 * 0.05**2 / 1.05**4, relative(1e-10), _SPDC,
           lambda: float(Pairs(0.1).photons()[2])),
    Vector("2.2", "g2 of one arm, one mode", 2.0, relative(1e-6), _TMSV,
           lambda: g2(Pairs(0.1, "thermal").photons())),
    Vector("2.2", "CAR, one mode, mu 0.1", 12.0, relative(1e-10), _TMSV,
           lambda: Pairs(0.1, "thermal").coincidence_to_accidental),
    Vector("2.2", "CAR, many modes, mu 0.1", 11.0, relative(1e-10), _TMSV,
           lambda: Pairs(0.1, "poisson").coincidence_to_accidental),
    Vector("2.2", "heralded g2, mu 1e-3", 4e-3, relative(0.01), _HERALD,
           lambda: g2(Heralded(Pairs(1e-3, "thermal"), 0.01).photons())),
    Vector("2.2", "g2 of a quantum dot, P(1) = 0.1", 0.0051, relative(1e-10), _DOT,
           lambda: g2(SinglePhoton(0.1, 0.0051).photons())),
    *(Vector("2.3", f"Phi+, T1 1 s, T2 50 ms, {ms} ms", expected, relative(1e-5), _STORED,
             partial(circuits.stored, MemoryDecay(1000 * _MS, 50 * _MS), ms * _MS))
      for ms, expected in ((1, 0.989849), (10, 0.906878), (100, 0.543877))),
    Vector("2.3", "T2 50 ms alone, 10 ms, one half", (1 + math.exp(-0.2)) / 2, relative(1e-10),
           _DEPHASED, lambda: circuits.stored(MemoryDecay(None, 50 * _MS), 10 * _MS)),
    Vector("2.3", "T2 50 ms alone, 10 ms, both", (1 + math.exp(-0.4)) / 2, relative(1e-10),
           _DEPHASED, lambda: circuits.stored(MemoryDecay(None, 50 * _MS), 10 * _MS, both=True)),
    *(Vector("2.3", f"0.9, T2 50 ms, 10 ms, {halves}", expected, relative(1e-10), _WERNER,
             partial(circuits.stored, MemoryDecay(None, 50 * _MS), 10 * _MS, both, 0.9))
      for halves, both, expected in (("one half", False, _dephased(math.exp(-0.2))),
                                     ("both", True, _dephased(math.exp(-0.4))))),
]  # fmt: skip
