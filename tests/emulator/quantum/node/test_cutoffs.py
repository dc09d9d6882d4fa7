"""A memory's cut-off discards what is too old at exactly that instant, and everybody learns of it."""

from __future__ import annotations

import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.topology.model.entangle import DetectionSpec, EntangleSpec
from qnetem.emulator.topology.model.topology import Gates, Measurement, Memory, Quantum
from qnetem.emulator.wire import (
    Allocate,
    Apply,
    Discard,
    Entangle,
    Join,
    Measure,
    Probe,
    Reset,
    Transmit,
)

from ..plane_lab import Z_AXIS, Lab, heralding, link, node

CUTOFF_NS = 1_000


def alone(gates: Gates | None = None, slots: int = 16, initialisation_ns: int = 0) -> Lab:
    memory = Memory(slots=slots, cutoff_ns=CUTOFF_NS, initialisation_ns=initialisation_ns)
    return Lab([node("alice", memory, gates, Measurement(duration_ns=10))])


def fresh(lab: Lab) -> str:
    """A qubit that has just been allocated, its cut-off still to come."""
    number = lab.issue("alice", Allocate)
    lab.step()
    qubit: str = lab.outcome("alice", number).value
    return qubit


def test_a_qubit_is_discarded_when_its_age_is_the_cut_off() -> None:
    lab = alone()
    qubit = fresh(lab)
    lab.run(until_ns=CUTOFF_NS - 1)
    assert lab.plane.registry.holder_of(qubit) == "alice"
    lab.run()
    assert lab.plane.registry.holder_of(qubit) is None
    assert lab.clock.now_ns == CUTOFF_NS
    assert lab.plane.expired == [("alice", qubit)]
    assert lab.plane.slots_used("alice") == 0


def test_a_program_that_uses_it_then_is_told_how_it_went() -> None:
    lab = alone()
    qubit = fresh(lab)
    lab.run()
    for kind, arguments in (
        (Apply, ("x", [qubit])),
        (Measure, (qubit, Z_AXIS)),
        (Reset, (qubit,)),
        (Discard, ([qubit],)),
        (Probe, ("p", [qubit], [(1.0, 0.0), (0.0, 0.0)])),
    ):
        code, fields = lab.do("alice", kind, *arguments).error or ("", {})
        assert code == "qubit" and fields["node"] == "alice"
        assert fields["why"] == "past its cut-off at 1 us"


def test_age_counts_from_the_end_of_initialisation_and_anew_from_a_reset() -> None:
    lab = alone(initialisation_ns=300)
    number = lab.issue("alice", Allocate)
    lab.run(until_ns=300)
    qubit = lab.outcome("alice", number).value
    lab.later(900, lambda: lab.issue("alice", Reset, qubit))  # until 1200
    lab.run(until_ns=2199)
    assert lab.plane.registry.holder_of(qubit) == "alice"
    lab.run()
    assert (lab.clock.now_ns, lab.plane.registry.holder_of(qubit)) == (2200, None)


def test_gates_and_kept_measurements_make_nothing_younger() -> None:
    lab = alone()
    qubit = fresh(lab)
    lab.later(500, lambda: lab.issue("alice", Apply, "x", [qubit]))
    lab.later(600, lambda: lab.issue("alice", Measure, qubit, Z_AXIS, True))
    lab.run()
    assert (lab.clock.now_ns, lab.plane.registry.holder_of(qubit)) == (CUTOFF_NS, None)


@pytest.mark.parametrize(("duration_ns", "wins"), [(400, True), (401, False)])
def test_an_operation_that_ends_at_the_cut_off_still_has_its_qubit(
    duration_ns: int, wins: bool
) -> None:
    lab = alone(Gates(single_ns=duration_ns))
    qubit, numbers = fresh(lab), []
    lab.later(600, lambda: numbers.append(lab.issue("alice", Apply, "x", [qubit])))
    lab.run()
    outcome = lab.outcome("alice", numbers[0])
    assert (outcome.t_ns, outcome.error is None) == (600 + duration_ns, wins)
    assert lab.plane.registry.holder_of(qubit) is None
    assert lab.plane.slots_used("alice") == 0


def test_an_operation_that_is_issued_at_the_cut_off_is_too_late() -> None:
    lab = alone()
    qubit, numbers = fresh(lab), []
    lab.later(CUTOFF_NS, lambda: numbers.append(lab.issue("alice", Measure, qubit, Z_AXIS)))
    lab.run()
    assert (lab.outcome("alice", numbers[0]).error or ("",))[0] == "qubit"


