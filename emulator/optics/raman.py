"""Coexistence: spontaneous Raman noise of classical channels in the same fibre.

Owns how much light of a classical channel arrives at the quantum wavelength, in either direction, and
how many photons of it a receiver counts. Does not own the classical messages themselves
(classical/), nor leakage through a filter and four-wave mixing, which are not modelled.

Conventions: powers are at the fibre's input, in W (dBm in parameters); `rho` is the Raman coefficient
per km of fibre and nm of filter; attenuation in formulas is 1/km of power, not dB. Directions are
those of the quantum light: `forward` scattering goes with the classical light that made it, `backward`
against it. Equations: Eraerds, Walenta, Legre, Gisin, Zbinden, New J. Phys. 12, 063027 (2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .. import closed_forms
from ..errors import InputError
from ..states import noise
from .dispersion import check_not_negative, check_positive

PLANCK_J_S = 6.62607015e-34

#: Signal wavelength in nm -> rho in 1e-9/(km nm), pumped at 1550 nm. Measured over 20 km at 4.3 dBm in
#: 0.5 nm; from the data of the project NetSquid_coexisting_Raman_noise (RAMAN_Charact.xlsx, sheet
#: Meas_1550_LP_DP), licence CC0. Anti-Stokes lies below Stokes, and a dip surrounds the pump.
MEASURED_RHO = (
    (1525.0, 2.67), (1530.0, 3.40), (1535.0, 3.82), (1540.0, 3.81), (1545.0, 2.17),
    (1555.0, 2.59), (1560.0, 4.44), (1565.0, 4.69), (1570.0, 4.51), (1575.0, 4.32),
    (1580.0, 3.96), (1585.0, 3.58), (1590.0, 3.28), (1595.0, 3.24), (1600.0, 3.07),
)  # fmt: skip
MEASURED_PUMP_NM = 1550.0


def raman_coefficient(wavelength_nm: float, pump_nm: float = MEASURED_PUMP_NM) -> float:
    """rho in 1/(km nm) at `wavelength_nm`, between the rows of `MEASURED_RHO` on straight lines.

    For another pump the row is that of the same shift in wavenumber, on which scattering chiefly
    depends (an approximation: the table is of one pump). Raises InputError beyond the measured
    shifts: state `rho` then.
    """
    check_positive("raman: wavelength_nm", wavelength_nm)
    check_positive("raman: pump_nm", pump_nm)
    shift = 1 / MEASURED_PUMP_NM - 1 / pump_nm + 1 / wavelength_nm
    at_nm = 1 / shift if shift > 0 else math.inf
    first_nm, last_nm = MEASURED_RHO[0][0], MEASURED_RHO[-1][0]
    if not first_nm <= round(at_nm, 6) <= last_nm:
        raise InputError(
            f"raman: no measured coefficient at {wavelength_nm} nm for a pump at {pump_nm} nm; measured "
            f"are shifts of {first_nm - MEASURED_PUMP_NM:g} to {last_nm - MEASURED_PUMP_NM:+g} nm from "
            f"{MEASURED_PUMP_NM:g} nm; state rho_per_km_nm"
        )
    wavelengths, values = zip(*MEASURED_RHO, strict=True)
    return float(np.interp(at_nm, wavelengths, values)) * 1e-9


# --- units ----------------------------------------------------------------------------------------


def attenuation_per_km(attenuation_db_per_km: float) -> float:
    """Power attenuation in 1/km: alpha ln(10)/10; 0.2 dB/km is 0.04605 /km."""
    return attenuation_db_per_km * math.log(10) / 10


def power_w(power_dbm: float) -> float:
    """dBm to W: 0 dBm is 1 mW."""
    return 1e-3 * 10 ** (power_dbm / 10)


def photon_rate_hz(power_w: float, wavelength_nm: float) -> float:
    """Photons per second of light of that power: P lambda/(h c)."""
    return power_w * wavelength_nm * 1e-12 / (PLANCK_J_S * closed_forms.LIGHT_KM_PER_S)


# --- scattering -----------------------------------------------------------------------------------


def forward_length_km(length_km: float, classical_per_km: float, quantum_per_km: float) -> float:
    """Effective length of forward scattering: (exp(-a_c L) - exp(-a_q L))/(a_q - a_c).

    With equal attenuation L exp(-a L), which has its maximum at L = 1/a.
    """
    least = min(classical_per_km, quantum_per_km)
    excess = abs(classical_per_km - quantum_per_km)
    return math.exp(-least * length_km) * _saturating(length_km, excess)


def backward_length_km(length_km: float, classical_per_km: float, quantum_per_km: float) -> float:
    """Effective length of backward scattering: (1 - exp(-(a_c + a_q) L))/(a_c + a_q).

    It saturates at 1/(a_c + a_q): what is scattered far away does not come back.
    """
    return _saturating(length_km, classical_per_km + quantum_per_km)


def _saturating(length_km: float, per_km: float) -> float:
    """(1 - exp(-a L))/a, and L for a = 0."""
    exponent = per_km * length_km
    return length_km * (-math.expm1(-exponent) / exponent) if exponent else length_km


# --- channels -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClassicalChannels:
    """`count` classical channels of `launch_power_dbm` each, at one wavelength or close together.

    `direction` is relative to quantum light from the link's first end to its second: `co` travels with
    it, `counter` against it. `rho_per_km_nm` None: the measured coefficient (`raman_coefficient`).
    Raises InputError for a count below 1, powers that are not finite, negative values, another
    direction.
    """

    launch_power_dbm: float
    direction: Literal["co", "counter"] = "co"
    count: int = 1
    wavelength_nm: float = MEASURED_PUMP_NM
    attenuation_db_per_km: float = 0.2
    rho_per_km_nm: float | None = None

    def __post_init__(self) -> None:
        if self.direction not in {"co", "counter"}:
            raise InputError(
                f"classical channels: direction is {self.direction}, not co or counter"
            )
        if self.count < 1:
            raise InputError(f"classical channels: count is {self.count}, expected at least 1")
        if not abs(self.launch_power_dbm) < math.inf:
            raise InputError(f"classical channels: launch_power_dbm is {self.launch_power_dbm}")
        check_positive("classical channels: wavelength_nm", self.wavelength_nm)
        check_not_negative("classical channels: attenuation_db_per_km", self.attenuation_db_per_km)
        if self.rho_per_km_nm is not None:
            check_not_negative("classical channels: rho_per_km_nm", self.rho_per_km_nm)

    @property
    def total_power_w(self) -> float:
        """Launch power of all of them together."""
        return self.count * power_w(self.launch_power_dbm)

    def entering_w(self, before_km: float, after_km: float) -> float:
        """Power with which they enter a stretch of fibre, that much fibre from either end of the link."""
        passed_km = before_km if self.direction == "co" else after_km
        per_km = attenuation_per_km(self.attenuation_db_per_km)
        return self.total_power_w * math.exp(-per_km * passed_km)

    def coefficient(self, quantum_nm: float) -> float:
        """rho at the quantum wavelength, in 1/(km nm)."""
        if self.rho_per_km_nm is not None:
            return self.rho_per_km_nm
        return raman_coefficient(quantum_nm, self.wavelength_nm)

    def effective_length_km(
        self, length_km: float, quantum_db_per_km: float, reverse: bool = False
    ) -> float:
        """Over what length their power scatters into the quantum receiver's direction."""
        classical = attenuation_per_km(self.attenuation_db_per_km)
        quantum = attenuation_per_km(quantum_db_per_km)
        forward = (self.direction == "co") != reverse
        effective = forward_length_km if forward else backward_length_km
        return effective(length_km, classical, quantum)


