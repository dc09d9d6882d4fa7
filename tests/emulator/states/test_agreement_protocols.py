"""All formalisms on what programs do with pairs: kept and reset qubits, purification, heralds, repeaters.

Beside test_agreement.py, whose circuits have none of it. Registers are followed by plain QuTiP, branch by
branch, decay included; whole networks of every kind of heralding are played under every formalism.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest

from qnetem import Agent
from qnetem.agents.protocols.swapping import LongPairs
from qnetem.emulator.closed_forms.purification import bbpssw, dejmps
from qnetem.emulator.devices.memory import MemoryDecay
from qnetem.emulator.quantum.formalism import Formalism, qubit_numbers
from qnetem.emulator.quantum.node.registry import Registry
from qnetem.emulator.states.engine import Axis
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.states import bell_density, werner

from ...physics.bench import Ran, play, program
from .plain import CLOSE, distance, embedded, evolved, plain_gate

EXACT = ("auto", "bell_diagonal", "density_matrix")
ALL = (*EXACT, "stabilizer")
AXES: dict[str, Axis] = {"X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0), "Z": (0.0, 0.0, 1.0)}
T2_NS, STEP_NS = 1_000_000, 30_000

Step = tuple[Any, ...]

# --- branch by branch, beside plain QuTiP ---------------------------------------------------------


def dephased(rho: Any, index: int, elapsed_ns: int) -> Any:
    flip = (1 - math.exp(-elapsed_ns / T2_NS)) / 2
    kraus = [math.sqrt(1 - flip) * qutip.qeye(2), math.sqrt(flip) * qutip.sigmaz()]
    return evolved(rho, kraus, [index])


class Plain:
    """The registry's story in QuTiP alone: one density matrix of all that are left, decayed at each step."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rho: Any = None

    def add(self, names: list[str], rho: Any) -> None:
        self.rho = rho if self.rho is None else qutip.tensor(self.rho, rho)
        self.names += names

    def wait(self, elapsed_ns: int) -> None:
        for index in range(len(self.names)):
            self.rho = dephased(self.rho, index, elapsed_ns)

    def gate(self, name: str, angle: float, qubits: list[str]) -> None:
        indices = [self.names.index(qubit) for qubit in qubits]
        wide = embedded(plain_gate(name, angle), indices, len(self.names))
        self.rho = wide * self.rho * wide.dag()

    def drop(self, qubit: str) -> None:
        index = self.names.index(qubit)
        self.rho = self.rho.ptrace([at for at in range(len(self.names)) if at != index])
        self.names.remove(qubit)

    def project(self, qubit: str, axis: str, outcome: int) -> float:
        """Leaves the qubit found as it was; answers how likely that was."""
        pauli = {"X": qutip.sigmax(), "Y": qutip.sigmay(), "Z": qutip.sigmaz()}[axis]
        projector = (qutip.qeye(2) + (-1) ** outcome * pauli) / 2
        wide = embedded(projector, [self.names.index(qubit)], len(self.names))
        found = wide * self.rho * wide
        chance = float(found.tr().real)
        self.rho = found / chance
        return chance

    def reset(self, qubit: str) -> None:
        lower, zero = qutip.basis(2, 0) * qutip.basis(2, 1).dag(), qutip.ket2dm(qutip.basis(2, 0))
        self.rho = evolved(self.rho, [zero, lower], [self.names.index(qubit)])

    def join(self, first: str, second: str, outcome: tuple[int, int]) -> None:
        self.gate("cx", 0.0, [first, second])
        self.gate("h", 0.0, [first])
        for qubit, bit in zip((first, second), outcome, strict=True):
            self.project(qubit, "Z", bit)
        self.drop(first)
        self.drop(second)

    def state(self, qubits: list[str]) -> Any:
        return self.rho.ptrace([self.names.index(q) for q in sorted(qubits, key=self.names.index)])


