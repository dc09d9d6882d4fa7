"""Closed forms of finite keys of single photons and of pairs: how many secret bits a block holds.

Owns formulas, as qkd.py does and by its conventions: pure, independent of the emulator's own
arithmetic, no state, no draws. Which is not the same as post-processing: nothing here touches a key.
Weak pulses are in finite_decoy.py.

Conventions: `eps_sec` bounds what an attacker may know, `eps_cor` that the ends' keys differ; the
leakage of error correction is f n h(E) with f of 1 or more.
"""

from __future__ import annotations

import math

from .qkd import binary_entropy

# --- single photons, and pairs --------------------------------------------------------------------


def sampling_deviation(kept: int, sampled: int, eps_sec: float) -> float:
    """By how much the error rate of `kept` bits may exceed that of `sampled` ones.

    mu = sqrt((n+k)/(n k) (k+1)/k ln(4/eps)) (Tomamichel, Lim, Gisin, Renner, Nat. Commun. 3, 634 (2012),
    with the logarithm under the root, as Serfling's inequality has it).
    """
    ratio = (kept + sampled) / (kept * sampled) * (sampled + 1) / sampled
    return math.sqrt(ratio * math.log(4 / eps_sec))


def single_photon_length(
    kept: int, sampled: int, qber: float, leakage: float, eps_sec: float, eps_cor: float
) -> int:
    """Bits of key: n (1 - h(Q + mu)) - leak - log2(2/(eps_sec eps_cor)), 0 or more (ibid., theorem 2)."""
    phase = qber + sampling_deviation(kept, sampled, eps_sec)
    return _length(kept, phase, leakage, eps_sec, eps_cor)


def _length(kept: int, phase: float, leakage: float, eps_sec: float, eps_cor: float) -> int:
    """n (1 - h(phase error)) - leak - log2(2/(eps_sec eps_cor)), 0 or more."""
    secret = kept * (1 - binary_entropy(min(0.5, phase)))
    return max(0, math.floor(secret - leakage - math.log2(2 / (eps_sec * eps_cor))))


# --- the same, with the exact sampling of a finite population -------------------------------------


def hypergeometric_tail(errors: int, sampled: int, wrong: int, total: int) -> float:
    """P(at most `errors` errors in `sampled` bits), drawn from `total`, of which `wrong` err, one by one."""
    errors, sampled, wrong, total = map(int, (errors, sampled, wrong, total))  # floats in `expect`
    most = min(sampled, wrong)
    lowest, highest = max(0, sampled - (total - wrong)), min(errors, most)
    if highest < lowest or errors >= most:
        return float(errors >= most)
    return math.fsum(
        math.exp(_log_hypergeometric(drawn, sampled, wrong, total))
        for drawn in range(lowest, highest + 1)
    )


def hypergeometric_deviation(kept: int, sampled: int, qber: float, eps_sec: float) -> float:
    """By how much the error rate of `kept` bits may exceed `qber`, if that of `sampled` ones is no greater.

    As `sampling_deviation`, with the same probability to be wrong, P = (eps/4)^2, and the exact distribution
    in place of Serfling's inequality. Theorem (Clopper, Pearson, Biometrika 26, 404 (1934), for a finite
    population): of n + k bits let K be wrong, and m of the k sampled. With the largest K* for which
    P(m or fewer errors | K*) > P, the kept bits have at most K* - m errors, but with probability P.
    Proof: K > K*(m) means P(m or fewer | K) <= P; that holds for all m up to some number, whose probability
    together is P(that number or fewer | K), at most P.
    It is never looser: if Serfling's inequality excludes K at m, it bounds the probability of m and of all
    smaller numbers by P, so that K* excludes K as well. K* grows with m, so the bound holds for whatever
    passes a test of the tolerated rate `qber` (Tomamichel, Lim, Gisin, Renner, Nat. Commun. 3, 634 (2012)).
    """
    kept, sampled = int(kept), int(sampled)  # they are floats in `expect`
    total, errors = kept + sampled, math.floor(qber * sampled * (1 + 1e-12))
    log_limit = 2 * math.log(eps_sec / 4)
    low, high = max(errors, errors * total // sampled), kept + errors
    while low < high:
        middle = (low + high + 1) // 2
        if _is_likelier(log_limit, errors, sampled, middle, total):
            low = middle
        else:
            high = middle - 1
    return (low - errors) / kept - qber


def hypergeometric_length(
    kept: int, sampled: int, qber: float, leakage: float, eps_sec: float, eps_cor: float
) -> int:
    """Bits of key: `single_photon_length` with `hypergeometric_deviation` in the place of Serfling's."""
    return _length(
        kept,
        qber + hypergeometric_deviation(kept, sampled, qber, eps_sec),
        leakage,
        eps_sec,
        eps_cor,
    )


def _is_likelier(log_limit: float, errors: int, sampled: int, wrong: int, total: int) -> bool:
    """Whether at most `errors` errors are likelier than exp(log_limit); expects `errors` below their mean.

    Each smaller number is less likely than the one above it by a ratio that falls: what is left of the sum is
    less than a geometric series, and the answer is known after a few terms.
    """
    if errors >= min(sampled, wrong):
        return True
    log_top = _log_hypergeometric(errors, sampled, wrong, total)
    if log_top > log_limit:
        return True
    wanted = math.exp(min(log_limit - log_top, 700.0))  # beyond that no sum of these terms comes
    term = found = 1.0
    for drawn in range(errors, max(0, sampled - (total - wrong)), -1):
        ratio = drawn / (wrong - drawn + 1) * (total - wrong - sampled + drawn)
        ratio /= sampled - drawn + 1
        if found + (term * ratio / (1 - ratio) if ratio < 1 else math.inf) <= wanted:
            return False
        term *= ratio
        found += term
        if found > wanted:
            return True
    return found > wanted


def _log_hypergeometric(drawn: int, sampled: int, wrong: int, total: int) -> float:
    """ln P(`drawn` of `sampled` are wrong): three binomials, each by Loader's saddle point (2000).

    Factorials of large populations would lose the digits that their quotient needs.
    """
    share = sampled / total
    return (
        _log_binomial(drawn, wrong, share)
        + _log_binomial(sampled - drawn, total - wrong, share)
        - _log_binomial(sampled, total, share)
    )


def _log_binomial(count: int, trials: int, share: float) -> float:
    """ln of the binomial probability of `count` in `trials`, 0 < share < 1; -inf for what cannot be."""
    if not 0 <= count <= trials:
        return -math.inf
    if count == 0:
        return trials * math.log1p(-share)
    if count == trials:
        return trials * math.log(share)
    rest = trials - count
    exponent = _stirling_error(trials) - _stirling_error(count) - _stirling_error(rest)
    exponent -= _deviance(count, trials * share) + _deviance(rest, trials * (1 - share))
    return exponent + math.log(trials / (2 * math.pi * count * rest)) / 2


def _stirling_error(n: int) -> float:
    """ln n! less Stirling's ln sqrt(2 pi n) + n ln n - n."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - math.log(2 * math.pi) / 2
    return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / n**2) / n**2) / n**2) / n


def _deviance(x: float, mean: float) -> float:
    """x ln(x/mean) + mean - x, without its cancellation where x is near the mean."""
    v = (x - mean) / (x + mean)
    if abs(v) > 0.1:
        return x * math.log(x / mean) + mean - x
    total, power, odd = (x - mean) * v, 2 * x * v, 1
    while True:
        power, odd = power * v * v, odd + 2
        more = total + power / odd
        if more == total:
            return total
        total = more