def test_a_measurement_that_ends_in_time_leaves_nothing_to_discard() -> None:
    lab = alone()
    qubit = fresh(lab)
    lab.do("alice", Measure, qubit, Z_AXIS)
    assert (lab.clock.now_ns, lab.plane.expired) == (10, []), "nothing is left on the agenda"


def test_a_gate_with_one_qubit_too_old_leaves_the_other_as_it_was() -> None:
    lab = alone(Gates(two_ns=600))
    old = fresh(lab)
    young: list[str] = []
    lab.later(400, lambda: lab.issue("alice", Allocate))
    lab.run(until_ns=400)
    young = [qubit for qubit in lab.plane.registry.held_by("alice") if qubit != old]
    lab.later(500, lambda: lab.issue("alice", Apply, "cx", [old, *young]))
    lab.run(until_ns=1_100)
    assert lab.outcome("alice", 3).error is not None
    assert lab.plane.registry.held_by("alice") == young
    assert lab.plane.registry.size(young[0]) == 1


def test_the_slot_goes_to_the_request_that_waits_for_one() -> None:
    lab = alone(slots=1)
    fresh(lab)
    waiting = lab.issue("alice", Allocate)
    lab.run(until_ns=CUTOFF_NS)
    assert lab.outcome("alice", waiting).t_ns == CUTOFF_NS
    assert lab.plane.registry.held_by("alice") == ["alice#2"]
    lab.run()
    assert (lab.clock.now_ns, lab.plane.slots_used("alice")) == (2 * CUTOFF_NS, 0)


def test_an_allocation_withdrawn_while_it_initialises_leaves_nothing() -> None:
    lab = alone(slots=1, initialisation_ns=300)
    number = lab.issue("alice", Allocate)
    lab.at(100, lambda: lab.plane.withdraw("alice", number))
    lab.run()
    assert lab.plane.slots_used("alice") == 0 and lab.plane.expired == []


def test_a_dead_node_s_qubits_do_not_expire_and_its_next_life_s_do() -> None:
    lab = alone()
    fresh(lab)
    lab.at(500, lambda: lab.kill("alice"))
    lab.at(600, lambda: lab.join("alice"))
    lab.later(700, lambda: lab.issue("alice", Allocate))
    lab.run()
    assert lab.plane.expired == [("alice", "alice#2")]
    assert lab.clock.now_ns == 1_700


# --- light ----------------------------------------------------------------------------------------


def test_what_flies_is_in_no_memory_and_what_lands_begins_anew() -> None:
    """20 km are 98 us of flight, far beyond either cut-off."""
    memory = Memory(cutoff_ns=CUTOFF_NS)
    clear = Quantum(length_km=20.0, attenuation_db_per_km=0.0)
    lab = Lab([node("alice", memory), node("bob", memory)], [link("alice", "bob", clear)])
    qubit = fresh(lab)
    lab.issue("alice", Transmit, qubit, "bob")
    lab.run()
    ((_, landed_ns, _),) = lab.arrivals
    assert lab.plane.expired == [("bob", qubit)]
    assert lab.clock.now_ns == landed_ns + CUTOFF_NS


# --- pairs ----------------------------------------------------------------------------------------

#: Emission lies 98 us before the herald.
PAIRED = heralding(attempt_ns=200_000, length_km=20.0)


def paired(alice_ns: int | None, bob_ns: int | None, slots: int = 16) -> Lab:
    nodes = [
        node("alice", Memory(cutoff_ns=alice_ns, slots=slots)),
        node("bob", Memory(cutoff_ns=bob_ns, slots=slots)),
    ]
    return Lab(nodes, [link("alice", "bob", PAIRED)])


def test_a_half_is_as_old_as_its_emission_and_each_end_has_its_own_cut_off() -> None:
    lab = paired(150_000, None)
    mine, yours = lab.issue("alice", Entangle, "bob"), lab.issue("bob", Entangle, "alice")
    lab.run()
    herald = lab.outcome("alice", mine).value
    assert lab.clock.now_ns == herald.emitted_ns + 150_000 > 200_000
    assert lab.plane.expired == [("alice", herald.qubit)]
    other = lab.outcome("bob", yours).value.qubit
    assert lab.plane.registry.held_by("bob") == [other], "the far half lives on"
    assert lab.plane.registry.size(other) == 1
    assert lab.do("bob", Measure, other, Z_AXIS).error is None


