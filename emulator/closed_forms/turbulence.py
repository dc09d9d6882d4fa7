"""Closed forms of light in turbulent air: how far it stays coherent, how it flickers, how the beam wanders.

Owns formulas, as the package says: pure, independent of the emulator's own arithmetic, no state, no
draws. Conventions: heights are over the station; the profile is Hufnagel and Valley's without an upper end,
so that its integrals are Gamma functions. Fluctuations are those of weak turbulence unless a formula says
else.
"""

from __future__ import annotations

import math

HV57_WIND_M_PER_S = 21.0
HV57_GROUND = 1.7e-14


def structure_constant(
    height_m: float,
    wind_m_per_s: float = HV57_WIND_M_PER_S,
    ground: float = HV57_GROUND,
) -> float:
    """Cn^2(h) = .00594 (v/27)^2 (1e-5 h)^10 e^(-h/1000) + 2.7e-16 e^(-h/1500) + A e^(-h/100).

    Hufnagel, Valley, by default with v and A of HV5/7.
    """
    high = 0.00594 * (wind_m_per_s / 27) ** 2 * (1e-5 * height_m) ** 10
    return (
        high * math.exp(-height_m / 1000)
        + 2.7e-16 * math.exp(-height_m / 1500)
        + ground * math.exp(-height_m / 100)
    )


def turbulence_moment(
    power: float = 0.0,
    wind_m_per_s: float = HV57_WIND_M_PER_S,
    ground: float = HV57_GROUND,
) -> float:
    """Integral of Cn^2(h) h^power over all heights."""
    high = 0.00594 * (wind_m_per_s / 27) ** 2 * 1e-50
    total: float = (
        high * math.gamma(11 + power) * 1000 ** (11 + power)
        + 2.7e-16 * math.gamma(1 + power) * 1500 ** (1 + power)
        + ground * math.gamma(1 + power) * 100 ** (1 + power)
    )
    return total


def _wave_number(wavelength_nm: float) -> float:
    return 2 * math.pi / (wavelength_nm * 1e-9)


def _secant(elevation_deg: float) -> float:
    """Of the angle to the zenith."""
    return 1 / math.sin(math.radians(elevation_deg))


def fried_parameter_m(
    wavelength_nm: float,
    elevation_deg: float = 90.0,
    wind_m_per_s: float = HV57_WIND_M_PER_S,
    ground: float = HV57_GROUND,
) -> float:
    """r0 = [0.423 k^2 sec int Cn^2 dh]^(-3/5)."""
    moment = turbulence_moment(0.0, wind_m_per_s, ground)
    k = _wave_number(wavelength_nm)
    return float((0.423 * k**2 * _secant(elevation_deg) * moment) ** -0.6)


def isoplanatic_angle_urad(
    wavelength_nm: float,
    elevation_deg: float = 90.0,
    wind_m_per_s: float = HV57_WIND_M_PER_S,
    ground: float = HV57_GROUND,
) -> float:
    """theta0 = [2.914 k^2 sec^(8/3) int Cn^2 h^(5/3) dh]^(-3/5)."""
    moment = turbulence_moment(5 / 3, wind_m_per_s, ground)
    secant, k = _secant(elevation_deg), _wave_number(wavelength_nm)
    return float((2.914 * k**2 * secant ** (8 / 3) * moment) ** -0.6) * 1e6


def rytov_variance(
    wavelength_nm: float,
    elevation_deg: float = 90.0,
    wind_m_per_s: float = HV57_WIND_M_PER_S,
    ground: float = HV57_GROUND,
) -> float:
    """Of a downlink: sigma_R^2 = 2.25 k^(7/6) sec^(11/6) int Cn^2 h^(5/6) dh."""
    moment = turbulence_moment(5 / 6, wind_m_per_s, ground)
    secant, k = _secant(elevation_deg), _wave_number(wavelength_nm)
    return float(2.25 * k ** (7 / 6) * secant ** (11 / 6) * moment)


def horizontal_rytov_variance(ground: float, wavelength_nm: float, distance_km: float) -> float:
    """Of a plane wave near the ground: 1.23 Cn^2 k^(7/6) L^(11/6)."""
    k = _wave_number(wavelength_nm)
    return float(1.23 * ground * k ** (7 / 6) * (distance_km * 1e3) ** (11 / 6))


def scintillation_index(rytov: float) -> float:
    """Of a point, in weak and strong turbulence: exp(large + small) - 1, of large and small eddies.

    large = 0.49 s/(1 + 1.11 s^(6/5))^(7/6), small = 0.51 s/(1 + 0.69 s^(6/5))^(5/6); s is the Rytov variance
    of a plane wave (Andrews, Phillips, Laser Beam Propagation, chapter 9).
    """
    power = rytov**1.2
    large = 0.49 * rytov / (1 + 1.11 * power) ** (7 / 6)
    small = 0.51 * rytov / (1 + 0.69 * power) ** (5 / 6)
    return math.expm1(large + small)


