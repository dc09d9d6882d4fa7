"""Communication and storage qubits: what lies where, what waits for one, and what attempts do to the rest."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.heralding.timing import Timing
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.quantum.node.attempt_log import AttemptLog
from qnetem.emulator.topology.model.topology import Gates, Memory
from qnetem.emulator.topology.reading.presets import PRESETS
from qnetem.emulator.wire import Allocate, Discard, Entangle, Measure, Store

from ..plane_lab import X_AXIS, Lab, heralding, link, node

ATTEMPT_NS = 1000
PER_ATTEMPT = 0.002


def lab(success: float = 1.0, slots: int = 3, communication: int = 1, **gates: float) -> Lab:
    """Two nodes whose links take one attempt of 1 us, or never succeed."""
    memory = Memory(slots=slots, communication=communication, dephasing_per_attempt=PER_ATTEMPT)
    nodes = [node(name, memory=memory, gates=Gates(**gates)) for name in ("alice", "bob")]
    return Lab(nodes, [link("alice", "bob", heralding(success=success, attempt_ns=ATTEMPT_NS))])


def pair(bench: Lab) -> list[str]:
    """Both halves of a pair that has just been heralded."""
    asked = [("alice", bench.issue("alice", Entangle, "bob"))]
    asked.append(("bob", bench.issue("bob", Entangle, "alice")))
    bench.run()
    return [bench.outcome(name, number).value.qubit for name, number in asked]


def stored_pair(bench: Lab) -> list[str]:
    halves = pair(bench)
    for name, half in zip(("alice", "bob"), halves, strict=True):
        assert bench.do(name, Store, half).error is None
    return halves


def test_a_request_waits_for_the_communication_qubit_until_it_is_stored() -> None:
    bench = lab()
    pair(bench)
    first = bench.outcome("alice", 1).value.qubit
    again = bench.issue("alice", Entangle, "bob")
    bench.run()
    assert bench.plane.pending("alice") == [(again, "a free communication qubit (1 in use)")]
    bench.do("alice", Store, first)
    assert "bob has not asked" in bench.plane.pending("alice")[0][1]


def test_a_fresh_qubit_takes_storage_first_and_leaves_the_link_alone() -> None:
    bench = lab(slots=2)
    bench.qubit("alice")
    bench.issue("alice", Entangle, "bob")
    bench.run()
    assert "bob has not asked" in bench.plane.pending("alice")[0][1]


def test_a_fresh_qubit_in_the_communication_qubit_keeps_the_link_waiting() -> None:
    bench = lab(slots=2)
    bench.qubit("alice")
    blocking = bench.qubit("alice")
    asked = bench.issue("alice", Entangle, "bob")
    bench.run()
    assert bench.plane.pending("alice") == [(asked, "a free slot (2 in use)")]
    bench.do("alice", Discard, [blocking])
    assert "bob has not asked" in bench.plane.pending("alice")[0][1]


def test_a_withdrawn_request_gives_the_communication_qubit_back() -> None:
    bench = lab()
    asked = bench.issue("alice", Entangle, "bob")
    bench.run()
    bench.plane.withdraw("alice", asked)
    assert bench.plane.slots_used("alice") == 0
    assert len(pair(bench)) == 2


def test_storing_without_a_free_storage_qubit_is_refused() -> None:
    bench = lab(slots=2)
    stored_pair(bench)
    again, _ = pair(bench)
    error = bench.do("alice", Store, again).error
    assert error is not None and "all 1 are in use" in str(error)


def test_storing_takes_two_gates_and_errs_as_they_do() -> None:
    bench = lab(two_ns=300, two_error=0.1)
    half, _ = pair(bench)
    began_ns = bench.clock.now_ns
    assert bench.do("alice", Store, half).t_ns == began_ns + 600
    kept = 1 - (1 - 0.9**2)
    found = bench.plane.registry.fidelity([half], None, bench.clock.now_ns)
    assert found == pytest.approx(kept + (1 - kept) / 4, abs=1e-12)
    assert bench.do("alice", Store, half).t_ns == began_ns + 600  # it is there already


@pytest.mark.parametrize("attempts", [1, 250, 1000])
def test_attempts_of_either_end_dephase_what_both_have_stored(attempts: int) -> None:
    bench = lab()
    half, _ = stored_pair(bench)
    begun_ns = bench.clock.now_ns
    log = bench.plane.devices["alice"].attempts
    other = bench.plane.devices["bob"].attempts
    assert log is not None and other is not None
    for each in (log, other):
        each.begin("alice-bob", 99, begun_ns, Timing(ATTEMPT_NS, (0, 0), (0, 0)))
    now_ns = begun_ns + attempts * ATTEMPT_NS
    kept = (1 - 2 * PER_ATTEMPT) ** (2 * attempts)
    found = bench.plane.registry.fidelity([half], None, now_ns)
    assert found == pytest.approx((1 + kept) / 2, abs=1e-12)


def test_a_series_on_the_link_is_counted_from_its_begin_to_its_end() -> None:
    bench = lab(success=0.0)
    mine = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.run()
    bench.later(10_500, lambda: bench.plane.withdraw("alice", mine))
    bench.run()
    log = bench.plane.devices["alice"].attempts
    assert log is not None
    assert log.between(0, 10_500) == 11
    assert log.between(0, 50_000) == 11
    assert log.between(1, 3_000) == 2


def test_what_lies_in_the_communication_qubit_is_spared() -> None:
    bench = lab()
    half, _ = pair(bench)
    log = bench.plane.devices["alice"].attempts
    assert log is not None
    log.begin("alice-bob", 99, bench.clock.now_ns, Timing(ATTEMPT_NS, (0, 0), (0, 0)))
    found = bench.plane.registry.fidelity([half], None, bench.clock.now_ns + 10**6)
    assert found == pytest.approx(1.0, abs=1e-12)


def test_old_series_are_forgotten_when_no_stored_qubit_owes_them() -> None:
    log = AttemptLog(lambda: 10**9)
    for number in range(5000):
        log.begin("l", number, 10 * number, Timing(1, (0, 0), (0, 0)))
        log.end("l", number, 10 * number + 5)
    assert len(log._over) <= 1025
    assert log.between(49_990, 50_000) == 5


@pytest.mark.parametrize(
    ("memory", "problem"),
    [
        ("{slots: 2, communication: 3}", "the memory has 2 slots: expected no more communication"),
        ("{dephasing_per_attempt: 0.1}", "expected 'communication' beside it"),
    ],
)
def test_a_memory_that_does_not_fit_together_is_refused(memory: str, problem: str) -> None:
    with pytest.raises(TopologyError, match=problem):
        parse_topology(f"name: x\nnodes: {{n: {{memory: {memory}}}}}")


@pytest.mark.parametrize(
    ("name", "attempts"),
    [("nv_memory_kalb_2017", 273), ("nv_memory_hermans_2022", 5300)],
)
def test_the_presets_keep_1_e_of_the_coherence_for_the_published_attempts(
    name: str, attempts: int
) -> None:
    p = PRESETS[name].sections["memory"]["dephasing_per_attempt"]
    assert (1 - 2 * p) ** attempts == pytest.approx(math.exp(-1), rel=1e-12)


def test_killed_nodes_begin_with_all_places_free() -> None:
    bench = lab()
    stored_pair(bench)
    pair(bench)
    bench.kill("alice")
    bench.join("alice")
    bench.do("bob", Measure, bench.outcome("bob", 3).value.qubit, X_AXIS)
    assert bench.plane.devices["alice"].places is not None
    asked = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.run()
    assert bench.outcome("alice", asked, 2).error is None
    assert bench.do("alice", Allocate).error is None
