"""Estimation: from counts to the length of a secret key and what it may fail with.

Owns which counts of a protocol make which bound, and the bits that may leave privacy amplification. Does
not own the bounds (emulator/closed_forms: finite_decoy.py, finite_key.py) nor the exchange that brings the
counts.

One basis makes the key, the other one checks it: bits of the key are never compared, those of the check all
are. What an eavesdropper may have learned follows from counts alone, by three ways:

- `of_decoys`: weak pulses of two or three intensities; clicks of single photons are bounded from below;
- `of_pulses`: pulses without decoys; each that may have had several photons counts as known, so that a laser
  gives a key over a short line only, and a source of single photons its own;
- `of_pairs`: entangled pairs, whose source needs no trust.

Rule: no way leaves out photon numbers, and none has a default for them. Counts of a sample are bounded as
samples are, so that a finite key is never longer than the asymptotic one of the same rates. A length of 0
means abort.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .....emulator.closed_forms import finite_decoy, finite_key
from .....emulator.errors import InputError

Bound = Literal["hypergeometric", "serfling"]


@dataclass(frozen=True, slots=True)
class Epsilons:
    """Probabilities of failure: someone knows the key, both ends differ, a forged message passed."""

    secrecy: float
    correctness: float
    authentication: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.secrecy < 1 and 0 < self.correctness < 1 and 0 <= self.authentication < 1):
            raise InputError(f"estimation: probabilities of failure expected, not {self}")

    @property
    def total(self) -> float:
        """An upper bound on the probability that any of them happened."""
        return self.secrecy + self.correctness + self.authentication


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many bits are secret, and what was found on the way.

    `qber` is of the bits that were compared, `phase_error` an upper bound for the key's single photons,
    `single` a lower bound on these. `length` is 0 where nothing is left.
    """

    length: int
    epsilons: Epsilons
    qber: float
    phase_error: float
    single: float
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyCounts:
    """Clicks and errors by intensity, the signal first, in the basis of the key and in that of the check.

    Clicks count where both ends had that basis. The key is made of those of all intensities; its errors are
    known once it is corrected. `probabilities` are those with which the source draws an intensity.
    """

    intensities: Sequence[float]
    probabilities: Sequence[float]
    key_clicks: Sequence[int]
    key_errors: Sequence[int]
    check_clicks: Sequence[int]
    check_errors: Sequence[int]

    def __post_init__(self) -> None:
        columns = (
            self.intensities,
            self.probabilities,
            self.key_clicks,
            self.key_errors,
            self.check_clicks,
            self.check_errors,
        )
        if len({len(each) for each in columns}) != 1:
            raise InputError("estimation: another number of intensities in one of the counts")
        falling = list(self.intensities) == sorted(set(self.intensities), reverse=True)
        if not falling or min(self.intensities, default=0.0) < 0:
            raise InputError("estimation: intensities must fall, the signal first, and not below 0")
        if min(self.probabilities) <= 0 or not math.isclose(sum(self.probabilities), 1.0):
            raise InputError("estimation: the probabilities of the intensities must sum to 1")
        _check_counts(self.key_clicks, self.key_errors)
        _check_counts(self.check_clicks, self.check_errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Bits kept in the basis of the key; bits compared in that of the check, and how many differed."""

    kept: int
    compared: int
    errors: int

    def __post_init__(self) -> None:
        if self.kept < 0:
            raise InputError(f"estimation: {self.kept} bits were kept")
        _check_counts([self.compared], [self.errors])


def of_decoys(counts: DecoyCounts, leaked_bits: float, epsilons: Epsilons) -> Estimate:
    """Two decoys by Lim et al. (2014), one by Rusca et al. (2018).

    `leaked_bits` were said in public about the key: parities of the correction, and the hash of the
    verification. Raises InputError for another number of intensities.
    """
    clicks, errors = sum(counts.check_clicks), sum(counts.check_errors)
    key_clicks = sum(counts.key_clicks)
    block = finite_decoy.DecoyBlock(
        tuple(counts.intensities),
        tuple(counts.probabilities),
        tuple(counts.key_clicks),
        tuple(counts.check_clicks),
        tuple(counts.check_errors),
        sum(counts.key_errors) / key_clicks if key_clicks else 0.0,
        tuple(counts.key_errors),
    )
    key = finite_decoy.decoy_key(
        block, epsilons.secrecy, epsilons.correctness, leakage=_checked_leak(leaked_bits)
    )
    method = "two decoys" if len(block.intensities) == 3 else "one decoy"
    qber = errors / clicks if clicks else 0.5
    return Estimate(key.length, epsilons, qber, key.phase_error, key.x_single, method)


def of_pulses(
    counts: Counts,
    leaked_bits: float,
    epsilons: Epsilons,
    *,
    key_pulses: int,
    check_pulses: int,
    several: float,
    bound: Bound = "hypergeometric",
) -> Estimate:
    """Pulses without decoys: Tomamichel et al. (2012) for single photons, after Gottesman et al. (2004).

    `several` is the probability that a pulse has two photons or more: 0 for single photons,
    `several_photons(mu)` for a laser. `key_pulses` and `check_pulses` were sent in the basis of the key and
    in that of the check: as many of them as may have had several photons are taken for clicks that told
    all, and errors for those of others.
    """
    if not 0 <= several < 1:
        raise InputError(f"estimation: `several` must be a probability below 1, not {several}")
    if key_pulses < counts.kept or check_pulses < counts.compared:
        raise InputError("estimation: fewer pulses were sent than bits were sifted")
    if several == 0:
        return _of_samples(counts, counts, leaked_bits, epsilons, epsilons.secrecy, bound)
    # Half of eps_sec is for the two tails, as roots of probabilities, like those of the sample.
    half = epsilons.secrecy / 2
    limit = (half / 4) ** 2 / 2
    untold = Counts(
        kept=max(0, counts.kept - most_of(key_pulses, several, limit)),
        compared=max(counts.errors, counts.compared - most_of(check_pulses, several, limit)),
        errors=counts.errors,
    )
    return _of_samples(counts, untold, leaked_bits, epsilons, half, bound)


def of_pairs(
    counts: Counts, leaked_bits: float, epsilons: Epsilons, *, bound: Bound = "hypergeometric"
) -> Estimate:
    """Entangled pairs: Tomamichel et al. (2012), whatever the source sends.

    Both ends give a click of several detectors a random bit, and count it.
    """
    return _of_samples(counts, counts, leaked_bits, epsilons, epsilons.secrecy, bound)


def most_of(trials: int, probability: float, limit: float) -> int:
    """A number that as many of `trials` exceed with probability `limit` at most.

    Chernoff's bound: exp(-n D(x/n || p)) falls below the limit at that number.
    """
    low, high = math.floor(trials * probability), trials
    while low < high:
        middle = (low + high) // 2
        if trials * _divergence((middle + 1) / trials, probability) >= -math.log(limit):
            high = middle
        else:
            low = middle + 1
    return low


def _of_samples(
    seen: Counts,
    untold: Counts,
    leaked_bits: float,
    epsilons: Epsilons,
    secrecy: float,
    bound: Bound,
) -> Estimate:
    """`untold`: of what was seen, what an eavesdropper has no copy of."""
    leak, qber = _checked_leak(leaked_bits), seen.errors / seen.compared if seen.compared else 0.5
    if not untold.kept or not untold.compared or 2 * untold.errors >= untold.compared:
        return Estimate(0, epsilons, qber, 0.5, untold.kept, bound)
    rate = untold.errors / untold.compared
    if bound == "serfling":
        deviation = finite_key.sampling_deviation(untold.kept, untold.compared, secrecy)
        formula = finite_key.single_photon_length
    else:
        deviation = finite_key.hypergeometric_deviation(untold.kept, untold.compared, rate, secrecy)
        formula = finite_key.hypergeometric_length
    length = formula(untold.kept, untold.compared, rate, leak, secrecy, epsilons.correctness)
    return Estimate(length, epsilons, qber, min(0.5, rate + deviation), untold.kept, bound)


def _divergence(found: float, expected: float) -> float:
    """D(x || p) in nats."""
    rest = (1 - found) * math.log((1 - found) / (1 - expected)) if found < 1 else 0.0
    return rest + (found * math.log(found / expected) if found > 0 else 0.0)


def _checked_leak(leaked_bits: float) -> float:
    if leaked_bits < 0:
        raise InputError(f"estimation: {leaked_bits} bits were leaked")
    return leaked_bits


def _check_counts(clicks: Sequence[int], errors: Sequence[int]) -> None:
    if any(not 0 <= wrong <= count for count, wrong in zip(clicks, errors, strict=True)):
        raise InputError("estimation: more errors than bits, or fewer than none")
