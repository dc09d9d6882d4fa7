"""Closed forms of quantum key distribution with weak pulses: gains, error rates, decoy bounds, key rates.

Owns formulas, pure and independent of the emulator's own arithmetic (no numpy, no QuTiP), so that tests
and reports can set one against the other. Asymptotic: finite keys are not here.

Conventions: a gain Q is clicks per pulse sent, a yield Y is clicks given n photons; an error rate E is
errors per click, never the error gain E Q. Y0 is for the whole receiver, all detectors together. The
efficiency of error correction f is 1 or more. eta holds everything from source to click.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .basics import transmittance

#: Error rate of a background count.
E0 = 0.5


def binary_entropy(x: float) -> float:
    """h(x) = -x log2 x - (1-x) log2(1-x); 0 at 0 and 1."""
    if x <= 0 or x >= 1:
        return 0.0
    return -x * math.log2(x) - (1 - x) * math.log2(1 - x)


# --- gains and error rates ------------------------------------------------------------------------


def photon_yield(photons: int, eta: float, y0: float) -> float:
    """Y_n = Y0 + eta_n (1 - Y0), eta_n = 1 - (1-eta)^n (Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005))."""
    seen = -math.expm1(photons * math.log1p(-eta)) if eta < 1 else float(photons > 0)
    return y0 + seen * (1 - y0)


def photon_error(photons: int, eta: float, y0: float, e_d: float) -> float:
    """e_n = (e0 Y0 + e_d eta_n)/(Y0 + eta_n) (ibid., without the product Y0 eta_n)."""
    seen = photon_yield(photons, eta, 0.0)
    return (E0 * y0 + e_d * seen) / (y0 + seen)


def gain(mu: float, eta: float, y0: float) -> float:
    """Q_mu = Y0 + 1 - exp(-eta mu) (ibid.)."""
    return y0 - math.expm1(-eta * mu)


def qber(mu: float, eta: float, y0: float, e_d: float) -> float:
    """E_mu = [e0 Y0 + e_d (1 - exp(-eta mu))]/Q_mu (ibid.)."""
    return (E0 * y0 - e_d * math.expm1(-eta * mu)) / gain(mu, eta, y0)


def afterpulsed(gain_: float, qber_: float, afterpulse: float) -> tuple[float, float]:
    """(gain, QBER) with afterpulses that make random bits, as Lim et al. count them.

    R = D (1 + p_ap), E R = E D + p_ap D/2 (Lim, Curty, Walenta, Xu, Zbinden, PRA 89, 022307 (2014)):
    first order in p_ap, where afterpulses of afterpulses would make it D/(1 - p_ap).
    """
    counts = gain_ * (1 + afterpulse)
    return counts, (qber_ * gain_ + E0 * afterpulse * gain_) / counts


# --- bounds from decoys ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SinglePhotons:
    """What is known of single photons: yield (or a lower bound), error rate (or an upper bound)."""

    yield_: float
    error: float


def vacuum_weak_bounds(
    mu: float, nu: float, gains: tuple[float, float], error_nu: float, y0: float
) -> SinglePhotons:
    """Bounds from one weak decoy and the vacuum (Ma et al.).

    `gains` are (Q_mu, Q_nu), `error_nu` is E_nu, `y0` the gain of the vacuum.
    """
    q_mu, q_nu = gains
    ratio = nu**2 / mu**2
    bracket = q_nu * math.exp(nu) - q_mu * math.exp(mu) * ratio - (1 - ratio) * y0
    y1 = mu / (mu * nu - nu**2) * bracket
    return SinglePhotons(y1, (error_nu * q_nu * math.exp(nu) - E0 * y0) / (y1 * nu))


def two_decoy_bounds(
    settings: tuple[float, float, float],
    gains: tuple[float, float, float],
    errors: tuple[float, float],
) -> tuple[float, SinglePhotons]:
    """(Y0 bound, single photons) from two decoys (Ma et al.).

    `settings` are (mu, nu1, nu2) with mu > nu1 > nu2, `gains` theirs, `errors` (E_nu1, E_nu2).
    """
    mu, nu1, nu2 = settings
    q_mu, q1, q2 = (q * math.exp(x) for q, x in zip(gains, settings, strict=True))
    y0 = max(0.0, (nu1 * q2 - nu2 * q1) / (nu1 - nu2))
    bracket = q1 - q2 - (nu1**2 - nu2**2) / mu**2 * (q_mu - y0)
    y1 = mu / (mu * nu1 - mu * nu2 - nu1**2 + nu2**2) * bracket
    error = (errors[0] * q1 - errors[1] * q2) / ((nu1 - nu2) * y1)
    return y0, SinglePhotons(y1, error)


# --- key rates ------------------------------------------------------------------------------------


def decoy_rate(
    mu: float,
    gain_mu: float,
    qber_mu: float,
    singles: SinglePhotons,
    *,
    f: float = 1.22,
    sifting: float = 0.5,
) -> float:
    """R = q {-Q_mu f h(E_mu) + Y1 mu e^-mu [1 - h(e1)]}, per pulse; negative where there is no key.

    Gottesman, Lo, Luetkenhaus, Preskill, QIC 4, 325 (2004); Lo, Ma, Chen, PRL 94, 230504 (2005).
    """
    secret = singles.yield_ * mu * math.exp(-mu) * (1 - binary_entropy(min(singles.error, 0.5)))
    return sifting * (secret - gain_mu * f * binary_entropy(qber_mu))


def gllp_rate(
    mu: float, gain_mu: float, qber_mu: float, *, f: float = 1.22, sifting: float = 0.5
) -> float:
    """R without decoys: q Q {-f h(E) + W [1 - h(E/W)]}, W = 1 - p_multi/Q; all multi-photons are lost."""
    single = 1 - several_photons(mu) / gain_mu
    if single <= 0:
        return -sifting * gain_mu * f * binary_entropy(qber_mu)
    privacy = single * (1 - binary_entropy(min(qber_mu / single, 0.5)))
    return sifting * gain_mu * (privacy - f * binary_entropy(qber_mu))


def optimal_mu(e_d: float, f: float) -> float:
    """The signal intensity for eta << 1 and no background: (1-mu) e^-mu = f h(e_d)/(1 - h(e_d)).

    (Ma, Qi, Zhao, Lo.) 0 where no intensity gives a key.
    """
    wanted = f * binary_entropy(e_d) / (1 - binary_entropy(e_d))
    return _falling_root(lambda mu: (1 - mu) * math.exp(-mu) - wanted, 0.0, 1.0)


def photon_number_splitting_ratio(mu: float, nu: float) -> float:
    """Q_nu/Q_mu when only pulses with several photons get through: pseveral_photons(nu)/pseveral_photons(mu).

    An honest channel of low transmittance gives nu/mu (Brassard et al., PRL 85, 1330 (2000)).
    """
    return several_photons(nu) / several_photons(mu)


def several_photons(mu: float) -> float:
    """p_multi = 1 - (1 + mu) e^-mu: probability of two photons or more in a pulse."""
    return -math.expm1(-mu) - mu * math.exp(-mu)


# --- a link over distance -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecoyLink:
    """A system for BB84 with decoys: what is the same at every distance.

    `eta_receiver` is everything behind the fibre, `y0` the background per pulse of all detectors.
    """

    attenuation_db_per_km: float
    eta_receiver: float
    y0: float
    e_d: float
    f: float = 1.22
    sifting: float = 0.5

    def eta(self, length_km: float) -> float:
        """From the sender's output to a click."""
        return self.eta_receiver * transmittance(length_km, self.attenuation_db_per_km)

    def gain(self, mu: float, length_km: float) -> float:
        """Q_mu."""
        return gain(mu, self.eta(length_km), self.y0)

    def qber(self, mu: float, length_km: float) -> float:
        """E_mu."""
        return qber(mu, self.eta(length_km), self.y0, self.e_d)

    def singles(self, length_km: float) -> SinglePhotons:
        """Y1 and e1 as infinitely many decoys would tell: Y1 = Y0 + eta."""
        eta = self.eta(length_km)
        return SinglePhotons(self.y0 + eta, photon_error(1, eta, self.y0, self.e_d))

    def vacuum_weak(self, mu: float, nu: float, length_km: float) -> SinglePhotons:
        """Bounds on Y1 and e1 from a decoy `nu` and the vacuum."""
        gains = self.gain(mu, length_km), self.gain(nu, length_km)
        return vacuum_weak_bounds(mu, nu, gains, self.qber(nu, length_km), self.y0)

    def rate(self, mu: float, length_km: float) -> float:
        """R with infinitely many decoys."""
        return self._rate(mu, length_km, self.singles(length_km))

    def rate_vacuum_weak(self, mu: float, nu: float, length_km: float) -> float:
        """R with a decoy `nu` and the vacuum."""
        return self._rate(mu, length_km, self.vacuum_weak(mu, nu, length_km))

    def rate_without_decoys(self, mu: float, length_km: float) -> float:
        """R of GLLP."""
        q, e = self.gain(mu, length_km), self.qber(mu, length_km)
        return gllp_rate(mu, q, e, f=self.f, sifting=self.sifting)

    def _rate(self, mu: float, length_km: float, singles: SinglePhotons) -> float:
        q, e = self.gain(mu, length_km), self.qber(mu, length_km)
        return decoy_rate(mu, q, e, singles, f=self.f, sifting=self.sifting)


