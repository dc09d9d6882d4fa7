from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.optics import raman
from qnetem.emulator.optics.raman import ClassicalChannels, RamanNoise

ALPHA = raman.attenuation_per_km(0.2)
#: Length in km, photons per second forward and backward: 0 dBm, rho 3e-9 /(km nm), 0.2 nm, 0.2 dB/km.
VECTORS = [
    (10.0, 2.954e7, 3.060e7),
    (25.0, 3.701e7, 4.575e7),
    (50.0, 2.341e7, 5.032e7),
    (80.0, 9.408e6, 5.080e7),
]


def noise_of(*channels: ClassicalChannels, width_nm: float = 0.2) -> RamanNoise:
    return RamanNoise(channels, filter_width_nm=width_nm, wavelength_nm=1550.0)


def one(direction: Any = "co", **changes: Any) -> ClassicalChannels:
    return ClassicalChannels(
        **{"launch_power_dbm": 0.0, "rho_per_km_nm": 3e-9, **changes}, direction=direction
    )


def test_attenuation_is_power_loss_in_db() -> None:
    assert pytest.approx(0.04605, rel=1e-3) == ALPHA
    assert pytest.approx(21.715, rel=1e-4) == 1 / ALPHA
    assert raman.power_w(0.0) == pytest.approx(1e-3)
    assert raman.power_w(3.0) == pytest.approx(1.99526e-3, rel=1e-5)


def test_a_milliwatt_at_1550_nm_is_7_8e15_photons_a_second() -> None:
    assert raman.photon_rate_hz(1e-3, 1550.0) == pytest.approx(7.8028e15, rel=1e-4)


@pytest.mark.parametrize(("length_km", "forward", "backward"), VECTORS)
def test_noise_photons_are_the_vectors(length_km: float, forward: float, backward: float) -> None:
    assert noise_of(one("co")).rate_hz(length_km, 0.2) == pytest.approx(forward, rel=1e-3)
    assert noise_of(one("counter")).rate_hz(length_km, 0.2) == pytest.approx(backward, rel=1e-3)


def test_the_backward_formula_is_its_sinh_form() -> None:
    for length_km in (1.0, 25.0, 80.0):
        sinh = math.exp(-ALPHA * length_km) * math.sinh(ALPHA * length_km) / ALPHA
        assert raman.backward_length_km(length_km, ALPHA, ALPHA) == pytest.approx(sinh)


@pytest.mark.parametrize(
    ("classical", "quantum"), [(0.06, 0.04), (0.04, 0.06), (0.05, 0.05), (0.0, 0.05)]
)
def test_unequal_attenuation_is_the_sum_over_where_light_scatters(
    classical: float, quantum: float
) -> None:
    length_km = 60.0
    z = (np.arange(20_000) + 0.5) * length_km / 20_000
    step = length_km / 20_000
    forward = (np.exp(-classical * z) * np.exp(-quantum * (length_km - z))).sum() * step
    backward = np.exp(-(classical + quantum) * z).sum() * step
    assert raman.forward_length_km(length_km, classical, quantum) == pytest.approx(
        forward, rel=1e-6
    )
    assert raman.backward_length_km(length_km, classical, quantum) == pytest.approx(
        backward, rel=1e-6
    )


def test_nearly_equal_attenuation_loses_no_digits() -> None:
    equal = raman.forward_length_km(50.0, ALPHA, ALPHA)
    assert equal == pytest.approx(50.0 * math.exp(-ALPHA * 50.0))
    assert raman.forward_length_km(50.0, ALPHA, ALPHA * (1 + 1e-13)) == pytest.approx(
        equal, rel=1e-10
    )
    assert raman.forward_length_km(50.0, 0.0, 0.0) == 50.0
    assert raman.backward_length_km(50.0, 0.0, 0.0) == 50.0


def test_forward_noise_peaks_at_one_over_alpha() -> None:
    lengths_km = np.arange(1.0, 120.0, 0.05)
    rates = [noise_of(one("co")).rate_hz(length, 0.2) for length in lengths_km]
    assert lengths_km[int(np.argmax(rates))] == pytest.approx(21.7, abs=0.06)


def test_backward_noise_grows_and_saturates() -> None:
    noise = noise_of(one("counter"))
    rates = [noise.rate_hz(length, 0.2) for length in (1.0, 10.0, 50.0, 100.0, 300.0)]
    assert rates == sorted(rates)
    limit_w = 1e-3 * 3e-9 * 0.2 / (2 * ALPHA)
    assert noise.power_w(300.0, 0.2) == pytest.approx(limit_w, rel=1e-6)


