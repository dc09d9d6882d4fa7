"""Teleportation: what arrives has the fidelity that theory gives for the pair, the waiting and the gates."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols import teleportation
from qnetem.emulator import closed_forms

from ..physics.bench import Ran, assert_mean, play, program

#: (theta, phi) in radians: the poles, the equator, and somewhere.
STATES = [(0.0, 0.0), (math.pi, 0.0), (math.pi / 2, 0.0), (math.pi / 2, math.pi / 2), (1.0472, 2.3)]


class Interrupted(Agent):
    """Teleports under a deadline that comes at any moment."""

    async def run(self, role: str, peer: str, after_us: int) -> bool:
        try:
            async with asyncio.timeout(after_us / 1e6):
                if role == "sender":
                    await self.perform(teleportation.Sender, peer=peer, rounds=3)
                else:
                    await self.perform(teleportation.Receiver, peer=peer, rounds=3)
        except TimeoutError:
            await self.compute("1 ms")
            return False
        return True


def teleported(
    fidelity: float = 1.0,
    rounds: int = 5,
    state: tuple[float, float] | None = None,
    alice: str = "",
    bob: str = "",
    latency: str = "1 us",
    seed: int = 1,
) -> Ran:
    """Over a direct link of 0 km, whose pairs are fresh when they are heralded."""
    angles = {} if state is None else {"theta": state[0], "phi": state[1]}
    sender = json.dumps({"peer": "bob", "rounds": rounds} | angles)
    source = f"{{success: 1, fidelity: {fidelity}, attempt: 1 us}}"
    ran = play(
        f"""
nodes:
  alice: {{program: "{program(teleportation.Sender)}", with: {sender}, {alice}}}
  bob:
    program: "{program(teleportation.Receiver)}"
    with: {{peer: alice, rounds: {rounds}}}
{bob}
links:
  - {{between: [alice, bob], quantum: {{entangle: {source}}}, classical: {{latency: {latency}}}}}
""",
        seed,
    )
    alice, bob = ran.results["alice"], ran.results["bob"]
    confirmed = {"status": "confirmed", "session": alice["session"]}
    assert alice == {"teleported": rounds, "repeated": 0} | confirmed
    assert bob == {"received": rounds} | confirmed
    assert ran.left_in_slots() == {}
    return ran


def test_a_bell_measurement_that_fails_costs_a_pair_and_no_state() -> None:
    options = "with: {peer: PEER, rounds: 20}"
    ran = play(
        f"""
nodes:
  alice:
    program: "{program(teleportation.Sender)}"
    {options.replace("PEER", "bob")}
    bell_measurement: {{success: 0.5}}
  bob: {{program: "{program(teleportation.Receiver)}", {options.replace("PEER", "alice")}}}
links:
  - between: [alice, bob]
    quantum: {{entangle: {{success: 1, fidelity: 0.9, attempt: 1 us}}}}
    classical: {{latency: 1 us}}
