"""Qubits, pairs and slots as programs have them."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.qubits import bloch
from qnetem.emulator.errors import BellMeasurementFailed, OperationError, QubitError
from qnetem.emulator.topology.model.topology import (
    BellMeasurement,
    EntangleSpec,
    Gates,
    Measurement,
    Memory,
)

from .. import harness
from ..harness import heralding, idle, link, network, node

PAIRS = [link("alice", "bob", 100, entangle=heralding(attempt_ns=1000))]


def alone(program: harness.Script, **settings: Any) -> Any:
    """What one node's program returned."""
    spec = node("alice", program, **settings)
    return harness.run_results({"alice": spec, "bob": idle}, PAIRS)["alice"]


@pytest.mark.parametrize(
    ("axis", "vector"),
    [("X", (1, 0, 0)), ("y", (0, 1, 0)), ("Z", (0, 0, 1)), ((0, 3, 4), (0, 0.6, 0.8))],
)
def test_an_axis_is_a_letter_or_a_vector_of_any_length(axis: Any, vector: Any) -> None:
    assert bloch(axis) == pytest.approx(vector)


@pytest.mark.parametrize("axis", ["W", "", (0, 0, 0), (math.nan, 0, 1), (math.inf, 0, 0)])
def test_what_is_no_axis_is_refused(axis: Any) -> None:
    with pytest.raises(OperationError, match="axis"):
        bloch(axis)


GATES = ("x", "y", "z", "h", "s", "sdg", "t", "tdg")


def test_each_gate_is_undone_by_its_inverse() -> None:
    async def program(me: Agent) -> list[int]:
        bits = []
        inverse = {"s": "sdg", "sdg": "s", "t": "tdg", "tdg": "t"}
        for gate in GATES:
            qubit = await me.qubit()
            await qubit.ry(1.0)
            await getattr(qubit, gate)()
            await getattr(qubit, inverse.get(gate, gate))()
            await qubit.ry(-1.0)
            bits.append(await qubit.measure())
        return bits

    assert alone(program) == [0] * len(GATES)


def test_gates_do_what_their_names_say() -> None:
    async def program(me: Agent) -> dict[str, int]:
        async def fresh(*gates: str) -> Any:
            qubit = await me.qubit()
            for gate in gates:
                await getattr(qubit, gate)()
            return qubit

        found = {
            "x": await (await fresh("x")).measure(),
            "hzh": await (await fresh("h", "z", "h")).measure(),
            "hsszh": await (await fresh("h", "s", "s", "z", "h")).measure(),
            "h in X": await (await fresh("h")).measure("X"),
            "hs in Y": await (await fresh("h", "s")).measure("Y"),
        }
        for name in ("rx", "ry"):
            qubit = await fresh()
            await getattr(qubit, name)(math.pi)
            found[name] = await qubit.measure()
        qubit = await fresh("h")
        await qubit.rz(math.pi)
        found["rz"] = await qubit.measure("X")
        one, zero = await fresh("x"), await fresh()
        await one.cx(zero)
        found["cx"] = await zero.measure()
        zero = await fresh()
        await one.swap(zero)
        found["swap"] = [await one.measure(), await zero.measure()]  # type: ignore[assignment]
        plus, one = await fresh("h"), await fresh("x")
        await plus.cz(one)
        found["cz"] = await plus.measure("X")
        await one.reset()
        found["reset"] = await one.measure()
        return found

    assert alone(program) == {
        "x": 1, "hzh": 1, "hsszh": 0, "h in X": 0, "hs in Y": 0, "rx": 1, "ry": 1, "rz": 1,
        "cx": 1, "swap": [0, 1], "cz": 1, "reset": 0,
    }  # fmt: skip


def test_a_measured_qubit_is_gone_unless_it_is_kept() -> None:
    async def program(me: Agent) -> list[Any]:
        qubit = await me.qubit()
        await qubit.x()
        seen: list[Any] = [await qubit.measure(keep=True), me.memory.free]
        seen += [await qubit.measure(), me.memory.free]
        try:
            await qubit.measure()
        except OperationError as error:
            seen.append(type(error).__name__)
        return seen

    assert alone(program, slots=4) == [1, 3, 1, 4, "QubitError"]


