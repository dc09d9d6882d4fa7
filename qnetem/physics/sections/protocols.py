"""Reference vectors 3.7 to 3.9: other protocols, continuous variables, and published key rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

from ...emulator.closed_forms import finite_decoy, limits, protocols, qkd, transmittance
from ...emulator.closed_forms.continuous_variable import GaussianLink
from ...emulator.closed_forms.pair_streams import PairStream
from ..emulated import circuits, pair_stream_runs
from ..vectors import Kind, Source, Vector, absolute, item, relative, sigmas, within_factor

TITLES = {
    "3.7": "Six states, B92, SARG04, E91",
    "3.8": "Continuous variables: Gaussian modulation",
    "3.9": "Published key rates, by closed form, and one drawn",
}

_SIX = Source("Lo, QIC 1, 81 (2001): no key from 12.62 % on", Kind.published)
_FILTER = Source(
    "state sent, depolarised and measured, on the emulator's engine: p/(1+p) for c^2 = 1/2"
)
_SARG = Source("Fung, Tamaki, Lo, PRA 73, 012337 (2006): no key from 9.68 % on", Kind.published)
_EKERT = Source("Ekert, PRL 67, 661 (1991): 2/9 to the key, 4/9 to S; S = 2 sqrt2 V")
_GAUSSIAN = Source(
    "Lodewyck et al., PRA 76, 042305 (2007); symplectic eigenvalues of the whole state, its detector purified"
)
_PURE_LOSS = Source(
    "Pirandola et al., Nat. Commun. 8, 15043 (2017): half the capacity, one quadrature"
)
_ALIRO = Source(
    "arXiv:2505.24851, 1.5e6 pairs/s, 12 dB an arm, window 2 ns: theory", Kind.published
)
_ALIRO_TOO = Source("arXiv:2505.24851: the experiment", Kind.published)
_BOARON = Source(
    "Boaron et al., PRL 121, 190502 (2018), table I: loss, intensities and block sizes; assumed are "
    "detection 0.34, 3e-11 dark counts a gate, f 1.16, eps 1e-9; chosen to agree: errors of 0.4 % and 1 %; "
    "how often each setting is sent is the best of a few",
    Kind.unchecked,
)
_TOSHIBA = Source(
    "Yuan et al., J. Lightwave Technol. 36, 3427 (2018): 1 GHz, 2 dB, blocks of 1e8; chosen to agree, "
    "as the abstract has none: detection 0.3, 1e-5 dark counts, 3 % afterpulses, error 1 %, f 1.1",
    Kind.published,
)
_FROEHLICH = Source(
    "Froehlich et al., Optica 4, 163 (2017): key up to 240 km; chosen to agree, as the abstract has none: "
    "0.18 dB/km, detection 0.1, 5e-8 dark counts, 2 % afterpulses, error 1 %, blocks of 1e7, f 1.16",
    Kind.published,
)

# --- continuous variables -------------------------------------------------------------------------

#: V, T, excess noise, detection, electronic noise; Holevo's bound with one quadrature, and with both.
_GAUSSIAN_TABLE = [
    (5.0, 0.5, 0.01, 0.6, 0.05, 0.352614493, 0.442993854),
    (20.0, 0.1, 0.02, 0.55, 0.015, 0.477282329, 0.565593975),
    (40.0, 0.9, 0.005, 0.9, 0.1, 1.184424549, 2.262278039),
]


def gaussian_information(heterodyne: bool, *numbers: float) -> float:
    """Holevo's bound for V, T, excess noise, detection and electronic noise."""
    variance, eta, excess, detection, electronic = numbers
    link = GaussianLink(variance - 1, eta, excess, detection, electronic, heterodyne=heterodyne)
    return link.eavesdropper_information()


# --- published rates ------------------------------------------------------------------------------

#: Four detectors an end, their dead time 45 ns; FWHM of one detector's jitter 1.149 ns.
BBM92 = PairStream(
    pair_rate_hz=1.5e6,
    eta_a=0.6 * transmittance(12.0, 1.0),
    eta_b=0.6 * transmittance(12.0, 1.0),
    dark_a_hz=500,
    dark_b_hz=1800,
    e_d=0.03,
    window_ns=2.0,
    jitter_ns=0.69,
    dead_time_ns=45,
)

#: km, dB, intensities, block, share of the key basis, of the signal, bits/s, by what factor it may differ.
_BOARON_TABLE = [
    (251.7, 42.7, (0.49, 0.18), 8.2e6, 0.9, 0.7, 4.9e3, 2.0),
    (302.1, 51.3, (0.48, 0.18), 8.2e6, 0.9, 0.7, 7.9e2, 2.0),
    (354.5, 60.6, (0.35, 0.15), 6.2e6, 0.9, 0.6, 62.0, 2.0),
    (404.9, 69.3, (0.35, 0.15), 4.1e5, 0.8, 0.5, 6.5, 2.0),
    (421.1, 71.9, (0.30, 0.13), 2.0e5, 0.7, 0.5, 0.25, 10.0),
]


def boaron_hz(
    loss_db: float, intensities: tuple[float, float], block: float, share: float, signal: float
) -> float:
    """Bits of key a second at 2.5 GHz, one decoy."""
    system = finite_decoy.DecoySystem(0.34, 3e-11, 0.0, 0.004, 0.01)
    counts, pulses = system.block(
        transmittance(loss_db, 1.0), block, share, intensities, (signal, 1 - signal)
    )
    return 2.5e9 * finite_decoy.decoy_key(counts, 1e-9, 1e-9).length / pulses


