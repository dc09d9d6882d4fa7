"""Cloners as unitaries: what the photon keeps and the clone gets, exactly, for each of six states."""

from __future__ import annotations

import math

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.qubits import Qubit
from qnetem.agents.roles.eavesdroppers.cloning import phase_covariant, universal
from qnetem.closed_forms import (
    individual_attack_information,
    individual_attack_limit,
    phase_covariant_fidelity,
    universal_cloner_qber,
)

from ..physics.bench import Ran, attempt, play, program

STATES = ("0", "1", "+", "-", "+i", "-i")


class Lab(Agent):
    """Clones each of the six states, and notes how good both copies are."""

    async def run(self, angle: float | None = None) -> None:
        for state in STATES:
            photon = await self.prepared(state)
            blank, ancilla = await self.qubit(), await self.qubit()
            if angle is None:
                await universal(photon, blank, ancilla)
            else:
                await phase_covariant(photon, blank, ancilla, math.radians(angle))
            await self.probe(f"photon_{state}", photon, state)
            await self.probe(f"clone_{state}", blank, state)
            for qubit in (photon, blank, ancilla):
                await qubit.discard()

    async def prepared(self, state: str) -> Qubit:
        qubit = await self.qubit()
        if state in ("1", "-", "-i"):
            await qubit.x()
        if state[0] in "+-":
            await qubit.h()
        if state[1:] == "i":
            await qubit.s()
        return qubit


def fidelities(options: str, states: tuple[str, ...]) -> list[tuple[float, float]]:
    """(photon's, clone's) for each state."""
    ran = play(f'nodes: {{lab: {{program: "{program(Lab)}", with: {{{options}}}}}}}')
    return [
        (ran.exact(f"lab.photon_{state}.fidelity"), ran.exact(f"lab.clone_{state}.fidelity"))
        for state in states
    ]


@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0, 90.0])
def test_the_phase_covariant_cloner_is_the_best_one_for_z_and_x(angle: float) -> None:
    kept, cloned = phase_covariant_fidelity(angle)
    for found in fidelities(f"angle: {angle}", STATES[:4]):
        assert found == pytest.approx((kept, cloned), abs=1e-9)
    # A clone of that fidelity tells as much as any attack on single photons at that error rate.
    assert cloned == pytest.approx(0.5 + math.sqrt(kept * (1 - kept)))


def test_at_45_degrees_both_copies_err_alike() -> None:
    for photon, clone in fidelities("angle: 45", STATES[:4]):
        assert 1 - photon == pytest.approx(individual_attack_limit(), abs=1e-9)
        assert 1 - photon == pytest.approx(0.1464, abs=5e-5)
        assert clone == pytest.approx(photon, abs=1e-9)
    assert individual_attack_information(0.1464) == pytest.approx(0.399, abs=5e-4)


def test_the_universal_cloner_treats_all_states_alike() -> None:
    for photon, clone in fidelities("", STATES):
        assert 1 - photon == pytest.approx(universal_cloner_qber(), abs=1e-9)
        assert clone == pytest.approx(photon, abs=1e-9)


def attacked(eve: str, qubits: int) -> Ran:
    return play(f"""
nodes:
  alice:
    program: "qnetem.agents.protocols.qkd.bb84:Sender"
    with: {{peer: bob, qubits: {qubits}, sample: 1.0}}
  bob: {{program: "qnetem.agents.protocols.qkd.bb84:Receiver", with: {{peer: alice}}}}
  eve:
    kind: eavesdropper
    program: "qnetem.agents.roles.eavesdroppers.cloning:Cloning"
    with: {{first: alice, second: bob}}
    service: true
    {eve}
links: [{{between: [alice, bob], quantum: {{length: 10 km, attenuation: 0 dB/km}}}}]
faults: [{{at: 0 s, eavesdrop: alice-bob, by: eve, classical: tap}}]
""")


@pytest.mark.parametrize("slots", [3, 4, 7])
def test_with_few_slots_every_photon_is_cloned_and_old_clones_go(slots: int) -> None:
    ran = attacked(f"memory: {{slots: {slots}}}", 40)
    assert ran.count("eve.cloned") == ran.results["bob"]["detected"] == 40
    # The clones that are left are as good as any.
    if "eve.clone.fidelity" in ran.outcome.metrics:
        assert ran.count("eve.clone.fidelity") <= slots - 1
        assert ran.exact("eve.clone.fidelity") == pytest.approx(1 - individual_attack_limit())


def test_a_memory_without_room_for_the_unitary_is_refused() -> None:
    _, outcome = attempt("""
nodes:
  alice: {program: "qnetem.agents.roles.endpoint:Endpoint"}
  bob: {program: "qnetem.agents.roles.endpoint:Endpoint"}
  eve:
    kind: eavesdropper
    program: "qnetem.agents.roles.eavesdroppers.cloning:Cloning"
    with: {first: alice, second: bob}
    memory: {slots: 2}
links: [{between: [alice, bob], quantum: {length: 10 km}}]
""")
    assert "cloning takes 3 slots: found 2" in str(outcome.problem)
