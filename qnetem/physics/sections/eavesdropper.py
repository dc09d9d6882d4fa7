"""Reference vectors 4: what eavesdroppers cost, and what they learn."""

from __future__ import annotations

import math
from functools import partial

from ...emulator.closed_forms import eavesdropping as attacks
from ...emulator.closed_forms import qkd, transmittance
from ...emulator.states.engine import Axis
from ..emulated import circuits, trains
from ..vectors import Source, Vector, absolute, item, relative, sigmas

TITLES = {
    "4.1": "Measure and resend",
    "4.2": "Cloning",
    "4.3": "Photon numbers, and light that comes back",
}

_RESEND = Source("Bennett, Brassard (1984): QBER f/4, Eve knows f/2")
_BREIDBART = Source("Bennett et al., J. Cryptology 5, 3 (1992), half way between the bases")
_E91 = Source("S = 2 sqrt2 (1 - f/2)")
_FUCHS = Source("Fuchs et al., PRA 56, 1163 (1997)")
_HILLERY = Source("Buzek, Hillery, PRA 54, 1844 (1996): both clones 5/6, a circuit")
_NIU = Source("Griffiths, Niu, PRA 56, 1173 (1997): 14.64 % at 45 degrees, a circuit")
_PNS = Source("Brassard et al., PRL 85, 1330 (2000): p_multi(nu)/p_multi(mu)")
_SPLIT = Source("Brassard et al. (2000): no key where Q is p_multi or less")
_TROJAN = Source("Lucamarini et al., PRX 5, 031030 (2015), eqs. 6 and 7; their parameters")

_SHOTS = 400_000
_TROJAN_TABLE = {
    0: (0.010080, 0.010812, 0.019518),
    50: (0.010253, 0.012671, 0.050493),
    100: (0.010805, 0.019432, 0.229560),
}


Y: Axis = (0.0, 1.0, 0.0)


def cloned_qber(axis: Axis) -> float:
    """Error rate in % behind the cloner of all states."""
    return 100 * (1 - circuits.cloned(axis)[0])


def two_bases_qber(axis: Axis, clone: int) -> float:
    """Error rate in % behind the cloner of two bases at 45 degrees."""
    return 100 * (1 - circuits.phase_covariant_cloned(45.0, axis)[clone])


def trojan(length_km: float, photons: float) -> float:
    """Phase error of single photons, detectors 12.5 %, dark counts 1e-5 each, e = 1 %."""
    single_yield = 0.125 * transmittance(length_km, 0.2) + 2e-5
    return attacks.trojan_phase_error(photons, single_yield, 0.01)


VECTORS = [
    Vector("4.1", "QBER, all attacked, drawn", 0.25, sigmas(), _RESEND,
           lambda: trains.intercepted(1.0, _SHOTS).qber),
    Vector("4.1", "known bits, all attacked, drawn", 0.5, sigmas(), _RESEND,
           lambda: trains.intercepted(1.0, _SHOTS).known),
    Vector("4.1", "QBER, half attacked, drawn", 0.125, sigmas(), _RESEND,
           lambda: trains.intercepted(0.5, _SHOTS).qber),
    Vector("4.1", "known bits, half attacked, drawn", 0.25, sigmas(), _RESEND,
           lambda: trains.intercepted(0.5, _SHOTS).known),
    Vector("4.1", "QBER over a baseline of 2 %", 0.02 + 0.96 / 4, relative(1e-10), _RESEND,
           lambda: attacks.intercept_resend_qber(1.0, 0.02)),
    Vector("4.1", "detected with 10 bits compared", 1 - 0.75**10, relative(1e-10), _RESEND,
           lambda: attacks.detection_probability(10)),
    Vector("4.1", "half way: QBER", 0.25, relative(1e-10), _BREIDBART,
           lambda: circuits.half_way_attack()[1]),
    Vector("4.1", "half way: right guesses", 0.85355, absolute(5e-6), _BREIDBART,
           lambda: circuits.half_way_attack()[0]),
    Vector("4.1", "half way: information, bits", 0.3991, absolute(5e-5), _BREIDBART,
           lambda: 1 - qkd.binary_entropy(circuits.half_way_attack()[0])),
    Vector("4.1", "S, all attacked", math.sqrt(2), relative(1e-10), _E91,
           lambda: circuits.chsh(circuits.intercepted(1.0))),
    Vector("4.1", "S, half attacked", 1.5 * math.sqrt(2), relative(1e-10), _E91,
           lambda: circuits.chsh(circuits.intercepted(0.5))),
    Vector("4.1", "no violation from a share of", 0.586, absolute(5e-4), _E91,
           attacks.share_without_violation),
    *(Vector("4.2", f"best single attack, Q = {qber:.0%}, bits", expected, absolute(5.1e-6), _FUCHS,
             partial(attacks.individual_attack_information, qber))
      for qber, expected in ((0.03, 0.08567), (0.05, 0.14176), (0.11, 0.30461))),
    Vector("4.2", "as much as the receiver at, %", 14.645, absolute(5e-4), _FUCHS,
           lambda: 100 * attacks.individual_attack_limit()),
    *(Vector("4.2", f"cloner of all states, {name}", 5 / 6, relative(1e-10), _HILLERY,
             item(clone, circuits.cloned, axis))
      for name, axis, clone in (("Z, 1st", circuits.Z, 0),
                                ("Z, 2nd", circuits.Z, 1),
                                ("X, 1st", circuits.X, 0),
                                ("Y, 2nd", (0.0, 1.0, 0.0), 1))),
    *(Vector("4.2", f"cloner of all states, {name}: QBER, %", 100 * attacks.universal_cloner_qber(),
             relative(1e-10), _HILLERY, partial(cloned_qber, axis))
      for name, axis in (("Z", circuits.Z), ("X", circuits.X), ("Y", Y))),
    *(Vector("4.2", f"cloner of two bases, {name}, %", 100 * attacks.individual_attack_limit(),
             relative(1e-10), _NIU, partial(two_bases_qber, axis, clone))
      for name, axis, clone in (("X", circuits.X, 0), ("Y", Y, 0), ("X, 2nd", circuits.X, 1))),
    *(Vector("4.2", f"two bases, 30 degrees, {name}", expected, relative(1e-10), _NIU,
             item(clone, circuits.phase_covariant_cloned, 30.0, circuits.X))
      for clone, (name, expected) in enumerate(zip(("1st", "2nd"), attacks.phase_covariant_fidelity(30.0),
                                                   strict=True))),
    Vector("4.3", "mu 0.5: all told up to eta", 0.18907, absolute(5e-6), _SPLIT,
           lambda: attacks.photon_number_splitting_limit(0.5)),
    *(Vector("4.3", f"Q_nu/Q_mu, mu {mu}, nu {nu}", expected, absolute(5.1e-5), _PNS,
             partial(qkd.photon_number_splitting_ratio, mu, nu))
      for mu, nu, expected in ((0.5, 0.1, 0.0519), (0.6, 0.2, 0.1437))),
    Vector("4.3", "Q_nu/Q_mu, mu 0.5, nu 0.1, drawn", 0.0519, sigmas(), _PNS,
           lambda: trains.split_ratio(0.5, 0.1, 2_000_000)),
    *(Vector("4.3", f"Trojan light {photons:g}, {km} km: e'", expected, absolute(1e-6), _TROJAN,
             partial(trojan, km, photons))
      for km, row in _TROJAN_TABLE.items()
      for photons, expected in zip((1e-8, 1e-6, 1e-4), row, strict=True)),
]  # fmt: skip
