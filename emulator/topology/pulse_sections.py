"""Sections of a node for pulse trains: the source it sends with, the detectors it receives with.

Owns their keys and the limits of single values. Does not own what they do (devices/, channels/), nor
what needs both ends of a link (quantum/optics.py). Rule: both sections are optional; a node without them
has no source, or no detectors, and its program is told so when it asks for them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .quantities import FrequencyHz, Probability, Quantity, ShortTimePsOrNone
from .vocabulary import Section, problem

#: More settings than this are no decoy protocol; it keeps their numbers within four bits.
MOST_SETTINGS = 16

RateHz = Annotated[float, Quantity("frequency")]
DurationPs = Annotated[float, Quantity("short time", high=1e12)]
MeanPhotonNumber = Annotated[float, Quantity("number", high=200.0)]
Correlation = Annotated[float, Quantity("number", high=1.0)]


class SourceSpec(Section):
    """What a node sends pulse trains with.

    `weak_coherent`: an attenuated laser with a table of mean photon numbers, signal first by custom.
    `single_photon`: an emitter with `brightness`, P(1) where the fibre begins, and `g2`. `probabilities`
    is how often a node that is not told otherwise draws each setting; without them, all alike.
    """

    kind: Literal["weak_coherent", "single_photon"] = "weak_coherent"
    rate_hz: FrequencyHz = Field(default=1e9, validation_alias="rate")
    intensities: list[MeanPhotonNumber] = Field(
        default_factory=lambda: [0.5, 0.1, 0.0], min_length=1, max_length=MOST_SETTINGS
    )
    probabilities: list[Probability] | None = None
    brightness: Probability = 1.0
    g2: Correlation = 0.0

    @model_validator(mode="after")
    def _can_be_built(self) -> SourceSpec:
        if not 1 <= self.period_ps <= 10**12:
            raise problem(
                f"expected a rate from 1 Hz to 1000 GHz (a slot is a whole number of ps), found "
                f"{self.rate_hz:g} Hz",
                "rate",
            )
        shares = self.probabilities
        if shares is not None and len(shares) != self.settings:
            raise problem(
                f"expected {self.settings} probabilities, one for each setting, found {len(shares)}",
                "probabilities",
            )
        if shares is not None and abs(sum(shares) - 1) > 1e-9:
            raise problem(
                f"expected probabilities that sum to 1, found {sum(shares):g}", "probabilities"
            )
        if 4 * self.g2 * self.brightness > 1:
            raise problem(
                f"expected g2 of at most 1/(4 brightness) = {1 / (4 * self.brightness):g}, found "
                f"{self.g2:g}: with at most two photons in a pulse there is no more",
                "g2",
            )
        return self

    @property
    def period_ps(self) -> int:
        """The length of a slot."""
        return round(1e12 / self.rate_hz)

    @property
    def settings(self) -> int:
        """How many settings there are to choose from."""
        return len(self.intensities) if self.kind == "weak_coherent" else 1


class DetectorSpec(Section):
    """What a node receives pulse trains with: its optics, and detectors that are all alike.

    `splitting` None: the node chooses the basis of each slot (active); else a beam splitter does, and
    these are its shares for the bases Z and X. `transmittance` is that of the optics.
    """

    efficiency: Probability = 1.0
    dark_count_rate_hz: RateHz = Field(default=0.0, validation_alias="dark_count_rate")
    dead_time_ps: DurationPs = Field(default=0.0, validation_alias="dead_time")
    paralysable: bool = False
    afterpulse_probability: Probability = Field(default=0.0, validation_alias="afterpulse")
    afterpulse_decay_ps: DurationPs = Field(default=0.0, validation_alias="afterpulse_decay")
    jitter_fwhm_ps: DurationPs = Field(default=0.0, validation_alias="jitter")
    gate_ps: ShortTimePsOrNone = Field(default=None, validation_alias="gate")
    transmittance: Probability = 1.0
    splitting: list[Probability] | None = Field(default=None, min_length=2, max_length=2)

    @model_validator(mode="after")
    def _can_be_built(self) -> DetectorSpec:
        if self.afterpulse_probability == 1:
            raise problem("expected a probability below 1: one count would never end", "afterpulse")
        if self.splitting is not None and abs(sum(self.splitting) - 1) > 1e-9:
            raise problem(
                f"expected shares that sum to 1, found {sum(self.splitting):g}", "splitting"
            )
        return self
