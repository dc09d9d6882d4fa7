"""Memories decay as T1 and T2 say, from the emission of the pair on, whoever looks."""

from __future__ import annotations

import asyncio
import math

import pytest

from qnetem.agents.agent import Agent
from qnetem.emulator import closed_forms

from .bench import Ran, play, program

TIMES_MS = (0, 1, 10, 100)


class Holder(Agent):
    """Holds one half and has it looked at, at several times."""

    async def run(self, peer: str) -> None:
        pair = await self.entangle(peer)
        for time_ms in TIMES_MS:
            wait_ns = pair.emitted_ns + time_ms * 1_000_000 - self.now_ns
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / 1e9)
            await self.probe(f"at_{time_ms}", pair)
        await pair.discard()


class Half(Agent):
    """Keeps the other half until the end."""

    async def run(self, peer: str) -> None:
        pair = await self.entangle(peer)
        await asyncio.sleep(0.2)
        await pair.discard()


def stored(alice: str, bob: str, fidelity: float = 1.0) -> Ran:
    """Alice probes a pair that lies in the memories of both; its emission is its herald (0 km)."""
    return play(f"""
nodes:
  alice: {{program: "{program(Holder)}", with: {{peer: bob}}, memory: {alice}}}
  bob: {{program: "{program(Half)}", with: {{peer: alice}}, memory: {bob}}}
links:
  - {{between: [alice, bob], quantum: {{entangle: {{success: 1, fidelity: {fidelity}, attempt: 1 us}}}}}}
""")


def at(ran: Ran, time_ms: int) -> float:
    return ran.exact(f"alice.at_{time_ms}.fidelity")


def test_phi_plus_with_one_qubit_stored_decays_by_t1_and_t2() -> None:
    ran = stored("{t1: 1 s, t2: 50 ms}", "{}")
    assert at(ran, 0) == pytest.approx(1.0)
    for time_ms, fidelity in ((1, 0.989849), (10, 0.906878), (100, 0.543877)):
        assert at(ran, time_ms) == pytest.approx(fidelity, abs=1e-6)
        closed = closed_forms.stored_phi_plus(time_ms, 1000, 50)
        assert at(ran, time_ms) == pytest.approx(closed, abs=1e-9)


def test_it_does_not_matter_which_end_decays_or_looks() -> None:
    here, there = stored("{t1: 1 s, t2: 50 ms}", "{}"), stored("{}", "{t1: 1 s, t2: 50 ms}")
    assert [at(here, t) for t in TIMES_MS] == pytest.approx([at(there, t) for t in TIMES_MS])


@pytest.mark.parametrize("ends", [1, 2])
def test_pure_dephasing_of_one_or_both_halves(ends: int) -> None:
    ran = stored("{t2: 50 ms}", "{t2: 50 ms}" if ends == 2 else "{}")
    for time_ms in TIMES_MS:
        closed = closed_forms.dephased_phi_plus(time_ms, 50, ends)
        assert at(ran, time_ms) == pytest.approx(closed, abs=1e-9)


def test_werner_pair_under_dephasing_of_one_half() -> None:
    ran = stored("{t2: 50 ms}", "{}", fidelity=0.9)
    for time_ms in TIMES_MS:
        kept = math.exp(-time_ms / 50)
        mixed = (1 + kept) / 2 * 0.9 + (1 - kept) / 2 * (0.1 / 3)
        assert at(ran, time_ms) == pytest.approx(mixed, abs=1e-9)
        weights = closed_forms.dephased_weights(closed_forms.werner_weights(0.9), time_ms, 50)
        assert weights[0] == pytest.approx(mixed, abs=1e-12)


def test_without_t2_relaxation_alone_limits_coherence() -> None:
    ran = stored("{t1: 20 ms}", "{}")
    for time_ms in TIMES_MS:
        closed = closed_forms.stored_phi_plus(time_ms, 20, 40)
        assert at(ran, time_ms) == pytest.approx(closed, abs=1e-9)
