"""Sources of light: how many photons a pulse holds.

Owns photon-number distributions and what follows from them alone: brightness, g2, heralding. Does not own
the states that the photons carry nor where they go (optics/pulses.py), and draws nothing.

Rule: a source is one setting. A decoy state is another source in the table that a train's intensities
point into, and "off" is the vacuum. Photons of one pulse are lost independently of each other, so a
channel of transmittance eta turns P(n) into P'(m) = sum over n of P(n) C(n,m) eta^m (1-eta)^(n-m).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..states.noise import check_probability
from ..wire.bit_planes import read_only

#: P(0), P(1), ...; sums to 1 but for a tail below TAIL.
Distribution = NDArray[np.float64]

#: What of a distribution may be left out.
TAIL = 1e-17
#: Beyond this mean a pulse is no quantum signal, and counting its photons one by one is the wrong model.
MOST_PHOTONS = 200.0


def _check_mean(what: str, mean: float) -> None:
    if not 0 <= mean <= MOST_PHOTONS:
        raise InputError(
            f"{what}: mean photon number is {mean}, expected 0 to {MOST_PHOTONS:g} per pulse"
        )


class Source(Protocol):
    """One setting of a source. Hashable, so that distributions are computed once."""

    def photons(self) -> Distribution:
        """P(n) at the source's output."""
        ...

    def surviving(self, transmittance: float) -> Distribution:
        """P'(m): photons left after a channel of that transmittance."""
        ...


@dataclass(frozen=True)
class WeakCoherent:
    """A phase-randomised attenuated laser pulse: P(n) = e^-mu mu^n / n!, g2 = 1.

    Phase randomisation is what makes a Poisson mixture of photon numbers of it (Lo, Ma, Chen,
    PRL 94, 230504 (2005)). Raises InputError for a mean photon number that is negative or not weak.
    """

    mean_photon_number: float

    def __post_init__(self) -> None:
        _check_mean("weak coherent pulse", self.mean_photon_number)

    def photons(self) -> Distribution:
        return poisson(self.mean_photon_number)

    def surviving(self, transmittance: float) -> Distribution:
        """A Poisson distribution stays one: mean eta mu."""
        return poisson(transmittance * self.mean_photon_number)


#: The setting "off".
VACUUM = WeakCoherent(0.0)


def decoy_table(*mean_photon_numbers: float) -> tuple[WeakCoherent, ...]:
    """The settings of a laser with decoy intensities, signal first by custom: `(mu, nu, 0)`."""
    return tuple(WeakCoherent(mean) for mean in mean_photon_numbers)


@dataclass(frozen=True)
class Fock:
    """Exactly `photon_number` photons. Raises InputError for a negative number."""

    photon_number: int

    def __post_init__(self) -> None:
        _check_mean("Fock state", self.photon_number)

    def photons(self) -> Distribution:
        distribution = np.zeros(self.photon_number + 1)
        distribution[-1] = 1.0
        return distribution

    def surviving(self, transmittance: float) -> Distribution:
        return thinned(self, transmittance)


@dataclass(frozen=True)
class SinglePhoton:
    """A single emitter on demand: P(1) = `brightness`, P(2) from g2(0) = 2 P2 / (P1 + 2 P2)^2.

    `brightness` is counted where the train begins, in the fibre. Raises InputError for values that
    are no probabilities, and for a g2 that no P(2) gives at that brightness (4 g2 P1 > 1) or that
    leaves P1 + P2 > 1.
    """

    brightness: float
    g2: float = 0.0

    def __post_init__(self) -> None:
        check_probability("single photon: brightness", self.brightness)
        if not 0 <= self.g2 < math.inf or 4 * self.g2 * self.brightness > 1:
            raise InputError(
                f"single photon: g2 is {self.g2} at brightness {self.brightness}, expected 0 to "
                "1/(4 brightness): with at most two photons in a pulse there is no more"
            )
        if self.brightness + self.two_photons > 1:
            raise InputError(
                f"single photon: brightness {self.brightness} and g2 {self.g2} ask for "
                f"P(2) = {self.two_photons:.4g}, expected P(1) + P(2) of 1 at most"
            )

    @property
    def two_photons(self) -> float:
        """P(2): the smaller root of g2 (P1 + 2 P2)^2 = 2 P2, written without cancellation."""
        excess = self.g2 * self.brightness
        root = math.sqrt(1 - 4 * excess)
        return self.g2 * self.brightness**2 / (1 - 2 * excess + root)

    def photons(self) -> Distribution:
        pair = self.two_photons
        return np.array([1 - self.brightness - pair, self.brightness, pair])

    def surviving(self, transmittance: float) -> Distribution:
        return thinned(self, transmittance)