def story(seed: int, steps: int) -> list[Step]:
    """Two pairs and what happens to them; at most four qubits at once, two to the end."""
    rng, alive, listed = np.random.default_rng(seed), ["a", "b", "c", "d"], []
    verbs = ["turn", "turn", "two", "keep", "keep", "reset", "measure", "discard", "join"]
    for _ in range(steps):
        verb = verbs[rng.integers(len(verbs))]
        qubit = alive[rng.integers(len(alive))]
        if verb == "turn":
            name = ("rx", "ry", "rz")[rng.integers(3)]
            listed.append((verb, name, math.pi / 2 * rng.integers(1, 4), [qubit]))
        elif verb == "two" and len(alive) > 1:
            pair = rng.choice(alive, 2, replace=False).tolist()
            listed.append((verb, ("cx", "cz", "swap")[rng.integers(3)], 0.0, pair))
        elif verb == "keep":
            listed.append((verb, qubit, "XYZ"[rng.integers(3)]))
        elif verb == "reset":
            listed.append((verb, qubit))
        elif verb in ("measure", "discard") and len(alive) > 2:
            alive.remove(qubit)
            listed.append((verb, qubit, "XYZ"[rng.integers(3)]))
        elif verb == "join" and len(alive) > 3:
            pair = rng.choice(alive, 2, replace=False).tolist()
            alive = [name for name in alive if name not in pair]
            listed.append((verb, *pair))
    return listed


class Both:
    """A registry and plain QuTiP, side by side: the registry draws, QuTiP follows its outcomes."""

    def __init__(self, formalism: str, seed: int) -> None:
        self.rng, self.now_ns, self.plain = np.random.default_rng(seed), 0, Plain()
        decay = MemoryDecay(None, T2_NS)
        self.qubits = Registry(lambda _: decay, Formalism(formalism), qubit_numbers(seed))
        for names, weights in (("ab", (6, 1, 1, 1)), ("cd", (8, 2, 1, 1))):
            shares = self.rng.dirichlet(weights)
            density = sum(p * bell_density(index) for index, p in enumerate(shares))
            self.qubits.create_pair(names[0], "alice", names[1], "bob", density, 0)
            self.plain.add(list(names), qutip.Qobj(density, dims=[[2, 2], [2, 2]]))

    def step(self, verb: str, *what: Any) -> None:
        self.now_ns += STEP_NS
        self.plain.wait(STEP_NS)
        u1, u2 = self.rng.random(2).tolist()
        if verb in ("turn", "two"):
            self.qubits.apply_gate(*what, self.now_ns)
            self.plain.gate(*what)
        elif verb == "reset":
            self.qubits.reset(*what, self.now_ns)
            self.plain.reset(*what)
        elif verb == "discard":
            self.qubits.discard([what[0]], "discarded", self.now_ns)
            self.plain.drop(what[0])
        elif verb == "join":
            self.plain.join(*what, self.qubits.bell_measure(*what, u1, u2, self.now_ns))
        else:
            qubit, axis = what
            outcome = self.qubits.measure(qubit, AXES[axis], u1, self.now_ns, keep=verb == "keep")
            chance = self.plain.project(qubit, axis, outcome)
            # the number decides: the outcome 0 is what lies below its probability
            assert (u1 < (chance if outcome == 0 else 1 - chance)) == (outcome == 0)
            if verb == "measure":
                self.plain.drop(qubit)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("formalism", EXACT)
def test_measurements_resets_and_joins_are_those_of_plain_qutip(formalism: str, seed: int) -> None:
    both = Both(formalism, seed)
    for step in story(seed, 14):
        both.step(*step)
        names = both.plain.names
        assert distance(both.qubits.state(names, both.now_ns), both.plain.rho) < CLOSE
        for name in names:
            own = both.qubits.state([name], both.now_ns)
            assert distance(own, both.plain.state([name])) < CLOSE


# --- purification ---------------------------------------------------------------------------------

ROUNDS = 4000


def purify(qubits: Registry, rotated: bool, rng: np.random.Generator) -> bool:
    """One round on two fresh pairs a1-b1 and a2-b2; True if the outcomes agree."""
    if rotated:
        for name, angle in (("a", math.pi / 2), ("b", -math.pi / 2)):
            for number in "12":
                qubits.apply_gate("rx", angle, [name + number], 0)
    for name in "ab":
        qubits.apply_gate("cx", 0.0, [f"{name}1", f"{name}2"], 0)
    first, second = (qubits.measure(f"{name}2", AXES["Z"], rng.random(), 0) for name in "ab")
    return first == second


def fresh(formalism: str, seed: int, fidelity: float) -> Registry:
    qubits = Registry(lambda _: None, Formalism(formalism), qubit_numbers(seed))
    for number in "12":
        qubits.create_pair(f"a{number}", "alice", f"b{number}", "bob", werner(fidelity), 0)
    return qubits


