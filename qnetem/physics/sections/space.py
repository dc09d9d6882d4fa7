"""Reference vectors 7: satellites and light in free space.

Owns the vectors, and tables of published passes. Does not own the formulas (emulator/closed_forms), nor the
emulator's orbits and channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ...emulator.closed_forms import free_space, limits, orbits, qkd, turbulence
from ..vectors import Kind, Source, Vector, absolute, item, relative, within_factor

TITLES = {
    "7.1": "Circular orbits, 500 km",
    "7.2": "Diffraction and pointing",
    "7.3": "Turbulence",
    "7.4": "Air and background",
    "7.5": "Published passes",
    "7.6": "Entanglement and teleportation",
}

_ORBIT = Source("Kepler, on a sphere that does not rotate")
_DIVERGENCE = Source("Gaussian beam: Siegman, Lasers, chapter 17")
_POINTING = Source("mean of exp(-2 r^2/theta^2) over a Rayleigh distribution")
_VASYLYEV = Source("Vasylyev, Semenov, Vogel, PRL 108, 220501 (2012)")
_HV = Source("Hufnagel and Valley, HV5/7: Andrews, Phillips, Laser Beam Propagation")
_ITU_SCINTILLATION = Source("ITU-R P.1622, table 2: 75 degrees, wind 21 m/s", Kind.published)
_MODTRAN = Source("MODTRAN, in SatQuMA (MIT licence)", Kind.published)
_SKY = Source("radiance of the sky, 100 microrad, 1 m, 1 nm, 850 nm")
_TRUNCATED = Source("Liao et al., Nature 549, 43 (2017), as quoted by QuOSS", Kind.published)
_ZENITH = Source(
    "Sidhu et al., npj QI 8, 18 (2022): SatQuMA's loss of a zenith pass", Kind.published
)
_MICIUS = Source(
    "Liao et al., Nature 549, 43 (2017), figure digitised (QCompute); turbulence takes 3 to 8 dB",
    Kind.published,
)
_SIFTED = Source("Liao et al., Nature 549, 43 (2017), as quoted by QuOSS", Kind.published)

_KEY = Source(
    "Liao et al., Nature 549, 43 (2017), as quoted by QuOSS: failure 1e-9; here without finite size",
    Kind.published,
)
_ONE_DOWNLINK = Source(
    "Yin et al., PRL 119, 200501 (2017), abstract: one photon measured on board", Kind.published
)
_YIN = Source("Yin et al., Science 356, 1140 (2017): S, and pairs at the source", Kind.published)
_YIN_RECALLED = Source(
    "Yin et al., Science 356, 1140 (2017): losses and counts recalled", Kind.unchecked
)
_REN_RECALLED = Source(
    "Ren et al., Nature 549, 70 (2017): losses, counts and errors recalled", Kind.unchecked
)

_RANGES = ((90, 500.0), (60, 570.5), (45, 683.1), (30, 909.4), (20, 1192.8), (15, 1407.2),
           (10, 1694.6))  # fmt: skip
_PASSES = ((0, 692.5), (10, 442.6), (15, 359.3), (20, 295.6), (30, 207.3))
#: Wavelength in nm: transmission at 90, 45, 30 and 20 degrees.
_AIR = {785: (0.8760, 0.8300, 0.7696, 0.6842), 850: (0.8952, 0.8554, 0.8024, 0.7261)}
#: (s from the zenith, elevation in degrees, loss in dB).
_ZENITH_PASS = ((0, 89.95, 26.99), (60, 46.7, 29.547), (100, 31.05, 32.147), (160, 17.93, 35.391),
                (220, 10.14, 37.905), (340, 0.4, 41.537))  # fmt: skip
#: (range in km, loss in dB): with the receiver's optics, without its detectors.
_MICIUS_LOSS = ((650, 30.01), (800, 30.95), (900, 32.65), (1000, 34.37), (1100, 36.13),
                (1200, 39.33))  # fmt: skip


def zenith_loss_db(elevation_deg: float) -> float:
    """Loss of SatQuMA's pass if only the beam's spread were another than at the zenith."""
    spread = orbits.slant_range_km(500, elevation_deg) / 500
    return 26.99 + 20 * math.log10(spread)


def micius_loss_db(range_km: float) -> float:
    """What is published of Micius, with the middle of 3 to 8 dB for turbulence.

    Diffraction as the paper counts it (an evenly lit disc of 10 urad full angle into 1 m), pointing of 1.2
    urad, 16 % optics, the air of MODTRAN at 850 nm; 500 km high.
    """
    elevation_deg = orbits.elevation_of_range_deg(500, range_km)
    parts = (
        free_space.flat_top_capture(10, range_km, 1),
        free_space.pointing_transmittance(5, 1.2),
        free_space.slant_transmittance(0.8952, elevation_deg),
        0.16,
    )
    return free_space.loss_db(math.prod(parts)) + 5.5


def micius_key_share(sifted: int, duration_s: float, qber: float) -> float:
    """Secret bits of a sifted one, without finite size: what infinitely many decoys bound of 0.8 photons.

    Of the errors 0.36 % are the optics' (contrast 280:1), the others background; f = 1.16.
    """
    brightness = (
        0.5 + 0.25 * 0.1 / 0.8
    )  # pulses of the signal, and what decoys add to the sifted bits
    gain = sifted / (0.5 * 1e8 * duration_s * brightness)
    dark = (qber - 0.0036) * gain / (0.5 - 0.0036)
    eta = (gain - dark) / 0.8
    singles = qkd.SinglePhotons(dark + eta, qkd.photon_error(1, eta, dark, 0.0036))
    return qkd.decoy_rate(0.8, gain, qber, singles, f=1.16, sifting=1.0) / gain


def micius_sifted_hz(loss_db: float) -> float:
    """100 MHz, half of it with 0.8 photons, detectors of 50 %, half of it sifted."""
    return 1e8 * 0.5 * 0.8 * 10 ** (-loss_db / 10) * 0.5 * 0.5


def double_downlink_hz(loss_db: float) -> float:
    """Coincidences a second of 5.9 million pairs, by the loss of both downlinks with their detectors."""
    return 5.9e6 * 10 ** (-loss_db / 10)


def uplink_loss_db(range_km: float) -> float:
    """Of a beam whose spread is given: 41 dB at the zenith, 500 km high; more by distance and air alone.

    The air is MODTRAN's at 785 nm.
    """
    zenith, here = (
        free_space.loss_db(free_space.slant_transmittance(0.8760, elevation_deg))
        for elevation_deg in (90, orbits.elevation_of_range_deg(500, range_km))
    )
    return 41 + 20 * math.log10(range_km / 500) + here - zenith


def teleported_to_orbit(fourfold_hz: float = 4080.0, passes: int = 32) -> float:
    """States that arrive in so many passes through the zenith, from four photons a second on the ground."""
    found = 0.0
    for second in range(-300, 301):
        elevation_deg = orbits.elevation_in_pass_deg(500, abs(second))
        range_km = orbits.slant_range_km(500, elevation_deg)
        if range_km <= 1400:
            found += fourfold_hz * 10 ** (-uplink_loss_db(range_km) / 10)
    return passes * found


def _loss(transmittance: Callable[[], float]) -> Callable[[], float]:
    return lambda: free_space.loss_db(transmittance())


def _orbits() -> Iterator[Vector]:
    yield Vector("7.1", "period, minutes", 94.47, relative(1e-3), _ORBIT,
                 lambda: orbits.orbital_period_s(500) / 60)  # fmt: skip
    for elevation, range_km in _RANGES:
        yield Vector("7.1", f"range at {elevation} degrees, km", range_km, relative(1e-3), _ORBIT,
                     lambda e=elevation: orbits.slant_range_km(500, e))  # type: ignore[misc]  # fmt: skip
    for elevation, lasts_s in _PASSES:
        yield Vector("7.1", f"overhead pass above {elevation} degrees, s", lasts_s, relative(1e-3), _ORBIT,
                     lambda e=elevation: orbits.pass_duration_s(500, e))  # type: ignore[misc]  # fmt: skip


def _beams() -> Iterator[Vector]:
    for half, sigma, expected in ((5, 0.6, 0.24321), (5, 1.2, 0.90046)):
        yield Vector("7.2", f"pointing {sigma} urad of {half}, dB", expected, relative(1e-3), _POINTING,
                     _loss(lambda h=half, s=sigma: free_space.pointing_transmittance(h, s)))  # type: ignore[misc]  # fmt: skip
    yield Vector("7.2", "waist 150 mm, 1200 km to 1 m, dB", 9.95, relative(1e-3), _TRUNCATED,
                 _loss(lambda: free_space.aperture_capture(
                     free_space.beam_radius_m(0.15, 848.6, 1200), 1)))  # fmt: skip
    yield Vector("7.2", "untruncated, by Fraunhofer, dB",
                 free_space.loss_db(free_space.gaussian_capture(
                     free_space.half_angle_of_waist(0.05, 850), 100, 1)),
                 relative(1e-3), _DIVERGENCE,
                 _loss(lambda: free_space.truncated_capture(0.05, 850, 100, 1, 1)))  # fmt: skip
    near = (turbulence.wandering_beam, free_space.beam_radius_m(0.1, 1550, 10), 0.4)
    yield Vector("7.2", "wander near the ground, shape 2/l", 0.51836546, relative(1e-3), _VASYLYEV,
                 lambda: 2 / turbulence.wandering_beam(near[1], near[2])[1])  # fmt: skip
    yield Vector("7.2", "its T0", 0.99919655, relative(1e-3), _VASYLYEV,
                 lambda: math.sqrt(item(0, turbulence.wandering_beam, near[1], near[2])()))  # fmt: skip
    yield Vector("7.2", "its sigma, m", 0.181148, relative(1e-3), _VASYLYEV,
                 lambda: turbulence.horizontal_wander_m(1e-14, 10, 0.1))  # fmt: skip
    yield Vector("7.2", "its mean", 0.42438, relative(1e-3), _VASYLYEV,
                 lambda: turbulence.wander_transmittance(near[1], near[2], 0.181148))  # fmt: skip
    yield Vector("7.2", "wander in orbit, shape 2/l", 0.99999994, relative(1e-3), _VASYLYEV,
                 lambda: 2 / turbulence.wandering_beam(10, 1.5)[1])  # fmt: skip
    yield Vector("7.2", "its mean, 1 urad", 0.0107561, relative(1e-3), _VASYLYEV,
                 lambda: turbulence.wander_transmittance(10, 1.5, 1.0))  # fmt: skip


def _turbulence() -> Iterator[Vector]:
    yield Vector("7.3", "integral of Cn^2, 1e-12 m^(1/3)", 2.235, relative(1e-3), _HV,
                 lambda: turbulence.turbulence_moment() * 1e12)  # fmt: skip
    for wavelength, expected in ((500, 4.96), (850, 9.377), (1550, 19.28)):
        yield Vector("7.3", f"r0 at {wavelength} nm, cm", expected, relative(1e-3), _HV,
                     lambda w=wavelength: 100 * turbulence.fried_parameter_m(w))  # type: ignore[misc]  # fmt: skip
    yield Vector("7.3", "theta0 at 500 nm, urad", 6.894, relative(1e-3), _HV,
                 lambda: turbulence.isoplanatic_angle_urad(500))  # fmt: skip
    yield Vector("7.3", "Rytov variance at 810 nm", 0.1339, relative(1e-3), _HV,
                 lambda: turbulence.rytov_variance(810))  # fmt: skip
    for wavelength, expected in ((532, 0.23), (850, 0.13), (1064, 0.10), (1550, 0.07)):
        yield Vector("7.3", f"sigma_R^2, {wavelength} nm, 75 degrees", expected, absolute(0.006),
                     _ITU_SCINTILLATION,
                     lambda w=wavelength: turbulence.rytov_variance(w, 75))  # type: ignore[misc]  # fmt: skip


def _air() -> Iterator[Vector]:
    for wavelength, (zenith, *others) in _AIR.items():
        for elevation, expected in zip((45, 30, 20), others, strict=True):
            yield Vector("7.4", f"air, {wavelength} nm, {elevation} degrees", expected, relative(0.01),
                         _MODTRAN,
                         lambda z=zenith, e=elevation: free_space.slant_transmittance(z, e))  # type: ignore[misc]  # fmt: skip
    yield Vector("7.4", "air at 785 nm, 10 degrees", 0.4826, relative(0.012), _MODTRAN,
                 lambda: free_space.slant_transmittance(0.8760, 10))  # fmt: skip
    for radiance, expected in ((25.0, 6.599e8), (1.5e-3, 3.959e4), (1.5e-5, 395.9)):
        yield Vector("7.4", f"photons/s at {radiance:g} W/(m2 sr um)", expected, relative(1e-3), _SKY,
                     lambda h=radiance: free_space.background_rate_hz(h, 100, 1, 1, 850))  # type: ignore[misc]  # fmt: skip


def _published() -> Iterator[Vector]:
    for time_s, elevation, loss_db in _ZENITH_PASS:
        yield Vector("7.5", f"SatQuMA, {time_s} s: elevation", elevation, absolute(0.06), _ZENITH,
                     lambda t=time_s: orbits.elevation_in_pass_deg(500, t))  # type: ignore[misc]  # fmt: skip
        yield Vector("7.5", f"SatQuMA, {time_s} s: spread, dB", loss_db, absolute(0.5), _ZENITH,
                     lambda e=elevation: zenith_loss_db(e))  # type: ignore[misc]  # fmt: skip
    for range_km, loss_db in _MICIUS_LOSS:
        yield Vector("7.5", f"Micius, {range_km} km, dB", loss_db, absolute(2.5), _MICIUS,
                     lambda r=range_km: micius_loss_db(r))  # type: ignore[misc]  # fmt: skip
    for range_km, rate, loss_db in ((645, 12.0, 30.01), (1200, 1.0, 39.3)):
        yield Vector("7.5", f"Micius, {range_km} km, sifted kb/s", rate, within_factor(1.25), _SIFTED,
                     lambda loss=loss_db: micius_sifted_hz(loss) / 1e3)  # type: ignore[misc]  # fmt: skip
    yield Vector("7.5", "Micius, a pass, key/sifted", 300_939 / 1_671_072, within_factor(1.75),
                 _KEY, lambda: micius_key_share(1_671_072, 273, 0.011))  # fmt: skip


def _entangled() -> Iterator[Vector]:
    for range_km, loss_db in ((530, 29.0), (1000, 36.0)):
        yield Vector("7.6", f"Micius, one arm, {range_km} km, dB", loss_db, absolute(1.0), _ONE_DOWNLINK,
                     lambda r=range_km: micius_loss_db(r))  # type: ignore[misc]  # fmt: skip
    yield Vector("7.6", "Yin, S of an error of 8.1 %", 2.37, absolute(0.09), _YIN,
                 lambda: limits.chsh_of_qber(0.081))  # fmt: skip
    yield Vector("7.6", "Yin, fidelity of 8.1 % errors", 0.87, absolute(0.03), _YIN_RECALLED,
                 lambda: 1 - 1.5 * 0.081)  # fmt: skip
    yield Vector("7.6", "Yin, coincidences/s at 67 dB", 1.1, within_factor(1.5), _YIN_RECALLED,
                 lambda: double_downlink_hz(67))  # fmt: skip
    yield Vector("7.6", "Ren, uplink at 1400 km, dB", 52, absolute(1.0), _REN_RECALLED,
                 lambda: uplink_loss_db(1400))  # fmt: skip
    yield Vector("7.6", "Ren, states in 32 passes", 911, within_factor(2), _REN_RECALLED,
                 teleported_to_orbit)  # fmt: skip
    # double pairs, distinguishable photons, polarisation on the way, background
    yield Vector("7.6", "Ren, fidelity by its errors", 0.80, absolute(0.02), _REN_RECALLED,
                 lambda: math.prod(1 - error for error in (0.06, 0.10, 0.03, 0.04)))  # fmt: skip


VECTORS = [*_orbits(), *_beams(), *_turbulence(), *_air(), *_published(), *_entangled()]
