"""A Pauli frame goes with every operation: as if the Pauli had been applied when it was taken note of."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qnetem import Agent
from qnetem.agents import frames
from qnetem.emulator.errors import QubitError
from qnetem.emulator.topology.model.topology import Gates, Memory

from .. import harness
from ..harness import heralding, idle, link, network, node

Matrix = NDArray[np.complex128]

I2 = np.eye(2, dtype=complex)
X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1, -1]).astype(complex)
PAULIS = {"x": X, "y": Y, "z": Z}
ONE: dict[str, Matrix] = {
    "x": X,
    "y": Y,
    "z": Z,
    "h": (X + Z) / math.sqrt(2),
    "s": np.diag([1, 1j]),
    "sdg": np.diag([1, -1j]),
    "t": np.diag([1, np.exp(0.25j * math.pi)]),
    "tdg": np.diag([1, np.exp(-0.25j * math.pi)]),
}
TWO: dict[str, Matrix] = {
    "cx": np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=complex),
    "cz": np.diag([1, 1, 1, -1]).astype(complex),
    "swap": np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=complex),
}
ROTATIONS = ("rx", "ry", "rz")
FRAMES = [(0, 0), (0, 1), (1, 0), (1, 1)]
PAIRS = [link("alice", "bob", 100, entangle=heralding(attempt_ns=1000))]


def rotation(name: str, angle: float) -> Matrix:
    """By hand, not by the emulator: exp(-i angle P / 2)."""
    found: Matrix = math.cos(angle / 2) * I2 - 1j * math.sin(angle / 2) * PAULIS[name[1]]
    return found


def pauli(frame: tuple[int, int]) -> Matrix:
    """X^x Z^z."""
    z, x = frame
    found: Matrix = (X if x else I2) @ (Z if z else I2)
    return found


def same_up_to_phase(one: Matrix, other: Matrix) -> bool:
    overlap = abs(np.trace(one.conj().T @ other)) / len(one)
    return math.isclose(overlap, 1, abs_tol=1e-12)


# --- what a frame does to one operation -----------------------------------------------------------


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("name", [*ONE, *ROTATIONS])
def test_a_gate_after_the_pauli_is_another_gate_before_another_pauli(
    name: str, frame: tuple[int, int]
) -> None:
    def matrix(gate: str, angle: float) -> Matrix:
        return ONE[gate] if gate in ONE else rotation(gate, angle)

    physical = matrix(*frames.before(name, 0.7, frame))
    (left,) = frames.after(name, [frame])
    assert same_up_to_phase(matrix(name, 0.7) @ pauli(frame), pauli(left) @ physical)


@pytest.mark.parametrize("first", FRAMES)
@pytest.mark.parametrize("second", FRAMES)
@pytest.mark.parametrize("name", TWO)
def test_a_gate_on_two_qubits_carries_both_frames(
    name: str, first: tuple[int, int], second: tuple[int, int]
) -> None:
    left, right = frames.after(name, [first, second])
    before = TWO[name] @ np.kron(pauli(first), pauli(second))
    assert same_up_to_phase(before, np.kron(pauli(left), pauli(right)) @ TWO[name])


@pytest.mark.parametrize("frame", FRAMES)
def test_an_axis_turns_as_the_pauli_turns_it(frame: tuple[int, int]) -> None:
    axis = (0.6, -0.48, 0.64)
    of_axis = sum(part * PAULIS[name] for part, name in zip(axis, "xyz", strict=True))
    along = frames.turned(axis, frame)
    of_turned = sum(part * PAULIS[name] for part, name in zip(along, "xyz", strict=True))
    undone = pauli(frame).conj().T @ of_axis @ pauli(frame)
    assert np.abs(undone - of_turned).max() < 1e-12


# --- whole circuits, against a state vector -------------------------------------------------------


class Vector:
    """A state vector of n qubits by hand, to which every Pauli is applied when it is known."""

    def __init__(self, qubits: int) -> None:
        """Pairs (i, i + n/2) in Phi+."""
        half = 2 ** (qubits // 2)
        self.n = qubits
        self.vector = (np.eye(half, dtype=complex) / math.sqrt(half)).reshape((2,) * qubits)

    def act(self, matrix: Matrix, *at: int) -> None:
        k = len(at)
        moved = np.moveaxis(self.vector, at, range(k)).reshape(2**k, -1)
        acted = (matrix @ moved).reshape((2,) * self.n)
        self.vector = np.moveaxis(acted, range(k), at)

    def project(self, matrix: Matrix, *at: int) -> float:
        """Onto what was found; returns its probability."""
        self.act(matrix, *at)
        weight = float(np.linalg.norm(self.vector))
        self.vector = self.vector / weight
        return weight**2

    def rest(self, kept: list[int]) -> Matrix:
        """The density matrix of some of the qubits."""
        gone = [i for i in range(self.n) if i not in kept]
        matrix = self.vector.transpose(kept + gone).reshape(2 ** len(kept), -1)
        found: Matrix = matrix @ matrix.conj().T
        return found


async def random_circuit(me: Agent, pairs: list[Any], plain: Vector, steps: int) -> None:
    """Gates, kept measurements and shifts, at random, on halves here and on the vector."""
    rng = me.rng
    for _ in range(steps):
        kind = rng.choice(["shift", "one", "one", "rotation", "two", "two", "measure"])
        i, j = rng.permutation(len(pairs))[:2].tolist()
        qubit = pairs[i].qubit
        if kind == "shift":
            z, x = rng.integers(2, size=2).tolist()
            pairs[i].shift(z, x)
            plain.act(pauli((z, x)), i)
        elif kind == "one":
            name = str(rng.choice(list(ONE)))
            await getattr(qubit, name)()
            plain.act(ONE[name], i)
        elif kind == "rotation":
            name, angle = str(rng.choice(ROTATIONS)), float(rng.uniform(-3, 3))
            await getattr(qubit, name)(angle)
            plain.act(rotation(name, angle), i)
        elif kind == "two":
            name = str(rng.choice(list(TWO)))
            await getattr(qubit, name)(pairs[j].qubit)
            plain.act(TWO[name], i, j)
        else:
            axis = rng.normal(size=3)
            axis /= np.linalg.norm(axis)
            bit = await qubit.measure(tuple(axis.tolist()), keep=True)
            of_axis = sum(part * PAULIS[name] for part, name in zip(axis, "xyz", strict=True))
            assert plain.project((I2 + (-1) ** bit * of_axis) / 2, i) > 1e-9


async def three_pairs(me: Agent) -> None:
    pairs = [await me.entangle("alice") for _ in range(3)]
    await me.receive("alice")
    assert pairs


@pytest.mark.parametrize("seed", range(6))
def test_random_circuits_on_framed_halves_are_those_on_corrected_ones(seed: int) -> None:
    plain = Vector(6)

    async def alice(me: Agent) -> list[str]:
        pairs = [await me.entangle("bob") for _ in range(3)]
        await random_circuit(me, pairs, plain, steps=30)
        for pair in pairs[1:]:
            await pair.correct()
            assert pair.frame == (0, 0)
        z, x = await me.bell_measure(pairs[0], pairs[1])
        phi = np.kron(I2, pauli((z, x))) @ np.array([1, 0, 0, 1]) / math.sqrt(2)
        assert plain.project(np.outer(phi, phi.conj()), 0, 1) > 1e-9
        assert pairs[0].frame == pairs[1].frame == (0, 0)
        await me.send("bob")
        return [pairs[2].qubit.name, *(pair.qubit.name.replace("@alice", "@bob") for pair in pairs)]

    run = harness.run(network({"alice": alice, "bob": three_pairs}, PAIRS, seed=seed))
    names, registry = run.results["alice"], run.world.quantum.registry
    found = registry.state(names, run.outcome.t_ns).full()
    assert np.abs(found - plain.rest([2, 3, 4, 5])).max() < 1e-9


# --- what is done with a half ---------------------------------------------------------------------


def framed(program: Any, other: Any = idle, **settings: Any) -> harness.Run:
    """alice's program gets a pair with bob, who has asked for one too."""

    async def alice(me: Agent) -> Any:
        return await program(me, await me.entangle("bob"))

    async def bob(me: Agent) -> Any:
        pair = await me.entangle("alice")
        if other is not idle:
            return await other(me, pair)
        await me.receive("alice")
        return None

    nodes = {"alice": node("alice", alice, **settings), "bob": bob}
    return harness.run(network(nodes, PAIRS))


