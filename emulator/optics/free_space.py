"""A beam through air and vacuum: how much of it a telescope takes, how late, with how much light of the sky.

Owns what free space does to light: `Optics` is what stands at the ends and between, `FreeSpaceLink` the link
at a time. Does not own the formulas of each effect (closed_forms/), where the ends are (space/), nor what
damages a qubit as in a fibre (fibre.py). Draws nothing: whether a photon survives is drawn by the link
(quantum/links/).

Theory of operation. The transmittance is a product: the part of a Gaussian beam that the aperture catches, on
average over pointing errors and beam wander, the air, the telescope's and all other losses, the clouds. It is
the mean over what fluctuates in less than a second: counts of single photons follow the mean.

Rules. All depends on time, direction and parameters only. While ends move it changes at whole `GRID_NS` and
where contacts begin and end, and is that of the middle of its cell: within 0.05 dB of the exact one for
orbits of 400 km and more. Time of flight has no cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from ..closed_forms import fibre_latency_ns, free_space, turbulence
from ..errors import InputError
from ..space.contacts import Geometry
from ..space.earth import Station
from .dispersion import Pulse
from .fading import FadeShape, Fading, Floats
from .fibre import Fibre, FibreLink, MediumState

GRID_NS = 10**9
#: Cells whose transmittance is kept at hand.
_CELLS_AT_HAND = 4096
#: Below that radius of the aperture by the beam's, pointing errors have a closed form.
_SMALL = 0.05
#: Higher than that there is no link through air (and no airmass below the horizon).
_HORIZON_DEG = 0.0


class Weather(Protocol):
    """The clouds over a station."""

    def at(self, t_ns: int) -> tuple[float, int]:
        """The loss at a moment in dB, and until when it stays."""


class Sky(Protocol):
    """The light of a sky that changes."""

    @property
    def brightest_hz(self) -> float:
        """Its most photons per second."""

    def at(self, t_ns: int) -> tuple[float, int]:
        """Photons per second at a moment, and until when they stay so many."""


@dataclass(frozen=True, slots=True)
class Air:
    """What the air leaves, and how it bends light.

    One of three ways to say it: at the zenith; by a table of (elevation in degrees, transmittance), its
    logarithm on straight lines over the airmass; or by a visibility in km, for a way near the ground.
    `wind_m_per_s` None: the air is still.
    """

    zenith_transmittance: float | None = None
    table: tuple[tuple[float, float], ...] = ()
    visibility_km: float | None = None
    wind_m_per_s: float | None = None
    ground: float = turbulence.HV57_GROUND

    def transmittance(
        self, elevation_deg: float | None, distance_km: float, wavelength_nm: float
    ) -> float:
        """At an elevation, or near the ground (None)."""
        if self.visibility_km is not None:
            return free_space.haze_transmittance(distance_km, self.visibility_km, wavelength_nm)
        if elevation_deg is None:
            return 1.0
        elevation_deg = max(_HORIZON_DEG, elevation_deg)
        if self.table:
            return self._by_table(elevation_deg)
        if self.zenith_transmittance is None:
            return 1.0
        return free_space.slant_transmittance(self.zenith_transmittance, elevation_deg)

    def _by_table(self, elevation_deg: float) -> float:
        rows = [(free_space.relative_airmass(e), math.log(t)) for e, t in self.table]
        mass = free_space.relative_airmass(elevation_deg)
        if len(rows) == 1:
            return math.exp(rows[0][1] * mass / rows[0][0])
        index = next((i for i in range(len(rows) - 2) if mass >= rows[i + 1][0]), len(rows) - 2)
        (m1, l1), (m2, l2) = rows[index], rows[index + 1]
        return math.exp(min(0.0, l1 + (l2 - l1) * (mass - m1) / (m2 - m1)))


@dataclass(frozen=True, slots=True)
class Optics:
    """What sends, takes and disturbs light. Angles in microrad, half angles to 1/e^2, jitter for each axis.

    `waist_m` of a beam that diffraction alone widens, which `transmitter_m` truncates; of one with a
    `half_angle_urad` that is wider than its waist needs, the transmitter is only what turbulence meets on the
    way up.
    """

    wavelength_nm: float
    half_angle_urad: float
    aperture_m: float
    waist_m: float | None = None
    transmitter_m: float | None = None
    transmitter_obscuration: float = 0.0
    obscuration: float = 0.0
    jitter_urad: float = 0.0
    bias_urad: float = 0.0
    air: Air = Air()

    def __post_init__(self) -> None:
        if self.half_angle_urad <= 0:
            raise InputError("beam: a divergence of 0, expected more: no beam stays parallel")
        if self.waist_m is None and self.transmitter_m is not None:
            least_urad = free_space.half_angle_of_waist(self.transmitter_m / 2, self.wavelength_nm)
            if self.half_angle_urad < least_urad:
                raise InputError(
                    f"beam: a half angle of {self.half_angle_urad:.4g} urad from a transmitter of "
                    f"{self.transmitter_m:g} m: expected at least the {least_urad:.4g} urad of diffraction"
                )

    @property
    def _start_m(self) -> float:
        """The beam's radius where it begins: what diffraction needs for its divergence, if that is given."""
        if self.waist_m is not None:
            return self.waist_m
        return self.wavelength_nm * 1e-9 / (math.pi * self.half_angle_urad * 1e-6)

    def caught(
        self, distance_km: float, elevation_deg: float | None = None, uplink: bool = False
    ) -> float:
        """Mean part of the light in the receiver's aperture; an elevation of None is near the ground."""
        radius_m, wander_m, bias_m = self._beam(distance_km, elevation_deg, uplink)
        return self._through() * self._in_aperture(radius_m, wander_m, bias_m)

    def fades(
        self, distance_km: float, elevation_deg: float | None = None, uplink: bool = False
    ) -> FadeShape:
        """What makes that fade; a beam on its way up is spread already by what the air does to its centre."""
        radius_m, wander_m, bias_m = self._beam(distance_km, elevation_deg, uplink)
        index = self._scintillation(distance_km, elevation_deg, uplink)
        variance = turbulence.scintillation_variance(index)
        if not wander_m:
            return FadeShape(variance)
        most, exponent, scale_m = turbulence.wandering_beam(radius_m, self.aperture_m)
        mean = turbulence.wander_transmittance(radius_m, self.aperture_m, wander_m, bias_m) / most
        return FadeShape(variance, wander_m / scale_m, bias_m / scale_m, exponent, mean)

    def _scintillation(
        self, distance_km: float, elevation_deg: float | None, uplink: bool
    ) -> float:
        """The index of what the aperture takes; one in orbit is small in what flickers as a whole."""
        air, wavelength_nm = self.air, self.wavelength_nm
        if air.wind_m_per_s is None:
            return 0.0
        if elevation_deg is None:
            rytov = turbulence.horizontal_rytov_variance(air.ground, wavelength_nm, distance_km)
            averaged = turbulence.horizontal_aperture_averaging(
                self.aperture_m, wavelength_nm, distance_km
            )
            return turbulence.scintillation_index(rytov) * averaged
        profile = max(1.0, elevation_deg), air.wind_m_per_s, air.ground
        index = turbulence.scintillation_index(turbulence.rytov_variance(wavelength_nm, *profile))
        if uplink:
            return index
        return index * turbulence.aperture_averaging(self.aperture_m, wavelength_nm, *profile)

    def _beam(
        self, distance_km: float, elevation_deg: float | None, uplink: bool
    ) -> tuple[float, float, float]:
        """In m: its radius at the receiver, how far its centre wanders in each axis, how far it is off."""
        radius_m = free_space.beam_radius_m(self._start_m, self.wavelength_nm, distance_km)
        wander_m = self.jitter_urad * distance_km * 1e-3
        if self.air.wind_m_per_s is not None:
            if elevation_deg is None:
                by_air = turbulence.horizontal_wander_m(self.air.ground, distance_km, self._start_m)
                wander_m = math.hypot(wander_m, by_air)
            elif uplink:
                radius_m *= self._spread(elevation_deg)
        return radius_m, wander_m, self.bias_urad * distance_km * 1e-3

    def _spread(self, elevation_deg: float) -> float:
        assert self.air.wind_m_per_s is not None
        fried_m = turbulence.fried_parameter_m(
            self.wavelength_nm, max(1.0, elevation_deg), self.air.wind_m_per_s, self.air.ground
        )
        return turbulence.uplink_spread(self.transmitter_m or 2 * self._start_m, fried_m)

    def _in_aperture(self, radius_m: float, wander_m: float, bias_m: float) -> float:
        caught = free_space.aperture_capture(radius_m, self.aperture_m, self.obscuration)
        if not wander_m and not bias_m:
            return caught
        if self.aperture_m / 2 < _SMALL * radius_m:
            return caught * free_space.pointing_transmittance(radius_m, wander_m, bias_m)
        on_axis = free_space.aperture_capture(radius_m, self.aperture_m)
        wandering = turbulence.wander_transmittance(radius_m, self.aperture_m, wander_m, bias_m)
        return min(1.0, wandering * caught / on_axis)

    def _through(self) -> float:
        """What the transmitter leaves of a beam by its waist: on the axis, far away."""
        if self.waist_m is None or self.transmitter_m is None:
            return 1.0
        edge = (self.transmitter_m / 2 / self.waist_m) ** 2
        hole = edge * self.transmitter_obscuration**2
        return (math.exp(-hole) - math.exp(-edge)) ** 2


