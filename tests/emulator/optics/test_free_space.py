"""A beam through air and vacuum: its parts are the closed forms, and its cells are fine enough."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from qnetem.emulator.closed_forms import free_space, orbits, turbulence
from qnetem.emulator.errors import InputError
from qnetem.emulator.optics.fibre import Fibre
from qnetem.emulator.optics.free_space import GRID_NS, Air, FreeSpaceLink, Optics
from qnetem.emulator.space.contacts import Geometry
from qnetem.emulator.space.earth import EQUATOR_KM, Station, sidereal_rad
from qnetem.emulator.space.orbits import KeplerOrbit
from qnetem.emulator.space.weather import Record

_DAY = datetime(2026, 3, 20, tzinfo=UTC).timestamp()
NARROW = Optics(850, 5.0, 1.0)
BARE = Fibre(0.0, group_index=1.0)


def overhead(altitude_km: float = 500.0, least_deg: float = 10.0) -> Geometry:
    """A satellite that passes over a station at 600 s: the satellite first."""
    longitude = -math.degrees(sidereal_rad(_DAY))
    orbit = KeplerOrbit(EQUATOR_KM + altitude_km, inclination_deg=90, epoch_s=_DAY)
    return Geometry(orbit, Station(0.0, longitude), _DAY - 600, (0.0, least_deg))


def db(transmittance: float) -> float:
    return free_space.loss_db(transmittance)


# --- optics ---------------------------------------------------------------------------------------


def test_a_steady_beam_is_caught_as_its_closed_form_says() -> None:
    assert NARROW.caught(1200, 30) == pytest.approx(
        free_space.gaussian_capture(5, 1200, 1), rel=1e-4
    )
    assert db(NARROW.caught(1200, 30)) == pytest.approx(18.6, abs=0.05)


def test_pointing_errors_are_the_mean_over_the_beam_far_away_and_near() -> None:
    wrong = Optics(850, 5.0, 1.0, jitter_urad=1.2, bias_urad=0.5)
    expected = free_space.pointing_transmittance(5, 1.2, 0.5)
    assert wrong.caught(5000, 30) / NARROW.caught(5000, 30) == pytest.approx(expected, rel=1e-3)
    # near: the telescope is as wide as the beam, which errs less than that
    assert wrong.caught(100, 30) / NARROW.caught(100, 30) > expected
    # and where one takes the place of the other nothing jumps
    before, after = (wrong.caught(z, 30) * z**2 for z in (1999.0, 2001.0))
    assert before == pytest.approx(after, rel=5e-3)


def test_a_truncated_beam_is_that_of_fraunhofers_integral_on_the_axis() -> None:
    beam = Optics(
        810, free_space.half_angle_of_waist(0.1, 810), 0.5, 0.1, 0.3, transmitter_obscuration=0.2
    )
    exact = free_space.truncated_capture(0.1, 810, 1000, 0.3, 0.5, 0.2)
    assert beam.caught(1000, 45) == pytest.approx(exact, rel=0.02)


def test_turbulence_widens_what_goes_up_and_not_what_comes_down() -> None:
    still = Optics(850, 5.0, 1.0, transmitter_m=0.3)
    moving = Optics(850, 5.0, 1.0, transmitter_m=0.3, air=Air(wind_m_per_s=21.0))
    assert moving.caught(800, 40) == still.caught(800, 40)
    spread = turbulence.uplink_spread(0.3, turbulence.fried_parameter_m(850, 40))
    ratio = moving.caught(800, 40, uplink=True) / still.caught(800, 40)
    assert ratio == pytest.approx(spread**-2, rel=2e-2)


def test_a_horizontal_beam_wanders() -> None:
    """The vector of Vasylyev et al. that the reference report has."""
    air = Air(wind_m_per_s=21.0, ground=1e-14)
    beam = Optics(1550, free_space.half_angle_of_waist(0.1, 1550), 0.4, 0.1, air=air)
    assert beam.caught(10) == pytest.approx(0.42438, rel=1e-3)


def test_no_beam_is_narrower_than_diffraction_makes_it() -> None:
    with pytest.raises(InputError, match=r"at least the 9\.019 urad of diffraction"):
        Optics(850, 5.0, 1.0, transmitter_m=0.06)
    with pytest.raises(InputError, match="no beam stays parallel"):
        Optics(850, 0.0, 1.0)


@pytest.mark.parametrize(("elevation", "expected"), [(90, 0.8952), (30, 0.8024), (10, 0.539)])
def test_a_table_of_the_air_goes_through_its_rows(elevation: float, expected: float) -> None:
    air = Air(table=((10, 0.5390), (30, 0.8024), (90, 0.8952)))
    assert air.transmittance(elevation, 1000, 850) == pytest.approx(expected)
    # between them MODTRAN's own values
    assert air.transmittance(20, 1000, 850) == pytest.approx(0.7261, rel=0.02)
    assert air.transmittance(60, 1000, 850) == pytest.approx(0.8801, rel=0.005)
    assert air.transmittance(5, 1000, 850) < 0.539


# --- the link -------------------------------------------------------------------------------------


def test_a_link_is_dark_without_a_contact_and_has_the_loss_of_its_geometry_in_one() -> None:
    geometry = overhead()
    link = FreeSpaceLink(NARROW, BARE, 0.0, geometry, background_hz=7.0)
    (contact,) = geometry.passes(0, 1200 * 10**9)
    before = link.at(0)
    assert (before.transmittance, before.valid_until_ns) == (0.0, contact.since_ns)
    zenith = link.at(contact.highest_ns)
    assert db(zenith.transmittance) == pytest.approx(
        db(free_space.gaussian_capture(5, 500, 1)), abs=0.05
    )
    assert zenith.noise_rate_hz == 7.0 and zenith.noise is None
    assert link.at(contact.until_ns).transmittance == 0.0
    assert link.at(contact.until_ns - 1000).valid_until_ns == contact.until_ns


def test_cells_follow_each_other_without_a_gap_from_any_side() -> None:
    link = FreeSpaceLink(NARROW, BARE, 0.0, overhead())
    t_ns, steps = 0, 0
    while t_ns < 1200 * 10**9:
        state = link.at(t_ns)
        assert state.valid_until_ns is not None and state.valid_until_ns > t_ns
        assert link.at(state.valid_until_ns - 1) is state
        t_ns, steps = state.valid_until_ns, steps + 1
    assert 400 < steps < 480
    # asked backwards they are the same
    again = FreeSpaceLink(NARROW, BARE, 0.0, overhead())
    for t_s in (900, 700, 601, 500):
        assert again.at(t_s * 10**9).transmittance == link.at(t_s * 10**9).transmittance


@pytest.mark.parametrize("altitude_km", [400.0, 800.0])
def test_the_grid_is_finer_than_a_twentieth_of_a_decibel(altitude_km: float) -> None:
    air = Air(zenith_transmittance=0.8)
    link = FreeSpaceLink(Optics(850, 5.0, 1.0, air=air), BARE, 0.0, overhead(altitude_km))
    (contact,) = link.geometry.passes(0, 1200 * 10**9)  # type: ignore[union-attr]
    worst = 0.0
    for t_ns in range(contact.since_ns, contact.until_ns, GRID_NS // 3 * 11):
        exact = link.transmittance(t_ns)
        worst = max(worst, abs(db(link.at(t_ns).transmittance / exact)))
    assert 0.005 < worst < 0.05


def test_the_loss_over_a_pass_is_satquma_s_within_half_a_decibel() -> None:
    """From its 26.99 dB at the zenith; elevations are of a sphere there."""
    link = FreeSpaceLink(NARROW, BARE, 0.0, overhead(least_deg=1.0))
    zenith = db(link.transmittance(600 * 10**9))
    for after_s, expected in ((60, 29.547), (100, 32.147), (160, 35.391), (220, 37.905)):
        got = db(link.transmittance((600 + after_s) * 10**9)) - zenith
        assert got == pytest.approx(expected - 26.99, abs=0.6)


def test_what_goes_up_is_dimmer_than_what_comes_down() -> None:
    optics = Optics(850, 5.0, 1.0, transmitter_m=0.3, air=Air(0.8, wind_m_per_s=21.0))
    link = FreeSpaceLink(optics, BARE, 0.0, overhead())
    assert link.at(600 * 10**9, reverse=True).transmittance < link.at(600 * 10**9).transmittance


def test_clouds_dim_a_link_while_they_last() -> None:
    sky = Record([(0, 0.0), (round(590.5e9), 20.0), (round(601.25e9), 0.0)])
    clear = FreeSpaceLink(NARROW, BARE, 0.0, overhead())
    link = FreeSpaceLink(NARROW, BARE, 0.0, overhead(), weather=[sky])
    for t_s, loss_db in ((590.2, 0), (590.7, 20), (600, 20), (601.3, 0)):
        t_ns = round(t_s * 1e9)
        ratio = link.at(t_ns).transmittance / clear.at(t_ns).transmittance
        assert db(ratio) == pytest.approx(loss_db, abs=0.05)
    assert link.at(round(590.2e9)).valid_until_ns == round(590.5e9)


def test_faults_add_to_it() -> None:
    link = FreeSpaceLink(NARROW, Fibre(0.0, insertion_loss_db=3.0, group_index=1.0), 144.0)
    dimmer = link.changed(10.0, 0.0, lossless=False)
    assert db(dimmer.at(0).transmittance / link.at(0).transmittance) == pytest.approx(10)
    turned = link.changed(0.0, 0.3, lossless=False)
    assert link.at(0).noise is None and turned.at(0).noise is not None
    assert link.changed(0.0, 0.0, lossless=True).at(0).transmittance == 1.0
    assert link.at(0).valid_until_ns is None and not link.moves


def test_light_comes_from_a_satellite_as_fast_as_from_its_range() -> None:
    link = FreeSpaceLink(NARROW, BARE, 0.0, overhead())
    assert link.delay_ns(600 * 10**9) == pytest.approx(500 / 299_792.458 * 1e9, rel=1e-3)
    edge = link.geometry.passes(0, 1200 * 10**9)[0].since_ns  # type: ignore[union-attr]
    range_km = orbits.slant_range_km(500, 10)
    assert link.delay_ns(edge) == pytest.approx(range_km / 299_792.458 * 1e9, rel=0.01)
