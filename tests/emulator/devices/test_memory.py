from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.devices.memory import MemoryDecay, Slots
from qnetem.emulator.errors import InputError, InternalError
from qnetem.emulator.quantum import noise


def test_a_memory_relaxes_and_dephases_by_its_own_times() -> None:
    matrix = MemoryDecay(200.0, 100.0).map(50)
    assert np.diag(matrix) == pytest.approx([1, math.exp(-0.5), math.exp(-0.5), math.exp(-0.25)])
    assert matrix[3, 0] == pytest.approx(1 - math.exp(-0.25))


def test_storage_of_no_time_does_nothing() -> None:
    assert np.array_equal(MemoryDecay(200.0, 100.0).map(0), np.eye(4))


def test_a_perfect_memory_keeps_for_ever() -> None:
    assert np.array_equal(MemoryDecay().map(10**15), np.eye(4))


def test_after_very_long_storage_nothing_but_the_ground_state_is_left() -> None:
    ground = MemoryDecay(200.0, 100.0).map(10**9) @ np.array([1.0, 0.6, 0.0, -0.8])
    assert ground == pytest.approx([1.0, 0.0, 0.0, 1.0])


def test_the_slowest_dephasing_there_can_be_is_relaxation_alone() -> None:
    assert np.allclose(MemoryDecay(200.0, 400.0).map(50), MemoryDecay(200.0, None).map(50))
    expected = noise.amplitude_damping(1 - math.exp(-0.25))
    assert np.allclose(MemoryDecay(200.0, 400.0).map(50), expected)


@pytest.mark.parametrize("times", [(0.0, None), (None, -5.0), (100.0, 201.0)])
def test_an_impossible_memory_is_refused_when_it_is_built(
    times: tuple[float | None, float | None],
) -> None:
    with pytest.raises(InputError, match=r"T[12] is"):
        MemoryDecay(*times)


def test_slots_run_out_and_come_back() -> None:
    slots = Slots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    assert (slots.free, slots.used) == (0, 2)
    slots.release()
    assert (slots.free, slots.take(), slots.free) == (1, True, 0)


def test_a_slot_is_not_freed_twice() -> None:
    slots = Slots(1)
    slots.take()
    slots.release()
    with pytest.raises(InternalError, match="nobody had taken"):
        slots.release()
    assert slots.free == 1


def test_a_node_may_have_no_memory_but_not_less() -> None:
    assert not Slots(0).take()
    with pytest.raises(InputError, match="0 slots or more"):
        Slots(-1)
