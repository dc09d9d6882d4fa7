"""An optical fibre for single photons: how much gets through, how late, how spread, how damaged.

Owns what one fibre does to light: `Fibre` is the cable as bought and laid, `FibreLink` the
cable in its surroundings, beside classical channels, at a time. Does not own the formulas of each
effect (dispersion, polarisation, phase, raman) or the surroundings (environment). Draws nothing: whether
a photon survives is drawn by the link (quantum/links/). Attenuation is power loss in dB/km.

Rule: that depends on time, direction and parameters only, and changes only where a cell of the
environment's grid ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal

from .. import closed_forms
from ..errors import InputError
from ..states.noise import check_probability, compose, dephasing, depolarising
from ..states.pauli import Superoperator
from ..units import to_ns
from . import dispersion, phase, polarisation, raman, standard_fibre
from .dispersion import Pulse
from .environment import Conditions, Environment
from .raman import RamanNoise

#: Wavelength for which `dispersion_ps_per_nm_km` is stated.
REFERENCE_NM = 1550.0
#: Parameters that may be negative: dispersion-compensating fibre, an angle either way.
_SIGNED = ("dispersion_ps_per_nm_km", "dispersion_slope_ps_per_nm2_km", "misalignment_rad")

#: What a qubit's two components are: two polarisations, or two paths, times or photon numbers.
Encoding = Literal["polarisation", "phase"]
ENCODINGS = ("polarisation", "phase")


@dataclass(frozen=True, slots=True)
class Fibre:
    """A fibre of `length_km`; `depolarising` and `dephasing` are probabilities for each photon.

    Defaults are standard single-mode fibre at 1550 nm (standard_fibre.py). `misalignment_rad` is the angle
    theta between the polarisation frames of the ends, or whatever else errs by sin^2 theta in Z and X.

    Raises InputError for values that are not finite or, where that is impossible, negative, for
    probabilities beyond 1 and a group index below 1.
    """

    length_km: float
    attenuation_db_per_km: float = standard_fibre.ATTENUATION_DB_PER_KM
    insertion_loss_db: float = 0.0
    group_index: float = closed_forms.GROUP_INDEX
    depolarising: float = 0.0
    dephasing: float = 0.0
    dispersion_ps_per_nm_km: float = standard_fibre.DISPERSION_PS_PER_NM_KM
    dispersion_slope_ps_per_nm2_km: float = standard_fibre.DISPERSION_SLOPE_PS_PER_NM2_KM
    pmd_ps_per_sqrt_km: float = standard_fibre.PMD_PS_PER_SQRT_KM
    misalignment_rad: float = 0.0
    thermal_delay_ps_per_km_k: float = standard_fibre.THERMAL_DELAY_PS_PER_KM_K

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _SIGNED and not math.isfinite(value):
                raise InputError(f"fibre: {field.name} is {value}, expected a finite number")
            if field.name not in _SIGNED and not 0 <= value < float("inf"):
                raise InputError(f"fibre: {field.name} is {value}, expected 0 or more")
        if self.group_index < 1:
            raise InputError(f"fibre: group_index is {self.group_index}, light is not that fast")
        check_probability("fibre: depolarising", self.depolarising)
        check_probability("fibre: dephasing", self.dephasing)

    @property
    def transmittance(self) -> float:
        """Probability that a photon put in comes out: eta = 10^(-(alpha L + IL)/10)."""
        return closed_forms.transmittance(
            self.length_km, self.attenuation_db_per_km, self.insertion_loss_db
        )

    @property
    def delay_ns(self) -> int:
        """Time of flight n_g L / c."""
        return closed_forms.fibre_latency_ns(self.length_km, self.group_index)

    def delay_s(self, temperature_k: float = 0.0) -> float:
        """Time of flight when the fibre is `temperature_k` warmer than its length was stated for."""
        cold_s = self.group_index * self.length_km / closed_forms.LIGHT_KM_PER_S
        return cold_s + self.thermal_delay_ps_per_km_k * self.length_km * temperature_k * 1e-12

    def thermal_phase_rad(self, temperature_k: float, wavelength_nm: float = REFERENCE_NM) -> float:
        """Phase that `temperature_k` adds over the whole length."""
        per_m_k = phase.thermal_phase_rad_per_m_k(self.thermal_delay_ps_per_km_k, wavelength_nm)
        return per_m_k * self.length_km * 1e3 * temperature_k

    def dispersion_at(self, wavelength_nm: float) -> float:
        """D in ps/(nm km) at a wavelength near 1550 nm, on a straight line."""
        slope = self.dispersion_slope_ps_per_nm2_km
        return self.dispersion_ps_per_nm_km + slope * (wavelength_nm - REFERENCE_NM)

    @property
    def mean_group_delay_ps(self) -> float:
        """Mean differential group delay of the polarisations, D_PMD sqrt(L)."""
        return dispersion.mean_group_delay_ps(self.length_km, self.pmd_ps_per_sqrt_km)

    def spread_ps(self, pulse: Pulse) -> float:
        """The rms spread of the arrival times of a pulse: its duration, dispersion and PMD.

        Light of no preferred polarisation comes half DGD/2 early and half DGD/2 late: an rms of half the
        rms DGD. The third order of dispersion is left out: near the wavelength of zero dispersion, mind it.
        """
        chromatic_ps = dispersion.chromatic_spread_ps(
            self.length_km, self.dispersion_at(pulse.wavelength_nm), pulse.spectral_width_nm
        )
        return dispersion.combined_spread_ps(
            pulse.duration_ps,
            chromatic_ps,
            dispersion.rms_group_delay_ps(self.mean_group_delay_ps) / 2,
        )

    def noise(self, pulse: Pulse | None = None) -> Superoperator | None:
        """What the fibre does to a photon that comes through; None if nothing.

        The frames' misalignment first, then depolarisation by PMD if the polarisation of a `pulse` is
        the qubit, then `dephasing` and `depolarising`.
        """
        return _in_order(self.turn(), self.damage(pulse))

    def turn(self) -> Superoperator | None:
        """The misalignment alone, from the first end to the second; None if there is none."""
        if not self.misalignment_rad:
            return None
        return polarisation.misalignment_map(self.misalignment_rad)

    def damage(self, pulse: Pulse | None = None) -> Superoperator | None:
        """`noise` without the misalignment."""
        pmd = None
        if pulse is not None and self.mean_group_delay_ps:
            coherence = dispersion.mean_pmd_coherence(
                self.mean_group_delay_ps, pulse.bandwidth_rad_per_ps
            )
            pmd = dispersion.pmd_map(coherence)
        return _in_order(
            pmd,
            dephasing(self.dephasing) if self.dephasing else None,
            depolarising(self.depolarising) if self.depolarising else None,
        )


def _in_order(*parts: Superoperator | None) -> Superoperator | None:
    """The maps that are there, the first one first; None if none is."""
    present = [part for part in parts if part is not None]
    return compose(*present) if present else None


# --- in its surroundings --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class MediumState:
    """What a fibre or free space does to light that enters at one time in one direction.

    `noise` is None if nothing is done to a photon that comes through. `spread_ps` is the rms of its
    arrival time (0 for a link without a `Pulse`), `noise_rate_hz` counts photons of classical channels
    or of the sky that come out with it, inside the filter. `valid_until_ns` is None if nothing ever changes.
    """

    transmittance: float
    delay_s: float
    noise: Superoperator | None
    spread_ps: float
    noise_rate_hz: float
    valid_until_ns: int | None

    @property
    def delay_ns(self) -> int:
        """Time of flight in whole ns."""
        return to_ns(self.delay_s)

    @property
    def delay_ps(self) -> float:
        """Time of flight in ps, not rounded: for time inside a pulse train."""
        return self.delay_s * 1e12

    def gate_fraction(
        self, gate_ns: float, jitter_fwhm_ps: float = 0.0, offset_ps: float = 0.0
    ) -> float:
        """Fraction of what comes through that a detector with that jitter finds inside its gate."""
        jitter_ps = dispersion.rms_of_fwhm(jitter_fwhm_ps)
        spread_ps = dispersion.combined_spread_ps(self.spread_ps, jitter_ps)
        return dispersion.gate_fraction(spread_ps, gate_ns * 1e3, offset_ps)

    def noise_photons_per_gate(
        self,
        gate_ns: float,
        receiver_transmittance: float = 1.0,
        efficiency: float = 1.0,
        detectors: int = 1,
    ) -> float:
        """Mean clicks of classical channels' light per gate and detector (`raman.photons_per_gate`)."""
        return raman.photons_per_gate(
            self.noise_rate_hz, gate_ns, receiver_transmittance, efficiency, detectors
        )