@pytest.mark.parametrize("frame", FRAMES)
def test_a_probe_counts_frames_as_applied_here_and_at_the_other_end(frame: tuple[int, int]) -> None:
    async def alice(me: Agent, pair: Any) -> None:
        await pair.qubit.x() if frame[1] else None
        await pair.qubit.z() if frame[0] else None
        await me.probe("without", pair)
        pair.shift(*frame)
        await me.probe("with", pair)
        await me.send("bob")
        await me.receive("bob")
        await pair.qubit.h()
        await pair.qubit.h()
        qubit = await me.qubit()
        await qubit.cx(pair.qubit)  # |0>: nothing, but for the frame
        await pair.qubit.cx(qubit)
        root = 1 / math.sqrt(2)
        await pair.qubit.measure("X", keep=True)
        await me.probe("three", [pair.qubit, qubit], [root, 0, 0, root])
        await me.send("bob")

    async def bob(me: Agent, pair: Any) -> None:
        await me.receive("alice")
        await me.probe("far", pair)
        await me.send("alice")
        await me.receive("alice")

    metrics = framed(alice, bob).outcome.metrics
    assert metrics["alice.without.fidelity"]["mean"] == pytest.approx(float(frame == (0, 0)))
    assert metrics["alice.with.fidelity"]["mean"] == pytest.approx(1)
    assert metrics["bob.far.fidelity"]["mean"] == pytest.approx(1)


