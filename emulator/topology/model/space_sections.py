"""Sections of places and of free-space links: where nodes are, what sends and takes light, what is between.

Owns their keys and the limits of single values. Does not own what they do to light (optics/free_space.py),
nor where a node is at a moment (space/).

Rule: every angle and width says what it measures in its key, and of several ways to say one thing there is
exactly one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema

from ...suggestions import did_you_mean
from ..written.names import shown
from ..written.vocabulary import (
    NoneWord,
    Reading,
    Section,
    is_written,
    missing,
    problem,
    written_keys,
)
from .quantities import (
    AltitudeKm,
    DurationNs,
    ElevationDeg,
    LatitudeDeg,
    LengthKm,
    LongitudeDeg,
    LossDb,
    OrbitAngleDeg,
    PositiveNs,
    Probability,
    Radiance,
    SizeM,
    SmallAngleUrad,
    StructureConstant,
    WavelengthNm,
    WidthNm,
    WindMPerS,
)

#: A visibility below 10 m is no weather.
LEAST_VISIBILITY_KM = 0.01


def _exactly_one(section: Section, keys: tuple[str, ...]) -> None:
    """Raises unless exactly one of these keys (as written) is given."""
    fields = dict(zip(written_keys(type(section)), type(section).model_fields, strict=True))
    given = [key for key in keys if getattr(section, fields[key]) is not None]
    if not given:
        raise missing(keys[0], f"expected one of {', '.join(keys)}")
    if len(given) > 1:
        raise problem(f"{given[0]!r} and {given[1]!r}: expected one of the two", given[1])


# --- places ---------------------------------------------------------------------------------------


class PositionSpec(Section):
    """A place on the ground (WGS 84). `least_elevation_deg`: under which it sees no satellite."""

    latitude_deg: LatitudeDeg = Field(validation_alias="latitude")
    longitude_deg: LongitudeDeg = Field(validation_alias="longitude")
    altitude_km: AltitudeKm = Field(default=0.0, validation_alias="altitude")
    least_elevation_deg: ElevationDeg = Field(default=10.0, validation_alias="minimum_elevation")


class OrbitSpec(Section):
    """An orbit: a circle of some `altitude`, an ellipse of a `semi_major_axis`, mean elements (`tle`, `omm`).

    Altitudes are over the equator's radius, 6378.137 km; the anomaly is the mean one at virtual time 0.
    """

    altitude_km: LengthKm | None = Field(default=None, validation_alias="altitude")
    semi_major_axis_km: LengthKm | None = Field(default=None, validation_alias="semi_major_axis")
    tle: str | list[str] | None = None
    omm: dict[str, Any] | None = None
    eccentricity: float | None = Field(default=None, ge=0, lt=1)
    inclination_deg: OrbitAngleDeg | None = Field(default=None, validation_alias="inclination")
    node_deg: OrbitAngleDeg | None = Field(default=None, validation_alias="ascending_node")
    perigee_deg: OrbitAngleDeg | None = Field(default=None, validation_alias="perigee")
    anomaly_deg: OrbitAngleDeg | None = Field(default=None, validation_alias="anomaly")

    @model_validator(mode="after")
    def _is_one_orbit(self) -> OrbitSpec:
        _exactly_one(self, ("altitude", "semi_major_axis", "tle", "omm"))
        of_ellipses = {"eccentricity": self.eccentricity, "perigee": self.perigee_deg}
        of_all = {
            "inclination": self.inclination_deg,
            "ascending_node": self.node_deg,
            "anomaly": self.anomaly_deg,
        }
        if self.semi_major_axis_km is not None:
            return self
        for key, value in of_ellipses.items():
            if value is not None:
                raise problem(f"{key!r} is of an ellipse: expected 'semi_major_axis' with it", key)
        for key, value in of_all.items():
            if value is not None and self.altitude_km is None:
                raise problem(f"mean elements have their own {key!r}: expected none here", key)
        return self

    @property
    def lines(self) -> list[str]:
        """The lines of `tle`."""
        return self.tle.splitlines() if isinstance(self.tle, str) else list(self.tle or [])


class CloudsSpec(Section):
    """What clouds take from `at_ns` on."""

    at_ns: DurationNs = Field(validation_alias="at")
    loss_db: LossDb = Field(validation_alias="loss")


class WeatherSpec(Section):
    """Clouds over a station: a seeded cover, or a `record`, which a `file` becomes once it is loaded."""

    cover: Probability | None = None
    passage_ns: PositiveNs | None = Field(default=None, validation_alias="passage")
    loss_db: LossDb | None = Field(default=None, validation_alias="loss")
    record: list[CloudsSpec] | None = Field(default=None, min_length=1)
    file: str | None = None

    @model_validator(mode="after")
    def _is_one_weather(self) -> WeatherSpec:
        _exactly_one(self, ("cover", "record", "file"))
        with_cover = {"passage": self.passage_ns, "loss": self.loss_db}
        for key, value in with_cover.items():
            if self.cover is not None and value is None:
                raise missing(key)
            if self.cover is None and value is not None:
                raise problem(f"{key!r} is of a cover: expected none beside a record", key)
        times = [each.at_ns for each in self.record or []]
        if self.record and (times[0] != 0 or any(later <= t for t, later in pairwise(times))):
            raise problem("the times of a record begin at 0 and rise", "record")
        return self


# --- links ----------------------------------------------------------------------------------------


class DivergenceSpec(Section):
    """How wide a beam becomes, in one of four conventions."""

    half_angle_urad: SmallAngleUrad | None = Field(default=None, validation_alias="half_angle")
    full_angle_urad: SmallAngleUrad | None = Field(default=None, validation_alias="full_angle")
    fwhm_urad: SmallAngleUrad | None = Field(default=None, validation_alias="fwhm")
    waist_m: SizeM | None = Field(default=None, validation_alias="waist")

    @model_validator(mode="after")
    def _is_one_convention(self) -> DivergenceSpec:
        _exactly_one(self, ("half_angle", "full_angle", "fwhm", "waist"))
        return self


class TelescopeSpec(Section):
    """A telescope: its diameter, and that of what stands in its middle, as a part of it."""

    aperture_m: SizeM = Field(validation_alias="aperture")
    obscuration: Probability = Field(default=0.0, lt=1)


class BeamSpec(Section):
    """What is sent.

    `transmitter` truncates a beam of a given waist; of another it only is what turbulence meets.
    """

    wavelength_nm: WavelengthNm = Field(validation_alias="wavelength")
    divergence: DivergenceSpec
    transmitter: Annotated[TelescopeSpec | None, NoneWord] = None


class PointingSpec(Section):
    """Errors of the pointing: a standard deviation for each of two axes, and what is always wrong."""

    jitter_urad: SmallAngleUrad = Field(default=0.0, validation_alias="jitter")
    bias_urad: SmallAngleUrad = Field(default=0.0, validation_alias="bias")


class AirSpec(Section):
    """What the atmosphere leaves at an elevation."""

    elevation_deg: ElevationDeg = Field(validation_alias="elevation")
    transmittance: Probability = Field(gt=0)


class TurbulenceSpec(Section):
    """Hufnagel and Valley's profile: wind aloft, and Cn^2 at the ground, all that a horizontal link meets."""

    wind_m_per_s: WindMPerS = Field(default=21.0, validation_alias="wind")
    ground: StructureConstant = 1.7e-14


