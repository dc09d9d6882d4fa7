"""Memories decay as T1 and T2 say, from the emission of the pair on, whichever end looks."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from qnetem.agents.agent import Agent
from qnetem.emulator import closed_forms
from qnetem.emulator.errors import QubitError
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.states.qutip_import import qutip
from qnetem.expect.predictions import functions

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


# --- noise of the user's: two halves of one state in two memories ---------------------------------


def heating() -> tuple[list[object], list[float]]:
    """Excitation, and dephasing along a skew axis."""
    return [qutip.sigmap(), (qutip.sigmax() + qutip.sigmaz()) / 2**0.5], [4.0, 9.0]


def correlated_axes() -> tuple[list[object], list[float]]:
    """One operator that neither relaxes nor dephases alone."""
    return [qutip.sigmam() + 0.7j * qutip.sigmaz()], [6.0]


ALICE = f"{{t1: 1 s, t2: 50 ms, noise: '{__name__}:heating'}}"
BOB = f"{{t2: 200 ms, noise: '{__name__}:correlated_axes'}}"


def solved(time_s: float, fidelity: float) -> float:
    """Fidelity with Phi+ of the stored Werner pair, by plain QuTiP: both memories at once, both noises."""
    left = [math.sqrt(rate) * each for each, rate in zip(*heating(), strict=True)]
    left += [qutip.Qobj([[0, 1], [0, 0]]), math.sqrt((1 / 0.05 - 1 / 2) / 2) * qutip.sigmaz()]
    right = [math.sqrt(rate) * each for each, rate in zip(*correlated_axes(), strict=True)]
    right += [math.sqrt(1 / 0.2 / 2) * qutip.sigmaz()]
    both = [qutip.tensor(each, qutip.qeye(2)) for each in left]
    both += [qutip.tensor(qutip.qeye(2), each) for each in right]
    phi = qutip.bell_state("00").proj()
    start = fidelity * phi + (1 - fidelity) / 3 * (qutip.qeye([2, 2]) - phi)
    options = {"method": "dop853", "atol": 1e-14, "rtol": 1e-13, "nsteps": 100_000}
    zero = qutip.Qobj(np.zeros((4, 4)), dims=[[2, 2], [2, 2]])
    end = qutip.mesolve(zero, start, [0, time_s], both, options=options).states[-1]
    return float((phi * end).tr().real)


def test_two_halves_in_two_memories_with_noise_of_their_own_decay_as_qutip_says() -> None:
    ran = stored(ALICE, BOB, fidelity=0.93)
    for time_ms in TIMES_MS[1:]:
        assert at(ran, time_ms) == pytest.approx(solved(time_ms / 1e3, 0.93), abs=1e-10)


def test_what_is_predicted_of_a_pair_has_the_user_s_noise_in_it() -> None:
    text = f"""
name: bench
nodes: {{alice: {{memory: {ALICE}}}, bob: {{memory: {BOB}}}}}
links: [{{between: [alice, bob], length: 2000 km, quantum: {{
  entangle: {{success: 1, fidelity: 0.93, attempt: 20 ms}}}}}}]
"""
    delay_ns = parse_topology(text).links["alice-bob"].delay_ns
    predicted = functions(parse_topology(text))["pair"]("alice-bob")  # type: ignore[arg-type]
    assert predicted == pytest.approx(solved(delay_ns * 1e-9, 0.93), abs=1e-10)
    assert predicted < 0.75


# --- cut-off --------------------------------------------------------------------------------------


class Waiter(Agent):
    """Keeps a half past its memory's cut-off, and says what it then sees."""

    async def run(self, peer: str, wait_s: float) -> dict[str, object]:
        pair = await self.entangle(peer)
        free = [self.memory.free]
        await asyncio.sleep(wait_s)
        free.append(self.memory.free)
        try:
            outcome: object = await pair.measure("Z")
        except QubitError as error:
            outcome = str(error)
        return {"free": free, "outcome": outcome}


def test_a_program_learns_of_the_cut_off_when_it_uses_the_half_and_sees_the_slot_free() -> None:
    alice, bob = (
        f'program: "{program(Waiter)}", with: {{peer: {end}, wait_s: 0.2}}'
        for end in ("bob", "alice")
    )
    ran = play(f"""
nodes:
  alice: {{{alice}, memory: {{cutoff: 100 ms, slots: 2}}}}
  bob: {{{bob}, memory: {{slots: 2}}}}
links:
  - {{between: [alice, bob], quantum: {{entangle: {{success: 1, fidelity: 1, attempt: 1 us}}}}}}
""")
    assert ran.results["alice"] == {
        "free": [1, 2],
        "outcome": "qubit alice-bob#1@alice is not held by alice (past its cut-off at 100.001 ms)",
    }
    assert ran.results["bob"]["free"] == [1, 1] and ran.results["bob"]["outcome"] in (0, 1)
    assert ran.count("alice.expired") == 1 and ran.left_in_slots() == {}
