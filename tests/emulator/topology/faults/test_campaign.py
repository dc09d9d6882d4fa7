"""Random campaigns: drawn from the seed, within their limits, and refused at their place."""

from __future__ import annotations

import json

import pytest

from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.loading import Topology, parse_topology, with_seed
from qnetem.emulator.topology.faults.campaign import RANDOM_KINDS

from ..topologies import refusal

NET = (
    "name: x\nnodes: {a: {source: {}}, b: {kind: repeater, detector: {}}, c: }\nlinks: [{between: [a, b]}, "
    "{between: [b, c], quantum: {entangle: {success: 1, fidelity: 1, attempt: 1 ms}}}]\n"
)
BEAM = (
    "{between: [a, c], quantum: {medium: free_space, length: 1 km, telescope: {aperture: 1 m}, "
    "beam: {wavelength: 850 nm, divergence: {half_angle: 100 urad}}}}"
)


def campaign(said: str, seed: int = 0, more: str = "") -> Topology:
    return parse_topology(f"{NET}seed: {seed}\nfaults: {{random: {{{said}}}{more}}}\n")


def test_a_campaign_is_a_function_of_the_seed() -> None:
    said = "rate: 5 per s, until: 8 s"
    assert campaign(said, 1).faults == campaign(said, 1).faults != campaign(said, 2).faults
    assert with_seed(campaign(said, 1), 2).faults == campaign(said, 2).faults


def test_a_campaign_reaches_the_processes_of_a_run_as_it_is() -> None:
    """A run as processes hands its topology on as JSON."""
    topology = campaign("rate: 5 per s, until: 8 s, for: [2 ms, 30 ms], spare: a", 3)
    copy = Topology.from_data(json.loads(json.dumps(topology.to_data())))
    assert copy.to_data() == topology.to_data()
    again, other = with_seed(topology, 4), with_seed(copy, 4)
    assert again.to_data() == other.to_data() != topology.to_data()


def test_as_many_faults_come_as_the_rate_says() -> None:
    counts = [
        len(campaign("rate: 5 Hz, until: 8 s, kinds: [loss, cut]", seed).faults)
        for seed in range(60)
    ]
    mean, spread = 40.0, 40**0.5
    assert abs(sum(counts) / len(counts) - mean) < 3 * spread / len(counts) ** 0.5


def test_every_fault_of_a_campaign_heals_within_its_limits() -> None:
    said = "rate: 50 per s, from: 1 s, until: 9 s, for: [2 ms, 30 ms]"
    beam = NET.replace("}]\n", f"}}, {BEAM}]\n")
    faults = parse_topology(f"{beam}faults: {{random: {{{said}}}}}\n").faults
    assert {fault.verb for fault in faults} == set(RANDOM_KINDS)
    for fault in faults:
        kind = FAULT_KINDS[fault.verb]
        assert 10**9 <= fault.at_ns < 9 * 10**9
        if kind.lasting:
            assert fault.for_ns is not None and 2_000_000 <= fault.for_ns <= 30_000_000
        if fault.verb == "kill":
            restart = fault.parameters["restart"]
            assert isinstance(restart, int) and 2_000_000 <= restart <= 30_000_000
        for name, parameter in kind.parameters.items():
            value = fault.parameters[name]
            if parameter.required:
                assert value is not None
            if parameter.dimension == "time":  # offsets of clocks too: drawn like a duration
                assert isinstance(value, int) and 2_000_000 <= value <= 30_000_000


def test_no_node_is_killed_that_is_dead() -> None:
    said = "rate: 200 per s, until: 5 s, kinds: [kill, restart], for: 40 ms"
    dead_until: dict[str, int] = {}
    faults = campaign(said).faults
    for fault in faults:
        assert fault.at_ns > dead_until.get(fault.target, -1)
        after = fault.parameters["restart" if fault.verb == "kill" else "after"]
        assert isinstance(after, int)
        dead_until[fault.target] = fault.at_ns + after
    assert len(faults) > 50


