"""Closed forms of finite keys of weak pulses with decoy states: how many secret bits a block holds.

Owns formulas, as finite_key.py does and by its conventions. Two decoys: Lim, Curty, Walenta, Xu, Zbinden, PRA
89, 022307 (2014). One decoy: Rusca, Boaron, Gruenenfelder, Martin, Zbinden, APL 112, 171104 (2018).

Conventions: X makes the key and Z bounds its phase errors, as Lim et al. name the bases (Rusca et al. name
them the other way round). Intensities stand in falling order, the signal first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import InputError
from .qkd import E0, binary_entropy

# --- a block of counts ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecoyBlock:
    """Counts of one block per intensity, the highest first: clicks in X and Z, errors in Z.

    X makes the key, Z bounds its phase errors. `x_error` is the error rate of all clicks in X; `x_errors`,
    the errors in X per intensity, make the bounds of one decoy tighter.
    """

    intensities: tuple[float, ...]
    probabilities: tuple[float, ...]
    x_counts: tuple[float, ...]
    z_counts: tuple[float, ...]
    z_errors: tuple[float, ...]
    x_error: float
    x_errors: tuple[float, ...] = ()

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


#: Probabilities of failure that make up eps_sec: with two decoys, and with one.
_PARTS = {3: 21, 2: 19}
#: In gamma, with one decoy as with two.
_GAMMA_PARTS = 21


def decoy_key(
    block: DecoyBlock, eps_sec: float, eps_cor: float, f: float = 1.16, leakage: float | None = None
) -> DecoyKey:
    """l = floor[s0 + s1 (1 - h(phi)) - leak - 6 log2(a/eps_sec) - log2(2/eps_cor)], a = 21 or 19.

    Two decoys (three intensities): Lim et al., a = 21; one decoy (two intensities): Rusca et al., a = 19.
    `leakage` is what error correction told, in bits; without it f n h(E). Raises InputError for another
    number of intensities, for a single decoy without light, which says nothing of single photons, and for a
    signal that is not above the sum of its decoys.
    """
    parts = _PARTS.get(len(block.intensities))
    if parts is None:
        raise InputError(
            f"a decoy block of {len(block.intensities)} intensities: the bounds are for 2 or 3"
        )
    if parts == _PARTS[2] and min(block.intensities) <= 0:
        raise InputError(
            "a decoy block whose only decoy has no light: its intensity must be above 0"
        )
    if sum(block.intensities[1:]) >= block.intensities[0]:
        raise InputError(
            f"no bound is for intensities {list(block.intensities)}: expected a signal above the sum of its "
            "decoys"
        )
    bounds = _two_decoys if parts == _PARTS[3] else _one_decoy
    x_vacuum, x_single, z_single, wrong = bounds(block, math.log(parts / eps_sec))
    wrong = max(1.0, wrong)  # gamma needs a rate; where none was found, one is a bound as well
    rate = wrong / z_single if z_single > 0 else 0.5
    phase = 0.5
    if 0 < rate < 0.5 and x_single > 0:
        phase = min(0.5, rate + _phase_deviation(eps_sec, rate, z_single, x_single))
    if leakage is None:
        leakage = f * sum(block.x_counts) * binary_entropy(block.x_error)
    bits = x_vacuum + x_single * (1 - binary_entropy(phase)) - leakage
    bits -= 6 * math.log2(parts / eps_sec) + math.log2(2 / eps_cor)
    return DecoyKey(x_vacuum, x_single, z_single, wrong, phase, max(0, math.floor(bits)))


def _deviation(counts: Sequence[float], log_inverse: float) -> float:
    """delta(n) = sqrt(n/2 ln(1/eps)): Hoeffding's inequality."""
    return math.sqrt(sum(counts) / 2 * log_inverse)


