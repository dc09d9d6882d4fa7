"""Reference vectors 5: links that herald entangled pairs."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from ...emulator.closed_forms import links
from ...emulator.heralding.double_click import DoubleClick
from ...emulator.heralding.midpoint import MidpointSource, meet_in_the_middle
from ...emulator.heralding.single_click import SingleClick
from ...emulator.heralding.timing import Timing
from ...emulator.optics.fibre import Fibre
from ..emulated import runs, waits
from ..vectors import Kind, Sample, Source, Vector, absolute, between, item, relative, sigmas

TITLES = {
    "5.1": "Single click: NV centres, parameters of Delft (2019)",
    "5.2": "Double click, midpoint source, timing",
    "5.3": "Delivery",
}

_HUMPHREYS = Source("Humphreys et al., Nature 558, 268 (2018), supplement, eqs. 8 and 10")
_OPTICS = Source("two modes and threshold detectors, photon by photon")
_RUN = Source("Humphreys et al., Nature 558, 268 (2018), supplement; whole runs of the link preset")
_MEASURED = Source("Humphreys et al., Nature 558, 268 (2018), measured", Kind.published)
_MEASURED_ALSO = Source("Humphreys et al., Nature 558, 268 (2018), measured", Kind.unchecked)
_LAB = Source("QLinkLayerSimulations (Dahlberg et al., SIGCOMM 2019), lab", Kind.published)
_LIMIT = Source("Cabrillo et al., PRA 59, 1025 (1999): P ~ 2 alpha p, F ~ 1 - alpha")
_BARRETT = Source("Barrett, Kok, PRA 71, 060310 (2005): pA pB/2, (1+V)/2")
_RAZAVI = Source("Ma, Razavi, PRA 86, 062319 (2012): Y11 and e11 with e_d = (1-V)/2")
_JONES = Source("Jones et al., New J. Phys. 18, 083015 (2016)")
_DELIVERY = Source("Humphreys et al., Nature 558, 268 (2018), eq. 2")
_DELIVERY_OF = Source("Humphreys et al., Nature 558, 268 (2018), eq. 1: p F + (1-p)/4")
_DELIVERED = Source("Humphreys et al., Nature 558, 268 (2018): F > 0.5 beyond 0.83", Kind.published)
_GEOMETRIC = Source("geometric: 1/p")

_NV_TIMING = Timing(5500, (0, 0), (5500, 5500))
_QUICK = Timing(1000, (0, 0), (1000, 1000))
_BRIGHT = SingleClick(0.3, 0.9, 0.9, _QUICK, visibility=0.6)
_FAINT = SingleClick(
    0.15, 5.6234e-4, 5.6234e-4, _QUICK, links.dark_probability(100.0, 30.0), visibility=0.92
)


def nv_link(alpha: float, imperfect: bool = True, published: bool = False) -> SingleClick:
    """pA 2.8e-4, pB 4.2e-4, 20 Hz in 25 ns, V 0.9; phase 15 deg and 4 % double excitation too."""
    return SingleClick(
        alpha,
        2.8e-4,
        4.2e-4,
        _NV_TIMING,
        links.dark_probability(20.0, 25.0),
        visibility=0.9,
        phase_noise_rad=math.radians(15.0) if imperfect else 0.0,
        double_excitation=0.04 if imperfect else 0.0,
        incoherent_darks=not published,
    )


def nv_point(alpha: float, imperfect: bool = True) -> tuple[float, float, float]:
    """(P, pairs per second, F) of that link by the published form."""
    attempts = nv_link(alpha, imperfect, published=True).attempts()
    return attempts.success, attempts.rate_hz, attempts.fidelity


_NV_TABLE = [
    (0.05, 3.600e-5, 6.55, 0.8937, 0.863),
    (0.10, 7.100e-5, 12.9, 0.8586, 0.829),
    (0.20, 1.4100e-4, 25.6, 0.7686, 0.742),
    (0.30, 2.110e-4, 38.4, 0.6741, 0.651),
]


#: Pairs of a whole run.
_PAIRS = 1000


def _drawn_rate(alpha: float) -> Sample:
    return runs.nv_pairs(alpha, _PAIRS)[0]


def _played_fidelity(alpha: float) -> float:
    return runs.nv_pairs(alpha, _PAIRS)[1]


def _nv_vectors() -> list[Vector]:
    vectors, played = [], []
    for alpha, success, rate_hz, of_v, of_all in _NV_TABLE:
        name = f"alpha {alpha}"
        vectors += [
            Vector("5.1", f"{name}: P", success, relative(1e-3), _HUMPHREYS,
                   item(0, nv_point, alpha)),
            Vector("5.1", f"{name}: pairs/s", rate_hz, relative(5e-3), _HUMPHREYS,
                   item(1, nv_point, alpha)),
            Vector("5.1", f"{name}: F, V alone", of_v, relative(1e-3), _HUMPHREYS,
                   item(2, nv_point, alpha, False)),
            Vector("5.1", f"{name}: F", of_all, relative(1e-3), _HUMPHREYS,
                   item(2, nv_point, alpha)),
        ]  # fmt: skip
        played += [
            Vector("5.1", f"{name}: pairs/s, drawn", rate_hz, sigmas(), _RUN,
                   partial(_drawn_rate, alpha)),
            Vector("5.1", f"{name}: F, whole run", of_all, relative(1e-3), _RUN,
                   partial(_played_fidelity, alpha)),
        ]  # fmt: skip
    return vectors + played


def double_click() -> DoubleClick:
    """p 0.1 and 0.05, dark clicks 1e-3, V 0.9."""
    return DoubleClick(0.1, 0.05, _QUICK, 1e-3, 0.9)


def _x_error(link: DoubleClick) -> float:
    """Error rate of X measurements on its pairs: the weight of Phi- and Psi-."""
    pair = link.attempts().pair
    return float((1 - (pair[0, 3] + pair[3, 0] + pair[1, 2] + pair[2, 1]).real) / 2)


def _break_even() -> float:
    """The link efficiency at which delivery on a clock leaves entanglement: bisection."""
    low, high = 0.1, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        worse = links.best_delivered_fidelity(middle) < 0.5
        low, high = (middle, high) if worse else (low, middle)
    return low


#: Y11 and e11 at these values, by hand: (1-d)^2 [pA pB/2 + (2pA + 2pB - 3.05 pA pB) d + 4(1-pA)(1-pB) d^2];
#: 3.05 is 3 of photons alike and (1 - V)/2 of those that part.
_Y11 = 0.999**2 * (0.0025 + 0.28475e-3 + 3.42e-6)
_E11 = 0.5 - 0.45 * 0.999**2 * 0.0025 / _Y11

VECTORS = [
    *_nv_vectors(),
    Vector("5.1", "alpha 0.3: pairs/s, measured", 39.0, relative(0.15), _MEASURED,
           lambda: nv_link(0.3).attempts().rate_hz),
    Vector("5.1", "alpha 0.05: pairs/s, measured", 6.0, relative(0.15), _MEASURED_ALSO,
           lambda: nv_link(0.05).attempts().rate_hz),
    Vector("5.1", "alpha 0.05: F, measured", 0.81, between(0.03, 0.07), _MEASURED_ALSO,
           lambda: nv_link(0.05).attempts().fidelity),
    Vector("5.1", "alpha 0.3: F, measured", 0.60, between(0.03, 0.07), _MEASURED_ALSO,
           lambda: nv_link(0.3).attempts().fidelity),
    Vector("5.1", "alpha 0.1: P, their simulation", 7.016e-5, relative(0.02), _LAB,
           lambda: nv_link(0.1).attempts().success),
    Vector("5.1", "alpha 0.3, p 0.9, V 0.6: P", 0.4525, relative(1e-3), _OPTICS,
           lambda: _BRIGHT.attempts().success),
    Vector("5.1", "alpha 0.3, p 0.9, V 0.6: F", 0.7412, relative(1e-3), _OPTICS,
           lambda: _BRIGHT.attempts().fidelity),
    Vector("5.1", "alpha 0.15, p 5.6e-4, d 3e-6: F", 0.80846, absolute(1e-5), _OPTICS,
           lambda: _FAINT.attempts().fidelity),
    Vector("5.1", "the same, published form: F", 0.81266, absolute(1e-5), _HUMPHREYS,
           lambda: replace(_FAINT, incoherent_darks=False).attempts().fidelity),
    Vector("5.1", "alpha 0.05, p 1e-5: P", 1e-6, relative(1e-3), _LIMIT,
           lambda: SingleClick(0.05, 1e-5, 1e-5, _QUICK).attempts().success),
    Vector("5.1", "alpha 0.05, p 1e-5: F", 0.95, relative(1e-3), _LIMIT,
           lambda: SingleClick(0.05, 1e-5, 1e-5, _QUICK).attempts().fidelity),
    Vector("5.2", "double click: P, p 0.02 each", 2e-4, relative(1e-10), _BARRETT,
           lambda: DoubleClick(0.02, 0.02, _QUICK).attempts().success),
    Vector("5.2", "double click: F, V 0.9", 0.95, relative(1e-10), _BARRETT,
           lambda: DoubleClick(0.02, 0.02, _QUICK, visibility=0.9).attempts().fidelity),
    Vector("5.2", "double click with darks: P", _Y11, relative(1e-6), _RAZAVI,
           lambda: double_click().attempts().success),
    Vector("5.2", "double click with darks: X error", _E11, relative(1e-6), _RAZAVI,
           lambda: _x_error(double_click())),
    Vector("5.2", "midpoint source: P", 0.1 * 0.2 * 0.3, relative(1e-10), _JONES,
           lambda: MidpointSource(0.1, 0.2, 0.3, _QUICK).attempts().success),
    Vector("5.2", "attempt, 100 km, midpoint, us", 489.67, relative(1e-4), _JONES,
           lambda: meet_in_the_middle(0, *(Fibre(50.0).delay_ns,) * 2).attempt_ns / 1e3),
    Vector("5.2", "attempt, 100 km, one end, us", 979.34, relative(1e-4), _JONES,
           lambda: meet_in_the_middle(0, Fibre(100.0).delay_ns, 0).attempt_ns / 1e3),
    *(Vector("5.3", f"best F on a clock, eta_link {eta:g}", expected, absolute(5.1e-5), _DELIVERY,
             partial(links.best_delivered_fidelity, eta))
      for eta, expected in ((1.0, 0.5259), (2.0, 0.625), (5.0, 0.7516), (8.0, 0.8072))),
    Vector("5.3", "eta_link for F of 1/2", 0.83, absolute(5e-3), _DELIVERED, _break_even),
    Vector("5.3", "delivered, p 0.3 of F 0.8", 0.415, relative(1e-10), _DELIVERY_OF,
           lambda: links.delivered_fidelity(0.3, 0.8)),
    Vector("5.3", "attempts, p = 0.01, drawn", 100.0, sigmas(), _GEOMETRIC,
           lambda: waits.slowest(0.01, 1)),
]  # fmt: skip
