"""States and circuits for the report, on the emulator's engines.

Owns joining, purifying, cloning and CHSH as explicit circuits; the weights of all outcomes are summed, so
nothing is drawn. Does not own the engines, nor the formulas that the results are set against.

Qubits of two pairs stand as A1, B1, A2, B2. Bell weights are in the order of the Bell index.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from ...emulator import closed_forms
from ...emulator.closed_forms import BellWeights
from ...emulator.devices.memory import MemoryDecay
from ...emulator.quantum.formalism import Formalism
from ...emulator.quantum.node.registry import Registry
from ...emulator.states import gates, noise, states
from ...emulator.states.bell_diagonal import BellDiagonal
from ...emulator.states.density_matrix import DensityMatrix
from ...emulator.states.engine import Axis
from ...emulator.states.pauli import Superoperator

Z: Axis = (0.0, 0.0, 1.0)
X: Axis = (1.0, 0.0, 0.0)

# --- states ---------------------------------------------------------------------------------------


def bell_diagonal(weights: Sequence[float]) -> DensityMatrix:
    """A pair with these Bell weights."""
    return BellDiagonal.from_weights(weights).promoted()


def weights_of(pair: DensityMatrix) -> BellWeights:
    """Its fidelities with the four Bell states."""
    a, b, c, d = (pair.fidelity(states.bell_vector(index)) for index in range(4))
    return a, b, c, d


def branches(
    state: DensityMatrix, index: int, axis: Axis
) -> Iterator[tuple[float, int, DensityMatrix]]:
    """(probability, outcome, state of the others) of every outcome that can be."""
    bloch = state.reduced([index]).vector[1:]
    chance_of_0 = (1 + float(bloch @ np.array(axis))) / 2
    for probability, forced in ((chance_of_0, 0.0), (1 - chance_of_0, 1.0)):
        if probability > 1e-12:
            outcome, rest = state.measure(index, axis, forced)
            yield probability, outcome, rest


def mixed(parts: Sequence[tuple[float, DensityMatrix]]) -> DensityMatrix:
    """The mixture of states of one size with these weights, which need not sum to 1."""
    total = math.fsum(weight for weight, _ in parts)
    vector = sum((weight / total * part.vector for weight, part in parts), start=np.zeros(1))
    return DensityMatrix(vector, parts[0][1].size)


def apply(state: DensityMatrix, gate: str, *indices: int, angle: float = 0.0) -> DensityMatrix:
    """A gate by name."""
    return state.apply_map(gates.gate(gate, angle), indices)


def chsh(pair: DensityMatrix) -> float:
    """S with the settings Z, X and (Z +- X)/sqrt2: sqrt2 (<ZZ> + <XX>)."""
    return math.sqrt(2) * float(pair.vector[15] + pair.vector[5])


def error_rate(pair: DensityMatrix, axis: Axis = Z) -> float:
    """How often both ends, measuring along `axis`, disagree."""
    return math.fsum(
        first_chance * second_chance
        for first_chance, first, rest in branches(pair, 0, axis)
        for second_chance, second, _ in branches(rest, 0, axis)
        if first != second
    )


# --- storage --------------------------------------------------------------------------------------


def stored(decay: MemoryDecay, time_ns: int, both: bool = False, fidelity: float = 1.0) -> float:
    """Fidelity of a Werner pair after one half, or both, lay in a memory, asked of a registry."""
    registry = Registry(lambda holder: decay if holder == "alice" or both else None)
    registry.create_pair("a", "alice", "b", "bob", states.werner(fidelity), 0)
    return registry.fidelity(["a", "b"], None, time_ns)


# --- joining --------------------------------------------------------------------------------------


def werner_joined(fidelities: Sequence[float], formalism: str) -> float:
    """Fidelity of a chain of Werner pairs joined; see `joined`."""
    return joined([closed_forms.werner_weights(fidelity) for fidelity in fidelities], formalism)


def joined(pairs: Sequence[BellWeights], formalism: str) -> float:
    """Fidelity of a chain of pairs joined and corrected one after the other, in a registry."""
    registry = Registry(lambda _: None, Formalism(formalism))
    for number, weights in enumerate(pairs):
        density = sum(
            (weight * states.bell_density(index) for index, weight in enumerate(weights)),
            start=np.zeros((4, 4), dtype=complex),
        )
        registry.create_pair(f"{number}l", "left", f"{number}r", "right", density, 0)
    rng = np.random.Generator(np.random.PCG64(7))
    for number in range(1, len(pairs)):
        left, right = f"{number - 1}r", f"{number}l"
        z, x = registry.bell_measure(left, right, rng.random(), rng.random(), 0)
        for gate, needed in (("x", x), ("z", z)):
            if needed:
                registry.apply_gate(gate, 0.0, [f"{number}r"], 0)
    return registry.fidelity(["0l", f"{len(pairs) - 1}r"], None, 0)


def noisily_joined(fidelity: float, gate: float, measurement: float) -> float:
    """Fidelity of two Werner pairs joined by a CNOT and two measurements that all may err."""
    pair = DensityMatrix.from_density(states.werner(fidelity))
    state = apply(pair.merge(pair), "cx", 1, 2)
    state = state.apply_map(noise.depolarising(1 - gate, 2), (1, 2))
    state = apply(state, "h", 1)
    parts = []
    for z_chance, z, after in branches(state, 1, Z):
        for x_chance, x, rest in branches(after, 1, Z):
            for z_wrong, x_wrong in itertools.product((0, 1), repeat=2):
                corrected = apply(rest, "x", 1) if x ^ x_wrong else rest
                corrected = apply(corrected, "z", 1) if z ^ z_wrong else corrected
                told = math.prod(1 - measurement if w else measurement for w in (z_wrong, x_wrong))
                parts.append((z_chance * x_chance * told, corrected))
    return mixed(parts).fidelity(states.bell_vector(0))


# --- purification ---------------------------------------------------------------------------------


def purified(
    first: DensityMatrix,
    second: DensityMatrix,
    *,
    rotated: bool = False,
    gate: float = 1.0,
    measurement: float = 1.0,
) -> tuple[DensityMatrix, float]:
    """(first pair, probability of success) after CNOTs onto the second one and equal outcomes.

    `rotated` is the round of Deutsch et al., without it that of Bennett et al. (before its twirl).
    """
    state = first.merge(second)
    if rotated:
        for index in range(4):
            angle = math.pi / 2 if index % 2 == 0 else -math.pi / 2
            state = apply(state, "rx", index, angle=angle)
    for control, target in ((0, 2), (1, 3)):
        state = apply(state, "cx", control, target)
        state = state.apply_map(noise.depolarising(1 - gate, 2), (control, target))
    both_right = measurement**2 + (1 - measurement) ** 2
    parts = [
        (mine * hers * (both_right if one == other else 1 - both_right), rest)
        for mine, one, after in branches(state, 2, Z)
        for hers, other, rest in branches(after, 2, Z)
    ]
    parts = [part for part in parts if part[0] > 0]
    return mixed(parts), math.fsum(weight for weight, _ in parts)


def werner_purified(
    fidelity: float, gate: float = 1.0, measurement: float = 1.0
) -> tuple[float, float]:
    """(F', probability of success) of one round on two Werner pairs."""
    pair = DensityMatrix.from_density(states.werner(fidelity))
    left, success = purified(pair, pair, gate=gate, measurement=measurement)
    return left.fidelity(states.bell_vector(0)), success


def dejmps_rounds(weights: Sequence[float], rounds: int) -> tuple[BellWeights, float]:
    """(weights, the last round's probability of success) after rounds on pairs that are alike."""
    pair, success = bell_diagonal(weights), 1.0
    for _ in range(rounds):
        pair, success = purified(pair, pair, rotated=True)
    return weights_of(pair), success


# --- eavesdropping --------------------------------------------------------------------------------


def intercepted(share: float) -> DensityMatrix:
    """Phi+, of one half a `share` measured in Z or X at random and sent on as found."""
    in_z, hadamard = noise.dephasing(0.5), gates.gate("h")
    in_x = noise.compose(hadamard, in_z, hadamard)
    attack: Superoperator = (1 - share) * np.eye(4) + share / 2 * (in_z + in_x)
    return DensityMatrix.from_density(states.bell_density(0)).apply_map(attack, (1,))


def half_way_attack() -> tuple[float, float]:
    """(right guesses, QBER) of measuring half way between Z and X and sending on what was found."""
    half_way: Axis = (math.sqrt(0.5), 0.0, math.sqrt(0.5))
    right = wrong = 0.0
    for axis, bit in itertools.product((Z, X), (0, 1)):
        sent = DensityMatrix.eigenstate(axis, bit)
        for chance, guess, _ in branches(sent, 0, half_way):
            right += chance * (guess == bit) / 4
            resent = DensityMatrix.eigenstate(half_way, guess)
            for found_chance, found, _ in branches(resent, 0, axis):
                wrong += chance * found_chance * (found != bit) / 4
    return right, wrong


def cloned(axis: Axis) -> tuple[float, float]:
    """Fidelities of both clones of the +1 state along `axis`: Buzek and Hillery's machine as a circuit."""
    amplitudes = np.array([2, 1, 0, 1]) / math.sqrt(6)
    blank = DensityMatrix.from_density(np.outer(amplitudes, amplitudes))
    state = DensityMatrix.eigenstate(axis, 0).merge(blank)
    for control, target in ((0, 1), (0, 2), (1, 0), (2, 0)):
        state = apply(state, "cx", control, target)
    effect = np.array((1.0, *axis))
    first, second = (float(effect @ state.reduced([index]).vector) / 2 for index in (0, 1))
    return first, second


def phase_covariant_cloned(degrees: float, axis: Axis) -> tuple[float, float]:
    """Fidelities of both clones of the +1 state along `axis`: a rotation of |01> and |10> into each other.

    A unitary of the photon and an ancilla in |0>, by that angle.
    """
    unitary = np.eye(4)
    kept, taken = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    unitary[1:3, 1:3] = [[kept, taken], [-taken, kept]]
    blank = DensityMatrix.eigenstate(Z, 0)
    state = DensityMatrix.eigenstate(axis, 0).merge(blank)
    state = state.apply_map(noise.from_kraus([unitary]), (0, 1))
    effect = np.array((1.0, *axis))
    first, second = (float(effect @ state.reduced([index]).vector) / 2 for index in (0, 1))
    return first, second


# --- states that are not orthogonal ---------------------------------------------------------------


def b92(overlap: float, depolarising: float) -> tuple[float, float]:
    """(conclusive outcomes, their error rate) of two states sent through a depolarising channel.

    The receiver measures along one state or the other at random; only what that state excludes is conclusive.
    """
    angle = 2 * math.acos(overlap)
    axes: list[Axis] = [Z, (math.sin(angle), 0.0, math.cos(angle))]
    conclusive = wrong = 0.0
    for sent, along in itertools.product((0, 1), repeat=2):
        state = DensityMatrix.eigenstate(axes[sent], 0)
        state = state.apply_map(noise.depolarising(depolarising), (0,))
        chance = sum(p for p, outcome, _ in branches(state, 0, axes[along]) if outcome == 1) / 4
        conclusive += chance
        wrong += chance * (along == sent)
    return conclusive, wrong / conclusive
