"""Heralded links of every kind on the plane: each end hears in its own time, raw pairs, promotion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qnetem.emulator.closed_forms import fibre_latency_ns
from qnetem.emulator.errors import OperationError, TopologyError
from qnetem.emulator.quantum.formalism import Formalism
from qnetem.emulator.quantum.links.heralding import heralding, source_of
from qnetem.emulator.quantum.node.registry import Registry
from qnetem.emulator.states.bell_diagonal import BellDiagonal
from qnetem.emulator.states.states import bell_vector
from qnetem.emulator.topology.model.entangle import (
    ClickDetectorSpec,
    DetectionSpec,
    EmitterSpec,
    EntangleSpec,
    HeraldingKind,
    LatchingSpec,
)
from qnetem.emulator.topology.model.topology import LinkSpec, Memory, Quantum, Topology
from qnetem.emulator.wire import Allocate, Apply, Discard, Entangle

from .plane_lab import Lab, link, node

SURE = EntangleSpec(
    kind="midpoint_source",
    clock_ns=1_000,
    pair_probability=1.0,
    station=0.2,
    latching=LatchingSpec(),
)
CLEAN: dict[str, Any] = {"attenuation_db_per_km": 0.0, "group_index": 1.468}


def joined(spec: EntangleSpec, length_km: float = 100.0) -> LinkSpec:
    return link("alice", "bob", Quantum(length_km=length_km, entangle=spec, **CLEAN))


def lab(
    spec: EntangleSpec, length_km: float = 100.0, seed: int = 1, memories: tuple[Memory, ...] = ()
) -> Lab:
    alice, bob = memories or (Memory(), Memory())
    nodes = [node("alice", memory=alice), node("bob", memory=bob)]
    return Lab(nodes, [joined(spec, length_km)], seed)


def clicks(kind: HeraldingKind = "double_click", total: float = 1.0, **more: Any) -> EntangleSpec:
    detection = DetectionSpec(first=total, second=total)
    return EntangleSpec(kind=kind, detection=detection, **more)


#: Photons meet 20 km from alice, 80 km from bob.
NEAR_NS, FAR_NS = fibre_latency_ns(20), fibre_latency_ns(80)


def asked(bench: Lab, raw: tuple[bool, bool] = (False, False)) -> tuple[int, int]:
    mine = bench.issue("alice", Entangle, "bob", None, raw[0])
    return mine, bench.issue("bob", Entangle, "alice", None, raw[1])


# --- bright populations --------------------------------------------------------------------------


def test_only_requests_of_one_alpha_match_and_the_pair_is_that_of_their_alpha() -> None:
    bench = lab(clicks("single_click", 0.4, alpha=0.3), length_km=1.0)
    asked_for = [0.1, None, 0.2]
    mine = [bench.issue("alice", Entangle, "bob", None, False, "", each) for each in asked_for]
    yours = [
        bench.issue("bob", Entangle, "alice", None, False, "", each) for each in (0.2, 0.1, None)
    ]
    bench.run()
    pairs = [bench.outcome("alice", number).value for number in mine]
    others = {bench.outcome("bob", number).value.pair for number in yours}
    assert {pair.pair for pair in pairs} == others
    for pair, alpha in zip(pairs, (0.1, 0.3, 0.2), strict=True):
        source = source_of_alpha(alpha)
        assert pair.goodness == pytest.approx(source.fidelity, abs=1e-12)
    shown = [
        bench.plane.heralded_links.by_name["alice-bob"].source.at(a).success for a in (0.1, 0.3)
    ]
    assert shown == pytest.approx([source_of_alpha(a).success for a in (0.1, 0.3)], rel=1e-12)


def source_of_alpha(alpha: float) -> Any:
    """A link that has this bright population as its own."""
    found = heralding(joined(clicks("single_click", 0.4, alpha=alpha), 1.0))
    assert found is not None
    return found


# --- each end in its own time ---------------------------------------------------------------------


def test_each_end_hears_when_the_herald_reaches_it_and_its_half_is_as_old_as_its_photon() -> None:
    bench = lab(clicks(station=0.2))
    mine, yours = asked(bench)
    bench.run()
    left, right = bench.outcome("alice", mine), bench.outcome("bob", yours)
    assert left.t_ns - left.value.emitted_ns == 2 * NEAR_NS
    assert right.t_ns - right.value.emitted_ns == 2 * FAR_NS
    assert right.t_ns - left.t_ns == FAR_NS - NEAR_NS
    assert right.t_ns % (2 * FAR_NS) == 0, "the far end hears at the end of an attempt"
    assert left.value.pair == right.value.pair
    assert left.value.goodness == right.value.goodness == pytest.approx(1.0)


@pytest.mark.parametrize("far_first", [False, True])
def test_each_half_decays_from_its_own_emission(far_first: bool) -> None:
    """Dephasing at each end by its own T2: F = [1 + exp(-t/T2 - t'/T2')]/2."""
    t2_ns, other_t2_ns = 1_000_000, 300_000
    memories = (Memory(t2_ns=t2_ns), Memory(t2_ns=other_t2_ns))
    bench = lab(clicks(station=0.8 if far_first else 0.2), memories=memories)
    mine, yours = asked(bench)
    near, far = ("bob", "alice") if far_first else ("alice", "bob")
    while not bench.outcomes:
        bench.step()
    (first_to_hear,) = bench.outcomes
    assert first_to_hear[0] == near
    emission_ns = {near: NEAR_NS + NEAR_NS, far: NEAR_NS + FAR_NS}
    check_fidelity(bench, emission_ns, {"alice": t2_ns, "bob": other_t2_ns})
    bench.run()
    assert bench.has_ended("alice", mine) and bench.has_ended("bob", yours)
    age_ns = {near: FAR_NS + NEAR_NS, far: FAR_NS + FAR_NS}
    check_fidelity(bench, age_ns, {"alice": t2_ns, "bob": other_t2_ns})


def check_fidelity(bench: Lab, age_ns: dict[str, int], t2_ns: dict[str, int]) -> None:
    """Of pair 1, now, beside the closed form."""
    got = bench.plane.registry.fidelity(["alice-bob#1@alice"], None, bench.clock.now_ns)
    exponent = sum(age_ns[name] / t2_ns[name] for name in age_ns)
    assert got == pytest.approx((1 + math.exp(-exponent)) / 2, abs=1e-12)


def test_a_pair_with_two_emission_times_decays_by_both() -> None:
    class Dephasing:
        def between(self, from_ns: int, to_ns: int) -> np.ndarray:
            factor = math.exp(-(to_ns - from_ns) / 1e6)
            return np.diag([1.0, factor, factor, 1.0])

    qubits = Registry(lambda holder: Dephasing())
    density = np.outer(bell_vector(0), bell_vector(0).conj())
    qubits.create_pair("a", "alice", "b", "bob", density, 100_000, 700_000)
    assert (qubits.born_ns("a"), qubits.born_ns("b")) == (100_000, 700_000)
    expected = (1 + math.exp(-(0.9 + 0.3))) / 2
    assert qubits.fidelity(["a", "b"], None, 1_000_000) == pytest.approx(expected, abs=1e-12)


def test_the_link_is_busy_until_both_have_heard() -> None:
    bench = lab(SURE)
    first, second = asked(bench), asked(bench)
    bench.run()
    heard = [
        (bench.outcome("alice", mine).t_ns, bench.outcome("bob", yours).t_ns)
        for mine, yours in (first, second)
    ]
    # A half is latched as its photon comes, and each end hears of the other's latch over both fibres.
    whole = NEAR_NS + FAR_NS
    assert sorted(heard[0]) == [NEAR_NS + whole, FAR_NS + whole]
    assert [later - earlier for earlier, later in zip(*heard, strict=True)] == [FAR_NS + whole] * 2


def test_multiplexed_attempts_overlap() -> None:
    spec = SURE.model_copy(update={"multiplexing": 2})
    bench = lab(spec)
    first, second = asked(bench), asked(bench)
    bench.run()
    assert bench.outcome("bob", first[1]).t_ns == bench.outcome("bob", second[1]).t_ns


# --- between the heralds --------------------------------------------------------------------------


def between_heralds(bench: Lab) -> tuple[int, int]:
    """Alice has heard, bob has not: 100 ns after her herald."""
    mine, yours = asked(bench)
    while not bench.has_ended("alice", mine):
        bench.step()
    assert not bench.has_ended("bob", yours)
    return mine, yours


def test_the_far_half_lies_in_its_slot_before_its_end_has_heard() -> None:
    bench = lab(clicks(station=0.2))
    between_heralds(bench)
    assert bench.plane.slots_used("bob") == 1
    assert bench.plane.at_end() == {"alice": ["alice-bob#1@alice"], "bob": ["alice-bob#1@bob"]}
    assert bench.plane.pending("bob") == [(1, "a pair with alice: its herald is on the way")]


def test_a_withdrawal_between_the_heralds_gives_up_that_half_only() -> None:
    bench = lab(clicks(station=0.2))
    mine, yours = between_heralds(bench)
    bench.plane.withdraw("bob", yours)
    half = bench.outcome("alice", mine).value.qubit
    assert bench.plane.registry.holder_of("alice-bob#1@bob") is None
    assert bench.plane.registry.size(half) == 1, "what is left of the pair is alice's half"
    assert bench.plane.slots_used("bob") == 0
    bench.run()
    assert not bench.has_ended("bob", yours)
    assert bench.do("alice", Discard, [half]).error is None
    assert bench.plane.at_end() == {}


def test_after_such_a_withdrawal_the_next_requests_are_served() -> None:
    bench = lab(clicks(station=0.2))
    _, yours = between_heralds(bench)
    again = asked(bench)
    bench.plane.withdraw("bob", yours)
    bench.run()
    assert bench.outcome("alice", again[0]).value.pair == "alice-bob#2"
    assert bench.outcome("bob", again[1]).value.pair == "alice-bob#2"


def test_a_cut_between_the_heralds_stops_nothing() -> None:
    bench = lab(clicks(station=0.2))
    mine, yours = between_heralds(bench)
    bench.plane.cut("alice-bob")
    waiting = asked(bench)
    bench.run()
    assert bench.outcome("bob", yours).value.pair == bench.outcome("alice", mine).value.pair
    assert not bench.has_ended("alice", waiting[0])
    bench.plane.heal("alice-bob")
    bench.run()
    assert bench.outcome("alice", waiting[0]).value.pair == "alice-bob#2"


def test_a_cut_before_the_earlier_herald_ends_the_attempts() -> None:
    bench = lab(clicks(station=0.2))
    mine, yours = asked(bench)
    bench.at(FAR_NS + NEAR_NS - 1, lambda: bench.plane.cut("alice-bob"))
    bench.run()
    assert not bench.has_ended("alice", mine) and not bench.has_ended("bob", yours)
    assert "is cut" in bench.plane.pending("bob")[0][1]


@pytest.mark.parametrize("dead", ["alice", "bob"])
def test_a_death_between_the_heralds_takes_the_dead_nodes_half(dead: str) -> None:
    bench = lab(clicks(station=0.2))
    _, yours = between_heralds(bench)
    bench.kill(dead)
    bench.run()
    alive = "bob" if dead == "alice" else "alice"
    assert bench.has_ended("bob", yours) == (dead == "alice")
    assert bench.plane.at_end() == {alive: [f"alice-bob#1@{alive}"]}
    assert bench.plane.registry.size(f"alice-bob#1@{alive}") == 1
    bench.join(dead)
    again = asked(bench)
    bench.run()
    assert bench.outcome("alice", again[0], bench.incarnations["alice"]).error is None
    assert bench.outcome("bob", again[1], bench.incarnations["bob"]).error is None


def test_the_halfs_slot_is_free_for_others_after_a_withdrawal() -> None:
    bench = lab(clicks(station=0.2), memories=(Memory(), Memory(slots=1)))
    _, yours = between_heralds(bench)
    waiting = bench.issue("bob", Allocate)
    assert "a free slot" in bench.plane.pending("bob")[1][1]
    bench.plane.withdraw("bob", yours)
    bench.run()
    assert not bench.has_ended("bob", yours)
    assert bench.outcome("bob", waiting).error is None


# --- raw pairs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [(True, True), (True, False), (False, True)])
def test_raw_at_either_end_gives_both_the_heralded_bell_state(raw: tuple[bool, bool]) -> None:
    bench, seen = lab(clicks(visibility=0.9)), set()
    for _ in range(12):
        mine, yours = asked(bench, raw)
        bench.run()
        left, right = bench.outcome("alice", mine).value, bench.outcome("bob", yours).value
        assert left.bell == right.bell in (1, 3)
        now_ns, halves = bench.clock.now_ns, [left.qubit, right.qubit]
        got = bench.plane.registry.fidelity(halves, bell_vector(left.bell), now_ns)
        assert got == pytest.approx(0.95, abs=1e-12)
        seen.add(left.bell)
        bench.do("alice", Apply, "x", [left.qubit])
        if left.bell & 2:
            bench.do("alice", Apply, "z", [left.qubit])
        got = bench.plane.registry.fidelity(halves, None, bench.clock.now_ns)
        assert got == pytest.approx(0.95, abs=1e-12)
        bench.do("alice", Discard, [left.qubit])
        bench.do("bob", Discard, [right.qubit])
    assert seen == {1, 3}


def test_without_raw_every_pair_is_about_phi_plus_and_no_node_hears_of_the_bell_state() -> None:
    bench = lab(clicks(visibility=0.9))
    for _ in range(6):
        mine, yours = asked(bench)
        bench.run()
        left, right = bench.outcome("alice", mine).value, bench.outcome("bob", yours).value
        assert left.bell == right.bell == 0
        got = bench.plane.registry.fidelity([left.qubit], None, bench.clock.now_ns)
        assert got == pytest.approx(0.95, abs=1e-12)
        bench.do("alice", Discard, [left.qubit])
        bench.do("bob", Discard, [right.qubit])


def test_raw_shifts_no_draw() -> None:
    ends = []
    for raw in ((False, False), (True, True)):
        bench = lab(clicks(total=0.3))
        times = []
        for _ in range(5):
            mine, yours = asked(bench, raw)
            bench.run()
            times.append(bench.outcome("alice", mine).t_ns)
            bench.do("alice", Discard, [bench.outcome("alice", mine).value.qubit])
            bench.do("bob", Discard, [bench.outcome("bob", yours).value.qubit])
        ends.append(times)
    assert ends[0] == ends[1]


# --- formalisms -----------------------------------------------------------------------------------

SINGLE = EntangleSpec(
    kind="single_click",
    alpha=0.2,
    preparation_ns=5_500,
    emitter=EmitterSpec(zero_phonon=0.5, collection=0.2, lifetime_ps=12_000.0),
    detector=ClickDetectorSpec(efficiency=0.8, dark_count_rate_hz=20.0, window_ps=25_000.0),
    phase_noise_rad=0.2,
)


def test_a_single_click_pair_is_not_bell_diagonal_so_auto_promotes() -> None:
    source = heralding(joined(SINGLE, 0.002))
    assert source is not None
    chosen = Formalism("auto")
    assert not isinstance(chosen.pair(source.density(), 0.0), BellDiagonal)
    twice = heralding(joined(clicks(visibility=0.9)))
    assert twice is not None and isinstance(chosen.pair(twice.density(), 0.0), BellDiagonal)


def test_bell_diagonal_refuses_single_clicks_before_a_run_unless_they_may_be_twirled() -> None:
    spec = joined(SINGLE, 0.002)
    nodes = {name: node(name) for name in ("alice", "bob")}
    settings: dict[str, Any] = {"name": "bench", "nodes": nodes, "links": {spec.name: spec}}
    for formalism in ("bell_diagonal", "stabilizer"):
        with pytest.raises(TopologyError, match=r"pairs on alice-bob: not a Bell-diagonal state"):
            source_of(Topology(formalism=formalism, **settings), spec)
        source = heralding(spec)
        assert source is not None
        with pytest.raises(OperationError):
            Formalism(formalism).pair(source.density(), 0.0)
        assert source_of(Topology(formalism=formalism, approximate="twirl", **settings), spec)
