"""Entries of `faults`, by the table of faults."""

from __future__ import annotations

import pytest

from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.topology.model import FaultSpec

from .topologies import TWO_NODES, linked, refusal

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
            "{at: 1 s, for: 2 ms, cut: alice-bob, only: quantum}",
            "cut",
            "alice-bob",
            10**9,
            2_000_000,
            {"only": "quantum"},
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
        ("{at: 1 s}", 5, f"no fault is named: expected one of {', '.join(FAULT_KINDS)}"),
        ("{at: 1 s, cut: alice-bob, kill: bob}", 37, "cut and kill are two faults: expected one"),
        ("{cut: alice-bob}", 5, "faults[0]: 'at' is missing"),
        ("{at: -1 s, cut: alice-bob}", 10, "(of 0 ns or more), found '-1 s'"),
        ("{at: soon, cut: alice-bob}", 10, "faults[0].at: expected a time"),
        ("{at: 1 s, for: 0 s, cut: alice-bob}", 20, "(more than 0 ns), found '0 s'"),
        ("{at: 1 s, for: 1 s, kill: bob}", 15, "kill does not last, so it takes no 'for'"),
        ("{at: 1 s, cut: alice-bib}", 20, "unknown link 'alice-bib'; did you mean 'alice-bob'?"),
        ("{at: 1 s, kill: bobb}", 21, "unknown node 'bobb'; did you mean 'bob'?"),
        ("{at: 1 s, kill: alice-bob}", 21, "unknown node 'alice-bob'"),
        ("{at: 1 s, kill: [bob]}", 15, "expected the name of a node, found a list"),
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
