"""Reference vectors 1: what a fibre does to light."""

from __future__ import annotations

import math
from functools import partial

from ...emulator.optics import dispersion, phase, polarisation, raman
from ...emulator.optics.fibre import Fibre
from ...emulator.optics.phase import Vibration
from ...emulator.optics.raman import ClassicalChannels, RamanNoise
from ...emulator.states.density_matrix import DensityMatrix
from ...emulator.topology.reading.presets import FIBRES
from ...emulator.units import parse_quantity
from ..emulated import trains
from ..emulated.circuits import Z
from ..vectors import Kind, Source, Vector, absolute, relative, sigmas

TITLES = {
    "1.1": "Loss and delay",
    "1.2": "Dispersion",
    "1.3": "Polarisation and phase",
    "1.4": "Raman noise of classical channels",
}

_LOSS = Source("Agrawal, Fiber-Optic Communication Systems: eta = 10^(-(alpha L + IL)/10)")
_DELAY = Source("data sheet of SMF-28, n = 1.468 at 1550 nm")
_NV_DELAY = Source("206753 km/s, parameters of NetSquid-NV", Kind.published)
_KORZH = Source("Korzh et al., Nat. Photon. 9, 163 (2015): 51.9 dB over 307 km", Kind.published)
_BOARON = Source("Boaron et al., PRL 121, 190502 (2018): 71.9 dB over 421.1 km", Kind.unchecked)
_CHROMATIC = Source("Agrawal, sections 2.3 and 2.4; D = 17 ps/(nm km)")
_PMD = Source("ITU-T G.650.2: D_PMD sqrt(L); Gaussian pulse, exp(-(DGD s)^2/2)")
_MAXWELL = Source("Foschini, Poole, JLT 9, 1439 (1991): Maxwell DGD, (1 + pi (<DGD> s)^2/8)^(-3/2)")
_WALK = Source("rotational diffusion: <F> = (1 + exp(-s^2 t))/2")
_MALUS = Source("Malus: e_d = sin^2 theta")
_WIENER = Source("normal phase of variance D t: V = exp(-D t/2)")
_BESSEL = Source("sinusoidal phase: V = J0(amplitude)")
_THERMAL = Source("2 pi n/lambda times 7.5e-6 per K: 45 to 50 rad/(m K) at 1550 nm")
_THERMAL_DELAY = Source("7.5e-6 of the delay per K: 37 to 40 ps/(km K)")
_VISIBILITY = Source("interference of visibility V: e = (1 - V)/2")
_GATED = Source("P lambda/(h c) t_gate eta_rx eta_det/2: 1 ns, optics 0.5, two detectors of 0.2")
_UNEQUAL = Source(
    "Eraerds et al. (2010), attenuation of pump 0.25, of signal 0.2 dB/km: effective length"
)
_MEASURED_RHO = Source(
    "data of NetSquid_coexisting_Raman_noise (CC0), pump 1550 nm: Stokes above anti-Stokes",
    Kind.published,
)
_ATTENUATIONS = (raman.attenuation_per_km(0.25), raman.attenuation_per_km(0.2))
_RAMAN = Source("Eraerds et al., New J. Phys. 12, 063027 (2010); 0 dBm, rho 3e-9, 0.2 nm")


def raman_photons_hz(length_km: float, direction: str) -> float:
    """Noise photons at the fibre's end: 0 dBm at 1550 nm, rho 3e-9 /(km nm), 0.2 nm, 0.2 dB/km."""
    same = direction == "co"
    channel = ClassicalChannels(0.0, "co" if same else "counter", rho_per_km_nm=3e-9)
    return RamanNoise((channel,), 0.2, 1550.0).rate_hz(length_km, 0.2)


def measured_rho(wavelength_nm: float) -> float:
    """Raman coefficient beside a pump at 1550 nm, in 1e-9/(km nm)."""
    return raman.raman_coefficient(wavelength_nm) * 1e9


def dispersed_ps(duration_ps: float, length_km: float) -> float:
    """rms duration of a transform-limited pulse after standard fibre."""
    beta2 = dispersion.beta2_ps2_per_km(17.0)
    return dispersion.dispersed_duration_ps(duration_ps, length_km, beta2)


def raman_peak_km() -> float:
    """The length at which co-propagating noise is greatest, to 5 m."""
    lengths = [k / 200 for k in range(4000, 5000)]
    return max(lengths, key=lambda length_km: raman_photons_hz(length_km, "co"))


def misaligned_error(angle_deg: float) -> float:
    """Error rate of |H> behind polarisers that stand at an angle."""
    turned = DensityMatrix.eigenstate(Z, 0).apply_map(
        polarisation.misalignment_map(math.radians(angle_deg)), (0,)
    )
    return turned.fidelity([0, 1])


_RAMAN_TABLE = [
    (10, 2.954e7, 3.060e7),
    (25, 3.701e7, 4.575e7),
    (50, 2.341e7, 5.032e7),
    (80, 9.408e6, 5.080e7),
]

