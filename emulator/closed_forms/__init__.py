"""Closed forms: what the literature says a run must come out at, one file a subject.

Owns formulas, pure and independent of the emulator's own arithmetic (no numpy, no QuTiP), so that tests
and reports can set one against the other, and programs bound what an eavesdropper knows by the same ones.
Holds no state and draws nothing. What every subject builds on
is basics.py, whose names can be had from here.
"""

from .basics import (
    GROUP_INDEX,
    LIGHT_KM_PER_S,
    BellWeights,
    bell_diagonal_join,
    dephased_phi_plus,
    dephased_weights,
    depolarised_fidelity,
    depolarised_memory,
    depolarising_qber,
    fibre_latency_ns,
    mean_attempts,
    mean_attempts_of_all,
    stored_phi_plus,
    teleported,
    transmittance,
    werner_chain,
    werner_join,
    werner_weights,
)

__all__ = [
    "GROUP_INDEX",
    "LIGHT_KM_PER_S",
    "BellWeights",
    "bell_diagonal_join",
    "dephased_phi_plus",
    "dephased_weights",
    "depolarised_fidelity",
    "depolarised_memory",
    "depolarising_qber",
    "fibre_latency_ns",
    "mean_attempts",
    "mean_attempts_of_all",
    "stored_phi_plus",
    "teleported",
    "transmittance",
    "werner_chain",
    "werner_join",
    "werner_weights",
]