#: Gobby, Yuan, Shields, APL 84, 3762 (2004), as Ma, Qi, Zhao, Lo take it.
GYS = DecoyLink(attenuation_db_per_km=0.21, eta_receiver=0.045, y0=1.7e-6, e_d=0.033)


def reach_km(rate: Callable[[float], float], longest_km: float = 1000.0) -> float:
    """The length at which `rate(length_km)`, falling through zero once, has no key left.

    0 if there is none at the start, `longest_km` if it never ends.
    """
    return _falling_root(rate, 0.0, longest_km)


def best_mu(rate: Callable[[float], float]) -> float:
    """The intensity up to 1 at which `rate(mu)` is highest: by decades, then golden section."""
    tries = [10 ** (-k / 8) for k in range(49)]
    best = max(range(len(tries)), key=lambda k: rate(tries[k]))
    low, high = tries[min(best + 1, len(tries) - 1)], tries[max(best - 1, 0)]
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(60):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if rate(left) < rate(right):
            low = left
        else:
            high = right
    return (low + high) / 2


def _falling_root(value: Callable[[float], float], low: float, high: float) -> float:
    if value(low) <= 0:
        return low
    if value(high) > 0:
        return high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if value(middle) > 0 else (low, middle)
    return (low + high) / 2


# --- pairs from down-conversion -------------------------------------------------------------------