def toshiba_hz() -> float:
    """Bits of key a second over 2 dB at 1 GHz, two decoys."""
    system = finite_decoy.DecoySystem(0.3, 1e-5, 0.03, 0.01)
    counts, pulses = system.block(
        transmittance(2.0, 1.0), 1e8, 0.85, (0.4, 0.1, 7e-4), (0.7, 0.2, 0.1)
    )
    return 1e9 * finite_decoy.decoy_key(counts, 1e-10, 1e-15, 1.1).length / pulses


@lru_cache(maxsize=1)
def froehlich_reach_km() -> float:
    """Where the key of a block ends, two decoys."""
    system = finite_decoy.DecoySystem(0.1, 5e-8, 0.02, 0.01)

    def length(length_km: float) -> float:
        counts, _ = system.block(
            transmittance(length_km, 0.18), 1e7, 0.8, (0.4, 0.1, 7e-4), (0.6, 0.3, 0.1)
        )
        return finite_decoy.decoy_key(counts, 1e-10, 1e-15).length

    return qkd.reach_km(length, 400)


def _threshold(rate: Callable[[float, float, float, float], float]) -> float:
    """The QBER in % at which a rate of (gain, QBER, f, sifting) ends, for f = 1."""
    return 100 * qkd.reach_km(lambda qber: rate(1.0, qber, 1.0, 1.0), 0.2)


VECTORS = [
    Vector("3.7", "QBER without key, six states, %", 12.62, absolute(0.005), _SIX,
           lambda: _threshold(protocols.six_state_rate)),
    Vector("3.7", "QBER without key, SARG04, %", 9.68, absolute(0.01), _SARG,
           lambda: _threshold(protocols.sarg04_rate)),
    *(Vector("3.7", f"c = {overlap:.2f}, p = {p:g}: {name}", compute(overlap, p), relative(1e-9), _FILTER,
             item(place, circuits.b92, overlap, p))
      for overlap, p in ((math.sqrt(0.5), 0.0), (math.sqrt(0.5), 0.08), (0.9, 0.03))
      for place, (name, compute) in enumerate((("conclusive", protocols.b92_gain),
                                               ("QBER", protocols.b92_qber)))),
    Vector("3.7", "E91: sifted to the key", 2 / 9, relative(1e-9), _EKERT,
           item(0, protocols.e91_sifting)),
    Vector("3.7", "E91: tested", 4 / 9, relative(1e-9), _EKERT, item(1, protocols.e91_sifting)),
    *(Vector("3.7", f"E91: S, V = {visibility:g}", 2 * math.sqrt(2) * visibility, relative(1e-9), _EKERT,
             partial(protocols.e91_chsh, visibility)) for visibility in (1.0, 0.9)),
    *(Vector("3.8", f"T = {row[1]:g}, {name}: chi", expected, relative(1e-8), _GAUSSIAN,
             partial(gaussian_information, both, *row))
      for *row, one, two in _GAUSSIAN_TABLE
      for name, both, expected in (("one quadrature", False, one), ("both", True, two))),
    Vector("3.8", "T = 0.3, much modulation: K", limits.repeaterless_bound(0.3) / 2, relative(1e-5),
           _PURE_LOSS, lambda: GaussianLink(1e6, 0.3, reconciliation=1.0).rate()),
    Vector("3.9", "BBM92: raw bits/s", 918.65, relative(0.01), _ALIRO, BBM92.raw_hz),
    Vector("3.9", "BBM92: QBER", 0.03165, relative(0.01), _ALIRO, BBM92.qber),
    Vector("3.9", "BBM92: secret bits/s", 527.8, relative(0.01), _ALIRO, BBM92.secret_hz),
    Vector("3.9", "BBM92: raw bits/s, drawn", 918.65, sigmas(), _ALIRO,
           partial(pair_stream_runs.sifted_hz, 918.65)),
    Vector("3.9", "BBM92: QBER, drawn", 0.03165, sigmas(), _ALIRO, pair_stream_runs.qber),
    Vector("3.9", "BBM92: raw bits/s, measured", 894.3, relative(0.05), _ALIRO_TOO, BBM92.raw_hz),
    Vector("3.9", "BBM92: QBER, measured", 0.0326, relative(0.05), _ALIRO_TOO, BBM92.qber),
    Vector("3.9", "BBM92: secret bits/s, measured", 505.0, relative(0.05), _ALIRO_TOO, BBM92.secret_hz),
    *(Vector("3.9", f"Boaron, {km} km: key bits/s", expected, within_factor(factor), _BOARON,
             partial(boaron_hz, loss_db, mus, block, share, signal))
      for km, loss_db, mus, block, share, signal, expected, factor in _BOARON_TABLE),
    Vector("3.9", "Toshiba, 2 dB: key Mb/s", 13.72, within_factor(1.3), _TOSHIBA,
           lambda: toshiba_hz() / 1e6),
    Vector("3.9", "Froehlich: reach, km", 240.0, absolute(15.0), _FROEHLICH, froehlich_reach_km),
]  # fmt: skip
