from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import numpy as np
import pytest

from qnetem.emulator import closed_forms
from qnetem.emulator.devices.memory import MemoryDecay
from qnetem.emulator.errors import (
    InputError,
    InternalError,
    OperationError,
    RegisterTooLarge,
    TopologyError,
)
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.quantum import formalism as formalisms
from qnetem.emulator.quantum.formalism import Formalism, formalism_of, qubit_numbers
from qnetem.emulator.quantum.node.registry import Registry
from qnetem.emulator.states import noise
from qnetem.emulator.states.bell_diagonal import BellDiagonal
from qnetem.emulator.states.density_matrix import DensityMatrix
from qnetem.emulator.states.stabilizer import Stabilizer
from qnetem.emulator.states.states import bell_density, bell_vector, werner
from qnetem.emulator.topology.model.topology import Memory, Topology
from qnetem.emulator.wire import Apply, Entangle, Measure

from ..states.plain import CLOSE, random_density
from . import plane_lab
from .plane_lab import Lab, heralding, link, node

X = (1.0, 0.0, 0.0)
Z = (0.0, 0.0, 1.0)
MS = 1_000_000
RELAXING = MemoryDecay(10 * MS, 5 * MS)
DAMPING = noise.amplitude_damping(0.3)


def registry(name: str, approximate: str = "none", decay: MemoryDecay | None = None) -> Registry:
    chosen = Formalism(name, approximate)
    return Registry(lambda holder: decay, chosen, qubit_numbers(1))


def with_pair(
    qubits: Registry, density: Any = None, names: tuple[str, str] = ("a", "b")
) -> Registry:
    density = werner(0.9) if density is None else density
    qubits.create_pair(names[0], "alice", names[1], "bob", density, 0)
    return qubits


def held_in(qubits: Registry, name: str) -> type:
    return type(qubits._qubits[name].register.state)


def nodes(**memory: Any) -> list[Any]:
    return [node("alice", Memory(**memory)), node("bob", Memory(**memory))]


def topology(formalism: str, approximate: str = "none", **memory: Any) -> Topology:
    return Topology(
        name="bench",
        formalism=formalism,
        approximate=approximate,
        nodes={spec.name: spec for spec in nodes(**memory)},
    )


# --- what is held in what -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pair", "single"),
    [
        ("auto", BellDiagonal, DensityMatrix),
        ("bell_diagonal", BellDiagonal, DensityMatrix),
        ("density_matrix", DensityMatrix, DensityMatrix),
        ("stabilizer", Stabilizer, Stabilizer),
    ],
)
def test_fresh_pairs_and_qubits_are_held_in_what_the_formalism_says(
    name: str, pair: type, single: type
) -> None:
    qubits = with_pair(registry(name))
    qubits.allocate("q", "alice", 0)
    assert (held_in(qubits, "a"), held_in(qubits, "q")) == (pair, single)


def test_names_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="'density' is not one of auto"):
        Formalism("density")
    with pytest.raises(InputError, match="'twirled' is not one of none, twirl"):
        Formalism("auto", "twirled")


def test_auto_promotes_a_pair_for_relaxation_and_stays_exact() -> None:
    qubits = with_pair(registry("auto", decay=RELAXING), bell_density(0))
    assert qubits.fidelity(["a"], None, 3 * MS) == pytest.approx(
        with_pair(registry("density_matrix", decay=RELAXING), bell_density(0)).fidelity(
            ["a"], None, 3 * MS
        ),
        abs=CLOSE,
    )
    assert held_in(qubits, "a") is BellDiagonal
    qubits.apply_gate("x", 0.0, ["a"], 3 * MS)
    assert held_in(qubits, "a") is DensityMatrix


def test_auto_takes_any_heralded_state() -> None:
    density = random_density(2, 3)
    qubits = with_pair(registry("auto"), density)
    assert held_in(qubits, "a") is DensityMatrix
    assert np.abs(qubits.state(["a", "b"], 0).full() - density).max() < CLOSE


def test_pairs_stay_four_numbers_through_dephasing_and_joins() -> None:
    qubits = registry("auto", decay=MemoryDecay(None, 50 * MS))
    with_pair(qubits, names=("a", "r1"))
    with_pair(qubits, names=("r2", "b"))
    qubits.apply_map(noise.depolarising(0.02, 2), ["r1", "a"], MS)
    qubits.bell_measure("r1", "r2", 0.2, 0.7, 2 * MS)
    qubits.apply_gate("x", 0.0, ["b"], 3 * MS)
    qubits.lift("b", 4 * MS, "sent to carol")
    assert held_in(qubits, "a") is BellDiagonal


