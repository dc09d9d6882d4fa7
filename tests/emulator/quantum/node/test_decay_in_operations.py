"""Until an operation's end its qubits decay as idle ones do; then it acts, and its own error.

Held against QuTiP's master equation for the time that passes and the ideal operation at its end.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.faults.changes import NodeChanges
from qnetem.emulator.states.qutip_import import qutip
from qnetem.emulator.topology.model.topology import Gates, Measurement, Memory
from qnetem.emulator.wire import Allocate, Apply, BellMeasure, Entangle, Join, Measure, Probe, Reset

from ..plane_lab import X_AXIS, Z_AXIS, Lab, heralding, link, node

HERE, WAIT_NS = "alice", 137
SINGLE_NS, TWO_NS, MEASURE_NS, RESET_NS = 210, 430, 650, 320
GATES = Gates(single_ns=SINGLE_NS, two_ns=TWO_NS)
READOUT = Measurement(duration_ns=MEASURE_NS)
FLIP_HZ = 0.9e6
MEMORIES = {
    "t1": {"t1_ns": 900},
    "t2": {"t2_ns": 700},
    "both": {"t1_ns": 900, "t2_ns": 1100},
    "noise": {"t1_ns": 2000, "noise": f"{__name__}:flips"},
}
#: What bob's and carol's memories do meanwhile.
ELSEWHERE = {"t1_ns": 1500, "t2_ns": 400}
CLOSE = 1e-9


def flips() -> Any:
    """A user's noise: bit flips, as collapse operators and rates."""
    return [qutip.sigmax()], [FLIP_HZ]


def jumps(t1_ns: int = 0, t2_ns: int = 0, noise: str = "") -> list[qutip.Qobj]:
    """Collapse operators of one memory, per sqrt(ns)."""
    found = []
    relaxation = 1 / t1_ns if t1_ns else 0.0
    if t1_ns:
        found.append(math.sqrt(relaxation) * qutip.destroy(2))
    if t2_ns:
        found.append(math.sqrt((1 / t2_ns - relaxation / 2) / 2) * qutip.sigmaz())
    if noise:
        found.append(math.sqrt(FLIP_HZ * 1e-9) * qutip.sigmax())
    return found


def on(operator: qutip.Qobj, targets: list[int], qubits: int) -> qutip.Qobj:
    return qutip.expand_operator(operator, [2] * qubits, targets)


def waited(rho: qutip.Qobj, duration_ns: int, memories: list[dict[str, Any]]) -> qutip.Qobj:
    """The master equation for so long, one memory a qubit: each by Kraus operators of its own."""
    for index, memory in enumerate(memories):
        generator = qutip.liouvillian(None, jumps(**memory))
        operators = [
            on(kraus, [index], len(memories))
            for kraus in qutip.to_kraus((generator * duration_ns).expm())
        ]
        rho = sum(operator * rho * operator.dag() for operator in operators)
    return rho


def acted(rho: qutip.Qobj, operator: qutip.Qobj, targets: list[int]) -> qutip.Qobj:
    """The state after an operator (a gate, a projector), normalised."""
    whole = on(operator, targets, len(rho.dims[0]))
    rho = whole * rho * whole.dag()
    return rho / rho.tr()


def bell(z: int = 0, x: int = 0) -> qutip.Qobj:
    """X^x Z^z on the second qubit of Phi+."""
    phi = (qutip.ket("00") + qutip.ket("11")).unit()
    return on(qutip.sigmax() ** x * qutip.sigmaz() ** z, [1], 2) * phi


class Bench:
    """alice in the middle, pairs with bob and carol that are WAIT_NS old; her qubits come first."""

    def __init__(
        self, memory: dict[str, Any], formalism: str = "auto", gates: Gates = GATES
    ) -> None:
        self.lab = Lab(
            [
                node(HERE, Memory(**memory, initialisation_ns=RESET_NS), gates, READOUT),
                node("bob", Memory(**ELSEWHERE)),
                node("carol", Memory(**ELSEWHERE)),
            ],
            [link(HERE, "bob", heralding()), link(HERE, "carol", heralding())],
            formalism=formalism,
        )
        numbers = []
        for peer in ("bob", "carol"):
            numbers.append(self.lab.issue(HERE, Entangle, peer))
            self.lab.issue(peer, Entangle, HERE)
        self.lab.run()
        self.qubits = [self.lab.outcome(HERE, number).value.qubit for number in numbers]
        far = [
            name.replace("@alice", f"@{peer}")
            for name, peer in zip(self.qubits, ("bob", "carol"), strict=True)
        ]
        self.far = far
        self.memories = [memory, memory, ELSEWHERE, ELSEWHERE]
        self.emitted_ns = self.lab.clock.now_ns
        pairs = qutip.tensor(bell(), bell())  # alice, bob, alice, carol
        self.rho = qutip.ket2dm(pairs).permute([0, 2, 1, 3])

    def do(self, kind: Any, *arguments: Any) -> Any:
        """The operation, begun when the pairs are WAIT_NS old; what it gave."""
        numbers: list[int] = []
        self.lab.later(
            self.emitted_ns + WAIT_NS,
            lambda: numbers.append(self.lab.issue(HERE, kind, *arguments)),
        )
        self.lab.run()
        outcome = self.lab.outcome(HERE, numbers[0])
        assert outcome.error is None
        self.rho = waited(self.rho, self.lab.clock.now_ns - self.emitted_ns, self.memories)
        return outcome.value

    def state(self, *names: str) -> np.ndarray[Any, Any]:
        return np.asarray(self.lab.plane.registry.state(list(names), self.lab.clock.now_ns).full())


