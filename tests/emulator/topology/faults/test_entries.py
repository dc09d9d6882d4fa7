"""Entries of `faults`, by the table of faults."""

from __future__ import annotations

import pytest

from qnetem.emulator.errors import TopologyError
from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.loading import parse_topology, with_seed, with_until
from qnetem.emulator.topology.model.faults import FaultSpec

from ..topologies import TWO_NODES, linked, refusal

LINK = "links: [{between: [alice, bob]}]\n"


def faults(*entries: str) -> list[FaultSpec]:
    return linked("", "faults: [" + ", ".join(entries) + "]").faults


@pytest.mark.parametrize(
    ("entry", "verb", "target", "at_ns", "for_ns", "parameters"),
    [
        ("{at: 4 s, kill: bob}", "kill", "bob", 4 * 10**9, None, {"restart": None}),
        ("{at: 0 s, kill: bob, restart: 1 ms}", "kill", "bob", 0, None, {"restart": 1_000_000}),
        ("{at: 1 ns, cut: alice-bob}", "cut", "alice-bob", 1, None, {"only": None}),
        (
            "{at: 1 s, for: 2 ms, cut: alice-bob, only: classical}",
            "cut",
            "alice-bob",
            10**9,
            2_000_000,
            {"only": "classical"},
        ),
        (
            "{at: 1 s, loss: alice-bob, probability: 30 %}",
            "loss",
            "alice-bob",
            10**9,
            None,
            {"probability": 0.3},
        ),
        ("{at: 1 s, delay: alice-bob, by: 5 us}", "delay", "alice-bob", 10**9, None, {"by": 5000}),
    ],
)
def test_an_entry_is_read_into_nanoseconds_with_every_parameter(
    entry: str,
    verb: str,
    target: str,
    at_ns: int,
    for_ns: int | None,
    parameters: dict[str, object],
) -> None:
    (fault,) = faults(entry)
    assert (fault.verb, fault.target, fault.at_ns, fault.for_ns) == (verb, target, at_ns, for_ns)
    assert fault.parameters == parameters


def test_faults_keep_the_order_of_the_file() -> None:
    entries = faults("{at: 2 s, cut: alice-bob}", "{at: 1 s, kill: bob}")
    assert [fault.verb for fault in entries] == ["cut", "kill"]


