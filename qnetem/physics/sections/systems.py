"""Reference vectors 3.6: published systems as whole networks, gains and error rates at every distance.

Each system is a hardware preset and a fibre of the published loss. Foreseen is what link and receiver come
to without a draw, drawn is what a run of the decoy-state programs counted.
"""

from __future__ import annotations

import math
from functools import partial

from ..emulated import decoy_runs
from ..emulated.decoy_runs import DecoyRun
from ..vectors import Kind, Source, Vector, absolute, item, relative, sigmas

TITLES = {"3.6": "Published systems: decoy-state BB84, whole networks"}

_MODEL = "; Q = Y0 + 1 - e^(-eta mu), E Q = Y0/2 + e_d (Q - Y0)"
_LIM = Source(
    "Lim et al., PRA 89, 022307 (2014): R = D (1 + p_ap), all intensities, mu 0.45, 0.18 and 2e-4"
)
_FORGETS = Source("Lim et al.'s devices; an afterpulse falls on a slot of any intensity")
_BOARON = Source(
    "parameters after Boaron et al., PRL 121, 190502 (2018), detection 0.34, 3e-11 dark counts per gate, "
    "e_d 0.5 % assumed" + _MODEL
)
_BOARON_TOO = Source(
    "Boaron et al., PRL 121, 190502 (2018), table I; detection and e_d as above", Kind.unchecked
)
_MICIUS = Source(
    "Liao et al., Nature 549, 43 (2017), loss digitised by Baidu's QCompute; e_d 1 % assumed"
    + _MODEL
)
_MICIUS_TOO = Source(
    "Liao et al., Nature 549, 43 (2017): sifted 12 kb/s at 645 km, 1 kb/s at 1200 km; QBER 1.1 % on average",
    Kind.unchecked,
)


def _clicks(mean: float, y0: float) -> float:
    """Q of a mean number of photons at the detectors."""
    return y0 - math.expm1(-mean)


def _error(mean: float, y0: float, e_d: float) -> float:
    """E of that."""
    return (y0 / 2 - e_d * math.expm1(-mean)) / _clicks(mean, y0)


def _of(name: str, run: DecoyRun, gain: float, qber: float, source: Source) -> list[Vector]:
    """The signal's gain and QBER, foreseen, and drawn if a run of it is worth its time."""
    rows = [
        Vector("3.6", f"{name}: Q, foreseen", gain, relative(1e-3), source,
               item(0, decoy_runs.foreseen, run)),
        Vector("3.6", f"{name}: E, foreseen", qber, relative(1e-3), source,
               item(1, decoy_runs.foreseen, run)),
    ]  # fmt: skip
    if run.sent:
        rows += [
            Vector("3.6", f"{name}: Q, drawn", gain, sigmas(), source, partial(decoy_runs.gain, run)),
            Vector("3.6", f"{name}: E, drawn", qber, sigmas(), source, partial(decoy_runs.qber, run)),
        ]  # fmt: skip
    return rows


# --- Lim et al. -----------------------------------------------------------------------------------

_LIM_DARK, _LIM_AFTER, _LIM_ERROR = 6e-7, 0.04, 5e-3
_LIM_SHARES = ((0.6, 0.45), (0.3, 0.18), (0.1, 2e-4))


def _lim_run(length_km: float, sent: int) -> DecoyRun:
    return DecoyRun("lim_2014", length_km, 0.2 * length_km, _LIM_ERROR, sent)


_LIM_RUNS = {50: _lim_run(50, 20_000_000), 100: _lim_run(100, 60_000_000)}


def _lim_light(km: float) -> list[tuple[float, float]]:
    """(how often, D_k) of each intensity."""
    eta = 0.1 * 10 ** (-0.02 * km)
    return [(p, 1 - (1 - 2 * _LIM_DARK) * math.exp(-eta * mu)) for p, mu in _LIM_SHARES]


