"""Decoy BB84 by emulation: what its counts are worth, beside theory that knows nothing of the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qnetem.agents.protocols.qkd import decoy
from qnetem.emulator.closed_forms.finite_decoy import DecoySystem, decoy_key
from qnetem.emulator.closed_forms.qkd import GYS, decoy_rate, vacuum_weak_bounds

from ..counts import papers
from .bench import play, program

MU, NU = 0.48, 0.05  # the signal and the weak decoy


def decoy_run(sender: str, receiver: str, link: str, devices: tuple[str, str]) -> dict[str, Any]:
    """What both ends say of a train whose settings are lazy."""
    ran = play(f"""
nodes:
  alice:
    program: '{program(decoy.Sender)}'
    with: {{peer: bob, lazy: true, {sender}}}
    source: {devices[0]}
  bob:
    program: '{program(decoy.Receiver)}'
    with: {{peer: alice, lazy: true, {receiver}}}
    detector: {devices[1]}
links: [{{between: [alice, bob], quantum: {{{link}}}}}]
""")
    alice, bob = ran.results["alice"], ran.results["bob"]
    assert alice["status"] == bob["status"] == "confirmed"
    found: dict[str, Any] = alice
    return found


@pytest.mark.papers
@pytest.mark.parametrize(
    ("km", "pulses"), papers([(0, 100_000_000), (20, 500_000_000), (50, 3_000_000_000)])
)
def test_gys_counts_are_worth_the_key_of_ma_and_others(km: int, pulses: int) -> None:
    """Rate with vacuum and a weak decoy, from emulated gains and errors: within 5 % of the closed form.

    Ma, Qi, Zhao, Lo, PRA 72, 012326 (2005) with the devices of Gobby, Yuan, Shields (2004).
    """
    found = decoy_run(
        f"pulses: {pulses}, sample: 1",
        "",
        f"length: {max(km, 1e-3)} km, attenuation: 0.21 dB/km, depolarising: 0.066",
        (
            f"{{intensities: [{MU}, {NU}, 0], probabilities: [0.4, 0.5, 0.1], rate: 2 MHz}}",
            "{efficiency: 0.045, dark_count_rate: 850 Hz, gate: 1 ns}",
        ),
    )
    signal, weak, vacuum = (found[name] for name in ("signal", "decoy_1", "decoy_2"))
    gains = np.array([signal["gain"], weak["gain"]])
    singles = vacuum_weak_bounds(MU, NU, gains, weak["qber"], vacuum["gain"])
    rate = decoy_rate(MU, signal["gain"], signal["qber"], singles)
    assert rate == pytest.approx(GYS.rate_vacuum_weak(MU, NU, km), rel=0.05)


@pytest.mark.papers
@pytest.mark.parametrize("pulses", papers([6_000_000, 60_000_000]))
def test_a_finite_key_is_that_of_expected_counts(pulses: int) -> None:
    """Two decoys after Lim et al., detectors without afterpulses: length beside that of mean counts."""
    mus, probabilities, share = (0.5, 0.1, 2e-4), (0.6, 0.25, 0.15), 0.6
    found = decoy_run(
        f"pulses: {pulses}, z: {share}, distil: {{variant: original}}",
        f"z: {share}, distil: {{}}",
        "length: 10 km, attenuation: 0.2 dB/km, depolarising: 0.01",
        (
            f"{{intensities: {list(mus)}, probabilities: {list(probabilities)}, rate: 100 MHz}}",
            "{efficiency: 0.5, dark_count_rate: 600 Hz, gate: 1 ns}",
        ),
    )
    key = found["key"]
    block, sent = DecoySystem(0.5, afterpulse=0.0).block(
        10**-0.2, key["sifted"], share, mus, probabilities
    )
    assert sent == pytest.approx(pulses, rel=0.01)
    expected = decoy_key(block, 1e-9, 1e-14, leakage=key["leaked"])
    assert expected.length > 20_000
    assert key["length"] == pytest.approx(expected.length, rel=0.1)