def test_the_other_direction_sees_co_as_counter() -> None:
    co, counter = noise_of(one("co")), noise_of(one("counter"))
    assert co.rate_hz(50.0, 0.2, reverse=True) == pytest.approx(counter.rate_hz(50.0, 0.2))
    assert counter.rate_hz(50.0, 0.2, reverse=True) == pytest.approx(co.rate_hz(50.0, 0.2))
    assert co.rate_hz(50.0, 0.2) != pytest.approx(counter.rate_hz(50.0, 0.2))


def test_noise_is_proportional_to_channels_power_and_filter() -> None:
    base = noise_of(one()).rate_hz(50.0, 0.2)
    assert noise_of(one(count=8)).rate_hz(50.0, 0.2) == pytest.approx(8 * base)
    assert noise_of(one(launch_power_dbm=-10.0)).rate_hz(50.0, 0.2) == pytest.approx(base / 10)
    assert noise_of(one(), width_nm=0.8).rate_hz(50.0, 0.2) == pytest.approx(4 * base)
    both = noise_of(one("co"), one("counter")).rate_hz(50.0, 0.2)
    assert both == pytest.approx(2.341e7 + 5.032e7, rel=1e-3)


def test_noise_per_gate_is_what_the_receiver_lets_through() -> None:
    """2.341e7 photons/s in 1 ns gates, half through the receiver, 20 % efficiency, two detectors."""
    rate_hz = noise_of(one()).rate_hz(50.0, 0.2)
    assert raman.photons_per_gate(rate_hz, 1.0) == pytest.approx(0.02341, rel=1e-3)
    got = raman.photons_per_gate(rate_hz, 1.0, 0.5, 0.2, detectors=2)
    assert got == pytest.approx(0.02341 * 0.5 * 0.2 / 2, rel=1e-3)


def test_a_click_is_one_photon_or_more() -> None:
    assert raman.click_probability(1e-9) == pytest.approx(1e-9)
    assert raman.click_probability(0.5) == pytest.approx(1 - math.exp(-0.5))
    rng, count = np.random.default_rng(4), 100_000
    clicks = int((rng.poisson(0.5, size=count) > 0).sum())
    p = raman.click_probability(0.5)
    assert abs(clicks - count * p) < 3 * math.sqrt(count * p * (1 - p))


# --- the coefficient ---


def test_the_table_is_the_measured_one() -> None:
    for wavelength_nm, rho in raman.MEASURED_RHO:
        assert raman.raman_coefficient(wavelength_nm) == pytest.approx(rho * 1e-9)
    assert raman.raman_coefficient(1532.5) == pytest.approx(3.61e-9)
    assert raman.raman_coefficient(1582.5) == pytest.approx(3.77e-9)


def test_the_table_is_that_of_the_reference_file() -> None:
    """Compared where the file lies beside the project; the rows stand in the module."""
    path = Path(__file__).parents[4] / "shared" / "reference" / "raman_rho_pump1550.csv"
    if not path.exists():
        pytest.skip("the reference file is not here")
    with path.open() as file:
        rows = [
            (float(row["signal_wavelength_nm"]), float(row["rho_per_km_per_nm"]) * 1e9)
            for row in csv.DictReader(file)
        ]
    assert np.allclose(rows, raman.MEASURED_RHO)


def test_anti_stokes_is_below_stokes_and_the_pump_in_a_dip() -> None:
    for shift_nm in (10.0, 15.0, 20.0, 25.0):
        assert raman.raman_coefficient(1550 - shift_nm) < raman.raman_coefficient(1550 + shift_nm)
    assert raman.raman_coefficient(1550.0) < raman.raman_coefficient(1540.0)
    assert raman.raman_coefficient(1550.0) < raman.raman_coefficient(1560.0)


def test_another_pump_is_read_at_the_same_shift() -> None:
    shifted_nm = 1 / (1 / 1560 - 1 / 1550 + 1 / 1530)
    assert raman.raman_coefficient(1540.0, pump_nm=1560.0) == pytest.approx(
        raman.raman_coefficient(1 / (1 / 1550 - 1 / 1560 + 1 / 1540))
    )
    assert raman.raman_coefficient(shifted_nm, pump_nm=1560.0) != pytest.approx(
        raman.raman_coefficient(shifted_nm)
    )