def _bounded(
    block: DecoyBlock, counts: Sequence[float], log_inverse: float, sign: int
) -> list[float]:
    """n^+-_k = e^k/p_k [n_k +- delta(n)], for each intensity."""
    deviation = sign * _deviation(counts, log_inverse)
    return [
        math.exp(k) / p * (n + deviation)
        for k, p, n in zip(block.intensities, block.probabilities, counts, strict=True)
    ]


def _phase_deviation(eps: float, rate: float, sampled: float, kept: float) -> float:
    """gamma(eps, b, c, d): how far the phase error of one sample may be from the other's."""
    both = (sampled + kept) / (sampled * kept)
    spread = (1 - rate) * rate
    logarithm = math.log2(both / spread * _GAMMA_PARTS**2 / eps**2)
    return math.sqrt(both * spread / math.log(2) * logarithm)


# --- three intensities ----------------------------------------------------------------------------

_Bounds = tuple[float, float, float, float]


def _two_decoys(block: DecoyBlock, log_inverse: float) -> _Bounds:
    """(s_X0, s_X1, s_Z1, v_Z1) of Lim et al."""
    x_vacuum, x_single = _vacuum_and_single(block, block.x_counts, log_inverse)
    _, z_single = _vacuum_and_single(block, block.z_counts, log_inverse)
    _, mu2, mu3 = block.intensities
    high = _bounded(block, block.z_errors, log_inverse, 1)
    low = _bounded(block, block.z_errors, log_inverse, -1)
    return x_vacuum, x_single, z_single, block.sent_with(1) * (high[1] - low[2]) / (mu2 - mu3)


def _vacuum_and_single(
    block: DecoyBlock, counts: Sequence[float], log_inverse: float
) -> tuple[float, float]:
    """Lower bounds on clicks of empty pulses and of single photons."""
    mu1, mu2, mu3 = block.intensities
    high, low = (_bounded(block, counts, log_inverse, sign) for sign in (1, -1))
    vacuum = max(0.0, block.sent_with(0) * (mu2 * low[2] - mu3 * high[1]) / (mu2 - mu3))
    several = (mu2**2 - mu3**2) / mu1**2 * (high[0] - vacuum / block.sent_with(0))
    scale = block.sent_with(1) * mu1 / (mu1 * (mu2 - mu3) - mu2**2 + mu3**2)
    return vacuum, max(0.0, scale * (low[1] - high[2] - several))


# --- two intensities ------------------------------------------------------------------------------


def _one_decoy(block: DecoyBlock, log_inverse: float) -> _Bounds:
    """(s_X0, s_X1, s_Z1, v_Z1) of Rusca et al. (A17, A19, A22)."""
    mu1, mu2 = block.intensities
    x_total = block.x_error * sum(block.x_counts)
    x_vacuum = _vacuum_of_one_decoy(block, log_inverse)
    x_most = _most_vacuum(block, block.x_counts, block.x_errors, x_total, log_inverse)
    z_most = _most_vacuum(block, block.z_counts, block.z_errors, sum(block.z_errors), log_inverse)
    high = _bounded(block, block.z_errors, log_inverse, 1)
    low = _bounded(block, block.z_errors, log_inverse, -1)
    return (
        x_vacuum,
        _single_of_one_decoy(block, block.x_counts, x_most, log_inverse),
        _single_of_one_decoy(block, block.z_counts, z_most, log_inverse),
        block.sent_with(1) * (high[0] - low[1]) / (mu1 - mu2),
    )


def _vacuum_of_one_decoy(block: DecoyBlock, log_inverse: float) -> float:
    """Lower bound on the clicks of empty pulses in X."""
    mu1, mu2 = block.intensities
    high = _bounded(block, block.x_counts, log_inverse, 1)
    low = _bounded(block, block.x_counts, log_inverse, -1)
    return max(0.0, block.sent_with(0) * (mu1 * low[1] - mu2 * high[0]) / (mu1 - mu2))