class AtmosphereSpec(Section):
    """The air on the way: at the zenith, by a table of elevations, or of haze near the ground."""

    zenith_transmittance: Probability | None = Field(default=None, gt=0)
    table: list[AirSpec] | None = Field(default=None, min_length=1)
    visibility_km: LengthKm | None = Field(default=None, validation_alias="visibility")
    turbulence: Annotated[TurbulenceSpec | None, NoneWord] = None

    @model_validator(mode="after")
    def _is_one_air(self) -> AtmosphereSpec:
        keys = ("zenith_transmittance", "table", "visibility")
        if self.turbulence is None or any(
            value is not None
            for value in (self.zenith_transmittance, self.table, self.visibility_km)
        ):
            _exactly_one(self, keys)
        if self.visibility_km is not None and self.visibility_km < LEAST_VISIBILITY_KM:
            raise problem("a visibility below 10 m: expected more", "visibility")
        angles = [each.elevation_deg for each in self.table or []]
        if any(higher <= angle for angle, higher in pairwise(angles)):
            raise problem("the elevations of the table do not rise", "table")
        return self


class FadingSpec(Section):
    """Fades drawn in blocks of `correlation_ns`, instead of their mean."""

    correlation_ns: PositiveNs = Field(validation_alias="correlation")


SkyName = Literal["bright_sun", "normal_sun", "overcast", "full_moon", "night", "moonless"]
_SKY_WORDS = ("auto", *get_args(SkyName))


class SkySpec(Section):
    """Which sky it is by day, and by night. A word in a file is one sky all day, or `auto`: these."""

    day: SkyName = "normal_sun"
    night: SkyName = "moonless"


class _SkyWord(Reading):
    """Annotation of a sky that a word may say in a file."""

    def _validate(self, value: Any, info: ValidationInfo[Any]) -> Any:
        if not is_written(info) or isinstance(value, dict):
            return value
        if value not in _SKY_WORDS:
            words = ", ".join(_SKY_WORDS)
            raise problem(
                f"expected one of {words}, or a mapping of day and night, found {shown(value)}"
                f"{did_you_mean(str(value), _SKY_WORDS)}"
            )
        return {} if value == "auto" else {"day": value, "night": value}

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        choices = [each for each in handler(schema)["anyOf"] if each.get("type") != "null"]
        return {"anyOf": [{"enum": [*_SKY_WORDS]}, *choices]}


class BackgroundSpec(Section):
    """Light of the sky in the receiver: a radiance in W/(m2 sr um) or a sky, which may follow the sun.

    `field_of_view_urad` is a full angle.
    """

    radiance: Radiance | None = None
    sky: Annotated[SkySpec | None, _SkyWord()] = None
    field_of_view_urad: SmallAngleUrad = Field(validation_alias="field_of_view")
    filter_width_nm: WidthNm = Field(validation_alias="filter")

    @model_validator(mode="after")
    def _is_one_sky(self) -> BackgroundSpec:
        _exactly_one(self, ("radiance", "sky"))
        return self

    @property
    def follows(self) -> SkySpec | None:
        """The sky, if it follows the sun."""
        return None if self.sky is None or self.sky.day == self.sky.night else self.sky


#: Keys of a link's `quantum:` that one medium has, as written.
OF_FREE_SPACE = ("beam", "telescope", "pointing", "atmosphere", "background", "fading")
OF_FIBRES = (
    "preset",
    "attenuation",
    "group_index",
    "dispersion",
    "dispersion_slope",
    "pmd",
    "thermal_delay",
    "coexistence",
)