def assert_close(found: np.ndarray[Any, Any], expected: qutip.Qobj) -> None:
    assert np.abs(found - expected.full()).max() < CLOSE


@pytest.mark.parametrize(
    ("memory", "formalism"),
    [*((memory, "auto") for memory in MEMORIES.values()), (MEMORIES["both"], "density_matrix")],
    ids=[*MEMORIES, "both-density_matrix"],
)
class TestOperations:
    def test_a_gate_on_one_qubit(self, memory: dict[str, Any], formalism: str) -> None:
        bench = Bench(memory, formalism)
        bench.do(Apply, "h", [bench.qubits[0]])
        assert bench.lab.clock.now_ns == bench.emitted_ns + WAIT_NS + SINGLE_NS
        expected = acted(bench.rho, qutip.gates.hadamard_transform(1), [0])
        assert_close(bench.state(*bench.qubits, *bench.far), expected)

    def test_a_gate_on_two_qubits(self, memory: dict[str, Any], formalism: str) -> None:
        bench = Bench(memory, formalism)
        bench.do(Apply, "cx", bench.qubits)
        expected = acted(bench.rho, qutip.gates.cnot(), [0, 1])
        assert_close(bench.state(*bench.qubits, *bench.far), expected)

    @pytest.mark.parametrize("keep", [True, False])
    def test_a_measurement(self, memory: dict[str, Any], formalism: str, keep: bool) -> None:
        bench = Bench(memory, formalism)
        outcome = bench.do(Measure, bench.qubits[0], Z_AXIS, keep)
        expected = acted(bench.rho, qutip.fock_dm(2, outcome), [0])
        if keep:
            assert_close(bench.state(bench.qubits[0]), qutip.fock_dm(2, outcome))
        assert_close(bench.state(bench.qubits[1], *bench.far), expected.ptrace([1, 2, 3]))

    @pytest.mark.parametrize("kind", [BellMeasure, Join])
    def test_a_bell_measurement(self, memory: dict[str, Any], formalism: str, kind: Any) -> None:
        bench = Bench(memory, formalism)
        value = bench.do(kind, *bench.qubits)
        z, x = (value.z, value.x) if kind is Join else value
        assert bench.lab.clock.now_ns == bench.emitted_ns + WAIT_NS + TWO_NS + MEASURE_NS
        expected = acted(bench.rho, qutip.ket2dm(bell(z, x)), [0, 1])
        assert_close(bench.state(*bench.far), expected.ptrace([2, 3]))

    def test_a_reset(self, memory: dict[str, Any], formalism: str) -> None:
        """At its end the qubit is |0>; its partner is left as it would be had it been traced out."""
        bench = Bench(memory, formalism)
        bench.do(Reset, bench.qubits[0])
        assert_close(bench.state(bench.qubits[0]), qutip.fock_dm(2, 0))
        assert_close(bench.state(bench.qubits[1], *bench.far), bench.rho.ptrace([1, 2, 3]))

    def test_what_waits_in_the_queue(self, memory: dict[str, Any], formalism: str) -> None:
        """A second gate acts at its own end, an idle qubit of the same node decays all the time."""
        bench = Bench(memory, formalism)
        first = bench.qubits[0]
        bench.lab.later(
            bench.emitted_ns + WAIT_NS, lambda: bench.lab.issue(HERE, Apply, "h", [first])
        )
        bench.do(Apply, "ry", [first], 0.7)
        rho = qutip.ket2dm(qutip.tensor(bell(), bell())).permute([0, 2, 1, 3])
        rho = waited(rho, WAIT_NS + SINGLE_NS, bench.memories)
        rho = acted(rho, qutip.gates.hadamard_transform(1), [0])
        rho = waited(rho, SINGLE_NS, bench.memories)
        rho = acted(rho, qutip.gates.ry(0.7), [0])
        assert_close(bench.state(*bench.qubits, *bench.far), rho)


def test_a_gates_own_error_comes_at_its_end_too() -> None:
    error, memory = 0.2, MEMORIES["both"]
    bench = Bench(memory, gates=Gates(single_ns=SINGLE_NS, single_error=error))
    bench.do(Apply, "h", [bench.qubits[0]])
    pair = acted(bench.rho, qutip.gates.hadamard_transform(1), [0]).ptrace([0, 2])
    mixed = qutip.tensor(qutip.qeye(2) / 2, pair.ptrace(1))
    assert_close(bench.state(bench.qubits[0], bench.far[0]), (1 - error) * pair + error * mixed)