@pytest.mark.parametrize(
    ("wavelength_nm", "pump_nm"), [(1524.0, 1550.0), (1601.0, 1550.0), (1310.0, 1550.0)]
)
def test_an_unmeasured_shift_wants_a_stated_coefficient(
    wavelength_nm: float, pump_nm: float
) -> None:
    with pytest.raises(InputError, match="state rho_per_km_nm"):
        raman.raman_coefficient(wavelength_nm, pump_nm)
    with pytest.raises(InputError, match="state rho_per_km_nm"):
        RamanNoise((ClassicalChannels(0.0, wavelength_nm=pump_nm),), 0.2, wavelength_nm)
    stated = ClassicalChannels(0.0, wavelength_nm=pump_nm, rho_per_km_nm=1e-10)
    assert RamanNoise((stated,), 0.2, wavelength_nm).rate_hz(10.0, 0.35) > 0


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"count": 0}, "count"),
        ({"launch_power_dbm": math.inf}, "launch_power_dbm"),
        ({"launch_power_dbm": math.nan}, "launch_power_dbm"),
        ({"direction": "up"}, "direction"),
        ({"wavelength_nm": -1550.0}, "wavelength_nm"),
        ({"attenuation_db_per_km": -0.2}, "attenuation_db_per_km"),
        ({"rho_per_km_nm": -1e-9}, "rho_per_km_nm"),
    ],
)
def test_impossible_channels_are_refused(wrong: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        ClassicalChannels(**{"launch_power_dbm": 0.0, **wrong})


def test_an_impossible_receiver_is_refused() -> None:
    with pytest.raises(InputError, match="filter_width_nm"):
        noise_of(one(), width_nm=0.0)
    for wrong in (
        (-1.0, 1.0),
        (1.0, -1.0),
        (1.0, 1.0, 1.2),
        (1.0, 1.0, 1.0, 1.2),
        (1.0, 1.0, 1.0, 1.0, 0),
    ):
        with pytest.raises(InputError):
            raman.photons_per_gate(*wrong)  # type: ignore[arg-type]


# --- receivers on the way -------------------------------------------------------------------------


def scattered(
    channel: ClassicalChannels, total_km: float, start_km: float, end_km: float, at_km: float
) -> float:
    """Photons per second at `at_km` from the stretch between start and end, summed up piece by piece.

    Independent of the module's formulas: power falls from where it is launched, the light scattered at z
    falls on its way to the receiver, whichever side that lies on.
    """
    steps = 20_000
    z = start_km + (np.arange(steps) + 0.5) * (end_km - start_km) / steps
    travelled = z if channel.direction == "co" else total_km - z
    falling = np.exp(-ALPHA * travelled) * np.exp(-ALPHA * np.abs(at_km - z))
    power = channel.total_power_w * 3e-9 * 0.2 * float(falling.sum()) * (end_km - start_km) / steps
    return raman.photon_rate_hz(power, 1550.0)


@pytest.mark.parametrize("direction", ["co", "counter"])
@pytest.mark.parametrize("station_km", [0.0, 12.0, 25.0, 50.0])
def test_a_station_on_the_way_sees_what_either_fibre_scatters_towards_it(
    direction: str, station_km: float
) -> None:
    channel = one(direction)
    found = noise_of(channel).station_rate_hz(station_km, 50.0 - station_km, 0.2)
    near = scattered(channel, 50.0, 0.0, station_km, station_km)
    far = scattered(channel, 50.0, station_km, 50.0, station_km)
    assert found == pytest.approx(near + far, rel=1e-6)


def test_a_station_at_an_end_is_a_receiver_there() -> None:
    noise = noise_of(one("co"), one("counter", count=3))
    assert noise.station_rate_hz(50.0, 0.0, 0.2) == pytest.approx(noise.rate_hz(50.0, 0.2))
    assert noise.station_rate_hz(0.0, 50.0, 0.2) == pytest.approx(noise.rate_hz(50.0, 0.2, True))


@pytest.mark.parametrize("direction", ["co", "counter"])
def test_an_end_sees_what_its_own_fibre_scatters_towards_it(direction: str) -> None:
    channel = one(direction)
    first, second = noise_of(channel).end_rates_hz(20.0, 30.0, 0.2)
    assert first == pytest.approx(scattered(channel, 50.0, 0.0, 20.0, 0.0), rel=1e-6)
    assert second == pytest.approx(scattered(channel, 50.0, 20.0, 50.0, 50.0), rel=1e-6)