@dataclass(frozen=True)
class Pairs:
    """Photon pairs from down-conversion: n pairs per pulse, each arm a source of n photons.

    `statistics` is "thermal" (one mode: mu^n/(1+mu)^(n+1)), "polarisation" (two modes, the entangled
    pair of Ma, Fung, Lo, PRA 76, 012307 (2007): (n+1) l^n/(1+l)^(n+2) with l = mu/2) or "poisson"
    (many modes). `mean_pairs` is mu, pairs per pulse. Raises InputError for other words and for means
    that are not weak.
    """

    mean_pairs: float
    statistics: str = "polarisation"

    def __post_init__(self) -> None:
        _check_mean("pairs", self.mean_pairs)
        if self.statistics not in {"thermal", "polarisation", "poisson"}:
            raise InputError(
                f"pairs: statistics is {self.statistics!r}, expected thermal, polarisation or poisson"
            )

    @property
    def modes(self) -> float:
        """How many thermal modes share the light: 1, 2 or infinitely many."""
        return {"thermal": 1.0, "polarisation": 2.0}.get(self.statistics, math.inf)

    def photons(self) -> Distribution:
        """P(n) of pairs, and so of the photons of each arm."""
        return _thermal(self.mean_pairs, self.modes)

    def surviving(self, transmittance: float) -> Distribution:
        """One arm seen alone: thermal light stays thermal, with mean eta mu."""
        return _thermal(transmittance * self.mean_pairs, self.modes)

    @property
    def g2_unheralded(self) -> float:
        """g2(0) of one arm alone: 1 + 1/modes (2 for a single mode)."""
        return 1 + 1 / self.modes

    @property
    def coincidence_to_accidental(self) -> float:
        """Pulsed CAR = <n^2>/<n>^2 = 1 + 1/modes + 1/mu at low efficiency, without dark counts."""
        return 1 + 1 / self.modes + 1 / self.mean_pairs


@dataclass(frozen=True)
class Heralded:
    """One arm of `pairs`, given that a threshold detector on the other arm clicked.

    `efficiency` is that of the whole heralding arm, `dark_probability` its dark counts per pulse:
    P(n | herald) is proportional to P(n) [1 - (1-p_dc)(1-eta)^n]. Raises InputError for values that
    are no probabilities, and if nothing can ever herald.
    """

    pairs: Pairs
    efficiency: float
    dark_probability: float = 0.0

    def __post_init__(self) -> None:
        check_probability("herald: efficiency", self.efficiency)
        check_probability("herald: dark probability", self.dark_probability)
        if self.herald_probability == 0:
            raise InputError(
                "herald: without pairs, efficiency or dark counts nothing ever heralds"
            )

    @property
    def herald_probability(self) -> float:
        """Clicks of the heralding detector per pulse."""
        return float(self._joint().sum())

    def photons(self) -> Distribution:
        joint = self._joint()
        conditional: Distribution = joint / joint.sum()
        return conditional

    def surviving(self, transmittance: float) -> Distribution:
        return thinned(self, transmittance)

    def _joint(self) -> Distribution:
        pairs = self.pairs.photons()
        silent = (1 - self.dark_probability) * (1 - self.efficiency) ** np.arange(len(pairs))
        joint: Distribution = pairs * (1 - silent)
        return joint


