"""The simple entanglement link: attempts until success, in one draw.

Owns the arithmetic of repeated independent attempts and of when the surviving pair came into being.
Does not schedule: the plane starts, withdraws and redraws attempts (they have no memory, so whatever
changes the link draws the rest anew).

Rule: exactly one draw an outcome, whatever the probability, so that a changed parameter shifts nobody's
later draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..quantum import noise, states


def attempts_until_success(success: float, rng: np.random.Generator) -> int | None:
    """The number of the first successful attempt, from 1; None if there never is one.

    Geometric by inversion, n = 1 + floor(ln(1-u) / ln(1-p)), in log1p so that tiny p keep their digits.
    """
    u = rng.random()
    if success <= 0.0:
        return None
    if success >= 1.0:
        return 1
    failures = math.log1p(-u) / math.log1p(-success)
    return 1 + math.floor(failures) if math.isfinite(failures) else None


class Success(NamedTuple):
    """When it succeeds: offsets from the start of the attempts, in ns."""

    herald_ns: int
    emission_ns: int


@dataclass(frozen=True)
class SimpleLink:
    """A link that heralds Werner states: `success` per attempt, `fidelity` at emission.

    `attempt_ns` is the time from one attempt to the next, `delay_ns` a photon's over the whole link.
    With the herald station in the middle the photons fly L/2 out and the message L/2 back, so a pair
    is one `delay_ns` old at its herald, and never older than the attempt.
    Raises InputError for values that are no probabilities, or times that are not positive.
    """

    success: float
    fidelity: float
    attempt_ns: int
    delay_ns: int
    _density: NDArray[np.complex128] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        noise.check_probability("entangle: success", self.success)
        noise.check_probability("entangle: fidelity", self.fidelity)
        if self.attempt_ns < 1 or self.delay_ns < 0:
            raise InputError(
                f"entangle: attempt is {self.attempt_ns} ns and delay {self.delay_ns} ns; "
                "expected at least 1 ns and 0 ns"
            )
        density = states.werner(self.fidelity)
        density.setflags(write=False)
        object.__setattr__(self, "_density", density)

    def draw(self, rng: np.random.Generator) -> Success | None:
        """When attempts that start now succeed; None if they never do."""
        attempts = attempts_until_success(self.success, rng)
        if attempts is None:
            return None
        herald_ns = attempts * self.attempt_ns
        age_ns = min(self.attempt_ns, self.delay_ns)
        return Success(herald_ns, herald_ns - age_ns)

    def density(self) -> NDArray[np.complex128]:
        """The pair at emission, shape (4, 4), read-only: Werner, Phi+ with `fidelity`."""
        return self._density