def pair_gain(mean_pairs: float, etas: tuple[float, float], y0s: tuple[float, float]) -> float:
    """Coincidences per pulse of a polarisation-entangled source (Ma, Fung, Lo, PRA 76, 012307 (2007)).

    `mean_pairs` is mu = 2 lambda, pairs per pulse; `etas` and `y0s` are Alice's and Bob's.
    """
    x, a, b = mean_pairs / 2, *etas
    silent_a, silent_b = 1 - y0s[0], 1 - y0s[1]
    return (
        1
        - silent_a / (1 + a * x) ** 2
        - silent_b / (1 + b * x) ** 2
        + silent_a * silent_b / (1 + a * x + b * x - a * b * x) ** 2
    )


def pair_qber(
    mean_pairs: float, etas: tuple[float, float], y0s: tuple[float, float], e_d: float
) -> float:
    """Error rate of those coincidences in matched bases (ibid.)."""
    x, a, b = mean_pairs / 2, *etas
    q = pair_gain(mean_pairs, etas, y0s)
    both = (1 + a * x) * (1 + b * x) * (1 + a * x + b * x - a * b * x)
    return E0 - 2 * (E0 - e_d) * a * b * x * (1 + x) / (both * q)


def coincidence_gain(
    mean_pairs: float, eta_a: float, eta_b: float, y0_a: float, y0_b: float
) -> float:
    """`pair_gain` for an expectation, which has numbers only."""
    return pair_gain(mean_pairs, (eta_a, eta_b), (y0_a, y0_b))


def coincidence_qber(
    mean_pairs: float, eta_a: float, eta_b: float, y0_a: float, y0_b: float, e_d: float
) -> float:
    """`pair_qber` for an expectation, which has numbers only."""
    return pair_qber(mean_pairs, (eta_a, eta_b), (y0_a, y0_b), e_d)
