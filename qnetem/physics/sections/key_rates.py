"""Reference vectors 3: rates of quantum key distribution, and what limits them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial

from ...emulator.closed_forms import (
    depolarising_qber,
    finite_decoy,
    limits,
    mdi,
    qkd,
    transmittance,
)
from ...emulator.closed_forms import finite_key as finite
from ...emulator.closed_forms.qkd import GYS, binary_entropy
from ...emulator.states import states
from ...emulator.states.density_matrix import DensityMatrix
from ..emulated import circuits, decoy_runs, runs
from ..emulated.decoy_runs import DecoyRun
from ..vectors import Kind, Source, Vector, absolute, item, relative, sigmas

TITLES = {
    "3.1": "Decoy-state BB84: Gobby, Yuan, Shields, APL 84, 3762 (2004)",
    "3.2": "Finite keys",
    "3.3": "Entangled pairs",
    "3.4": "Measurement-device independence",
    "3.5": "Bounds of a lossy fibre, 0.2 dB/km, bits per use",
}

_MA = Source("Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005)")
_MA_PRINTED = Source("Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005): 142 and 208 km", Kind.published)
_GLLP = Source("Gottesman, Lo, Luetkenhaus, Preskill, QIC 4, 325 (2004); best mu")
_BB84 = Source("whole run, single photons: depolarising by p errs with p/2")
_LIM = Source("Lim et al., PRA 89, 022307 (2014), their simulation set")
_RUSCA = Source(
    "Rusca et al., APL 112, 171104 (2018), one decoy: loss of 42.7 dB, detection 0.34, blocks of 8.2e6"
)
_TOMAMICHEL = Source("Tomamichel et al., Nat. Commun. 3, 634 (2012), theorem 2")
_SAMPLING = Source("exact hypergeometric tail, by scipy.stats.hypergeom")
_WERNER = Source("Werner state: S = 2 sqrt2 V, Q = 2(1-F)/3, from the density matrix")
_SHOR = Source("Shor, Preskill, PRL 85, 441 (2000): 1 - 2 h(Q) = 0")
_SIX = Source("Lo, QIC 1, 81 (2001)")
_ACIN = Source("Acin et al., PRL 98, 230501 (2007)")
_SPDC = Source("Ma, Fung, Lo, PRA 76, 012307 (2007)")
_RAZAVI = Source("Ma, Razavi, PRA 86, 062319 (2012); phase integral")
_LO = Source("Lo, Curty, Qi, PRL 108, 130503 (2012), parameters like theirs; best mu")
_PLOB = Source("Pirandola et al., Nat. Commun. 8, 15043 (2017)")
_CHAIN = Source("Pirandola, Commun. Phys. 2, 51 (2019)")

# --- decoys ---------------------------------------------------------------------------------------

#: km, eta, Q_mu, E_mu, R infinite decoys, R vacuum + weak, Y1 and e1 bounds; mu 0.48, nu 0.05.
GYS_TABLE = [
    (0, 4.5000e-2, 2.1370e-2, 0.03304, 2.5546e-3, 2.4142e-3, 4.4385e-2, 0.03515),
    (20, 1.7109e-2, 8.1802e-3, 0.03310, 9.6245e-4, 9.0777e-4, 1.6868e-2, 0.03522),
    (50, 4.0106e-3, 1.9250e-3, 0.03341, 2.2260e-4, 2.0962e-4, 3.9548e-3, 0.03540),
    (100, 3.5745e-4, 1.7326e-4, 0.03758, 1.7184e-5, 1.6020e-5, 3.5399e-4, 0.03749),
    (120, 1.3590e-4, 6.6929e-5, 0.04486, 4.8146e-6, 4.3686e-6, 1.3563e-4, 0.04119),
    (140, 5.1667e-5, 2.6500e-5, 0.06296, 2.4647e-7, 7.3779e-8, 5.2615e-5, 0.05063),
]
#: Pulses sent at a distance: what the far ones cost is two seconds each.
_SENT = {
    0: 4_000_000, 20: 4_000_000, 50: 20_000_000, 100: 60_000_000, 120: 150_000_000,
    140: 200_000_000,
}  # fmt: skip


def _run(length_km: float) -> DecoyRun:
    """That distance as a network: mu 0.48, nu 0.05 and the vacuum."""
    shares = (0.8, 0.1, 0.1)
    loss_db = 0.21 * length_km
    return DecoyRun("gys", length_km, loss_db, 0.033, _SENT[int(length_km)], probabilities=shares)


def _bounds(length_km: float) -> tuple[float, float]:
    """(Y1, e1) that a decoy of 0.05 and the vacuum prove."""
    singles = GYS.vacuum_weak(0.48, 0.05, length_km)
    return singles.yield_, singles.error


def _decoy_vectors() -> list[Vector]:
    vectors = []
    for km, eta, gain, qber, rate, rate_weak, y1, e1 in GYS_TABLE:
        rows: list[tuple[str, float, Callable[[], float]]] = [
            ("eta", eta, partial(GYS.eta, km)),
            ("Q_mu", gain, partial(GYS.gain, 0.48, km)),
            ("E_mu", qber, partial(GYS.qber, 0.48, km)),
            ("R, infinite decoys", rate, partial(GYS.rate, 0.48, km)),
            ("R, vacuum + weak", rate_weak, partial(GYS.rate_vacuum_weak, 0.48, 0.05, km)),
            ("Y1, lower bound", y1, item(0, _bounds, km)),
            ("e1, upper bound", e1, item(1, _bounds, km)),
        ]
        for name, expected, compute in rows:
            vectors.append(
                Vector("3.1", f"{km} km: {name}", expected, relative(1e-3), _MA, compute)
            )
        run = _run(km)
        weak = 1.7e-6 - math.expm1(-0.05 * eta)
        vectors += [
            Vector("3.1", f"{km} km: Q_mu, foreseen", gain, relative(1e-3), _MA,
                   item(0, decoy_runs.foreseen, run)),
            Vector("3.1", f"{km} km: E_mu, foreseen", qber, relative(1e-3), _MA,
                   item(1, decoy_runs.foreseen, run)),
            Vector("3.1", f"{km} km: Q_mu, drawn", gain, sigmas(), _MA,
                   partial(decoy_runs.gain, run)),
            Vector("3.1", f"{km} km: E_mu, drawn", qber, sigmas(), _MA,
                   partial(decoy_runs.qber, run)),
            Vector("3.1", f"{km} km: Q_nu, drawn", weak, sigmas(), _MA,
                   partial(decoy_runs.gain, run, "decoy_1")),
            Vector("3.1", f"{km} km: Y0, drawn", 1.7e-6, sigmas(), _MA,
                   partial(decoy_runs.gain, run, "decoy_2")),
        ]  # fmt: skip
    return vectors


def reach_without_decoys_km(f: float) -> float:
    """Where the key of GYS ends without decoys, at the best intensity of each length."""
    link = qkd.DecoyLink(0.21, 0.045, 1.7e-6, 0.033, f)

    def best(length_km: float) -> float:
        mu = qkd.best_mu(lambda mu: link.rate_without_decoys(mu, length_km))
        return link.rate_without_decoys(mu, length_km)

    return qkd.reach_km(best, 100)


def best_reach_km() -> float:
    """Where it ends with infinitely many decoys, at the best intensity of each length."""

    def best(length_km: float) -> float:
        return GYS.rate(qkd.best_mu(lambda mu: GYS.rate(mu, length_km)), length_km)

    return qkd.reach_km(best, 200)


# --- finite keys ----------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _finite(length_km: float, x_size: float) -> tuple[finite_decoy.DecoyKey, float, float]:
    """(key, observed error rate, pulses sent) at fixed parameters; eps_sec 1e-10, eps_cor 1e-15."""
    block, pulses = finite_decoy.DecoySystem().block(
        transmittance(length_km, 0.2), x_size, 0.9, (0.45, 0.18, 2e-4), (0.6, 0.3, 0.1)
    )
    return finite_decoy.decoy_key(block, 1e-10, 1e-15), block.x_error, pulses


@lru_cache(maxsize=1)
def _one_decoy() -> tuple[finite_decoy.DecoyKey, float]:
    """(key, pulses sent) with one decoy at fixed parameters; eps_sec and eps_cor 1e-9."""
    system = finite_decoy.DecoySystem(0.34, 3e-11, 0.0, 0.004, 0.02)
    block, pulses = system.block(transmittance(42.7, 1.0), 8.2e6, 0.9, (0.49, 0.18), (0.7, 0.3))
    return finite_decoy.decoy_key(block, 1e-9, 1e-9), pulses


def tomamichel_length() -> float:
    """Key of 1e6 bits, 1e5 compared, 2 % errors, leakage 1.1 n h(Q)."""
    leakage = 1.1 * 10**6 * binary_entropy(0.02)
    return finite.single_photon_length(10**6, 10**5, 0.02, leakage, 1e-10, 1e-15)


# --- pairs ----------------------------------------------------------------------------------------


def _werner(fidelity: float) -> DensityMatrix:
    return DensityMatrix.from_density(states.werner(fidelity))


_WERNER_TABLE = [
    (0.80, 2.0742, 0.1333), (0.869, 2.3344, 0.0873), (0.90, 2.4513, 0.0667),
    (0.95, 2.6399, 0.0333), (0.98, 2.7530, 0.0133),
]  # fmt: skip


def spdc_rate(loss_db: float) -> float:
    """Best rate with the source in the middle: detectors 0.145, Y0 6.02e-6, e_d 1.5 %, f 1.22."""
    etas, y0s = (0.145 * transmittance(loss_db / 2, 1.0),) * 2, (6.02e-6,) * 2

    def rate(half: float) -> float:
        gain = qkd.pair_gain(2 * half, etas, y0s)
        return limits.pair_rate(gain, qkd.pair_qber(2 * half, etas, y0s, 0.015))

    return rate(qkd.best_mu(rate))


# --- devices that are not trusted -----------------------------------------------------------------

_MDI = ((0.4, 0.3), (0.05, 0.02), 1e-4)


def mdi_rate(length_km: float) -> float:
    """Best rate, both the same: detectors 0.145, 6.02e-6 dark clicks, e_d 1.5 %, f 1.16, 0.2 dB/km."""
    eta = 0.145 * transmittance(length_km / 2, 0.2)

    def rate(mu: float) -> float:
        return mdi.rate((mu, mu), (eta, eta), 6.02e-6, 0.015)

    return rate(qkd.best_mu(rate))


_MDI_TABLE = [(0, 5.71e-4), (50, 5.18e-5), (100, 4.58e-6), (150, 3.16e-7), (200, 1.28e-9)]
_PLOB_TABLE = [
    (50, 0.15200), (100, 0.0144996), (200, 1.44277e-4), (300, 1.44270e-6), (400, 1.44270e-8),
    (500, 1.44270e-10),
]  # fmt: skip

VECTORS = [
    *_decoy_vectors(),
    Vector("3.1", "best mu", 0.4789, absolute(5e-5), _MA, lambda: qkd.optimal_mu(0.033, 1.22)),
    Vector("3.1", "reach, infinite decoys, km", 142.0, absolute(0.3), _MA_PRINTED,
           lambda: qkd.reach_km(lambda km: GYS.rate(0.48, km))),
    Vector("3.1", "e1 = 25 % at, km", 208.0, absolute(0.5), _MA_PRINTED,
           lambda: qkd.reach_km(lambda km: 0.25 - GYS.singles(km).error)),
    Vector("3.1", "reach at the best mu, km", 142.2, absolute(0.3), _MA, best_reach_km),
    Vector("3.1", "reach, vacuum + weak, km", 140.6, absolute(0.3), _MA,
           lambda: qkd.reach_km(lambda km: GYS.rate_vacuum_weak(0.48, 0.05, km))),
    Vector("3.1", "reach without decoys, f 1.22, km", 40.2, absolute(0.3), _GLLP,
           lambda: reach_without_decoys_km(1.22)),
    Vector("3.1", "reach without decoys, f 1, km", 43.8, absolute(0.3), _GLLP,
           lambda: reach_without_decoys_km(1.0)),
    Vector("3.1", "QBER, p = 0.08, drawn", depolarising_qber(0.08), sigmas(), _BB84,
           lambda: runs.bb84(0.08, 5.0, 4000)[0]),
    Vector("3.1", "detected over 5 km, drawn", transmittance(5.0, 0.2), sigmas(), _BB84,
           lambda: runs.bb84(0.08, 5.0, 4000)[1]),
    Vector("3.2", "50 km, n_X 1e7: s_X1", 6.0510e6, relative(1e-3), _LIM,
           lambda: _finite(50, 1e7)[0].x_single),
    Vector("3.2", "50 km, n_X 1e7: s_Z1", 4.1950e4, relative(1e-3), _LIM,
           lambda: _finite(50, 1e7)[0].z_single),
    Vector("3.2", "50 km, n_X 1e7: v_Z1", 5728.4, relative(1e-3), _LIM,
           lambda: _finite(50, 1e7)[0].z_single_errors),
    Vector("3.2", "50 km, n_X 1e7: phase error", 0.15259, relative(1e-3), _LIM,
           lambda: _finite(50, 1e7)[0].phase_error),
    Vector("3.2", "50 km, n_X 1e7: error rate", 0.024215, relative(1e-3), _LIM,
           lambda: _finite(50, 1e7)[1]),
    Vector("3.2", "50 km, n_X 1e7: pulses", 3.66968e9, relative(1e-3), _LIM,
           lambda: _finite(50, 1e7)[2]),
    Vector("3.2", "50 km, n_X 1e7: bits of key", 413501, relative(1e-3), _LIM,
           lambda: _finite(50, 1e7)[0].length),
    Vector("3.2", "100 km, n_X 1e9: s_X0", 1.7782e6, relative(1e-3), _LIM,
           lambda: _finite(100, 1e9)[0].x_vacuum),
    Vector("3.2", "100 km, n_X 1e9: s_X1", 6.31757e8, relative(1e-3), _LIM,
           lambda: _finite(100, 1e9)[0].x_single),
    Vector("3.2", "100 km, n_X 1e9: phase error", 0.037797, relative(1e-3), _LIM,
           lambda: _finite(100, 1e9)[0].phase_error),
    Vector("3.2", "100 km, n_X 1e9: bits of key", 2.86406e8, relative(1e-3), _LIM,
           lambda: _finite(100, 1e9)[0].length),
    Vector("3.2", "100 km, n_X 1e9: bits per pulse", 7.8449e-5, relative(1e-3), _LIM,
           lambda: _finite(100, 1e9)[0].length / _finite(100, 1e9)[2]),
    Vector("3.2", "one decoy: s_X1", 4.749705e6, relative(1e-3), _RUSCA,
           lambda: _one_decoy()[0].x_single),
    Vector("3.2", "one decoy: s_Z1", 3.801120e4, relative(1e-3), _RUSCA,
           lambda: _one_decoy()[0].z_single),
    Vector("3.2", "one decoy: v_Z1", 3259.625, relative(1e-3), _RUSCA,
           lambda: _one_decoy()[0].z_single_errors),
    Vector("3.2", "one decoy: phase error", 0.0988356, relative(1e-3), _RUSCA,
           lambda: _one_decoy()[0].phase_error),
    Vector("3.2", "one decoy: bits of key", 2_181_287, relative(1e-3), _RUSCA,
           lambda: _one_decoy()[0].length),
    Vector("3.2", "one decoy: bits per pulse", 1.561907e-6, relative(1e-3), _RUSCA,
           lambda: _one_decoy()[0].length / _one_decoy()[1]),
    Vector("3.2", "deviation, n 1e6, k 1e5", 0.016387, relative(1e-4), _TOMAMICHEL,
           lambda: finite.sampling_deviation(10**6, 10**5, 1e-10)),
    Vector("3.2", "bits of key, n 1e6, Q 2 %", 618_856, relative(1e-5), _TOMAMICHEL,
           tomamichel_length),
    Vector("3.2", "deviation, n 1e6, k 1e5, Q 2 %", 0.004754, absolute(1e-9), _SAMPLING,
           lambda: finite.hypergeometric_deviation(10**6, 10**5, 0.02, 1e-10)),
    *(Vector("3.3", f"F = {fidelity}: {name}", expected, absolute(5.1e-5), _WERNER, compute)
      for fidelity, s, qber in _WERNER_TABLE
      for name, expected, compute in (
          ("S", s, partial(circuits.chsh, _werner(fidelity))),
          ("QBER", qber, partial(circuits.error_rate, _werner(fidelity))))),
    Vector("3.3", "QBER without key, one-way, %", 11.0028, relative(1e-5), _SHOR,
           lambda: 100 * limits.bb84_threshold()),
    Vector("3.3", "S at that QBER", 2.2060, absolute(5e-5), _SHOR,
           lambda: limits.chsh_of_qber(limits.bb84_threshold())),
    Vector("3.3", "F at that QBER", 0.83496, absolute(5e-6), _SHOR,
           lambda: limits.fidelity_of_qber(limits.bb84_threshold())),
    Vector("3.3", "QBER without key, six states, %", 12.619, absolute(5e-4), _SIX,
           lambda: 100 * limits.six_state_threshold()),
    Vector("3.3", "QBER, device-independent, %", 7.149, absolute(5e-4), _ACIN,
           lambda: 100 * limits.device_independent_threshold()),
    Vector("3.3", "pair source: Q, lambda 0.05", 2.26143e-4, relative(1e-5), _SPDC,
           lambda: qkd.pair_gain(0.1, (0.1, 0.02), (1e-5, 1e-6))),
    Vector("3.3", "pair source: E, lambda 0.05", 0.0549351, relative(1e-5), _SPDC,
           lambda: qkd.pair_qber(0.1, (0.1, 0.02), (1e-5, 1e-6), 0.015)),
    *(Vector("3.3", f"pair source: R, {loss_db} dB", expected, relative(2e-3), _SPDC,
             partial(spdc_rate, loss_db))
      for loss_db, expected in ((20, 3.62e-6), (40, 3.29e-8), (60, 5.6e-11))),
    Vector("3.3", "pair source: no key from, dB", 61.6, absolute(0.05), _SPDC,
           lambda: qkd.reach_km(spdc_rate, 100)),
    Vector("3.4", "Q_Z", 6.39674e-5, relative(1e-5), _RAZAVI, lambda: mdi.rectilinear(*_MDI)[0]),
    Vector("3.4", "E_Z", 0.0402502, relative(1e-5), _RAZAVI, lambda: mdi.rectilinear(*_MDI)[1]),
    Vector("3.4", "Q_X", 1.71215e-4, relative(1e-5), _RAZAVI, lambda: mdi.diagonal(*_MDI)[0]),
    Vector("3.4", "E_X", 0.327078, relative(1e-5), _RAZAVI, lambda: mdi.diagonal(*_MDI)[1]),
    Vector("3.4", "E_X, equal weak light", 0.25, absolute(5e-5), _RAZAVI,
           lambda: mdi.diagonal((0.01, 0.01), (0.01, 0.01), 0.0)[1]),
    *(Vector("3.4", f"R, {km} km", expected, relative(3e-3), _LO, partial(mdi_rate, km))
      for km, expected in _MDI_TABLE),
    *(Vector("3.5", f"without repeaters, {km} km", expected, relative(1e-4), _PLOB,
             partial(limits.repeaterless_bound, transmittance(km, 0.2)))
      for km, expected in _PLOB_TABLE),
    Vector("3.5", "one repeater, 200 km", 0.0144996, relative(1e-4), _CHAIN,
           lambda: limits.repeater_bound(transmittance(200, 0.2), 1)),
]  # fmt: skip
