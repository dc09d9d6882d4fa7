"""Qubits sent along fibres: loss, delay, noise, slots at the far end, cuts in flight."""

from __future__ import annotations

import math

import pytest

from qnetem.emulator.topology.model import Gates, Memory, Quantum
from qnetem.emulator.wire import Allocate, Apply, Arrival, Discard, Entangle, Measure, Transmit

from .plane_lab import Z_AXIS, Lab, heralding, link, node

CLEAR = Quantum(length_km=20.0, attenuation_db_per_km=0.0)


def lab(quantum: Quantum = CLEAR, slots: int = 16, t2_ns: int | None = None, seed: int = 1) -> Lab:
    nodes = [node("alice"), node("bob", memory=Memory(slots=slots, t2_ns=t2_ns))]
    return Lab(nodes, [link("alice", "bob", quantum)], seed)


DELAY_NS = link("alice", "bob", CLEAR).delay_ns


def test_a_photon_arrives_after_the_fibre_s_delay() -> None:
    bench = lab()
    qubit = bench.qubit("alice")
    sent = bench.issue("alice", Transmit, qubit, "bob")
    bench.run(until_ns=0)
    assert (bench.outcome("alice", sent).t_ns, bench.outcome("alice", sent).value) == (0, None)
    assert bench.plane.registry.holder_of(qubit) == ""
    assert bench.plane.slots_used("alice") == 0
    bench.run()
    arrival = Arrival("alice", "alice-bob", qubit, DELAY_NS)
    assert bench.arrivals == [("bob", DELAY_NS, arrival)]
    assert bench.plane.registry.holder_of(qubit) == "bob"
    assert bench.plane.slots_used("bob") == 1
    assert DELAY_NS > 0


def test_it_leaves_after_the_operations_before_it() -> None:
    nodes = [node("alice", gates=Gates(single_ns=50)), node("bob")]
    bench = Lab(nodes, [link("alice", "bob", CLEAR)])
    qubit = bench.qubit("alice")
    bench.issue("alice", Apply, "x", [qubit])
    sent = bench.issue("alice", Transmit, qubit, "bob")
    bench.run()
    assert bench.outcome("alice", sent).t_ns == 50
    assert bench.arrivals[0][1] == 50 + DELAY_NS
    assert bench.do("bob", Measure, qubit, Z_AXIS).value == 1


def test_the_slot_is_free_at_once() -> None:
    bench = Lab([node("alice", memory=Memory(slots=1)), node("bob")], [link("alice", "bob", CLEAR)])
    bench.issue("alice", Transmit, bench.qubit("alice"), "bob")
    second = bench.issue("alice", Allocate)
    bench.run(until_ns=0)
    assert bench.outcome("alice", second).value == "alice#2"


def test_a_qubit_that_was_sent_is_no_longer_the_sender_s() -> None:
    bench = lab()
    qubit = bench.qubit("alice")
    bench.issue("alice", Transmit, qubit, "bob")
    late = bench.issue("alice", Apply, "x", [qubit])
    bench.run()
    error = bench.outcome("alice", late).error
    assert error is not None and error[0] == "qubit"
    assert error[1]["why"].startswith("sent to bob")


def test_loss_comes_at_the_fibre_s_rate_and_is_silent() -> None:
    bench = lab(Quantum(length_km=10.0, attenuation_db_per_km=0.3), slots=1000)
    count, survival = 600, 10 ** (-3.0 / 10)
    for _ in range(count):
        assert bench.do("alice", Transmit, bench.qubit("alice"), "bob").error is None
    arrived = len(bench.arrivals)
    sigma = math.sqrt(count * survival * (1 - survival))
    assert arrived == pytest.approx(count * survival, abs=5 * sigma)
    assert bench.metrics.counts["links.alice-bob.photons_sent"] == count
    assert bench.metrics.counts["links.alice-bob.photons_lost"] == count - arrived
    assert len(bench.plane.registry) == arrived


def test_one_draw_a_photon_whatever_the_loss() -> None:
    left = []
    for attenuation in (0.0, 5.0):
        bench = lab(Quantum(length_km=10.0, attenuation_db_per_km=attenuation))
        bench.do("alice", Transmit, bench.qubit("alice"), "bob")
        left.append(bench.streams.of("photon", "alice-bob:alice>bob").random())
    assert left[0] == left[1]


