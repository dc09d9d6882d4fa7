"""Conversations: words are said again and taken once, sessions are followed, and confirmed is confirmed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem.agents.agent import Agent
from qnetem.agents.protocols.cleanup import Holding
from qnetem.agents.protocols.session import (
    CONFIRMED,
    Initiator,
    Patience,
    Responder,
    SessionMessage,
    follow,
    lead,
    nothing,
)

from ..physics.bench import Ran, attempt, play, program

ROUND_TRIP_MS = 2
WORDS = 4


class Count(SessionMessage, tag="count"):
    """A number, said and answered."""

    value: int


class Bye(SessionMessage, tag="bye"):
    """The last word, and its answer."""


class Asks(Agent):
    """Says its incarnation's own numbers, 10 ms of work in between. Returns the sum of the answers."""

    async def run(self, timeout: str | None = "4 ms", tries: int = 5) -> dict[str, Any]:
        result = await lead(self, "bob", "count", Patience.of(timeout, tries), self._part)
        return nothing() if result is None else result

    async def _part(self, talk: Initiator) -> dict[str, Any]:
        total = 0
        for value in range(WORDS):
            answer = await talk.ask(Count(value), Count)
            total += answer.value
            await self.compute("10 ms")
        status = await talk.conclude(Bye(), Bye)
        return {"total": total, "status": status, "session": talk.session}


class Answers(Agent):
    """Answers with the double, holding a qubit meanwhile. Returns the sum of what it said."""

    async def run(self, timeout: str | None = "4 ms", tries: int = 5) -> dict[str, Any]:
        result = await follow(self, "alice", "count", Patience.of(timeout, tries), self._part)
        return nothing() if result is None else result

    async def _part(self, talk: Responder) -> dict[str, Any]:
        total = 0
        qubit = await self.qubit()
        async with Holding(qubit):
            for _ in range(WORDS):
                count: Count = await talk.hear(Count, 0.01)
                self.record("heard", count.value)
                total += 2 * count.value
                await talk.answer(Count(2 * count.value))
            await talk.hear(Bye, 0.01)
            await talk.answer(Bye())
            await qubit.discard()
        return {"total": total, "status": CONFIRMED, "session": talk.session}


def text(*faults: str, asks: str = "", answers: str = "", bob: type[Agent] = Answers) -> str:
    broken = "".join(f"  - {{{fault}}}\n" for fault in faults)
    return f"""
time: {{until: 2 s}}
nodes:
  alice: {{program: "{program(Asks)}", with: {{{asks}}}}}
  bob: {{program: "{program(bob)}", with: {{{answers}}}}}
links: [{{between: [alice, bob], quantum: none, classical: {{latency: {ROUND_TRIP_MS / 2} ms}}}}]
faults:
{broken or "  []"}
"""


def talked(*faults: str, **options: Any) -> Ran:
    ran = play(text(*faults, **options))
    assert ran.left_in_slots() == {}
    assert ran.outcome.t_ns < 2_000_000_000
    return ran


def statuses(ran: Ran) -> tuple[str, str]:
    return ran.results["alice"]["status"], ran.results["bob"]["status"]


def assert_agreed(ran: Ran) -> None:
    assert ran.results["alice"] == ran.results["bob"]
    assert ran.results["bob"]["total"] == sum(2 * value for value in range(WORDS))
    assert statuses(ran) == ("confirmed", "confirmed")


@pytest.mark.parametrize("timeout", ["4 ms", "null"])
def test_without_faults_each_word_takes_one_round_trip(timeout: str) -> None:
    ran = talked(asks=f"timeout: {timeout}", answers=f"timeout: {timeout}")
    assert_agreed(ran)
    assert ran.count("bob.heard") == WORDS
    ended_ms = ran.outcome.t_ns / 1e6
    assert ended_ms == pytest.approx(WORDS * (ROUND_TRIP_MS + 10) + ROUND_TRIP_MS, abs=1.01)