@pytest.mark.parametrize("rotated", [False, True], ids=["bennett", "deutsch"])
def test_purification_is_the_same_under_every_formalism(rotated: bool) -> None:
    weights = (0.75, *(0.25 / 3,) * 3)
    (after, *_), success = (
        dejmps(weights, weights) if rotated else ((bbpssw(0.75)[0],), bbpssw(0.75)[1])
    )
    for formalism in EXACT:
        rng = np.random.default_rng(5)
        kept = [
            q for q in (fresh(formalism, n, 0.75) for n in range(20)) if purify(q, rotated, rng)
        ]
        assert 0 < len(kept) < 20
        for qubits in kept:
            assert qubits.fidelity(["a1", "b1"], None, 0) == pytest.approx(after, abs=CLOSE)
    rng, kept_ones, good = np.random.default_rng(6), 0, 0
    for number in range(ROUNDS):
        qubits = fresh("stabilizer", number, 0.75)
        if purify(qubits, rotated, rng):
            kept_ones += 1
            good += round(qubits.fidelity(["a1", "b1"], None, 0))
    assert within(kept_ones, ROUNDS, success)
    assert within(good, kept_ones, after)


def within(hits: int, trials: int, chance: float) -> bool:
    """Three standard deviations of theory."""
    return abs(hits - trials * chance) <= 3 * math.sqrt(trials * chance * (1 - chance))


# --- whole networks -------------------------------------------------------------------------------


class Correlating(Agent):
    """One end of a repeater chain: measures its halves along X, Y and Z in turn."""

    pairs: ClassVar[int] = 150

    async def run(self, peer: str) -> list[int]:
        far = LongPairs(self, peer)
        found = []
        for number in range(self.pairs):
            pair = await far.obtain()
            found.append(await pair.measure("XYZ"[number % 3]))
        return found


SEEDS = (1, 2, 3)
KINDS = {
    "simple": "{success: 0.5, fidelity: 0.9, attempt: 10 us}",
    "double_click": "{kind: double_click, detection: {first: 0.5, second: 0.4}, visibility: 0.9, "
    "detector: {dark_count_rate: 20 kHz, window: 50 ns}}",
    "midpoint_source": "{kind: midpoint_source, clock: 1 us, pair_probability: 0.2, pair_fidelity: 0.9}",
}


def chain(formalism: str, entangle: str, seed: int = 1) -> Ran:
    """Alice, a repeater and bob, memories that dephase."""
    end = program(Correlating)
    return play(
        f"""
formalism: {formalism}
defaults: {{memory: {{t2: 2 ms}}, quantum: {{length: 10 km, entangle: {entangle}}}}}
nodes:
  alice: {{program: "{end}", with: {{peer: bob}}}}
  r1: {{kind: repeater, with: {{routes: [[alice, bob]], ends: [alice, bob]}}}}
  bob: {{program: "{end}", with: {{peer: alice}}}}
links:
  - {{between: [alice, r1], quantum: {{}}}}
  - {{between: [r1, bob], quantum: {{}}}}
""",
        seed,
    )


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_repeater_s_correlations_are_the_same_under_every_formalism(kind: str) -> None:
    """Exact ones give the same outcomes, one by one; trajectories the same correlations."""
    runs = {name: [chain(name, KINDS[kind], seed) for seed in SEEDS] for name in ALL}
    exact = [ran.results for ran in runs["density_matrix"]]
    for name in EXACT:
        assert [ran.results for ran in runs[name]] == exact
    waits = {name: [ran.outcome.t_ns for ran in played] for name, played in runs.items()}
    assert (
        len({tuple(each) for each in waits.values()}) == 1
    )  # who draws for noise shifts no herald
    agreeing = {
        name: np.array([agreements(ran) for ran in played]) for name, played in runs.items()
    }
    count = len(SEEDS) * Correlating.pairs // 3
    for axis in range(3):
        mine, theirs = (
            int(agreeing[name][:, axis].sum()) for name in ("density_matrix", "stabilizer")
        )
        chance = (mine + theirs) / (2 * count)
        assert 0.005 < min(chance, 1 - chance) < 0.4  # correlated, and not without noise
        assert abs(mine - theirs) <= 3 * math.sqrt(2 * count * chance * (1 - chance))


def agreements(ran: Ran) -> list[int]:
    """How often both ends found the same, by axis."""
    pairs = list(zip(ran.results["alice"], ran.results["bob"], strict=True))
    return [sum(a == b for a, b in pairs[axis::3]) for axis in range(3)]
