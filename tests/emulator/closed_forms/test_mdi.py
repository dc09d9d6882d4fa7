"""Key distribution that trusts no detector: the formulas against the phase integral they stand for."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms import mdi

MUS, ETAS, DARK = (0.4, 0.3), (0.05, 0.02), 1e-4


def integrated(first: np.ndarray, second: np.ndarray) -> float:
    """Accepted clicks, averaged over the relative phase, of amplitudes (H, V) at a beam splitter."""
    total, phases = 0.0, 2 * np.pi * np.arange(400) / 400
    for phase in phases:
        turned = second * np.exp(1j * phase)
        lights = np.concatenate([first + turned, first - turned]) / math.sqrt(2)
        seen = 1 - (1 - DARK) * np.exp(-(np.abs(lights) ** 2))
        for port_h, port_v in itertools.product((0, 1), repeat=2):
            clicking = {2 * port_h, 2 * port_v + 1}
            total += math.prod(seen[k] if k in clicking else 1 - seen[k] for k in range(4))
    return total / len(phases)


def amplitudes(axis: tuple[float, float], index: int) -> np.ndarray:
    return math.sqrt(MUS[index] * ETAS[index]) * np.array(axis)


def test_the_key_basis_is_the_phase_integral() -> None:
    h, v = (1.0, 0.0), (0.0, 1.0)
    unlike = integrated(amplitudes(h, 0), amplitudes(v, 1))
    alike = integrated(amplitudes(h, 0), amplitudes(h, 1))
    gain, qber = mdi.rectilinear(MUS, ETAS, DARK)
    assert gain == pytest.approx((unlike + alike) / 2, rel=1e-6)
    assert qber == pytest.approx(alike / (unlike + alike), rel=1e-6)


def test_the_other_basis_has_its_gain_from_the_phase_integral() -> None:
    plus, minus = (math.sqrt(0.5), math.sqrt(0.5)), (math.sqrt(0.5), -math.sqrt(0.5))
    gains = [integrated(amplitudes(plus, 0), amplitudes(axis, 1)) for axis in (plus, minus)]
    assert mdi.diagonal(MUS, ETAS, DARK)[0] == pytest.approx(sum(gains) / 2, rel=1e-6)


def test_misalignment_and_darkness_err_towards_a_half() -> None:
    assert mdi.rectilinear(MUS, ETAS, DARK, 0.5)[1] == pytest.approx(0.5)
    assert mdi.diagonal(MUS, ETAS, DARK, 0.5)[1] == pytest.approx(0.5)
    assert mdi.diagonal((1e-9, 1e-9), ETAS, DARK)[1] == pytest.approx(0.5, abs=1e-3)


def test_weak_light_errs_by_a_quarter_where_it_does_not_make_the_key() -> None:
    assert mdi.diagonal((1e-3, 1e-3), (0.1, 0.1), 0.0)[1] == pytest.approx(0.25, abs=1e-4)
    assert mdi.diagonal((1e-3, 3e-3), (0.1, 0.1), 0.0)[1] > 0.25


def test_more_loss_less_key() -> None:
    rates = [mdi.rate((0.4, 0.4), (eta, eta), 6e-6, 0.015) for eta in (0.1, 0.05, 0.02)]
    assert rates == sorted(rates, reverse=True) and rates[-1] > 0
    assert mdi.rate((0.4, 0.4), (1e-4, 1e-4), 6e-6, 0.015) < 0


@pytest.mark.parametrize("x", [0.0, 0.3, 2.0, 20.0])
def test_bessel_i0_is_its_integral(x: float) -> None:
    angles = 2 * np.pi * np.arange(200) / 200
    assert mdi.bessel_i0(x) == pytest.approx(float(np.exp(x * np.cos(angles)).mean()))
