"""A sky that follows the sun is in the counts of trains."""

from __future__ import annotations

import math

import pytest

import qnetem
from qnetem.emulator.closed_forms import free_space

NETWORK = """
name: daylight
seed: 5
time: {{epoch: {epoch}}}
nodes:
  alice:
    program: "qnetem.agents.protocols.qkd.decoy:Sender"
    with: {{peer: bob, pulses: 200_000, sample: 1.0, lazy: true}}
    source: {{kind: weak_coherent, rate: 10 MHz, intensities: [0.5, 0.1, 0], probabilities: [0.2, 0.1, 0.7]}}
    position: {{latitude: 28.76 deg, longitude: 0 deg}}
  bob:
    program: "qnetem.agents.protocols.qkd.decoy:Receiver"
    with: {{peer: alice, lazy: true}}
    detector: {{efficiency: 0.5, gate: 2 ns}}
    position: {{latitude: 28.3 deg, longitude: 0 deg}}
links:
  - between: [alice, bob]
    quantum:
      medium: free_space
      beam: {{wavelength: 850 nm, divergence: {{half_angle: 20 urad}}}}
      telescope: {{aperture: 100 mm}}
      background: {{sky: {sky}, field_of_view: 200 urad, filter: 1 nm}}
"""


def vacuum_gain(epoch: str, sky: str) -> float:
    run = qnetem.run(NETWORK.format(epoch=epoch, sky=sky), in_process=True)
    run.assert_ok()
    found: float = run.results["bob"]["decoy_2"]["gain"]
    return found


def expected(sky: str) -> float:
    radiance = free_space.sky_radiance(sky, 850)
    return free_space.background_rate_hz(radiance, 200, 0.1, 1, 850) * 2e-9 * 0.5


def test_the_vacuum_gain_is_that_of_noon_at_noon_and_of_midnight_at_midnight() -> None:
    sky = "{day: overcast, night: full_moon}"
    noon, midnight = (f"2026-03-20T{hour}:07:00Z" for hour in ("12", "00"))
    found, mean = vacuum_gain(noon, sky), 1 - math.exp(-expected("overcast"))
    assert found == pytest.approx(mean, abs=4.5 * math.sqrt(mean / 140_000))
    assert vacuum_gain(midnight, sky) < 1e-4
    steady = vacuum_gain(noon, "overcast")
    assert steady == pytest.approx(mean, abs=4.5 * math.sqrt(mean / 140_000))
