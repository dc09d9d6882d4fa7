"""Sections of a node for pulse trains: the source it sends with, the detectors it receives with.

Owns their keys and the limits of single values. Does not own what they do (devices/, optics/), nor
what needs both ends of a link (quantum/pulses/sending.py, reception.py). Rule: both sections are optional;
a node without them has no source, or no detectors, and its program gets an error when it asks for them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from ...wire import MOST_SETTINGS
from ..written.names import shown
from ..written.vocabulary import Section, is_partial, is_written, missing, problem, written_keys
from .quantities import Fidelity, FrequencyHz, Probability, Quantity, RateHz, ShortTimePsOrNone

#: Noise counts in each slot of a detector; more are no detector, and take memory without end.
MOST_COUNTS = 10

DurationPs = Annotated[float, Quantity("short time", high=1e12)]
MeanPhotonNumber = Annotated[float, Quantity("number", high=200.0)]
Correlation = Annotated[float, Quantity("number", high=1.0)]
#: Beyond one pair a slot two photons are no pair any more.
MeanPairs = Annotated[float, Quantity("number", high=1.0)]
#: Beyond a pair in 10 ps pairs are no longer apart in any detector.
PairRateHz = Annotated[float, Quantity("frequency", above=True, high=1e11)]


#: Slower rates are refused before their period is looked at, which may be no number.
_SLOWEST_HZ = 0.5
SourceKind = Literal["weak_coherent", "single_photon", "emitter", "spdc", "spdc_cw"]
#: The slots of a source without a clock: what times are counted in.
TIME_PS = 1
#: Kind -> the keys it cannot do without, and those it may have. All kinds with slots have `rate`, too.
_KEYS: dict[SourceKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "weak_coherent": ((), ("intensities", "probabilities")),
    "single_photon": ((), ("brightness", "g2", "probabilities")),
    "emitter": (
        ("collection",),
        ("lifetime", "window", "double_excitation", "probabilities"),
    ),
    "spdc": (("mean_pairs",), ("statistics", "fidelity")),
    "spdc_cw": (("pair_rate",), ("fidelity",)),
}
#: Kind -> every key it takes.
SOURCE_KEYS: dict[str, tuple[str, ...]] = {
    kind: ("kind", *(() if kind == "spdc_cw" else ("rate",)), *required, *optional)
    for kind, (required, optional) in _KEYS.items()
}
_DEFAULT_INTENSITIES = (0.5, 0.1, 0.0)


class SourceSpec(Section):
    """What a node sends pulse trains with. None is a key that was not given.

    `weak_coherent`: an attenuated laser with a table of mean photon numbers, signal first by custom.
    `single_photon`: an emitter with `brightness`, P(1) where the fibre begins, and `g2`. `emitter`: an
    atom by its parts, of whose photon the slot holds what falls into `window` (if not given, the
    whole slot). `spdc`: pairs from down-conversion, `mean_pairs` a slot. `spdc_cw`: the same, pumped without
    a pause: `pair_rate` pairs a second at random times, in ps. `probabilities` is how often a node draws each
    setting unless its program says otherwise; without them, all alike.
    """

    kind: SourceKind = "weak_coherent"
    rate_hz: FrequencyHz = Field(default=1e9, validation_alias="rate")
    probabilities: list[Probability] | None = None

    intensities: list[MeanPhotonNumber] | None = Field(
        default=None, min_length=1, max_length=MOST_SETTINGS
    )

    brightness: Probability | None = None
    g2: Correlation | None = None

    collection: Probability | None = None
    lifetime_ps: ShortTimePsOrNone = Field(default=None, validation_alias="lifetime")
    window_ps: ShortTimePsOrNone = Field(default=None, validation_alias="window")
    double_excitation: Probability | None = None

    mean_pairs: MeanPairs | None = None
    statistics: Literal["polarisation", "thermal", "poisson"] | None = None
    pair_rate_hz: PairRateHz | None = Field(default=None, validation_alias="pair_rate")
    fidelity: Fidelity | None = None

    @model_validator(mode="after")
    def _can_be_built(self, info: ValidationInfo[Any]) -> SourceSpec:
        if not is_partial(info) or "kind" in self.model_fields_set:
            self._has_no_key_of_another_kind(is_written(info))
        if not is_partial(info):
            self._is_complete()
        return self

    def _is_complete(self) -> None:
        """What the section can only be judged by as a whole."""
        given = self._given()
        lacking = [key for key in _KEYS[self.kind][0] if key not in given]
        if lacking:
            raise missing(lacking[0])
        if not self.clocked:
            return
        if self.rate_hz < _SLOWEST_HZ or not 1 <= self.period_ps <= 10**12:
            raise problem(
                f"expected a rate from 1 Hz to 1000 GHz (a slot is a whole number of ps), found "
                f"{self.rate_hz:g} Hz",
                "rate",
            )
        self._draws_each_setting_somehow()
        self._has_so_many_photons()
        if self.window_ps is not None and self.window_ps > self.period_ps:
            raise problem(
                f"expected a window of at most the slot, {self.period_ps} ps at this rate, found "
                f"{self.window_ps:g} ps",
                "window",
            )

    def _given(self) -> list[str]:
        fields = zip(written_keys(type(self)), type(self).model_fields, strict=True)
        return [key for key, name in fields if getattr(self, name) is not None]

    def _has_no_key_of_another_kind(self, written: bool) -> None:
        has_rate = written and "rate_hz" in self.model_fields_set  # else there is its default
        for key in self._given():
            if key not in SOURCE_KEYS[self.kind] and (key != "rate" or has_rate):
                kinds = [kind for kind, keys in SOURCE_KEYS.items() if key in keys]
                raise problem(
                    f"{shown(key)} is no key of kind: {self.kind}, but of {', '.join(kinds)}", key
                )

    def _has_so_many_photons(self) -> None:
        g2, brightness = self.g2 or 0.0, 1.0 if self.brightness is None else self.brightness
        if 4 * g2 * brightness > 1:
            raise problem(
                f"expected g2 of at most 1/(4 brightness) = {1 / (4 * brightness):g}, found "
                f"{g2:g}: with at most two photons in a pulse there is no more",
                "g2",
            )
        most = 2 * (1 - brightness) / (2 - brightness) ** 2  # P(2) = 1 - P(1)
        if 3 * brightness > 2 and g2 > most:
            raise problem(
                f"expected g2 of at most {most:g} at brightness {brightness:g}, found {g2:g}: one photon "
                "and two would be there more often than always",
                "g2",
            )

    def _draws_each_setting_somehow(self) -> None:
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

    @property
    def clocked(self) -> bool:
        """Whether it sends in slots; else at any time."""
        return self.kind != "spdc_cw"

    @property
    def period_ps(self) -> int:
        """The length of a slot."""
        return round(1e12 / self.rate_hz) if self.clocked else TIME_PS

    @property
    def table(self) -> list[float]:
        """The mean photon numbers of a laser's settings."""
        return list(_DEFAULT_INTENSITIES if self.intensities is None else self.intensities)

    @property
    def settings(self) -> int:
        """How many settings there are to choose from."""
        return len(self.table) if self.kind == "weak_coherent" else 1


class DetectorSpec(Section):
    """What a node receives pulse trains with: its optics, and detectors that are alike but for `mismatch`.

    `splitting` None: the node chooses the basis of each slot (active); else a beam splitter does, and
    these are its shares for the bases Z and X. `transmittance` is that of the optics. `mismatch`: of light
    that comes early in its slot detectors of bit 1 see this share, of late light those of bit 0.
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
    mismatch: Probability = 1.0

    def open_ps(self, period_ps: int) -> float:
        """How long the gate is open in a slot."""
        return period_ps if self.gate_ps is None else min(self.gate_ps, period_ps)

    @model_validator(mode="after")
    def _can_be_built(self) -> DetectorSpec:
        if self.afterpulse_probability == 1:
            raise problem("expected a probability below 1: one count would never end", "afterpulse")
        if self.splitting is not None and abs(sum(self.splitting) - 1) > 1e-9:
            raise problem(
                f"expected shares that sum to 1, found {sum(self.splitting):g}", "splitting"
            )
        return self
