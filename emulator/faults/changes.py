"""What a fault may change about a link or a node while it lasts.

Owns the two lists of such changes and how two of them add up. Does not own what links and devices come to
with them (quantum/), nor when they begin and end (schedule.py).

Rule: no change touches the times of a link's attempts, so that a fault leaves the link's rhythm alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different about a link from what the topology says; by default nothing.

    `loss_db`: more loss of the whole link's fibre. `dark_count_rate_hz`: more dark counts, of each of the
    station's detectors, or latches of nothing by each end's memory while it is open. `visibility`: what is
    left of that of interference. `misalignment_rad`: the angle between the polarisations of the two arms.
    `light`: what is left of the light into the first and the second arm. `heralds`: what is left of the
    heralds; an attempt whose herald is lost has failed, at both ends. `lossless`: the fibre loses nothing,
    whatever its length, its connectors and `loss_db`. `pointing_urad`: how much further a beam points past
    its receiver.
    Raises InputError for values that are no probabilities, negative, or not finite.
    """

    loss_db: float = 0.0
    dark_count_rate_hz: float = 0.0
    visibility: float = 1.0
    misalignment_rad: float = 0.0
    light: tuple[float, float] = (1.0, 1.0)
    heralds: float = 1.0
    lossless: bool = False
    pointing_urad: float = 0.0

    def __post_init__(self) -> None:
        for name in ("loss_db", "dark_count_rate_hz", "pointing_urad"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if not math.isfinite(self.misalignment_rad):
            raise InputError(f"misalignment_rad is {self.misalignment_rad}, expected a number")
        first, second = self.light
        for name, value in (
            ("visibility", self.visibility),
            ("heralds", self.heralds),
            ("light", first),
            ("light", second),
        ):
            if not 0.0 <= value <= 1.0:
                raise InputError(f"{name} is {value}, expected a probability from 0 to 1")

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
            self.lossless or other.lossless,
            self.pointing_urad + other.pointing_urad,
        )

    @property
    def on_light(self) -> bool:
        """Whether light that crosses the whole link meets any of it."""
        return bool(self.loss_db or self.misalignment_rad or self.lossless or self.pointing_urad)

    @property
    def interference(self) -> float:
        """What is left of Hong-Ou-Mandel visibility: that, times the overlap cos^2 of the polarisations."""
        return self.visibility * math.cos(self.misalignment_rad) ** 2


@dataclass(frozen=True, slots=True)
class NodeChanges:
    """What is different about a node's devices from what the topology says; by default nothing.

    `dark_count_rate_hz`: more dark counts of each of its detectors, while the gate is open. `blind`: they see
    nothing and count nothing. `source_off`: its source emits vacuum. `dephasing_hz`: more decoherence of its
    memory, 1/T2 of coherence per second.
    """

    dark_count_rate_hz: float = 0.0
    blind: bool = False
    source_off: bool = False
    dephasing_hz: float = 0.0

    def beside(self, other: NodeChanges) -> NodeChanges:
        """Both at once: rates add."""
        return NodeChanges(
            self.dark_count_rate_hz + other.dark_count_rate_hz,
            self.blind or other.blind,
            self.source_off or other.source_off,
            self.dephasing_hz + other.dephasing_hz,
        )

    @property
    def on_detectors(self) -> bool:
        """Whether its detectors count anything else for it."""
        return self.blind or self.dark_count_rate_hz > 0


#: A link and a node without faults.
NOTHING = Changes()
SOUND = NodeChanges()
