"""Entanglement requests: slots, matching, attempts, withdrawal, cuts."""

from __future__ import annotations

import math
import statistics

import pytest

from qnetem.emulator.closed_forms.links import waiting_time
from qnetem.emulator.heralding.attempts import SimpleLink
from qnetem.emulator.kernel.streams import Streams
from qnetem.emulator.topology.model.topology import Memory, NodeSpec, Quantum
from qnetem.emulator.wire import Allocate, Discard, Entangle, Herald, Measure

from .plane_lab import X_AXIS, Z_AXIS, Lab, heralding, link, node

SURE = heralding(attempt_ns=1000)
NEVER = heralding(success=0.0)


def pair_of_nodes(slots: int = 16, t2_ns: int | None = None) -> list[NodeSpec]:
    return [node(name, memory=Memory(slots=slots, t2_ns=t2_ns)) for name in ("alice", "bob")]


def lab(quantum: Quantum = SURE, slots: int = 16, seed: int = 1, t2_ns: int | None = None) -> Lab:
    return Lab(pair_of_nodes(slots, t2_ns), [link("alice", "bob", quantum)], seed)


def drawn(success: float, count: int, seed: int = 1) -> list[int]:
    """Herald offsets that the link's stream will give, in ns."""
    source = SimpleLink(success, 1.0, 1000, 0)
    rng = Streams(seed).of("link", "alice-bob")
    draws = [source.draw(rng) for _ in range(count)]
    return [draw.herald_ns for draw in draws if draw is not None]


def test_both_ends_hear_of_the_same_pair_at_once() -> None:
    bench = lab(heralding(fidelity=0.9))
    mine = bench.issue("alice", Entangle, "bob")
    yours = bench.issue("bob", Entangle, "alice")
    bench.run()
    left, right = bench.outcome("alice", mine), bench.outcome("bob", yours)
    assert (left.t_ns, right.t_ns) == (1000, 1000)
    assert left.value == Herald("alice-bob#1", "alice-bob#1@alice", "bob", "alice-bob", 1000, 0.9)
    assert right.value == Herald("alice-bob#1", "alice-bob#1@bob", "alice", "alice-bob", 1000, 0.9)
    assert bench.plane.registry.fidelity([left.value.qubit], None, 1000) == pytest.approx(0.9)
    assert bench.metrics.counts["links.alice-bob.pairs"] == 1


def test_attempts_start_when_the_later_end_has_opened() -> None:
    bench = lab()
    mine = bench.issue("alice", Entangle, "bob")
    bench.later(5000, lambda: bench.issue("bob", Entangle, "alice"))
    bench.run()
    assert bench.outcome("alice", mine).t_ns == 6000


def test_the_pair_decoheres_from_its_emission() -> None:
    quantum = heralding(length_km=100.0, attempt_ns=10_000_000)
    bench = lab(quantum, t2_ns=1_000_000)
    mine = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.run()
    herald = bench.outcome("alice", mine)
    age_ns = herald.t_ns - herald.value.emitted_ns
    assert age_ns == link("alice", "bob", quantum).delay_ns > 0
    fidelity = bench.plane.registry.fidelity([herald.value.qubit], None, herald.t_ns)
    assert fidelity == pytest.approx((1 + math.exp(-2 * age_ns / 1e6)) / 2, abs=1e-12)


def test_a_pair_correlates_in_both_bases() -> None:
    bench = lab()
    for axis in (X_AXIS, Z_AXIS) * 5:
        mine = bench.issue("alice", Entangle, "bob")
        yours = bench.issue("bob", Entangle, "alice")
        bench.run()
        left = bench.outcome("alice", mine).value.qubit
        right = bench.outcome("bob", yours).value.qubit
        first = bench.do("alice", Measure, left, axis).value
        assert bench.do("bob", Measure, right, axis).value == first


def test_a_bright_population_of_a_link_that_has_none_is_refused() -> None:
    bench = lab()
    mine = bench.issue("alice", Entangle, "bob", None, False, "", 0.1)
    bench.run()
    error = bench.outcome("alice", mine).error
    assert error is not None and "alice-bob at alpha 0.1: a simple link has no emitters" in str(
        error
    )


def test_requests_match_first_in_first_out_one_pair_at_a_time() -> None:
    bench = lab()
    mine = [bench.issue("alice", Entangle, "bob") for _ in range(3)]
    yours = [bench.issue("bob", Entangle, "alice") for _ in range(3)]
    bench.run()
    for index in range(3):
        left, right = bench.outcome("alice", mine[index]), bench.outcome("bob", yours[index])
        assert left.t_ns == right.t_ns == 1000 * (index + 1)
        assert left.value.pair == right.value.pair == f"alice-bob#{index + 1}"