def _most_vacuum(
    block: DecoyBlock,
    counts: Sequence[float],
    errors: Sequence[float],
    all_errors: float,
    log_inverse: float,
) -> float:
    """Upper bound on the clicks of empty pulses: half of them err, and no more errors were seen.

    The lesser of two bounds: by all errors (A14), which costs no failure of its own, and by the errors of
    the decoy (A16). Always that of the decoy: to choose between the intensities would be one failure more
    than eps_sec has.
    """
    most = all_errors
    if errors:
        most = min(most, block.sent_with(0) * _bounded(block, errors, log_inverse, 1)[1])
    return most / E0 + 2 * _deviation(counts, log_inverse)


def _single_of_one_decoy(
    block: DecoyBlock, counts: Sequence[float], most_vacuum: float, log_inverse: float
) -> float:
    """Lower bound on the clicks of single photons."""
    mu1, mu2 = block.intensities
    high, low = (_bounded(block, counts, log_inverse, sign) for sign in (1, -1))
    ratio = mu2**2 / mu1**2
    rest = low[1] - ratio * high[0] - (1 - ratio) * most_vacuum / block.sent_with(0)
    return max(0.0, block.sent_with(1) * mu1 / (mu2 * (mu1 - mu2)) * rest)


# --- an expected block ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DecoySystem:
    """A system as Lim et al. model it; defaults are their simulation set.

    `dark` is per detector and gate, `afterpulse` per click; light misaligned errs with `misaligned`, in Z
    with `z_misaligned` if that is not the same.
    """

    eta_receiver: float = 0.1
    dark: float = 6e-7
    afterpulse: float = 0.04
    misaligned: float = 5e-3
    z_misaligned: float | None = None

    def gain(self, mu: float, eta: float) -> float:
        """R_k = [1 - (1 - 2 p_dc) e^-eta k](1 + p_ap); `eta` from source to click."""
        return self._light_or_dark(mu, eta) * (1 + self.afterpulse)

    def error_gain(self, mu: float, eta: float) -> float:
        """p_dc + e_mis (1 - e^-eta k) + p_ap D_k/2, errors per pulse.

        With the whole eta in the second term: the printed one has the channel's alone, with which the
        paper's own figures do not come out.
        """
        return self._error_gain(mu, eta, self.misaligned)

    def block(
        self,
        eta_channel: float,
        x_size: float,
        x_share: float,
        intensities: tuple[float, ...],
        probabilities: tuple[float, ...],
    ) -> tuple[DecoyBlock, float]:
        """(expected counts, pulses sent) when X has `x_size` clicks; `x_share`: q_x at either end."""
        eta = eta_channel * self.eta_receiver
        z_misaligned = self.misaligned if self.z_misaligned is None else self.z_misaligned

        def mean(of: Callable[[float], float], pulses: float = 1.0) -> tuple[float, ...]:
            return tuple(
                pulses * p * of(k) for k, p in zip(intensities, probabilities, strict=True)
            )

        def gain(mu: float) -> float:
            return self.gain(mu, eta)

        pulses = x_size / x_share**2 / sum(mean(gain))
        in_x, in_z = pulses * x_share**2, pulses * (1 - x_share) ** 2
        x_errors = mean(lambda mu: self.error_gain(mu, eta), in_x)
        block = DecoyBlock(
            intensities,
            probabilities,
            mean(gain, in_x),
            mean(gain, in_z),
            mean(lambda mu: self._error_gain(mu, eta, z_misaligned), in_z),
            sum(x_errors) / x_size,
            x_errors,
        )
        return block, pulses

    def _light_or_dark(self, mu: float, eta: float) -> float:
        return 1 - (1 - 2 * self.dark) * math.exp(-eta * mu)

    def _error_gain(self, mu: float, eta: float, misaligned: float) -> float:
        light = misaligned * -math.expm1(-eta * mu)
        return self.dark + light + self.afterpulse * self._light_or_dark(mu, eta) / 2