class FreeSpaceLink:
    """A beam between two places. `bare` has what else light suffers, as a fibre of no length.

    `geometry` says where the ends are; without one, or while they stand still, the way is `length_km`, near
    the ground. `background_hz` counts photons of the sky in the receiver's aperture, or a `sky` does that
    changes; `weather` is that of both ends.
    """

    #: As a fibre's; nothing here drifts.
    environment = None
    raman_noise = None

    def __init__(
        self,
        optics: Optics,
        bare: Fibre,
        length_km: float,
        geometry: Geometry | None = None,
        background_hz: float = 0.0,
        weather: Sequence[Weather] = (),
        pulse: Pulse | None = None,
        clear: bool = False,
        sky: Sky | None = None,
        fading: Fading | None = None,
    ) -> None:
        self.optics, self.bare, self.length_km, self.geometry = optics, bare, length_km, geometry
        self.background_hz, self.weather, self.pulse = background_hz, tuple(weather), pulse
        self._clear, self.sky = clear, sky
        #: None: only the mean comes through.
        self.fading = None if clear else fading
        self.moves = geometry is not None and geometry.moves
        straight = FibreLink(bare)
        #: What damages a qubit, by direction.
        self._damage = {reverse: straight.at(0, reverse).noise for reverse in (False, True)}
        self._spread_ps = pulse.duration_ps if pulse is not None else 0.0
        #: The latest state for each direction, and the beginning of its cell.
        self._latest: dict[bool, tuple[int, MediumState]] = {}
        self._clear_cell = lru_cache(_CELLS_AT_HAND)(self._clear_of)
        self._shape = lru_cache(_CELLS_AT_HAND)(self._fade_shape)

    def at(self, t_ns: int, reverse: bool = False) -> MediumState:
        """The link for light that enters at `t_ns`; `reverse`: at the second end, towards the first."""
        latest = self._latest.get(reverse)
        if latest is not None:
            since_ns, state = latest
            if since_ns <= t_ns and (state.valid_until_ns is None or t_ns < state.valid_until_ns):
                return state
        latest = self._latest[reverse] = self._cell(t_ns, reverse)
        return latest[1]

    def transmittance(self, t_ns: int, reverse: bool = False) -> float:
        """That of a moment, without cells and clouds; 0 while the ends do not see each other."""
        if self._clear:
            return self.bare.transmittance
        if self.geometry is None or not self.moves:
            distance_km, elevation_deg = self.length_km, None
        elif not self.geometry.contact_at(t_ns).open:
            return 0.0
        else:
            distance_km = self.geometry.range_km(t_ns)
            elevation_deg = self.geometry.elevation_deg(t_ns)
        optics = self.optics
        caught = optics.caught(distance_km, elevation_deg, self._rises(reverse))
        if self.moves and elevation_deg is None:
            return caught * self.bare.transmittance
        air = optics.air.transmittance(elevation_deg, distance_km, optics.wavelength_nm)
        return caught * air * self.bare.transmittance

    def fades(self, from_ns: int, until_ns: int, reverse: bool = False) -> Floats:
        """By what the mean is multiplied in each block of the correlation time, of a stretch in one cell."""
        assert self.fading is not None
        middle_ns = self._middle_ns(from_ns) if self.moves else 0
        shape = self._shape(middle_ns, reverse)
        return self.fading.factors(shape, from_ns, until_ns, reverse)

    def fade(self, t_ns: int, reverse: bool = False) -> float:
        """The factor at a moment; 1 if nothing fades."""
        return 1.0 if self.fading is None else float(self.fades(t_ns, t_ns + 1, reverse)[0])

    def _fade_shape(self, t_ns: int, reverse: bool) -> FadeShape:
        if self.geometry is None or not self.moves:
            return self.optics.fades(self.length_km)
        if not self.geometry.contact_at(t_ns).open:
            return FadeShape()
        distance_km = self.geometry.range_km(t_ns)
        elevation_deg = self.geometry.elevation_deg(t_ns)
        return self.optics.fades(distance_km, elevation_deg, self._rises(reverse))

    @property
    def changes(self) -> bool:
        """Whether anything about it does: ends, clouds or sky."""
        return self.moves or bool(self.weather) or self.sky is not None

    def noise_rate_hz(self, t_ns: int) -> float:
        """Photons per second of the sky at a moment."""
        return self.background_hz if self.sky is None else self.sky.at(t_ns)[0]

    def delay_ns(self, t_ns: int, reverse: bool = False) -> int:
        """Time of flight of light that enters at `t_ns`."""
        if self.geometry is None or not self.moves:
            return fibre_latency_ns(self.length_km, 1.0)
        return self.geometry.delay_ns(t_ns, reverse)

    def train_delay_ns(self, start_ns: int, t_ns: int, reverse: bool = False) -> int:
        """As `delay_ns`: a satellite's range changes by kilometres in a second."""
        del start_ns
        return self.delay_ns(t_ns, reverse)

    def changed(
        self, loss_db: float, misalignment_rad: float, lossless: bool, pointing_urad: float = 0.0
    ) -> FreeSpaceLink:
        """With more loss, or with none at all, its frames turned further, and the beam further off."""
        optics = replace(self.optics, bias_urad=self.optics.bias_urad + pointing_urad)
        bare = Fibre(
            length_km=0.0,
            insertion_loss_db=0.0 if lossless else self.bare.insertion_loss_db + loss_db,
            group_index=1.0,
            depolarising=self.bare.depolarising,
            dephasing=self.bare.dephasing,
            misalignment_rad=self.bare.misalignment_rad + misalignment_rad,
        )
        return FreeSpaceLink(
            optics,
            bare,
            self.length_km,
            self.geometry,
            self.background_hz,
            self.weather,
            self.pulse,
            lossless,
            self.sky,
            self.fading,
        )

    def _rises(self, reverse: bool) -> bool:
        """Whether the light begins at a station and does not end at one."""
        if self.geometry is None:
            return False
        first, second = (isinstance(place, Station) for place in self.geometry.places)
        return (second and not first) if reverse else (first and not second)

    def _cell(self, t_ns: int, reverse: bool) -> tuple[int, MediumState]:
        """The cell of a moment: when it begins, and what holds in it."""
        since_ns: int = 0
        until_ns: int | None = None
        if self.moves:
            since_ns, until_ns = self._borders_ns(t_ns)
        middle_ns = t_ns if until_ns is None else (since_ns + until_ns) // 2
        eta, delay_s = self._clear_cell(middle_ns if self.moves else 0, reverse)
        for weather in () if self._clear else self.weather:
            loss_db, changes_ns = weather.at(t_ns)
            eta *= 10 ** (-loss_db / 10)
            until_ns = changes_ns if until_ns is None else min(until_ns, changes_ns)
            since_ns = t_ns  # clouds are looked at forwards only
        noise_hz = self.background_hz
        if self.sky is not None:
            noise_hz, changes_ns = self.sky.at(t_ns)
            until_ns = changes_ns if until_ns is None else min(until_ns, changes_ns)
            since_ns = t_ns
        state = MediumState(
            transmittance=eta,
            delay_s=delay_s,
            noise=self._damage[reverse],
            spread_ps=self._spread_ps,
            noise_rate_hz=noise_hz,
            valid_until_ns=until_ns,
        )
        return since_ns, state

    def _clear_of(self, t_ns: int, reverse: bool) -> tuple[float, float]:
        """Transmittance without clouds and time of flight in s at a moment."""
        return self.transmittance(t_ns, reverse), self.delay_ns(t_ns, reverse) * 1e-9

    def _middle_ns(self, t_ns: int) -> int:
        return sum(self._borders_ns(t_ns)) // 2

    def _borders_ns(self, t_ns: int) -> tuple[int, int]:
        """The cell of a moment between ends that move, clouds and sky aside."""
        assert self.geometry is not None
        contact = self.geometry.contact_at(t_ns)
        if not contact.open:
            return contact.since_ns, contact.until_ns
        cell_ns = t_ns // GRID_NS * GRID_NS
        return max(contact.since_ns, cell_ns), min(contact.until_ns, cell_ns + GRID_NS)

    def __repr__(self) -> str:
        return f"<FreeSpaceLink {self.optics}, {self.geometry or self.length_km}>"
