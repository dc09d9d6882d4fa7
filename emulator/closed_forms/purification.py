"""Closed forms of entanglement purification and of the nested repeater built on it.

Owns formulas, as the package says and by the same conventions: pure, independent of the emulator's own
arithmetic, no state, no draws. Tests set them against circuits of four qubits.

Conventions: Bell weights come in the order of the Bell index (Phi+, Psi+, Phi-, Psi-), not in that of the
papers; a round gives what is left and with which probability it succeeds. `gate` is the
reliability p of a two-qubit gate (with 1-p it leaves both qubits maximally mixed), `measurement` the
correctness eta of one qubit's measurement.
"""

from __future__ import annotations

import math

from ..errors import InputError
from .basics import BellWeights, werner_chain

#: Rounds after which a recurrence that has not arrived never will.
_MOST_ROUNDS = 10_000

# --- one round ------------------------------------------------------------------------------------


def bbpssw(fidelity: float) -> tuple[float, float]:
    """(F', probability of success) of one round on two Werner pairs.

    With G = (1-F)/3: N = F^2 + 2FG + 5G^2, F' = (F^2 + G^2)/N. A twirl must make a Werner pair of the
    result before the next round. Bennett, Brassard, Popescu, Schumacher, Smolin, Wootters,
    PRL 76, 722 (1996).
    """
    other = (1 - fidelity) / 3
    success = fidelity**2 + 2 * fidelity * other + 5 * other**2
    return (fidelity**2 + other**2) / success, success


def noisy_bbpssw(fidelity: float, gate: float, measurement: float) -> tuple[float, float]:
    """(F', probability of success) of `bbpssw` with imperfect operations.

    Duer, Briegel, Cirac, Zoller, PRA 59, 169 (1999), for a gate on either side.
    """
    other = (1 - fidelity) / 3
    right = measurement**2 + (1 - measurement) ** 2
    wrong = 2 * measurement * (1 - measurement)
    crossed = fidelity * other + other**2
    blank = (1 - gate**2) / (8 * gate**2)
    kept = (fidelity**2 + other**2) * right + crossed * wrong + blank
    ideal = fidelity**2 + 2 * fidelity * other + 5 * other**2
    accepted = ideal * right + 4 * crossed * wrong + 4 * blank
    return kept / accepted, gate**2 * accepted


def dejmps(first: BellWeights, second: BellWeights) -> tuple[BellWeights, float]:
    """(weights, probability of success) of one round on two Bell-diagonal pairs.

    Rx(pi/2) at one end, Rx(-pi/2) at the other, then CNOTs and equal outcomes: Phi+ and Psi- keep to
    themselves, Psi+ and Phi- to themselves. Deutsch, Ekert, Jozsa, Macchiavello, Popescu, Sanpera,
    PRL 77, 2818 (1996), whose two pairs are alike.
    """
    a1, c1, d1, b1 = first
    a2, c2, d2, b2 = second
    success = (a1 + b1) * (a2 + b2) + (c1 + d1) * (c2 + d2)
    phi_plus, psi_minus = a1 * a2 + b1 * b2, c1 * d2 + d1 * c2
    psi_plus, phi_minus = c1 * c2 + d1 * d2, a1 * b2 + b1 * a2
    kept = (phi_plus, psi_plus, phi_minus, psi_minus)
    return (kept[0] / success, kept[1] / success, kept[2] / success, kept[3] / success), success


