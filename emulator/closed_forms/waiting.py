"""Closed forms of waiting: how long a chain of links takes, and how much a path yields.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no
draws. One link, and all of several links, are in basics.py.

Conventions: times count attempts; every link succeeds with p in each, independently; q = 1 - p. A failed
swap costs all pairs that went into it, and both sides begin anew. An attempt takes at least the light's time
over its link; where it is shorter, each pair is heard of that much later (`waiting_time` in links.py).
"""

from __future__ import annotations

import math
from itertools import pairwise

from .basics import mean_attempts_of_all

# --- two links ------------------------------------------------------------------------------------


def lag_probability(success: float, lag: int) -> float:
    """P(|d| = k), d the difference of two links' attempts: p/(2-p) for 0, else 2 p q^k/(2-p)."""
    if lag == 0:
        return success / (2 - success)
    return float(2 * success * (1 - success) ** lag / (2 - success))


def mean_lag(success: float) -> float:
    """E|d| = 2 q/(p (2-p)): how long the earlier pair waits for the later one."""
    return 2 * (1 - success) / (success * (2 - success))


def mean_decay_of_lag(success: float, rate: float) -> float:
    """E[exp(-rate |d|)] = p/(2-p) [1 + 2 q e^-rate/(1 - q e^-rate)]: what storage leaves on average."""
    kept = (1 - success) * math.exp(-rate)
    return success / (2 - success) * (1 + 2 * kept / (1 - kept))


def within_cutoff(success: float, cutoff: int) -> float:
    """P(|d| <= t_c) = (p + 2 q (1 - q^t_c))/(2 - p)."""
    fail = 1 - success
    return (success + 2 * fail * (1 - fail**cutoff)) / (2 - success)


def mean_attempts_with_cutoff(success: float, cutoff: int) -> float:
    """Mean attempts until both links hold pairs that are less than `cutoff` attempts apart in age.

    A pair that has waited for `cutoff` attempts is dropped, and both begin anew, which is to say that the
    other link runs on: attempts have no memory. As a Markov chain: from "neither" in 1/(1 - q^2) attempts to
    "both" or, with r = 2pq/(1 - q^2), to "one"; from there in (1 - q^t_c)/p attempts to "both", or back with
    probability q^t_c. So
    E[T] = (1/(1 - q^2) + r (1 - q^t_c)/p)/(1 - r q^t_c) = (1/(1 - q^2) + E[min(|d|, t_c)])/P(|d| <= t_c).
    """
    accepted = within_cutoff(success, cutoff)
    lags = math.fsum(k * lag_probability(success, k) for k in range(1, cutoff + 1))
    shortened = lags + cutoff * (1 - accepted)
    return (1 / (1 - (1 - success) ** 2) + shortened) / accepted


def mean_storage_with_cutoff(success: float, cutoff: int) -> float:
    """Mean of |d| where the cut-off was kept: how long the earlier pair was stored."""
    lags = math.fsum(k * lag_probability(success, k) for k in range(1, cutoff + 1))
    return lags / within_cutoff(success, cutoff)


# --- chains ---------------------------------------------------------------------------------------


def mean_attempts_of_chain(success: float, swap: float, levels: int) -> float:
    """Mean attempts until a pair spans 2^levels links, joined by halves; swaps succeed with `swap`.

    Exact: the distribution of each level is that of the slower half, compounded geometrically (Brand,
    Coopmans, Elkouss, IEEE JSAC 38, 619 (2020)). For one level (3 - 2p)/(p (2-p) a). Messages take
    no time. Costs the square of the mean number of attempts.
    """
    if levels == 0:
        return 1 / success
    if levels == 1:
        return mean_attempts_of_all(success, 2) / swap
    below = _approximate_mean(success, swap, levels - 1)
    masses = _geometric(success, math.ceil(40 * below))
    for _ in range(levels - 1):
        masses = _until_swapped(_slower(masses), swap)
    # The mean of the slower half: sum of P(T > n) from n = 0.
    return math.fsum(1 - upto**2 for upto in _cumulated(masses)) / swap


def _approximate_mean(success: float, swap: float, levels: int) -> float:
    """(3/2)^n/(p a^n): some 6 % too much for the second level."""
    return float(1.5**levels / (success * swap**levels))


def _geometric(success: float, length: int) -> list[float]:
    """P(T = n) for n from 0."""
    return [0.0, *(success * (1 - success) ** k for k in range(length))]


def _cumulated(masses: list[float]) -> list[float]:
    total, upto = 0.0, []
    for mass in masses:
        total += mass
        upto.append(total)
    return upto


def _slower(masses: list[float]) -> list[float]:
    """P(max = n) of two independent ones."""
    return [late**2 - early**2 for early, late in pairwise([0.0, *_cumulated(masses)])]


def _until_swapped(masses: list[float], swap: float) -> list[float]:
    """P(S = n), S the sum of as many as a swap needs: S = a M + (1-a) M * S."""
    found: list[float] = []
    for n, mass in enumerate(masses):
        again = math.fsum(masses[k] * found[n - k] for k in range(1, n + 1))
        found.append(swap * mass + (1 - swap) * again)
    return found


# --- paths of parallel links ----------------------------------------------------------------------


def expected_throughput(width: int, hops: list[float], swap: float) -> float:
    """Expected pairs per attempt of a path of `width` parallel links a hop: EXT = q^(h-1) sum i P_h^i.

    `hops`: each hop's probability of a link, `swap`: q. P_k^i is the probability that exactly i
    links wide is the narrowest of the first k hops. Shi, Qian, SIGCOMM 2020, with the exponent of
    the authors' program (a path of h hops has h-1 swaps).
    """
    widths = range(width + 1)
    narrowest = [0.0] * width + [1.0]
    for success in hops:
        links = [math.comb(width, i) * success**i * (1 - success) ** (width - i) for i in widths]
        narrowest = [
            narrowest[i] * sum(links[i:]) + links[i] * sum(narrowest[i + 1 :]) for i in widths
        ]
    return float(swap ** (len(hops) - 1) * sum(i * narrowest[i] for i in widths))
