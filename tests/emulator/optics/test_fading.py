"""Fades: their mean is 1, their variance is the closed forms', and they hang on time alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms import free_space, turbulence
from qnetem.emulator.kernel.conductor import Conductor
from qnetem.emulator.kernel.ports import Surroundings
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.optics.fading import FadeShape, Fading
from qnetem.emulator.optics.free_space import Air, Optics
from qnetem.emulator.quantum.plane import QuantumPlane
from qnetem.emulator.record.journal import Journal
from qnetem.emulator.record.metrics import Metrics

MS = 10**6
STEADY = Air(0.9)
TURBULENT = Air(0.9, wind_m_per_s=21.0, ground=1.7e-14)


def normals(count: int = 200_000) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((3, count))


def near(values: np.ndarray, mean: float, variance: float) -> None:
    assert values.mean() == pytest.approx(mean, abs=4.5 * math.sqrt(variance / len(values)))
    spread = 4.5 * math.sqrt(((values - mean) ** 4).mean() / len(values))
    assert values.var() == pytest.approx(variance, abs=spread)


# --- shapes ---------------------------------------------------------------------------------------


def test_scintillation_is_log_normal_with_its_index() -> None:
    index = 0.12
    shape = FadeShape(turbulence.scintillation_variance(index))
    near(shape.factors(normals()), 1.0, index)


@pytest.mark.parametrize("jitter_urad", [0.5, 1.2])
def test_jitter_fades_a_beam_as_a_power_law(jitter_urad: float) -> None:
    """Of P(eta <= x) = x^beta: means of x and x^2 are beta/(beta + 1) and beta/(beta + 2)."""
    optics = Optics(850, 5.0, 0.1, jitter_urad=jitter_urad, air=STEADY)
    shape = optics.fades(1000, 40)
    beta = free_space.pointing_exponent(5, jitter_urad)
    variance = (beta + 1) ** 2 / (beta * (beta + 2)) - 1
    found = shape.factors(normals())
    near(found, 1.0, variance)
    assert found.max() <= 1 / shape.mean, "the centre of the beam has the most light"


def test_a_bias_is_in_the_mean_and_makes_jitter_worse() -> None:
    steady, off = (
        Optics(850, 5.0, 0.1, jitter_urad=1.0, bias_urad=bias, air=STEADY).fades(1000, 40)
        for bias in (0.0, 3.0)
    )
    first, second = steady.factors(normals()), off.factors(normals())
    assert second.mean() == pytest.approx(1, abs=4.5 * float(second.std()) / math.sqrt(len(second)))
    assert second.var() > 4 * first.var()


def test_the_aperture_averages_on_the_way_down_only() -> None:
    optics = Optics(850, 5.0, 1.0, air=TURBULENT)
    rytov = turbulence.rytov_variance(850, 30)
    point = turbulence.scintillation_index(rytov)
    down = point * turbulence.aperture_averaging(1.0, 850, 30)
    assert optics.fades(1000, 30).log_variance == pytest.approx(math.log1p(down))
    assert optics.fades(1000, 30, uplink=True).log_variance == pytest.approx(math.log1p(point))
    assert down < point / 10


def test_near_the_ground_the_beam_flickers_and_wanders() -> None:
    optics = Optics(850, 17.0, 0.2, air=Air(visibility_km=50, wind_m_per_s=21.0, ground=1e-15))
    shape = optics.fades(10.0)
    rytov = turbulence.horizontal_rytov_variance(1e-15, 850, 10.0)
    averaged = turbulence.horizontal_aperture_averaging(0.2, 850, 10.0)
    index = turbulence.scintillation_index(rytov) * averaged
    assert shape.log_variance == pytest.approx(math.log1p(index))
    assert shape.jitter > 0
    found = shape.factors(normals())
    assert found.mean() == pytest.approx(1, abs=4.5 * float(found.std()) / math.sqrt(len(found)))


# --- in time --------------------------------------------------------------------------------------


def fading(seed: int = 1) -> Fading:
    streams = Streams(seed)
    return Fading(5 * MS, lambda reverse, chunk: streams.apart("fading", "l", int(reverse), chunk))


def test_a_block_fades_the_same_whatever_was_asked_before() -> None:
    shape = FadeShape(0.1, 0.3, 0.1, 2.0, 0.8)
    all_at_once = fading().factors(shape, 0, 20_000 * 5 * MS, False)
    again = fading()
    for block in (17_000, 3, 1023, 1024):
        at = block * 5 * MS + 1
        assert again.factors(shape, at, at + 1, False).tolist() == [all_at_once[block]]
    assert len(again.factors(shape, 4 * MS, 11 * MS, False)) == 3
    assert again.factors(shape, 0, 5 * MS, True)[0] != all_at_once[0]
    assert fading(2).factors(shape, 0, 5 * MS, False)[0] != all_at_once[0]
    beside = np.corrcoef(all_at_once[:-1], all_at_once[1:])[0, 1]
    assert abs(beside) < 4.5 / math.sqrt(len(all_at_once))


NETWORK = """
name: fades
seed: 3
nodes: {a: {}, b: {}}
links:
  - between: [a, b]
    length: 2 km
    quantum:
      medium: free_space
      beam: {wavelength: 850 nm, divergence: {half_angle: 100 urad}}
      telescope: {aperture: 50 mm}
      atmosphere: {visibility: 20 km, turbulence: {ground: 1e-14}}
      fading: {correlation: 5 ms}
