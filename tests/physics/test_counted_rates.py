"""Rates of counted trains against closed forms: Raman light, drift, faults, and the limits of detectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem import Agent
from qnetem.emulator.closed_forms import qkd

from .bench import play, program

PLANCK_J_S, LIGHT_M_S = 6.62607015e-34, 299_792_458.0
SLOTS = 10**11  # 100 s at 1 GHz


class Sender(Agent):
    """One counted train in Z."""

    async def run(self, slots: int = SLOTS, after: float = 0.0) -> None:
        await self.compute(after)
        await self.counted_pulses("bob", slots, axes="Z")


class Receiver(Agent):
    """Its clicks and errors."""

    async def run(self) -> Any:
        found = await self.count_clicks("alice", axes="Z")
        return {"clicks": int(found.clicks.sum()), "errors": int(found.errors.sum())}


def counts(
    quantum: str, more: str = "", seed: int = 1, detector: str = "", **options: Any
) -> tuple[int, int]:
    entries = ", ".join(f"{key}: {value}" for key, value in options.items())
    found = play(
        f"""
nodes:
  alice:
    program: "{program(Sender)}"
    with: {{{entries}}}
    source: {{rate: 1 GHz, intensities: [0.5]}}
  bob: {{program: "{program(Receiver)}", detector: {{efficiency: 0.5, dark_count_rate: 1 kHz{detector}}}}}
links: [{{between: [alice, bob], quantum: {{{quantum}}}}}]
{more}""",
        seed,
    ).results["bob"]
    return found["clicks"], found["errors"]


def check(count: int, expected: float) -> None:
    assert expected > 100
    assert abs(count - expected) < 3 * math.sqrt(expected), (count, expected)


def of_both(signal: float, noise: float) -> tuple[float, float]:
    """(clicks, errors) a slot: so much light at the right detector, noise at both; two at once are a coin.

    `qkd.gain` adds Y0 to the light's and leaves out what has both, which such large counts would see.
    """
    right, wrong = -math.expm1(-signal - noise), -math.expm1(-noise)
    return right + wrong - right * wrong, wrong * (1 - right / 2)


@pytest.mark.parametrize("direction", ["co", "counter"])
@pytest.mark.parametrize("length_km", [10, 50, 120])
def test_raman_light_adds_to_the_gain_and_errs_half_the_time(
    direction: str, length_km: int
) -> None:
    """P rho dlambda L exp(-a L) along with the light, P rho dlambda (1 - exp(-2 a L))/(2 a) against it."""
    slots, rho, filter_nm, power_w = 10**9, 3e-9, 0.2, 1e-4
    per_km = 0.2 * math.log(10) / 10
    effective_km = length_km * math.exp(-per_km * length_km)
    if direction == "counter":
        effective_km = -math.expm1(-2 * per_km * length_km) / (2 * per_km)
    photons_s = power_w * rho * filter_nm * effective_km * 1550e-9 / (PLANCK_J_S * LIGHT_M_S)
    background = 2 * 1e3 * 1e-9 + photons_s * 1e-9 * 0.5
    eta = 0.5 * 10 ** (-0.02 * length_km)
    clicks, errors = counts(
        f"length: {length_km} km, coexistence: {{filter: {filter_nm} nm, channels: [{{power: -10 dBm, "
        f"direction: {direction}, wavelength: 1550 nm, rho: {rho} /km/nm}}]}}",
        slots=slots,
    )
    gain, wrong = of_both(0.5 * eta, background / 2)
    check(clicks, slots * gain)
    check(errors, slots * wrong)


def test_a_drift_of_polarisation_errs_as_its_closed_form_in_the_mean() -> None:
    """(1 - exp(-drift t))/2, over paths: each train is 1 s long, 100 s after the start."""
    rates = []
    for seed in range(60):
        clicks, errors = counts(
            "length: 1 km, environment: {grid: 1 s, polarisation_drift: 0.004 rad2/s}",
            seed=seed,
            slots=10**9,
            after=100.0,
        )
        rates.append(errors / clicks)
    expected = -math.expm1(-0.004 * 100) / 2
    spread = float(np.std(rates, ddof=1)) / math.sqrt(len(rates))
    assert np.mean(rates) == pytest.approx(expected, abs=3 * spread)
    assert spread < expected / 5


def test_faults_act_for_exactly_as_long_as_they_last() -> None:
    """10 dB for 20 s, dark for 10 s, blind for 5 s, more dark counts for 25 s, of 100 s."""
    clicks, errors = counts(
        "length: 50 km",
        """faults:
  - {at: 10 s, for: 20 s, loss_db: alice-bob, by: 10 dB}
  - {at: 40 s, for: 10 s, source_off: alice}
  - {at: 60 s, for: 5 s, blind: bob}
  - {at: 70 s, for: 25 s, dark_counts: bob, rate: 200 kHz}
""",
    )

    def gain(eta: float, dark_hz: float) -> tuple[float, float]:
        return of_both(0.5 * eta, dark_hz * 1e-9)

    quiet, dim, dark, loud = gain(0.05, 1e3), gain(0.005, 1e3), gain(0.0, 1e3), gain(0.05, 201e3)
    pieces = [(40, quiet), (20, dim), (10, dark), (25, loud)]
    check(clicks, 1e9 * sum(seconds * mean for seconds, (mean, _) in pieces))
    check(errors, 1e9 * sum(seconds * wrong for seconds, (_, wrong) in pieces))


@pytest.mark.parametrize("paralysable", ["false", "true"])
def test_dead_time_limits_the_rate_as_its_closed_form(paralysable: str) -> None:
    """R/(1 + R tau), and R exp(-R tau): within the width of a slot of the dead time."""
    slots = 10**10
    clicks, _ = counts(
        "length: 1 km, attenuation: 0 dB/km",
        slots=slots,
        detector=f", dead_time: 2 us, paralysable: {paralysable}",
    )
    busy = -math.expm1(-0.25) / 2 * 2000
    each = math.exp(-busy) if paralysable == "true" else 1 / (1 + busy)
    total = slots * -math.expm1(-0.25) * each
    if paralysable == "true":
        # a slot in 2000, in a power of 221
        total *= math.exp(busy) * (1 + math.expm1(-0.25) / 2) ** 1999
    assert clicks == pytest.approx(total, rel=6e-3)


def test_afterpulses_add_their_share() -> None:
    """Without a dead time to hide in: a/(1 - a) of all counts, for half of them wrong."""
    slots = 10**11
    clicks, errors = counts("length: 100 km", slots=slots, detector=", afterpulse: 0.04")
    gain = qkd.gain(0.5, 0.005, 2e-6)
    assert clicks == pytest.approx(slots * gain / 0.96, rel=1e-3)
    assert errors == pytest.approx(
        slots * gain * (qkd.qber(0.5, 0.005, 2e-6, 0.0) + 0.02 / 0.96), rel=3e-3
    )
