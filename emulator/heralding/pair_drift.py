"""What a fibre's surroundings do to pairs heralded over it, at the time of their emission.

Owns, for each kind of heralded link, which part of an environment acts and as what map. Does not own the
surroundings (environment.py), what they do to a photon (fibre.py), or the pair as it is while all is
aligned (single_click.py, double_click.py, midpoint.py). Draws nothing.

Why only the state: no success probability of these links depends on how well photons interfere or on a
phase (see their modules), so attempts need not be drawn anew where the surroundings change.

A link has one path of drift, that of its whole fibre. Where two photons meet, what counts is how one
arm differs from the other. The difference of two independent Wiener phases is a Wiener phase whose rate is
the sum, and likewise for isotropic walks of polarisation (R_A^T R_B shrinks vectors by the product of
both): so the whole fibre's path is that of the arms' difference, wherever the station stands. A
temperature is that of the whole fibre, and acts by the arms' difference in length.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..optics import phase
from ..optics.environment import Conditions
from ..optics.fibre import FibreLink
from ..states import noise
from ..states.pauli import Superoperator, density_of, vector_of
from .attempts import Density

FIRST, SECOND = range(2)


@dataclass(frozen=True, slots=True)
class PairDrift:
    """A map of one half of a pair that changes with time.

    `map_at(t_ns)`: the map for light that leaves at `t_ns`, None if nothing happens to it; it acts on the
    `half` (0 or 1). The light of a pair leaves `lead_ns` before its first half exists: 0 where ends emit,
    the nearer end's delay where a source sends to memories.
    """

    half: int
    map_at: Callable[[int], Superoperator | None]
    lead_ns: int = 0

    def applied(self, density: Density, emission_ns: int) -> Density:
        """The pair `density`, shape (4, 4), whose first half came into being at `emission_ns`."""
        found = self.map_at(emission_ns - self.lead_ns)
        return density if found is None else on_half(found, self.half, density)


def on_half(superoperator: Superoperator, half: int, density: Density) -> Density:
    """A one-qubit map on the first (0) or second (1) qubit of two; shape (4, 4), read-only."""
    vector = vector_of(density).reshape(4, 4)
    turned = superoperator @ vector if half == FIRST else vector @ superoperator.T
    result: Density = density_of(np.ascontiguousarray(turned).reshape(-1))
    result.setflags(write=False)
    return result


# --- the kinds ------------------------------------------------------------------------------------


def single_click_drift(
    link: FibreLink, station: float, stabilisation_ns: int | None = None
) -> PairDrift | None:
    """Of a single-click link; None without an environment.

    The click of e^{i phi_A} |10> +- e^{i phi_B} |01> hands the arms' phase difference to the pair: a
    rotation of the first memory about Z by phi(t) - phi(t_0), t_0 being when the phase was last set to
    zero: every `stabilisation_ns` from time 0 on, or only then (None). In the mean over paths the coherence
    is exp(-D (t - t_0)/2). Vibrations that the grid averages leave J0 of it, and polarisations with the
    overlap O leave sqrt(O), as one photon's interference does.
    """
    environment = link.environment
    if environment is None:
        return None
    imbalance = 2 * station - 1
    reference = _Latest(lambda t_ns: link.phase_rad(t_ns, imbalance))

    def at(t_ns: int) -> Superoperator | None:
        set_ns = 0 if stabilisation_ns is None else t_ns - t_ns % stabilisation_ns
        # The earlier time first: a path is made in ascending order.
        since_rad = reference.at(set_ns)
        phase_rad = link.phase_rad(t_ns, imbalance) - since_rad
        conditions = environment.at(t_ns)
        visibility = conditions.visibility * math.sqrt(overlap(conditions))
        parts = [phase.phase_map(phase_rad)] if phase_rad else []
        if visibility != 1:
            parts.append(phase.visibility_map(visibility))
        return noise.compose(*parts) if parts else None

    return PairDrift(FIRST, at)


def double_click_drift(link: FibreLink) -> PairDrift | None:
    """Of a double-click link of early and late photons; None without an environment.

    Both modes of a photon share its arm's phase, which drops out. Polarisations with the overlap O
    leave that part of the Hong-Ou-Mandel visibility, hence of the heralded coherence.
    """
    environment = link.environment
    if environment is None:
        return None

    def at(t_ns: int) -> Superoperator | None:
        visibility = overlap(environment.at(t_ns))
        return None if visibility == 1 else phase.visibility_map(visibility)

    return PairDrift(FIRST, at)


def midpoint_drift(link: FibreLink, lead_ns: int) -> PairDrift | None:
    """Of a midpoint source; None without an environment.

    (U_A x U_B) Phi+ = (1 x U_B U_A^T) Phi+, and U_A^T is what light meets that takes the first arm
    backwards (Klyshko's picture): the second half is turned by the way from the first end to the second.
    """
    if link.environment is None:
        return None
    return PairDrift(SECOND, link.surroundings_at, lead_ns)


def overlap(conditions: Conditions) -> float:
    """Squared overlap of two photons, alike at first, of which one was turned: (1 + R_zz)/2.

    Emitters give H, the Stokes vector Z. The mean over the paths of a drift is (1 + exp(-sigma^2 t))/2.
    """
    if conditions.rotation is None:
        return 1.0
    return min(max((1 + float(conditions.rotation[2, 2])) / 2, 0.0), 1.0)


class _Latest:
    """A function of time that remembers its latest answer: a reference is asked for again and again."""

    def __init__(self, function: Callable[[int], float]) -> None:
        self._function = function
        self._known: tuple[int, float] | None = None

    def at(self, t_ns: int) -> float:
        if self._known is None or self._known[0] != t_ns:
            self._known = (t_ns, self._function(t_ns))
        return self._known[1]