VECTORS = [
    Vector("1.1", "transmittance, 50 km, 0.2 dB/km", 0.1, relative(1e-10), _LOSS,
           lambda: Fibre(50.0, 0.2).transmittance),
    Vector("1.1", "with 10 dB insertion loss", 0.01, relative(1e-10), _LOSS,
           lambda: Fibre(50.0, 0.2, insertion_loss_db=10.0).transmittance),
    Vector("1.1", "delay of 1 km, us", 4.897, relative(1e-3), _DELAY,
           lambda: Fibre(1.0).delay_ns / 1e3),
    Vector("1.1", "delay of 100 km at n = 1.45, us", 100 / 206_753 * 1e6, relative(1e-3),
           _NV_DELAY, lambda: Fibre(100.0, group_index=1.45).delay_ns / 1e3),
    Vector("1.1", "ultra-low-loss preset, 307 km, dB", 51.9, relative(0.01), _KORZH,
           lambda: loss_db("ultra_low_loss", 307.0)),
    Vector("1.1", "ultra-low-loss preset, 421 km, dB", 71.9, relative(0.01), _BOARON,
           lambda: loss_db("ultra_low_loss", 421.1)),
    Vector("1.2", "spread of 1 nm over 50 km, ps", 850.0, relative(1e-3), _CHROMATIC,
           lambda: dispersion.chromatic_spread_ps(50.0, Fibre(50.0).dispersion_at(1550.0), 1.0)),
    Vector("1.2", "beta2, ps^2/km", -21.7, absolute(0.05), _CHROMATIC,
           lambda: dispersion.beta2_ps2_per_km(17.0)),
    Vector("1.2", "rms of 50 ps after 50 km, ps", math.hypot(50, 21.6826 * 50 / 100), relative(1e-6),
           _CHROMATIC, lambda: dispersed_ps(50.0, 50.0)),
    Vector("1.2", "mean DGD, 0.2 ps/sqrt(km), 100 km", 2.0, relative(1e-10), _PMD,
           lambda: Fibre(100.0, pmd_ps_per_sqrt_km=0.2).mean_group_delay_ps),
    Vector("1.2", "coherence, DGD 1 ps, 1 rad/ps", math.exp(-0.5), relative(1e-10), _PMD,
           lambda: dispersion.pmd_coherence(1.0, 1.0)),
    Vector("1.2", "coherence, mean DGD 1 ps, 1/ps", (1 + math.pi / 8) ** -1.5, relative(1e-10),
           _MAXWELL, lambda: dispersion.mean_pmd_coherence(1.0, 1.0)),
    Vector("1.3", "walk, s^2 t = 1: mean fidelity", (1 + math.exp(-1)) / 2, sigmas(), _WALK,
           lambda: trains.walked_fidelity(1.0, 100_000)),
    Vector("1.3", "polarisers 10 deg apart: e_d", 0.0301537, relative(1e-5), _MALUS,
           lambda: misaligned_error(10)),
    Vector("1.3", "phase drift, D t = 1: visibility", math.exp(-0.5), sigmas(), _WIENER,
           lambda: trains.drifted_visibility(1.0, 100_000)),
    Vector("1.3", "vibration of 1 rad: visibility", 0.7651977, relative(1e-6), _BESSEL,
           lambda: Vibration(1.0, 100.0).visibility),
    Vector("1.3", "phase with temperature, rad/(m K)", 47.5, absolute(2.5), _THERMAL,
           phase.thermal_phase_rad_per_m_k),
    Vector("1.3", "delay with temperature, ps/(km K)", 38.5, absolute(1.5), _THERMAL_DELAY,
           lambda: (Fibre(1.0).delay_s(1.0) - Fibre(1.0).delay_s()) * 1e12),
    Vector("1.3", "interference of V = 0.9: error", 0.05, relative(1e-10), _VISIBILITY,
           lambda: phase.error_of_visibility(0.9)),
    *(Vector("1.4", f"{length_km} km, {words}, photons/s", expected, relative(1e-3), _RAMAN,
             partial(raman_photons_hz, length_km, way))
      for length_km, forward, backward in _RAMAN_TABLE
      for expected, way, words in ((forward, "co", "forward"), (backward, "counter", "backward"))),
    Vector("1.4", "clicks per gate, 50 km, forward", 2.341e7 * 1e-9 * 0.5 * 0.2 / 2, relative(1e-3),
           _GATED, lambda: raman.photons_per_gate(raman_photons_hz(50, "co"), 1.0, 0.5, 0.2, 2)),
    Vector("1.4", "0.25 and 0.2 dB/km, 50 km, km", (0.1 - 10**-1.25) / (0.005 * math.log(10)),
           relative(1e-6), _UNEQUAL, lambda: raman.forward_length_km(50.0, *_ATTENUATIONS)),
    Vector("1.4", "the same, backward, km", (1 - 10**-2.25) / (0.045 * math.log(10)),
           relative(1e-6), _UNEQUAL, lambda: raman.backward_length_km(50.0, *_ATTENUATIONS)),
    *(Vector("1.4", f"rho at {nm} nm, 1e-9/(km nm)", expected, relative(1e-6), _MEASURED_RHO,
             partial(measured_rho, nm))
      for nm, expected in ((1530, 3.40), (1545, 2.17), (1555, 2.59), (1565, 4.69), (1600, 3.07))),
    Vector("1.4", "forward peak at, km", 21.715, absolute(0.01), _RAMAN, raman_peak_km),
    Vector("1.4", "backward, 80 km over its limit", 1 - 10 ** (-2 * 0.2 * 80 / 10), relative(1e-3),
           _RAMAN, lambda: raman_photons_hz(80, "counter") / raman_photons_hz(5000, "counter")),
]  # fmt: skip


def loss_db(preset: str, length_km: float) -> float:
    """Loss of a fibre of that preset."""
    attenuation = parse_quantity(FIBRES[preset].values["attenuation"], "attenuation")
    return -10 * math.log10(Fibre(length_km, attenuation).transmittance)
