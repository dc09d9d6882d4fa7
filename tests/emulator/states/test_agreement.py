"""All formalisms on every scenario that all of them can express.

Random circuits of Clifford gates, Pauli noise, dephasing memories, joins, measurements and losses on two
pairs. Those that are exact agree to 1e-10, outcome by outcome, with each other and with plain QuTiP;
the stabilizer trajectories agree with them on average, within 3 sigma.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.devices.memory import MemoryDecay
from qnetem.emulator.quantum.formalism import Formalism, qubit_numbers
from qnetem.emulator.quantum.node.registry import Registry
from qnetem.emulator.states import gates, noise
from qnetem.emulator.states.engine import Axis
from qnetem.emulator.states.pauli import vector_of
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.states import bell_density

from .plain import CLOSE, distance, embedded, evolved, plain_gate

EXACT_FORMALISMS = ("auto", "bell_diagonal", "density_matrix")
NAMES = ("a", "b", "c", "d")
AXES: tuple[Axis, ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
#: Coherence time of every memory, and the time between two steps.
T2_NS, STEP_NS = 1_000_000, 20_000
TRAJECTORIES = 1200

Step = tuple[Any, ...]


def scenario(seed: int, steps: int, with_measurements: bool) -> list[Step]:
    rng, alive, listed = np.random.default_rng(seed), list(NAMES), []
    verbs = ["gate", "gate", "noise", "both"] + ["measure", "join"] * with_measurements
    for pair in (0, 1):
        listed.append(
            ("pair", *NAMES[2 * pair : 2 * pair + 2], rng.dirichlet((6, 1, 1, 1)).tolist())
        )
    for _ in range(steps):
        verb = verbs[rng.integers(len(verbs))]
        if verb == "gate":
            name = ("x", "y", "z", "h", "s", "sdg", "cx", "cz", "swap")[rng.integers(9)]
            count = gates.GATES[name]
            if count <= len(alive):
                listed.append((verb, name, rng.choice(alive, count, replace=False).tolist()))
        elif verb == "noise":
            weights = rng.dirichlet((20, 1, 1, 1))
            listed.append((verb, weights.tolist(), alive[rng.integers(len(alive))]))
        elif verb == "both" and len(alive) > 1:
            qubits = rng.choice(alive, 2, replace=False).tolist()
            listed.append((verb, float(rng.uniform(0, 0.1)), qubits))
        elif verb == "measure" and len(alive) > 2:
            qubit = alive.pop(rng.integers(len(alive)))
            listed.append((verb, qubit, AXES[rng.integers(3)]))
        elif verb == "join" and len(alive) > 3:
            first, second = rng.choice(alive, 2, replace=False).tolist()
            alive = [name for name in alive if name not in {first, second}]
            listed.append((verb, first, second))
    listed.append(("end", alive))
    return listed


def kraus_of(weights: list[float]) -> list[Any]:
    paulis = (qutip.qeye(2), qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    return [math.sqrt(weight) * pauli for weight, pauli in zip(weights, paulis, strict=True)]


def mixture(weights: list[float]) -> np.ndarray:
    return sum(weight * bell_density(index) for index, weight in enumerate(weights))


class Player:
    """Plays scenarios on one registry; maps are compiled once per step."""

    def __init__(self, formalism: str, steps: list[Step]) -> None:
        self.formalism = Formalism(formalism)
        self.steps = [(*step, self._compiled(step)) for step in steps]

    @staticmethod
    def _compiled(step: Step) -> Any:
        if step[0] == "noise":
            return noise.from_kraus(kraus_of(step[1]))
        if step[0] == "both":
            return noise.depolarising(step[1], 2)
        return mixture(step[3]) if step[0] == "pair" else None

    def play(self, seed: int, memory: bool = True) -> tuple[Registry, list[str], list[int], int]:
        """The registry, who is left, the outcomes, and the time."""
        rng, outcomes, now = np.random.default_rng(seed), [], 0
        decay = MemoryDecay(None, T2_NS) if memory else None
        qubits = Registry(lambda holder: decay, self.formalism, qubit_numbers(seed))
        alive: list[str] = []
        for verb, *rest, compiled in self.steps:
            now += STEP_NS
            u1, u2 = rng.random(2).tolist()
            if verb == "pair":
                qubits.create_pair(rest[0], "alice", rest[1], "bob", compiled, now)
            elif verb == "gate":
                qubits.apply_gate(rest[0], 0.0, rest[1], now)
            elif verb == "noise":
                qubits.apply_map(compiled, [rest[1]], now)
            elif verb == "both":
                qubits.apply_map(compiled, rest[1], now)
            elif verb == "measure":
                outcomes.append(qubits.measure(rest[0], rest[1], u1, now))
            elif verb == "join":
                outcomes.extend(qubits.bell_measure(rest[0], rest[1], u1, u2, now))
            else:
                alive = rest[0]
        return qubits, alive, outcomes, now


@pytest.mark.parametrize("seed", range(12))
def test_the_exact_formalisms_agree_outcome_by_outcome(seed: int) -> None:
    steps = scenario(seed, 14, with_measurements=True)
    expected, alive, outcomes, now = Player("density_matrix", steps).play(seed)
    for name in EXACT_FORMALISMS[:2]:
        found, _, theirs, _ = Player(name, steps).play(seed)
        assert theirs == outcomes
        for qubits in (alive, alive[:1], alive[::-1]):
            assert distance(found.state(qubits, now), expected.state(qubits, now)) < CLOSE


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("formalism", EXACT_FORMALISMS)
def test_the_exact_formalisms_agree_with_plain_qutip(formalism: str, seed: int) -> None:
    steps = scenario(100 + seed, 10, with_measurements=False)
    qubits, _, _, now = Player(formalism, steps).play(seed, memory=False)
    pairs = [qutip.Qobj(mixture(step[3]), dims=[[2, 2], [2, 2]]) for step in steps[:2]]
    rho = qutip.tensor(*pairs)
    for verb, *rest in steps[2:-1]:
        if verb == "gate":
            unitary = embedded(plain_gate(rest[0]), [NAMES.index(q) for q in rest[1]], 4)
            rho = unitary * rho * unitary.dag()
        elif verb == "noise":
            rho = evolved(rho, kraus_of(rest[0]), [NAMES.index(rest[1])])
        else:
            indices = [NAMES.index(q) for q in rest[1]]
            others = [i for i in range(4) if i not in indices]
            wide = qutip.tensor(rho.ptrace(others), qutip.qeye([2, 2]) / 4)
            placed = [*others, *indices]
            mixed = wide.permute([placed.index(i) for i in range(4)])
            rho = (1 - rest[0]) * rho + rest[0] * mixed
    assert distance(qubits.state(NAMES, now), rho) < CLOSE


@pytest.mark.parametrize("seed", range(5))
def test_trajectories_agree_on_the_largest_correlation(seed: int) -> None:
    """The Pauli string with the largest mean, measured qubit by qubit, N trajectories."""
    steps = scenario(200 + seed, 10, with_measurements=False)
    exact, alive, _, now = Player("density_matrix", steps).play(0)
    vector = vector_of(exact.state(alive, now).full())
    where = 1 + int(np.argmax(np.abs(vector[1:])))
    letters = [where // 4 ** (len(alive) - 1 - i) % 4 for i in range(len(alive))]
    measured = [(name, AXES[k - 1]) for name, k in zip(alive, letters, strict=True) if k]
    player, total = Player("stabilizer", steps), 0
    for trajectory in range(TRAJECTORIES):
        qubits, *_ = player.play(trajectory)
        rng = np.random.default_rng((seed, trajectory))
        found = [qubits.measure(name, axis, rng.random(), now) for name, axis in measured]
        total += (-1) ** sum(found)
    mean = vector[where]
    assert abs(mean) > 0.2
    sigma = math.sqrt((1 - mean**2) / TRAJECTORIES)
    assert total / TRAJECTORIES == pytest.approx(mean, abs=3 * sigma)


@pytest.mark.parametrize("seed", range(3))
def test_trajectories_agree_on_the_outcomes_on_the_way(seed: int) -> None:
    """How often each outcome is 1, N runs of each: what a run is like, joins and losses included."""
    steps = scenario(300 + seed, 12, with_measurements=True)
    found = {}
    for name in ("auto", "stabilizer"):
        player = Player(name, steps)
        runs = [player.play(1_000_000 * (name == "auto") + run)[2] for run in range(TRAJECTORIES)]
        assert len(runs[0]) > 0
        found[name] = np.mean(runs, axis=0)
    sigma = math.sqrt(2 * 0.25 / TRAJECTORIES)
    assert np.abs(found["auto"] - found["stabilizer"]).max() < 3 * sigma
