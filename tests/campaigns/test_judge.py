"""The judge of campaigns can say no: each property is seen to fail where it does not hold."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from qnetem.events import Event

from .campaign import Ended, in_process, judge, one_use_of_each_half, one_use_of_each_pair
from .networks import NETWORKS, Network

CHAIN = NETWORKS["chain"]


@pytest.fixture(scope="module")
def ended() -> Ended:
    """A run without any fault, confirmed by both ends."""
    run = in_process(Network(CHAIN.topology, "1 ms", (1e-6, 1e-6)).campaign(1))
    assert judge(run, CHAIN) == "confirmed+confirmed"
    return run


def told(ended: Ended, end: str, **changed: Any) -> Ended:
    outcome = deepcopy(ended.outcome)
    outcome.results[end].update(changed)
    return Ended(outcome, ended.events)


@pytest.mark.parametrize("changed", [{"received": 5}, {"session": "another"}])
def test_confirmed_results_that_differ_are_refused(ended: Ended, changed: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        judge(told(ended, "bob", **changed), CHAIN)


def test_results_that_differ_are_not_held_against_an_end_that_did_not_confirm(ended: Ended) -> None:
    assert judge(told(ended, "bob", received=5, status="unconfirmed"), CHAIN)


def test_a_round_over_another_pair_than_the_peers_is_refused(ended: Ended) -> None:
    with pytest.raises(AssertionError):
        judge(Ended(ended.outcome, [e for e in ended.events if not accepts(e, "bob", 3)]), CHAIN)


def test_a_pair_of_two_rounds_is_seen(ended: Ended) -> None:
    first = next(event for event in ended.events if accepts(event, "alice", 0))
    session, _, pair = first.fields[1]
    again = first._replace(fields=(first.fields[0], [session, 99, pair]))
    one_use_of_each_pair(ended.events)
    with pytest.raises(AssertionError):
        one_use_of_each_pair([*ended.events, again])


@pytest.mark.parametrize("verb", ["bell_measure", "join", "discard"])
def test_a_half_that_is_consumed_twice_is_seen(ended: Ended, verb: str) -> None:
    issued = next(e for e in ended.events if e.kind == "operation" and e.fields[1] == verb)
    result = next(
        e
        for e in ended.events
        if (e.entity, e.kind, e.fields[0]) == (issued.entity, "result", issued.fields[0])
    )
    with pytest.raises(AssertionError):
        one_use_of_each_half([*ended.events, issued, result])


def test_a_state_that_is_not_what_its_pairs_give_is_seen(ended: Ended) -> None:
    outcome = deepcopy(ended.outcome)
    outcome.metrics["bob.teleported.fidelity"]["min"] -= 0.01
    with pytest.raises(AssertionError):
        judge(Ended(outcome, ended.events), CHAIN)


def test_a_half_that_is_left_is_seen(ended: Ended) -> None:
    last = max(
        index
        for index, event in enumerate(ended.events)
        if event.kind == "operation" and event.fields[1] in ("discard", "bell_measure", "join")
    )
    with pytest.raises(AssertionError):
        one_use_of_each_half([*ended.events[:last], *ended.events[last + 1 :]])


def accepts(event: Event, end: str, number: int) -> bool:
    return (
        (event.entity, event.kind) == (end, "note")
        and event.fields[0] == "teleportation.accepted"
        and event.fields[1][1] == number
    )
