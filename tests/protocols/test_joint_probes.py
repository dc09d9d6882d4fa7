"""Probes by a state's name, of several nodes' qubits, and of long pairs at the moment both halves exist."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.protocols.swapping import long_pair
from qnetem.emulator import closed_forms
from qnetem.emulator.errors import OperationError

from .. import harness
from ..physics.bench import Ran, play, program

PAIRS = "{entangle: {success: 1, fidelity: %s, attempt: 1 ms}}"
WORSE = (1 - 0.85) / 3


class Namer(Agent):
    """Probes a pair by the names of Bell states, and qubits of its own."""

    async def run(self, peer: str) -> None:
        pair = await self.entangle(peer)
        for word in ("phi+", "psi+", "Phi-", "PSI-"):
            await self.probe(f"is_{word.lower()[:3]}{'p' if word[3] == '+' else 'm'}", pair, word)
        if self.name == "alice":
            pair.shift(0, 1)  # X is owed, which counts as applied
        await self.probe("shifted", pair, "psi+")
        a, b, c = [await self.qubit() for _ in range(3)]
        await self.probe("zero", a, "0")
        await a.h()
        await self.probe("plus", a, "+")
        await a.cx(b)
        await self.probe("bell", [a, b], "phi+")
        await b.cx(c)
        await self.probe("ghz", [a, b, c], "ghz")
        await self.probe("w", [a, b, c], "w")
        await self.probe("spelt", [a, b], (1, 0, 0, 1))


def test_a_probe_takes_states_by_their_names() -> None:
    ends = [f'{a}: {{program: "{program(Namer)}", with: {{peer: {b}}}, memory: {{slots: 4}}}}'
            for a, b in (("alice", "bob"), ("bob", "alice"))]  # fmt: skip
    ran = play(
        f"nodes: {{{', '.join(ends)}}}\nlinks: [{{between: [alice, bob], quantum: {PAIRS % 0.85}}}]"
    )
    assert ran.exact("alice.is_phip.fidelity") == 0.85
    for name in ("is_psip", "is_phim", "is_psim"):
        assert ran.exact(f"bob.{name}.fidelity") == pytest.approx(WORSE)
    assert ran.exact("alice.shifted.fidelity") == 0.85
    for name in ("zero", "plus", "bell", "ghz"):
        assert ran.exact(f"alice.{name}.fidelity") == pytest.approx(1.0)
    assert ran.exact("alice.w.fidelity") == pytest.approx(0.0, abs=1e-12)
    assert ran.exact("alice.spelt.fidelity") == pytest.approx(0.5), (
        "the third is entangled with them"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"target": "phi"}, "unknown state 'phi'; did you mean 'phi"),
        ({"target": "cat"}, "unknown state 'cat'; there are 0, 1"),
        ({"target": "phi+", "several": 3}, r"'phi\+' is a state of 2 qubits, not 3"),
        ({"target": "+", "several": 2}, "'\\+' is a state of 1 qubit, not 2"),
        ({"target": "ghz"}, "two qubits or more"),
        ({"target": (1, 0, 0)}, "2 amplitudes, not 3"),
        ({"parties": ["alice"]}, "two nodes or more"),
        ({"parties": ["alice", "alice"]}, "each once"),
        ({"parties": ["bob", "carol"]}, "no node is called 'carol'"),
        ({"parties": ["bob", "bobby"]}, "no node is called 'bobby'"),
        ({"parties": "alice"}, "names of nodes"),
        ({"parties": ["alice", "bob"], "several": 2}, "each party names one qubit"),
        ({"parties": ["alice", "bob"], "target": (1, 0)}, "4 amplitudes, not 2"),
        ({"parties": ["alice", "bob"], "target": (0, 0, 0, 0)}, "not zero"),
    ],
)
def test_a_probe_that_does_not_fit_is_refused(arguments: dict[str, Any], problem: str) -> None:
    async def alice(me: Agent) -> None:
        qubits = [await me.qubit() for _ in range(arguments.pop("several", 1))]
        held = qubits if len(qubits) > 1 else qubits[0]
        with pytest.raises(OperationError, match=problem):
            await me.probe("it", held, arguments.pop("target", None), **arguments)

    nodes = {"alice": harness.node("alice", alice, slots=4), "bob": harness.idle}
    harness.run_results(nodes, [harness.link("alice", "bob")])


class Party(Agent):
    """One of three that share a GHZ state, which alice makes and sends; some use theirs at once."""

    async def run(self, at_once: bool = False, wait_ms: float = 0) -> int:
        parties = ("alice", "bob", "carol")
        if self.name == "alice":
            mine, second, third = [await self.qubit() for _ in range(3)]
            await mine.h()
            await mine.cx(second)
            await mine.cx(third)
            await self.transmit(second, "bob")
            await self.transmit(third, "carol")
        else:
            mine = await self.receive_qubit("alice")
        await asyncio.sleep(wait_ms / 1e3)
        await self.probe("ghz", mine, "ghz", parties=parties)
        if at_once:
            return await mine.measure("X")
        await asyncio.sleep(1)
        return 0


def ghz(alice: str = "", bob: str = "", faults: str = "[]") -> Ran:
    return play(f"""
