from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.devices.memory import MemoryDecay, Slots
from qnetem.emulator.errors import InputError, InternalError
from qnetem.emulator.states import noise
from qnetem.emulator.states.qobj import superoperator_of
from qnetem.emulator.states.qutip_import import qutip


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


# --- noise of the user's beside T1 and T2 ---------------------------------------------------------

#: Heating and rotation-free decoherence along a skew axis: nothing that commutes with T1 or T2.
SKEW = (qutip.sigmax() + 2 * qutip.sigmaz() + 0.5j * qutip.sigmay()) / 3
OPERATORS, RATES_HZ = [qutip.sigmap(), SKEW], [3e3, 8e3]


def solved(t1_s: float, t2_s: float, time_s: float) -> object:
    """The same storage of a random qubit by plain QuTiP: relaxation, dephasing and the operators at once."""
    relax = np.sqrt(1 / t1_s) * qutip.Qobj([[0, 1], [0, 0]])
    dephase = np.sqrt((1 / t2_s - 1 / (2 * t1_s)) / 2) * qutip.sigmaz()
    users = [np.sqrt(rate) * each for each, rate in zip(OPERATORS, RATES_HZ, strict=True)]
    options = {"method": "dop853", "atol": 1e-14, "rtol": 1e-13, "nsteps": 100_000}
    zero = qutip.Qobj(np.zeros((2, 2)))
    return qutip.mesolve(
        zero, START, [0, time_s], [relax, dephase, *users], options=options
    ).states[-1]


START = qutip.Qobj([[0.3, 0.2 - 0.35j], [0.2 + 0.35j, 0.7]])


@pytest.mark.parametrize("time_ns", [1, 40_000, 300_000])
def test_a_user_s_noise_acts_together_with_t1_and_t2_as_the_lindblad_equation_says(
    time_ns: int,
) -> None:
    memory = MemoryDecay(200e3, 100e3, noise.collapse_generator(OPERATORS, RATES_HZ))
    stored = superoperator_of(memory.map(time_ns))(START)
    expected = solved(200e-6, 100e-6, time_ns * 1e-9)
    assert np.abs(stored.full() - expected.full()).max() < 1e-10  # type: ignore[attr-defined]


def test_looking_in_between_changes_nothing() -> None:
    memory = MemoryDecay(200e3, 100e3, noise.collapse_generator(OPERATORS, RATES_HZ))
    twice = memory.map(70_000) @ memory.map(30_000)
    assert np.abs(twice - memory.map(100_000)).max() < 1e-13


def test_noise_that_is_what_t1_and_t2_are_gives_what_they_give() -> None:
    relax, z = qutip.Qobj([[0, 1], [0, 0]]), qutip.sigmaz()
    rates_hz = [1e9 / 200, (1e9 / 100 - 1e9 / 400) / 2]
    memory = MemoryDecay(generator=noise.collapse_generator([relax, z], rates_hz))
    for time_ns in (0, 1, 50, 10**6):
        assert np.abs(memory.map(time_ns) - noise.decay(200.0, 100.0, time_ns)).max() < 1e-12


def test_a_map_is_a_channel_after_any_time_and_is_worked_out_once() -> None:
    memory = MemoryDecay(200e3, 100e3, noise.collapse_generator(OPERATORS, RATES_HZ))
    assert memory.map(123) is memory.map(123)
    for time_ns in (0, 5, 10**6, 10**12, 10**15):
        found = memory.map(time_ns)
        assert found[0].tolist() == [1, 0, 0, 0]
        noise.from_superoperator(superoperator_of(found))  # refuses what is none
        assert not found.flags.writeable


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
    with pytest.raises(InternalError, match="was not taken"):
        slots.release()
    assert slots.free == 1


def test_a_node_may_have_no_memory_but_not_less() -> None:
    assert not Slots(0).take()
    with pytest.raises(InputError, match="0 slots or more"):
        Slots(-1)