@pytest.mark.parametrize(
    ("entry", "column", "said"),
    [
        ("{at: 1 s, cutt: alice-bob}", 15, "unknown fault 'cutt'; did you mean 'cut'?"),
        ("{at: 1 s, for: 2 s}", 5, f"no fault is named: expected one of {', '.join(FAULT_KINDS)}"),
        ("{at: 1 s, cut: alice-bob, kill: bob}", 37, "cut and kill are two faults: expected one"),
        ("{cut: alice-bob}", 5, "faults[0]: 'at' is missing"),
        ("{at: -1 s, cut: alice-bob}", 10, "(of 0 ns or more), found '-1 s'"),
        ("{at: soon, cut: alice-bob}", 10, "faults[0].at: expected a time"),
        ("{at: 1 s, for: 0 s, cut: alice-bob}", 20, "(more than 0 ns), found '0 s'"),
        ("{at: 1 s, for: 1 s, kill: bob}", 15, "kill does not last, so it takes no 'for'"),
        ("{at: 1 s, cut: alice-bib}", 20, "unknown link 'alice-bib'; did you mean 'alice-bob'?"),
        ("{at: 1 s, kill: bobb}", 21, "unknown node 'bobb'; did you mean 'bob'?"),
        ("{at: 1 s, kill: alice-bob}", 21, "unknown node 'alice-bob'"),
        (
            "{at: 1 s, kill: [bib]}",
            22,
            "faults[0].kill[0]: unknown node 'bib'; did you mean 'bob'?",
        ),
        ("{at: 1 s, kill: []}", 15, "expected a node, a list of them, all, one, a share"),
        ("{at: 1 s, kill: 0 %}", 21, "expected a probability (above 0 to 1)"),
        ("{at: 1 s, kill: {kind: repeatr}}", 28, "unknown kind 'repeatr'; did you mean"),
        ("{at: 1 s, kill: {pick: two}}", 28, "expected all, one or a share such as 50 %"),
        ("{at: 1 s, kill: {node: bob}}", 22, "unknown key 'node' for a node"),
        ("{at: 1 s, kill: {kind: satellite}}", 15, "kill: no node fits kind satellite"),
        ("{at: 1 s, cut: {node: carol}}", 27, "unknown node 'carol'"),
        ("{at: 1 s, partition: [[alice], [alice, bob]]}", 37, "'alice' stands twice"),
        ("{at: 1 s, partition: [[alice, bob]]}", 15, "one group of all nodes is no partition"),
        ("{at: 1 s, every: 1 s, cut: alice-bob}", 22, "'every' needs an end: expected until"),
        ("{at: 3 s, every: 1 s, until: 2 s, cut: one}", 34, "ends at 2 s, before it begins at 3 s"),
        ("{every: 1 ns, until: 1 s, cut: one}", 13, "999999999 times: expected at most 100000"),
        ("{at: 1 s, until: 2 s, cut: alice-bob}", 15, "'until' goes with 'every'"),
        ("{at: 1 s, pause: bob, signal: 1}", 35, "expected true or false, found 1"),
        ("{at: 1 s, corrupt: one, probability: 1, bits: 0}", 51, "a whole number from 1 to 64"),
        ("{at: 1 s, jitter: alice-bob, by: 0 s}", 38, "(more than 0 ns), found '0 s'"),
        ("{at: 1 s, kill: bob, restart: 0 s}", 35, "faults[0].restart: expected a time"),
        ("{at: 1 s, kill: bob, resart: 1 s}", 26, "unknown key 'resart' for kill; did you mean"),
        ("{at: 1 s, cut: alice-bob, only: quantumm}", 37, "did you mean 'quantum'?"),
        ("{at: 1 s, cut: alice-bob, only: [quantum]}", 31, "a list is not known here"),
        ("{at: 1 s, loss: alice-bob}", 5, "faults[0]: 'probability' is missing"),
        ("{at: 1 s, loss: alice-bob, probability: 2}", 45, "expected a probability (from 0 to 1)"),
        ("{at: 1 s, delay: alice-bob, by: 5 km}", 37, "'5 km' is a length: expected a time"),
        ("{at: 1 s, delay: alice-bob, by: -5 ms}", 37, "found '-5 ms'"),
    ],
)
def test_a_wrong_fault_is_refused_at_its_place(entry: str, column: int, said: str) -> None:
    error = refusal(f"{TWO_NODES}{LINK}faults:\n  - {entry}\n")
    assert said in error.problem
    assert (error.line, error.column) == (5, column)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("{at: 1 s, kill: bob}", "{at: 2 s, kill: bob}", "in line 5 it does not restart"),
        ("{at: 1 s, kill: bob, restart: 2 s}", "{at: 2 s, kill: bob}", "it is back only at 3 s"),
        ("{at: 1 s, kill: bob, restart: 2 s}", "{at: 3 s, kill: bob}", "expected a later time"),
        ("{at: 1 s, kill: bob, restart: 2 s}", "{at: 1 s, kill: bob}", "it is back only at 3 s"),
    ],
)
def test_a_dead_node_cannot_be_killed(first: str, second: str, said: str) -> None:
    error = refusal(f"{TWO_NODES}{LINK}faults:\n  - {first}\n  - {second}\n")
    assert said in error.problem and error.line == 6


def test_the_order_of_the_file_does_not_hide_a_kill_of_the_dead() -> None:
    error = refusal(
        f"{TWO_NODES}{LINK}faults:\n  - {{at: 2 s, kill: bob}}\n  - {{at: 1 s, kill: bob}}"
    )
    assert error.line == 5 and "killed at 2 s, but it is dead" in error.problem


def test_a_node_that_is_back_can_be_killed_again_and_so_can_another() -> None:
    killed = faults(
        "{at: 1 s, kill: bob, restart: 1 s}", "{at: 2001 ms, kill: bob}", "{at: 1 s, kill: alice}"
    )
    assert [fault.target for fault in killed] == ["bob", "bob", "alice"]


THREE = "name: x\nnodes: {a: , b: {kind: repeater}, c: {kind: repeater}}\n"
LINKS = "links: [{between: [a, b]}, {between: [b, c]}, {between: [a, c]}]\n"


def planned(*entries: str, seed: int = 0) -> list[FaultSpec]:
    listed = ", ".join(entries)
    return parse_topology(f"{THREE}{LINKS}seed: {seed}\nfaults: [{listed}]\n").faults


