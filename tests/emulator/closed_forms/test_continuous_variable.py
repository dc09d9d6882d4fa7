"""Gaussian modulation: the formulas against the symplectic eigenvalues of the whole state."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from qnetem.emulator.closed_forms.continuous_variable import GaussianLink
from qnetem.emulator.closed_forms.limits import repeaterless_bound

Matrix = NDArray[np.float64]
_UNIT, _MIRROR = np.eye(2), np.diag([1.0, -1.0])


def entropy(covariance: Matrix) -> float:
    """Of a Gaussian state, in bits."""
    form = np.kron(np.eye(len(covariance) // 2), [[0.0, 1.0], [-1.0, 0.0]])
    pairs = np.sort(np.abs(np.linalg.eigvals(1j * form @ covariance)))[::2]
    x = (pairs - 1) / 2
    x = x[x > 1e-9]
    return float(((x + 1) * np.log2(x + 1) - x * np.log2(x)).sum())


def entangled(variance: float, between: float, other: float) -> Matrix:
    return np.block([[variance * _UNIT, between * _MIRROR], [between * _MIRROR, other * _UNIT]])


def information(link: GaussianLink) -> float:
    """S(E) - S(E|b): the detector is a beam splitter that half of an entangled state falls on."""
    v, t, eta = link.modulation + 1, link.transmittance, link.detector_efficiency
    shared = entangled(v, math.sqrt(t * (v**2 - 1)), t * (v + 1 / t - 1 + link.excess_noise))
    added = 1 + (2 if link.heterodyne else 1) * link.electronic_noise / (1 - eta)
    whole = np.zeros((8, 8))
    whole[:4, :4] = shared
    whole[4:, 4:] = entangled(added, math.sqrt(added**2 - 1), added)
    splitter = np.eye(8)
    through, off = math.sqrt(eta) * _UNIT, math.sqrt(1 - eta) * _UNIT
    splitter[2:6, 2:6] = np.block([[through, off], [-off, through]])
    whole = splitter @ whole @ splitter.T
    rest, seen = [0, 1, 4, 5, 6, 7], whole[2:4, 2:4]
    between = whole[np.ix_(rest, [2, 3])]
    inverse = np.linalg.inv(seen + _UNIT) if link.heterodyne else np.diag([1 / seen[0, 0], 0.0])
    return entropy(shared) - entropy(whole[np.ix_(rest, rest)] - between @ inverse @ between.T)


@pytest.mark.parametrize("heterodyne", [False, True])
@pytest.mark.parametrize("numbers", [(4, 0.5, 0.01, 0.6, 0.05), (19, 0.1, 0.02, 0.55, 0.015)])
def test_what_an_eavesdropper_knows_is_the_holevo_bound(
    numbers: tuple[float, ...], heterodyne: bool
) -> None:
    link = GaussianLink(*numbers, heterodyne=heterodyne)
    assert link.eavesdropper_information() == pytest.approx(information(link), rel=1e-9)


def test_no_rate_is_above_the_capacity_of_the_line() -> None:
    for eta in (0.9, 0.5, 0.1, 0.01):
        for heterodyne in (False, True):
            for modulation in (1.0, 10.0, 1e4):
                link = GaussianLink(modulation, eta, reconciliation=1.0, heterodyne=heterodyne)
                assert 0 < link.rate() < repeaterless_bound(eta)


def test_noise_and_imperfect_reconciliation_cost_key() -> None:
    base = GaussianLink(4.0, 0.3, 0.01, 0.6, 0.01)
    worse = [
        GaussianLink(4.0, 0.3, 0.02, 0.6, 0.01),
        GaussianLink(4.0, 0.3, 0.01, 0.5, 0.01),
        GaussianLink(4.0, 0.3, 0.01, 0.6, 0.02),
        GaussianLink(4.0, 0.3, 0.01, 0.6, 0.01, reconciliation=0.9),
    ]
    assert all(each.rate() < base.rate() for each in worse)
    assert GaussianLink(4.0, 0.3, 0.5).rate() < 0