def test_multiplexing_runs_requests_side_by_side_each_with_its_own_draw() -> None:
    bench = lab(heralding(success=0.1, multiplexing=2))
    mine = [bench.issue("alice", Entangle, "bob") for _ in range(3)]
    for _ in range(3):
        bench.issue("bob", Entangle, "alice")
    bench.run()
    first, second, third = drawn(0.1, 3)
    ends = [bench.outcome("alice", number).t_ns for number in mine]
    assert ends == [first, second, min(first, second) + third]


def test_the_time_to_a_pair_is_geometric() -> None:
    bench = lab(heralding(success=0.2))
    waits = []
    for _ in range(600):
        start_ns = bench.clock.now_ns
        mine = bench.issue("alice", Entangle, "bob")
        yours = bench.issue("bob", Entangle, "alice")
        bench.run()
        waits.append((bench.outcome("alice", mine).t_ns - start_ns) / 1000)
        bench.do("alice", Discard, [bench.outcome("alice", mine).value.qubit])
        bench.do("bob", Discard, [bench.outcome("bob", yours).value.qubit])
    sigma = math.sqrt(0.8) / 0.2 / math.sqrt(len(waits))
    assert statistics.mean(waits) == pytest.approx(5.0, abs=5 * sigma)


def test_a_link_that_never_succeeds_schedules_nothing() -> None:
    bench = lab(NEVER)
    bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    assert bench.clock.next_instant() is None
    assert "have not succeeded" in bench.plane.pending("alice")[0][1]


def test_a_request_waits_for_a_slot_in_the_order_of_issue() -> None:
    bench = lab(slots=1)
    first = bench.qubit("alice")
    entangle = bench.issue("alice", Entangle, "bob")
    allocate = bench.issue("alice", Allocate)
    bench.issue("bob", Entangle, "alice")
    bench.run()
    assert not bench.has_ended("alice", entangle)
    bench.do("alice", Discard, [first])
    half = bench.outcome("alice", entangle).value.qubit
    assert not bench.has_ended("alice", allocate)
    bench.do("alice", Measure, half, Z_AXIS)
    assert bench.outcome("alice", allocate).value == "alice#2"


def test_a_withdrawn_request_leaves_its_peer_at_the_front() -> None:
    bench = lab()
    lost = bench.issue("alice", Entangle, "bob")
    yours = [bench.issue("bob", Entangle, "alice") for _ in range(2)]
    bench.later(500, lambda: bench.plane.withdraw("alice", lost))
    bench.later(2000, lambda: bench.issue("alice", Entangle, "bob"))
    bench.run()
    assert not bench.has_ended("alice", lost)
    assert bench.outcome("bob", yours[0]).t_ns == 3000
    assert not bench.has_ended("bob", yours[1])
    assert (bench.plane.slots_used("alice"), bench.plane.slots_used("bob")) == (1, 2)


def test_a_withdrawal_ends_the_attempts_so_far_and_the_rest_is_drawn_anew() -> None:
    bench = lab(heralding(success=0.01))
    first_ns, second_ns = drawn(0.01, 2)
    assert first_ns > 1500
    lost = bench.issue("alice", Entangle, "bob")
    kept = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.later(1500, lambda: bench.plane.withdraw("alice", lost))
    bench.run()
    assert bench.outcome("alice", kept).t_ns == 1500 + second_ns


def test_requests_of_a_disturbed_link_keep_their_order() -> None:
    bench = lab(heralding(multiplexing=2))
    mine = [bench.issue("alice", Entangle, "bob") for _ in range(2)]
    yours = [bench.issue("bob", Entangle, "alice") for _ in range(2)]
    bench.plane.withdraw("alice", mine[0])
    bench.plane.withdraw("alice", mine[1])
    again = [bench.issue("alice", Entangle, "bob") for _ in range(2)]
    bench.run()
    pairs = [bench.outcome("alice", number).value.pair for number in again]
    assert [bench.outcome("bob", number).value.pair for number in yours] == pairs


def test_withdrawing_a_request_that_waits_for_a_slot_takes_none() -> None:
    bench = lab(slots=1)
    qubit = bench.qubit("alice")
    waiting = bench.issue("alice", Entangle, "bob")
    behind = bench.issue("alice", Allocate)
    bench.plane.withdraw("alice", waiting)
    bench.do("alice", Discard, [qubit])
    assert bench.outcome("alice", behind).value == "alice#2"
    assert not bench.has_ended("alice", waiting)


