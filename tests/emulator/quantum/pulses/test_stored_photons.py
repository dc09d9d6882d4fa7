"""Photons that a node stores of a train: they decay as the node's memory does."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from qnetem.emulator.devices.memory import MemoryDecay
from qnetem.emulator.faults.changes import SOUND, NodeChanges
from qnetem.emulator.kernel.conductor import Conductor
from qnetem.emulator.optics.interception import StoredSlots
from qnetem.emulator.optics.pulses import STATES
from qnetem.emulator.quantum.fault_history import FaultHistory
from qnetem.emulator.quantum.node.memories import NodeMemory
from qnetem.emulator.quantum.node.registry import Memory
from qnetem.emulator.quantum.pulses.stored_photons import StoredPhotons
from qnetem.emulator.quantum.pulses.trains import Train
from qnetem.emulator.states import noise
from qnetem.emulator.states.qutip_import import qutip

COUNT = 40_000
#: Every state; a photon each in slots of 10 ns, the first one at 5 us.
TRAIN = cast(Train, SimpleNamespace(arrives_ns=5_000, period_ps=10_000))
X, Z = 1, 0


class Struck:
    """A fault that acts."""

    hits = 0


def store(basis: int, bit: int) -> StoredPhotons:
    """COUNT photons in one state."""
    kept = StoredPhotons("eve#kept1", "eve", TRAIN)
    kept.add([StoredSlots(np.arange(COUNT), np.tile(STATES[2 * basis + bit], (COUNT, 1)))])
    return kept


def measured(kept: StoredPhotons, basis: int, now_ns: int, memory: Memory | None) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(1))
    return kept.measure(np.full(COUNT, basis, dtype=np.uint8), rng, now_ns, memory)


def test_without_decay_they_keep() -> None:
    assert measured(store(X, 1), X, 10**9, None).all()


def test_each_decays_from_its_own_arrival() -> None:
    """Coherence exp(-t/T2) of N = 40,000 photons, the last one 400 us younger than the first."""
    now_ns, t2_ns = 705_000, 300_000.0
    wrong = measured(store(X, 0), X, now_ns, MemoryDecay(None, t2_ns))
    ages_ns = now_ns - 5_000 - 10 * np.arange(COUNT)
    expected = (1 - np.exp(-ages_ns / t2_ns)) / 2
    for part in np.split(np.arange(COUNT), 4):
        spread = 3 * math.sqrt((expected[part] * (1 - expected[part])).sum())
        assert wrong[part].sum() == pytest.approx(expected[part].sum(), abs=spread)


@pytest.mark.parametrize("own", [False, True])
def test_the_decay_of_many_is_that_of_each(own: bool) -> None:
    generator = noise.collapse_generator([qutip.sigmax()], [2e4]) if own else None
    memory = MemoryDecay(80_000.0, 90_000.0, generator)
    rng = np.random.Generator(np.random.PCG64(2))
    since_ns, vectors = rng.integers(0, 60_000, 20), STATES[rng.integers(0, 6, 20)]
    aged = memory.aged(vectors, since_ns, 50_000)
    for vector, since, found in zip(vectors, since_ns.tolist(), aged, strict=True):
        alone = memory.map(max(50_000 - since, 0)) @ vector
        np.testing.assert_allclose(found, alone, atol=1e-12)


def test_a_fault_decoheres_them_while_it_lasts() -> None:
    clock = Conductor()
    history = FaultHistory(SOUND, clock)
    memory = NodeMemory(MemoryDecay(None, 1e6), history)
    fault = Struck()
    clock.now_ns = 20_000
    history.begin(fault, NodeChanges(dephasing_hz=1e4))
    clock.now_ns = 70_000
    history.end(fault)
    since_ns = np.array([0, 40_000, 80_000, 200_000])
    aged = memory.aged(np.tile(STATES[2], (4, 1)), since_ns, 100_000)
    struck_ns, stored_ns = np.array([50, 30, 0, 0]), np.array([100, 60, 20, 0])
    np.testing.assert_allclose(aged[:, 1], np.exp(-struck_ns / 100 - stored_ns / 1000), atol=1e-12)
    for since, found in zip(since_ns.tolist()[:3], aged, strict=False):
        np.testing.assert_allclose(found, memory.between(since, 100_000) @ STATES[2], atol=1e-12)


def test_a_reset_strikes_what_has_come_and_what_comes_is_as_it_was() -> None:
    """Photons of bit 1 in Z: 0 up to the reset, 1 after it; the reset ones decay from it on."""
    kept = store(Z, 1)
    assert kept.reset(5_000 + 10 * 999) == COUNT
    bits = measured(kept, Z, 10**6, MemoryDecay(None, 1000.0))
    assert bits.tolist() == [0] * 1000 + [1] * (COUNT - 1000)
