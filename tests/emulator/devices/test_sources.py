from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.closed_forms import qkd
from qnetem.emulator.devices import sources
from qnetem.emulator.devices.sources import (
    VACUUM,
    AtomicEmitter,
    Fock,
    Heralded,
    Pairs,
    SinglePhoton,
    Source,
    WeakCoherent,
    decoy_table,
)
from qnetem.emulator.errors import InputError

EVERY = [
    WeakCoherent(0.48),
    VACUUM,
    Fock(3),
    SinglePhoton(0.3, 0.05),
    Pairs(0.2, "thermal"),
    Pairs(0.2, "polarisation"),
    Pairs(0.2, "poisson"),
    Heralded(Pairs(0.05, "thermal"), 0.3, 1e-5),
    AtomicEmitter(0.1, 12.0, 25.0, 0.04),
]


@pytest.mark.parametrize("source", EVERY, ids=str)
def test_a_distribution_sums_to_one_and_loss_scales_its_mean(source: Source) -> None:
    photons, left = source.photons(), source.surviving(0.37)
    assert photons.sum() == pytest.approx(1, abs=1e-13)
    assert left.sum() == pytest.approx(1, abs=1e-13)
    assert sources.mean_photons(left) == pytest.approx(0.37 * sources.mean_photons(photons))


@pytest.mark.parametrize("source", EVERY, ids=str)
def test_what_survives_is_a_binomial_thinning(source: Source) -> None:
    photons, eta = source.photons(), 0.37
    expected = [
        math.fsum(
            p * math.comb(n, m) * eta**m * (1 - eta) ** (n - m)
            for n, p in enumerate(photons.tolist())
            if n >= m
        )
        for m in range(6)
    ]
    left = np.append(source.surviving(eta), np.zeros(6))[:6]
    assert left == pytest.approx(expected, abs=1e-14, rel=1e-10)
    assert source.surviving(0.0)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("source", [e for e in EVERY if e != VACUUM], ids=str)
def test_loss_leaves_g2_as_it_was(source: Source) -> None:
    assert sources.g2(source.surviving(0.21)) == pytest.approx(sources.g2(source.photons()))


def test_g2_of_each_kind_of_light() -> None:
    assert sources.g2(WeakCoherent(0.3).photons()) == pytest.approx(1.0)
    assert sources.g2(Fock(1).photons()) == 0.0
    assert sources.g2(Fock(4).photons()) == pytest.approx(0.75)
    for statistics, expected in [("thermal", 2.0), ("polarisation", 1.5), ("poisson", 1.0)]:
        pairs = Pairs(0.3, statistics)
        assert sources.g2(pairs.photons()) == pytest.approx(expected)
        assert pairs.g2_unheralded == pytest.approx(expected)
    with pytest.raises(InputError, match="vacuum"):
        sources.g2(VACUUM.photons())


@pytest.mark.parametrize(
    ("brightness", "g2"), [(0.3, 0.05), (0.01, 0.0051), (0.9, 0.1), (0.5, 0.0)]
)
def test_an_emitter_has_the_g2_it_is_given(brightness: float, g2: float) -> None:
    photons = SinglePhoton(brightness, g2).photons()
    assert photons[1] == brightness
    assert sources.g2(photons) == pytest.approx(g2, rel=1e-12)


def test_photon_numbers_as_the_literature_writes_them() -> None:
    mu, half = 0.3, 0.15
    assert WeakCoherent(mu).photons()[2] == pytest.approx(math.exp(-mu) * mu**2 / 2)
    assert Pairs(mu, "thermal").photons()[3] == pytest.approx(mu**3 / (1 + mu) ** 4)
    assert Pairs(mu).photons()[3] == pytest.approx(4 * half**3 / (1 + half) ** 5)
    assert sources.mean_photons(Pairs(mu).photons()) == pytest.approx(mu)


def test_the_mean_of_pairs_is_pairs_per_pulse_twice_lambda() -> None:
    """The trap: the closed forms for coincidences are written in lambda = mu/2."""
    mu, etas, y0s = 0.1, (0.1, 0.02), (1e-5, 1e-6)
    photons = Pairs(mu).photons()
    numbers = np.arange(len(photons))
    click_a, click_b = (
        1 - (1 - y0) * (1 - eta) ** numbers for eta, y0 in zip(etas, y0s, strict=True)
    )
    total = float(photons @ (click_a * click_b))
    assert total == pytest.approx(qkd.pair_gain(mu, etas, y0s), rel=1e-10)


