"""The section `entangle:` of a link: what heralds pairs on it, of whichever kind.

Owns its keys, which of them each kind takes, and which it cannot do without. Does not own what a kind
comes to (quantum/links/heralding.py, heralding/), nor published sets of values (presets.py).

Rules: None is a key that was not given; what it then is, is the kind's to say. A key of another kind is
refused, never ignored. What is missing here may stand in another layer of the file.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..written.names import shown
from ..written.vocabulary import Section, missing, problem, written_keys
from .quantities import (
    AmplitudeRad,
    DurationNs,
    Fidelity,
    PositiveNs,
    Probability,
    RateHz,
    ShortTimePs,
    ShortTimePsOrNone,
)

HeraldingKind = Literal["simple", "single_click", "double_click", "midpoint_source"]
HeraldingPresetName = Literal["delft_nv_2019", "oxford_sr_2020"]

#: Keys that every kind takes.
_COMMON = ("kind", "preset", "multiplexing")
_LIGHT = ("emitter", "first", "second")
_CLICKS = ("preparation", "station", "visibility", "detector", "detection", *_LIGHT)
#: Kind -> the keys it cannot do without, and those it may have.
_KEYS: dict[HeraldingKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "simple": (("success", "fidelity", "attempt"), ()),
    "single_click": (
        ("alpha",),
        (*_CLICKS, "phase_noise", "stabilisation", "double_excitation", "incoherent_darks"),
    ),
    "double_click": ((), (*_CLICKS, "depolarising")),
    "midpoint_source": (
        ("clock", "pair_probability"),
        ("station", "pair_fidelity", "latching", "dark_probability"),
    ),
}


class EmitterSpec(Section):
    """What an excited emitter gives into the fibre: a product of probabilities, each 1 if not given.

    `lifetime_ps` of the excited state; None: all of the light falls into the detectors' window.
    """

    emission: Probability = 1.0
    zero_phonon: Probability = 1.0
    collection: Probability = 1.0
    conversion: Probability = 1.0
    lifetime_ps: ShortTimePsOrNone = Field(default=None, validation_alias="lifetime")


class ClickDetectorSpec(Section):
    """The station's detectors, all alike. `window_ps` is how long an attempt keeps them open."""

    efficiency: Probability | None = None
    dark_count_rate_hz: RateHz = Field(default=0.0, validation_alias="dark_count_rate")
    window_ps: ShortTimePs = Field(validation_alias="window")


class DetectionSpec(Section):
    """Total detection probabilities of the ends' photons, from the emitter to the click."""

    first: Probability
    second: Probability


class LatchingSpec(Section):
    """Probability that an end's memory latches a photon that has reached it.

    `window_ps` is how long it is open in each period; None: not known, so that stray light cannot be counted.
    """

    first: Probability = 1.0
    second: Probability = 1.0
    window_ps: ShortTimePsOrNone = Field(default=None, validation_alias="window")


class EntangleSpec(Section):
    """What heralds pairs. `kind` simple: attempts of `success` give Werner pairs of `fidelity`.

    The others are those of heralding/. `station` is where the middle stands, from 0 (first end) to 1.
    `first` and `second` are those ends' emitters, in the place of `emitter`. `preset` is what was named
    in the file: its values are in the fields already.
    """

    kind: HeraldingKind = "simple"
    preset: HeraldingPresetName | None = None
    multiplexing: int = Field(default=1, ge=1)

    success: Probability | None = None
    fidelity: Fidelity | None = None
    attempt_ns: PositiveNs | None = Field(default=None, validation_alias="attempt")

    station: Probability | None = None
    preparation_ns: DurationNs | None = Field(default=None, validation_alias="preparation")
    visibility: Probability | None = None
    detector: ClickDetectorSpec | None = None
    detection: DetectionSpec | None = None
    emitter: EmitterSpec | None = None
    first: EmitterSpec | None = None
    second: EmitterSpec | None = None

    alpha: Probability | None = None
    phase_noise_rad: AmplitudeRad | None = Field(default=None, validation_alias="phase_noise")
    stabilisation_ns: PositiveNs | None = Field(default=None, validation_alias="stabilisation")
    double_excitation: Probability | None = None
    incoherent_darks: bool | None = None

    depolarising: Probability | None = None

    clock_ns: PositiveNs | None = Field(default=None, validation_alias="clock")
    pair_probability: Probability | None = None
    pair_fidelity: Fidelity | None = None
    latching: LatchingSpec | None = None
    dark_probability: Probability | None = None

    @model_validator(mode="after")
    def _has_the_keys_of_its_kind(self) -> EntangleSpec:
        required, optional = _KEYS[self.kind]
        given = self._given()
        foreign = [key for key in given if key not in required and key not in optional]
        lacking = [key for key in required if key not in given]
        if lacking and foreign:
            raise missing(
                lacking[0], f"{lacking[0]!r} is missing, and {self._not_ours(foreign[0])}"
            )
        if lacking:
            raise missing(lacking[0])
        if "detection" in optional:
            self._tells_what_is_detected()
        if foreign:
            raise problem(self._not_ours(foreign[0]), foreign[0])
        return self

    def _given(self) -> list[str]:
        """The keys that were given, but for the common ones."""
        fields = zip(written_keys(type(self)), type(self).model_fields, strict=True)
        return [
            key for key, name in fields if key not in _COMMON and getattr(self, name) is not None
        ]

    def _not_ours(self, key: str) -> str:
        kinds = [kind for kind, (needed, more) in _KEYS.items() if key in needed or key in more]
        return f"{shown(key)} is no key of kind: {self.kind}, but of {', '.join(kinds)}"

    def _tells_what_is_detected(self) -> None:
        """How much of the light clicks: as a whole, or by emitter, fibre and detector."""
        parts = [key for key in _LIGHT if getattr(self, key) is not None]
        if self.detection is not None:
            if parts:
                raise problem(
                    f"holds everything from the emitter to the click: expected no {parts[0]!r} beside it",
                    "detection",
                )
            if self.detector is not None and self.detector.efficiency is not None:
                raise problem(
                    "'detection' holds the detectors' efficiency already: expected no 'efficiency' "
                    "beside it",
                    "detector",
                )
        elif not parts:
            raise missing("detection", "'detection' is missing, or 'emitter' and 'detector'")
        elif self.detector is None:
            raise missing("detector")
        elif self.emitter is None and len(parts) < 2:
            raise missing("second" if parts == ["first"] else "first")
