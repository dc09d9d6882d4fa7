"""Gains and rates against TNO's package for key rates, where it is installed."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qnetem.emulator.closed_forms import limits, qkd

DARK, DRIFT = 1e-6, math.asin(math.sqrt(0.015))
#: dB of the whole channel.
LOSSES = (0.0, 5.0, 20.0)


@pytest.fixture
def detector() -> Any:
    """Efficiency 0.2, 1e-6 dark counts a detector and gate, 1.5 % of the light misaligned."""
    quantum = pytest.importorskip(
        "tno.quantum.communication.qkd_key_rate.quantum",
        reason="the oracle tno.quantum.communication.qkd_key_rate is not installed: no dependency, too large",
    )
    return quantum.standard_detector.customise(
        dark_count_rate=DARK, efficiency_party=0.2, polarization_drift=DRIFT, error_detector=0.015
    )


@pytest.mark.parametrize("loss_db", LOSSES)
def test_weak_pulses(detector: Any, loss_db: float) -> None:
    """Their infinite decoys, with the key of empty pulses, which `decoy_rate` leaves out."""
    from tno.quantum.communication.qkd_key_rate.quantum.bb84 import (
        BB84FullyAsymptoticKeyRateEstimate,
    )

    mu, y0 = 0.5, 1 - (1 - DARK) ** 2
    link = qkd.DecoyLink(1.0, 0.2, y0, 0.015, f=1.0, sifting=1.0)
    theirs = BB84FullyAsymptoticKeyRateEstimate(detector=detector).compute_rate(mu, loss_db)
    assert link.rate(mu, loss_db) + math.exp(-mu) * y0 == pytest.approx(theirs, rel=2e-3)


@pytest.mark.parametrize("loss_db", LOSSES)
def test_single_photons(detector: Any, loss_db: float) -> None:
    from tno.quantum.communication.qkd_key_rate.quantum.bb84_single_photon import (
        BB84SingleAsymptoticKeyRateEstimate,
    )

    eta, y0 = 0.2 * 10 ** (-loss_db / 10), 1 - (1 - DARK) ** 2
    gain, error = qkd.photon_yield(1, eta, y0), qkd.photon_error(1, eta, y0, 0.015)
    theirs = BB84SingleAsymptoticKeyRateEstimate(detector=detector).compute_rate(1.0, loss_db)
    assert limits.pair_rate(gain, error, f=1.0, sifting=1.0) == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("loss_db", LOSSES)
def test_pairs(detector: Any, loss_db: float) -> None:
    from tno.quantum.communication.qkd_key_rate.quantum.bbm92 import compute_gain_and_error_rate

    theirs = compute_gain_and_error_rate(detector, detector, loss_db / 2, loss_db / 2, 0.03)
    etas, y0s = (0.2 * 10 ** (-loss_db / 20),) * 2, (DARK, DARK)
    assert qkd.pair_gain(0.06, etas, y0s) == pytest.approx(theirs[0], rel=1e-7)
    assert qkd.pair_qber(0.06, etas, y0s, 0.015) == pytest.approx(theirs[1], rel=1e-7)