def test_several_pairs_in_a_pulse_err_as_two_thermal_modes_do() -> None:
    """One mode for each bit, photon numbers alike at both ends; two clicks are a random bit."""
    mu, etas = 0.4, (0.3, 0.15)
    mode = Pairs(mu / 2, "thermal").photons()
    numbers = np.arange(len(mode))
    bit_0 = []
    for eta in etas:
        clicks = 1 - (1 - eta) ** numbers
        zero, one = clicks[:, None], clicks[None, :]
        bit_0.append((zero * (1 - one / 2), one * (1 - zero / 2)))
    weights = mode[:, None] * mode[None, :]
    (a_0, a_1), (b_0, b_1) = bit_0
    coincidences = float((weights * (a_0 + a_1) * (b_0 + b_1)).sum())
    errors = float((weights * (a_0 * b_1 + a_1 * b_0)).sum())
    no_background = (0.0, 0.0)
    assert coincidences == pytest.approx(qkd.pair_gain(mu, etas, no_background))
    qber = qkd.pair_qber(mu, etas, no_background, 0.0)
    assert errors / coincidences == pytest.approx(qber, rel=1e-9)


def test_coincidences_over_accidentals() -> None:
    eta = 1e-4
    for statistics, extra in [("thermal", 2.0), ("poisson", 1.0)]:
        pairs = Pairs(0.05, statistics)
        photons = pairs.photons()
        seen = 1 - (1 - eta) ** np.arange(len(photons))
        ratio = photons @ seen**2 / (photons @ seen) ** 2
        assert ratio == pytest.approx(extra + 1 / 0.05, rel=1e-3)
        assert pairs.coincidence_to_accidental == pytest.approx(extra + 1 / 0.05)


def test_a_herald_makes_a_single_photon_of_one_arm() -> None:
    pairs = Pairs(0.001, "thermal")
    heralded = Heralded(pairs, 0.01)
    assert sources.g2(heralded.photons()) == pytest.approx(4 * 0.001, rel=0.01)
    assert sources.mean_photons(heralded.photons()) == pytest.approx(1, abs=0.01)
    assert heralded.herald_probability == pytest.approx(1 - 1 / (1 + 0.01 * 0.001))
    deaf = Heralded(pairs, 0.0, 1e-3)
    assert deaf.photons() == pytest.approx(pairs.photons())


def test_an_emitters_window_cuts_its_tail() -> None:
    emitter = AtomicEmitter(0.5, lifetime_ns=12.0, window_ns=25.0)
    assert emitter.in_window == pytest.approx(0.87549, abs=1e-5)
    assert emitter.photons()[1] == pytest.approx(0.5 * 0.87549, abs=1e-5)
    assert AtomicEmitter(0.5).photons()[1] == 0.5
    twice = AtomicEmitter(1.0, double_excitation=0.04).photons()
    assert twice == pytest.approx([0.0, 0.96, 0.04])


def test_a_decoy_table_is_a_source_for_each_intensity() -> None:
    assert decoy_table(0.48, 0.05, 0.0) == (WeakCoherent(0.48), WeakCoherent(0.05), VACUUM)


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: WeakCoherent(-0.1),
        lambda: WeakCoherent(math.nan),
        lambda: WeakCoherent(1e6),
        lambda: Fock(-1),
        lambda: SinglePhoton(1.2),
        lambda: SinglePhoton(0.9, 0.5),
        lambda: SinglePhoton(0.99, 0.25),
        lambda: SinglePhoton(0.3, -0.1),
        lambda: Pairs(0.1, "squeezed"),
        lambda: Pairs(-0.1),
        lambda: Heralded(Pairs(0.0), 0.5),
        lambda: Heralded(Pairs(0.1), 1.5),
        lambda: AtomicEmitter(1.5, 12.0),
        lambda: AtomicEmitter(0.5, -12.0),
        lambda: AtomicEmitter(0.5, 12.0, 0.0),
        lambda: WeakCoherent(0.5) and Fock(1).surviving(1.5),
    ],
)
def test_an_impossible_source_is_refused(impossible: object) -> None:
    with pytest.raises(InputError):
        impossible()  # type: ignore[operator]
