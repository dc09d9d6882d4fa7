"""Single-click links: one photon, which may be from either end.

Owns success probability and state of the scheme of Cabrillo et al. (PRA 59, 1025 (1999)) and Bose et al.
(PRL 83, 5158 (1999)), and its trade-off of rate against fidelity. Does not own the photon's way to the click
(midpoint.py).

Each emitter has the population alpha in its bright state |1>, which gives a photon; a click of just one of
two detectors behind a beam splitter heralds Psi+ or Psi-, by which of them it was. Both bright cost
fidelity: F ~ 1 - alpha at the rate 2 alpha p. The interferometer's phase enters: the scheme needs it stable.

Derivation. The light is (sqrt(1-alpha)|0,vac> + sqrt(alpha)|1,a>) of either end, a photon lost with 1 - p
into a mode of its own. The beam splitter sends one photon to either port alike. Of two photons that arrive,
both leave by one port with (1 + V)/2, and by different ports with (1 - V)/2: then both detectors click, and
the attempt fails. Detectors are threshold detectors: they do not tell two photons from one, and a dark click
beside a photon in the same detector is no further click. With the dark probability d per detector a pattern
"this one and not the other" has, summed over both patterns,

    no bright emitter   2 d (1-d)
    one, A or B         (1-d) [p + 2 d (1-p)]
    both                (1-d) [pA + pB - pA pB - pA pB (1-V)/2 + 2 d (1-pA)(1-pB)]

times the emitters' populations. What a detector absorbs tells photon numbers apart, and a lost photon tells
whose it was, so that the only coherence is that of |10> and |01> with one photon seen:
alpha (1-alpha) (1-d) sqrt(V pA pB). The tests play the optics through mode by mode and find the same.

Humphreys et al. (Nature 558, 268 (2018), supplement, eqs. 8 and 10) publish a form for small p, which counts
clicks of both detectors as heralds and a dark click as coherent as a photon: see `incoherent_darks`.

Convention: V is the visibility of Hong-Ou-Mandel interference, the squared overlap of the photons'
modes; one photon's coherence goes by the overlap, sqrt(V).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..states.noise import check_probability
from ..states.pauli import PAULIS
from ..states.superoperators import tensor
from ..wire.bit_planes import read_only
from .attempts import MIXED, Attempts, Density, kept_by_alpha
from .midpoint import Arm, Station, arms_meet, joint_coherence
from .timing import Timing

#: Rows and columns of |01> and |10>, the first memory's bit first.
_DARK_BRIGHT, _BRIGHT_DARK = 1, 2
#: An X on the second memory.
_FLIP = read_only(tensor(PAULIS[0], PAULIS[1]))
#: Psi+ and Psi-: one detector heralds the one, the other the other.
BELLS = (1, 3)


class TradeOff(NamedTuple):
    """One setting of a single-click link."""

    alpha: float
    success: float
    rate_hz: float
    fidelity: float


@dataclass(frozen=True, slots=True)
class SingleClick:
    """A single-click link.

    `alpha`: bright population of both emitters. `first_detection`, `second_detection`: total detection
    probabilities of the ends' photons. `dark_probability`: per detector and window. `phase_noise_rad`:
    standard deviation of the optical phase. `double_excitation`: probability that a bright emitter gave a
    second photon, which tells whose the first one was; that it may click itself is left out.
    `path_coherence`: what else is left of the coherence. `incoherent_darks` False is the published form of
    Humphreys et al.: it overstates F by up to dark/detection, which matters on long links.
    Raises InputError for values that are no probabilities and a phase noise that is negative.
    """

    alpha: float
    first_detection: float
    second_detection: float
    timing: Timing
    dark_probability: float = 0.0
    visibility: float = 1.0
    phase_noise_rad: float = 0.0
    double_excitation: float = 0.0
    path_coherence: float = 1.0
    incoherent_darks: bool = True

    def __post_init__(self) -> None:
        for name in (
            "alpha",
            "first_detection",
            "second_detection",
            "dark_probability",
            "visibility",
            "double_excitation",
            "path_coherence",
        ):
            check_probability(f"single click: {name}", getattr(self, name))
        if not 0 <= self.phase_noise_rad < math.inf:
            noise = self.phase_noise_rad
            raise InputError(f"single click: phase_noise_rad is {noise}, expected 0 or more")

    @classmethod
    def between(
        cls,
        first: Arm,
        second: Arm,
        station: Station,
        alpha: float,
        preparation_ns: int = 0,
        visibility: float = 1.0,
        phase_noise_rad: float = 0.0,
        double_excitation: float = 0.0,
        incoherent_darks: bool = True,
    ) -> SingleClick:
        """From the emitters, fibres and detectors.

        Dephasing in a fibre acts between photon and no photon. Raises InputError for a fibre that
        depolarises: photon or none is no polarisation; and as the class.
        """
        for arm in (first, second):
            if arm.path.depolarising:
                raise InputError(
                    f"single click: the fibre depolarises ({arm.path.depolarising:g}), but the qubit is "
                    "a photon or none; expected `dephasing`, `visibility` or `phase_noise`"
                )
        return cls(
            alpha,
            station.detection_probability(first),
            station.detection_probability(second),
            arms_meet(preparation_ns, first, second),
            station.dark_probability,
            visibility,
            phase_noise_rad,
            double_excitation,
            joint_coherence(first.path, second.path),
            incoherent_darks,
        )

    def attempts(self) -> Attempts:
        """What an attempt comes to: success probability, times, pair, and which Bell states."""
        unnormalised = self.heralded()
        success = float(np.trace(unnormalised).real)
        density = unnormalised / success if success else MIXED
        return Attempts(success, self.timing, _corrected(density), BELLS, kept_by_alpha(self._at))

    def _at(self, alpha: float) -> Attempts:
        return replace(self, alpha=alpha).attempts()

    def clicks(self) -> tuple[float, float, float, float, float]:
        """Probabilities of a herald with no emitter bright, the first, the second, both; and what interferes.

        At the bright population alpha they weigh (1-alpha)^2, alpha (1-alpha) twice, alpha^2, and
        alpha (1-alpha).
        """
        none, first, second, both, interfering = self._clicks()
        return none, first, second, both, self.coherence * interfering

    def heralded(self) -> Density:
        """The memories after a click that heralds Psi+, times the probability of a click, shape (4, 4).

        |1> is bright. The four populations are those of the emitters, weighted by how likely each
        makes just one detector click; the coherence is that of |10> and |01>.
        """
        up, down = self.alpha, 1 - self.alpha
        none, first, second, both, interfering = self._clicks()
        populations = (down * down * none, up * down * second, up * down * first, up * up * both)
        state = np.diag(np.array(populations, dtype=np.complex128))
        swing = up * down * self.coherence * interfering
        state[_DARK_BRIGHT, _BRIGHT_DARK] = state[_BRIGHT_DARK, _DARK_BRIGHT] = swing
        return state

    @property
    def coherence(self) -> float:
        """What is left of the coherence between |10> and |01>.

        sqrt(V) for the overlap of the photons, exp(-sigma^2/2) for a normal phase; a double excitation in
        either branch takes sqrt(1 - p_2) of its amplitude, together 1 - p_2.
        """
        phase = math.exp(-(self.phase_noise_rad**2) / 2)
        return (
            math.sqrt(self.visibility) * phase * (1 - self.double_excitation) * self.path_coherence
        )

    def _clicks(self) -> tuple[float, float, float, float, float]:
        """Probabilities of a herald: no emitter bright, the first, the second, both; and what interferes."""
        first, second, dark = self.first_detection, self.second_detection, self.dark_probability
        if not self.incoherent_darks:
            return self._published()
        by_dark, quiet = 2 * dark, 1 - dark
        one, other = (quiet * (p + (1 - p) * by_dark) for p in (first, second))
        parted = first * second * (1 - self.visibility) / 2
        lost = (1 - first) * (1 - second)
        both = quiet * (1 - lost - parted + lost * by_dark)
        return quiet * by_dark, one, other, both, quiet * math.sqrt(first * second)

    def _published(self) -> tuple[float, float, float, float, float]:
        """As `_clicks`, by Humphreys et al.: a photon and no dark click, or any dark click and no photon."""
        first, second = self.first_detection, self.second_detection
        no_dark = (1 - self.dark_probability) ** 2
        none, one, other, both = (
            no_dark * seen + (1 - no_dark) * (1 - seen)
            for seen in (0.0, first, second, 1 - (1 - first) * (1 - second))
        )
        return none, one, other, both, math.sqrt(one * other)

    # --- rate against fidelity ---

    def trade_off(self, alphas: Iterable[float]) -> list[TradeOff]:
        """The link at each of these bright populations. Raises InputError as the class."""
        points = []
        for alpha in alphas:
            attempts = replace(self, alpha=alpha).attempts()
            points.append(TradeOff(alpha, attempts.success, attempts.rate_hz, attempts.fidelity))
        return points

    def brightest(self, fidelity: float) -> float | None:
        """The largest alpha, hence the fastest link, whose pairs have at least `fidelity`.

        None if no alpha has. With x = alpha/(1 - alpha), F >= f reads f g_AB x^2 - (C - f (g_A + g_B)) x
        + f g_0 <= 0, where C x is F's numerator: the larger root. Raises InputError unless 0 < f <= 1.
        """
        if not 0 < fidelity <= 1:
            raise InputError(f"a fidelity of {fidelity}, expected more than 0 and at most 1")
        even = replace(self, alpha=0.5).heralded() * 4  # alpha = 1/2 weighs all four branches alike
        none, one, other, both = (float(entry.real) for entry in even.diagonal())
        numerator = (one + other) / 2 + float(even[_DARK_BRIGHT, _BRIGHT_DARK].real)
        slope = numerator - fidelity * (one + other)
        if both == 0:
            return None
        discriminant = slope**2 - 4 * fidelity**2 * both * none
        if slope <= 0 or discriminant < 0:
            return None
        ratio = (slope + math.sqrt(discriminant)) / (2 * fidelity * both)
        return ratio / (1 + ratio)


def _corrected(heralded: Density) -> Density:
    """The state after Psi+ was turned to Phi+ by an X on the second memory."""
    return _FLIP @ heralded @ _FLIP