def test_who_is_spared_is_no_target() -> None:
    said = "rate: 50 per s, until: 5 s, kinds: [kill, cut], spare: [a, c, a-b]"
    assert {fault.target for fault in campaign(said).faults} == {"b", "b-c"}


def test_no_partition_of_a_campaign_cuts_a_spared_link() -> None:
    ring = "".join(f"{{between: [{a}, {b}]}}, " for a, b in ("ab", "bc", "cd", "de", "ea"))
    net = f"name: x\nnodes: {{a: , b: , c: , d: , e: }}\nlinks: [{ring}]\n"
    said = "rate: 50 per s, until: 5 s, kinds: [partition]"
    for spare in (["a-b", "b-c"], ["a-b", "a"], ["e-a"]):
        text = f"{net}faults: {{random: {{{said}, spare: [{', '.join(spare)}]}}}}\n"
        faults = parse_topology(text).faults
        cut = {link for fault in faults for link in fault.members}
        assert len(faults) > 100 and cut.isdisjoint(spare)
        assert len({fault.target for fault in faults}) > 1
        groups = [fault.target for fault in faults]
        frozen = [f"{{at: 1 s, partition: [[{group}]]}}" for group in dict.fromkeys(groups)]
        again = parse_topology(f"{net}faults: [{', '.join(frozen)}]\n").faults
        members = {fault.target: fault.members for fault in faults}
        assert {fault.target: fault.members for fault in again} == members
    joined = "[a-b, b-c, c-d, d-e]"
    problem = refusal(f"{net}faults: {{random: {{{said}, spare: {joined}}}}}\n").problem
    assert "no node or link is left" in problem


def test_a_schedule_goes_before_a_campaign_and_is_not_shifted_by_it() -> None:
    said = "rate: 50 per s, until: 5 s, kinds: [kill]"
    schedule = ", schedule: [{at: 1 s, kill: one, restart: 4 s}]"
    found = campaign(said, more=schedule).faults
    first = parse_topology(f"{NET}faults: [{{at: 1 s, kill: one, restart: 4 s}}]\n").faults
    assert found[0].model_dump() == first[0].model_dump()
    dead = found[0].target
    assert all(fault.at_ns < 10**9 for fault in found[1:] if fault.target == dead)


@pytest.mark.parametrize(
    ("said", "column", "problem"),
    [
        ("random: 3", 20, "faults.random: expected a mapping, found 3"),
        ("random: {until: 1 s}", 12, "faults.random: 'rate' is missing"),
        ("random: {rate: 1 s, until: 1 s}", 27, "'1 s' is a time"),
        ("random: {rate: 0 Hz, until: 1 s}", 27, "expected a frequency"),
        ("random: {rate: 1 Hz}", 12, "faults.random: 'until' is missing"),
        ("random: {rate: 1 Hz, until: 1 s, kinds: [kil]}", 53, "did you mean 'kill'?"),
        ("random: {rate: 1 Hz, until: 1 s, spare: [d]}", 53, "'d' is not known here"),
        ("random: {rate: 1 Hz, until: 1 s, form: 2 s}", 45, "unknown key 'form'"),
        ("random: {rate: 1 Hz, until: 1 s, for: [2 s, 1 s]}", 45, "the shortest and the longest"),
        ("random: {rate: 1 Hz, from: 2 s, until: 1 s}", 51, "ends before it begins"),
        ("random: {rate: 1 GHz, until: 1 s}", 27, "1000000000 faults are to be expected"),
        (
            "random: {rate: 9 Hz, until: 1 s, spare: [a, b, c], kinds: kill}",
            12,
            "no node or link is left",
        ),
        ("randon: {}", 12, "unknown key 'randon'; did you mean 'random'?"),
        ("schedule: 3", 22, "faults.schedule: expected a list, found 3"),
    ],
)
def test_a_wrong_campaign_is_refused_at_its_place(said: str, column: int, problem: str) -> None:
    error = refusal(f"{NET}faults:   {{{said}}}\n")
    assert problem in error.problem
    assert (error.line, error.column) == (4, column)