def test_the_fibre_s_noise_is_applied_once_and_no_memory_decay_in_flight() -> None:
    quantum = Quantum(length_km=20.0, attenuation_db_per_km=0.0, depolarising=0.2)
    nodes = [node(name, memory=Memory(t1_ns=1000)) for name in ("alice", "bob")]
    bench = Lab(nodes, [link("alice", "bob", quantum)])
    qubit = bench.qubit("alice")
    bench.issue("alice", Apply, "x", [qubit])
    bench.issue("alice", Transmit, qubit, "bob")
    bench.run()
    fidelity = bench.plane.registry.fidelity([qubit], [0, 1], bench.clock.now_ns)
    assert fidelity == pytest.approx(0.9, abs=1e-12)


def test_an_arrival_without_a_free_slot_is_lost() -> None:
    bench = lab(slots=1)
    first, second = bench.qubit("alice"), bench.qubit("alice")
    bench.issue("alice", Transmit, first, "bob")
    bench.issue("alice", Transmit, second, "bob")
    bench.run()
    assert [arrival.qubit for _, _, arrival in bench.arrivals] == [first]
    assert bench.plane.registry.holder_of(second) is None
    assert bench.metrics.counts["links.alice-bob.photons_lost"] == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_what_a_dead_node_had_sent_still_arrives(restarts: bool) -> None:
    bench = lab()
    qubit = bench.qubit("alice")
    bench.issue("alice", Transmit, qubit, "bob")
    bench.at(10, lambda: bench.kill("alice"))
    if restarts:
        bench.at(20, lambda: bench.join("alice"))
    bench.run()
    assert [arrival.qubit for _, _, arrival in bench.arrivals] == [qubit]


def test_what_arrives_at_a_dead_node_is_lost() -> None:
    bench = lab()
    qubit = bench.qubit("alice")
    bench.issue("alice", Transmit, qubit, "bob")
    bench.at(DELAY_NS, lambda: bench.kill("bob"))
    bench.run()
    assert bench.arrivals == []
    assert len(bench.plane.registry) == 0
    assert bench.plane.slots_used("bob") == 0


@pytest.mark.parametrize(("cut_ns", "healed_ns"), [(0, 10), (10, 20), (DELAY_NS, DELAY_NS + 1)])
def test_a_cut_loses_what_is_in_flight_at_any_time_of_it(cut_ns: int, healed_ns: int) -> None:
    bench = lab()
    qubit = bench.qubit("alice")
    bench.issue("alice", Transmit, qubit, "bob")
    bench.at(cut_ns, lambda: bench.plane.cut("alice-bob"))
    bench.at(healed_ns, lambda: bench.plane.heal("alice-bob"))
    bench.run()
    assert bench.arrivals == []
    assert bench.plane.registry.holder_of(qubit) is None
    assert bench.metrics.counts["links.alice-bob.photons_lost"] == 1


def test_after_a_heal_light_passes_again() -> None:
    bench = lab()
    bench.plane.cut("alice-bob")
    bench.plane.heal("alice-bob")
    bench.do("alice", Transmit, bench.qubit("alice"), "bob")
    assert len(bench.arrivals) == 1


def test_half_of_a_pair_keeps_its_entanglement_on_the_way() -> None:
    nodes = [node("alice"), node("bob"), node("carol")]
    bench = Lab(nodes, [link("alice", "bob", heralding()), link("bob", "carol", CLEAR)])
    bench.issue("alice", Entangle, "bob")
    yours = bench.issue("bob", Entangle, "alice")
    bench.run()
    half = bench.outcome("bob", yours).value.qubit
    bench.do("bob", Transmit, half, "carol")
    assert bench.plane.registry.holder_of(half) == "carol"
    fidelity = bench.plane.registry.fidelity(["alice-bob#1@alice"], None, bench.clock.now_ns)
    assert fidelity == pytest.approx(1.0, abs=1e-12)


def test_a_fibre_of_no_length_delivers_at_the_next_microstep() -> None:
    bench = lab(Quantum())
    bench.do("alice", Transmit, bench.qubit("alice"), "bob")
    assert bench.arrivals[0][1] == 0
    assert (bench.clock.now_ns, bench.clock.m) == (0, 3)


def test_a_received_qubit_can_be_discarded() -> None:
    bench = lab()
    qubit = bench.qubit("alice")
    bench.do("alice", Transmit, qubit, "bob")
    assert bench.do("bob", Discard, [qubit]).error is None
    assert bench.plane.at_end() == {}
