from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms import links as theory
from qnetem.emulator.errors import InputError
from qnetem.emulator.heralding.attempts import SimpleLink
from qnetem.emulator.heralding.double_click import DoubleClick
from qnetem.emulator.heralding.midpoint import (
    Arm,
    MidpointSource,
    Station,
    bell_diagonal,
    meet_in_the_middle,
    split_fibre,
)
from qnetem.emulator.heralding.single_click import SingleClick
from qnetem.emulator.heralding.timing import Timing
from qnetem.emulator.optics.fibre import Fibre
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.states import bell_vector, werner

TIMING = Timing(1000, (0, 0), (1000, 1000))
FIBRE = Fibre(50, insertion_loss_db=3, depolarising=0.1, dephasing=0.2)
TWISTED = Fibre(1, misalignment_rad=0.1)


# --- from an emitter to a click -------------------------------------------------------------------


def test_a_detection_probability_is_the_product_of_its_parts() -> None:
    arm = Arm(Fibre(10), 0.9, 0.46, 0.3, 0.4, lifetime_ns=12)
    station = Station(window_ns=25, detector_efficiency=0.8)
    expected = 0.9 * 0.46 * 0.3 * 0.4 * 10**-0.2 * 0.8 * (1 - math.exp(-25 / 12))
    assert station.detection_probability(arm) == pytest.approx(expected, rel=1e-12)
    assert arm.arrival_probability == pytest.approx(0.9 * 0.46 * 0.3 * 0.4 * 10**-0.2, rel=1e-12)


def test_darks_are_rate_times_window() -> None:
    """20 Hz in 25 ns are the 5e-7 of the Delft set."""
    assert Station(25, dark_count_rate_hz=20).dark_probability == pytest.approx(5e-7, rel=1e-3)
    assert Station(1e9, dark_count_rate_hz=1).dark_probability == pytest.approx(1 - 1 / math.e)
    assert Station(25).dark_probability == 0


@pytest.mark.parametrize(
    ("build", "problem"),
    [
        (lambda: Arm(Fibre(1), emission_probability=1.2), "emission_probability"),
        (lambda: Arm(Fibre(1), zero_phonon_fraction=-0.1), "zero_phonon_fraction"),
        (lambda: Arm(Fibre(1), collection_efficiency=2.0), "collection_efficiency"),
        (lambda: Arm(Fibre(1), conversion_efficiency=math.nan), "conversion_efficiency"),
        (lambda: Arm(Fibre(1), lifetime_ns=0.0), "lifetime_ns"),
        (lambda: Station(0.0), "window_ns"),
        (lambda: Station(25, 1.2), "detector_efficiency"),
        (lambda: Station(25, 0.8, -1.0), "dark_count_rate_hz"),
        (lambda: Station(25, 0.8, 1.0, -1.0), "noise_rate_hz"),
        (lambda: split_fibre(FIBRE, 1.5), "position"),
        (lambda: split_fibre(Fibre(1, dephasing=0.7)), "dephasing"),
        (lambda: meet_in_the_middle(-1, 5, 5), "expected 0 or more"),
        (lambda: meet_in_the_middle(0, 0, 0), "at least 1 ns"),
        (lambda: MidpointSource.between(FIBRE, FIBRE, 0, 0.1), "at least 1 ns"),
        (lambda: MidpointSource.between(FIBRE, Fibre(1, dephasing=0.7), 1, 0.1), "dephasing"),
        (lambda: MidpointSource.between(TWISTED, FIBRE, 1, 0.1), "misalignment_rad"),
        (lambda: DoubleClick.between(Arm(FIBRE), Arm(TWISTED), Station(9)), "misalignment_rad"),
        (lambda: MidpointSource.between(FIBRE, FIBRE, 100, 1.1), "pair_probability"),
        (lambda: MidpointSource.between(FIBRE, FIBRE, 100, 0.1, 1.1), "first_latching"),
        (lambda: MidpointSource.between(FIBRE, FIBRE, 100, 0.1, 1, -1), "second_latching"),
    ],
)
def test_impossible_hardware_is_refused(build: object, problem: str) -> None:
    assert callable(build)
    with pytest.raises(InputError, match=problem):
        build()


def test_stray_light_clicks_at_either_port_of_the_beam_splitter() -> None:
    """Noise per gate and detector: P lambda/(h c) t_gate eta_det / 2, beside the dark counts."""
    station = Station(10, 0.6, 50.0, noise_rate_hz=2e4)
    assert station.dark_probability == pytest.approx(10e-9 * (50 + 2e4 * 0.6 / 2), rel=1e-4)


# --- where the station stands ---------------------------------------------------------------------


def test_in_the_middle_an_attempt_takes_light_once_over_the_link() -> None:
    half_ns = Fibre(25).delay_ns
    timing = meet_in_the_middle(0, half_ns, half_ns)
    assert timing.attempt_ns == pytest.approx(Fibre(50).delay_ns, abs=1)
    assert timing.emissions_ns == (0, 0)
    assert timing.heralds_ns == (timing.attempt_ns, timing.attempt_ns)


