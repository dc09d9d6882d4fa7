"""Detectors and emitters that somebody has published, ready to use.

Owns the table. Does not own the words of a topology file (topology/presets.py). Rule: a number stands
here only with its source; what a source does not give stays at its default. `checked` says whether the
numbers were read in the source or a public repository that uses them; where it is False they are the
field's common knowledge and must be checked before they are quoted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from .detectors import Detector
from .sources import AtomicEmitter

Part = TypeVar("Part")


@dataclass(frozen=True)
class Published(Generic[Part]):
    """`part` with where its numbers are from (`source`) and what was derived from them (`derived`)."""

    part: Part
    source: str
    checked: bool
    derived: str = ""


DETECTORS: dict[str, Published[Detector]] = {
    "snspd": Published(
        Detector(efficiency=0.80, dark_count_rate_hz=20.0),
        source="the superconducting detectors of the Delft parameter set of 2019 as used by NetSquid-NV",
        checked=True,
    ),
    "snspd_93": Published(
        Detector(
            efficiency=0.93, dark_count_rate_hz=1.0, dead_time_ps=40_000, jitter_fwhm_ps=150.0
        ),
        source="Marsili et al., Nat. Photon. 7, 210 (2013), title and abstract: system efficiency 93 %, "
        "about 1 dark count a second of the shielded device, reset in 40 ns, jitter of about 150 ps",
        checked=True,
    ),
    "ingaas": Published(
        Detector(
            efficiency=0.20,
            dark_count_rate_hz=5e3,
            dead_time_ps=10_000_000,
            afterpulse_probability=0.03,
            jitter_fwhm_ps=300.0,
            gate_ps=1000,
        ),
        source="Hadfield, Nat. Photon. 3, 696 (2009): gated InGaAs at -50 to -30 C",
        checked=False,
        derived="inside the ranges 10-25 %, 1e-6 to 1e-5 dark counts per gate, 5-20 us, 1-5 %, "
        "200-500 ps; the gate of 1 ns is assumed, only its product with the rate counts",
    ),
    "ingaas_negative_feedback": Published(
        Detector(efficiency=0.10, dark_count_rate_hz=1.0, dead_time_ps=20_000_000),
        source="Korzh et al., Appl. Phys. Lett. 104, 081108 (2014): free-running at -110 C",
        checked=False,
    ),
    "ingaas_self_differencing": Published(
        Detector(
            efficiency=0.10, dark_count_rate_hz=600.0, afterpulse_probability=0.04, gate_ps=1000
        ),
        source="simulation set of Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014): 10 %, "
        "6e-7 dark counts per gate, afterpulse probability 4e-2",
        checked=True,
        derived="the gate of 1 ns is assumed, only its product with the rate counts",
    ),
}

#: Within 25 ns, a photon of 12 ns lifetime; detected in all with 2.8e-4 and 4.2e-4, detector 0.80.
_NV_IN_WINDOW = -math.expm1(-25 / 12)
_NV_SOURCE = (
    "the Delft parameter set of 2019 as used by NetSquid-NV: lifetime 12 ns, window 25 ns, double "
    "excitation 0.04, total detection probability {}"
)
_NV_DERIVED = "collection is total detection over the part in the window and the detector's 0.80"


def _nv_centre(detected: float) -> Published[AtomicEmitter]:
    emitter = AtomicEmitter(
        collection=detected / _NV_IN_WINDOW / 0.80,
        lifetime_ns=12.0,
        window_ns=25.0,
        double_excitation=0.04,
    )
    return Published(emitter, _NV_SOURCE.format(detected), checked=True, derived=_NV_DERIVED)


EMITTERS: dict[str, Published[AtomicEmitter]] = {
    "nv_centre": _nv_centre(2.8e-4),
    "nv_centre_bright": _nv_centre(4.2e-4),
    "trapped_ion": Published(
        AtomicEmitter(collection=math.sqrt(2 * 2.18e-4)),
        source="Stephenson et al., PRL 124, 110501 (2020): 88Sr+, heralds per attempt 2.18e-4",
        checked=False,
        derived="p from P = p^2/2 of the double-click scheme with equal nodes; the detectors' "
        "efficiency is inside, so use detectors of efficiency 1",
    ),
}
