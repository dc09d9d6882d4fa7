"""Operations on held qubits: when they take effect, what they answer, what they refuse."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest

from qnetem.emulator.errors import InternalError
from qnetem.emulator.states.states import bell_vector
from qnetem.emulator.topology.model.topology import BellMeasurement, Gates, Measurement, Memory
from qnetem.emulator.wire import (
    Allocate,
    Apply,
    BellMeasure,
    Discard,
    Entangle,
    Join,
    Joined,
    Measure,
    Probe,
    Reset,
    Transmit,
)

from .plane_lab import X_AXIS, Z_AXIS, Lab, heralding, link, node

SLOW = Gates(single_ns=10, two_ns=100)


def test_an_operation_that_takes_no_time_ends_at_the_next_microstep() -> None:
    lab = Lab([node("alice")])
    allocated = lab.do("alice", Allocate)
    assert (allocated.t_ns, allocated.m, allocated.value) == (0, 1, "alice#1")
    measured = lab.do("alice", Measure, "alice#1", Z_AXIS)
    assert (measured.t_ns, measured.m, measured.value) == (0, 2, 0)


def test_operations_on_one_qubit_queue_in_issue_order() -> None:
    lab = Lab([node("alice", gates=SLOW, measurement=Measurement(duration_ns=1000))])
    first, second, third = (lab.qubit("alice") for _ in range(3))
    flip = lab.issue("alice", Apply, "x", [first])
    entangle = lab.issue("alice", Apply, "cx", [first, second])
    other = lab.issue("alice", Measure, second, Z_AXIS)
    alone = lab.issue("alice", Apply, "h", [third])
    lab.run()
    ends = [lab.outcome("alice", number).t_ns for number in (flip, entangle, other, alone)]
    assert ends == [10, 110, 1110, 10]
    assert lab.outcome("alice", other).value == 1


def test_an_operation_of_no_duration_waits_for_the_ones_before_it() -> None:
    lab = Lab([node("alice", gates=SLOW)])
    qubit = lab.qubit("alice")
    lab.issue("alice", Apply, "x", [qubit])
    measure = lab.issue("alice", Measure, qubit, Z_AXIS)
    lab.run()
    assert (lab.outcome("alice", measure).t_ns, lab.outcome("alice", measure).value) == (10, 1)


def test_join_and_bell_measurement_take_a_gate_and_a_measurement() -> None:
    lab = Lab([node("alice", gates=SLOW, measurement=Measurement(duration_ns=7))])
    names = [lab.qubit("alice") for _ in range(4)]
    assert lab.do("alice", BellMeasure, *names[:2]).t_ns == 107
    assert lab.do("alice", Join, *names[2:]).t_ns == 214


def test_a_bell_measurement_that_fails_consumes_both_and_tells_nothing() -> None:
    lab = Lab([node("alice", bell_measurement=BellMeasurement(success=0.0))])
    names = [lab.qubit("alice") for _ in range(4)]
    assert lab.do("alice", BellMeasure, *names[:2]).value == []
    joined = lab.do("alice", Join, *names[2:]).value
    assert (joined.z, joined.x, joined.ok) == (0, 0, False)
    assert lab.plane.registry.held_by("alice") == []
    gone = lab.do("alice", Measure, names[0], Z_AXIS)
    assert "consumed by a Bell measurement that failed" in str(gone.error)
    assert lab.metrics.summary()["alice.failed_bell_measurements"]["count"] == 2


def test_whether_a_bell_measurement_fails_shifts_no_later_draw() -> None:
    later = []
    for success in (0.01, 0.99):
        lab = Lab([node("alice", bell_measurement=BellMeasurement(success=success))])
        for _ in range(5):
            lab.do("alice", BellMeasure, lab.qubit("alice"), lab.qubit("alice"))
        later.append(lab.streams.of("device", "alice").random())
    assert later[0] == later[1]


def test_a_gate_error_is_a_depolarising_map_after_the_gate() -> None:
    lab = Lab([node("alice", gates=Gates(single_error=0.1, two_error=0.2))])
    first, second = lab.qubit("alice"), lab.qubit("alice")
    lab.do("alice", Apply, "x", [first])
    assert lab.plane.registry.fidelity([first], [0, 1], 0) == pytest.approx(0.95, abs=1e-12)
    lab.do("alice", Reset, first)
    assert lab.plane.registry.fidelity([first], [1, 0], 0) == pytest.approx(1.0, abs=1e-12)
    lab.do("alice", Apply, "cx", [first, second])
    fidelity = lab.plane.registry.fidelity([first, second], [1, 0, 0, 0], 0)
    assert fidelity == pytest.approx(0.8 + 0.2 / 4, abs=1e-12)


def test_a_measurement_error_flips_the_outcome_and_not_the_qubit() -> None:
    lab = Lab([node("alice", measurement=Measurement(error=1.0))])
    qubit = lab.qubit("alice")
    assert lab.do("alice", Measure, qubit, Z_AXIS, True).value == 1
    assert lab.plane.registry.fidelity([qubit], [1, 0], 0) == pytest.approx(1.0, abs=1e-12)


def test_flips_come_at_their_rate() -> None:
    lab = Lab([node("alice", measurement=Measurement(error=0.25))])
    qubit = lab.qubit("alice")
    flips = sum(lab.do("alice", Measure, qubit, Z_AXIS, True).value for _ in range(1000))
    assert flips == pytest.approx(250, abs=5 * math.sqrt(1000 * 0.25 * 0.75))


@pytest.mark.parametrize("error", [0.0, 0.3])
def test_a_device_error_shifts_no_later_draw(error: float) -> None:
    outcomes = []
    for each in (0.0, error):
        lab = Lab([node("alice", measurement=Measurement(error=each))])
        lab.do("alice", Measure, lab.qubit("alice"), Z_AXIS)
        lab.do("alice", BellMeasure, lab.qubit("alice"), lab.qubit("alice"))
        outcomes.append(lab.streams.of("device", "alice").random())
    assert outcomes[0] == outcomes[1]


def test_a_measurement_frees_the_slot_unless_it_keeps_the_qubit() -> None:
    lab = Lab([node("alice")])
    qubit = lab.qubit("alice")
    lab.do("alice", Measure, qubit, X_AXIS, True)
    assert lab.plane.slots_used("alice") == 1
    lab.do("alice", Measure, qubit, X_AXIS)
    assert lab.plane.slots_used("alice") == 0


def test_a_kept_measurement_repeats_its_outcome() -> None:
    lab = Lab([node("alice")])
    for _ in range(10):
        qubit = lab.qubit("alice")
        first = lab.do("alice", Measure, qubit, X_AXIS, True).value
        assert lab.do("alice", Measure, qubit, X_AXIS).value == first


def test_an_axis_counts_by_its_direction() -> None:
    lab = Lab([node("alice")])
    assert lab.do("alice", Measure, lab.qubit("alice"), (0.0, 0.0, -17.0)).value == 1


def test_reset_brings_the_qubit_back_and_keeps_the_slot() -> None:
    memory = Memory(initialisation_ns=5)
    lab = Lab([node("alice", memory, measurement=Measurement(duration_ns=700))])
    qubit = lab.qubit("alice")
    lab.do("alice", Apply, "x", [qubit])
    assert lab.do("alice", Reset, qubit).t_ns == 10
    assert lab.plane.registry.fidelity([qubit], [1, 0], 10) == pytest.approx(1.0)
    assert lab.plane.slots_used("alice") == 1


def test_discard_frees_all_slots_or_none() -> None:
    lab = Lab([node("alice")])
    names = [lab.qubit("alice") for _ in range(3)]
    refused = lab.do("alice", Discard, [names[0], "alice#77"])
    assert refused.error is not None and refused.error[0] == "qubit"
    assert lab.plane.slots_used("alice") == 3
    assert lab.do("alice", Discard, names).error is None
    assert lab.plane.slots_used("alice") == 0


def test_a_qubit_of_another_node_is_refused_at_the_next_microstep() -> None:
    lab = Lab([node("alice", gates=SLOW), node("bob", gates=SLOW)])
    qubit = lab.qubit("alice")
    outcome = lab.do("bob", Apply, "x", [qubit])
    assert (outcome.t_ns, outcome.m) == (0, 2)
    assert outcome.error is not None
    code, fields = outcome.error
    assert code == "qubit"
    assert (fields["qubit"], fields["node"]) == (qubit, "bob")


def test_of_two_measurements_in_parallel_the_second_hears_that_the_qubit_was_measured() -> None:
    lab = Lab([node("alice", measurement=Measurement(duration_ns=1000))])
    qubit = lab.qubit("alice")
    first = lab.issue("alice", Measure, qubit, Z_AXIS)
    second = lab.issue("alice", Measure, qubit, Z_AXIS)
    lab.run()
    assert lab.outcome("alice", first).value == 0
    late = lab.outcome("alice", second)
    assert late.error is not None and late.t_ns == 2000
    assert late.error[1]["why"].startswith("measured at")


@pytest.mark.parametrize(
    ("kind", "arguments", "word"),
    [
        (Apply, ("sqrt_of_not", ["alice#1"]), "unknown gate"),
        (Apply, ("cx", ["alice#1"]), "takes 2 qubits"),
        (Apply, ("x", ["alice#1", "alice#2"]), "takes 1 qubit"),
        (Apply, ("cz", ["alice#1", "alice#1"]), "twice"),
        (Apply, ("rx", ["alice#1"], math.nan), "finite"),
        (Apply, ("rz", ["alice#1"], math.inf), "finite"),
        (Measure, ("alice#1", (0.0, 0.0, 0.0)), "axis"),
        (Measure, ("alice#1", (math.nan, 0.0, 0.0)), "axis"),
        (BellMeasure, ("alice#1", "alice#1"), "twice"),
        (Join, ("alice#2", "alice#2"), "twice"),
        (Discard, (["alice#1", "alice#1"],), "twice"),
        (Probe, ("f", []), "needs a qubit"),
        (Probe, ("f", ["alice#1"], [(1.0, 0.0)]), "amplitudes"),
        (Probe, ("f", ["alice#1", "alice#2", "alice#3"]), "target"),
        (Probe, ("f", ["alice#1"]), "target"),
        (Probe, ("f", ["alice#1"], [(0.0, 0.0), (0.0, 0.0)]), "zero"),
    ],
)
def test_wrong_arguments_are_refused_with_the_reason(
    kind: Any, arguments: tuple[Any, ...], word: str
) -> None:
    lab = Lab([node("alice")])
    for _ in range(3):
        lab.qubit("alice")
    outcome = lab.do("alice", kind, *arguments)
    assert outcome.error is not None
    assert outcome.error[0] == "operation"
    assert word in outcome.error[1]["why"]
    assert lab.plane.slots_used("alice") == 3


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(Entangle, ("bob",)), (Entangle, ("stranger",)), (Transmit, ("alice#1", "bob"))],
)
def test_without_a_link_that_serves_it_is_a_link_error(
    kind: Any, arguments: tuple[Any, ...]
) -> None:
    lab = Lab([node("alice"), node("bob")])
    lab.qubit("alice")
    outcome = lab.do("alice", kind, *arguments)
    assert outcome.error is not None and outcome.error[0] == "link"
    assert outcome.error[1]["node"] == "alice" and "no link" in outcome.error[1]["why"]
    assert lab.plane.slots_used("alice") == 1


def test_a_register_too_large_is_refused_and_changes_nothing() -> None:
    lab = Lab([node("alice")])
    names = [lab.qubit("alice") for _ in range(11)]
    for left, right in pairwise(names[:10]):
        assert lab.do("alice", Apply, "cx", [left, right]).error is None
    outcome = lab.do("alice", Apply, "cx", names[9:])
    assert outcome.error == ("register", {"qubits": 11, "limit": 10})
    assert lab.plane.registry.size(names[0]) == 10


def test_joining_two_pairs_names_the_pairs_and_entangles_the_ends() -> None:
    nodes = [node("alice"), node("r1"), node("bob")]
    lab = Lab(nodes, [link("alice", "r1", heralding()), link("r1", "bob", heralding())])
    lab.issue("alice", Entangle, "r1")
    left = lab.issue("r1", Entangle, "alice")
    right = lab.issue("r1", Entangle, "bob")
    lab.issue("bob", Entangle, "r1")
    lab.run()
    halves = [lab.outcome("r1", number).value.qubit for number in (left, right)]
    joined = lab.do("r1", Join, *halves).value
    assert isinstance(joined, Joined)
    assert (joined.left, joined.right) == ("alice-r1#1", "r1-bob#1")
    bell = bell_vector(joined.x + 2 * joined.z)
    ends = ["alice-r1#1@alice", "r1-bob#1@bob"]
    fidelity = lab.plane.registry.fidelity(ends, bell, lab.clock.now_ns)
    assert fidelity == pytest.approx(1.0, abs=1e-12)
    assert lab.plane.slots_used("r1") == 0


def test_a_bell_measurement_of_a_bell_pair_is_certain() -> None:
    lab = Lab([node("alice")])
    first, second = lab.qubit("alice"), lab.qubit("alice")
    lab.issue("alice", Apply, "h", [first])
    lab.issue("alice", Apply, "cx", [first, second])
    lab.issue("alice", Apply, "z", [second])
    assert lab.do("alice", BellMeasure, first, second).value == [1, 0]


def test_joining_qubits_that_are_no_halves_names_them() -> None:
    lab = Lab([node("alice")])
    joined = lab.do("alice", Join, lab.qubit("alice"), lab.qubit("alice")).value
    assert (joined.left, joined.right) == ("alice#1", "alice#2")


def test_a_probe_is_seen_by_the_metrics_and_changes_nothing() -> None:
    lab = Lab([node("alice"), node("bob")], [link("alice", "bob", heralding(fidelity=0.9))])
    mine = lab.issue("alice", Entangle, "bob")
    lab.issue("bob", Entangle, "alice")
    lab.run()
    half = lab.outcome("alice", mine).value.qubit
    for _ in range(2):
        assert lab.do("alice", Probe, "pair", [half]).value is None
    summary = lab.metrics.summary()["alice.pair.fidelity"]
    assert (summary["count"], summary["min"], summary["max"]) == (2, 0.9, 0.9)


def test_a_probe_takes_a_target_of_its_own() -> None:
    lab = Lab([node("alice")])
    qubit = lab.qubit("alice")
    lab.do("alice", Apply, "sdg", [qubit])
    lab.do("alice", Apply, "ry", [qubit], math.pi / 2)
    assert lab.do("alice", Probe, "plus", [qubit], [(0.5, 0.0), (0.5, 0.0)]).error is None
    assert lab.metrics.summary()["alice.plus.fidelity"]["last"] == pytest.approx(1.0)


def test_a_withdrawn_gate_runs_to_its_end_and_its_result_is_dropped() -> None:
    lab = Lab([node("alice", gates=SLOW)])
    qubit = lab.qubit("alice")
    number = lab.issue("alice", Apply, "x", [qubit])
    lab.plane.withdraw("alice", number)
    assert lab.do("alice", Measure, qubit, Z_AXIS).value == 1
    assert not lab.has_ended("alice", number)


def test_withdrawing_what_has_ended_is_harmless() -> None:
    lab = Lab([node("alice")])
    qubit = lab.qubit("alice")
    lab.plane.withdraw("alice", 1)
    lab.plane.withdraw("alice", 99)
    assert lab.plane.registry.holder_of(qubit) == "alice"
    assert lab.plane.slots_used("alice") == 1


def test_a_number_under_way_cannot_be_issued_again() -> None:
    lab = Lab([node("alice")])
    lab.plane.issue("alice", 1, Allocate(1))
    with pytest.raises(InternalError, match="cannot issue operation 1"):
        lab.plane.issue("alice", 1, Allocate(1))


def test_the_digest_does_not_tell_whole_numbers_from_floats() -> None:
    digests = []
    for axis, angle in (((0, 0, 1), 2), ((0.0, 0.0, 1.0), 2.0)):
        lab = Lab([node("alice")])
        qubit = lab.qubit("alice")
        lab.issue("alice", Apply, "rx", [qubit], angle)
        lab.do("alice", Measure, qubit, axis)
        digests.append(lab.journal.digest())
    assert digests[0] == digests[1]
