"""The formulas against published vectors; what the emulator makes of them is tested beside it."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator import closed_forms

#: The reference order (Phi+, Psi-, Psi+, Phi-) to the Bell index order.
REFERENCE = (0, 3, 1, 2)


def test_fibre() -> None:
    assert closed_forms.transmittance(100, 0.2) == pytest.approx(0.01)
    assert closed_forms.transmittance(0, 0.2, 3.0) == pytest.approx(0.501187, abs=1e-6)
    assert closed_forms.transmittance(10 / math.log(10) / 0.2, 0.2) == pytest.approx(1 / math.e)
    assert closed_forms.fibre_latency_ns(1) == 4897
    assert closed_forms.fibre_latency_ns(25) == 122_418
    assert closed_forms.fibre_latency_ns(0) == 0


def test_depolarising_by_the_one_convention() -> None:
    assert closed_forms.depolarising_qber(0.1) == pytest.approx(0.05)
    assert closed_forms.depolarised_fidelity(0.1) == pytest.approx(0.925)
    assert closed_forms.depolarised_fidelity(1.0) == pytest.approx(0.25)


@pytest.mark.parametrize(("time_ms", "expected"), [(1, 0.989849), (10, 0.906878), (100, 0.543877)])
def test_a_stored_half_of_phi_plus(time_ms: float, expected: float) -> None:
    assert closed_forms.stored_phi_plus(time_ms, 1000, 50) == pytest.approx(expected, abs=5e-7)


def test_pure_dephasing_of_one_and_of_both_halves() -> None:
    assert closed_forms.dephased_phi_plus(7, 10) == pytest.approx((1 + math.exp(-0.7)) / 2)
    assert closed_forms.dephased_phi_plus(7, 10, 2) == pytest.approx((1 + math.exp(-1.4)) / 2)
    assert closed_forms.dephased_phi_plus(7, 10) == pytest.approx(
        closed_forms.stored_phi_plus(7, math.inf, 10)
    )


def test_a_depolarising_memory_ends_maximally_mixed() -> None:
    assert closed_forms.depolarised_memory(0.9, 0, 5) == pytest.approx(0.9)
    assert closed_forms.depolarised_memory(0.9, 5, 5) == pytest.approx(0.25 + 0.65 / math.e)
    assert closed_forms.depolarised_memory(0.9, 1e6, 5) == pytest.approx(0.25)


def test_dephasing_mixes_phi_with_phi_and_psi_with_psi() -> None:
    keep = (1 + math.exp(-0.5)) / 2
    phi_plus, psi_plus, phi_minus, psi_minus = closed_forms.dephased_weights(
        (0.7, 0.15, 0.1, 0.05), 5, 10
    )
    assert phi_plus == pytest.approx(keep * 0.7 + (1 - keep) * 0.1)
    assert phi_minus == pytest.approx(keep * 0.1 + (1 - keep) * 0.7)
    assert psi_plus == pytest.approx(keep * 0.15 + (1 - keep) * 0.05)
    assert psi_minus == pytest.approx(keep * 0.05 + (1 - keep) * 0.15)


@pytest.mark.parametrize(
    ("fidelities", "expected"),
    [((0.9, 0.9), 0.813333), ((0.8, 0.95), 0.763333), ((0.98,) * 8, 0.854163), ((0.7,), 0.7)],
)
def test_joined_werner_pairs(fidelities: tuple[float, ...], expected: float) -> None:
    assert closed_forms.werner_join(*fidelities) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(("pairs", "expected"), [(2, 0.897756), (4, 0.789161), (8, 0.623536)])
def test_a_chain_with_imperfect_operations(pairs: int, expected: float) -> None:
    noisy = closed_forms.werner_chain(0.96, pairs, gate=0.99, measurement=0.99)
    assert noisy == pytest.approx(expected, abs=5e-7)
    perfect = closed_forms.werner_chain(0.96, pairs)
    assert perfect == pytest.approx(closed_forms.werner_join(*[0.96] * pairs))


def test_bell_diagonal_pairs_join_as_the_reference_writes_it_out() -> None:
    first, second = (0.7, 0.12, 0.1, 0.08), (0.85, 0.02, 0.09, 0.04)
    a1, b1, c1, d1 = (first[i] for i in REFERENCE)
    a2, b2, c2, d2 = (second[i] for i in REFERENCE)
    expected = (
        a1 * a2 + b1 * b2 + c1 * c2 + d1 * d2,
        a1 * b2 + b1 * a2 + c1 * d2 + d1 * c2,
        a1 * c2 + c1 * a2 + b1 * d2 + d1 * b2,
        a1 * d2 + d1 * a2 + b1 * c2 + c1 * b2,
    )
    joined = closed_forms.bell_diagonal_join(first, second)
    assert [joined[i] for i in REFERENCE] == pytest.approx(expected)
    assert sum(joined) == pytest.approx(1.0)


def test_werner_pairs_are_bell_diagonal_pairs() -> None:
    joined = closed_forms.bell_diagonal_join(
        closed_forms.werner_weights(0.8), closed_forms.werner_weights(0.95)
    )
    assert joined == pytest.approx(closed_forms.werner_weights(0.763333), abs=1e-6)


def test_teleportation_beats_the_classical_limit_only_with_entanglement() -> None:
    assert closed_forms.teleported(1.0) == 1.0
    assert closed_forms.teleported(0.5) == pytest.approx(2 / 3)
    assert closed_forms.teleported(0.25) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("success", "links", "expected"),
    [
        (0.1, 2, 14.736842),
        (0.1, 3, 17.900563),
        (0.1, 4, 20.273378),
        (0.1, 8, 26.295784),
        (0.01, 2, 149.748744),
        (0.01, 8, 270.924509),
        (0.5, 2, 2.666667),
        (0.5, 8, 4.421078),
    ],
)
def test_waiting_for_all_links(success: float, links: int, expected: float) -> None:
    assert closed_forms.mean_attempts_of_all(success, links) == pytest.approx(expected, abs=5e-7)


def test_waiting_for_two_links_has_a_short_form() -> None:
    for p in (0.9, 0.1, 1e-6):
        short = (3 - 2 * p) / (p * (2 - p))
        assert closed_forms.mean_attempts_of_all(p, 2) == pytest.approx(short)
        assert closed_forms.mean_attempts_of_all(p, 1) == pytest.approx(
            closed_forms.mean_attempts(p)
        )
    assert closed_forms.mean_attempts_of_all(1.0, 5) == 1.0
