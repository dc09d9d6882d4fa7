"""Qubits sent along fibres: loss, delay, noise, slots at the far end, cuts in flight."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qnetem.emulator.optics.phase import bessel_j0
from qnetem.emulator.topology.model.fibre_sections import (
    ClassicalChannelsSpec,
    CoexistenceSpec,
    EnvironmentSpec,
    PulseSpec,
    VibrationSpec,
)
from qnetem.emulator.topology.model.topology import Gates, Memory, Quantum
from qnetem.emulator.wire import Allocate, Apply, Arrival, Discard, Entangle, Measure, Transmit

from ..plane_lab import Z_AXIS, Lab, heralding, link, node

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


def test_one_draw_a_photon_whatever_the_loss_the_gate_and_the_surroundings() -> None:
    left = []
    wandering = EnvironmentSpec(grid_ns=10**6, polarisation_drift_rad2_per_s=1.0)
    for quantum in (
        Quantum(length_km=10.0, attenuation_db_per_km=0.0),
        Quantum(length_km=10.0, attenuation_db_per_km=5.0),
        Quantum(length_km=10.0, pulse=PulseSpec(), gate_ps=20.0, environment=wandering),
    ):
        bench = lab(quantum)
        bench.do("alice", Transmit, bench.qubit("alice"), "bob")
        left.append(bench.streams.of("photon", "alice-bob:alice>bob").random())
    assert left[0] == left[1] == left[2]


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


PLUS, ONE = (1.0, 1.0), (0.0, 1.0)


def sent(bench: Lab, state: str, t_ns: int = 0, sender: str = "alice", to: str = "bob") -> str:
    """A qubit in |0>, |1> or |+> that `sender` sends at `t_ns`, after its arrival."""
    qubit = bench.qubit(sender)
    if state != "0":
        bench.issue(sender, Apply, {"1": "x", "+": "h"}[state], [qubit])
        bench.run()
    bench.later(t_ns, lambda: bench.issue(sender, Transmit, qubit, to))
    bench.run()
    return qubit


def fidelity(bench: Lab, qubit: str, target: tuple[float, float]) -> float:
    return bench.plane.registry.fidelity([qubit], target, bench.clock.now_ns)


def test_misaligned_frames_turn_polarisation_and_the_way_back_undoes_it() -> None:
    bench = lab(Quantum(misalignment_rad=0.3))
    qubit = sent(bench, "0")
    assert fidelity(bench, qubit, ONE) == pytest.approx(math.sin(0.3) ** 2, abs=1e-12)
    bench.do("bob", Transmit, qubit, "alice")
    assert fidelity(bench, qubit, ONE) == pytest.approx(0.0, abs=1e-12)


def test_polarisation_mode_dispersion_acts_on_the_polarisation_of_a_pulse_alone() -> None:
    fibre = Quantum(length_km=100.0, attenuation_db_per_km=0.0, pmd_ps_per_sqrt_km=1.0)
    pulse = {"pulse": PulseSpec(duration_ps=10.0)}  # sigma_omega = 1/(2 sigma_t)
    coherence = (1 + math.pi / 8 * (10.0 * 0.05) ** 2) ** -1.5
    for quantum, lost in (
        (fibre.model_copy(update=pulse), (1 - coherence) / 3),
        (fibre.model_copy(update={**pulse, "encoding": "phase"}), 0.0),
        (fibre, 0.0),
    ):
        bench = lab(quantum)
        assert fidelity(bench, sent(bench, "1"), ONE) == pytest.approx(1 - lost, abs=1e-12)


def test_a_photon_meets_the_surroundings_of_the_time_at_which_it_leaves() -> None:
    cell_ns = DELAY_NS // 10  # it crosses ten cells on its way
    wandering = EnvironmentSpec(grid_ns=cell_ns, polarisation_drift_rad2_per_s=5e4)
    bench = lab(Quantum(length_km=20.0, attenuation_db_per_km=0.0, environment=wandering))
    found, expected = [], []
    for cell in (1, 40, 700):
        qubit = sent(bench, "0", cell * cell_ns + cell_ns // 2)
        found.append(fidelity(bench, qubit, (1.0, 0.0)))
        noise = bench.plane.light_channel("alice-bob").at(cell * cell_ns, "alice").noise
        assert noise is not None
        expected.append((1 + noise[3, 3]) / 2)
    assert found == pytest.approx(expected, abs=1e-12)
    assert len({round(value, 6) for value in found}) == 3


def test_a_vibration_costs_visibility_whether_the_grid_follows_it_or_not() -> None:
    for grid_ns, times_ns in ((10**9, [0]), (10**6, range(0, 20 * 10**6, 10**6))):
        shaking = EnvironmentSpec(
            grid_ns=grid_ns, vibrations=[VibrationSpec(amplitude_rad=0.3, frequency_hz=50.0)]
        )
        bench = lab(Quantum(encoding="phase", environment=shaking), slots=100)
        qubits = [sent(bench, "+", t_ns) for t_ns in times_ns]
        mean = np.mean([fidelity(bench, qubit, PLUS) for qubit in qubits])
        assert mean == pytest.approx((1 + bessel_j0(0.3)) / 2, abs=1e-9)


def test_classical_channels_are_known_to_the_way_but_make_no_qubits() -> None:
    channel = ClassicalChannelsSpec(launch_power_dbm=0.0, rho_per_km_nm=3e-9)
    coexistence = CoexistenceSpec(filter_width_nm=0.2, channels=[channel])
    bench = lab(Quantum(length_km=25.0, coexistence=coexistence))
    fibre = bench.plane.light_channel("alice-bob").medium
    assert fibre.at(0).noise_rate_hz == pytest.approx(3.701e7, rel=1e-3)
    assert fibre.at(0, reverse=True).noise_rate_hz == pytest.approx(4.575e7, rel=1e-3)
    bench.at(10**9, lambda: None)
    bench.run()
    assert bench.arrivals == [] and len(bench.plane.registry) == 0


def test_a_fibre_is_as_long_for_its_photons_as_for_the_topology() -> None:
    for length_km in (0.0, 1e-9, 0.1, 20.0, 47.3, 1203.0):
        spec = link("alice", "bob", Quantum(length_km=length_km))
        bench = Lab([node("alice"), node("bob")], [spec])
        transit = bench.plane.light_channel("alice-bob").at(0, "alice")
        assert transit.delay_ns == spec.delay_ns
        assert transit.noise is None


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
