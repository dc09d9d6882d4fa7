from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.errors import InputError
from qnetem.emulator.optics.fibre import Fibre
from qnetem.emulator.states import noise
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.states import bell_density, bell_vector


def test_fifty_kilometres_let_a_tenth_through() -> None:
    assert Fibre(50.0).transmittance == pytest.approx(0.1)
    assert Fibre(50.0, insertion_loss_db=10.0).transmittance == pytest.approx(0.01)
    assert Fibre(21.715).transmittance == pytest.approx(math.exp(-1), rel=1e-4)


def test_light_takes_4897_ns_a_kilometre() -> None:
    assert Fibre(1.0).delay_ns == 4897
    assert Fibre(100.0).delay_ns == 489_672
    assert Fibre(100.0, group_index=1.45).delay_ns == pytest.approx(100 / 206_753 * 1e9, abs=2)


def test_no_length_is_no_time_but_any_length_is_some() -> None:
    assert Fibre(0.0).delay_ns == 0
    assert Fibre(1e-9).delay_ns == 1


def test_a_quiet_fibre_has_no_map() -> None:
    assert Fibre(10.0).noise() is None


def test_noise_is_per_passage_and_both_kinds_act() -> None:
    one_sided = Fibre(10.0, depolarising=0.2).noise()
    assert one_sided is not None
    pair = DensityMatrix.from_density(bell_density(0)).apply_map(one_sided, (1,))
    assert pair.fidelity(bell_vector(0)) == pytest.approx(0.85)
    both = Fibre(10.0, depolarising=0.2, dephasing=0.1).noise()
    assert both is not None
    assert np.diag(both) == pytest.approx([1, 0.64, 0.64, 0.8])
    assert np.allclose(both, noise.depolarising(0.2) @ noise.dephasing(0.1))


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"length_km": -1.0}, "length_km"),
        ({"length_km": math.nan}, "length_km"),
        ({"length_km": math.inf}, "length_km"),
        ({"length_km": 1.0, "attenuation_db_per_km": -0.2}, "attenuation_db_per_km"),
        ({"length_km": 1.0, "group_index": 0.9}, "group_index"),
        ({"length_km": 1.0, "depolarising": 1.5}, "depolarising"),
        ({"length_km": 1.0, "dephasing": 1.01}, "dephasing"),
    ],
)
def test_an_impossible_fibre_is_refused(wrong: dict[str, float], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        Fibre(**wrong)
