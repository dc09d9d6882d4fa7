"""Results that wake no node wait for the node's next grant."""

from __future__ import annotations

from qnetem.emulator.topology.model.topology import BellMeasurement, NodeSpec, Topology
from qnetem.emulator.wire import Entangle, Grant, Join, Result

from ... import harness
from ...harness import heralding, idle, link, network
from .stage import Stage

SIDES = ("alice", "carol")
LATER_NS = 10_000_000


def row(success: float = 1.0) -> Topology:
    """Bob between alice and carol; a pair with carol takes half a millisecond longer."""
    bob = harness.node("bob", idle, bell_measurement=BellMeasurement(success=success))
    nodes: dict[str, NodeSpec] = {name: harness.node(name, idle) for name in SIDES} | {"bob": bob}
    links = [
        link("alice", "bob", 1000, entangle=heralding(attempt_ns=500_000), length_km=0.2),
        link("bob", "carol", 1000, entangle=heralding(attempt_ns=1_000_000), length_km=0.2),
    ]
    return network(nodes, links)


def asked(stage: Stage, *words: str, quiet: bool = True, timer_ns: int | None = None) -> None:
    """Alice and carol ask bob for pairs, and bob asks them: with these words."""
    stage.grants()
    for side in SIDES:
        stage.report(side, operations=[Entangle(number, "bob") for number in range(1, 3)])
    requests = [
        Entangle(number, side, meets=word, quiet=quiet)
        for number, (side, word) in enumerate(zip(SIDES, words, strict=True), 1)
    ]
    stage.report("bob", operations=requests, next_timer_ns=timer_ns)


def next_of_bob(stage: Stage) -> Grant:
    """The next grant of bob; the others have nothing to do."""
    while True:
        told = stage.grants()
        for name in SIDES:
            if name in told:
                stage.report(name)
        if "bob" in told:
            return told["bob"]


def numbers(results: list[Result]) -> list[int]:
    return [result.number for result in results]


def test_the_first_half_of_two_that_are_to_meet_comes_with_the_second() -> None:
    stage = Stage(row())
    asked(stage, "swap", "swap")
    assert numbers(next_of_bob(stage).results) == [1, 2]


def test_halves_that_are_to_meet_others_wait_for_those() -> None:
    stage = Stage(row())
    asked(stage, "one", "another", timer_ns=LATER_NS)
    grant = next_of_bob(stage)
    assert (grant.t_ns, numbers(grant.results)) == (LATER_NS, [1, 2])


def test_without_the_word_each_half_wakes_its_node() -> None:
    stage = Stage(row())
    asked(stage, "swap", "swap", quiet=False)
    assert numbers(next_of_bob(stage).results) == [1]


def test_a_join_comes_with_the_next_grant_and_a_failed_one_at_once() -> None:
    for success, later in ((1.0, True), (0.0, False)):
        stage = Stage(row(success))
        asked(stage, "swap", "swap")
        halves = [result.value.qubit for result in next_of_bob(stage).results]
        stage.report("bob", operations=[Join(3, *halves, quiet=True)], next_timer_ns=LATER_NS)
        grant = next_of_bob(stage)
        assert numbers(grant.results) == [3]
        assert (grant.t_ns == LATER_NS) is later


def test_a_half_that_was_joined_is_there_for_no_other() -> None:
    stage = Stage(row())
    asked(stage, "swap", "swap")
    halves = [result.value.qubit for result in next_of_bob(stage).results]
    again = [Join(3, *halves, quiet=True), Entangle(4, "alice", meets="swap", quiet=True)]
    stage.report("bob", operations=again, next_timer_ns=LATER_NS)
    grant = next_of_bob(stage)
    assert (grant.t_ns, numbers(grant.results)) == (LATER_NS, [3, 4])