def test_at_one_end_it_takes_light_there_and_back() -> None:
    """Sender and receiver: the receiver knows at once, the sender one delay later."""
    delay_ns = Fibre(50).delay_ns
    timing = meet_in_the_middle(0, delay_ns, 0)
    assert timing.attempt_ns == 2 * delay_ns
    assert timing.emissions_ns == (0, delay_ns)
    assert timing.heralds_ns == (2 * delay_ns, delay_ns)


def test_preparation_hides_light_or_light_hides_preparation() -> None:
    assert meet_in_the_middle(5500, 5, 5).attempt_ns == 5500
    assert meet_in_the_middle(5500, 5, 5).emissions_ns == (5490, 5490)
    assert meet_in_the_middle(5500, 4000, 4000).attempt_ns == 8000


@pytest.mark.parametrize("delays_ns", [(10, 10), (48_367, 72_550), (0, 7), (300, 299)])
@pytest.mark.parametrize("preparation_ns", [0, 100, 10**6])
def test_photons_meet_and_each_end_hears_one_delay_later(
    delays_ns: tuple[int, int], preparation_ns: int
) -> None:
    timing = meet_in_the_middle(preparation_ns, *delays_ns)
    met = {timing.emissions_ns[end] + delays_ns[end] for end in (0, 1)}
    assert len(met) == 1
    assert all(timing.heralds_ns[end] == met.copy().pop() + delays_ns[end] for end in (0, 1))
    assert timing.attempt_ns == theory.attempt_time(preparation_ns, *delays_ns)
    assert max(timing.heralds_ns) == timing.attempt_ns
    assert min(timing.emissions_ns) >= 0


@pytest.mark.parametrize("length_km", [0.00029, 0.00057, 0.0008, 0.123456, 25.0001, 1000.0])
@pytest.mark.parametrize("position", [0.0, 0.1, 0.5, 0.77, 1.0])
def test_no_kind_tells_an_end_before_light_of_the_other_could(
    length_km: float, position: float
) -> None:
    """To the ns, though the delays of the parts are rounded: both started at 0, and emit when they do."""
    fibre = Fibre(length_km)
    parts = split_fibre(fibre, position)
    arms = [Arm(part) for part in parts]
    kinds = (
        SingleClick.between(*arms, Station(10.0), 0.1),
        DoubleClick.between(*arms, Station(10.0)),
        MidpointSource.between(*parts, 3, 0.5),
        SimpleLink(0.5, 0.9, 3, fibre.delay_ns),
    )
    for kind in kinds:
        (first, second), (heard, other_heard) = kind.timing.emissions_ns, kind.timing.heralds_ns
        assert heard >= second + fibre.delay_ns
        assert other_heard >= first + fibre.delay_ns


@pytest.mark.parametrize("position", [0.0, 0.3, 0.5, 1.0])
def test_the_parts_of_a_fibre_do_together_what_the_whole_does(position: float) -> None:
    first, second = split_fibre(FIBRE, position)
    assert first.length_km == pytest.approx(50 * position)
    assert first.transmittance * second.transmittance == pytest.approx(FIBRE.transmittance)
    assert first.delay_ns + second.delay_ns == pytest.approx(FIBRE.delay_ns, abs=1)
    whole, parts = FIBRE.noise(), (first.noise(), second.noise())
    combined = np.eye(4)
    for part in parts:
        combined = combined if part is None else part @ combined
    assert whole is not None
    np.testing.assert_allclose(combined, whole, atol=1e-12)


def test_a_station_off_the_middle_slows_the_link_but_loses_no_more() -> None:
    station = Station(window_ns=10)
    rates = []
    for position in (0.5, 0.7, 1.0):
        arms = [Arm(part) for part in split_fibre(Fibre(50), position)]
        attempts = DoubleClick.between(arms[0], arms[1], station).attempts()
        assert attempts.success == pytest.approx(Fibre(50).transmittance / 2, rel=1e-12)
        rates.append(attempts.rate_hz)
    assert rates[0] / rates[2] == pytest.approx(2, rel=1e-4)
    assert rates[0] / rates[1] == pytest.approx(1.4, rel=1e-4)


# --- the midpoint source --------------------------------------------------------------------------


def test_a_midpoint_source_succeeds_when_both_ends_latch() -> None:
    source = MidpointSource.between(Fibre(20), Fibre(30), 1000, 0.1, 0.8, 0.5)
    expected = theory.midpoint_success(0.1, 0.8 * 10**-0.4, 0.5 * 10**-0.6)
    attempts = source.attempts()
    assert attempts.success == pytest.approx(expected, rel=1e-12)
    assert attempts.fidelity == pytest.approx(1, abs=1e-12)
    assert attempts.bells == (0,)


