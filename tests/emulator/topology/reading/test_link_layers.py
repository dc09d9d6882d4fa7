"""What a link is: its name, its two planes, its one length."""

from __future__ import annotations

import pytest

from qnetem.emulator.closed_forms import GROUP_INDEX, LIGHT_KM_PER_S, fibre_latency_ns
from qnetem.emulator.loading import parse_topology
from qnetem.emulator.topology.model.topology import (
    Classical,
    LinkSpec,
    Quantum,
)

from ..topologies import TWO_NODES, linked, refusal


def link(entry: str, more: str = "") -> LinkSpec:
    return linked(entry, more).links["alice-bob"]


def test_a_link_without_more_is_an_instant_classical_one() -> None:
    spec = link("")
    assert (spec.name, spec.ends, spec.quantum) == ("alice-bob", ("alice", "bob"), None)
    assert spec.classical == Classical(latency_ns=0)
    assert spec.delay_ns == 0


def test_an_auto_latency_is_light_through_the_length() -> None:
    exact = 40 * GROUP_INDEX / LIGHT_KM_PER_S * 1e9
    for entry in ("length: 40 km", "length: 40 km, classical: {latency: auto}", "length: 40000 m"):
        classical = link(entry).classical
        assert classical is not None
        assert abs(classical.latency_ns - exact) <= 0.5


def test_an_auto_latency_uses_the_fibres_own_index() -> None:
    spec = link("quantum: {length: 40 km, group_index: 1}")
    assert spec.classical is not None
    assert spec.classical.latency_ns == spec.delay_ns == fibre_latency_ns(40, 1.0) == 133_426


def test_a_given_latency_stands() -> None:
    spec = link("length: 40 km, classical: {latency: 5 ms, bandwidth: 1 Mbit/s}, quantum: {}")
    assert spec.classical == Classical(latency_ns=5_000_000, bandwidth_bps=1e6)
    assert spec.delay_ns == fibre_latency_ns(40, GROUP_INDEX)


def test_even_the_shortest_fibre_takes_time() -> None:
    assert fibre_latency_ns(1e-9, 1.468) == 1 and fibre_latency_ns(0.0, 1.468) == 0


@pytest.mark.parametrize(
    "entry",
    [
        "length: 3 km, quantum: {}",
        "quantum: {length: 3 km}",
        "length: 3 km, quantum: {length: 3000 m}",
    ],
)
def test_a_link_has_one_length_on_both_planes(entry: str) -> None:
    spec = link(entry)
    assert spec.quantum is not None
    assert spec.length_km == spec.quantum.length_km == 3.0


def test_two_lengths_are_refused() -> None:
    text = f"{TWO_NODES}links:\n  - between: [alice, bob]\n    length: 1 km\n    quantum: {{length: 2 km}}"
    error = refusal(text)
    assert (error.line, error.column) == (6, 23)
    assert "the link's length is '1 km' in line 5, but '2 km' here" in error.problem


@pytest.mark.parametrize("length", ["", "length: 5 km, "])
def test_defaults_fill_the_planes_a_link_has(length: str) -> None:
    more = "defaults: {quantum: {attenuation: 0.3 dB/km, length: 2 km}, classical: {latency: 1 ms}}"
    spec = link(f"{length}quantum: {{insertion_loss: 1 dB}}", more)
    own_km = 5.0 if length else 2.0
    assert spec.quantum == Quantum(
        length_km=own_km, attenuation_db_per_km=0.3, insertion_loss_db=1.0
    )
    assert spec.length_km == own_km
    assert spec.classical == Classical(latency_ns=1_000_000)


def test_defaults_give_no_link_a_plane() -> None:
    more = "defaults: {quantum: {length: 2 km}, classical: {latency: 1 ms}}"
    assert link("", more).quantum is None
    assert link("quantum: {}, classical: none", more).classical is None


def test_a_plane_can_be_switched_off_but_not_both() -> None:
    assert link("quantum: {}, classical: none").classical is None
    assert link("quantum: none").quantum is None
    error = refusal(TWO_NODES + "links: [{between: [alice, bob], classical: none}]")
    assert "a link needs a plane" in error.problem


def test_the_simple_link_may_take_its_parameters_from_the_defaults() -> None:
    more = "defaults: {quantum: {entangle: {fidelity: 0.9, attempt: 1 ms}}}"
    quantum = link("quantum: {entangle: {success: 0}}", more).quantum
    assert quantum is not None and quantum.entangle is not None
    assert (quantum.entangle.success, quantum.entangle.fidelity) == (0.0, 0.9)
    assert (quantum.entangle.attempt_ns, quantum.entangle.multiplexing) == (1_000_000, 1)
    switched_off = link("quantum: {entangle: none}", more).quantum
    assert switched_off is not None and switched_off.entangle is None


