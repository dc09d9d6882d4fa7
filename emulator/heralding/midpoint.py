"""What stands between two ends: a station that both send to, or a source that sends to both.

Owns the way of a photon from its emitter to a click (`Arm`, `Station`), when the ends of a link with a
station anywhere on it emit and hear (`meet_in_the_middle`), and the midpoint source. Does not own what
a click tells about the memories (single_click.py, double_click.py).

Convention: a detection probability is total, from the emitter to the click inside the window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from ..closed_forms import links
from ..errors import InputError
from ..optics.fibre import Fibre
from ..states import states
from ..states.noise import check_probability
from ..units import to_ns
from .attempts import Attempts, Density
from .timing import Timing

#: Of a beam splitter, a detector at each.
PORTS = 2


@dataclass(frozen=True, slots=True)
class Arm:
    """An emitter and the path from it to the station: a fibre, or a beam as a fibre that loses as much.

    An excited emitter gives a photon with `emission_probability`, into the zero-phonon line with
    `zero_phonon_fraction`, into the fibre with `collection_efficiency`, at the fibre's wavelength
    with `conversion_efficiency`. `lifetime_ns` is that of the excited state; None: all of the light
    falls into the window. Where only a product is known, one factor may stand for it.
    Raises InputError for values that are no probabilities and a lifetime that is not positive.
    """

    path: Fibre
    emission_probability: float = 1.0
    zero_phonon_fraction: float = 1.0
    collection_efficiency: float = 1.0
    conversion_efficiency: float = 1.0
    lifetime_ns: float | None = None

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)[1:5]):
            check_probability(f"arm: {name}", getattr(self, name))
        if self.lifetime_ns is not None and not 0 < self.lifetime_ns < math.inf:
            raise InputError(f"arm: lifetime_ns is {self.lifetime_ns}, expected more than 0")

    @property
    def arrival_probability(self) -> float:
        """Probability that the photon of an excited emitter comes to the station."""
        emitted = self.emission_probability * self.zero_phonon_fraction
        coupled = self.collection_efficiency * self.conversion_efficiency
        return emitted * coupled * self.path.transmittance


@dataclass(frozen=True, slots=True)
class Station:
    """Detectors behind a beam splitter, open for `window_ns` from the first light of an attempt.

    `dark_count_rate_hz` is per detector. `noise_rate_hz` counts the photons of classical channels that
    reach the beam splitter, which shares them out evenly. Raises InputError for an efficiency that is no
    probability, a negative rate, and a window that is not positive.
    """

    window_ns: float
    detector_efficiency: float = 1.0
    dark_count_rate_hz: float = 0.0
    noise_rate_hz: float = 0.0

    def __post_init__(self) -> None:
        check_probability("station: detector_efficiency", self.detector_efficiency)
        if not 0 < self.window_ns < math.inf:
            raise InputError(f"station: window_ns is {self.window_ns}, expected more than 0")
        for name in ("dark_count_rate_hz", "noise_rate_hz"):
            rate = getattr(self, name)
            if not 0 <= rate < math.inf:
                raise InputError(f"station: {name} is {rate}, expected 0 or more")

    @property
    def dark_probability(self) -> float:
        """Probability per detector and window of a click that no emitter made: a dark one, or noise."""
        noise_hz = self.noise_rate_hz * self.detector_efficiency / PORTS
        return links.dark_probability(self.dark_count_rate_hz + noise_hz, self.window_ns)

    def detection_probability(self, arm: Arm) -> float:
        """Probability that an excited emitter at the far end of `arm` makes a detector click."""
        inside = 1.0
        if arm.lifetime_ns is not None:
            inside = links.window_fraction(self.window_ns, arm.lifetime_ns)
        return arm.arrival_probability * inside * self.detector_efficiency


# --- where the station stands ---------------------------------------------------------------------


def meet_in_the_middle(
    preparation_ns: int, first_delay_ns: int, second_delay_ns: int, whole_ns: int = 0
) -> Timing:
    """Attempts with a station that photon and message need the given delays to and from.

    T = max(t_prep, 2 max(tau_A, tau_B)): L/c in the middle, 2L/c at one end (there, sender and
    receiver). The ends emit so that the photons meet; each hears one delay later, the far one at the end
    of the attempt. What is left of the attempt is preparation, at its start. `whole_ns`: the light's time
    over the link, which delays of whole ns may fall short of; no end hears of the other's light before that.
    Raises InputError for negative times, and if an attempt would take no time at all.
    """
    if min(preparation_ns, first_delay_ns, second_delay_ns) < 0:
        raise InputError(
            f"preparation takes {preparation_ns} ns and light {first_delay_ns} and {second_delay_ns} ns; "
            "expected 0 or more"
        )
    delays_ns = (first_delay_ns, second_delay_ns)
    lacking_ns = max(0, whole_ns - sum(delays_ns))
    attempt_ns = max(preparation_ns, 2 * max(delays_ns) + lacking_ns)
    met_ns = attempt_ns - max(delays_ns) - lacking_ns
    first_ns, second_ns = (met_ns - delay_ns for delay_ns in delays_ns)
    heralds_ns = [met_ns + delay_ns + lacking_ns for delay_ns in delays_ns]
    return Timing(attempt_ns, (first_ns, second_ns), (heralds_ns[0], heralds_ns[1]))


def arms_meet(preparation_ns: int, first: Arm, second: Arm) -> Timing:
    """`meet_in_the_middle` of the light of two arms."""
    whole_ns = whole_delay_ns(first.path, second.path)
    return meet_in_the_middle(preparation_ns, first.path.delay_ns, second.path.delay_ns, whole_ns)


def whole_delay_ns(first: Fibre, second: Fibre) -> int:
    """Time of flight over both fibres, rounded once."""
    return to_ns(first.delay_s() + second.delay_s())


def split_fibre(fibre: Fibre, position: float = 0.5) -> tuple[Fibre, Fibre]:
    """The fibre of a link cut in two at `position`, from 0 (first end) to 1: losses and noise add up.

    Raises InputError for another position, and for dephasing beyond 1/2, which is not noise that
    half a fibre could do half of.
    """
    check_probability("station: position", position)
    if fibre.dephasing > 0.5:
        raise InputError(
            f"fibre: dephasing is {fibre.dephasing}, expected at most 0.5 on this link"
        )
    first, second = (_part(fibre, share) for share in (position, 1 - position))
    return first, second


def _part(fibre: Fibre, share: float) -> Fibre:
    return replace(
        fibre,
        length_km=fibre.length_km * share,
        insertion_loss_db=fibre.insertion_loss_db * share,
        depolarising=1 - (1 - fibre.depolarising) ** share,
        dephasing=(1 - (1 - 2 * fibre.dephasing) ** share) / 2,
        misalignment_rad=fibre.misalignment_rad * share,
    )


def joint_depolarising(first: Fibre, second: Fibre) -> float:
    """What both fibres do to a pair whose halves crossed them: 1 - (1 - p_A)(1 - p_B)."""
    return 1 - (1 - first.depolarising) * (1 - second.depolarising)


def joint_coherence(first: Fibre, second: Fibre) -> float:
    """What dephasing in both fibres leaves of a pair's coherence: (1 - 2 q_A)(1 - 2 q_B).

    Raises InputError for what is no loss of coherence: dephasing beyond 1/2, and frames out of line,
    whose effect would differ from one heralded Bell state to the other.
    """
    for fibre in (first, second):
        if fibre.dephasing > 0.5:
            raise InputError(
                f"fibre: dephasing is {fibre.dephasing}, expected at most 0.5 on this link"
            )
        if fibre.misalignment_rad:
            raise InputError(
                f"fibre: misalignment_rad is {fibre.misalignment_rad}, expected 0 where pairs are "
                "heralded: say how well the photons interfere by `visibility`"
            )
    return (1 - 2 * first.dephasing) * (1 - 2 * second.dephasing)


# --- the midpoint source --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MidpointSource:
    """A source of photon pairs on the way, and memories at the ends that latch a photon and tell.

    Per clock period: `pair_probability` p_m of one pair, Werner with `pair_fidelity`; `first_latching` and
    `second_latching` the ends' eta, fibre included; `dark_probability` that a memory latches nothing.
    `first_noise`, `second_noise`: probabilities that an end latches a photon of a classical channel.
    `depolarising` p and `coherence` c are what the way does to a pair. The clock is the source's, not
    the distance's (Jones et al., New J. Phys. 18, 083015 (2016)): each end must have memories for all
    photons whose fate it has not yet heard, or the rate is less.
    Raises InputError for values that are no probabilities.
    """

    pair_probability: float
    first_latching: float
    second_latching: float
    timing: Timing
    pair_fidelity: float = 1.0
    dark_probability: float = 0.0
    depolarising: float = 0.0
    coherence: float = 1.0
    first_noise: float = 0.0
    second_noise: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "timing":
                check_probability(f"midpoint source: {field.name}", getattr(self, field.name))

    @classmethod
    def between(
        cls,
        first: Fibre,
        second: Fibre,
        clock_ns: int,
        pair_probability: float,
        first_latching: float = 1.0,
        second_latching: float = 1.0,
        pair_fidelity: float = 1.0,
        dark_probability: float = 0.0,
        first_noise: float = 0.0,
        second_noise: float = 0.0,
    ) -> MidpointSource:
        """From the fibres to either end and the memories' own latching efficiencies.

        The source fires at the start of each period; a half decays since it was latched, and each end
        hears of the other's latch over both fibres. Raises InputError.
        """
        check_probability("midpoint source: first_latching", first_latching)
        check_probability("midpoint source: second_latching", second_latching)
        latched_ns = (first.delay_ns, second.delay_ns)
        whole_ns = max(sum(latched_ns), whole_delay_ns(first, second))
        heralds_ns = (latched_ns[1] + whole_ns, latched_ns[0] + whole_ns)
        return cls(
            pair_probability,
            first_latching * first.transmittance,
            second_latching * second.transmittance,
            Timing(clock_ns, latched_ns, heralds_ns),
            pair_fidelity,
            dark_probability,
            joint_depolarising(first, second),
            joint_coherence(first, second),
            first_noise,
            second_noise,
        )

    def attempts(self) -> Attempts:
        """What a period comes to: both ends latch, the photons of one pair or not."""
        true = self.pair_probability * self.first_latching * self.second_latching
        dark, other_dark = (
            self._false_latch(each) for each in (self.first_noise, self.second_noise)
        )
        first = self.first_latching + (1 - self.first_latching) * dark
        second = self.second_latching + (1 - self.second_latching) * other_dark
        empty = (1 - self.pair_probability) * dark * other_dark
        success = self.pair_probability * first * second + empty
        return Attempts(success, self.timing, self._pair(true / success if success else 0.0))

    def _false_latch(self, noise: float) -> float:
        """Probability that an end latches though no photon of the source did it: for nothing, or noise."""
        return self.dark_probability + (1 - self.dark_probability) * noise

    def _pair(self, true: float) -> Density:
        """The `true` part is the source's pair after its way; a half latched from nothing knows nothing."""
        flip = (1 - self.coherence) / 2
        kept = true * (1 - self.depolarising)
        rest = (1 - self.pair_fidelity) / 3
        weights = (
            (1 - flip) * self.pair_fidelity + flip * rest,
            rest,
            (1 - flip) * rest + flip * self.pair_fidelity,
            rest,
        )
        return bell_diagonal(*(kept * weight + (1 - kept) / 4 for weight in weights))


def bell_diagonal(phi_plus: float, psi_plus: float, phi_minus: float, psi_minus: float) -> Density:
    """The mixture of the Bell states with these weights, in the order of the Bell index, shape (4, 4)."""
    weights = (phi_plus, psi_plus, phi_minus, psi_minus)
    return sum(
        (weight * states.bell_density(index) for index, weight in enumerate(weights)),
        start=0 * states.bell_density(0),
    )