def _lim_vectors(km: int) -> list[Vector]:
    run, light, eta = _LIM_RUNS[km], _lim_light(km), 0.1 * 10 ** (-0.02 * km)
    mean = math.fsum(p * d for p, d in light)
    erring = math.fsum(-p * _LIM_ERROR * math.expm1(-eta * mu) for p, mu in _LIM_SHARES)
    errors = _LIM_DARK + erring + _LIM_AFTER * mean / 2
    afterpulses = _LIM_AFTER / (1 - _LIM_AFTER) * mean
    return [
        Vector("3.6", f"Lim, {km} km: Q, drawn", mean * (1 + _LIM_AFTER), sigmas(), _LIM,
               partial(decoy_runs.mean_gain, run)),
        Vector("3.6", f"Lim, {km} km: E, drawn", errors / mean / (1 + _LIM_AFTER), sigmas(), _LIM,
               partial(decoy_runs.mean_qber, run)),
        *(Vector("3.6", f"Lim, {km} km: Q of {mu:g}, drawn", d + afterpulses, sigmas(), _FORGETS,
                 partial(decoy_runs.gain, run, setting))
          for setting, (_, mu), (_, d) in zip(("signal", "decoy_1", "decoy_2"), _LIM_SHARES, light,
                                              strict=True)),
    ]  # fmt: skip


# --- Boaron et al. --------------------------------------------------------------------------------

#: km, dB, intensities, QBER in the key basis in %, pulses of a run: none where ten clicks would take ten
#: seconds, and any number of them would agree.
_BOARON_TABLE = [
    (251.7, 42.7, (0.49, 0.18), 0.5, 100_000_000), (302.1, 51.3, (0.48, 0.18), 0.4, 300_000_000),
    (354.5, 60.6, (0.35, 0.15), 0.7, 400_000_000), (404.9, 69.3, (0.35, 0.15), 1.0, 0),
    (421.1, 71.9, (0.30, 0.13), None, 0),
]  # fmt: skip


def _boaron_run(km: float, loss_db: float, intensities: tuple[float, ...], sent: int) -> DecoyRun:
    return DecoyRun("boaron_2018", km, loss_db, 0.005, sent, intensities)


def _percent(run: DecoyRun) -> float:
    """The QBER foreseen."""
    return 100 * decoy_runs.foreseen(run)[1]


def _boaron_vectors() -> list[Vector]:
    ours, theirs = [], []
    for km, loss_db, intensities, percent, sent in _BOARON_TABLE:
        run = _boaron_run(km, loss_db, intensities, sent)
        seen = 0.34 * 10 ** (-loss_db / 10) * intensities[0]
        ours += _of(
            f"Boaron, {km} km", run, _clicks(seen, 6e-11), _error(seen, 6e-11, 0.005), _BOARON
        )
        if percent is not None:
            theirs.append(Vector("3.6", f"Boaron, {km} km: QBER, %", percent, absolute(0.5), _BOARON_TOO,
                                 partial(_percent, run)))  # fmt: skip
    return ours + theirs


# --- Liao et al. ----------------------------------------------------------------------------------

#: km, dB.
_MICIUS_TABLE = [(650, 30.0), (800, 31.0), (900, 32.7), (1000, 34.4), (1100, 36.1), (1200, 39.3)]


def _micius_run(km: float, loss_db: float) -> DecoyRun:
    return DecoyRun("micius_2017", km, loss_db, 0.01, 40_000_000)


def _micius_vectors() -> list[Vector]:
    ours, theirs = [], []
    measured = {650: 12e3, 1200: 1e3}
    for km, loss_db in _MICIUS_TABLE:
        run, seen = _micius_run(km, loss_db), 0.5 * 10 ** (-loss_db / 10) * 0.8
        ours += _of(f"Micius, {km} km", run, _clicks(seen, 1e-7), _error(seen, 1e-7, 0.01), _MICIUS)
        if km in measured:
            theirs += [
                Vector("3.6", f"Micius, {km} km: sifted bits/s", measured[km], relative(0.25), _MICIUS_TOO,
                       partial(decoy_runs.sifted_hz, run)),
                Vector("3.6", f"Micius, {km} km: QBER, %", 1.1, absolute(0.5), _MICIUS_TOO,
                       partial(_percent, run)),
            ]  # fmt: skip
    return ours + theirs


VECTORS = [*_lim_vectors(50), *_lim_vectors(100), *_boaron_vectors(), *_micius_vectors()]