@pytest.mark.parametrize(
    ("entry", "targets"),
    [
        ("{at: 1 s, kill: all}", ["a", "b", "c"]),
        ("{at: 1 s, kill: [c, a]}", ["c", "a"]),
        ("{at: 1 s, kill: {kind: repeater}}", ["b", "c"]),
        ("{at: 1 s, kill: {name: '[ab]'}}", ["a", "b"]),
        ("{at: 1 s, cut: {node: a}}", ["a-b", "a-c"]),
        ("{at: 1 s, cut: {name: a-*}}", ["a-b", "a-c"]),
        ("{at: 1 s, partition: [[a], [b]]}", ["a|b"]),
    ],
)
def test_a_target_comes_to_those_who_fit(entry: str, targets: list[str]) -> None:
    assert [fault.target for fault in planned(entry)] == targets


def test_a_partition_cuts_the_links_between_its_groups_and_to_the_rest() -> None:
    (fault,) = planned("{at: 1 s, partition: [[a], [b]]}")
    assert fault.members == ["a-b", "a-c", "b-c"]
    (fault,) = planned("{at: 1 s, partition: [[a, b]]}")
    assert fault.members == ["a-c", "b-c"]


def test_one_and_a_share_are_chosen_from_the_seed() -> None:
    def one(seed: int) -> str:
        (fault,) = planned("{at: 1 s, kill: one}", seed=seed)
        return fault.target

    assert {one(seed) for seed in range(20)} == {"a", "b", "c"}
    assert [one(seed) for seed in range(5)] == [one(seed) for seed in range(5)]
    shares = [planned("{at: 1 s, kill: 50 %}", seed=seed) for seed in range(5)]
    assert [len(share) for share in shares] == [2] * 5


def test_an_entry_that_is_added_shifts_no_other_choice() -> None:
    entry = "{every: 1 s, until: 30 s, cut: one}"
    alone = [fault.target for fault in planned(entry)]
    assert [fault.target for fault in planned(entry, "{at: 1 s, kill: one}")[: len(alone)]] == alone


def test_a_repeated_fault_happens_before_its_end_and_each_time_has_its_own_name() -> None:
    faults = planned("{at: 1 s, every: 2 s, until: 7 s, for: 1 s, cut: a-b}")
    assert [(fault.id, fault.at_ns) for fault in faults] == [
        ("0.1", 10**9),
        ("0.2", 3 * 10**9),
        ("0.3", 5 * 10**9),
    ]


def test_a_fault_that_says_only_every_begins_after_that_time() -> None:
    faults = planned("{every: 2 s, until: 5 s, cut: a-b}")
    assert [fault.at_ns for fault in faults] == [2 * 10**9, 4 * 10**9]


def test_the_run_s_own_end_bounds_a_repeated_fault_also_when_it_is_changed() -> None:
    text = f"{THREE}{LINKS}time: {{until: 3 s}}\nfaults: [{{every: 1 s, for: 1 ms, cut: a-b}}]\n"
    topology = parse_topology(text)
    assert len(topology.faults) == 2
    assert len(with_until(topology, 10**10).faults) == 9


def test_kills_that_overlap_once_targets_are_chosen_are_refused_at_their_place() -> None:
    entries = (
        "  - {at: 1 s, kill: all, restart: 2 s}\n  - {at: 2 s, kill: {kind: repeater, pick: one}}\n"
    )
    with pytest.raises(TopologyError) as raised:
        parse_topology(f"{THREE}{LINKS}faults:\n{entries}", "net.yaml")
    assert (raised.value.line, raised.value.column) == (6, 5)
    assert "it is back only at 3 s" in raised.value.problem


def test_another_seed_that_makes_kills_overlap_is_refused_too() -> None:
    entries = "{at: 1 s, kill: one}", "{at: 2 s, kill: one}"
    good = next(seed for seed in range(50) if planned_or_none(*entries, seed=seed))
    bad = next(seed for seed in range(50) if not planned_or_none(*entries, seed=seed))
    topology = parse_topology(f"{THREE}{LINKS}seed: {good}\nfaults: [{', '.join(entries)}]\n")
    with pytest.raises(TopologyError, match="it is dead"):
        with_seed(topology, bad)


def planned_or_none(*entries: str, seed: int) -> list[FaultSpec] | None:
    try:
        return planned(*entries, seed=seed)
    except TopologyError:
        return None