def aperture_averaging(
    aperture_m: float,
    wavelength_nm: float,
    elevation_deg: float = 90.0,
    wind_m_per_s: float = HV57_WIND_M_PER_S,
    ground: float = HV57_GROUND,
) -> float:
    """What a telescope leaves of a point's scintillation: 1/(1 + 1.1 (D^2/(lambda h sec))^(7/6)).

    h = [int Cn^2 x^2 dx/int Cn^2 x^(5/6) dx]^(6/7) (Yura, McKinley, Appl. Opt. 22, 3353 (1983)).
    """
    moments = [turbulence_moment(power, wind_m_per_s, ground) for power in (2.0, 5 / 6)]
    height_m = (moments[0] / moments[1]) ** (6 / 7)
    fresnel_m2 = wavelength_nm * 1e-9 * height_m * _secant(elevation_deg)
    return float(1 / (1 + 1.1 * (aperture_m**2 / fresnel_m2) ** (7 / 6)))


def horizontal_aperture_averaging(
    aperture_m: float, wavelength_nm: float, distance_km: float
) -> float:
    """What a telescope leaves of scintillation near the ground: (1 + 1.062 k D^2/(4 L))^(-7/6), plane waves.

    In weak turbulence (Andrews, Phillips, Laser Beam Propagation, chapter 10).
    """
    fresnel = _wave_number(wavelength_nm) * aperture_m**2 / (4 * distance_km * 1e3)
    return float((1 + 1.062 * fresnel) ** (-7 / 6))


def scintillation_variance(index: float) -> float:
    """Variance of the logarithm of log-normal light: ln(1 + index)."""
    return math.log1p(index)


def uplink_spread(transmitter_m: float, fried_m: float) -> float:
    """How much wider a beam is on average that turbulence spreads near its start: sqrt(1 + (D/r0)^(5/3))."""
    return math.sqrt(1 + (transmitter_m / fried_m) ** (5 / 3))


def uplink_wander_urad(transmitter_m: float, fried_m: float, wavelength_nm: float) -> float:
    """Beam wander, rms over both axes: sqrt(0.54 (lambda/D)^2 (D/r0)^(5/3)).

    Andrews, Phillips, Laser Beam Propagation, chapter 12, D = 2 w0; for each axis by the root of 2.
    """
    diffraction_urad = wavelength_nm * 1e-3 / transmitter_m
    return diffraction_urad * math.sqrt(0.54 * (transmitter_m / fried_m) ** (5 / 3))


# --- beam wander over an aperture -----------------------------------------------------------------


def horizontal_wander_m(ground: float, distance_km: float, waist_m: float) -> float:
    """Beam wander for each axis near the ground: sigma^2 = 1.919 Cn^2 z^3 (2 w0)^(-1/3)."""
    z_m = distance_km * 1e3
    return math.sqrt(1.919 * ground * z_m**3 * (2 * waist_m) ** (-1 / 3))


def wandering_beam(radius_m: float, aperture_m: float) -> tuple[float, float, float]:
    """(T0^2, lambda, R) of eta = T0^2 exp(-(r/R)^lambda) for a beam whose centre is off by r.

    Vasylyev, Semenov, Vogel, PRL 108, 220501 (2012); R in m, `radius_m` the beam's 1/e^2 radius.
    """
    x = (aperture_m / 2 / radius_m) ** 2
    most = -math.expm1(-2 * x)
    if x < 1e-5:  # its limit, where the logarithm below loses its digits
        return most, 2.0, radius_m / math.sqrt(2)
    bessel = [_scaled_bessel_i(order, 4 * x) for order in (0, 1)]
    logarithm = math.log(2 * most / (1 - bessel[0]))
    shape = 8 * x * bessel[1] / (1 - bessel[0]) / logarithm
    return most, shape, aperture_m / 2 * logarithm ** (-1 / shape)


def wander_transmittance(
    radius_m: float, aperture_m: float, wander_m: float, bias_m: float = 0.0
) -> float:
    """Mean part of a beam that wanders: eta over a Rayleigh (with a bias: Rice) distribution of r.

    `wander_m` is for each axis.
    """
    most, shape, scale_m = wandering_beam(radius_m, aperture_m)
    if wander_m == 0:
        return most * math.exp(-((bias_m / scale_m) ** shape))
    # r = sigma s; beyond 9 sigma of the bias nothing is left of either factor
    bias = bias_m / wander_m
    low, high = max(0.0, bias - 9), bias + 9
    steps = 200
    width = (high - low) / steps

    def weighed(s: float) -> float:
        rice = s * math.exp(-((s - bias) ** 2) / 2)
        if bias:
            rice *= _scaled_bessel_i(0, s * bias)
        return rice * math.exp(-((s * wander_m / scale_m) ** shape))

    inner = math.fsum((4 if i % 2 else 2) * weighed(low + i * width) for i in range(1, steps))
    return most * (weighed(low) + inner + weighed(high)) * width / 3


#: From here twelve terms of the series are exact to 1e-15.
_LARGE = 100.0


def _scaled_bessel_i(order: int, x: float) -> float:
    """e^-x I_n(x): the trapezoid rule on its integral over half a turn; for large x its asymptotic series.

    Abramowitz, Stegun (1964), 9.6.19 and 9.7.1.
    """
    if x > _LARGE:
        total = term = 1.0
        for k in range(1, 12):
            term *= -(4 * order**2 - (2 * k - 1) ** 2) / (8 * k * x)
            total += term
        return total / math.sqrt(2 * math.pi * x)
    points = 24 + int(8 * math.sqrt(x))
    total = math.fsum(
        math.exp(x * (math.cos(angle) - 1)) * math.cos(order * angle)
        for angle in (math.pi * i / points for i in range(1, points))
    )
    ends: float = 0.5 * (1 + math.exp(-2 * x) * (-1) ** order)
    return (total + ends) / points
