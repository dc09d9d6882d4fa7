"""The engines beside plain QuTiP: noise on both halves of two pairs, then entanglement swapping.

One operation takes two Werner pairs, depolarises all four halves, makes a Bell measurement of a half of
each, and is left with the state of the far halves. QuTiP and numpy get the quickest form there is: one
compiled superoperator for both halves, one compiled projector, one outcome and no draw. Ours get one map
for each half and decide the outcome. At registry level qubits also come into being, and vanish, by name.

Beside them SimQN and SeQUeNCe, each of which can do a part (peers/with_*.py). All by CPU time.

Owns the cases, and GHZ states under `stabilizer`. Rule: every case is first asked for the fidelity it ends
with, and is not timed unless that is right.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
from suite.measure import Plan, measured
from suite.results import Aim, Result

from qnetem.emulator.quantum.formalism import Formalism
from qnetem.emulator.quantum.node.registry import Registry
from qnetem.emulator.states import gates, noise, states
from qnetem.emulator.states.bell_diagonal import BellDiagonal
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.engine import State
from qnetem.emulator.states.qobj import superoperator_of
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.states.stabilizer import Stabilizer

#: The Werner pairs that all begin with, and what happens to each of their halves.
FIDELITY, DEPOLARISING = 0.95, 0.01
PLAIN = "plain QuTiP"
#: How many times plain QuTiP each is to be.
AIMS = {"bell_diagonal": 50.0, "density_matrix": 4.0}
#: CPU time that one counted run of a case takes, about.
RUN_S = 0.2
GHZ_QUBITS = 400


def _fidelity_of(werner: float) -> float:
    return (1 + 3 * werner) / 4


_NOISY = (4 * FIDELITY - 1) / 3 * (1 - DEPOLARISING) ** 2
#: Fidelity of one pair with both halves depolarised; of two such pairs joined; of two fresh pairs joined.
EXPECTED_NOISY = _fidelity_of(_NOISY)
EXPECTED = _fidelity_of(_NOISY**2)
EXPECTED_JOINED = _fidelity_of(((4 * FIDELITY - 1) / 3) ** 2)

#: Does the operation once, and answers with the fidelity of what is left.
Operation = Callable[[], float]
#: Does the operation n times, and answers with how many a second of CPU time.
Case = Callable[[], float]


def plain_qutip() -> tuple[Callable[[], object], Operation]:
    """Superoperator and projector as QuTiP objects, made once."""
    mixed = superoperator_of(noise.depolarising(DEPOLARISING))
    both = qutip.super_tensor(mixed, mixed)
    target = qutip.bell_state("00")
    pair = qutip.Qobj(states.werner(FIDELITY), dims=[[2, 2], [2, 2]])
    project = qutip.tensor(qutip.qeye(2), target.dag(), qutip.qeye(2))

    def operation() -> object:
        left, right = (
            qutip.vector_to_operator(both * qutip.operator_to_vector(pair)) for _ in range(2)
        )
        joined = project * qutip.tensor(left, right) * project.dag()
        return joined / joined.tr()

    def fidelity() -> float:
        found = np.asarray(operation().full())  # type: ignore[attr-defined]
        return _fidelity(found)

    return operation, fidelity


def bare_numpy() -> tuple[Callable[[], object], Operation]:
    """The same with arrays: columns of the matrices stacked, as QuTiP does."""
    # One qubit's map, as [column, row] after and before; the columns of both qubits come first.
    one = superoperator_of(noise.depolarising(DEPOLARISING)).full().reshape((2,) * 4)
    both = np.einsum("abcd,efgh->aebfcgdh", one, one).reshape(16, 16)
    vector = states.werner(FIDELITY).T.reshape(-1).astype(complex)
    bell = states.bell_vector(0).reshape(1, 4)
    project = np.kron(np.kron(np.eye(2), bell), np.eye(2))
    adjoint = project.conj().T.copy()

    def operation() -> object:
        left = (both @ vector).reshape(4, 4).T
        right = (both @ vector).reshape(4, 4).T
        product = (left[:, None, :, None] * right[None, :, None, :]).reshape(16, 16)
        joined = project @ product @ adjoint
        return joined / joined.trace()

    return operation, lambda: _fidelity(np.asarray(operation()))


def engine(pair: State) -> tuple[Callable[[], object], Operation]:
    """States alone: four maps and a Bell measurement across two registers."""
    mixed = noise.depolarising(DEPOLARISING)

    def operation() -> State:
        left = pair.apply_map(mixed, (0,), 0.0).apply_map(mixed, (1,), 0.0)
        right = pair.apply_map(mixed, (0,), 0.0).apply_map(mixed, (1,), 0.0)
        return left.bell_measure_across(1, right, 0, 0.0, 0.0)[2]

    return operation, lambda: operation().fidelity(states.bell_vector(0))


def registry(formalism: str) -> tuple[Callable[[], object], Operation]:
    """By name: two pairs come into being, four maps, the Bell measurement, the far halves vanish."""
    mixed, density = noise.depolarising(DEPOLARISING), states.werner(FIDELITY)
    qubits = Registry(lambda _: None, Formalism(formalism))

    def operation(look: bool = False) -> float:
        qubits.create_pair("a", "alice", "b", "relay", density, 0)
        qubits.create_pair("c", "relay", "d", "bob", density, 0)
        for name in ("a", "b", "c", "d"):
            qubits.apply_map(mixed, (name,), 0)
        qubits.bell_measure("b", "c", 0.0, 0.0, 0)
        found = qubits.fidelity(("a", "d"), None, 0) if look else 0.0
        qubits.discard(("a", "d"), "done", 0)
        return found

    return operation, partial(operation, look=True)


def _fidelity(density: np.ndarray) -> float:
    bell = states.bell_vector(0)
    return float(np.vdot(bell, density @ bell).real)


def _case(name: str, operation: Callable[[], object], fidelity: Operation) -> Case:
    """The operation, checked, as a case whose runs take about RUN_S."""
    found = fidelity()
    if abs(found - EXPECTED) > 1e-10:
        raise AssertionError(f"{name} ends with a fidelity of {found}, not {EXPECTED}")
    count = 16
    while (took_s := _timed(operation, count)) < RUN_S / 10:
        count *= 2
    count = max(1, int(count * RUN_S / took_s))
    return lambda: count / _timed(operation, count)


def _timed(operation: Callable[[], object], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        operation()
    return time.process_time() - began


def ghz(qubits: int) -> tuple[Stabilizer, float]:
    """A GHZ state of so many qubits, by a Hadamard and a chain of cx; CPU seconds it took."""
    began = time.process_time()
    state: State = Stabilizer.eigenstate((0.0, 0.0, 1.0), 0)
    state = state.apply_map(gates.gate("h"), (0,), 0.0)
    for index in range(1, qubits):
        state = state.merge(Stabilizer.eigenstate((0.0, 0.0, 1.0), 0))
        state = state.apply_map(gates.gate("cx"), (index - 1, index), 0.0)
    assert isinstance(state, Stabilizer)
    return state, time.process_time() - began


def taken(state: State, rng: np.random.Generator) -> tuple[list[int], float]:
    """All qubits measured along Z, the last first; CPU seconds it took."""
    began = time.process_time()
    outcomes = []
    for index in reversed(range(state.size)):
        outcome, state = state.measure(index, (0.0, 0.0, 1.0), float(rng.random()))
        outcomes.append(outcome)
    return outcomes, time.process_time() - began


def _ghz(plan: Plan) -> Result:
    """A state made and one measured, qubit by qubit."""

    def make() -> float:
        return ghz(GHZ_QUBITS)[1] * 1e3

    def take() -> float:
        outcomes, seconds = taken(ghz(GHZ_QUBITS)[0], np.random.Generator(np.random.PCG64(1)))
        if len(set(outcomes)) != 1:
            raise AssertionError(f"a GHZ state was measured as {outcomes}")
        return seconds * 1e3

    title = f"a GHZ state of {GHZ_QUBITS} qubits, stabilizer, qubit by qubit"
    return measured(title, "ms of CPU", {"made": make, "measured": take}, plan)


def _beside(plan: Plan) -> dict[str, Case]:
    """What the peers can do of it."""
    pair = {"fidelity": FIDELITY, "depolarising": DEPOLARISING}
    cases: dict[str, Case] = {}
    for name, run in plan.peers.cases("engines_mixed", "SimQN").items():
        cases[f"{name}, mixed"] = partial(run, **pair, expected=EXPECTED)
    for name, run in plan.peers.cases("engines_noise", "SeQUeNCe").items():
        cases[f"{name}, bell_diagonal (noise only)"] = partial(run, **pair, expected=EXPECTED_NOISY)
    for name, run in plan.peers.cases("engines_joining", "SeQUeNCe").items():
        cases[f"{name}, density_matrix (joining only)"] = partial(
            run, fidelity=FIDELITY, expected=EXPECTED_JOINED
        )
    return cases


def main(plan: Plan) -> list[Result]:
    """Measure."""
    pair = BellDiagonal.from_weights([FIDELITY] + 3 * [(1 - FIDELITY) / 3])
    made = {
        PLAIN: plain_qutip(),
        "bare numpy": bare_numpy(),
        "density_matrix": engine(DensityMatrix.from_density(states.werner(FIDELITY))),
        "density_matrix, registry": registry("density_matrix"),
        "bell_diagonal": engine(pair),
        "bell_diagonal, registry": registry("bell_diagonal"),
    }
    cases = {name: _case(name, *both) for name, both in made.items()} | _beside(plan)
    aims = [
        Aim(case=name, beside=PLAIN, at_least=AIMS.get(name)) for name in cases if name != PLAIN
    ]
    title = "two pairs: all halves depolarised, joined"
    return [measured(title, "a second of CPU", cases, plan, aims), _ghz(plan)]