def test_a_fresh_qubit_is_ground_state_at_the_end_of_its_initialisation() -> None:
    memory = Memory(t1_ns=1000, initialisation_ns=RESET_NS, initialisation_error=0.1)
    lab = Lab([node(HERE, memory)])
    qubit = lab.do(HERE, Allocate).value
    rho = lab.plane.registry.state([qubit], lab.clock.now_ns)
    assert rho.full()[1, 1].real == pytest.approx(0.05), "the error alone, nothing has decayed"


def test_a_probe_sees_the_state_at_its_own_end_and_before_what_is_still_under_way() -> None:
    memory = {"t2_ns": 700}
    bench = Bench(memory)
    lab = bench.lab
    lab.later(bench.emitted_ns + 100, lambda: lab.issue(HERE, Apply, "z", [bench.qubits[0]]))
    lab.later(bench.emitted_ns + 200, lambda: lab.issue("bob", Probe, "seen", [bench.far[0]]))
    lab.run()
    rho = waited(qutip.ket2dm(bell()), 200, [memory, ELSEWHERE])
    series = lab.metrics.summary()["bob.seen.fidelity"]
    assert series["mean"] == pytest.approx(qutip.expect(rho, bell()))


@pytest.mark.parametrize("fault", ["memory_reset", "decohere"])
def test_a_fault_in_the_middle_of_an_operation_acts_when_it_comes(fault: str) -> None:
    """The memory is |0> from the reset on, or dephases from the fault on; the operation acts at its end."""
    lab = Lab([node(HERE, Memory(t1_ns=900), Gates(single_ns=600))])
    qubit = lab.do(HERE, Allocate).value
    lab.do(HERE, Apply, "h", [qubit])
    begun_ns = lab.clock.now_ns
    before = lab.plane.registry.state([qubit], begun_ns)
    lab.issue(HERE, Apply, "h", [qubit])
    changes = lab.plane.fault_histories.nodes[HERE]
    if fault == "memory_reset":
        lab.at(begun_ns + 250, lambda: lab.plane.reset_memory(HERE))
    else:
        lab.at(begun_ns + 250, lambda: changes.begin(_Fault(), NodeChanges(dephasing_hz=2e6)))
    lab.run()
    if fault == "memory_reset":
        rho = qutip.fock_dm(2, 0)
    else:
        relaxing = jumps(t1_ns=900)
        dephasing = math.sqrt(2e-3 / 2) * qutip.sigmaz()
        rho = before
        for duration_ns, operators in ((250, relaxing), (350, [*relaxing, dephasing])):
            generator = qutip.liouvillian(None, operators)
            rho = qutip.vector_to_operator(
                (generator * duration_ns).expm() * qutip.operator_to_vector(rho)
            )
    expected = acted(rho, qutip.gates.hadamard_transform(1), [0])
    found = lab.plane.registry.state([qubit], lab.clock.now_ns)
    assert np.abs(found.full() - expected.full()).max() < CLOSE


class _Fault:
    hits = 0


@pytest.mark.parametrize("formalism", ["auto", "stabilizer"])
def test_a_readout_of_plus_as_long_as_t2_errs_as_often_as_it_should(formalism: str) -> None:
    """P(1) along X = (1 - e^-1)/2, in trajectories too: a consumed qubit has no later touch to pay."""
    lab = Lab(
        [node(HERE, Memory(t2_ns=1000), measurement=Measurement(duration_ns=1000))],
        formalism=formalism,
    )
    shots, ones = 400, 0
    for _ in range(shots):
        qubit = lab.do(HERE, Allocate).value
        lab.do(HERE, Apply, "h", [qubit])
        ones += lab.do(HERE, Measure, qubit, X_AXIS).value
    chance = (1 - math.exp(-1)) / 2
    assert ones / shots == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / shots))


def test_a_join_as_long_as_two_t2_leaves_what_two_dephased_halves_leave() -> None:
    """F = (1 + e^-4)/2: each half decays by e^-2."""
    t2_ns = (TWO_NS + MEASURE_NS) // 2
    lab = Lab(
        [node("alice"), node("bob"), node("hub", Memory(t2_ns=t2_ns), GATES, READOUT)],
        [link("alice", "hub", heralding()), link("bob", "hub", heralding())],
    )
    numbers = []
    for peer in ("alice", "bob"):
        numbers.append(lab.issue("hub", Entangle, peer))
        lab.issue(peer, Entangle, "hub")
    lab.run()
    halves = [lab.outcome("hub", number).value.qubit for number in numbers]
    joined = lab.do("hub", Join, *halves).value
    far = [
        half.replace("@hub", f"@{peer}")
        for half, peer in zip(halves, ("alice", "bob"), strict=True)
    ]
    rho = lab.plane.registry.state(far, lab.clock.now_ns)
    fidelity = qutip.expect(rho, bell(joined.z, joined.x))
    assert fidelity == pytest.approx((1 + math.exp(-4)) / 2, abs=1e-9)