def test_its_clock_is_not_the_distances() -> None:
    near = MidpointSource.between(Fibre(1), Fibre(1), 1000, 0.1).attempts()
    far = MidpointSource.between(Fibre(100), Fibre(100), 1000, 0.1).attempts()
    assert near.attempt_ns == far.attempt_ns == 1000
    assert far.rate_hz / near.rate_hz == pytest.approx(10 ** (-198 * 0.2 / 10), rel=1e-9)


def test_each_end_hears_of_the_others_latch_over_the_whole_link() -> None:
    first, second = Fibre(20), Fibre(30)
    timing = MidpointSource.between(first, second, 1000, 0.1).attempts().timing
    whole_ns = first.delay_ns + second.delay_ns
    assert timing.emissions_ns == (first.delay_ns, second.delay_ns)
    assert timing.heralds_ns == (second.delay_ns + whole_ns, first.delay_ns + whole_ns)


def test_false_latches_succeed_too_and_know_nothing() -> None:
    """Every way that both ends can have latched, counted out."""
    pair, first, second, dark = 0.3, 0.2, 0.4, 0.05
    source = MidpointSource.between(Fibre(0), Fibre(0), 1, pair, first, second, 0.9, dark)
    true = pair * first * second
    one = pair * dark * (first * (1 - second) + second * (1 - first))
    none = pair * dark**2 * (1 - first) * (1 - second) + (1 - pair) * dark**2
    attempts = source.attempts()
    assert attempts.success == pytest.approx(true + one + none, rel=1e-12)
    share = true / (true + one + none)
    np.testing.assert_allclose(
        attempts.density(), share * werner(0.9) + (1 - share) * np.eye(4) / 4, atol=1e-12
    )
    nothing = MidpointSource.between(Fibre(0), Fibre(0), 1, 0.0).attempts()
    assert nothing.success == 0
    np.testing.assert_allclose(nothing.density(), np.eye(4) / 4, atol=1e-12)


def test_its_fibres_wear_the_pair() -> None:
    first, second = Fibre(1, dephasing=0.1), Fibre(1, depolarising=0.2, dephasing=0.05)
    rho = MidpointSource.between(first, second, 1, 0.1, pair_fidelity=0.95).attempts().density()
    weights = [np.vdot(v, rho @ v).real for v in map(bell_vector, range(4))]
    flip, rest = (1 - 0.8 * 0.9) / 2, 0.05 / 3
    clean = ((1 - flip) * 0.95 + flip * rest, rest, (1 - flip) * rest + flip * 0.95, rest)
    assert weights == pytest.approx([0.8 * weight + 0.05 for weight in clean])


def test_bell_weights_come_in_the_order_of_the_index() -> None:
    rho = bell_diagonal(0.4, 0.3, 0.2, 0.1)
    weights = [np.vdot(v, rho @ v).real for v in map(bell_vector, range(4))]
    assert weights == pytest.approx([0.4, 0.3, 0.2, 0.1])


def test_stray_light_latches_at_each_end_by_its_own_rate() -> None:
    """As false latches do: only how often differs from end to end."""
    pair, first, second, dark, noise, other = 0.3, 0.2, 0.4, 0.05, 0.01, 0.002
    source = MidpointSource.between(
        Fibre(0), Fibre(0), 1, pair, first, second, 1.0, dark, noise, other
    )
    false, other_false = 1 - (1 - dark) * (1 - noise), 1 - (1 - dark) * (1 - other)
    true = pair * first * second
    one = pair * (first * (1 - second) * other_false + second * (1 - first) * false)
    none = false * other_false * (1 - pair * (first + second - first * second))
    assert source.attempts().success == pytest.approx(true + one + none, rel=1e-12)


def test_every_outcome_of_a_period_counted_gives_the_same_pair() -> None:
    """Each end keeps its half of the pair, latches nothing instead, or stays empty: by plain QuTiP."""
    link = MidpointSource(0.7, 0.6, 0.3, TIMING, 0.9, 0.05, first_noise=0.1, second_noise=0.02)
    pair = qutip.Qobj(werner(0.9), dims=[[2, 2]] * 2)
    unknown = qutip.qeye(2) / 2
    false = [0.05 + 0.95 * noise for noise in (0.1, 0.02)]
    found = 0.3 * false[0] * false[1] * qutip.tensor(unknown, unknown)
    for near, far in itertools.product((True, False), repeat=2):
        weight = 0.7 * (0.6 if near else 0.4 * false[0]) * (0.3 if far else 0.7 * false[1])
        kept = [index for index, there in enumerate((near, far)) if there]
        halves = {2: pair, 0: qutip.tensor(unknown, unknown)}.get(len(kept))
        if halves is None:  # the half whose partner was lost
            alone = pair.ptrace(kept[0])
            halves = qutip.tensor(alone, unknown) if near else qutip.tensor(unknown, alone)
        found += weight * halves
    attempts = link.attempts()
    assert attempts.success == pytest.approx(found.tr(), rel=1e-12)
    np.testing.assert_allclose(found.full() / found.tr(), attempts.density(), atol=1e-12)