def noisy_dejmps(
    first: BellWeights, second: BellWeights, gate: float, measurement: float
) -> tuple[BellWeights, float]:
    """(weights, probability of success) of `dejmps` with imperfect operations.

    With p^2 neither CNOT depolarises; then two right readouts (or two wrong ones) keep what `dejmps` keeps,
    and one wrong readout keeps what it rejects. Else the kept pair is I/4 and outcomes are equal by
    chance. Duer, Briegel, Cirac, Zoller, PRA 59, 169 (1999).
    """
    a1, c1, d1, b1 = first
    a2, c2, d2, b2 = second
    ideal, success = dejmps(first, second)
    right = measurement**2 + (1 - measurement) ** 2
    rejected = (a1 * c2 + b1 * d2, c1 * a2 + d1 * b2, a1 * d2 + b1 * c2, c1 * b2 + d1 * a2)
    accepted = gate**2 * (right * success + (1 - right) * (1 - success)) + (1 - gate**2) / 2
    kept = [
        (gate**2 * (right * success * good + (1 - right) * bad) + (1 - gate**2) / 8) / accepted
        for good, bad in zip(ideal, rejected, strict=True)
    ]
    return (kept[0], kept[1], kept[2], kept[3]), accepted


# --- many rounds ----------------------------------------------------------------------------------


def nested_dejmps(weights: BellWeights, levels: int) -> BellWeights:
    """Weights of one pair made of 2^levels by `dejmps`, two that are alike at each level."""
    for _ in range(levels):
        weights, _ = dejmps(weights, weights)
    return weights


def pumped_dejmps(weights: BellWeights, rounds: int) -> BellWeights:
    """Weights of a pair for which `rounds` fresh ones were spent, one after the other, by `dejmps`.

    Entanglement pumping: Duer, Briegel, Cirac, Zoller, PRA 59, 169 (1999).
    """
    kept = weights
    for _ in range(rounds):
        kept, _ = dejmps(kept, weights)
    return kept


def purification_range(gate: float, measurement: float) -> tuple[float, float]:
    """(F_min, F_max) between which rounds of `noisy_bbpssw` raise the fidelity: its two fixed points.

    Raises InputError if operations are so bad that no fidelity is ever raised.
    """
    steps = 4000
    grid = [0.25 + 0.75 * (k + 0.5) / steps for k in range(steps)]
    raised = [f for f in grid if noisy_bbpssw(f, gate, measurement)[0] > f]
    if not raised:
        raise InputError(
            f"purification with gates of {gate} and measurements of {measurement} raises no fidelity"
        )
    width = 0.75 / steps
    return (
        _fixed_point(raised[0] - width, raised[0], gate, measurement),
        _fixed_point(raised[-1] + width, raised[-1], gate, measurement),
    )


def rounds_to_reach(wanted: float, start: float, gate: float, measurement: float) -> int | None:
    """How many rounds of `noisy_bbpssw` bring `start` to `wanted`; None if none do."""
    fidelity, rounds = start, 0
    while fidelity < wanted:
        better = noisy_bbpssw(fidelity, gate, measurement)[0]
        if better <= fidelity or rounds == _MOST_ROUNDS:
            return None
        fidelity, rounds = better, rounds + 1
    return rounds


def nested_pairs_per_level(
    fidelity: float, joined: int, gate: float, measurement: float
) -> int | None:
    """M: joined pairs that one pair of the next level takes, M = 2^rounds, failures not counted.

    `joined` pairs of `fidelity` become one, and rounds bring it back; None where they cannot. Briegel,
    Duer, Cirac, Zoller, PRL 81, 5932 (1998).
    """
    start = werner_chain(fidelity, joined, gate, measurement)
    rounds = rounds_to_reach(fidelity, start, gate, measurement)
    return None if rounds is None else 2**rounds


def nested_resources(links: int, joined: int, pairs_per_level: float) -> float:
    """Elementary pairs for one pair over `links` links: N^(log_L M + 1), L `joined` at each level (ibid.)."""
    return float(links ** (math.log(pairs_per_level, joined) + 1))


def _fixed_point(lowered: float, raised: float, gate: float, measurement: float) -> float:
    """Where F' = F, between a fidelity that a round lowers and one that it raises."""
    for _ in range(60):
        middle = (lowered + raised) / 2
        if noisy_bbpssw(middle, gate, measurement)[0] > middle:
            raised = middle
        else:
            lowered = middle
    return (lowered + raised) / 2