def test_operations_on_one_qubit_queue_and_take_their_time() -> None:
    async def program(me: Agent) -> list[int]:
        qubit, other = await me.qubit(), await me.qubit()
        ends: list[int] = []

        async def note(waiting: Any) -> None:
            await waiting
            ends.append(me.now_ns)

        await asyncio.gather(
            note(qubit.x()), note(qubit.cx(other)), note(other.measure()), note(qubit.z())
        )
        return ends

    spec = {
        "gates": Gates(single_ns=10, two_ns=100),
        "measurement": Measurement(duration_ns=1000),
    }
    assert alone(program, **spec) == [10, 110, 120, 1110]


def test_memory_counts_what_is_held_and_what_is_promised() -> None:
    async def program(me: Agent) -> list[int]:
        seen = [me.memory.slots, me.memory.free]
        qubits = [await me.qubit() for _ in range(2)]
        seen.append(me.memory.free)
        request = asyncio.create_task(me.entangle("bob"))
        await asyncio.sleep(0)
        seen.append(me.memory.free)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        await me.memory.discard(*qubits)
        seen.append(me.memory.free)
        return seen

    assert alone(program, slots=4) == [4, 4, 2, 1, 4]


def test_a_qubit_waits_for_a_slot() -> None:
    async def program(me: Agent) -> list[Any]:
        first = await me.qubit()
        waiting = asyncio.create_task(me.qubit())
        await asyncio.sleep(1e-6)
        before = waiting.done()
        await first.discard()
        await waiting
        return [before, me.now_ns]

    assert alone(program, slots=1) == [False, 1000]


def test_a_bell_measurement_tells_z_and_x() -> None:
    async def program(me: Agent) -> list[list[int]]:
        found = []
        for gates in ("", "x", "z", "xz"):
            left, right = await me.qubit(), await me.qubit()
            await left.h()
            await left.cx(right)
            for gate in gates:
                await getattr(right, gate)()
            found.append(list(await me.bell_measure(left, right)))
        return found

    assert alone(program) == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_bell_measurement_that_fails_raises_and_both_are_gone() -> None:
    async def program(me: Agent) -> list[Any]:
        left, right = await me.qubit(), await me.qubit()
        frames = me._node.frames
        frames.set(right.name, (1, 0))
        with pytest.raises(BellMeasurementFailed, match="alice#1 and alice#2"):
            await me.bell_measure(left, right)
        with pytest.raises(QubitError):
            await right.measure()
        return [me.memory.free, frames.idle]

    assert alone(program, slots=2, bell_measurement=BellMeasurement(success=0.0)) == [2, True]


# --- pairs ----------------------------------------------------------------------------------------


async def three_bits(me: Agent) -> list[Any]:
    """One pair an axis: its id, its age at the herald, and its bit."""
    found: list[Any] = []
    for axis in "XYZ":
        pair = await me.entangle(me.neighbours[0])
        age_ns = pair.age_ns
        await asyncio.sleep(1e-9)
        found.append([pair.id, pair.peer, pair.link, age_ns, pair.age_ns - age_ns])
        found.append(await pair.measure(axis))
    return found


def test_both_ends_know_a_pair_by_one_name_and_measure_what_phi_plus_gives() -> None:
    for seed in range(5):
        topology = network({"alice": three_bits, "bob": three_bits}, PAIRS, seed=seed)
        found = harness.run(topology).results
        alice, bob = found["alice"], found["bob"]
        assert [entry[0] for entry in alice[::2]] == ["alice-bob#1", "alice-bob#2", "alice-bob#3"]
        assert [e[:1] + e[2:] for e in alice[::2]] == [e[:1] + e[2:] for e in bob[::2]]
        assert all(e[3:] == [0, 1] for e in alice[::2])  # no fibre: as old as its herald
        (ax, ay, az), (bx, by, bz) = alice[1::2], bob[1::2]
        assert (ax, 1 - ay, az) == (bx, by, bz)