class FibreLink:
    """A fibre with its light, its surroundings and its neighbours in the same glass.

    With `encoding` "polarisation" the environment turns polarisations, and PMD blurs them; with "phase"
    its phase acts, drift, vibration and temperature, between a component that takes this fibre
    and one that does not. Loss, delay, spread and Raman noise are the same for both. Without a `pulse`
    there is neither spread nor PMD; without an `environment` nothing changes with time.

    Raises InputError for another encoding, and for a Raman filter that does not let the pulse through.
    """

    #: Whether its length changes with time.
    moves = False

    def __init__(
        self,
        fibre: Fibre,
        pulse: Pulse | None = None,
        environment: Environment | None = None,
        raman_noise: RamanNoise | None = None,
        encoding: Encoding = "polarisation",
    ) -> None:
        if encoding not in ENCODINGS:
            raise InputError(f"encoding is {encoding!r}, expected {' or '.join(ENCODINGS)}")
        if pulse is not None and raman_noise is not None:
            off_nm = abs(pulse.wavelength_nm - raman_noise.wavelength_nm)
            if off_nm > raman_noise.filter_width_nm / 2:
                raise InputError(
                    f"a pulse at {pulse.wavelength_nm} nm does not pass a filter of "
                    f"{raman_noise.filter_width_nm} nm round {raman_noise.wavelength_nm} nm"
                )
        self.fibre, self.pulse, self.environment = fibre, pulse, environment
        self.raman_noise, self.encoding = raman_noise, encoding
        self._spread_ps = fibre.spread_ps(pulse) if pulse else 0.0
        self._damage = fibre.damage(pulse if encoding == "polarisation" else None)
        #: The latest state for each direction, by the beginning of its cell.
        self._latest: dict[bool, tuple[int, MediumState]] = {}

    def at(self, t_ns: int, reverse: bool = False) -> MediumState:
        """The fibre for light that enters at `t_ns`; `reverse`: at the second end, towards the first."""
        conditions = Conditions(0) if self.environment is None else self.environment.at(t_ns)
        latest = self._latest.get(reverse)
        if latest is None or latest[0] != conditions.since_ns:
            latest = (conditions.since_ns, self._state(conditions, reverse))
            self._latest[reverse] = latest
        return latest[1]

    def delay_ns(self, t_ns: int, reverse: bool = False) -> int:
        """Time of flight of light that enters at `t_ns`."""
        return self.at(t_ns, reverse).delay_ns

    def train_delay_ns(self, start_ns: int, t_ns: int, reverse: bool = False) -> int:
        """Time of flight at `t_ns` of a train that began at `start_ns`: both ends follow slow drifts."""
        del t_ns
        return self.delay_ns(start_ns, reverse)

    def changed(
        self, loss_db: float, misalignment_rad: float, lossless: bool, pointing_urad: float = 0.0
    ) -> FibreLink:
        """With more loss, or with none at all, and with its frames turned further; with the same drifts."""
        del pointing_urad  # of a beam
        fibre = replace(
            self.fibre,
            attenuation_db_per_km=0.0 if lossless else self.fibre.attenuation_db_per_km,
            insertion_loss_db=0.0 if lossless else self.fibre.insertion_loss_db + loss_db,
            misalignment_rad=self.fibre.misalignment_rad + misalignment_rad,
        )
        return FibreLink(fibre, self.pulse, self.environment, self.raman_noise, self.encoding)

    def surroundings_at(self, t_ns: int) -> Superoperator | None:
        """What the environment alone does to a qubit that enters at the first end; None if nothing."""
        return None if self.environment is None else self._surroundings(self.environment.at(t_ns))

    def phase_rad(self, t_ns: int, length_share: float = 1.0) -> float:
        """Optical phase at `t_ns`: drift and slow vibration, and the warmth of that share of the length."""
        if self.environment is None:
            return 0.0
        return self._phase_rad(self.environment.at(t_ns), length_share)

    def _state(self, conditions: Conditions, reverse: bool) -> MediumState:
        fibre, environment = self.fibre, self.environment
        rate_hz = 0.0
        if self.raman_noise is not None:
            rate_hz = self.raman_noise.rate_hz(
                fibre.length_km, fibre.attenuation_db_per_km, reverse
            )
        return MediumState(
            transmittance=fibre.transmittance,
            delay_s=fibre.delay_s(conditions.temperature_k),
            noise=_in_order(*self._turns(conditions, reverse), self._damage),
            spread_ps=self._spread_ps,
            noise_rate_hz=rate_hz,
            valid_until_ns=environment.next_change_ns(conditions.since_ns) if environment else None,
        )

    def _turns(self, conditions: Conditions, reverse: bool) -> list[Superoperator | None]:
        """What turns the light, in the order in which light meets it: environment, misaligned frames."""
        turns = [self._surroundings(conditions), self.fibre.turn()]
        if not reverse:
            return turns
        return [None if turn is None else polarisation.backwards(turn) for turn in turns[::-1]]

    def _surroundings(self, conditions: Conditions) -> Superoperator | None:
        """What the surroundings do to the qubit from the first end to the second."""
        if self.encoding == "polarisation":
            rotation = conditions.rotation
            return None if rotation is None else polarisation.rotation_map(rotation)
        phase_rad = self._phase_rad(conditions)
        return _in_order(
            phase.phase_map(phase_rad) if phase_rad else None,
            phase.visibility_map(conditions.visibility) if conditions.visibility != 1 else None,
        )

    def _phase_rad(self, conditions: Conditions, length_share: float = 1.0) -> float:
        wavelength_nm = self.pulse.wavelength_nm if self.pulse else REFERENCE_NM
        warmth_rad = self.fibre.thermal_phase_rad(conditions.temperature_k, wavelength_nm)
        return conditions.phase_rad + length_share * warmth_rad

    def __repr__(self) -> str:
        return f"<FibreLink {self.encoding}: {self.fibre}, {self.environment}, {self.raman_noise}>"