def test_a_second_link_between_two_nodes_needs_a_name() -> None:
    links = "links:\n  - {between: [alice, bob]}\n  - {between: [bob, alice]%s}"
    named = parse_topology(TWO_NODES + links % ", name: spare")
    assert list(named.links) == ["alice-bob", "spare"]
    error = refusal(TWO_NODES + links % "")
    assert (error.line, error.column) == (5, 5)
    assert "needs a 'name:' of its own; the first is in line 4" in error.problem


def test_two_links_of_one_name_are_refused() -> None:
    text = "name: x\nnodes: {a-b: , c: , a: , b-c: }\nlinks:\n  - {between: [%s]}\n  - {between: [%s]%s}"
    error = refusal(text % ("a-b, c", "a, b-c", ""))
    assert "line 4 has a link 'a-b-c' already: expected another 'name:'" in error.problem
    error = refusal(text % ("a, c", "a, b-c", ", name: a-c"))
    assert (error.line, error.column) == (5, 31)
    assert "line 4 has a link 'a-c' already" in error.problem


def test_the_other_end_of_a_link() -> None:
    spec = link("")
    assert (spec.other_end("alice"), spec.other_end("bob")) == ("bob", "alice")
    with pytest.raises(KeyError):
        spec.other_end("carol")


@pytest.mark.parametrize(
    ("entry", "column", "said"),
    [
        (
            "{between: [alice, bobb]}",
            23,
            "links[0].between: unknown node 'bobb'; did you mean 'bob'?",
        ),
        ("{between: [alice, alice]}", 6, "a link cannot join 'alice' to itself"),
        ("{between: [alice]}", 6, "expected two node names such as [alice, bob], found a list"),
        ("{between: alice}", 15, "expected two node names such as [alice, bob], found 'alice'"),
        ("{length: 1 km}", 5, "links[0]: 'between' is missing"),
        ("{between: [alice, bob], name: a/b}", 35, "links[0].name: 'a/b' cannot be a name"),
        ("{between: [alice, bob], length: 5}", 37, "links[0].length: 5 has no unit"),
        ("{between: [alice, bob], length: 1e308 km}", 37, "expected a length such as 25 km"),
        (
            "{between: [alice, bob], lenght: 5 km}",
            29,
            "unknown key 'lenght'; did you mean 'length'?",
        ),
        ("{between: [alice, bob], quantum: }", 37, "expected a mapping, or none to switch it off"),
        ("{between: [alice, bob], quantum: fibre}", 38, "found 'fibre'"),
        ("{between: [alice, bob], quantum: {medium: air}}", 47, "'air' is not known here"),
        ("{between: [alice, bob], quantum: {attenuation: 0.2 dB}}", 52, "'0.2 dB' is a loss"),
        (
            "{between: [alice, bob], quantum: {group_index: 0.9}}",
            52,
            "expected a number (from 1 to",
        ),
        ("{between: [alice, bob], quantum: {dephasing: 2}}", 50, "a probability (from 0 to 1)"),
        ("{between: [alice, bob], classical: {latency: soon}}", 50, "expected a time"),
        ("{between: [alice, bob], classical: {latency_ns: 5}}", 41, "did you mean 'latency'?"),
        ("{between: [alice, bob], classical: {bandwidth: 0 bit/s}}", 52, "expected a bandwidth"),
        ("alice-bob", 5, "links[0]: expected a mapping, found 'alice-bob'"),
    ],
)
def test_a_wrong_link_is_refused_at_its_place(entry: str, column: int, said: str) -> None:
    error = refusal(f"{TWO_NODES}links:\n  - {entry}\n")
    assert said in error.problem
    assert (error.line, error.column) == (4, column)


@pytest.mark.parametrize(
    ("entangle", "said"),
    [
        ("{success: 0.1, fidelity: 0.9}", "entangle: 'attempt' is missing"),
        ("{success: 1.1, fidelity: 0.9, attempt: 1 ms}", "expected a probability (from 0 to 1)"),
        ("{success: 0.1, fidelity: 0.2, attempt: 1 ms}", "expected a probability (from 0.25 to 1)"),
        ("{success: 0.1, fidelity: 0.9, attempt: 0 s}", "(more than 0 ns), found '0 s'"),
        (
            "{success: 1, fidelity: 1, attempt: 1 s, multiplexing: 0}",
            "expected at least 1, found 0",
        ),
        (
            "{success: 1, fidelty: 1, attempt: 1 s}",
            "unknown key 'fidelty'; did you mean 'fidelity'?",
        ),
    ],
)
def test_a_wrong_simple_link_is_refused(entangle: str, said: str) -> None:
    link_text = f"{{between: [alice, bob], quantum: {{entangle: {entangle}}}}}"
    error = refusal(f"{TWO_NODES}links:\n  - {link_text}\n")
    assert said in error.problem and error.line == 4