def test_a_waiting_request_takes_the_slot_that_a_half_leaves() -> None:
    lab = paired(150_000, 150_000, slots=1)
    for name, peer in (("alice", "bob"), ("bob", "alice")) * 2:
        lab.issue(name, Entangle, peer)
    lab.run(until_ns=600_000)
    first, second = lab.outcome("alice", 1), lab.outcome("alice", 2)
    expired_ns = first.value.emitted_ns + 150_000
    assert second.t_ns == expired_ns + 200_000, "attempts begin when both slots are free"


def test_a_join_of_which_a_half_is_too_old_fails_and_keeps_the_other() -> None:
    nodes = [
        node("alice"),
        node("mid", Memory(cutoff_ns=150_000), Gates(two_ns=100_000)),
        node("bob"),
    ]
    lab = Lab(
        nodes, [link("alice", "mid", PAIRED), link("mid", "bob", heralding(1.0, 1.0, 50_000))]
    )
    lab.issue("alice", Entangle, "mid")
    left = lab.issue("mid", Entangle, "alice")
    lab.later(160_000, lambda: lab.issue("mid", Entangle, "bob"))
    lab.later(160_000, lambda: lab.issue("bob", Entangle, "mid"))
    lab.run(until_ns=210_000)
    halves = [lab.outcome("mid", number).value.qubit for number in (left, left + 1)]
    joined = lab.issue("mid", Join, *halves)
    lab.run(until_ns=320_000)
    code, fields = lab.outcome("mid", joined).error or ("", {})
    assert code == "qubit" and fields["qubit"] == halves[0]
    assert lab.plane.registry.held_by("mid") == [halves[1]]


#: The station stands at alice: bob hears 979 us after her, of a half that is twice as old.
ASIDE = Quantum(
    length_km=200.0,
    attenuation_db_per_km=0.0,
    entangle=EntangleSpec(
        kind="double_click", station=0.0, detection=DetectionSpec(first=1.0, second=1.0)
    ),
)


def aside(cutoff_ns: int) -> Lab:
    nodes = [node("alice"), node("bob", Memory(slots=1, cutoff_ns=cutoff_ns))]
    return Lab(nodes, [link("alice", "bob", ASIDE)])


def test_a_cut_off_no_longer_than_the_herald_s_way_is_refused_and_one_a_moment_longer_is_not() -> (
    None
):
    age_ns = 2 * link("alice", "bob", ASIDE).delay_ns
    with pytest.raises(TopologyError, match="expected more"):
        aside(age_ns)
    lab = aside(age_ns + 1)
    lab.issue("alice", Entangle, "bob")
    number = lab.issue("bob", Entangle, "alice")
    lab.run()
    heard = lab.outcome("bob", number)
    assert heard.error is None and lab.plane.expired == [("bob", heard.value.qubit)]
    assert lab.clock.now_ns == heard.t_ns + 1


def test_a_half_given_up_before_its_herald_does_not_expire() -> None:
    lab = aside(3_000_000)
    lab.issue("alice", Entangle, "bob")
    number = lab.issue("bob", Entangle, "alice")
    while not lab.plane.registry.held_by("bob"):
        assert lab.step()
    lab.plane.withdraw("bob", number)
    lab.run()
    assert lab.plane.expired == [] and lab.plane.slots_used("bob") == 0


def test_nothing_is_drawn_for_a_cut_off() -> None:
    outcomes: list[list[int]] = []
    for cutoff_ns in (None, 10**7):
        lab, seen = paired(cutoff_ns, cutoff_ns), []
        for _ in range(20):
            mine, yours = lab.issue("alice", Entangle, "bob"), lab.issue("bob", Entangle, "alice")
            until(lab, ("alice", mine), ("bob", yours))
            half, other = (
                lab.outcome(*each).value.qubit for each in (("alice", mine), ("bob", yours))
            )
            measured = lab.issue("alice", Measure, half, Z_AXIS)
            until(lab, ("alice", measured), ("bob", lab.issue("bob", Discard, [other])))
            seen.append(lab.outcome("alice", measured).value)
        outcomes.append(seen)
    assert outcomes[0] == outcomes[1] and set(outcomes[0]) == {0, 1}
    assert lab.plane.expired == []


def until(lab: Lab, *issued: tuple[str, int]) -> None:
    while not all(lab.has_ended(*each) for each in issued):
        assert lab.step()