def test_an_allocation_withdrawn_in_the_instant_of_its_issue_leaves_no_qubit() -> None:
    bench = lab(slots=1)
    number = bench.issue("alice", Allocate)
    bench.plane.withdraw("alice", number)
    bench.run()
    assert not bench.has_ended("alice", number)
    assert bench.plane.at_end() == {}


def test_a_withdrawal_after_the_herald_changes_nothing_and_a_discard_cleans_up() -> None:
    bench = lab()
    mine = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.run(until_ns=1000)
    half = bench.outcome("alice", mine).value.qubit
    bench.plane.withdraw("alice", mine)
    assert bench.plane.registry.holder_of(half) == "alice"
    assert bench.do("alice", Discard, [half]).error is None
    assert bench.plane.at_end() == {"bob": ["alice-bob#1@bob"]}


def test_a_cut_link_lets_requests_wait_and_draws_anew_when_healed() -> None:
    bench = lab(heralding(success=0.01))
    first_ns, second_ns = drawn(0.01, 2)
    mine = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.at(first_ns - 1, lambda: bench.plane.cut("alice-bob"))
    bench.at(first_ns + 4999, lambda: bench.plane.heal("alice-bob"))
    bench.run(until_ns=first_ns)
    assert not bench.has_ended("alice", mine)
    assert bench.plane.pending("alice") == [(1, "a pair with bob: alice-bob is cut")]
    bench.run()
    assert bench.outcome("alice", mine).t_ns == first_ns + 4999 + second_ns


def test_a_request_on_a_cut_link_is_no_error() -> None:
    bench = lab()
    bench.plane.cut("alice-bob")
    bench.plane.cut("alice-bob")
    mine = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.plane.heal("alice-bob")
    assert bench.clock.next_instant() is None
    bench.plane.heal("alice-bob")
    bench.run()
    assert bench.outcome("alice", mine).error is None


def test_a_cut_at_the_instant_of_the_herald_wins() -> None:
    bench = lab()
    mine = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.at(1000, lambda: bench.plane.cut("alice-bob"))
    bench.run()
    assert not bench.has_ended("alice", mine)


def test_with_several_links_the_request_must_name_one() -> None:
    links = [link("alice", "bob", SURE, "north"), link("bob", "alice", SURE, "south")]
    bench = Lab(pair_of_nodes(), links)
    refused = bench.do("alice", Entangle, "bob")
    assert refused.error is not None and refused.error[0] == "link"
    assert "north, south" in refused.error[1]["why"]
    unknown = bench.do("alice", Entangle, "bob", "west")
    assert unknown.error is not None and "west" in unknown.error[1]["why"]
    mine = bench.issue("alice", Entangle, "bob", "south")
    bench.issue("bob", Entangle, "alice", "south")
    bench.run()
    assert bench.outcome("alice", mine).value.qubit == "south#1@alice"


def test_a_withdrawn_refusal_is_dropped() -> None:
    bench = lab()
    number = bench.issue("alice", Entangle, "carol")
    bench.plane.withdraw("alice", number)
    bench.run()
    assert not bench.has_ended("alice", number)


def test_a_second_link_shifts_no_draw_of_the_first() -> None:
    ends = []
    for extra in ([], [link("alice", "bob", SURE, "beside")]):
        bench = Lab(
            pair_of_nodes(), [link("alice", "bob", heralding(success=0.05)), *extra], seed=5
        )
        mine = bench.issue("alice", Entangle, "bob", "alice-bob")
        bench.issue("bob", Entangle, "alice", "alice-bob")
        bench.run()
        ends.append(bench.outcome("alice", mine).t_ns)
    assert ends[0] == ends[1] == drawn(0.05, 1, seed=5)[0]


# --- what light has to do first -------------------------------------------------------------------

FAR_KM, FAR_NS = 1000.0, 4_896_721


def far(success: float = 1.0, attempt_ns: int = 1000, multiplexing: int = 1) -> Quantum:
    return heralding(
        success=success, attempt_ns=attempt_ns, length_km=FAR_KM, multiplexing=multiplexing
    )


def test_attempts_follow_each_other_and_each_herald_waits_for_its_light() -> None:
    bench = lab(far(success=0.3), seed=4)
    (offset_ns,) = drawn(0.3, 1, seed=4)
    assert offset_ns > 1000
    mine = bench.issue("alice", Entangle, "bob")
    bench.later(5_000, lambda: bench.issue("bob", Entangle, "alice"))
    bench.run()
    heard = bench.outcome("alice", mine)
    assert heard.t_ns == 5_000 + offset_ns - 1000 + FAR_NS
    assert heard.value.emitted_ns == heard.t_ns - FAR_NS