@dataclass(frozen=True, slots=True)
class RamanNoise:
    """All classical channels beside a quantum channel at `wavelength_nm`, behind a filter.

    `filter_width_nm` is the receiver's rectangular passband. Raises InputError for a filter or
    wavelength that is not positive, and for a shift without a coefficient.
    """

    channels: tuple[ClassicalChannels, ...]
    filter_width_nm: float
    wavelength_nm: float

    def __post_init__(self) -> None:
        check_positive("raman: filter_width_nm", self.filter_width_nm)
        check_positive("raman: wavelength_nm", self.wavelength_nm)
        for channel in self.channels:
            channel.coefficient(self.wavelength_nm)

    def power_w(
        self,
        length_km: float,
        attenuation_db_per_km: float,
        reverse: bool = False,
        before_km: float = 0.0,
        after_km: float = 0.0,
    ) -> float:
        """Noise power inside the filter at the fibre's end: sum of P rho dlambda L_eff.

        `attenuation_db_per_km` is that of the quantum wavelength; `reverse`: the receiver is at the
        fibre's beginning, which is nearer to the link's first end. `before_km` and `after_km` of the
        link's fibre lie between its first end and this fibre, and between this and its second end: what
        the classical light has come through already.
        """
        return math.fsum(
            channel.entering_w(before_km, after_km)
            * channel.coefficient(self.wavelength_nm)
            * self.filter_width_nm
            * channel.effective_length_km(length_km, attenuation_db_per_km, reverse)
            for channel in self.channels
        )

    def rate_hz(
        self,
        length_km: float,
        attenuation_db_per_km: float,
        reverse: bool = False,
        before_km: float = 0.0,
        after_km: float = 0.0,
    ) -> float:
        """Noise photons per second inside the filter at the fibre's end, as for `power_w`."""
        power = self.power_w(length_km, attenuation_db_per_km, reverse, before_km, after_km)
        return photon_rate_hz(power, self.wavelength_nm)

    def station_rate_hz(
        self, first_km: float, second_km: float, attenuation_db_per_km: float
    ) -> float:
        """Noise photons per second that reach a station between two fibres, from both together.

        The classical light is led round the station without loss, into the other fibre.
        """
        near = self.rate_hz(first_km, attenuation_db_per_km, after_km=second_km)
        return near + self.rate_hz(second_km, attenuation_db_per_km, True, before_km=first_km)

    def end_rates_hz(
        self, first_km: float, second_km: float, attenuation_db_per_km: float
    ) -> tuple[float, float]:
        """Noise photons per second that reach either end from a source between two fibres.

        Each end sees its own fibre only: the source lets nothing through from one to the other.
        """
        near = self.rate_hz(first_km, attenuation_db_per_km, True, after_km=second_km)
        return near, self.rate_hz(second_km, attenuation_db_per_km, before_km=first_km)


def photons_per_gate(
    rate_hz: float,
    gate_ns: float,
    receiver_transmittance: float = 1.0,
    efficiency: float = 1.0,
    detectors: int = 1,
) -> float:
    """Mean noise clicks per gate and detector: rate t_gate eta_rx eta_det / detectors.

    `detectors` share the light evenly. Where it is far below 1 this is the probability of a click;
    `click_probability` gives it in general. Raises InputError for negative times or rates,
    probabilities beyond 1 and fewer than one detector.
    """
    check_not_negative("raman: rate_hz", rate_hz)
    check_not_negative("raman: gate_ns", gate_ns)
    noise.check_probability("raman: receiver_transmittance", receiver_transmittance)
    noise.check_probability("raman: efficiency", efficiency)
    if detectors < 1:
        raise InputError(f"raman: {detectors} detectors, expected at least 1")
    return rate_hz * gate_ns * 1e-9 * receiver_transmittance * efficiency / detectors


def click_probability(photons: float) -> float:
    """Probability of at least one of a Poisson number of that mean: 1 - exp(-mean).

    The noise is of many modes in a gate of usual length (gate x filter width >> 1), hence Poisson.
    """
    check_not_negative("photons", photons)
    return -math.expm1(-photons)