@pytest.mark.parametrize("frame", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("how", ["axis", "gates"])
def test_a_frame_is_accounted_for_by_turning_the_axis_or_by_gates(
    frame: tuple[int, int], how: str
) -> None:
    """bob applies the Pauli and takes note of it: together they change nothing."""

    async def bob(me: Agent) -> list[int]:
        bits = []
        for axis in "XYZ":
            pair = await me.entangle("alice")
            if frame[1]:
                await pair.qubit.x()
            if frame[0]:
                await pair.qubit.z()
            pair.shift(*frame)
            if how == "gates":
                await pair.correct()
                assert pair.frame == (0, 0)
            bits.append(await pair.measure(axis))
        return bits

    async def alice(me: Agent) -> list[int]:
        return [await (await me.entangle("bob")).measure(axis) for axis in "XYZ"]

    found = harness.run_results({"alice": alice, "bob": bob}, PAIRS, seed=3)
    ax, ay, az = found["alice"]
    assert found["bob"] == [ax, 1 - ay, az]


def test_a_join_names_the_pairs_it_consumed_and_tells_the_frame() -> None:
    async def middle(me: Agent) -> Any:
        left, right = await asyncio.gather(me.entangle("alice"), me.entangle("bob"))
        joined = await me.join(left, right)
        for end in ("alice", "bob"):
            await me.send(end, [joined.z, joined.x])
        return [joined.left, joined.right, me.memory.free]

    async def end(me: Agent) -> Any:
        pair = await me.entangle("middle")
        z, x = (await me.receive()).body
        if me.name == "bob":
            pair.shift(z, x)
        return await pair.measure("X")

    links = [link("alice", "middle", 9, entangle=heralding()),
             link("middle", "bob", 9, entangle=heralding())]  # fmt: skip
    for seed in range(6):
        found = harness.run_results({"alice": end, "middle": middle, "bob": end}, links, seed=seed)
        assert found["middle"] == ["alice-middle#1", "middle-bob#1", 16]
        assert found["alice"] == found["bob"]


def test_a_probe_notes_a_fidelity_and_tells_the_node_nothing() -> None:
    async def alice(me: Agent) -> Any:
        pair = await me.entangle("bob")
        told = [await me.probe("fresh", pair)]  # type: ignore[func-returns-value]
        qubit = await me.qubit()
        await qubit.h()
        root = 2**-0.5
        await me.probe("plus", qubit, [root, root])
        await me.probe("one", [qubit], [0, 1])
        try:
            await me.probe("wrong", qubit, [1, 0, 0, 0])
        except OperationError as error:
            told.append(str(error))
        return [*told, await qubit.measure("X")]

    async def bob(me: Agent) -> None:
        await me.entangle("alice")
        await asyncio.sleep(1e-3)

    spec = EntangleSpec(success=1.0, fidelity=0.9, attempt_ns=1000)
    topology = network({"alice": alice, "bob": bob}, [link("alice", "bob", 9, entangle=spec)])
    run = harness.run(topology)
    assert run.results["alice"] == [None, "a state of 1 qubits has 2 amplitudes, not 4", 0]
    metrics = run.outcome.metrics
    seen = {name: metrics[f"alice.{name}.fidelity"]["mean"] for name in ("fresh", "plus", "one")}
    assert seen == pytest.approx({"fresh": 0.9, "plus": 1.0, "one": 0.5})


def test_a_qubit_that_is_sent_arrives_with_its_state_its_source_and_its_time() -> None:
    async def alice(me: Agent) -> None:
        for _ in range(2):
            qubit = await me.qubit()
            await qubit.x()
            await me.transmit(qubit, "bob")

    async def bob(me: Agent) -> Any:
        found = []
        for _ in range(2):
            qubit = await me.receive_qubit("alice")
            found.append([qubit.source, qubit.arrived_ns == me.now_ns, await qubit.measure()])
        return found

    links = [link("alice", "bob", 9, length_km=0.0)]
    found = harness.run_results({"alice": alice, "bob": bob}, links)
    assert found["bob"] == [["alice", True, 1]] * 2


def test_a_handle_of_a_qubit_that_was_sent_is_worth_nothing() -> None:
    async def alice(me: Agent) -> str:
        qubit = await me.qubit()
        await me.transmit(qubit, "bob")
        try:
            await qubit.x()
        except OperationError as error:
            return type(error).__name__
        return "cloned"

    links = [link("alice", "bob", 9, length_km=1.0)]
    found = harness.run_results({"alice": alice, "bob": idle}, links)
    assert found["alice"] == "QubitError"


# --- cancelled requests ---------------------------------------------------------------------------

#: Both ends ask at 0 and the herald comes at 1,000 ns: every instant around that, and the requests'.
MOMENTS = [0, 1, 500, 998, 999, 1000, 1001, 1002]


async def asks_until(me: Agent, deadline_ns: int, how: str) -> list[str]:
    """Asks for a pair, and cancels at the deadline; whatever it got it discards."""
    task = asyncio.create_task(me.entangle(me.neighbours[0]))
    got = []
    if how == "timeout":
        try:
            async with asyncio.timeout(deadline_ns / 1e9):
                got.append(await task)
        except TimeoutError:
            pass
    else:
        if how == "word":  # comes before the herald in the same grant
            await me.receive("carol")
        else:
            await asyncio.sleep(deadline_ns / 1e9)
        if how == "message":
            await me.send(me.name)
            await me.receive(me.name)
        task.cancel()
        [ended] = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(ended, BaseException):
            got.append(ended)
    ids = [pair.id for pair in got]
    for pair in got:
        await pair.discard()
    return ids


@pytest.mark.parametrize("how", ["timeout", "sleep", "message", "word"])
@pytest.mark.parametrize("alice_ns", MOMENTS)
def test_whenever_a_request_is_cancelled_no_slot_stays_taken_and_no_pair_is_left_over(
    alice_ns: int, how: str
) -> None:
    for bob_ns in MOMENTS:

        async def alice(me: Agent) -> Any:
            return await asks_until(me, alice_ns, how)

        async def bob(me: Agent, bob_ns: int = bob_ns) -> Any:
            return await asks_until(me, bob_ns, "sleep")

        async def ends(program: harness.Script, me: Agent) -> Any:
            got = await program(me)
            await asyncio.sleep(5e-6)
            return [got, me.memory.free]

        nodes = {
            "alice": node("alice", lambda me, run=alice: ends(run, me), slots=1),
            "bob": node("bob", lambda me, run=bob: ends(run, me), slots=1),
        }

        async def carol(me: Agent) -> None:
            await me.send("alice")

        words = [link("alice", "carol", alice_ns)]
        run = harness.run(network({**nodes, "carol": node("carol", carol)}, [*PAIRS, *words]))
        assert run.world.quantum.at_end() == {}, (alice_ns, bob_ns)
        assert [run.results[name][1] for name in nodes] == [1, 1]
        for core in run.nodes.values():
            assert core.operations == {} and core.tenants.program.slots_in_use == 0


def test_what_was_cancelled_before_it_was_asked_for_is_never_asked_for() -> None:
    async def alice(me: Agent) -> int:
        task = asyncio.create_task(me.entangle("bob"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return me.memory.free

    run = harness.run(network({"alice": alice, "bob": idle}, PAIRS))
    assert run.results["alice"] == 16 and run.of("alice", "operation") == []


def test_a_peers_request_stays_in_the_queue_when_this_end_withdraws() -> None:
    async def alice(me: Agent) -> Any:
        got = await asks_until(me, 500, "sleep")
        await asyncio.sleep(1e-6)
        return [got, (await me.entangle("bob")).id]

    async def bob(me: Agent) -> Any:
        return [(await me.entangle("alice")).id, me.now_ns]

    found = harness.run_results({"alice": alice, "bob": bob}, PAIRS)
    assert found == {"alice": [[], "alice-bob#1"], "bob": ["alice-bob#1", 2500]}


def test_a_memory_that_forgets_is_seen_by_the_bits() -> None:
    async def program(me: Agent) -> int:
        flips = 0
        for _ in range(40):
            qubit = await me.qubit()
            await qubit.h()
            await asyncio.sleep(1)
            flips += await qubit.measure("X")
        return flips

    spec = node("bob", program, memory=Memory(t2_ns=10_000_000))
    assert 8 < harness.run_results({"bob": spec})["bob"] < 32
    assert alone(program) == 0
