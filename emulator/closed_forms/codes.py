"""Closed forms of quantum error correction: what codes make of independent errors and losses.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no
draws. Conventions: `error` is the probability of one physical qubit's error; ideal operations.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from itertools import product

#: Error patterns of Steane's code, by weight, that a decoder of one error type gets wrong.
_STEANE_FAILURES = {2: 21, 3: 7, 4: 28, 6: 7, 7: 1}


def repetition_logical_error(error: float) -> float:
    """Three qubits, majority: 3p^2 - 2p^3 (Nielsen & Chuang, section 10.1)."""
    return 3 * error**2 - 2 * error**3


def distance_three_logical_error(qubits: int, error: float) -> float:
    """A code of distance 3 where any two errors fail: 1 - (1-p)^n - n p (1-p)^(n-1).

    n = 5 is the code of Laflamme, Miquel, Paz, Zurek, PRL 77, 198 (1996); n = 7 bounds Steane's.
    """
    right = (1 - error) ** qubits
    return 1 - right - qubits * error * (1 - error) ** (qubits - 1)


def steane_logical_error(flip: float) -> float:
    """Steane's code against one type of error, decoded by syndrome: exact sum over the patterns that fail.

    21 q^2 (1-q)^5 + 7 q^3 (1-q)^4 + 28 q^4 (1-q)^3 + 7 q^6 (1-q) + q^7 (Steane, PRL 77, 793 (1996),
    for the code). Under depolarising by p (Paulis p/3 each) either type has q = 2p/3.
    """
    return math.fsum(
        count * flip**weight * (1 - flip) ** (7 - weight)
        for weight, count in _STEANE_FAILURES.items()
    )


def detection_code(error: float) -> tuple[float, float]:
    """(accepted, logical error once accepted) of the [[4,2,2]] code.

    Each qubit suffers X, Y or Z with p/3 each; accepted is what commutes with XXXX and ZZZZ, an error
    what is no product of them (Vaidman, Goldenberg, Wiesner, PRA 54, R1745 (1996)).
    """
    weights = _detection_code_weights()
    accepted, wrong = (
        math.fsum(
            count * (error / 3) ** weight * (1 - error) ** (4 - weight) for weight, count in counts
        )
        for counts in weights
    )
    return accepted, wrong / accepted


@lru_cache(maxsize=1)
def _detection_code_weights() -> tuple[tuple[tuple[int, int], ...], ...]:
    """((weight, how many) of the accepted Pauli strings, and of those of them that err)."""
    accepted: Counter[int] = Counter()
    wrong: Counter[int] = Counter()
    for string in product(((0, 0), (1, 0), (0, 1), (1, 1)), repeat=4):
        if sum(x for x, _ in string) % 2 or sum(z for _, z in string) % 2:
            continue
        weight = sum(pauli != (0, 0) for pauli in string)
        accepted[weight] += 1
        wrong[weight] += len(set(string)) > 1
    return tuple(accepted.items()), tuple(wrong.items())


def parity_code_success(blocks: int, photons: int, eta: float) -> float:
    """Quantum parity code of `blocks` blocks of `photons` photons each, loss alone.

    P = [1 - (1-eta)^m]^n - [1 - (1-eta)^m - eta^m]^n: a photon of every block, and one block whole.
    Muralidharan, Kim, Luetkenhaus, Lukin, Jiang, PRL 112, 250501 (2014).
    """
    seen = 1 - (1 - eta) ** photons
    return seen**blocks - (seen - eta**photons) ** blocks


def odd_flips(error: float, hops: int) -> float:
    """Probability that independent flips on `hops` hops do not cancel: (1 - (1-2p)^N)/2."""
    return (1 - (1 - 2 * error) ** hops) / 2