@pytest.mark.parametrize(
    "fault",
    [
        "at: 0 ms, for: 3 ms, cut: alice-bob",
        "at: 0 ms, loss: alice-bob, probability: 0.3",
        "at: 0 ms, corrupt: alice-bob, probability: 0.3",
        "at: 0 ms, duplicate: alice-bob, probability: 1, after: 3 ms",
        "at: 0 ms, reorder: alice-bob, probability: 0.5, by: 7 ms",
        "at: 0 ms, delay: alice-bob, by: 2 ms",
        "at: 11 ms, for: 6 ms, pause: bob",
        "at: 11 ms, for: 6 ms, pause: alice",
        "at: 11 ms, for: 20 ms, clock_skew: bob, offset: -5 ms",
    ],
)
def test_words_are_said_again_and_taken_once(fault: str) -> None:
    ran = talked(fault, asks="tries: 12", answers="tries: 12")
    assert_agreed(ran)
    assert ran.count("bob.heard") == WORDS
    assert ran.series("bob.heard")["mean"] == sum(range(WORDS)) / WORDS


@pytest.mark.parametrize("node", ["alice", "bob"])
@pytest.mark.parametrize("at_ms", range(1, 48, 3))
def test_an_end_that_is_killed_begins_anew_and_so_does_the_other(node: str, at_ms: int) -> None:
    ran = talked(f"at: {at_ms} ms, kill: {node}, restart: 2 ms")
    assert_agreed(ran)
    assert ran.count("bob.heard") > WORDS or at_ms < 3


def test_a_restarted_end_says_at_once_that_it_knows_nothing_of_the_session() -> None:
    """Not after five tries of 4 ms: alice's next word is answered, and she begins anew."""
    ran = talked("at: 15 ms, kill: bob, restart: 1 ms")
    assert_agreed(ran)
    assert ran.outcome.t_ns < (25 + ROUND_TRIP_MS + WORDS * 12 + 4) * 1e6


def test_the_answering_end_follows_the_newest_session_however_old_words_arrive() -> None:
    """The first opening is on its way for 30 ms; alice's next incarnation has been heard by then."""
    faults = (
        "at: 0 ms, for: 1 ms, delay: alice-bob, by: 30 ms",
        "at: 1 ms, kill: alice, restart: 1 ms",
    )
    assert_agreed(talked(*faults))


def test_a_clock_that_jumps_back_keeps_no_end_from_the_newest_session() -> None:
    """bob's clock is wrong when the first session opens, and right when alice is back with another one."""
    faults = (
        "at: 0 ms, for: 10 ms, clock_skew: bob, offset: 1 s",
        "at: 20 ms, kill: alice, restart: 1 ms",
    )
    assert_agreed(talked(*faults))


def test_a_lost_last_answer_leaves_the_asking_end_unconfirmed() -> None:
    """It is said at 48 ms, and answered at 49."""
    ran = talked("at: 47.5 ms, for: 1 s, loss: alice-bob, probability: 1")
    assert statuses(ran) == ("unconfirmed", "incomplete")  # the last word itself was lost
    ran = talked("at: 48.5 ms, for: 1 s, loss: alice-bob, probability: 1")
    assert statuses(ran) == ("unconfirmed", "confirmed")
    assert ran.results["alice"]["session"] == ran.results["bob"]["session"]


def test_whoever_hears_nothing_is_incomplete_in_bounded_time() -> None:
    ran = talked("at: 0 ms, cut: alice-bob")
    assert ran.results["alice"] == ran.results["bob"] == nothing()
    assert ran.outcome.t_ns == 5 * 4_000_000


def test_without_a_timeout_a_lost_word_is_waited_for_and_the_run_says_so() -> None:
    fault = "at: 0 ms, for: 1 ms, cut: alice-bob"
    _, outcome = attempt(text(fault, asks="timeout: null", answers="timeout: null"))
    assert outcome.problem is not None
    assert outcome.problem.kind == "StuckError"
    assert "a message of kind 'count.answer'" in outcome.problem.text


class Interrupted(Agent):
    """An answering end that is interrupted in the middle."""

    async def run(self, after_ms: float) -> str:
        try:
            async with asyncio.timeout(after_ms / 1e3):
                await self.perform(Answers)
        except TimeoutError:
            return "interrupted"
        return "not interrupted"


@pytest.mark.parametrize("after_ms", [0.5, 1, 5, 13, 20.5, 48.9])
def test_an_answering_end_that_is_interrupted_gives_back_what_it_holds(after_ms: float) -> None:
    ran = talked(bob=Interrupted, answers=f"after_ms: {after_ms}")
    assert ran.results["bob"] == "interrupted"
    assert ran.results["alice"]["status"] != "confirmed"
