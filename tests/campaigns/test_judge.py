"""The judge of campaigns can say no: each property is seen to fail where it does not hold."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from qnetem.agents.protocols import cleanup, session, teleportation
from qnetem.agents.protocols.qkd import bb84, decoy
from qnetem.agents.qubits import Pair
from qnetem.agents.roles import repeater
from qnetem.runs.events import Event

from .campaign import (
    Ended,
    at_most,
    in_process,
    judge,
    one_use_of_each_half,
    one_use_of_each_pair,
    same_rate,
    what_is_confirmed_is_there,
)
from .networks import NETWORKS, Network

CHAIN = NETWORKS["chain"]
DECOY = NETWORKS["decoy"]


def undisturbed(network: Network) -> Ended:
    """A run without any fault, confirmed by both ends."""
    run = in_process(replace(network, faults=(1e-6, 1e-6)).campaign(1))
    assert judge(run, network) == ["confirmed+confirmed"]
    return run


@pytest.fixture(scope="module")
def ended() -> Ended:
    return undisturbed(CHAIN)


@pytest.fixture(scope="module")
def key() -> Ended:
    return undisturbed(DECOY)


def changed_result(ended: Ended, end: str, **changed: Any) -> Ended:
    outcome = deepcopy(ended.outcome)
    outcome.results[end].update(changed)
    return Ended(outcome, ended.events)


# --- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [{"received": 5000}, {"session": "another"}])
@pytest.mark.parametrize("status", ["confirmed", "unconfirmed"])
def test_results_that_differ_are_refused_where_an_end_confirms(
    ended: Ended, changed: dict[str, Any], status: str
) -> None:
    with pytest.raises(AssertionError):
        judge(changed_result(ended, "bob", status=status, **changed), CHAIN)


def test_a_result_that_the_other_end_has_not_is_not_confirmed(ended: Ended) -> None:
    with pytest.raises(AssertionError):
        judge(changed_result(ended, "bob", status="incomplete", session=None), CHAIN)


def test_what_was_killed_since_may_have_lost_its_result(ended: Ended) -> None:
    lost = {"status": "incomplete", "session": None}
    results = ended.outcome.results["alice"], lost
    what_is_confirmed_is_there(results, [1, 2])
    with pytest.raises(AssertionError):
        what_is_confirmed_is_there(results, [2, 1])


def test_results_that_differ_are_not_held_against_ends_that_confirm_nothing(ended: Ended) -> None:
    unsure = changed_result(ended, "alice", status="unconfirmed")
    assert judge(
        changed_result(unsure, "bob", status="unconfirmed", received=5, session="another"), CHAIN
    )


def test_slots_that_are_not_free_at_the_end_are_seen(ended: Ended) -> None:
    outcome = deepcopy(ended.outcome)
    outcome.left["r2"].slots_used, outcome.left["r2"].held = 1, ["entangle 7"]
    with pytest.raises(AssertionError):
        judge(Ended(outcome, ended.events), CHAIN)


# --- pairs and states -----------------------------------------------------------------------------


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


# --- errors ---------------------------------------------------------------------------------------


def test_kept_bits_that_err_more_than_is_told_are_seen() -> None:
    same_rate(2, 60, 4, 60)
    same_rate(30, 60, 30, 60)  # as bad as both say
    same_rate(0, 0, 60, 60)  # nothing was compared, and no error counted
    with pytest.raises(AssertionError):
        same_rate(0, 60, 30, 60)


def test_more_errors_than_a_whole_link_makes_are_seen() -> None:
    at_most(10, 100, 0.05)
    at_most(0, 0, 0.05)
    with pytest.raises(AssertionError):
        at_most(50, 100, 0.05)


def test_bits_that_are_not_noted_are_missed(key: Ended) -> None:
    without = [event for event in key.events if event.kind != "note"]
    with pytest.raises(AssertionError):
        judge(Ended(key.outcome, without), DECOY)


# --- protocols that are wrong ---------------------------------------------------------------------


def caught(name: str, campaigns: int = 40) -> str:
    """What the judge says of a protocol that was broken, in the first campaign that shows it."""
    network = NETWORKS[name]
    for seed in range(campaigns):
        ended = in_process(network.campaign(seed))
        try:
            judge(ended, network)
        except AssertionError as verdict:
            return str(verdict)
    pytest.fail(f"{campaigns} campaigns did not notice")


Patch = pytest.MonkeyPatch


def test_an_end_that_confirms_without_a_reply_is_caught(monkeypatch: Patch) -> None:
    async def concludes(
        self: session.Initiator,
        message: session.SessionMessage,
        reply: type[session.SessionMessage],
    ) -> str:
        return session.CONFIRMED

    monkeypatch.setattr(session.Initiator, "conclude", concludes)
    assert "False" in caught("bb84")  # the other end has no result


def test_an_end_that_takes_a_broken_session_for_success_is_caught(monkeypatch: Patch) -> None:
    teleport = teleportation.Sender._teleport

    async def teleports(self: teleportation.Sender, *arguments: Any) -> bool:
        try:
            return await teleport(self, *arguments)
        except session.SessionBroken:
            return True

    monkeypatch.setattr(teleportation.Sender, "_teleport", teleports)
    assert "False" in caught("chain")


def test_an_end_that_accepts_states_by_pairs_it_has_not_got_is_caught(monkeypatch: Patch) -> None:
    accept = teleportation.Receiver._accept

    async def accepts(self: teleportation.Receiver, *arguments: Any) -> bool:
        return await accept(self, *arguments) or True

    monkeypatch.setattr(teleportation.Receiver, "_accept", accepts)
    assert "+" in caught(
        "chain"
    )  # names of long pairs, which one end has noted and the other has not


def test_a_correction_that_is_not_made_is_caught(monkeypatch: Patch) -> None:
    # The half that is given its correction: nothing is noted, so that there is nothing to apply.
    monkeypatch.setattr(Pair, "shift", lambda *_: None)
    assert "Expected: 0.966" in caught("two-nodes")


def test_qubits_that_are_not_discarded_are_caught(monkeypatch: Patch) -> None:
    async def keeps(*held: Any) -> None:
        return

    monkeypatch.setattr(cleanup, "discard_held", keeps)
    assert "@bob" in caught("star")  # the half that is left


def test_a_repeater_that_keeps_a_dropped_half_is_caught(monkeypatch: Patch) -> None:
    async def keeps(*held: Any) -> None:
        return

    monkeypatch.setattr(repeater, "discard_held", keeps)
    assert "@r" in caught("chain")


def test_slots_of_time_that_are_counted_wrong_are_caught(monkeypatch: Patch) -> None:
    detect = bb84.Receiver._detect

    async def detects(self: bb84.Receiver, *arguments: Any) -> Any:
        clicks = await detect(self, *arguments)
        return {slot - 1: click for slot, click in clicks.items() if slot}

    monkeypatch.setattr(bb84.Receiver, "_detect", detects)
    assert "wrong on a link that is whole" in caught("bb84")


def test_errors_that_are_not_reported_are_caught(monkeypatch: Patch) -> None:
    """The receiver compares what it has seen, and keeps bits in another order."""
    one_train = decoy.Receiver.one_train

    async def keeps(self: decoy.Receiver, *arguments: Any) -> Any:
        found = await one_train(self, *arguments)
        return replace(found, bits=self.rng.permutation(found.bits))

    monkeypatch.setattr(decoy.Receiver, "one_train", keeps)
    assert "bits are wrong" in caught("decoy")


def test_protocols_as_they_are_are_not_caught() -> None:
    with pytest.raises(pytest.fail.Exception):
        caught("two-nodes", campaigns=2)
