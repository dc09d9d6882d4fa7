"""Sections below a link's `quantum:` that describe its light and its surroundings.

Owns their keys and the limits of single values. Does not own what they do to light (optics/), nor what
only physics can judge, such as a linewidth below its transform limit (loading/preflight.py).

Rule: widths and durations are rms, angles those of polarisers, powers those at the fibre's input.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..written.vocabulary import NoneWord, Section
from .quantities import (
    AmplitudeRad,
    AttenuationDbPerKm,
    DriftRad2PerS,
    FrequencyHz,
    LinewidthNmOrNone,
    PositiveNs,
    PowerDbm,
    RamanPerKmNmOrMeasured,
    ShortTimePs,
    TemperatureK,
    WavelengthNm,
    WidthNm,
)


class PulseSpec(Section):
    """The light that carries a qubit: a Gaussian pulse. `linewidth_nm` None: transform limited."""

    wavelength_nm: WavelengthNm = Field(default=1550.0, validation_alias="wavelength")
    duration_ps: ShortTimePs = Field(default=50.0, validation_alias="duration")
    linewidth_nm: LinewidthNmOrNone = Field(default=None, validation_alias="linewidth")


class VibrationSpec(Section):
    """A sinusoidal optical phase."""

    amplitude_rad: AmplitudeRad = Field(validation_alias="amplitude")
    frequency_hz: FrequencyHz = Field(validation_alias="frequency")


class TemperatureSpec(Section):
    """How far the fibre's temperature is from the one its delay was stated for."""

    swing_k: TemperatureK = Field(default=0.0, validation_alias="swing")
    period_ns: PositiveNs = Field(default=86_400 * 10**9, validation_alias="period")
    fluctuation_k: TemperatureK = Field(default=0.0, validation_alias="fluctuation")
    correlation_ns: PositiveNs = Field(default=600 * 10**9, validation_alias="correlation")


class EnvironmentSpec(Section):
    """What wanders round a fibre; nothing changes within a cell of the grid."""

    grid_ns: PositiveNs = Field(validation_alias="grid")
    polarisation_drift_rad2_per_s: DriftRad2PerS = Field(
        default=0.0, validation_alias="polarisation_drift"
    )
    phase_drift_rad2_per_s: DriftRad2PerS = Field(default=0.0, validation_alias="phase_drift")
    vibrations: list[VibrationSpec] = Field(default_factory=list)
    temperature: Annotated[TemperatureSpec | None, NoneWord] = None


class ClassicalChannelsSpec(Section):
    """Classical channels in the same fibre. `direction` is relative to light from the first end.

    `rho_per_km_nm` None: the measured Raman coefficient of that shift in wavelength.
    """

    launch_power_dbm: PowerDbm = Field(validation_alias="power")
    count: int = Field(default=1, ge=1, le=10_000)
    direction: Literal["co", "counter"] = "co"
    wavelength_nm: WavelengthNm = Field(default=1550.0, validation_alias="wavelength")
    attenuation_db_per_km: AttenuationDbPerKm = Field(default=0.2, validation_alias="attenuation")
    rho_per_km_nm: RamanPerKmNmOrMeasured = Field(default=None, validation_alias="rho")


class CoexistenceSpec(Section):
    """Classical channels beside the quantum one, and the filter in front of its receiver."""

    filter_width_nm: WidthNm = Field(validation_alias="filter")
    channels: list[ClassicalChannelsSpec] = Field(min_length=1)