def test_the_next_requests_begin_when_the_last_herald_has_come() -> None:
    bench = lab(far())
    mine = [bench.issue("alice", Entangle, "bob") for _ in range(3)]
    for _ in mine:
        bench.issue("bob", Entangle, "alice")
    bench.run()
    assert [bench.outcome("alice", each).t_ns for each in mine] == [FAR_NS, 2 * FAR_NS, 3 * FAR_NS]


def test_the_wait_for_a_pair_is_that_of_its_attempts_and_of_light() -> None:
    bench = lab(far(success=0.01, attempt_ns=100_000))
    waits_s = []
    for _ in range(400):
        start_ns = bench.clock.now_ns
        numbers = [bench.issue("alice", Entangle, "bob"), bench.issue("bob", Entangle, "alice")]
        bench.run()
        heard = [
            bench.outcome(name, each) for name, each in zip(("alice", "bob"), numbers, strict=True)
        ]
        waits_s.append((heard[0].t_ns - start_ns) * 1e-9)
        for name, each in zip(("alice", "bob"), heard, strict=True):
            bench.do(name, Discard, [each.value.qubit])
    expected_s = waiting_time(0.01, 100e-6, FAR_NS * 1e-9)
    assert expected_s == pytest.approx(99 * 100e-6 + FAR_NS * 1e-9)
    sigma_s = math.sqrt(0.99) / 0.01 * 100e-6 / math.sqrt(len(waits_s))
    assert statistics.mean(waits_s) == pytest.approx(expected_s, abs=5 * sigma_s)


@pytest.mark.parametrize("how", ["withdraws", "dies"])
def test_what_an_end_has_emitted_is_heard_of_though_it_gives_up(how: str) -> None:
    bench = lab(far(), slots=1)
    mine = bench.issue("alice", Entangle, "bob")
    yours = bench.issue("bob", Entangle, "alice")
    act = {
        "withdraws": lambda: bench.plane.withdraw("bob", yours),
        "dies": lambda: bench.kill("bob"),
    }
    bench.later(1, act[how])
    bench.run()
    heard = bench.outcome("alice", mine)
    assert (heard.t_ns, heard.value.pair) == (FAR_NS, "alice-bob#1")
    assert not bench.has_ended("bob", yours)
    half = bench.plane.registry.state([heard.value.qubit], heard.t_ns).full()
    assert abs(half - [[0.5, 0], [0, 0.5]]).max() < 1e-12
    assert bench.plane.registry.fidelity([heard.value.qubit], None, heard.t_ns) == 0.25
    assert bench.plane.at_end() == {"alice": ["alice-bob#1@alice"]}


def test_what_an_end_has_yet_to_emit_does_not_come() -> None:
    bench = lab(far(success=0.1), seed=2)
    (offset_ns,) = drawn(0.1, 1, seed=2)
    emitted_ns = offset_ns - 1000
    assert emitted_ns > 0
    mine = bench.issue("alice", Entangle, "bob")
    yours = bench.issue("bob", Entangle, "alice")
    bench.later(emitted_ns, lambda: bench.plane.withdraw("bob", yours))
    bench.run()
    assert not bench.has_ended("alice", mine)
    assert bench.plane.pending("alice")[0][1].endswith("has not asked for one on alice-bob")


def test_a_pair_that_both_ends_gave_up_is_a_pair_and_leaves_nothing() -> None:
    """Its name is used up whichever end withdraws: the next one's would tell."""
    bench = lab(far())
    numbers = [bench.issue("alice", Entangle, "bob"), bench.issue("bob", Entangle, "alice")]
    for name, number in zip(("alice", "bob"), numbers, strict=True):
        bench.later(1, lambda name=name, number=number: bench.plane.withdraw(name, number))
    again = bench.issue("alice", Entangle, "bob")
    bench.issue("bob", Entangle, "alice")
    bench.run()
    heard = bench.outcome("alice", again)
    assert (heard.t_ns, heard.value.pair) == (2 * FAR_NS, "alice-bob#2")
    assert bench.plane.at_end() == {name: [f"alice-bob#2@{name}"] for name in ("alice", "bob")}


def test_a_cut_loses_what_is_on_its_way_to_an_end_whose_peer_gave_up() -> None:
    bench = lab(far())
    mine = bench.issue("alice", Entangle, "bob")
    yours = bench.issue("bob", Entangle, "alice")
    bench.later(1, lambda: bench.plane.withdraw("bob", yours))
    bench.at(10, lambda: bench.plane.cut("alice-bob"))
    bench.at(20, lambda: bench.plane.heal("alice-bob"))
    bench.later(30, lambda: bench.issue("bob", Entangle, "alice"))
    bench.run()
    assert bench.outcome("alice", mine).t_ns == 30 + FAR_NS