@pytest.mark.parametrize("name", ["auto", "bell_diagonal"])
def test_purification_ends_in_four_numbers(name: str) -> None:
    """DEJMPS of two Werner pairs (Deutsch et al., PRL 77, 2818 (1996)): the density matrix's outcome."""
    found = {}
    for formalism in (name, "density_matrix"):
        qubits = registry(formalism)
        with_pair(qubits, werner(0.8), ("a", "b"))
        with_pair(qubits, werner(0.8), ("c", "d"))
        for qubit in ("a", "c"):
            qubits.apply_gate("rx", math.pi / 2, [qubit], 0)
        for qubit in ("b", "d"):
            qubits.apply_gate("rx", -math.pi / 2, [qubit], 0)
        qubits.apply_gate("cx", 0.0, ["a", "c"], 0)
        qubits.apply_gate("cx", 0.0, ["b", "d"], 0)
        assert qubits.size("a") == 4
        assert qubits.measure("c", Z, 0.1, 0) == qubits.measure("d", Z, 0.1, 0)
        found[formalism] = qubits
    assert held_in(found[name], "a") is BellDiagonal
    purified = found[name].fidelity(["a"], None, 0)
    # BBPSSW's success and fidelity: twirling Werner pairs changes nothing for DEJMPS's first round.
    good, bad = 0.8, 0.2 / 3
    expected = (good**2 + bad**2) / (good**2 + 2 * good * bad + 5 * bad**2)
    assert purified == pytest.approx(expected, abs=CLOSE)
    assert purified == pytest.approx(found["density_matrix"].fidelity(["a"], None, 0), abs=CLOSE)


def test_a_pair_that_is_not_bell_diagonal_is_not_made_so() -> None:
    qubits = with_pair(registry("auto"))
    qubits.allocate("q", "alice", 0)
    qubits.apply_gate("cx", 0.0, ["a", "q"], 0)
    qubits.measure("q", X, 0.3, 0)
    assert held_in(qubits, "a") is BellDiagonal
    qubits.apply_map(DAMPING, ["a"], 0)
    qubits.allocate("p", "alice", 0)
    qubits.apply_gate("cx", 0.0, ["a", "p"], 0)
    qubits.measure("p", X, 0.3, 0)
    assert held_in(qubits, "a") is DensityMatrix


# --- what is refused, and the twirl ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bell_diagonal", "stabilizer"])
def test_noise_that_is_not_pauli_is_refused_with_the_way_out(name: str) -> None:
    qubits = with_pair(registry(name))
    before = qubits.state(["a", "b"], 0).full()
    with pytest.raises(OperationError, match=r"not Pauli noise.*auto.*twirl"):
        qubits.apply_map(DAMPING, ["a"], 5)
    assert np.array_equal(qubits.state(["a", "b"], 0).full(), before)
    stored = with_pair(registry(name, decay=RELAXING))
    with pytest.raises(OperationError, match="memory of alice: not Pauli noise"):
        stored.apply_gate("x", 0.0, ["a"], 5)
    assert stored.size("a") == 2


@pytest.mark.parametrize("name", ["bell_diagonal", "stabilizer"])
def test_heralded_states_that_are_not_bell_diagonal_are_refused(name: str) -> None:
    qubits = registry(name)
    with pytest.raises(OperationError, match=r"not a Bell-diagonal state.*auto.*twirl"):
        with_pair(qubits, random_density(2, 1))
    assert len(qubits) == 0


@pytest.mark.parametrize("name", ["auto", "bell_diagonal"])
def test_a_twirled_pair_has_the_fidelity_of_the_exact_one(name: str) -> None:
    exact, twirled = registry("density_matrix"), registry(name, "twirl")
    for qubits in (exact, twirled):
        with_pair(qubits, bell_density(0))
        qubits.apply_map(DAMPING, ["a"], 0)
    assert held_in(twirled, "a") is BellDiagonal
    for index in range(4):
        target = bell_vector(index)
        assert twirled.fidelity(["a", "b"], target, 0) == pytest.approx(
            exact.fidelity(["a", "b"], target, 0), abs=CLOSE
        )


@pytest.mark.parametrize("name", ["auto", "bell_diagonal"])
def test_a_twirled_herald_keeps_its_bell_fidelities(name: str) -> None:
    density = random_density(2, 2)
    qubits = with_pair(registry(name, "twirl"), density)
    assert held_in(qubits, "a") is BellDiagonal
    expected = DensityMatrix.from_density(density).fidelity(bell_vector(1))
    assert qubits.fidelity(["a", "b"], bell_vector(1), 0) == pytest.approx(expected, abs=CLOSE)


