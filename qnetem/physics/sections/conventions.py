"""Reference vectors 0: the conventions that are easily mistaken for each other.

Owns one row or more for each; what the mistake would give is in the tests, beside these.
"""

from __future__ import annotations

import math

from ...emulator.closed_forms import free_space, limits
from ...emulator.devices.sources import Pairs, WeakCoherent, mean_photons
from ...emulator.optics import raman
from ...emulator.optics.fibre import Fibre
from ...emulator.states import noise, states
from ...emulator.states.density_matrix import DensityMatrix
from ..emulated import trains
from ..emulated.circuits import Z
from ..vectors import Source, Vector, absolute, relative, sigmas

TITLES = {"0.1": "States and noise", "0.2": "Loss and divergence", "0.3": "Light and errors"}

_DEPOLARISING = Source("Nielsen, Chuang, eq. 8.100: rho -> (1-p) rho + p I/d")
_FIDELITY = Source("F = <phi|rho|phi>, not its root")
_POWER = Source("attenuation is power loss, alpha ln(10)/10 per km")
_DIVERGENCE = Source("a beam of 10 urad, 1200 km, a telescope of 1 m")
_GAINS = Source("Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005): E = (error gain)/(gain)")
_PAIRS = Source("Ma, Fung, Lo, PRA 76, 012307 (2007): lambda = mu/2")
_EFFICIENCY = Source("1 - (1+f) h(E) = 0, f of 1 or more")

VECTORS = [
    Vector("0.1", "Phi+, half depolarised by p = 0.2", 0.85, relative(1e-10), _DEPOLARISING,
           lambda: depolarised_half(0.2)),
    Vector("0.1", "basis state depolarised, p = 0.2", 0.9, relative(1e-10), _DEPOLARISING,
           lambda: depolarised_zero(0.2)),
    Vector("0.1", "fidelity of a Werner state, 0.81", 0.81, relative(1e-10), _FIDELITY,
           lambda: DensityMatrix.from_density(states.werner(0.81)).fidelity(states.bell_vector())),
    Vector("0.2", "0.2 dB/km, per km", 0.04605, relative(1e-3), _POWER,
           lambda: raman.attenuation_per_km(0.2)),
    Vector("0.2", "transmittance of 21.715 km", math.exp(-1), relative(1e-3), _POWER,
           lambda: Fibre(21.715, 0.2).transmittance),
    Vector("0.2", "flat top, full angle, dB", 21.6, absolute(0.05), _DIVERGENCE,
           lambda: free_space.loss_db(
               free_space.flat_top_capture(10, 1200, 1))),
    Vector("0.2", "Gaussian, 10 urad full angle, dB", 18.6, absolute(0.05), _DIVERGENCE,
           lambda: gaussian_loss_db(free_space.half_angle_of_full(10))),
    Vector("0.2", "Gaussian, 10 urad half angle, dB", 24.6, absolute(0.05), _DIVERGENCE,
           lambda: gaussian_loss_db(10)),
    Vector("0.3", "gain, mu 0.5, eta 0.1", 1e-4 - math.expm1(-0.05), sigmas(), _GAINS,
           lambda: trains.seen(WeakCoherent(0.5), 0.1, 1e-4, 0.02, 1_000_000).gain),
    Vector("0.3", "its QBER, e_d 2 %, Y0 1e-4",
           (0.5e-4 - 0.02 * math.expm1(-0.05)) / (1e-4 - math.expm1(-0.05)), sigmas(), _GAINS,
           lambda: trains.seen(WeakCoherent(0.5), 0.1, 1e-4, 0.02, 1_000_000).qber),
    Vector("0.3", "pairs per pulse, lambda 0.05", 0.1, relative(1e-6), _PAIRS,
           lambda: mean_photons(Pairs(0.1).photons())),
    Vector("0.3", "P(1 pair) = 2 l/(1+l)^3", 2 * 0.05 / 1.05**3, relative(1e-6), _PAIRS,
           lambda: float(Pairs(0.1).photons()[1])),
    Vector("0.3", "QBER without key, f = 1, %", 11.0028, relative(1e-5), _EFFICIENCY,
           lambda: 100 * limits.bb84_threshold()),
    Vector("0.3", "QBER without key, f = 1.22, %", 9.4235, relative(1e-4), _EFFICIENCY,
           lambda: 100 * limits.bb84_threshold(1.22)),
]  # fmt: skip


def depolarised_half(probability: float) -> float:
    """Fidelity of Phi+ with one half sent through a depolarising channel."""
    pair = DensityMatrix.from_density(states.bell_density(0))
    return pair.apply_map(noise.depolarising(probability), (1,)).fidelity(states.bell_vector(0))


def depolarised_zero(probability: float) -> float:
    """Fidelity of |0> after a depolarising channel."""
    state = DensityMatrix.eigenstate(Z, 0).apply_map(noise.depolarising(probability), (0,))
    return state.fidelity([1, 0])


def gaussian_loss_db(half_angle_urad: float) -> float:
    """Loss over 1200 km into 1 m."""
    caught = free_space.gaussian_capture(half_angle_urad, 1200, 1)
    return free_space.loss_db(caught)
