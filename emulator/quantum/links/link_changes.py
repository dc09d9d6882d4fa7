"""What may change about a heralded link while it runs.

Owns the list of such changes and how two of them add up. Does not own what a link comes to with them
(heralding.py), when they begin and end (faults/), nor what happens to attempts under way (requests.py).

Rule: none of them touches the times of an attempt, so whoever changes a link leaves its rhythm alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...errors import InputError
from ...states.noise import check_probability


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different from what the topology says; by default nothing.

    `loss_db`: more loss of the whole link's fibre. `dark_count_rate_hz`: more dark counts, of each of the
    station's detectors, or latches of nothing by each end's memory while it is open. `visibility`: what is
    left of that of interference. `misalignment_rad`: the angle between the polarisations of the two arms.
    `light`: what is left of the light into the first and the second arm. `heralds`: what is left of the
    heralds; an attempt whose herald is lost has failed, at both ends.
    Raises InputError for values that are no probabilities, negative, or not finite.
    """

    loss_db: float = 0.0
    dark_count_rate_hz: float = 0.0
    visibility: float = 1.0
    misalignment_rad: float = 0.0
    light: tuple[float, float] = (1.0, 1.0)
    heralds: float = 1.0

    def __post_init__(self) -> None:
        for name in ("loss_db", "dark_count_rate_hz"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if not math.isfinite(self.misalignment_rad):
            raise InputError(f"misalignment_rad is {self.misalignment_rad}, expected a number")
        for name, value in (("visibility", self.visibility), ("heralds", self.heralds)):
            check_probability(name, value)
        for value in self.light:
            check_probability("light", value)

    def beside(self, other: Changes) -> Changes:
        """Both at once: losses, dark counts and angles add, what is left multiplies."""
        first, second = (a * b for a, b in zip(self.light, other.light, strict=True))
        return Changes(
            self.loss_db + other.loss_db,
            self.dark_count_rate_hz + other.dark_count_rate_hz,
            self.visibility * other.visibility,
            self.misalignment_rad + other.misalignment_rad,
            (first, second),
            self.heralds * other.heralds,
        )

    @property
    def on_light(self) -> bool:
        """Whether light that crosses the whole link meets any of it."""
        return bool(self.loss_db or self.misalignment_rad)

    @property
    def interference(self) -> float:
        """What is left of Hong-Ou-Mandel visibility: that, times the overlap cos^2 of the polarisations."""
        return self.visibility * math.cos(self.misalignment_rad) ** 2


NOTHING = Changes()