nodes:
  alice: {{program: "{program(Party)}", with: {{{alice}}}, memory: {{slots: 3, t2: 10 ms}}}}
  bob: {{program: "{program(Party)}", with: {{{bob}}}}}
  carol: {{program: "{program(Party)}"}}
links:
  - {{between: [alice, bob], quantum: {{length: 20 km, attenuation: 0 dB/km}}}}
  - {{between: [alice, carol], quantum: {{length: 200 km, attenuation: 0 dB/km}}}}
faults: {faults}
""")


def test_the_qubits_of_several_nodes_are_looked_at_once_all_have_named_them() -> None:
    fibre_ms = closed_forms.fibre_latency_ns(200) / 1e6
    expected = closed_forms.dephased_phi_plus(fibre_ms, 10)  # one qubit of them decays meanwhile
    ran = ghz()
    for party in ("alice", "bob", "carol"):
        assert ran.exact(f"{party}.ghz.fidelity") == pytest.approx(expected, abs=1e-6)


def test_a_party_that_uses_its_qubit_first_is_looked_at_just_before() -> None:
    ran = ghz(alice="at_once: true")
    assert ran.exact("carol.ghz.fidelity") == pytest.approx(1.0), "before alice's had decayed"
    fibre_ms = closed_forms.fibre_latency_ns(20) / 1e6
    ran = ghz(bob="at_once: true")
    expected = closed_forms.dephased_phi_plus(fibre_ms, 10)
    assert ran.exact("alice.ghz.fidelity") == pytest.approx(expected, abs=1e-6)


def test_a_party_may_be_late_and_one_that_never_comes_leaves_no_fidelity() -> None:
    ran = ghz(bob="wait_ms: 10000")
    assert ran.exact("alice.ghz.fidelity") == pytest.approx(0.5), "decayed in alice's memory"
    ran = ghz(bob="wait_ms: 10000", faults="[{at: 2 s, kill: bob}]\non_error: continue")
    assert "alice.ghz.fidelity" not in ran.outcome.metrics


class FarEnd(Agent):
    """End to end in one line, and then the half is used at once."""

    async def run(self, peer: str, rounds: int = 3) -> int:
        for _ in range(rounds):
            pair = await long_pair(self, peer)
            await self.probe("end_to_end", pair, parties=pair.ends)
            await pair.measure("X")
        return rounds


@pytest.mark.parametrize("latencies", [("10 us", "1 ms", "1 us"), ("1 ms", "10 us", "1 us")])
def test_the_fidelity_end_to_end_is_one_line_at_either_end(
    latencies: tuple[str, str, str],
) -> None:
    """Whichever end hears first uses its half before the other one has heard."""
    fidelities = (0.95, 0.9, 0.97)
    names = ("alice", "r1", "r2", "bob")
    end = f'{{program: "{program(FarEnd)}", with: {{peer: %s}}}}'
    repeater = "{kind: repeater, with: {ends: [alice, bob]}, memory: {slots: 4}}"
    links = "\n".join(
        f"  - {{between: [{a}, {b}], classical: {{latency: {latency}}}, quantum: {PAIRS % fidelity}}}"
        for a, b, latency, fidelity in zip(names, names[1:], latencies, fidelities, strict=False)
    )
    ran = play(
        f"nodes:\n  alice: {end % 'bob'}\n  bob: {end % 'alice'}\n"
        f"  r1: {repeater}\n  r2: {repeater}\nlinks:\n{links}"
    )
    expected = closed_forms.werner_join(*fidelities)
    for name in ("alice", "bob"):
        assert ran.count(f"{name}.end_to_end.fidelity") == 3
        assert ran.exact(f"{name}.end_to_end.fidelity") == pytest.approx(expected)