"""


def plane(text: str = NETWORK) -> QuantumPlane:
    clock = Conductor()
    return QuantumPlane(
        parse_topology(text), Surroundings(clock, Journal(clock), Metrics(), Streams(3))
    )


def test_the_light_of_an_interval_scatters_as_its_number_of_blocks_says() -> None:
    """Slots of 1 us, 1,000 intervals of 50 ms: mean as without fades, variance that of a block by 10."""
    train = plane().pulses.links["a-b"].open("a", "a", 0, 10**6)
    channel = train.link.channel(train, 0, 50_000_000)
    assert channel.starts.tolist() == [*range(0, 50_000_000, 5000)]
    calm = plane(NETWORK.replace("      fading: {correlation: 5 ms}\n", ""))
    mean = float(calm.pulses.links["a-b"].channel(train, 0, 1).etas[0])
    rytov = turbulence.horizontal_rytov_variance(1e-14, 850, 2.0)
    averaged = turbulence.horizontal_aperture_averaging(0.05, 850, 2.0)
    index = turbulence.scintillation_index(rytov) * averaged
    wander = turbulence.horizontal_wander_m(1e-14, 2.0, 0.85e-6 / (math.pi * 100e-6))
    beta = (0.2**2) / (4 * wander**2)
    jitter = (beta + 1) ** 2 / (beta * (beta + 2)) - 1
    variance = (1 + index) * (1 + jitter) - 1
    near(channel.etas / mean, 1.0, variance)
    near((channel.etas / mean).reshape(-1, 10).mean(axis=1), 1.0, variance / 10)


def test_a_train_that_is_counted_fades_as_its_blocks_do_on_average() -> None:
    link = plane().pulses.links["a-b"]
    train = link.open("a", "a", 0, 10**6)
    etas = link.channel(train, 0, 2_000_000).etas
    train.secret = b"counted"
    (mean,) = link.channel(train, 0, 2_000_000).etas
    assert mean == pytest.approx(float(etas.mean()), rel=1e-12)


def test_a_single_photon_meets_the_fade_of_its_block() -> None:
    link = plane().photon_links.by_name["a-b"]
    channel = link.faulted.channel
    train = plane().pulses.links["a-b"].open("a", "a", 0, 10**6)
    etas = train.link.channel(train, 0, 20_000).etas
    faded = [channel.at(0, "a").survival * channel.fade(t * 5 * MS, "a") for t in range(4)]
    assert faded == pytest.approx(etas.tolist())
    assert len(set(faded)) == 4
