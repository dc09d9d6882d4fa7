"""The formulas of weak-pulse key distribution against published and computed vectors."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.closed_forms import qkd
from qnetem.emulator.closed_forms.qkd import GYS
from qnetem.physics.sections.key_rates import GYS_TABLE


@pytest.mark.parametrize("row", GYS_TABLE, ids=lambda row: f"{row[0]} km")
def test_the_decoy_table_of_gys(row: tuple[float, ...]) -> None:
    length_km, *expected = row
    bounds = GYS.vacuum_weak(0.48, 0.05, length_km)
    got = [
        GYS.eta(length_km),
        GYS.gain(0.48, length_km),
        GYS.qber(0.48, length_km),
        GYS.rate(0.48, length_km),
        GYS.rate_vacuum_weak(0.48, 0.05, length_km),
        bounds.yield_,
        bounds.error,
    ]
    assert got == pytest.approx(expected, rel=1e-3)


def test_where_the_key_of_gys_ends() -> None:
    assert qkd.reach_km(lambda km: GYS.rate(0.48, km)) == pytest.approx(142.0, abs=0.3)
    assert qkd.reach_km(lambda km: GYS.rate_vacuum_weak(0.48, 0.05, km)) == pytest.approx(
        140.6, abs=0.3
    )
    assert qkd.reach_km(lambda km: 0.25 - GYS.singles(km).error) == pytest.approx(207.7, abs=0.3)


@pytest.mark.parametrize(("f", "expected"), [(1.22, 40.2), (1.0, 43.8)])
def test_without_decoys_the_key_ends_early(f: float, expected: float) -> None:
    link = qkd.DecoyLink(0.21, 0.045, 1.7e-6, 0.033, f)

    def best(km: float) -> float:
        mu = qkd.best_mu(lambda mu: link.rate_without_decoys(mu, km))
        return link.rate_without_decoys(mu, km)

    assert qkd.reach_km(best, 100) == pytest.approx(expected, abs=0.3)


def test_the_best_intensity_without_background() -> None:
    assert qkd.optimal_mu(0.033, 1.22) == pytest.approx(0.4789, abs=5e-5)
    assert qkd.optimal_mu(0.12, 1.22) == 0.0
    clean = qkd.DecoyLink(0.21, 1e-5, 0.0, 0.033)
    best = qkd.best_mu(lambda mu: clean.rate(mu, 0))
    assert best == pytest.approx(0.4789, abs=1e-3)


def test_the_error_rate_is_errors_per_click_not_per_pulse() -> None:
    """The trap: the error gain is E Q, a thousand times smaller here."""
    assert qkd.qber(0.48, 0.001, 0.0, 0.033) == pytest.approx(0.033)
    assert qkd.qber(0.48, 0.0, 1e-5, 0.033) == pytest.approx(0.5)


def test_the_gain_is_the_poisson_sum_of_the_yields() -> None:
    mu, eta, y0 = 0.6, 0.03, 1e-4
    poisson = [math.exp(-mu) * mu**n / math.factorial(n) for n in range(40)]
    total = math.fsum(p * qkd.photon_yield(n, eta, y0) for n, p in enumerate(poisson))
    assert total == pytest.approx(1 - (1 - y0) * math.exp(-eta * mu), rel=1e-12)
    assert qkd.gain(mu, eta, y0) == pytest.approx(total, rel=1e-3)
    assert qkd.photon_yield(3, 1.0, y0) == pytest.approx(1.0)
    assert qkd.photon_error(2, 1.0, 0.0, 0.02) == pytest.approx(0.02)


def test_two_decoys_bound_what_is_there_and_the_vacuum_as_second_is_the_known_case() -> None:
    settings = (0.48, 0.05, 0.001)
    gains = (GYS.gain(0.48, 50), GYS.gain(0.05, 50), GYS.gain(0.001, 50))
    errors = (GYS.qber(0.05, 50), GYS.qber(0.001, 50))
    y0, singles = qkd.two_decoy_bounds(settings, gains, errors)
    truth = GYS.singles(50)
    assert 0 <= y0 <= GYS.y0
    assert 0.95 * truth.yield_ < singles.yield_ <= truth.yield_
    assert truth.error <= singles.error < 1.1 * truth.error
    y0, singles = qkd.two_decoy_bounds(
        (0.48, 0.05, 0.0), (*gains[:2], GYS.gain(0.0, 50)), (errors[0], 0.5)
    )
    known = GYS.vacuum_weak(0.48, 0.05, 50)
    assert y0 == pytest.approx(GYS.y0)
    assert (singles.yield_, singles.error) == pytest.approx((known.yield_, known.error))


@pytest.mark.parametrize(("mu", "nu", "expected"), [(0.5, 0.1, 0.0519), (0.6, 0.2, 0.1437)])
def test_photon_number_splitting_starves_the_decoy(mu: float, nu: float, expected: float) -> None:
    assert qkd.photon_number_splitting_ratio(mu, nu) == pytest.approx(expected, abs=5e-5)
    honest = qkd.gain(nu, 1e-6, 0.0) / qkd.gain(mu, 1e-6, 0.0)
    assert honest == pytest.approx(nu / mu, rel=1e-5)
    assert expected < honest


def test_no_key_without_decoys_when_every_click_may_be_a_multi_photon() -> None:
    assert qkd.gllp_rate(0.48, 1e-4, 0.03) < 0


def test_afterpulses_are_random_bits() -> None:
    counts, errors = qkd.afterpulsed(1e-3, 0.01, 0.04)
    assert counts == pytest.approx(1.04e-3)
    assert errors == pytest.approx((0.01 + 0.02) / 1.04)


def test_pairs_from_down_conversion() -> None:
    etas, y0s = (0.1, 0.02), (1e-5, 1e-6)
    assert qkd.pair_gain(0.1, etas, y0s) == pytest.approx(2.26143e-4, rel=1e-5)
    assert qkd.pair_qber(0.1, etas, y0s, 0.015) == pytest.approx(0.0549351, rel=1e-5)


def test_binary_entropy() -> None:
    assert qkd.binary_entropy(0.5) == 1.0
    assert qkd.binary_entropy(0.11) == pytest.approx(0.4999, abs=1e-4)
    assert qkd.binary_entropy(0.0) == qkd.binary_entropy(1.0) == 0.0