"""
    )
    assert ran.results["alice"]["teleported"] == ran.results["bob"]["received"] == 20
    assert ran.results["alice"]["repeated"] == ran.count("alice.failed_bell_measurements") > 5
    assert ran.exact("bob.teleported.fidelity") == pytest.approx(closed_forms.teleported(0.9))
    assert ran.left_in_slots() == {}


def fidelity_of(ran: Ran) -> Any:
    return ran.series("bob.teleported.fidelity")


@pytest.mark.parametrize("state", [*STATES, None])
@pytest.mark.parametrize("fidelity", [1.0, 0.9, 0.5, 0.25])
def test_over_a_werner_pair_every_state_arrives_alike(
    fidelity: float, state: tuple[float, float] | None
) -> None:
    ran = teleported(fidelity, rounds=8, state=state)
    expected = closed_forms.teleported(fidelity)
    assert ran.exact("bob.teleported.fidelity") == pytest.approx(expected)


@pytest.mark.parametrize("state", STATES)
def test_dephasing_while_the_correction_is_on_its_way(state: tuple[float, float]) -> None:
    """F = (1 + V (cos^2 theta + c sin^2 theta)) / 2 with c = exp(-t/T2): the poles do not suffer."""
    ran = teleported(0.9, state=state, bob="    memory: {t2: 20 ms}", latency="5 ms")
    visibility, kept = (4 * 0.9 - 1) / 3, math.exp(-5 / 20)
    along = math.cos(state[0]) ** 2 + kept * math.sin(state[0]) ** 2
    assert ran.exact("bob.teleported.fidelity") == pytest.approx((1 + visibility * along) / 2)


def test_dephasing_of_random_states_on_average() -> None:
    ran = teleported(0.9, rounds=400, bob="    memory: {t2: 20 ms}", latency="5 ms")
    weights = closed_forms.dephased_weights(closed_forms.werner_weights(0.9), 5, 20)
    series = fidelity_of(ran)
    # cos^2 of a uniform direction has the variance 4/45.
    spread = (4 * 0.9 - 1) / 3 * (1 - math.exp(-5 / 20)) / 2 * math.sqrt(4 / 45)
    assert_mean(series["mean"], series["count"], closed_forms.teleported(weights[0]), spread)


def test_relaxation_of_random_states_on_average() -> None:
    """The random Pauli of the outcome turns relaxation into Pauli noise of the same average fidelity."""
    ran = teleported(0.95, rounds=600, bob="    memory: {t1: 10 ms, t2: 8 ms}", latency="4 ms")
    visibility = (4 * 0.95 - 1) / 3
    pair = (1 + 2 * visibility * math.exp(-4 / 8) + visibility * math.exp(-4 / 10)) / 4
    series = fidelity_of(ran)
    assert_mean(series["mean"], series["count"], closed_forms.teleported(pair), series["std"])


def test_relaxation_of_a_pole_depends_on_the_outcome() -> None:
    """Half of the time |1> waits as |0>, and does not relax."""
    ran = teleported(
        rounds=200, state=(math.pi, 0.0), bob="    memory: {t1: 10 ms}", latency="4 ms"
    )
    series, kept = fidelity_of(ran), math.exp(-4 / 10)
    assert series["max"] == pytest.approx(1.0)
    assert series["min"] == pytest.approx(kept)
    assert_mean(series["mean"], series["count"], (1 + kept) / 2, (1 - kept) / 2)


def test_gates_and_measurements_that_err() -> None:
    """Each depolarising gate is a factor 1-p; a misread outcome leaves a Pauli: (4 eta^2 - 1)/3."""
    p1, p2, error, correction = 0.03, 0.06, 0.04, 0.08
    ran = teleported(
        0.95,
        rounds=800,
        alice=f"gates: {{single_error: {p1}, two_error: {p2}}}, measurement: {{error: {error}}}",
        bob=f"    gates: {{single_error: {correction}}}",
    )
    visibility = (4 * 0.95 - 1) / 3
    visibility *= (1 - p1) ** 2 * (1 - p2)  # two gates prepare, one goes into the Bell measurement
    visibility *= (4 * (1 - error) ** 2 - 1) / 3
    visibility *= (1 - correction / 2) ** 2  # either correction is needed every other time
    series = fidelity_of(ran)
    assert_mean(series["mean"], series["count"], (1 + visibility) / 2, series["std"])
    assert series["std"] > 0


def test_gate_durations_are_paid_in_decoherence() -> None:
    """bob's half waits for alice's two gates, her Bell measurement, and the message."""
    devices = "gates: {single: 1 ms, two: 2 ms}, measurement: {duration: 3 ms}"
    ran = teleported(state=(math.pi / 2, 0.0), alice=devices, bob="    memory: {t2: 20 ms}")
    kept = math.exp(-(1 + 1 + 2 + 3 + 0.001) / 20)
    assert ran.exact("bob.teleported.fidelity") == pytest.approx((1 + kept) / 2)


def test_latency_and_round_trip_are_those_of_the_link() -> None:
    ran = teleported(latency="250 us")
    assert ran.exact("bob.teleportation.latency_s") == pytest.approx(250e-6)
    assert ran.exact("alice.teleportation.round_trip_s") == pytest.approx(500e-6)


@pytest.mark.parametrize(("sender", "receiver"), [("alice", "bob"), ("zoe", "bob")])
def test_over_repeaters_in_either_direction(sender: str, receiver: str) -> None:
    quantum = "{length: 10 km, entangle: {success: 0.5, fidelity: 0.96, attempt: 100 us}}"
    ends = f"ends: [{sender}, {receiver}]"
    ran = play(f"""
nodes:
  {sender}: {{program: "{program(teleportation.Sender)}", with: {{peer: {receiver}, rounds: 12}}}}
  {receiver}: {{program: "{program(teleportation.Receiver)}", with: {{peer: {sender}, rounds: 12}}}}
  r1: {{kind: repeater, with: {{routes: [[{sender}, r2]], {ends}}}}}
  r2: {{kind: repeater, with: {{routes: [[r1, {receiver}]], {ends}}}}}
links:
  - {{between: [{sender}, r1], quantum: {quantum}}}
  - {{between: [r1, r2], quantum: {quantum}}}
  - {{between: [r2, {receiver}], quantum: {quantum}}}
""")
    expected = closed_forms.teleported(closed_forms.werner_join(0.96, 0.96, 0.96))
    assert ran.exact(f"{receiver}.teleported.fidelity") == pytest.approx(expected)
    assert ran.left_in_slots() == {}


@pytest.mark.parametrize("after_us", range(1, 90, 6))
def test_interrupted_at_any_moment_both_ends_discard_everything(after_us: int) -> None:
    devices = "gates: {single: 2 us, two: 3 us}, measurement: {duration: 4 us}"
    lines = "".join(
        f'  {name}: {{program: "{program(Interrupted)}", {devices}, '
        f"with: {{role: {role}, peer: {peer}, after_us: {after_us}}}}}\n"
        for name, role, peer in (("alice", "sender", "bob"), ("bob", "receiver", "alice"))
    )
    ran = play(f"""
nodes:
{lines}links:
  - between: [alice, bob]
    quantum: {{entangle: {{success: 1, fidelity: 1, attempt: 3 us}}}}
    classical: {{latency: 2 us}}
""")
    assert ran.left_in_slots() == {}
