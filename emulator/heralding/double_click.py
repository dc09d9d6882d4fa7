"""Double-click links: two photons, one Bell measurement.

Owns success probability and state of Barrett and Kok's scheme (PRA 71, 060310 (2005)) and of its
polarisation twin (Simon, Irvine, PRL 91, 110405 (2003)). Does not own the photons' way to the clicks
(midpoint.py). No phase enters but what differs between a photon's two modes.

Each memory is maximally entangled with a photon in one of two modes (early and late, or H and V); one
click in either mode heralds Psi+ (same output port) or Psi- (different ports), with the probability
1/2 that linear optics leaves. The four detectors are threshold detectors, one for each port and mode. Dark
clicks are counted as in Ma and Razavi (PRA 86, 062319 (2012)) for single photons: at V = 1 the success
probability is their Y11, the error rate of X measurements their e11 with e_d = (1 - V)/2. Two photons in one
mode that are not alike leave by different ports with (1 - V)/2: then a mode has two clicks, which is no
herald.

Why the pair is Bell-diagonal: V leaves the populations alone and shrinks the coherence of the heralded
state, which mixes Phi+ with Phi- and nothing else; one photon and a dark click, or two dark clicks, tell
nothing, averaged over the four patterns; both photons in one mode and a dark click in the other tell that
the memories are alike where they should differ, a flip without coherence.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..states.noise import check_probability
from .attempts import Attempts
from .midpoint import (
    Arm,
    Station,
    arms_meet,
    bell_diagonal,
    joint_coherence,
    joint_depolarising,
)
from .timing import Timing

#: Psi+ and Psi-: clicks in the same port, or in different ones.
BELLS = (1, 3)


@dataclass(frozen=True, slots=True)
class DoubleClick:
    """A double-click link.

    `first_detection`, `second_detection`: total detection probabilities of the ends' photons.
    `dark_probability`: per detector and window, of which there are four. `visibility` V: of
    Hong-Ou-Mandel interference. `depolarising`: of the pair on its way, emitters included.
    `path_coherence`: what dephasing leaves of the coherence between a photon's modes. Raises InputError for
    values that are no probabilities.
    """

    first_detection: float
    second_detection: float
    timing: Timing
    dark_probability: float = 0.0
    visibility: float = 1.0
    depolarising: float = 0.0
    path_coherence: float = 1.0

    def __post_init__(self) -> None:
        for name in (
            "first_detection",
            "second_detection",
            "dark_probability",
            "visibility",
            "depolarising",
            "path_coherence",
        ):
            check_probability(f"double click: {name}", getattr(self, name))

    @classmethod
    def between(
        cls,
        first: Arm,
        second: Arm,
        station: Station,
        preparation_ns: int = 0,
        visibility: float = 1.0,
        depolarising: float = 0.0,
    ) -> DoubleClick:
        """From the emitters, fibres and detectors; what the fibres do to a photon comes on top.

        `preparation_ns` includes the time between the two modes. Raises InputError as the class.
        """
        check_probability("double click: depolarising", depolarising)
        kept = (1 - depolarising) * (1 - joint_depolarising(first.path, second.path))
        return cls(
            station.detection_probability(first),
            station.detection_probability(second),
            arms_meet(preparation_ns, first, second),
            station.dark_probability,
            visibility,
            1 - kept,
            joint_coherence(first.path, second.path),
        )

    def events(self) -> tuple[float, float, float]:
        """Probabilities of an accepted pattern: both photons; both in one mode and a dark; fewer and darks.

        Accepted is one click in each mode, in any port. The other two detectors must stay dark.
        """
        first, second, dark = self.first_detection, self.second_detection, self.dark_probability
        quiet = (1 - dark) ** 2
        # Two photons are in different modes half the time; in one mode those that leave by one port count
        # if one of the other mode's two detectors goes off by itself.
        both = first * second
        true = both / 2
        bunched = both / 2 * (1 + self.visibility) / 2 * 2 * dark
        one = first * (1 - second) + second * (1 - first)
        unknown = one * 2 * dark + (1 - first) * (1 - second) * (2 * dark) ** 2
        return quiet * true, quiet * bunched, quiet * unknown

    def attempts(self) -> Attempts:
        """What an attempt comes to: success probability, times, pair, and which Bell states."""
        events = self.events()
        success = sum(events)
        shares = [event / success for event in events] if success else [0.0, 0.0, 1.0]
        true, bunched, unknown = (share * (1 - self.depolarising) for share in shares)
        unknown += self.depolarising
        coherence = self.visibility * self.path_coherence
        pair = bell_diagonal(
            true * (1 + coherence) / 2 + unknown / 4,
            bunched / 2 + unknown / 4,
            true * (1 - coherence) / 2 + unknown / 4,
            bunched / 2 + unknown / 4,
        )
        return Attempts(success, self.timing, pair, BELLS)