def test_gates_and_single_qubits_are_never_twirled() -> None:
    qubits = with_pair(registry("bell_diagonal", "twirl"), bell_density(0))
    qubits.allocate("q", "alice", 0)
    qubits.apply_gate("x", 0.0, ["q"], 0)
    qubits.apply_map(DAMPING, ["q"], 0)
    assert qubits.fidelity(["q"], [1, 0], 0) == pytest.approx(0.3, abs=CLOSE)
    qubits.apply_gate("ry", 0.4, ["a"], 0)
    qubits.apply_gate("ry", -0.4, ["a"], 0)
    assert qubits.fidelity(["a"], None, 0) == pytest.approx(1.0, abs=CLOSE)


def test_each_kind_of_twirl_is_noted_once_and_looking_notes_nothing() -> None:
    notes: list[str] = []
    chosen = Formalism("auto", "twirl", notes.append)
    qubits = Registry(lambda holder: RELAXING, chosen)
    with_pair(qubits, bell_density(0))
    qubits.fidelity(["a"], None, MS)
    assert notes == []
    for time_ns in (1, 2, 3):
        qubits.apply_map(DAMPING, ["a"], time_ns * MS)
    with_pair(qubits, random_density(2, 1), ("c", "d"))
    assert notes == ["memory of alice", "noise", "a heralded state"]


def test_density_matrices_ignore_the_twirl() -> None:
    density = random_density(2, 1)
    qubits = with_pair(registry("density_matrix", "twirl"), density)
    qubits.apply_map(DAMPING, ["a"], 0)
    expected = DensityMatrix.from_density(density).apply_map(DAMPING, (0,)).to_qobj().full()
    assert np.abs(qubits.state(["a", "b"], 0).full() - expected).max() < CLOSE


def test_noise_and_heralds_can_be_asked_about_before_a_run() -> None:
    skewed = random_density(2, 1)
    for name in ("bell_diagonal", "stabilizer"):
        chosen = Formalism(name)
        chosen.check_noise(noise.dephasing(0.1), "fibre")
        chosen.check_pair(werner(0.9), "herald")
        with pytest.raises(InputError, match="fibre: not Pauli noise"):
            chosen.check_noise(DAMPING, "fibre")
        with pytest.raises(InputError, match="herald: not a Bell-diagonal state"):
            chosen.check_pair(skewed, "herald")
    for chosen in (Formalism("auto"), Formalism("bell_diagonal", "twirl")):
        chosen.check_noise(DAMPING, "fibre")
        chosen.check_pair(skewed, "herald")


def test_more_qubits_than_a_formalism_carries_are_refused_before_anything_changes() -> None:
    for name, size, kind in (
        ("bell_diagonal", 5, OperationError),
        ("auto", 11, RegisterTooLarge),
        ("density_matrix", 11, RegisterTooLarge),
    ):
        qubits, names = registry(name), [f"q{i}" for i in range(size)]
        for qubit in names:
            qubits.allocate(qubit, "alice", 0)
        for left, right in itertools.pairwise(names[:-1]):
            qubits.apply_gate("cx", 0.0, [left, right], 0)
        with pytest.raises(kind, match=f"{size} qubits would be jointly entangled"):
            qubits.apply_gate("cx", 0.0, names[-2:], 0)
        assert (qubits.size(names[0]), qubits.size(names[-1])) == (size - 1, 1)


# --- trajectories ---------------------------------------------------------------------------------------


def test_a_stochastic_formalism_needs_numbers() -> None:
    with pytest.raises(InternalError, match="needs numbers"):
        Registry(lambda holder: None, Formalism("stabilizer"))


def test_a_qubits_own_numbers_depend_on_seed_name_and_count_alone() -> None:
    numbers = qubit_numbers(7)
    assert numbers("a", 3) == qubit_numbers(7)("a", 3)
    assert len({numbers("a", 3), numbers("a", 4), numbers("b", 3), qubit_numbers(8)("a", 3)}) == 4
    drawn = np.array([numbers("a", n) for n in range(4000)])
    assert drawn.min() >= 0 and drawn.max() < 1
    # Mean 1/2 with sigma 1/sqrt(12 N), N = 4000.
    assert drawn.mean() == pytest.approx(0.5, abs=3 / math.sqrt(12 * 4000))


def test_what_happens_to_one_qubit_shifts_no_others_numbers() -> None:
    seen: list[tuple[str, int]] = []

    def numbers(qubit: str, n: int) -> float:
        seen.append((qubit, n))
        return 0.5

    qubits = Registry(lambda holder: None, Formalism("stabilizer"), numbers)
    with_pair(qubits)
    qubits.apply_map(noise.dephasing(0.1), ["b"], 0)
    qubits.apply_map(noise.depolarising(0.1, 2), ["b", "a"], 0)
    qubits.fidelity(["a"], None, 0)
    qubits.apply_gate("h", 0.0, ["a"], 0)
    qubits.discard(["a"], "lost", 0)
    assert seen == [("a", 0), ("b", 1), ("b", 2), ("a", 1)]