@dataclass(frozen=True)
class AtomicEmitter:
    """An atom, ion or colour centre excited once per pulse.

    A photon is there with `collection` (everything from decay into the wanted line to the fibre); of
    a lifetime `lifetime_ns` the part inside `window_ns` counts, 1 - exp(-w/tau); without one, all. With
    `double_excitation` a collected emission is followed by a second photon, collected alike.
    Raises InputError for values that are no probabilities and times that are not positive.
    """

    collection: float
    lifetime_ns: float | None = None
    window_ns: float = math.inf
    double_excitation: float = 0.0

    def __post_init__(self) -> None:
        check_probability("emitter: collection", self.collection)
        check_probability("emitter: double excitation", self.double_excitation)
        lifetime_ns = 1.0 if self.lifetime_ns is None else self.lifetime_ns
        if not 0 < lifetime_ns < math.inf or not self.window_ns > 0:
            raise InputError(
                f"emitter: lifetime is {self.lifetime_ns} ns and window {self.window_ns} ns, "
                "expected both to be positive"
            )

    @property
    def in_window(self) -> float:
        """The part of an exponential wave packet that the window holds."""
        if self.lifetime_ns is None:
            return 1.0
        return -math.expm1(-self.window_ns / self.lifetime_ns)

    def photons(self) -> Distribution:
        emitted = np.array([0.0, 1 - self.double_excitation, self.double_excitation])
        return _binomial(emitted, self.collection * self.in_window)

    def surviving(self, transmittance: float) -> Distribution:
        return thinned(self, transmittance)


def mean_photons(distribution: Distribution) -> float:
    """<n>."""
    return float(np.arange(len(distribution)) @ distribution)


def g2(distribution: Distribution) -> float:
    """g2(0) = <n(n-1)>/<n>^2; raises InputError for the vacuum, which has none."""
    numbers = np.arange(len(distribution))
    mean = mean_photons(distribution)
    if mean == 0:
        raise InputError("g2 of the vacuum is not defined")
    return float((numbers * (numbers - 1)) @ distribution / mean**2)


@lru_cache(maxsize=256)
def poisson(mean: float) -> Distribution:
    """e^-m m^n / n! up to a tail below TAIL."""
    return _recursion(math.exp(-mean), lambda n: mean / n, mean)


@lru_cache(maxsize=256)
def thinned(source: Source, transmittance: float) -> Distribution:
    """What of `source.photons()` survives: each photon by itself, with `transmittance`."""
    return read_only(_binomial(source.photons(), transmittance))


@lru_cache(maxsize=256)
def _thermal(mean: float, modes: float) -> Distribution:
    """Negative binomial: `modes` equal thermal modes with `mean` photons in all."""
    if math.isinf(modes):
        return poisson(mean)
    each = mean / modes
    ratio = each / (1 + each)
    return _recursion((1 + each) ** -modes, lambda n: ratio * (n + modes - 1) / n, mean)


class _Ratio(Protocol):
    def __call__(self, n: int) -> float: ...


def _recursion(vacuum: float, ratio: _Ratio, mean: float) -> Distribution:
    """P(n) = P(n-1) ratio(n), from P(0), until what follows is negligible."""
    terms = [vacuum]
    while terms[-1] > TAIL * 1e-3 * min(1.0, mean) or len(terms) <= mean + 1:
        terms.append(terms[-1] * ratio(len(terms)))
        if terms[-1] == 0.0:
            break
    return read_only(np.array(terms))


def _binomial(distribution: Distribution, keep: float) -> Distribution:
    """P'(m) = sum over n of P(n) C(n,m) k^m (1-k)^(n-m)."""
    check_probability("transmittance", keep)
    size = len(distribution)
    result = np.zeros(size)
    row = np.zeros(size)
    row[0] = 1.0  # binomial weights of n = 0; the next row by Pascal's rule
    for n in range(size):
        result += distribution[n] * row
        row[1:] = row[1:] * (1 - keep) + row[:-1] * keep
        row[0] *= 1 - keep
    return result