@pytest.mark.parametrize("frame", FRAMES)
def test_what_is_sent_away_has_its_frame_applied(frame: tuple[int, int]) -> None:
    """The Pauli and the note of it, then the half comes back to where its partner is: Phi+."""
    gates = Gates(single_ns=50)

    async def alice(me: Agent, pair: Any) -> int:
        await pair.qubit.x() if frame[1] else None
        await pair.qubit.z() if frame[0] else None
        pair.shift(*frame)
        begun_ns = me.now_ns
        await me.transmit(pair, "bob")
        assert pair.frame == (0, 0)
        return me.now_ns - begun_ns

    async def bob(me: Agent, pair: Any) -> list[int]:
        return list(await me.bell_measure(pair, await me.receive_qubit("alice")))

    results = framed(alice, bob, gates=gates).results
    assert results["bob"] == [0, 0]
    assert results["alice"] == 50 * sum(frame)


@pytest.mark.parametrize("how", ["reset", "measure", "discard"])
def test_a_frame_ends_with_its_state(how: str) -> None:
    async def alice(me: Agent, pair: Any) -> Any:
        pair.shift(1, 1)
        await getattr(pair.qubit, how)()
        frame = pair.frame
        bit = await pair.qubit.measure() if how == "reset" else 0
        await me.send("bob")
        return [frame, bit]

    assert framed(alice).results["alice"] == [[0, 0], 0]


def test_operations_that_are_asked_for_at_once_keep_their_order_and_times() -> None:
    """A frame costs no virtual time, and cx, h, measure act in the order in which they were asked for."""
    gates = Gates(single_ns=10, two_ns=100)

    def program(shift: bool) -> Any:
        async def alice(me: Agent, pair: Any) -> Any:
            begun_ns = me.now_ns
            qubit = await me.qubit()
            ends = []

            async def note(operation: Any) -> None:
                await operation
                ends.append(me.now_ns - begun_ns)

            if shift:
                await pair.qubit.x()
                pair.shift(0, 1)
                begun_ns = me.now_ns
            await asyncio.gather(
                note(pair.qubit.cx(qubit)), note(qubit.h()), note(pair.qubit.h()), note(qubit.h())
            )
            bits = await asyncio.gather(pair.qubit.measure("X"), qubit.measure("Z"))
            await me.send("bob")
            return [ends, bits[0] ^ bits[1]]

        return alice

    with_frame, without = (
        framed(program(shift), gates=gates).results["alice"] for shift in (True, False)
    )
    assert with_frame == without == [[100, 110, 110, 120], 0]


def test_a_gate_that_fails_leaves_the_frame_of_the_half_that_is_left() -> None:
    """The cx loses its target at the cut-off: what follows on the control finds the frame as it was."""

    async def alice(me: Agent, pair: Any) -> Any:
        await asyncio.sleep(400e-9)
        younger = await me.qubit()
        await younger.x()  # with its frame |0>
        me._node.frames.shift(younger.name, 0, 1)
        pair.shift(1, 0)
        failed, bit = await asyncio.gather(
            younger.cx(pair.qubit), younger.measure(), return_exceptions=True
        )
        await me.send("bob")
        return [type(failed) is QubitError, bit]

    run = framed(alice, gates=Gates(two_ns=700), memory=Memory(cutoff_ns=1000))
    assert run.results["alice"] == [True, 0]


def test_a_cancelled_correction_leaves_in_the_frame_what_was_not_applied() -> None:
    gates = Gates(single_ns=100)

    async def alice(me: Agent, pair: Any) -> Any:
        await pair.qubit.x()
        await pair.qubit.z()
        pair.shift(1, 1)
        try:
            async with asyncio.timeout(50e-9):  # in the middle of the first gate
                await pair.correct()
        except TimeoutError:
            pass
        left = pair.frame
        await me.probe("pair", pair)
        await me.send("bob")
        return left

    run = framed(alice, gates=gates)
    assert run.results["alice"] == [1, 0]
    assert run.outcome.metrics["alice.pair.fidelity"]["mean"] == pytest.approx(1)