def test_exact_formalisms_ask_for_no_numbers() -> None:
    def numbers(qubit: str, n: int) -> float:
        raise AssertionError

    for name in ("auto", "bell_diagonal", "density_matrix"):
        qubits = with_pair(Registry(lambda holder: None, Formalism(name), numbers))
        qubits.apply_map(noise.dephasing(0.1), ["b"], 0)
        qubits.discard(["a", "b"], "lost", 0)
        assert len(qubits) == 0


# --- in a topology --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", formalisms.FORMALISMS)
@pytest.mark.parametrize("approximate", formalisms.APPROXIMATIONS)
def test_a_topology_names_formalism_and_approximation(name: str, approximate: str) -> None:
    chosen = formalism_of(topology(name, approximate), lambda what: None)
    assert (chosen.name, chosen.approximate) == (name, approximate)


@pytest.mark.parametrize("name", ["bell_diagonal", "stabilizer"])
def test_a_memory_that_relaxes_is_refused_before_anything_runs(name: str) -> None:
    with pytest.raises(TopologyError, match="auto"):
        formalism_of(topology(name, t1_ns=MS), lambda what: None)
    formalism_of(topology(name, "twirl", t1_ns=MS), lambda what: None)
    formalism_of(topology(name, t2_ns=MS), lambda what: None)
    formalism_of(topology("auto", t1_ns=MS), lambda what: None)


def lab(monkeypatch: pytest.MonkeyPatch, name: str, approximate: str, **memory: Any) -> Lab:
    chosen = partial(Topology, formalism=name, approximate=approximate)
    monkeypatch.setattr(plane_lab, "Topology", chosen)
    return Lab(nodes(**memory), [link("alice", "bob", heralding())])


def heralded(bench: Lab) -> str:
    """Alice's half of a Phi+ that was emitted at 0 ns and heralded at 1000 ns."""
    left = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.run()
    qubit: str = bench.outcome("alice", left).value.qubit
    return qubit


@pytest.mark.parametrize("name", formalisms.FORMALISMS)
def test_all_formalisms_run_on_the_plane(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    bench = lab(monkeypatch, name, "none", t2_ns=5 * MS)
    qubit = heralded(bench)
    expected = closed_forms.dephased_phi_plus(1.0, 5.0, qubits=2)
    born_ns = bench.plane.registry.born_ns(qubit)
    fidelity = bench.plane.registry.fidelity([qubit], None, born_ns + MS)
    assert fidelity == pytest.approx(expected, abs=CLOSE)


def test_a_twirl_on_the_plane_is_journalled(monkeypatch: pytest.MonkeyPatch) -> None:
    for approximate, journalled in (("none", False), ("twirl", True)):
        bench = lab(monkeypatch, "auto", approximate, t1_ns=5 * MS)
        qubit = heralded(bench)
        bench.at(MS, lambda bench=bench, qubit=qubit: bench.issue("alice", Apply, "x", [qubit]))
        bench.run()
        assert ("formalism" in bench.journal._entities) == journalled


def test_trajectories_on_the_plane_depend_on_the_seed_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def bits(seed: int) -> list[int]:
        chosen = partial(Topology, formalism="stabilizer")
        monkeypatch.setattr(plane_lab, "Topology", chosen)
        quantum = heralding(fidelity=0.5)
        bench, found = Lab(nodes(), [link("alice", "bob", quantum)], seed), []
        for _ in range(16):
            left, right = (
                bench.issue(one, Entangle, other)
                for one, other in (("alice", "bob"), ("bob", "alice"))
            )
            bench.run()
            for name, number in (("alice", left), ("bob", right)):
                qubit = bench.outcome(name, number).value.qubit
                found.append(bench.do(name, Measure, qubit, Z).value)
        return found

    assert bits(1) == bits(1)
    assert bits(1) != bits(2)


def test_a_file_names_formalism_and_approximation() -> None:
    text = "name: two\nnodes: {alice: , bob: }\n"
    loaded = parse_topology(text + "formalism: stabilizer\napproximate: twirl\n")
    assert (loaded.formalism, loaded.approximate) == ("stabilizer", "twirl")
    assert parse_topology(text).approximate == "none"
    with pytest.raises(TopologyError, match="did you mean 'twirl'"):
        parse_topology(text + "approximate: twirled\n")
    relaxing = parse_topology(
        text + "formalism: bell_diagonal\ndefaults: {memory: {t1: 1 s}}\n", "net.yaml"
    )
    with pytest.raises(TopologyError, match=r"net.yaml:\d+:\d+: memory: t1 is not Pauli noise"):
        formalism_of(relaxing, lambda what: None)
