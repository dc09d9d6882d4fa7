"""Closed forms of finite keys: how many secret bits a block of a given size holds.

Owns formulas, as qkd.py does and by its conventions: pure, independent of the emulator's own
arithmetic, no state, no draws. Which is not the same as post-processing: nothing here touches a key.

Conventions: `eps_sec` bounds what an attacker may know, `eps_cor` that the ends' keys differ; the
leakage of error correction is f n h(E) with f of 1 or more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


# --- three intensities ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecoyBlock:
    """Counts of one block per intensity, the highest first: clicks in X and Z, errors in Z.

    Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014): X makes the key, Z bounds phase errors.
    """

    intensities: tuple[float, float, float]
    probabilities: tuple[float, float, float]
    x_counts: tuple[float, float, float]
    z_counts: tuple[float, float, float]
    z_errors: tuple[float, float, float]
    x_error: float

    def sent_with(self, photons: int) -> float:
        """tau_n: probability that a pulse had n photons."""
        return math.fsum(
            p * math.exp(-k) * k**photons / math.factorial(photons)
            for k, p in zip(self.intensities, self.probabilities, strict=True)
        )


@dataclass(frozen=True, slots=True)
class DecoyKey:
    """What is proved of a block: vacuum and single-photon clicks in X, phase error, bits of key."""

    x_vacuum: float
    x_single: float
    z_single: float
    z_single_errors: float
    phase_error: float
    length: int


def decoy_key(block: DecoyBlock, eps_sec: float, eps_cor: float, f: float = 1.16) -> DecoyKey:
    """l = floor[s0 + s1 (1 - h(phi)) - leak - 6 log2(21/eps_sec) - log2(2/eps_cor)] (Lim et al.)."""
    x_vacuum, x_single = _vacuum_and_single(block, block.x_counts, eps_sec)
    _, z_single = _vacuum_and_single(block, block.z_counts, eps_sec)
    wrong = _single_errors(block, eps_sec)
    rate = wrong / z_single if z_single > 0 else 0.5
    phase = 0.5
    if 0 < rate < 0.5 and x_single > 0:
        phase = min(0.5, rate + _phase_deviation(eps_sec, rate, z_single, x_single))
    leakage = f * sum(block.x_counts) * binary_entropy(block.x_error)
    bits = x_vacuum + x_single * (1 - binary_entropy(phase)) - leakage
    bits -= 6 * math.log2(21 / eps_sec) + math.log2(2 / eps_cor)
    return DecoyKey(x_vacuum, x_single, z_single, wrong, phase, max(0, math.floor(bits)))


def _bounded(block: DecoyBlock, counts: Sequence[float], eps_sec: float, sign: int) -> list[float]:
    """n^+-_k = e^k/p_k [n_k +- sqrt(n/2 ln(21/eps))]: Hoeffding's inequality on each intensity."""
    deviation = sign * math.sqrt(sum(counts) / 2 * math.log(21 / eps_sec))
    return [
        math.exp(k) / p * (n + deviation)
        for k, p, n in zip(block.intensities, block.probabilities, counts, strict=True)
    ]


def _vacuum_and_single(
    block: DecoyBlock, counts: Sequence[float], eps_sec: float
) -> tuple[float, float]:
    """Lower bounds on clicks of empty pulses and of single photons."""
    mu1, mu2, mu3 = block.intensities
    high, low = _bounded(block, counts, eps_sec, 1), _bounded(block, counts, eps_sec, -1)
    vacuum = max(0.0, block.sent_with(0) * (mu2 * low[2] - mu3 * high[1]) / (mu2 - mu3))
    several = (mu2**2 - mu3**2) / mu1**2 * (high[0] - vacuum / block.sent_with(0))
    scale = block.sent_with(1) * mu1 / (mu1 * (mu2 - mu3) - mu2**2 + mu3**2)
    return vacuum, max(0.0, scale * (low[1] - high[2] - several))


def _single_errors(block: DecoyBlock, eps_sec: float) -> float:
    """Upper bound on the errors of single photons in Z."""
    _, mu2, mu3 = block.intensities
    high = _bounded(block, block.z_errors, eps_sec, 1)
    low = _bounded(block, block.z_errors, eps_sec, -1)
    return block.sent_with(1) * (high[1] - low[2]) / (mu2 - mu3)


def _phase_deviation(eps: float, rate: float, sampled: float, kept: float) -> float:
    """gamma(eps, b, c, d): how far the phase error of one sample may be from the other's."""
    both = (sampled + kept) / (sampled * kept)
    spread = (1 - rate) * rate
    return math.sqrt(both * spread / math.log(2) * math.log2(both / spread * 21**2 / eps**2))


# --- an expected block ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecoySystem:
    """A system as Lim et al. model it; defaults are their simulation set.

    `dark` is per detector and gate, `afterpulse` per click; light misaligned errs with `misaligned`.
    """

    eta_receiver: float = 0.1
    dark: float = 6e-7
    afterpulse: float = 0.04
    misaligned: float = 5e-3

    def gain(self, mu: float, eta: float) -> float:
        """R_k = [1 - (1 - 2 p_dc) e^-eta k](1 + p_ap); `eta` from source to click."""
        return self._light_or_dark(mu, eta) * (1 + self.afterpulse)

    def error_gain(self, mu: float, eta: float) -> float:
        """p_dc + e_mis (1 - e^-eta k) + p_ap D_k/2, errors per pulse.

        With the whole eta in the second term: the printed one has the channel's alone, with which the
        paper's own figures do not come out.
        """
        light = self.misaligned * -math.expm1(-eta * mu)
        return self.dark + light + self.afterpulse * self._light_or_dark(mu, eta) / 2

    def block(
        self,
        eta_channel: float,
        x_size: float,
        x_share: float,
        intensities: tuple[float, float, float],
        probabilities: tuple[float, float, float],
    ) -> tuple[DecoyBlock, float]:
        """(expected counts, pulses sent) when X has `x_size` clicks; `x_share`: q_x at either end."""
        eta = eta_channel * self.eta_receiver

        def mean(of: Callable[[float, float], float]) -> tuple[float, float, float]:
            first, second, third = (
                p * of(k, eta) for k, p in zip(intensities, probabilities, strict=True)
            )
            return first, second, third

        gains, errors = mean(self.gain), mean(self.error_gain)
        pulses = x_size / x_share**2 / sum(gains)
        in_x, in_z = pulses * x_share**2, pulses * (1 - x_share) ** 2
        block = DecoyBlock(
            intensities,
            probabilities,
            (in_x * gains[0], in_x * gains[1], in_x * gains[2]),
            (in_z * gains[0], in_z * gains[1], in_z * gains[2]),
            (in_z * errors[0], in_z * errors[1], in_z * errors[2]),
            sum(errors) / sum(gains),
        )
        return block, pulses

    def _light_or_dark(self, mu: float, eta: float) -> float:
        return 1 - (1 - 2 * self.dark) * math.exp(-eta * mu)
